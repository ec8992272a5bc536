"""Listening on loopback, and nowhere else, until Ctrl-C."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from tracemill.core import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

_LOOPBACK: Final = "127.0.0.1"


def address(port: int, path: str = "/") -> str:
    """Return where a page is."""
    return f"http://{_LOOPBACK}:{port}{path}"


def serve(app: ASGIApp, port: int, ready: Callable[[int], None]) -> None:
    """Answer requests until the process is interrupted.

    Args:
        app: what answers.
        port: 0: any that is free.
        ready: is told the port once it listens.

    Raises:
        StoreError: another program listens there.
    """
    import uvicorn

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_LOOPBACK, port))
    except OSError as error:
        listening.close()
        raise StoreError(
            f"cannot listen on {_LOOPBACK}:{port}",
            got=f"{type(error).__name__}: {error}",
            expected="a port that is free",
            remedy="name another one with --port; 0 takes any that is free",
        ) from error
    with listening:
        listening.listen()
        ready(listening.getsockname()[1])
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, limit_concurrency=32)
        uvicorn.Server(config).run(sockets=[listening])
