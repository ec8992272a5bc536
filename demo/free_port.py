"""A port of the loopback for a server that is started, or started again, by its number."""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path

HOST = "127.0.0.1"
_FIRST = 10_000  # below are ports that services are known by
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST_EPHEMERAL = 32_768  # Linux' default; elsewhere it is 49152
_TRIES = 100


def free_port() -> int:
    """Return a port that nothing listens on, and that no connection takes before the server does.

    What the kernel gives for port 0 is one of those that it gives to connections: one of them may have the port a
    moment later, or while a server is away that is started again. So this is a port from below theirs.

    Raises:
        OSError: no such port is free.
    """
    n_ports = max(_first_ephemeral() - _FIRST, 1_000)
    for _ in range(_TRIES):
        port = _FIRST + secrets.randbelow(n_ports)
        if is_free(port):
            return port
    raise OSError(f"none of {_TRIES} ports from {_FIRST} is free on {HOST}")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on it now."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a server has left behind is no listener
        probe.bind((HOST, port))
        return True
    return False


def _first_ephemeral() -> int:
    try:
        return int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _FIRST_EPHEMERAL
