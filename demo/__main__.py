"""``make demo``: the whole pipeline on the demo recipe, with the demo teacher or a server of yours.

``TEACHER_URL`` and ``TEACHER_MODEL`` name an OpenAI-compatible server to use instead of the demo teacher. Further
arguments go to the build, as in ``python -m demo --set distill.max_rounds=1 --out DIR``.

``make evaluate``, or ``python -m demo evaluate``: the demo teacher's scores, likewise, with ``STUDENT_URL`` and
``STUDENT_MODEL``.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from demo.on_demand import OnDemandTeacher


class Demonstrated(NamedTuple):
    """What is shown.

    Attributes:
        module: of the flow.
        recipe: of the demo.
        section: of the recipe, with the server that is asked.
        variable: of the environment, as in TEACHER_URL and TEACHER_MODEL.
    """

    module: str
    recipe: str
    section: str
    variable: str


BUILD = Demonstrated("flows.build_dataset", "recipes/demo.yaml", "distill.teacher", "TEACHER")
EVALUATION = Demonstrated("flows.evaluate_student", "recipes/evaluate-demo.yaml", "student", "STUDENT")
RUN = "runs/demo"
VLLM_ENV = Path(".venv-vllm")
LOG = Path(".tracemill/demo-teacher.log")
PYTHON = ".venv/bin/python"


def vllm_python() -> Path:
    """Make vLLM's environment unless it is there, which says how far it is; its Python."""
    subprocess.run(["deployments/vllm_cpu_env.sh", str(VLLM_ENV)], check=True)  # noqa: S603, S607 - ours
    return VLLM_ENV / "bin" / "python"


async def run(flow: Demonstrated, base_url: str, model: str, arguments: list[str]) -> int:
    """Run the flow as its users do, in a process of its own; its exit status."""
    asked = [
        "--set",
        f"{flow.section}.base_urls={json.dumps([base_url])}",
        "--set",
        f"{flow.section}.model={model}",
    ]
    command = [sys.executable, "-m", flow.module, flow.recipe, *asked, *arguments]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise


async def main(flow: Demonstrated, arguments: list[str]) -> int:
    """Return the demo's exit status."""
    url = os.environ.get(f"{flow.variable}_URL")
    if url:
        model = os.environ.get(f"{flow.variable}_MODEL")
        if not model:
            which = f"{flow.variable}_URL is set, {flow.variable}_MODEL is not"
            print(f"{which}: name the model that the server serves", file=sys.stderr)
            return 2
        status = await run(flow, url.rstrip("/"), model, arguments)
        return _and_look(status, arguments) if flow is BUILD else status
    LOG.parent.mkdir(parents=True, exist_ok=True)
    try:
        python = await asyncio.to_thread(vllm_python)  # before the run, which would stand still meanwhile
    except subprocess.CalledProcessError as error:
        print(
            f"demo: the teacher's environment could not be made (exit {error.returncode}; see above). To use another "
            "server: TEACHER_URL=http://host:8000/v1 TEACHER_MODEL=name make demo",
            file=sys.stderr,
        )
        return 1
    teacher = OnDemandTeacher(lambda: python, LOG)
    async with teacher.listening() as base_url:
        status = await run(flow, base_url, "demo-teacher", arguments)
    if teacher.error is not None:
        print(f"demo: the teacher could not be started: {teacher.error}", file=sys.stderr)
    return _and_look(status, arguments) if flow is BUILD else status


def _and_look(status: int, arguments: list[str]) -> int:
    """Name three things to look at, if there is a run; returns its exit status."""
    if status == 0:
        print(looks(Path(arguments[arguments.index("--out") + 1] if "--out" in arguments[:-1] else RUN)))
    return status


def looks(run: Path) -> str:
    """Return three things to look at."""
    told = {
        "every row, and why it is there or not": f"{PYTHON} -m tracemill browse {run}",
        "where the rows went, as a page": f"{run}/report.html",
        "a row with a wrong reference": f"{PYTHON} -m tracemill why {_wrong(run)} --run {run}",
    }
    return "\n".join(["", "Three things to look at:", *(f"  {what:<38} {where}" for what, where in told.items())])


def _wrong(run: Path) -> str:
    """Return the beginning of the id of a row whose response was judged wrong."""
    from tracemill.runs.rows import parquet_in

    dropped = parquet_in(run / "dropped").to_table(columns=["id", "reason"]).to_pylist()
    return next((row["id"][:12] for row in dropped if row["reason"] == "incorrect"), "ID")


if __name__ == "__main__":
    evaluates = sys.argv[1:2] == ["evaluate"]
    sys.exit(asyncio.run(main(EVALUATION if evaluates else BUILD, sys.argv[2 if evaluates else 1 :])))
