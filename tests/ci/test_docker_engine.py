"""``.ci/docker-engine`` with programs of the test's own: whose processes it ends, and whose not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.needs import ROOT

DOCKER = '#!/bin/sh\n[ "$1" != info ] || [ -e "$DOCKER_ENGINE_RUN/up" ]\n'
CONTAINERD = "#!/bin/sh\nwhile :; do sleep 0.2; done\n"
DOCKERD = """#!/bin/sh
mkdir -p "$DOCKER_ENGINE_RUN/docker/containerd"
containerd & echo $! > "$DOCKER_ENGINE_RUN/docker/containerd/containerd.pid"
echo $$ > "$DOCKER_ENGINE_RUN/docker.pid"
touch "$DOCKER_ENGINE_RUN/up"
wait
"""


class Engine:
    """A machine's programs and its folder of process ids; ends what it has started."""

    def __init__(self, folder: Path) -> None:
        self.run, self._bin = folder / "run", folder / "bin"
        self._ids: set[int] = set()
        for path in (self.run, self._bin):
            path.mkdir()
        for name, text in {"docker": DOCKER, "dockerd": DOCKERD, "containerd": CONTAINERD}.items():
            (self._bin / name).write_text(text)
            (self._bin / name).chmod(0o755)

    @property
    def ids(self) -> dict[str, int]:
        files = {"dockerd": "docker.pid", "containerd": "docker/containerd/containerd.pid"}
        return {name: int((self.run / file).read_text()) for name, file in files.items()}

    def start(self) -> dict[str, int]:
        settings = os.environ | {"PATH": f"{self._bin}:{os.environ['PATH']}", "DOCKER_ENGINE_RUN": str(self.run)}
        subprocess.run([".ci/docker-engine"], cwd=ROOT, env=settings, check=True, timeout=120)
        self._ids.update(self.ids.values())
        return self.ids

    def kill(self, name: str) -> None:
        """The engine dies, and with it what it answered."""
        end(self.ids[name])
        (self.run / "up").unlink()

    def other(self) -> subprocess.Popen[bytes]:
        """Somebody's process of the same name."""
        return subprocess.Popen([self._bin / "containerd"])

    def end(self) -> None:
        for number in self._ids:
            if is_ours(number):
                end(number)


def is_ours(number: int) -> bool:
    """Whether a process is there, and is one of these programs."""
    try:
        named, state = (Path(f"/proc/{number}/{name}").read_text() for name in ("comm", "stat"))
    except OSError:
        return False
    return named.strip() in {"dockerd", "containerd"} and state.rpartition(") ")[2][0] not in "ZX"


def end(number: int) -> None:
    os.kill(number, 9)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.end()


def test_it_ends_what_it_has_started(engine: Engine) -> None:
    """The containerd of an engine that was killed is ended, another of that name is not; an engine that is up stays."""
    first = engine.start()
    assert engine.start() == first
    with engine.other() as other:
        engine.kill("dockerd")
        second = engine.start()
        assert not {*first.values()} & {*second.values()}
        assert [is_ours(number) for number in (*first.values(), *second.values())] == [False, False, True, True]
        assert is_ours(other.pid)
        other.kill()


@pytest.mark.parametrize("started", ["0", ""])
def test_an_id_that_is_used_again_is_somebodys(engine: Engine, started: str) -> None:
    """A process that has the recorded id and name, but began at another time, is not touched, nor are others' files."""
    with engine.other() as other:
        (engine.run / "tracemill-docker-engine").write_text(f"containerd {other.pid} {started}\n")
        engine.start()
        assert is_ours(other.pid)
        other.kill()


def test_without_a_record_nothing_is_ended(engine: Engine) -> None:
    """Also where the files of process ids name a process: they are not its own."""
    (engine.run / "docker/containerd").mkdir(parents=True)
    with engine.other() as other:
        (engine.run / "docker/containerd/containerd.pid").write_text(f"{other.pid}\n")
        engine.start()
        assert is_ours(other.pid)
        other.kill()
