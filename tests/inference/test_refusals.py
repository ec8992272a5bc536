"""Refusals: no result, asked again by the next run and nothing else with them; above a share the run fails."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from aiohttp import web

import tracemill.inference.client
from tasks.decontaminate import JudgeContamination, judge_contamination_shard
from tasks.duplicates import embed_shard
from tasks.engine.stage import StageTask, perform
from tasks.judges import JudgeRound, ScoreRound, judge_shard, reward_shard, rubric_shard
from tasks.label import LabelRound, label_by_model_shard
from tasks.quality import PerplexityRound, SafetyRound, perplexity_shard, safety_shard
from tests.support.runs.samples import problem, response, verdict
from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.judge_server import JudgeServer
from tracemill.core import Outcome, Problem, Response, Section, TeacherMisconfiguredError, Verdict, table_of
from tracemill.decontaminate.decontaminate import GREY
from tracemill.inference import Refusal
from tracemill.inference.client import Patience
from tracemill.inference.refusals import REFUSED, Tally, allowed, as_before
from tracemill.publish.directory.versions import Versions
from tracemill.quality.filters import FAULTS
from tracemill.recipe.sections.decontaminate import SameQuestion
from tracemill.recipe.sections.deduplicate import Embedding
from tracemill.recipe.sections.judges import Judge, Reward, Rubric
from tracemill.recipe.sections.label import Labeller
from tracemill.recipe.sections.quality import Classifier, Guard, Perplexity, Safety
from tracemill.store import Manifest, Shard, Store


def refusing(kind: type[ChatServer]) -> type[ChatServer]:
    """A server that answers 400 to what holds ``odd``, each time in other words; ``odd`` is None when it is mended."""

    class Refusing(kind):  # type: ignore[valid-type, misc]
        odd: str | None = "odd"
        n_odd = 0

        async def _chat(self, request: web.Request) -> web.StreamResponse:
            text = await request.text()
            if self.odd is not None and self.odd in text:
                self.n_odd += 1
                words = {"error": {"message": f"too long (request {self.n_odd})"}}
                return web.json_response(words, status=400)
            found: web.StreamResponse = await super()._chat(request)
            return found

        def _route(self, router: web.UrlDispatcher) -> None:
            super()._route(router)
            router.add_post("/v1/embeddings", self._embed)

        async def _embed(self, request: web.Request) -> web.StreamResponse:
            texts = json.loads(await request.text())["input"]
            if self.odd is not None and any(self.odd in text for text in texts):
                self.n_odd += len(texts) == 1
                return web.json_response({"error": {"message": f"too long ({self.n_odd})"}}, status=400)
            self.completed += len(texts)
            rows = [{"index": place, "embedding": "AACAPwAAAEA="} for place, _ in enumerate(texts)]
            return web.json_response({"data": rows, "model": "judge"})

    return Refusing


@pytest.fixture
def judge() -> Iterator[Any]:
    with refusing(JudgeServer)() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


PROBLEMS = [problem(f"What is {n} + 1?{' An odd one.' * (n == 2)}", str(n + 1)) for n in range(5)]
OPEN = [dataclasses.replace(one, category="other", reference_answer=None) for one in PROBLEMS]


def inputs_of(store: Store, problems: list[Problem], outcome: Outcome) -> dict[str, Shard]:
    """A response to each problem, with a verdict by rule, and a grey pair."""
    responses = [response(one, f"r-{one.id}", answer="It is 7.") for one in problems]
    grey = [
        {"id": one.id, "benchmark": "b", "item": "1", "item_text": "x", "method": "m", "score": 0.5, "overlap": "o"}
        for one in problems
    ]
    return {
        "problems": store.write_table(table_of(Problem, problems)),
        "responses": store.write_table(table_of(Response, responses)),
        "responses-000": store.write_table(table_of(Response, responses)),
        "verdicts-000": store.write_table(table_of(Verdict, [verdict(one, outcome) for one in responses])),
        "faults-000": store.write_table(pa.Table.from_pylist([], schema=FAULTS)),
        "grey-000": store.write_table(pa.Table.from_pylist(grey, schema=GREY)),
    }


def server_of(judge: ChatServer, **more: Any) -> dict[str, Any]:
    return {"model": "judge", "base_urls": (judge.url,), "give_up_after_s": 5, **more}


def stages(judge: Any, ledger: str) -> dict[str, tuple[StageTask, Section, list[Problem], Outcome]]:
    """Every stage that asks a server, but the teacher's, with what it asks about."""
    one_score = {"attributes": ({"name": "x", "weight": 1.0},), "threshold": 0.5}
    rubric = Rubric(**server_of(judge, threshold=0.5))
    reward = Reward(**server_of(judge, **one_score))
    guard, classifier = Guard(**server_of(judge)), Classifier(**server_of(judge, **one_score))
    right, wrong, unknown = Outcome.CORRECT, Outcome.INCORRECT, Outcome.UNVERIFIABLE
    return {
        "label": (label_by_model_shard, LabelRound(labeller=Labeller(**server_of(judge)), ledger=ledger), OPEN, right),
        "judge": (judge_shard, JudgeRound(judge=Judge(**server_of(judge)), ledger=ledger), PROBLEMS, wrong),
        "reward": (reward_shard, ScoreRound(scored=reward, cut=0.5, ledger=ledger), OPEN, unknown),
        "rubric": (rubric_shard, ScoreRound(scored=rubric, cut=0.5, ledger=ledger), OPEN, unknown),
        "perplexity": (
            perplexity_shard,
            PerplexityRound(perplexity=Perplexity(**server_of(judge, threshold=9.0)), ledger=ledger),
            PROBLEMS,
            right,
        ),
        "guard": (safety_shard, SafetyRound(safety=Safety(guard=guard), ledger=ledger), PROBLEMS, right),
        "classifier": (safety_shard, SafetyRound(safety=Safety(classifier=classifier), ledger=ledger), PROBLEMS, right),
        "contamination": (
            judge_contamination_shard,
            JudgeContamination(judge=SameQuestion(**server_of(judge)), ledger=ledger),
            PROBLEMS,
            right,
        ),
        "embed": (embed_shard, Embedding(**server_of(judge, engine="server", batch_rows=2)), PROBLEMS, right),
    }


