"""A page over the rows of a finished run, or of a store that a run is filling: filters, and everything about one row.

Read-only, on loopback, without scripts. ``index`` finds rows, ``query`` reads a filter, ``texts`` shows what strangers
wrote, ``life`` gathers one row's page, ``app`` answers requests, ``serve`` listens.
"""

from __future__ import annotations

from tracemill.browse.app import browser
from tracemill.browse.index import opened
from tracemill.browse.serve import address, serve

__all__ = [
    "address",
    "browser",
    "opened",
    "serve",
]
