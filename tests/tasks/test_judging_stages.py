"""The stages of the judging models, over HTTP: what they ask, what they pay for, and what failures are taken for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.engine.stage import perform
from tasks.judges import JudgeRound, ScoreRound, judge_shard, reward_shard, rubric_shard
from tasks.verify import unjudgeable
from tests.support.runs.samples import problem, response, verdict
from tests.support.servers.chat_server import Fault
from tests.support.servers.judge_server import JudgeServer
from tracemill.core import (
    Outcome,
    Problem,
    RecipeError,
    Response,
    ServerUnavailableError,
    TeacherMisconfiguredError,
    Verdict,
    rows_of,
    table_of,
)
from tracemill.recipe.sections.judges import Judge, ModelJudged, Reward, Rubric
from tracemill.recipe.sections.verify import Verify
from tracemill.store import Manifest, Shard, Store

MATHS = [problem(f"What is {n} + 1?", str(n + 1)) for n in range(4)]
OPEN = [problem(f"Tell me about {n}.", None, category="other") for n in range(4)]
PROFILE = {"profile": "decision-tree-reward", "threshold": 0.7}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def judge() -> Iterator[JudgeServer]:
    with JudgeServer() as server:
        yield server


def shards(store: Store, problems: list[Problem], outcome: Outcome, answers: list[str]) -> dict[str, Shard]:
    """One response to each problem, all with the same outcome by rule."""
    responses = [response(p, f"r-{p.id}", answer=text) for p, text in zip(problems, answers, strict=True)]
    return {
        "problems": store.write_table(table_of(Problem, problems)),
        "responses": store.write_table(table_of(Response, responses)),
        "verdicts-000": store.write_table(table_of(Verdict, [verdict(r, outcome) for r in responses])),
    }


def found(store: Store, manifest: Manifest) -> list[Verdict]:
    return list(rows_of(Verdict, store.read_table(manifest.outputs["verdicts"])))


def server_of(judge: JudgeServer, **more: Any) -> dict[str, Any]:
    return {"model": "judge", "base_urls": (judge.url,), "give_up_after_s": 0.5, **more}


def judged(store: Store, judge: JudgeServer, inputs: dict[str, Shard]) -> list[Verdict]:
    plan = JudgeRound(judge=Judge(**server_of(judge)), ledger=store.path("ledger"))
    return found(store, perform(judge_shard, store, plan, inputs))


def scored(store: Store, judge: JudgeServer, inputs: dict[str, Shard], **more: Any) -> list[Verdict]:
    settings = Reward(**{**server_of(judge), **PROFILE, **more})
    plan = ScoreRound(scored=settings, cut=settings.threshold, ledger=store.path("ledger"))
    return found(store, perform(reward_shard, store, plan, inputs))


def test_only_what_the_recipe_names_is_asked(store: Store, judge: JudgeServer) -> None:
    """Right answers, empty answers and other categories cost nothing and get no verdict of the judge."""
    assert judged(store, judge, shards(store, MATHS, Outcome.CORRECT, list("abcd"))) == []
    assert judged(store, judge, shards(store, MATHS, Outcome.INCORRECT, [" "] * 4)) == []
    assert judged(store, judge, shards(store, OPEN, Outcome.UNVERIFIABLE, list("abcd"))) == []
    assert judge.received == 0
    verdicts = judged(store, judge, shards(store, MATHS, Outcome.INCORRECT, list("abcd")))
    assert [(v.outcome, v.verifier) for v in verdicts] == [("incorrect", "judge-equivalence@1")] * 4
    assert judge.received == 4


def test_an_unconstrained_judge_is_not_believed(store: Store, judge: JudgeServer) -> None:
    """A server that ignores the constraint gives no verdict but its words."""
    judge.says = lambda _: "Sure! The answer is correct."
    verdicts = judged(store, judge, shards(store, MATHS, Outcome.INCORRECT, list("abcd")))
    assert {v.outcome for v in verdicts} == {"unverifiable"}
    assert "Sure!" in verdicts[0].detail


def test_a_failing_server_is_never_a_verdict(store: Store, judge: JudgeServer) -> None:
    """While the server fails the stage fails, to be tried again; what was answered is not asked for once more."""
    inputs = shards(store, OPEN, Outcome.UNVERIFIABLE, list("abcd"))
    judge.scores = lambda _: [4.0] * 5
    judge.always = Fault(500)
    with pytest.raises(ServerUnavailableError, match=r"no reward model has answered") as caught:
        scored(store, judge, inputs)
    assert "remedy" in str(caught.value)
    judge.always = None
    assert {v.outcome for v in scored(store, judge, inputs)} == {"correct"}
    completed = judge.completed
    assert {v.outcome for v in scored(store, judge, inputs, threshold=1.5)} == {"incorrect"}
    assert judge.completed == completed, "another cut was paid for"


def test_a_text_that_is_too_long_is_unverifiable(store: Store, judge: JudgeServer) -> None:
    """A refused text gets no score, and the verdict says so in the server's words."""
    judge.max_model_len = 50
    judge.scores = lambda _: [4.0] * 5
    verdicts = scored(store, judge, shards(store, OPEN, Outcome.UNVERIFIABLE, ["x" * 60, "b", "c", "d"]))
    by_outcome = {v.outcome: v for v in verdicts}
    assert sorted(v.outcome for v in verdicts) == ["correct"] * 3 + ["unverifiable"]
    assert "maximum context length" in by_outcome["unverifiable"].detail


