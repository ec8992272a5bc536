"""What trainers take: traces of a finished run by query, in the shapes that chat templates read."""

from __future__ import annotations

from tracemill.training.export import export_sft
from tracemill.training.traces import QUERIES, traces_of

__all__ = ["QUERIES", "export_sft", "traces_of"]