def tables(manifest: Manifest) -> dict[str, str]:
    return {name: shard.sha256 for name, shard in manifest.outputs.items()}


@pytest.mark.parametrize("name", list(stages(SimpleNamespace(url="http://127.0.0.1:9/v1"), "")))
def test_every_stage_asks_again_what_was_refused(store: Store, judge: Any, name: str, tmp_path: Path) -> None:
    """Refused again it says the same, mended what an undisturbed run says; nothing that was answered is asked."""
    stage, section, problems, outcome = stages(judge, store.path("ledger"))[name]
    inputs = inputs_of(store, problems, outcome)
    first = perform(stage, store, section, inputs)
    assert [found["n"] for found in first.facts[REFUSED].values()] == [1]
    assert "too long" in str(first.facts[REFUSED])
    assert store.find(stage.name, first.key) is None, "a refusal was remembered as a result"
    n_odd, completed = judge.n_odd, judge.completed
    again = perform(stage, store, section, inputs)
    assert tables(again) == tables(first), "the number of the request in the server's words makes another dataset"
    assert (judge.n_odd, judge.completed) == (n_odd + 1, completed)
    judge.odd = None
    mended = perform(stage, store, section, inputs)
    assert judge.completed == completed + 1
    assert REFUSED not in mended.facts
    assert store.find(stage.name, first.key) == mended
    stage, section, *_ = stages(judge, str(tmp_path / "other"))[name]
    other = Store(str(tmp_path / "other-store"))
    undisturbed = perform(stage, other, section, inputs_of(other, problems, outcome))
    assert tables(undisturbed) == tables(mended)
    judge.stop()
    assert perform(stage, store, section, inputs) == mended


