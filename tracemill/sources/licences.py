"""Licences as rows name them."""

from __future__ import annotations

import re
from typing import Final

_NON_COMMERCIAL: Final = re.compile(r"(?<![a-z])nc(?![a-z])|non[-_ ]?commercial", re.IGNORECASE)


def licence_of(value: object) -> tuple[str | None, bool | None]:
    """A row's own licence and whether it forbids commercial use; None twice where the row names none."""
    if not isinstance(value, str) or not value.strip() or value.strip().lower() in {"unknown", "none", "n/a"}:
        return None, None
    return value.strip(), _NON_COMMERCIAL.search(value) is not None
