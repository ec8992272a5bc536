"""``make demo``: the whole pipeline on the demo recipe, with the demo teacher or a server of yours.

``TEACHER_URL`` and ``TEACHER_MODEL`` name an OpenAI-compatible server to use instead of the demo teacher. Further
arguments go to the build, as in ``python -m demo --set distill.max_rounds=1 --out DIR``.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from demo.on_demand import OnDemandTeacher

RECIPE = "recipes/demo.yaml"
VLLM_ENV = Path(".venv-vllm")
LOG = Path(".tracemill/demo-teacher.log")


def vllm_python() -> Path:
    """Make vLLM's environment unless it is there; its Python."""
    subprocess.run(["deployments/vllm_cpu_env.sh", str(VLLM_ENV)], check=True)  # noqa: S603, S607 - ours
    return VLLM_ENV / "bin" / "python"


async def build(base_url: str, model: str, arguments: list[str]) -> int:
    """Run the flow as its users do, in a process of its own; its exit status."""
    teacher = [
        "--set",
        f"distill.teacher.base_urls={json.dumps([base_url])}",
        "--set",
        f"distill.teacher.model={model}",
    ]
    command = [sys.executable, "-m", "flows.build_dataset", RECIPE, *teacher, *arguments]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise


async def main(arguments: list[str]) -> int:
    """Return the demo; its exit status."""
    url = os.environ.get("TEACHER_URL")
    if url:
        model = os.environ.get("TEACHER_MODEL")
        if not model:
            print("TEACHER_URL is set, TEACHER_MODEL is not: name the model that the server serves", file=sys.stderr)
            return 2
        return await build(url.rstrip("/"), model, arguments)
    LOG.parent.mkdir(parents=True, exist_ok=True)
    teacher = OnDemandTeacher(vllm_python, LOG)
    async with teacher.listening() as base_url:
        status = await build(base_url, "demo-teacher", arguments)
    if teacher.error is not None:
        print(f"demo: the teacher could not be started: {teacher.error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
