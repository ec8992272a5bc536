"""SIGKILL at seeded random moments of the demo run: what was killed is started again, and nothing may be different.

``python -m benchmarks.crash.crash_matrix [--kinds flow,worker,process,…] [--moments N] [--seed S]``
needs a Docker engine with the sandbox's image, and a minute a moment. Each moment is a new build of the demo's problems
and 24 programs, in a store of its own, on one Prefect server. It is killed at a moment of the time that an undisturbed
build takes (a worker from when its run is Running), what was killed is started again, and the build goes on to its end.
Then, every time:

- the published tables have the bytes of an undisturbed build (so no row and no verdict is lost);
- no more responses were paid for twice than requests were in flight at the kill: begun, and not in the ledger;
- no container, temporary file or process is left, and no flow run or task run stays unfinished in Prefect.

Prints a table; exits with 1 where anything of this does not hold.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.crash.recipe import Problems, demo_problems, few_problems
from benchmarks.crash.run import CrashRun, kill_containers
from benchmarks.crash.scene import PATIENCE_S, Scene, on_scene, until

KINDS = ("flow", "worker", "process", "containers", "teacher", "server")
IN_PROCESSES = frozenset({"flow", "process"})  # these builds compute in worker processes, the undisturbed in threads
SHARD_ROWS, LATENCY_MS, N_PROGRAMS, N_FEW_PROGRAMS = 50, 600.0, 24, 6
_DEAD_S = 1.0  # how long what was killed stays away


@dataclass(frozen=True)
class Outcome:
    """What came of one kill.

    Attributes:
        at_s: when it fell, in seconds from the start of the build.
        in_time: whether the build was still going on.
        n_in_flight: requests that the teacher had, and the ledger did not, right after it.
        n_twice: responses that were paid for and are not in the ledger in the end.
        n_builds: builds from the first one on until one ended well.
        leftovers: in words.
    """

    kind: str
    at_s: float
    in_time: bool
    equal: bool
    n_in_flight: int
    n_twice: int
    n_builds: int
    leftovers: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything is as it must be."""
        return self.equal and self.n_twice <= self.n_in_flight and not self.leftovers

    def __str__(self) -> str:
        words = "as it must be" if self.holds else f"WRONG: equal {self.equal}, left {list(self.leftovers)}"
        when = "" if self.in_time else " (after its end)"
        figures = f"{self.n_in_flight} in flight, {self.n_twice} paid twice, {self.n_builds} builds"
        return f"{self.kind} at {self.at_s:.1f} s{when}: {figures}: {words}"


class Fallen(NamedTuple):
    """A kill, and what was built after it: see :class:`Outcome`."""

    in_time: bool
    n_in_flight: int
    n_builds: int


class Matrix:
    """Undisturbed builds to compare with, and moments.

    Args:
        new_run: makes a run in a new folder of that name.
    """

    def __init__(self, scene: Scene, new_run: Callable[[str], CrashRun], seed: int) -> None:
        self._scene, self._new_run, self._seed = scene, new_run, seed
        undisturbed = new_run("undisturbed")
        undisturbed.start_teacher()
        began = time.monotonic()
        undisturbed.finish()
        self.duration_s, self._expected = time.monotonic() - began, undisturbed.digest()
        scene.kill("teacher")
        if undisturbed.n_unjudged() or undisturbed.n_paid() != undisturbed.n_recorded():
            raise RuntimeError("the undisturbed build is not as it should be: is the sandbox's image there?")

    def moment(self, kind: str, number: int) -> Outcome:
        """Kill once, repairs, builds to the end, and looks."""
        at_s = random.Random(f"{self._seed} {kind} {number}").uniform(0, self.duration_s)  # noqa: S311
        run = self._new_run(f"{kind}-{number}")
        if kind in IN_PROCESSES:
            run.compute_in_processes()
        run.start_teacher()
        in_time, n_in_flight, n_builds = _ACTS[kind](self._scene, run, at_s)
        if run.n_unjudged():
            n_builds += run.finish()
        n_twice = run.n_paid() - run.n_recorded()
        self._scene.kill("teacher")
        equal = run.digest() == self._expected
        outcome = Outcome(kind, at_s, in_time, equal, n_in_flight, n_twice, n_builds, tuple(run.leftovers()))
        if outcome.holds:
            shutil.rmtree(run.folder)
        return outcome


def _kill_flow(scene: Scene, run: CrashRun, at_s: float) -> Fallen:
    process = run.start()
    in_time = _wait(process.poll, at_s)
    scene.kill("flow")
    return Fallen(in_time, _in_flight(run), 1 + run.finish())


def _kill_worker(scene: Scene, run: CrashRun, at_s: float) -> Fallen:
    scene.start_worker()
    first = run.schedule()
    until(lambda: run.state_of(first) not in {"SCHEDULED", "PENDING"}, "the worker does not begin")
    _wait(lambda: None, at_s)
    in_time = run.state_of(first) == "RUNNING"
    scene.kill("worker")
    n_in_flight = _in_flight(run)
    scene.start_worker()
    again = first if run.state_of(first) in {"SCHEDULED", "COMPLETED"} else run.schedule()
    until(
        lambda: run.state_of(again) in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}, f"run {again} does not end", 900
    )
    scene.kill("worker")
    return Fallen(in_time, n_in_flight, 2 + (0 if run.state_of(again) == "COMPLETED" else run.finish()))


