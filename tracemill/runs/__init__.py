"""What is done with a finished run: why, diff, report, push, fetch."""

from __future__ import annotations

from tracemill.runs.diff import diff
from tracemill.runs.push import send, shipment
from tracemill.runs.why import story

__all__ = [
    "diff",
    "send",
    "shipment",
    "story",
]
