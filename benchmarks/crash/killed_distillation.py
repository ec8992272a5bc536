"""Distillation by a real server, with everything killed that can be: python -m benchmarks.crash.killed_distillation.

vLLM on the CPU serves the demo teacher. A build of 2,000 problems of the demo's own making, up to 4 samples each at
temperature 1.0, is started; while it generates, the server is killed (SIGKILL) and started again twice, and so is the
build, at moments that the seed decides. Before, between and after its legs ``vllm bench serve`` says what the same
server gives at most for prompts of the same kind. In the end a second build, in a fresh store with a copy of the
ledger, must come to the same bytes without a single request. The server has half of the processors to itself, all else
the other half, as if they were two machines. Prints what became of the rows, how often problems were solved, what was
paid for, and tokens/s beside the server's own.

Everything it starts runs in process groups that it ends itself, whatever ends it; it gives up after ``--minutes``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import yaml

from benchmarks.crash.killed_outcome import outcome
from benchmarks.crash.killed_trial import Trial, end_group
from benchmarks.teacher.cores import on_cores, split_cores
from benchmarks.teacher.server_maximum import BenchServe, Meter, rates, read_server
from demo.free_port import HOST
from demo.problems import Problem, draw
from demo.teacher.lessons import ask
from demo.teacher.serve import MODEL_DIR, MODEL_NAME, DemoServer
from tracemill.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TOKENS = 300
HARD_SHARE = 0.15  # as in the demo's sources
FIRST_KILL, LAST_KILL = 0.1, 0.9  # of the first round of samples, as recorded in the ledger


def write_inputs(trial: Trial) -> None:
    """Sources and recipe."""
    given, rng = trial.given, Random(trial.given.seed)  # noqa: S311 - reproducible problems
    problems: dict[str, Problem] = {}
    while len(problems) < given.problems:
        problem = draw(rng, HARD_SHARE)
        problems.setdefault(problem.prompt, problem)
    lines = [json.dumps({"prompt": one.prompt, "reference_answer": str(one.answer)}) for one in problems.values()]
    (trial.folder / "problems.jsonl").write_text("\n".join(lines) + "\n")
    teacher = {
        "model": MODEL_NAME,
        "base_urls": [trial.url],
        "temperature": 1.0,
        "top_p": 1.0,
        "max_tokens": MAX_TOKENS,
        "max_in_flight": given.in_flight,
    }
    recipe = {
        "name": "killed",
        "data_dir": str(trial.folder),
        "sources": [{"name": "demo", "path": "problems.jsonl", "layout": "plain", "licence": "Apache-2.0"}],
        "collect": {"shard_rows": max(20, given.problems // 10)},
        "clean": {"min_words": 1},
        "distill": {
            "teacher": teacher,
            "samples_per_round": given.samples_per_round,
            "max_rounds": given.samples // given.samples_per_round,
        },
    }
    (trial.folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))


def kill_moments(given: argparse.Namespace) -> list[int]:
    """Return how many responses are in the ledger when something is killed: one moment in each of equal parts."""
    rng = Random(given.seed + 1)  # noqa: S311 - reproducible moments
    n_first, n_kills = given.problems * given.samples_per_round, 2 * given.legs
    width = (LAST_KILL - FIRST_KILL) / n_kills
    return [round(n_first * (FIRST_KILL + width * (part + rng.random()))) for part in range(n_kills)]


def measure_bench(trial: Trial, meter: Meter, number: int) -> None:
    """One round of ``vllm bench serve``, on prompts that nobody has had."""
    given, rng = trial.given, Random(1000 + number)  # noqa: S311 - reproducible prompts
    trial.say(f"vllm bench serve, round {number}")
    prompts = [ask(draw(rng, HARD_SHARE).prompt)[0]["content"] for _ in range(given.bench_prompts)]
    began = time.monotonic()
    bench = BenchServe(
        given.vllm_python, trial.url, MODEL_NAME, str(MODEL_DIR), MAX_TOKENS, given.in_flight, 1.0, ignore_eos=False
    )
    bench(prompts)
    trial.bench.add(rates(meter.since(began), given.in_flight))
    trial.forget(trial.reading().n_completed)


def run_leg(trial: Trial, meter: Meter, server: DemoServer, moments: list[int]) -> DemoServer:
    """A build whose server is killed at the first moment and itself at the second; without moments, to its end."""
    began, build = time.monotonic(), trial.start_build("killed")
    ledger = Ledger(trial.folder / "killed" / "ledger")

    def reached(n: int) -> Callable[[], bool]:
        def look() -> bool:
            ledger.refresh()
            if build.poll() is not None:
                sys.exit(f"the build ended before it could be killed\n{trial.tail('killed')}")
            return len(ledger) >= n

        return look

    def state() -> str:
        ledger.refresh()
        now = read_server(trial.url)
        return f"{len(ledger):,} responses in the ledger, {now.n_running if now else 'no server, 0'} at the server"

    if moments:
        trial.wait(reached(moments[0]), state)
        trial.say(f"killing vLLM at {len(ledger):,} responses")
        trial.settle(trial.reading())
        os.killpg(server.pid, signal.SIGKILL)
        trial.forget(0)
        server = trial.serve()
        trial.wait(reached(moments[1]), state)
        trial.say(f"killing the build at {len(ledger):,} responses")
        trial.in_flight_at_kills.append(trial.reading().n_running)
        build.kill()
        build.wait()
        trial.build.add(rates(meter.since(began), trial.given.in_flight))
        end_group(build)
    else:
        trial.wait(lambda: build.poll() is not None, state)
        trial.build.add(rates(meter.since(began), trial.given.in_flight))
        if build.returncode != 0:
            sys.exit(f"the build failed\n{trial.tail('killed')}")
    trial.wait(lambda: trial.reading().n_running == 0, lambda: "waiting for the server to drop what nobody waits for")
    trial.settle(trial.reading())
    return server


def run_uninterrupted(trial: Trial) -> int:
    """Return a build in a fresh store with a copy of the ledger; how many requests it has sent."""
    trial.say("the uninterrupted build, from a copy of the ledger")
    shutil.copytree(trial.folder / "killed" / "ledger", trial.folder / "whole" / "ledger")
    before = trial.reading().n_completed
    build = trial.start_build("whole")
    trial.wait(lambda: build.poll() is not None, lambda: "building from the ledger")
    if build.returncode != 0:
        sys.exit(f"the build from the ledger failed\n{trial.tail('whole')}")
    return trial.reading().n_completed - before


def run(trial: Trial) -> None:
    """All legs, with the bench around each."""
    write_inputs(trial)
    trial.start("prefect", "prefect", "server", "start", "--host", HOST, "--port", str(trial.prefect_port))
    server = trial.serve()
    meter = Meter(trial.url)
    meter.start()
    trial.wait(lambda: is_up(trial.prefect_port), lambda: "waiting for Prefect's server")
    moments = kill_moments(trial.given)
    for number, leg in enumerate([*(moments[2 * leg : 2 * leg + 2] for leg in range(trial.given.legs)), []]):
        measure_bench(trial, meter, number)
        server = run_leg(trial, meter, server, leg)
    measure_bench(trial, meter, len(moments))
    n_new = run_uninterrupted(trial)
    meter.stop()
    print(outcome(trial.folder, trial.n_at_server, trial.in_flight_at_kills, n_new, trial.build, trial.bench))
    shape = f"{os.cpu_count()} cores, load {os.getloadavg()[2]:.1f} on average; {trial.given.in_flight} in flight"
    print(f"{trial.given.problems:,} problems, {time.monotonic() - trial.began:.0f} s in all; {shape}")


def is_up(port: int) -> bool:
    """Tell whether Prefect's server answers."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/api/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=4, help="of a problem at most")
    parser.add_argument("--samples-per-round", type=int, default=2, help="rounds go on until one passes")
    parser.add_argument("--legs", type=int, default=2, help="in each the server is killed once, and then the build")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--bench-prompts", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0, help="of problems and of the moments to kill")
    parser.add_argument("--minutes", type=float, default=15, help="at most")
    parser.add_argument("--vllm-python", default=".venv-vllm/bin/python")
    parser.add_argument("--keep", action="store_true", help="do not delete what was made")
    given = parser.parse_args()
    if given.samples % given.samples_per_round:
        parser.error("--samples must be a multiple of --samples-per-round")
    too_late = f"given up after {given.minutes:g} minutes: fewer --problems, or more --minutes"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(too_late))
    signal.alarm(round(60 * given.minutes))
    folder = Path(tempfile.mkdtemp(prefix="killed-distillation-"))
    try:
        with contextlib.ExitStack() as stack:
            server_cores, own_cores = split_cores()
            stack.enter_context(on_cores(own_cores))
            run(Trial(given, folder, stack, server_cores))
    finally:
        if given.keep:
            print(f"kept in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
