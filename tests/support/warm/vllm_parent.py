"""The process that vLLM's programs are forked from, by the Python of its own environment: ``… SOCKET``.

It has imported vLLM and torch. A server of vLLM's is three processes, each of which would import them; here the engine
and its worker are forked from the server, too, as vLLM itself does it for GPUs.
"""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

from tests.support.warm.parent import fork_programs

LIBRARIES = (
    "vllm.entrypoints.openai.api_server",
    "vllm.entrypoints.launchers.api_server.entry",
    "vllm.entrypoints.openai.run_batch",
    "vllm.v1.engine.async_llm",
    "vllm.v1.engine.core",
    "vllm.v1.executor.multiproc_executor",
    "vllm.v1.worker.cpu_worker",
    "vllm.model_executor.models.qwen2",
    "vllm.benchmarks.serve",
)


def main() -> None:
    """Is that process."""
    from vllm.model_executor.models import registry
    from vllm.utils import system_utils

    # A new architecture is looked at in a process of its own.
    registry._SUBPROCESS_COMMAND[0] = str(Path(sys.argv[1]).with_name("python"))
    # What vLLM sets for the CPU says otherwise, since a worker's number of threads is set by its environment.
    system_utils.get_mp_context = lambda: multiprocessing.get_context("fork")
    fork_programs(sys.argv[1], LIBRARIES, lambda _: None)


if __name__ == "__main__":
    main()
