"""A command with its whole process tree: seconds, processor seconds, memory; of a build, also phase by phase."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from flows.engine.context import Begun, Plan
from flows.engine.plain_run import PlainRun
from tasks.engine.stage import StageTask
from tracemill.core import Section
from tracemill.store import Shard

# What the log of a build says last in each phase. Prefect's lines begin with the time of day.
_PHASE_ENDS: Final = {
    "start": re.compile(r"Beginning flow run"),
    "read": re.compile(r" - \d+ sources, [\d,]+ rows in "),
    "curate": re.compile(r" - curate: "),
    "prepare": re.compile(r" - prepare: "),
    "distill": re.compile(r" - distill: "),
    "export": re.compile(r" - export: "),
}
_TIME: Final = re.compile(r"(\d\d:\d\d:\d\d\.\d{3}) ")


class Spent(NamedTuple):
    """What a part of a command took.

    Attributes:
        wall_s: seconds.
        cpu_s: processor seconds of it and all its children.
        waited_s: seconds that its threads stood in line for a core, where the kernel tells (Linux).
    """

    wall_s: float
    cpu_s: float
    waited_s: float

    @property
    def cores(self) -> float:
        """Cores in use on average."""
        return self.cpu_s / self.wall_s if self.wall_s else 0.0

    @property
    def wanted(self) -> float:
        """Cores that could have been in use on average, had there been as many: on a shared machine what counts."""
        return (self.cpu_s + self.waited_s) / self.wall_s if self.wall_s else 0.0


class Used(NamedTuple):
    """What a command took.

    Attributes:
        whole: from its start to its end.
        phases: of a build, by name, in order; "end" is what comes after the export.
        largest_gb: resident memory of the largest process, in GB.
        all_gb: of all its processes together, at most (shared pages are counted for each), in GB.
    """

    whole: Spent
    phases: dict[str, Spent]
    largest_gb: float
    all_gb: float


def measured_run(command: list[str], log: Path) -> Used:
    """Run a command with its output in a file; ends with that output where it fails."""
    begun = time.time()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        tree = _Tree(process.pid, begun)
        code = process.wait()
        tree.stop()
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}:\n{log.read_text()[-3000:]}")
    over = time.time()
    seen = [*tree.seen, tree.now(over)]
    whole = Spent(over - begun, seen[-1].cpu_s, seen[-1].waited_s)
    return Used(whole, phases_of(log.read_text(), seen), tree.largest / 1e9, tree.together / 1e9)


class Seen(NamedTuple):
    """Processor seconds spent, and waited for, by a moment (in seconds since 1970)."""

    at: float
    cpu_s: float
    waited_s: float


def phases_of(log: str, seen: list[Seen]) -> dict[str, Spent]:
    """What each phase of a build took; nothing of phases that its log does not tell of.

    Args:
        log: of the build.
        seen: from the build's begin to its end.
    """
    begun, over = seen[0].at, seen[-1].at
    ends: dict[str, float] = {}
    for line in log.splitlines():
        told = _TIME.match(line)
        for name, pattern in _PHASE_ENDS.items():
            if told is not None and pattern.search(line):
                ends[name] = _at(told[1], begun)
    last, phases = begun, {}
    for name, end in [*sorted(ends.items(), key=lambda item: item[1]), ("end", over)]:
        before, after = _by(last, seen), _by(end, seen)
        phases[name] = Spent(end - last, after.cpu_s - before.cpu_s, after.waited_s - before.waited_s)
        last = end
    return phases


def _at(told: str, begun: float) -> float:
    """Return the first such time of day after the build's begin, as seconds since 1970."""
    day = datetime.fromtimestamp(begun).astimezone()
    hours, minutes, seconds = told.split(":")
    at = day.replace(hour=int(hours), minute=int(minutes), second=0, microsecond=0).timestamp() + float(seconds)
    return at if at >= begun - 1 else at + 24 * 3600


def _by(at: float, seen: list[Seen]) -> Seen:
    return max((one for one in seen if one.at <= at), default=seen[0])


class OneByOne(PlainRun[Plan]):
    """A run without Prefect in which nothing goes on beside the step that is timed; the sources are read first."""

    def begun(
        self,
        stage: StageTask,
        section: Section,
        inputs: dict[str, Shard],
        label: str,  # noqa: ARG002
        after: Begun | None = None,  # noqa: ARG002 - it has ended
    ) -> Begun:
        """Return a step that is done."""
        future: Future[Any] = Future()
        future.set_result(self.step(stage, section, inputs))
        return Begun(future)


class _Tree:
    """Looks at a process tree four times a second, since not every process is waited for by its parent.

    Attributes:
        largest: resident bytes of the largest process.
        together: resident bytes of all of them at once.
        seen: what was spent, from the begin on.
    """

    def __init__(self, pid: int, begun: float) -> None:
        self.largest = self.together = 0
        self.seen = [Seen(begun, 0.0, 0.0)]
        self._cpu_s: dict[tuple[int, float], float] = {}
        self._waited_s: dict[tuple[int, str], float] = {}
        self._pid, self._over = pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def now(self, at: float) -> Seen:
        """Return what all processes and threads have spent, each as it was last seen."""
        return Seen(at, sum(self._cpu_s.values()), sum(self._waited_s.values()))

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            try:
                root = psutil.Process(self._pid)
                sizes = [self._look(process) for process in (root, *root.children(recursive=True))]
            except psutil.NoSuchProcess:
                return
            self.seen.append(self.now(time.time()))
            self.largest = max(self.largest, *sizes)
            self.together = max(self.together, sum(sizes))

    def _look(self, process: psutil.Process) -> int:
        try:
            times = process.cpu_times()
            self._cpu_s[process.pid, process.create_time()] = times.user + times.system
            with contextlib.suppress(OSError):
                for thread in Path(f"/proc/{process.pid}/task").iterdir():
                    _, waited_ns, _ = (thread / "schedstat").read_text().split()
                    self._waited_s[process.pid, thread.name] = int(waited_ns) / 1e9
            return int(process.memory_info().rss)
        except psutil.NoSuchProcess:
            return 0
