"""Merging the segments of a ledger on an object store: on this machine's copy, then among the objects.

Covered: as for a folder (``ledger_compaction``), and two compactions on different machines, of which the second waits.
A merged segment is uploaded before those that it replaces are removed. Left alone is what is still being written: a
segment of which there are only pieces. Its writer uploads it whole at its end, or the next process on its machine does;
where the machine is lost nobody will, so pieces that are older than ``ABANDONED_S`` are made whole here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracemill.claim_leases import Lease
from tracemill.errors import LedgerError, StoreError
from tracemill.ledger_compaction import TARGET_BYTES, Compacted, compact
from tracemill.ledger_mirror import Mirror
from tracemill.ledger_segment import is_live

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracemill.ledger_objects import Held
    from tracemill.ledger_place import Place
    from tracemill.ledger_survey import Surveyed

ABANDONED_S: Final = 86_400.0
_LEASE: Final = "compaction"


def compact_remote(place: Place, tell: Callable[[str], None], target_bytes: int = TARGET_BYTES) -> Compacted:
    """Merges what is whole at ``place`` into segments of up to ``target_bytes``.

    Raises:
        LedgerError: no ledger is there, the store or the copy cannot be read or written, or a segment is damaged.
            Nothing is lost.
    """
    mirror = Mirror(place)
    try:
        with Lease(mirror.files, _LEASE).held(tell):
            remote = _without_abandoned(mirror, mirror.exchange())

            def is_sealed(one: Surveyed) -> bool:
                held = remote.get(one.path.name)
                is_whole = held is not None and held.whole == one.n_bytes - one.torn_bytes
                return is_whole and not is_live(one.path)

            return compact(mirror.directory, target_bytes, is_sealed, mirror.replace)
    except StoreError as error:
        raise LedgerError(
            f"the ledger at {place.url} cannot be compacted", got=error.cause, remedy="run again: nothing is lost"
        ) from error


def _without_abandoned(mirror: Mirror, remote: dict[str, Held]) -> dict[str, Held]:
    """What the store holds once the segments of lost machines are whole."""
    now = max((found.modified_s for found in mirror.files.listing(_LEASE)), default=0.0)  # by the store's clock
    old = [name for name, one in remote.items() if one.whole is None and now - one.modified_s > ABANDONED_S]
    if not old:
        return remote
    mirror.adopt(old)
    return mirror.exchange()
