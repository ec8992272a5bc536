"""Sandbox throughput: tests/s in the warm pool : bare interpreter starts/s, and : one hardened ``docker run`` a test.

``python -m benchmarks.verification.sandbox_throughput [--containers 2] [--rounds 5]``; needs a Docker engine and the
sandbox image. The rounds of the three are interleaved, so that a noisy machine disturbs them alike; medians are
compared. The bare starts run ``python3 -I -S`` on the same program and inputs, as many at a time as there are
containers, isolated from nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import docker

from tracemill.recipe.sections.verify import CodeTests, Sandbox
from verifiers.programs.cases import read_tests
from verifiers.programs.results import Code
from verifiers.programs.verifier import run_tests
from verifiers.sandbox.container import connect, hardening
from verifiers.sandbox.docker_sandbox import DockerSandbox

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = "n = int(input())\nprint(sum(int(word) for word in input().split()[:n]))\n"
TESTS_A_PROGRAM = 15  # as many as contest problems have, give or take


def main() -> None:
    """Measure and prints one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--programs", type=int, default=60, help="programs a round in the pool")
    parser.add_argument("--bare-starts", type=int, default=400, help="a round")
    parser.add_argument("--docker-runs", type=int, default=12, help="a round")
    options = parser.parse_args()
    sandbox = DockerSandbox(Sandbox(containers=options.containers))
    rates: dict[str, list[float]] = {"pool": [], "bare": [], "run": []}
    with tempfile.TemporaryDirectory() as folder:
        main_file = Path(folder, "main.py")
        main_file.write_text(PROGRAM, encoding="utf-8")
        _pool(sandbox, options.containers)  # containers up
        for _ in range(options.rounds):
            rates["pool"].append(_timed(lambda: _pool(sandbox, options.programs)))
            rates["bare"].append(_timed(lambda: _bare(main_file, options.containers, options.bare_starts)))
            rates["run"].append(_timed(lambda: _docker_run(options.containers, options.docker_runs)))
    sandbox.close()
    pool, bare, run = (statistics.median(rates[name]) for name in ("pool", "bare", "run"))
    print(
        f"{pool / bare:.2f} x bare starts, {pool / run:.0f} x docker run ({pool:.0f} tests/s = "
        f"{pool / TESTS_A_PROGRAM:.0f} programs/s of {TESTS_A_PROGRAM} tests; "
        f"bare {bare:.0f}/s, docker run {run:.1f}/s; "
        f"medians of {options.rounds} interleaved rounds, {options.containers} at a time)"
    )


def _timed(work: Callable[[], int]) -> float:
    """Tests a second."""
    began = time.perf_counter()
    return work() / (time.perf_counter() - began)


def _pool(sandbox: DockerSandbox, n_programs: int) -> int:
    cases = [{"stdin": f"3\n{n} {n + 1} {n + 2}\n", "stdout": f"{3 * n + 3}\n"} for n in range(TESTS_A_PROGRAM)]
    tests = read_tests({"kind": "stdio", "cases": cases})
    futures = [
        sandbox.submit(lambda session: run_tests(session, PROGRAM, tests, CodeTests())) for _ in range(n_programs)
    ]
    for future in futures:
        codes = {result.code for result in future.result().results}  # type: ignore[union-attr]
        if codes != {Code.AC}:
            raise SystemExit(f"the sandbox did not do its work: {codes}")
    return n_programs * TESTS_A_PROGRAM


def _bare(main_file: Path, at_once: int, n_tests: int) -> int:
    interpreter = str(Path(sys.executable).resolve())  # neither a virtual environment's nor a version manager's

    def one(number: int) -> bytes:
        given = f"3\n{number} {number + 1} {number + 2}\n".encode()
        command = [interpreter, "-I", "-S", str(main_file)]
        return subprocess.run(command, input=given, capture_output=True, check=True).stdout

    with ThreadPoolExecutor(at_once) as threads:
        return len(list(threads.map(one, range(n_tests))))


def _docker_run(at_once: int, n_tests: int) -> int:
    api = connect(None)

    def one(_: int) -> None:
        created = api.create_container(
            "tracemill-sandbox", ["python3", "-I", "-S", "-c", "print(6)"], host_config=_host_config(api)
        )
        api.start(created["Id"])
        with contextlib.suppress(docker.errors.NotFound):  # it was quicker, and has removed itself
            api.wait(created["Id"])

    with ThreadPoolExecutor(at_once) as threads:
        return len(list(threads.map(one, range(n_tests))))


def _host_config(api: docker.APIClient) -> dict[str, object]:
    config: dict[str, object] = api.create_host_config(**hardening(256))
    return config


if __name__ == "__main__":
    main()
