"""Verdicts on an existing dataset: its rows, figures and report; and checks of references."""

from __future__ import annotations

from tracemill.audit.rows import AuditedRow, audited, row_responses
from tracemill.audit.tally import Tally

__all__ = [
    "AuditedRow",
    "Tally",
    "audited",
    "row_responses",
]
