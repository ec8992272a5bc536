"""Names of processes: whether one is gone, and of which nothing is known."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tracemill.core.process_identity import is_gone, process_name

NAMESPACE = "tracemill.core.process_identity._namespace"


def test_a_process_is_gone_once_it_has_ended() -> None:
    """A running process is not gone, an ended one is, and so is one whose id is another's by now."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = process_name(process.pid)
        assert not is_gone(name)
        process.communicate(b"\n")
    assert is_gone(name)
    host, pid, started, *namespace = process_name().split("/")
    assert is_gone("/".join([host, pid, f"{started}0", *namespace]))


@pytest.mark.parametrize(("writer", "reader"), [("4026532001", ""), ("", "4026532001"), ("4026532001", "4026532002")])
def test_of_other_containers_nothing_is_known(monkeypatch: pytest.MonkeyPatch, writer: str, reader: str) -> None:
    """A container on its host's network has the host's name: processes of neither are gone for the other."""
    monkeypatch.setattr(NAMESPACE, lambda: writer)
    name = process_name(4194304)  # an id that no process has
    assert is_gone(name)
    monkeypatch.setattr(NAMESPACE, lambda: reader)
    assert not is_gone(name)


@pytest.mark.parametrize("name", ["", "host", "elsewhere/1/1", "no name of a process"])
def test_of_what_is_no_name_nothing_is_known(name: str) -> None:
    """Texts that name no process of this host are not gone."""
    assert not is_gone(name)