def test_nobody_is_needed_for_what_was_refused(store: Store, judge: Any) -> None:
    """With the server away, what it has refused stays refused until it is there again; anything else needs it."""
    stage, section, problems, outcome = stages(judge, store.path("ledger"))["judge"]
    inputs = inputs_of(store, problems, outcome)
    first = perform(stage, store, section, inputs)
    judge.stop()
    assert tables(perform(stage, store, section, inputs)) == tables(first)


@pytest.mark.parametrize(
    ("n_requests", "share", "most"),
    [(1, 0.05, 0), (2, 0.05, 1), (5, 0.05, 2), (6, 0.05, 3), (60, 0.05, 3), (100, 0.05, 5), (100, 0.29, 29),
     (1000, 0.0, 0), (1, 1.0, 1), (7, 1.0, 7), (0, 0.05, 0)],
)  # fmt: skip
def test_how_many_a_run_bears(n_requests: int, share: float, most: int) -> None:
    """A share of its requests; in a small run a few, and never all of them unless that is what the recipe says."""
    assert allowed(n_requests, share) == most


def _manifest(n_asked: int, n_refused: int, share: float) -> Manifest:
    refused = {"judge (m)": {"n": n_refused, "share": share, "words": {"HTTP 400: no": n_refused}}} if n_refused else {}
    facts = {"asked": {"judge (m)": n_asked}} | ({"refused": refused} if refused else {})
    return Manifest(
        stage="judge", version="1", key="k", inputs={}, outputs={}, rows_in=n_asked, rows_kept=n_asked, facts=facts
    )


@pytest.mark.parametrize(
    ("tasks", "fails"),
    [
        ([(20, 20, 0.05)], True),
        ([(20, 3, 0.05)], False),
        ([(20, 4, 0.05)], True),
        ([(20, 4, 0.05), (980, 0, 0.05)], False),
        ([(500, 50, 0.05), (500, 1, 0.05)], True),
        ([(20, 1, 0.0)], True),
        ([(20, 20, 1.0)], False),
        ([(20, 0, 0.0)], False),
    ],
)
def test_the_share_is_that_of_the_run(tasks: list[tuple[int, int, float]], fails: bool) -> None:
    """Not of a task: what counts is all that a server was asked in the run."""
    tally = Tally()
    for task in tasks:
        tally.add(_manifest(*task))
    if not fails:
        tally.require_few()
        return
    with pytest.raises(TeacherMisconfiguredError, match=r"(?s)HTTP 400: no.*judge\.refused_share.*is kept"):
        tally.require_few()


def test_a_refusal_of_another_kind_is_told_anew() -> None:
    """What was too long and now breaks the server is said so."""
    old, same, other = Refusal("k", 400, "a"), Refusal("k", 400, "b"), Refusal("k", 500, "c")
    assert (as_before(same, {"k": old}), as_before(other, {"k": old}), as_before(old, {})) == (old, other, old)


@pytest.fixture
def teacher() -> Iterator[Any]:
    with refusing(ChatServer)(wrong_percent=0) as server:
        server.odd = "Note 5 "
        yield server


def small(folder: Path, teacher: ChatServer, n_rows: int = 12, **sections: Any) -> SmallRun:
    rows = [question(n) for n in range(4, 4 + n_rows)]
    return SmallRun(folder, teacher.url, rows=rows, sections=sections)


def rows(run: SmallRun) -> pa.Table:
    return table(run.out, "dataset").sort_by("id")


