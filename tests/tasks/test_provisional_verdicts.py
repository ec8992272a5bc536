"""What the sandbox could not judge: set aside, never wrong, and the only thing that the next run judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tasks import verify as verify_stage
from tasks.engine.stage import perform
from tracemill.core import Problem, Response, Row, Verdict, rows_of, table_of
from tracemill.recipe.sections.verify import Sandbox, Verify
from tracemill.store import Manifest, Shard, Store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

AWAY = Verify(workers=1, sandbox=Sandbox(engines=("unix:///nonexistent.sock",)))
THERE = Verify(workers=1, sandbox=Sandbox(containers=1))
DOUBLES = {"kind": "stdio", "cases": [{"stdin": "2", "stdout": "4"}]}


def problem(name: str, category: str, **judged_by: Any) -> Problem:
    fields = {"reference_answer": None, "tests": None, "constraints": None} | judged_by
    return Problem(name, "s", 0, category, name, [], **fields, traces=[], licence="MIT", non_commercial=False, info={})


def response(problem_id: str, answer: str) -> Response:
    return Response(f"r-{problem_id}", problem_id, "teacher", "m", 0, "hm", answer, None, "stop", 1, 1)


PROBLEMS = [problem("sum", "math", reference_answer="4"), problem("double", "code", tests=DOUBLES)]
RESPONSES = [response("sum", r"\boxed{4}"), response("double", "```python\nprint(2 * int(input()))\n```")]


@pytest.fixture
def shard(tmp_path: Path) -> tuple[Store, dict[str, Shard]]:
    store = Store(str(tmp_path))
    tables: dict[str, tuple[type[Row], Iterable[Row]]] = {
        "problems": (Problem, PROBLEMS),
        "responses": (Response, RESPONSES),
    }
    return store, {name: store.write_table(table_of(kind, rows)) for name, (kind, rows) in tables.items()}


def outcomes(store: Store, manifest: Manifest) -> dict[str, str]:
    rows = rows_of(Verdict, store.read_table(manifest.outputs["verdicts"]))
    return {verdict.problem_id: verdict.outcome for verdict in rows}


@pytest.mark.needs_docker
def test_the_next_run_judges_what_the_sandbox_did_not(
    shard: tuple[Store, dict[str, Shard]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an engine programs are set aside and the rest is judged; with one, they are judged and nothing else."""
    store, inputs = shard
    stage = verify_stage.verify_shard
    first = perform(stage, store, AWAY, inputs)
    assert outcomes(store, first) == {"sum": "correct", "double": "sandbox_error"}
    assert "start one and run again" in next(iter(first.facts[verify_stage.UNJUDGED]))
    assert store.find(stage.name, first.key) is None, "the work must be done again"

    judged: list[str] = []
    plain = verify_stage.verify

    def noting(attempts: Any, bench: Any) -> Any:
        listed = list(attempts)
        judged.extend(attempt.id for attempt in listed)
        return plain(listed, bench)

    monkeypatch.setattr(verify_stage, "verify", noting)
    second = perform(stage, store, THERE, inputs)
    assert (second.key, judged) == (first.key, ["r-double"])
    assert outcomes(store, second) == {"sum": "correct", "double": "correct"}
    assert store.find(stage.name, second.key) == second
    assert perform(stage, store, AWAY, inputs) == second
    assert judged == ["r-double"]


def test_a_stage_without_doubts_is_done_once(tmp_path: Path) -> None:
    """What is not provisional is found under its own key, and nothing is left beside it."""
    from tasks.distill import Reuse, reuse_traces_shard

    store = Store(str(tmp_path))
    inputs = {"problems": store.write_table(table_of(Problem, PROBLEMS))}
    manifest = perform(reuse_traces_shard, store, Reuse(models=("deepseek-r1",)), inputs)
    assert store.find("reuse", manifest.key) == manifest
    assert store.find("reuse-provisional", manifest.key) is None
