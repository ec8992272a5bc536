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
VLLM_ENV = Path(".venv-vllm")
LOG = Path(".tracemill/demo-teacher.log")


def vllm_python() -> Path:
    """Make vLLM's environment unless it is there; its Python."""
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
        return await run(flow, url.rstrip("/"), model, arguments)
    LOG.parent.mkdir(parents=True, exist_ok=True)
    teacher = OnDemandTeacher(vllm_python, LOG)
    async with teacher.listening() as base_url:
        status = await run(flow, base_url, "demo-teacher", arguments)
    if teacher.error is not None:
        print(f"demo: the teacher could not be started: {teacher.error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    evaluates = sys.argv[1:2] == ["evaluate"]
    sys.exit(asyncio.run(main(EVALUATION if evaluates else BUILD, sys.argv[2 if evaluates else 1 :])))