def test_a_prompt_that_is_refused_waits_for_the_next_run(teacher: Any, tmp_path: Path) -> None:
    """It is evidence, asked once a run and no new version; the server mended, it is answered, and all is cached."""
    run = small(tmp_path / "run", teacher, distill={"teacher": _teacher(teacher), "max_rounds": 3})
    first = run.build()
    completed = teacher.completed
    assert teacher.n_odd == 1, "another round sends the same request"
    assert funnel(first)["distill/refused_by_teacher"] == 1
    assert first.manifest[REFUSED] == {"distill.teacher (demo)": 1}
    again = run.refresh()
    note = f"nothing new: {run.out}, version 1, {rows(run).num_rows} rows, as before"
    assert again.note == f"{note}; 1 requests were asked again, and refused again"
    assert (teacher.n_odd, teacher.completed, again.manifest) == (2, completed, first.manifest)
    assert Versions(run.out).numbers() == [1]
    teacher.odd = None
    mended = run.refresh()
    assert teacher.completed == completed + 1
    assert mended.note.startswith(f"{run.out}, version 2")
    assert REFUSED not in mended.manifest
    still = run.refresh()
    assert (still.n_executed, teacher.completed) == (0, completed + 1)
    assert still.note.startswith("nothing new")
    assert run.build().n_executed == 0
    whole = small(tmp_path / "whole", teacher)
    whole.build()
    assert rows(run) == rows(whole)


def _teacher(teacher: ChatServer, **more: Any) -> dict[str, Any]:
    return {"model": "demo", "base_urls": [teacher.url], "max_tokens": 64, "give_up_after_s": 5, **more}


def test_a_wholly_wrong_server_fails_a_small_run(teacher: Any, tmp_path: Path) -> None:
    """Whatever it has answered is kept: once it is mended only what it refused is asked."""
    run = small(tmp_path, teacher, n_rows=5)
    teacher.odd = "Note "
    with pytest.raises(TeacherMisconfiguredError, match=r"(?s)distill.teacher \(demo\) refused 6 of 6.*too long"):
        run.build()
    assert not (run.out / "dataset").exists()
    teacher.odd = "Note 5 "
    built = run.build()
    assert funnel(built)["distill/refused_by_teacher"] == 1
    run.sections["distill"] = {"teacher": _teacher(teacher, refused_share=0.0)}
    with pytest.raises(TeacherMisconfiguredError, match=r"at most 0, by distill.teacher.refused_share = 0"):
        run.build()


def test_refusals_of_older_code_are_asked_again(teacher: Any, tmp_path: Path) -> None:
    """A store in which a refusal was kept for good is read, and its refusals are asked again."""
    run = small(tmp_path, teacher)
    run.build()
    folder = Path(run.folder, "store", "manifests")
    for path in folder.glob("distill-provisional/*.json"):
        record = json.loads(path.read_text())
        record["stage"], record["facts"] = "distill", {"prompt_tokens": 1, "completion_tokens": 1, "n_follow_ups": 0}
        del record["outputs"]["refusals"]
        (folder / "distill" / path.name).write_text(json.dumps(record))
        path.unlink()
    completed = teacher.completed
    teacher.odd = None
    assert "distill/refused_by_teacher" not in funnel(run.refresh())
    assert teacher.completed == completed + 1


def test_a_request_that_breaks_the_server_costs_its_row_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone in its shard too, it is set aside with the server's words, and asked again by the next run."""
    monkeypatch.setattr(tracemill.inference.client, "Patience", partial(Patience, base_s=0.01, cap_s=0.1))
    with ChatServer(wrong_percent=0) as server:
        run = small(tmp_path, server, n_rows=3, collect={"shard_rows": 1})
        run.rows[1] = {"question": "POISON: what is 1 + 1?", "answer": "#### 2"}
        built = run.build()
        dropped = [row for row in table(run.out, "dropped").to_pylist() if row["reason"] == "refused_by_teacher"]
        assert [row["row"] for row in dropped] == [1]
        assert "EngineDeadError" in dropped[0]["evidence"]
        assert funnel(built)["published/rows"] == 4
