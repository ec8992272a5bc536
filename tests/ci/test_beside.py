"""``.ci/beside`` and ``.ci/apt`` with programs of the test's own: order, output, failures, and no collision."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.needs import ROOT


def beside(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([".ci/beside", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_scripts_run_at_the_same_time(tmp_path: Path) -> None:
    """Each goes on while the other does: both wait for what the other makes; output is told in order, in one piece."""
    meet = "echo {0} begins; touch {0}; for _ in $(seq 300); do [ -e {1} ] && break; sleep 0.1; done; ls {1} >/dev/null"
    one, two = (f"cd {tmp_path}; {meet.format(*names)}" for names in (("a", "b"), ("b", "a")))
    done = beside("one", one, "two", two)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(" after")[0] for line in lines] == ["== one: done", "a begins", "== two: done", "b begins"]


@pytest.mark.parametrize(
    ("scripts", "failed"),
    [
        (("one", "echo hurt >&2; false; echo never", "two", "true"), "one"),
        (("one", "true", "two", "echo hurt; exit 3"), "two"),
        (("one", "echo hurt; echo $unset_variable", "two", "true"), "one"),
        (("one", "echo hurt; false | cat", "two", "true"), "one"),
        (("one", ".ci/beside inner 'echo hurt; false'", "two", "true"), "one"),
        (("one", "echo hurt; false", "two", "exit 9"), "one two"),
        (("one", "echo hurt; kill -9 $$", "two", "true"), "one"),
    ],
)
def test_a_failure_is_told_and_fails_the_whole(scripts: tuple[str, ...], failed: str) -> None:
    """At its first failing command a script stops; its output is shown, the others end, and the status is not 0."""
    done = beside(*scripts)
    assert done.returncode == 1
    assert done.stderr.endswith(f"failed: {failed}\n")
    assert "hurt" in done.stdout
    assert "never" not in done.stdout
    assert done.stdout.count("== ") == len(scripts) // 2 + ("inner" in scripts[1])


def test_others_are_waited_for_where_one_fails(tmp_path: Path) -> None:
    """A failure does not stop another script at its work."""
    assert beside("one", "false", "two", f"sleep 1; touch {tmp_path}/end").returncode == 1
    assert (tmp_path / "end").exists()


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    """Who ends it ends the scripts and what they have started, nested ones too."""
    sleep = f"touch {tmp_path}/{{0}}; exec -a {tmp_path.name}-{{0}} sleep 60"
    nested = f".ci/beside deep '{sleep.format('deep')}'"
    process = subprocess.Popen([".ci/beside", "one", f"({sleep.format('flat')}) & wait", "two", nested], cwd=ROOT)
    _until(lambda: (tmp_path / "deep").exists() and (tmp_path / "flat").exists())
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM
    _until(lambda: not _named(tmp_path.name))


def test_what_a_script_has_started_stays(tmp_path: Path) -> None:
    """A server that a script leaves behind outlives a run that goes well."""
    started = beside("one", f"(exec -a {tmp_path.name}-kept sleep 60) >/dev/null 2>&1 & echo $!")
    number = int(started.stdout.split()[-1])
    assert _named(tmp_path.name) == [number]
    os.kill(number, signal.SIGKILL)


def test_apt_has_one_caller_at_a_time(tmp_path: Path) -> None:
    """Callers wait for each other, the lists are read once, and a daemon that a package starts holds nobody up."""
    programs = tmp_path / "bin"
    programs.mkdir()
    apt = f"""#!/bin/sh
cd {tmp_path}; mkdir busy || exit 1
echo "$*" >>calls; sleep 0.3
[ "$1" = update ] || (exec sleep 60) & [ "$1" = update ] || echo $! >>daemons
rmdir busy
"""
    (programs / "apt-get").write_text(apt)
    (programs / "apt-get").chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    callers = [subprocess.Popen([".ci/apt", package], cwd=ROOT, env=environment) for package in ("a", "b", "c")]
    try:
        assert [caller.wait(30) for caller in callers] == [0, 0, 0]
    finally:
        for number in (tmp_path / "daemons").read_text().split():
            os.kill(int(number), signal.SIGKILL)
    first, *calls = (tmp_path / "calls").read_text().splitlines()
    assert first == "update -qq"
    assert sorted(call.split()[-1] for call in calls) == ["a", "b", "c"]


def _named(part: str) -> list[int]:
    """Processes whose first word has the part in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if part.encode() in path.read_bytes().split(b"\0")[0]:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.1)
