"""What has been paid for: every completed generation, under the content key of its request."""

from __future__ import annotations

from tracemill.ledger.ledger import Ledger, LedgerStats
from tracemill.ledger.record import Completion, request_key
from tracemill.ledger.shared import shared_ledger

__all__ = [
    "Completion",
    "Ledger",
    "LedgerStats",
    "request_key",
    "shared_ledger",
]
