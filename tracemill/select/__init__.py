"""Verdicts combined, the responses that are chosen, and the traces and pairs that are published with them."""

from __future__ import annotations

from tracemill.select.records import pairs, rejected_traces, traces
from tracemill.select.selection import Sample, sample_kind, select, source_traces, unsolved
from tracemill.select.verdicts import settled

__all__ = [
    "Sample",
    "pairs",
    "rejected_traces",
    "sample_kind",
    "select",
    "settled",
    "source_traces",
    "traces",
    "unsolved",
]
