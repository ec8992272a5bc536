"""The run's directory: exported files, versions, funnel, tally, dataset card, report."""

from __future__ import annotations

from tracemill.publish.directory.run_directory import (
    Output,
    Published,
    Written,
    publish,
    published,
    refuse_empty,
    refuse_foreign,
)
from tracemill.publish.export import Publication, dataset_output
from tracemill.publish.funnel import Funnel

__all__ = [
    "Funnel",
    "Output",
    "Publication",
    "Published",
    "Written",
    "dataset_output",
    "publish",
    "published",
    "refuse_empty",
    "refuse_foreign",
]
