"""One thing that ``tracemill doctor`` has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check came out."""

    FINE = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: the part of the set-up.
        state: how it is.
        found: what is there, in a few words.
        remedy: what to do about it; "" if nothing.
    """

    what: str
    state: State
    found: str
    remedy: str = ""
