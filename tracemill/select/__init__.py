"""Verdicts combined, one response per problem, and the traces and pairs that are published with it."""

from __future__ import annotations

from tracemill.select.records import pairs, rejected_traces, traces
from tracemill.select.selection import Sample, select, source_traces, unsolved
from tracemill.select.verdicts import settled

__all__ = [
    "Sample",
    "pairs",
    "rejected_traces",
    "select",
    "settled",
    "source_traces",
    "traces",
    "unsolved",
]