def _kill_process(_: Scene, run: CrashRun, at_s: float) -> Fallen:
    """Kill one of the worker processes that compute, or the one that they are forked from."""
    process = run.start()
    _wait(process.poll, at_s)
    until(lambda: process.poll() is not None or bool(_computing(process.pid)), "no worker process is started")
    found = _computing(process.pid) if process.poll() is None else []
    for victim in found[:1]:
        victim.kill()
    return Fallen(bool(found), _in_flight(run), _go_on(run, process))


def _computing(pid: int) -> list[psutil.Process]:
    """Worker processes of a build, the last first: multiprocessing forks them, and names itself in their commands."""
    try:
        children = psutil.Process(pid).children(recursive=True)
        return [child for child in reversed(children) if "multiprocessing.forkserver" in " ".join(child.cmdline())]
    except psutil.NoSuchProcess:
        return []


def _kill_containers(_: Scene, run: CrashRun, at_s: float) -> Fallen:
    process = run.start()
    in_time = _wait(process.poll, at_s)
    if in_time:
        kill_containers({process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))})
    return Fallen(in_time, _in_flight(run), _go_on(run, process))


def _kill_beside(name: str, start_again: Callable[[Scene, CrashRun], object]) -> Callable[..., Fallen]:
    """Kill a server that the build talks to, and starts it again after a while."""

    def act(scene: Scene, run: CrashRun, at_s: float) -> Fallen:
        process = run.start()
        in_time = _wait(process.poll, at_s)
        scene.kill(name)
        n_in_flight = _in_flight(run)
        time.sleep(_DEAD_S)
        start_again(scene, run)
        return Fallen(in_time, n_in_flight, _go_on(run, process))

    return act


_ACTS: dict[str, Callable[[Scene, CrashRun, float], Fallen]] = {
    "flow": _kill_flow,
    "worker": _kill_worker,
    "process": _kill_process,
    "containers": _kill_containers,
    "teacher": _kill_beside("teacher", lambda _, run: run.start_teacher()),
    "server": _kill_beside("server", lambda scene, _: scene.start_server()),
}


def _wait(ended: Callable[[], int | None], at_s: float) -> bool:
    """Wait for the moment, or the end; whether the moment came first."""
    deadline = time.monotonic() + at_s
    while ended() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return ended() is None


def _in_flight(run: CrashRun) -> int:
    return run.n_began() - run.n_recorded()


def _go_on(run: CrashRun, process: subprocess.Popen[bytes]) -> int:
    """Wait for the build's end, and builds again if it has failed; builds in all."""
    return 1 if process.wait(PATIENCE_S) == 0 else 1 + run.finish()


def table(outcomes: Sequence[Outcome]) -> str:
    """Return one line a kind of crash; requests in flight and paid twice are the most of any moment."""
    names = ("SIGKILL of", "n", "in mid-run", "digest equal", "in flight", "paid twice", "run again", "leftovers")
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for kind in dict.fromkeys(outcome.kind for outcome in outcomes):
        alike = [outcome for outcome in outcomes if outcome.kind == kind]
        cells = [
            kind,
            len(alike),
            sum(outcome.in_time for outcome in alike),
            sum(outcome.equal for outcome in alike),
            max(outcome.n_in_flight for outcome in alike),
            max(outcome.n_twice for outcome in alike),
            sum(outcome.n_builds > 1 for outcome in alike),
            sum(bool(outcome.leftovers) for outcome in alike),
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def maker(scene: Scene, problems: Problems, shard_rows: int, latency_ms: float) -> Callable[[str], CrashRun]:
    """Make runs below the scene's folder."""
    return lambda name: CrashRun(scene, scene.folder / "runs" / name, problems, shard_rows, latency_ms)


def main() -> int:
    """Run the matrix; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kinds", default=",".join(KINDS), help="of " + ", ".join(KINDS))
    parser.add_argument("--moments", type=int, default=100, help="in all, dealt out over the kinds in turn")
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first moment: goes on with an earlier matrix"
    )
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--problems", type=int, metavar="N", help="N of the demo's and few programs (default: all)")
    parser.add_argument("--shard-rows", type=int, default=SHARD_ROWS)
    parser.add_argument("--latency-ms", type=float, default=LATENCY_MS, help="of the teacher's answers, in the mean")
    parser.add_argument("--folder", type=Path, help="where everything goes (default: a temporary one)")
    given = parser.parse_args()
    kinds = [kind.strip() for kind in given.kinds.split(",")]
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"unknown kinds {sorted(unknown)}: known are {', '.join(KINDS)}")
    folder = given.folder or Path(tempfile.mkdtemp(prefix="tracemill-crash-"))
    if given.problems:
        problems = few_problems(folder / "sources", given.problems, min(N_FEW_PROGRAMS, given.problems))
    else:
        problems = demo_problems(folder / "sources", N_PROGRAMS)
    outcomes: list[Outcome] = []
    with on_scene(folder) as scene:
        matrix = Matrix(scene, maker(scene, problems, given.shard_rows, given.latency_ms), given.seed)
        print(f"an undisturbed build takes {matrix.duration_s:.1f} s; seed {given.seed}", flush=True)
        for number in range(given.first, given.first + given.moments):
            outcomes.append(matrix.moment(kinds[number % len(kinds)], number))
            print(outcomes[-1], flush=True)
    print(table(outcomes))
    held = all(outcome.holds for outcome in outcomes)
    if held:
        shutil.rmtree(folder)
    else:
        print(f"what did not hold is kept in {folder}")
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
