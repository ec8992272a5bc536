"""Where the row browser is, for pages that lead to it."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

PORT: Final = 4280  # of ``python -m tracemill browse``, unless another is named
ADDRESS: Final = f"http://127.0.0.1:{PORT}/"


def rows_link(**asked: str) -> str:
    """Return the address of the rows that a filter leaves, while the browser runs on the reader's machine."""
    told = {name: value for name, value in asked.items() if value}
    return f"{ADDRESS}?{urlencode(told)}" if told else ADDRESS
