"""The one ledger of a process at a place, in a folder or on an object store: its threads share one index."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from tracemill.ledger.ledger import Ledger
from tracemill.ledger.place import is_remote, place_of
from tracemill.ledger.remote import ShippingLedger

_shared: dict[tuple[int, str], Ledger] = {}
_shared_lock = threading.Lock()


def shared_ledger(place: str | Path) -> Ledger:
    """The one ledger of this process at ``place``, a folder or a URL: its threads share one index and one segment.

    Raises:
        LedgerError: as for :class:`Ledger`.
    """
    where = str(place) if is_remote(str(place)) else str(Path(place).resolve())
    name = (os.getpid(), where)  # the process is part of the name: forks start afresh
    with _shared_lock:
        if name not in _shared:
            _shared[name] = _opened(where)
        return _shared[name]


def _opened(where: str) -> Ledger:
    return ShippingLedger(place_of(where)) if is_remote(where) else Ledger(where)
