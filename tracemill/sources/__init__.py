"""Rows from files and the Hub to problems; ``layouts`` has one adapter a family, ``catalogue`` the known datasets."""

from __future__ import annotations

from tracemill.sources.collect import collected, fingerprint, raw_tables
from tracemill.sources.source import Source

__all__ = [
    "Source",
    "collected",
    "fingerprint",
    "raw_tables",
]