def test_an_answer_that_is_missing_is_incorrect_without_asking(store: Store, judge: JudgeServer) -> None:
    """A response without an answer part is not shown to the model."""
    verdicts = scored(store, judge, shards(store, OPEN, Outcome.UNVERIFIABLE, [""] * 4))
    assert {(v.outcome, v.score) for v in verdicts} == {("incorrect", None)}
    assert judge.received == 0


@pytest.mark.parametrize(
    ("more", "path"),
    [({}, "/classify"), ({"endpoint": "pooling"}, "/pooling"), ({"input": "text"}, "/classify")],
)
def test_endpoints_and_inputs(store: Store, judge: JudgeServer, more: dict[str, str], path: str) -> None:
    """The recipe's endpoint is asked for raw outputs, with messages or with text."""
    judge.scores = lambda _: [4.0] * 5
    verdicts = scored(store, judge, shards(store, OPEN, Outcome.UNVERIFIABLE, list("abcd")), **more)
    assert {v.score for v in verdicts} == {1.0}
    body = judge.bodies[0]
    assert (body["path"], body["use_activation"]) == (path, False)
    assert ("input" in body) is (more.get("input") == "text")


def test_another_model_than_the_recipe_names_is_a_wrong_set_up(store: Store, judge: JudgeServer) -> None:
    """A model with one output is no decision-tree reward model: the run ends, naming the setting."""
    judge.scores = lambda _: [0.3]
    with pytest.raises(TeacherMisconfiguredError, match=r"reward\.attributes"):
        scored(store, judge, shards(store, OPEN, Outcome.UNVERIFIABLE, list("abcd")))


def test_a_cut_that_could_not_be_chosen_is_named(store: Store, judge: JudgeServer) -> None:
    """Open answers without any to choose the cut by end the run with the remedy."""
    settings = Rubric(**server_of(judge, quantile=0.5))
    plan = ScoreRound(scored=settings, cut=None, ledger=store.path("ledger"))
    with pytest.raises(RecipeError, match=r"rubric\.threshold"):
        perform(rubric_shard, store, plan, shards(store, OPEN, Outcome.UNVERIFIABLE, list("abcd")))


@pytest.mark.parametrize(
    ("models", "reference", "category", "hopeless"),
    [
        (ModelJudged(), None, "other", True),
        (ModelJudged(scored=("other",)), None, "other", False),
        (ModelJudged(scored=("other",)), "proof", "math", True),
        (ModelJudged(compared=("math",)), "proof", "math", True),
        (ModelJudged(compared=("choice",)), "B", "choice", False),
        (ModelJudged(compared=("math",)), "7", "math", False),
        (ModelJudged(), "7", "math", False),
    ],
)
def test_what_is_worth_paying_for(models: ModelJudged, reference: str | None, category: str, hopeless: bool) -> None:
    """A problem is hopeless if no rule can judge an answer, no model scores it and there is nothing to compare with."""
    asked = problem("x", reference, category=category)
    assert (asked.id in unjudgeable([asked], Verify(workers=1), models)) is hopeless
