"""Pre-flight check of a cluster worker: code digest, versions, store access, Prefect API.

A cluster's workers are looked at before a run gives them work. One that has other code would compute something else
under the same key, and one that does not see the store would fail at every shard.
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import prefect

from tasks.engine.poison import code_digest
from tracemill.core import StoreError
from tracemill.store import Store

_API_TIMEOUT_S = 20


@dataclass(frozen=True)
class WorkerInfo:
    """What one process has found.

    Attributes:
        worker: "host, process id".
        versions: of Python and Prefect.
        code: digest of tracemill's source, as it was when this process first looked.
        store: identity of the store, or what is wrong with it.
        server: what is wrong with Prefect's server; empty where it answers.
        unset: environment variables that the recipe names and this process does not have.
    """

    worker: str
    versions: str
    code: str
    store: str
    server: str
    unset: tuple[str, ...] = ()


def inspect_worker(store_url: str, api_url: str, variables: Sequence[str] = ()) -> WorkerInfo:
    """Report what this process sees of a store, of a Prefect server, and of variables that should be set."""
    return WorkerInfo(
        worker=f"{socket.gethostname()}, process {os.getpid()}",
        versions=f"Python {platform.python_version()}, Prefect {prefect.__version__}",
        code=code_digest(),
        store=_identity(store_url),
        server=_server(api_url),
        unset=tuple(name for name in variables if not os.environ.get(name)),
    )


def _identity(store_url: str) -> str:
    store = Store(store_url)
    try:
        # Not asked for blindly: a store that has no identity is given one.
        return store.identity if store.exists("store.json") else "no such store there"
    except (StoreError, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {error}"


def _server(api_url: str) -> str:
    try:
        httpx.get(f"{api_url}/health", timeout=_API_TIMEOUT_S)  # any answer will do: it is there
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return ""
