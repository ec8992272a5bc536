"""Every benchmark, small: a command that goes through in seconds, and a pattern of the figures that it prints."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.servers.prefect_home import prefect_home
from tests.support.warm.start import EMBEDDERS, run, vllm_python

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Small(NamedTuple):
    """A benchmark that measures nothing, since it is too small: that it goes through is tested.

    Attributes:
        name: module below benchmarks/, and words in capitals as on its page.
        shows: pattern in what it prints.
        small: put behind it; ``{folder}`` is the test's, ``{vllm}`` a Python that forks vLLM's programs.
        needs: what must be there: docker, vllm, embeddings, real_data; several by spaces.
        slow: seconds that it takes, where they are more than twenty.
        elsewhere: the test that types it, and not the one of its package.
        starts: it starts programs of this project and looks at nothing but their output, so that those are forked.
    """

    name: str
    shows: str = ""
    small: str = ""
    needs: str = ""
    slow: int = 0
    elsewhere: str = ""
    starts: bool = False

    @property
    def documented(self) -> str:
        """As on the page."""
        return f"python -m benchmarks.{self.name}"

    @property
    def module(self) -> str:
        """Without the words in capitals."""
        return f"benchmarks.{self.name.split()[0]}"


SMALL = (
    Small("engine.scaling", r"\| measured \|"),
    Small("engine.orchestration", r"[\d.]+ x the plain stages", "--rows 40 --shard-rows 20", slow=60, starts=True),
    Small("engine.cached_rerun", r"[\d.]+ x computing", "--shards 2 --shard-rows 5", slow=60, starts=True),
    Small("engine.task_runners", elsewhere="test_scale_out.py::test_the_benchmark_compares_clusters_with_threads"),
    Small("engine.reuse_path", r"[\d.]+ x the floor of", "--rows 40 --workers 1", slow=60),
    Small(
        "curation.near_duplicates",
        r"[\d.]+ x datasketch",
        "--rows 400 --sample 200 --rounds 1",
        needs="real_data",
        starts=True,
    ),
    Small(
        "curation.all_stages",
        r"t\(200\) / t\(20\) = [\d.]+",
        "--rows 200 --real-rows 10",
        needs="real_data",
        slow=60,
        starts=True,
    ),
    Small("curation.cleaning", r"[\d.]+ x reading", "--rounds 1 --rows 50", needs="real_data"),
    Small("curation.label_prompts FOLDER", r"1 prompts, [\d.]+ ms each", "--texts 80"),
    Small(
        "curation.semantic_search",
        r"[\d.]+% of embedding(?s:.*)with the guard",
        "--rows 200 --guarded-rows 200 --texts 4",
        needs="embeddings real_data",
    ),
    Small("curation.number_guard", r"of 2 copies merged", "--copies 2 --rows 8", needs="embeddings real_data", slow=60),
    Small("curation.decontamination DATA", r"\| rows/s \|", "--sample 2 --rows 20", needs="real_data"),
    Small("curation.rephrased DATA", r"% \|", "--items 8 --rows 2", needs="embeddings real_data", slow=60),
    Small(
        "teacher.client_throughput",
        r"client/server [\d.]+",
        "--prompts 4 --output-len 8 --rounds 1 --vllm-python {vllm}",
        needs="vllm",
        slow=60,
    ),
    Small("teacher.client_saturation", r"[\d.]+ x one at a time", "--shards 2 --shard-rows 5 --rounds 1", starts=True),
    Small("teacher.rate_limits", r"told bucket: [\d.]+ of 200/s", "--rate 200 --seconds 0.5"),
    Small("teacher.asking_order", r"longest first [\d.]+", "--requests 20 --in-flight 4 --rounds 1"),
    Small(
        "verification.sandbox_throughput",
        r"[\d.]+ x bare starts",
        "--containers 1 --rounds 1 --programs 2 --bare-starts 20 --docker-runs 2",
        needs="docker",
    ),
    Small("verification.maths_agreement", r"% agreement over 15 decided", "--pairs 5", needs="real_data"),
    Small("verification.decided_styles", r"all +\d+ +\d", "--workers 1 --tests 1 --styles leetcode", needs="docker"),
    Small("verification.verdict_faults", r"K1 +1 +1", "--workers 1 {folder}/faults/few.jsonl", starts=True),
    Small("verification.traces", r"quality: [\d.]+ x reading", "--rows 8 --shards 2 --sketch-bytes 1048576"),
    Small("evaluation.coverage", r"AIME24 30 x 16: t over items [\d.]+%", "--simulations 20"),
    Small("storage.ledger", r"look-up of 1000 keys [\d.]+ x", "--entries 2000 --rounds 3"),
    Small("storage.ledger_objects", r"look-up of 1000 keys [\d.]+ x", "--entries 1000 --rounds 3"),
    Small("storage.publishing", r"publishing: [\d.]+ x reading", "--rows 8 --shards 2 --start-method forkserver"),
    Small("storage.browse_rows", r"the slowest filter [\d.]+ s, [\d.]+ x a plain scan", "--rows 200 --rounds 1"),
    Small("storage.diff_runs", r"'added': 2, 'removed': 2, 'changed': 1", "--rows 200"),
    Small("crash.crash_matrix", elsewhere="test_crash_matrix.py::test_the_table"),
    Small(
        "crash.killed_distillation",
        r"in the ledger",
        "--problems 40 --samples 2 --bench-prompts 4 --in-flight 8 --legs 1 --vllm-python {vllm}",
        needs="vllm",
        slow=300,
    ),
)


def of(package: str) -> list[object]:
    """The benchmarks of one package, as parameters with their marks."""
    chosen = [small for small in SMALL if small.name.startswith(f"{package}.") and not small.elsewhere]
    return [
        pytest.param(
            small,
            id=small.name.split()[0],
            marks=[
                *(getattr(pytest.mark, f"needs_{name}") for name in small.needs.split()),
                *((pytest.mark.slow(small.slow),) if small.slow else ()),
            ],
        )
        for small in chosen
    ]


def goes_through(small: Small, folder: Path, settings: Mapping[str, str] | None = None) -> None:
    """Types it, with such further environment variables; it ends well, and prints its figures."""
    fault = {"kind": "K1", "row": {"id": "a", "category": "math", "response": "\\boxed{5}", "reference_answer": "5"}}
    for name, row in (("faults", fault | {"right": "correct"}), ("prompts", {"prompt": "What is 1 + 1?"})):
        (folder / name).mkdir()
        (folder / name / "few.jsonl").write_text(json.dumps(row) + "\n")
    vllm = vllm_python() if "vllm" in small.needs else ""
    places = {"DATA": os.environ.get("TRACEMILL_REAL_DATA", ""), "FOLDER": str(folder / "prompts")}
    words = [places[word] for word in small.name.split()[1:]] + small.small.format(folder=folder, vllm=vllm).split()
    own = {"PREFECT_HOME": str(prefect_home(folder / "prefect"))} | dict(settings or {})
    kind = EMBEDDERS if "embeddings" in small.needs else None
    done = run(small.module, *words, environment=os.environ | own, timeout=540, kind=kind, forks=small.starts)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(small.shows, done.stdout), done.stdout + done.stderr
