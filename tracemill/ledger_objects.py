"""A ledger's objects: whole segments, and pieces of those that are being written.

``NAME.ledger`` is a segment that is complete. ``NAME.<start>-<end>.part`` are those bytes of one that was not when they
were uploaded. No object is ever changed. Other objects are none of the ledger's business, nor are pieces that are not
as long as their name says, or that nothing leads up to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from tracemill.ledger_segment import SEGMENT_NAME, SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracemill.store_objects import Listed

_PIECE: Final = re.compile(r"(\d{20}-\d+-[0-9a-f]{8})\.(\d{12})-(\d{12})\.part")


class Piece(NamedTuple):
    """An object that holds the bytes from ``start`` to before ``end`` of a segment."""

    start: int
    end: int
    name: str


@dataclass(slots=True)
class Held:
    """What the store holds of one segment.

    Attributes:
        whole: bytes of the object with the whole segment, or None where there is none.
        pieces: in order.
        modified_s: when the newest of its objects was written, by the store's clock.
    """

    whole: int | None = None
    pieces: list[Piece] = field(default_factory=list)
    modified_s: float = 0.0

    def chain(self, name: str) -> list[Piece]:
        """The objects that together give the segment, each of them where the one before ends or earlier."""
        pieces = [Piece(0, self.whole, name)] if self.whole else []
        size = self.whole or 0
        for piece in self.pieces:
            if piece.start <= size < piece.end:
                pieces.append(piece)
                size = piece.end
        return pieces

    @property
    def size(self) -> int:
        """Bytes of the segment that can be had, from its beginning."""
        chain = self.chain("")
        return chain[-1].end if chain else 0


def piece_name(segment: str, start: int, end: int) -> str:
    """Name of the object with those bytes of a segment."""
    return f"{segment.removesuffix(SUFFIX)}.{start:012d}-{end:012d}.part"


def held(listing: Iterable[Listed]) -> dict[str, Held]:
    """What a listing holds, by the segments' names, in winning order."""
    found: dict[str, Held] = {}
    for item in listing:
        matched = _PIECE.fullmatch(item.name)
        if matched:
            base, start, end = matched[1], int(matched[2]), int(matched[3])
            if end - start == item.size:
                one = found.setdefault(base + SUFFIX, Held())
                one.pieces.append(Piece(start, end, item.name))
                one.modified_s = max(one.modified_s, item.modified_s)
        elif SEGMENT_NAME.fullmatch(item.name):
            one = found.setdefault(item.name, Held())
            one.whole = item.size
            one.modified_s = max(one.modified_s, item.modified_s)
    for one in found.values():
        one.pieces.sort()
    return dict(sorted(found.items()))
