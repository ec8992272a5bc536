"""Labels of prompts by rules and by models, and downsampling by labels."""

from __future__ import annotations

from tracemill.label.downsampling import downsample
from tracemill.label.labels import answered, labels_of, labels_request, with_labels

__all__ = [
    "answered",
    "downsample",
    "labels_of",
    "labels_request",
    "with_labels",
]
