"""Ports of servers that tests and benchmarks start, and start again."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from demo import free_port as ports
from demo.free_port import HOST, free_port


def test_no_connection_takes_it_meanwhile() -> None:
    """It is below the ports that the kernel gives to connections, and a server may have it."""
    first = ports._first_ephemeral()
    for _ in range(20):
        port = free_port()
        assert 10_000 <= port < first
        with socket.socket() as server:
            server.bind((HOST, port))


def test_a_port_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two ports one is listened on: the other one is given, and where there is no other, an error says so."""
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        taken = server.getsockname()[1]
        free = free_port()
        drawn = iter([taken, taken, free])
        monkeypatch.setattr("demo.free_port._FIRST", 0)
        monkeypatch.setattr("secrets.randbelow", lambda _: next(drawn))
        assert free_port() == free
        monkeypatch.setattr("secrets.randbelow", lambda _: taken)
        with pytest.raises(OSError, match="none of 100 ports"):
            free_port()


def test_a_kernel_without_that_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where nothing says which ports connections have, Linux' default is taken."""
    monkeypatch.setattr("demo.free_port._EPHEMERAL", tmp_path / "none")
    assert ports._first_ephemeral() == 32_768
