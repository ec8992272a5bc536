"""Perplexity over HTTP: what is asked, the formula, what is dropped, what failures mean, and who is preferred."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.engine.stage import perform
from tasks.quality import PerplexityRound, perplexity_shard
from tests.support.runs.samples import problem, response, verdict
from tests.support.servers.chat_server import Fault as ServerFault
from tests.support.servers.judge_server import JudgeServer
from tracemill.core import (
    Outcome,
    Problem,
    RecipeError,
    Response,
    ServerUnavailableError,
    TeacherMisconfiguredError,
    Verdict,
    json_text,
    table_of,
)
from tracemill.ledger import Completion
from tracemill.quality.filters import FAULTS
from tracemill.quality.perplexity import perplexity_of
from tracemill.recipe import parse_recipe
from tracemill.recipe.sections.quality import Perplexity
from tracemill.recipe.sections.select import Select
from tracemill.select import select
from tracemill.store import Store

PROBLEMS = [problem(f"What is {n} + 1?", str(n + 1)) for n in range(4)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def reader() -> Iterator[JudgeServer]:
    with JudgeServer(logprobs=lambda text: [-float(text.count("x")), -1.0]) as server:
        yield server


def read(store: Store, reader: JudgeServer, outcomes: list[Outcome], **settings: Any) -> tuple[Any, Any]:
    """(faults by response, perplexities by response) of one response to each problem; the third has a fault before."""
    responses = [response(p, f"r{n}", answer="x" * (2 * n)) for n, p in enumerate(PROBLEMS)]
    faults = [{"response_id": "r2", "problem_id": PROBLEMS[2].id, "reason": "refusal", "evidence": "{}"}]
    inputs = {
        "problems": store.write_table(table_of(Problem, PROBLEMS)),
        "responses-000": store.write_table(table_of(Response, responses)),
        "verdicts-000": store.write_table(
            table_of(Verdict, [verdict(r, outcome) for r, outcome in zip(responses, outcomes, strict=True)])
        ),
        "faults-000": store.write_table(FAULTS.empty_table().from_pylist(faults, schema=FAULTS)),
    }
    asked = Perplexity(**{"model": "judge", "base_urls": (reader.url,), "give_up_after_s": 0.5, **settings})
    made = perform(perplexity_shard, store, PerplexityRound(perplexity=asked, ledger=store.path("ledger")), inputs)
    faults_found = {row["response_id"]: row for row in store.read_table(made.outputs["faults"]).to_pylist()}
    rows = store.read_table(made.outputs["perplexities"]).to_pylist()
    return faults_found, {row["response_id"]: row["perplexity"] for row in rows}


def test_what_is_too_surprising_is_dropped(store: Store, reader: JudgeServer) -> None:
    """Only correct responses without a fault are read; those above the threshold go, with the number; paid for once."""
    outcomes = [Outcome.CORRECT, Outcome.INCORRECT, Outcome.CORRECT, Outcome.CORRECT]
    faults, found = read(store, reader, outcomes, threshold=20)
    assert found == {"r0": pytest.approx(math.exp(0.5)), "r3": pytest.approx(math.exp(3.5))}
    assert {name: row["reason"] for name, row in faults.items()} == {"r3": "perplexity"}
    assert '"perplexity":33.1155' in faults["r3"]["evidence"]
    assert reader.received == 2
    text = "What is 3 + 1?\n\n<think>t</think>\n<answer>xxxxxx</answer>"
    assert text in {body["prompt"] for body in reader.bodies}
    assert {(body["prompt_logprobs"], body["max_tokens"]) for body in reader.bodies} == {(0, 1)}
    assert read(store, reader, outcomes, threshold=50)[0] == {}
    assert read(store, reader, outcomes, threshold=None)[0] == {}
    assert reader.received == 2


def test_what_cannot_be_measured_has_not_passed(store: Store, reader: JudgeServer) -> None:
    """A text that the server refuses is dropped in its words; without a threshold it stays."""
    reader.max_model_len = 52
    outcomes = [Outcome.CORRECT] * 4
    faults, found = read(store, reader, outcomes)
    assert found["r3"] is None
    assert faults["r3"]["reason"] == "no_perplexity"
    assert "maximum context length" in faults["r3"]["evidence"]
    assert read(store, reader, outcomes, threshold=None)[0] == {}


def test_a_failing_server_says_nothing_about_a_response(store: Store, reader: JudgeServer) -> None:
    """While it fails the stage fails; one without log probabilities is a wrong set-up."""
    reader.always = ServerFault(500)
    with pytest.raises(ServerUnavailableError, match="perplexity model"):
        read(store, reader, [Outcome.CORRECT] * 4)
    reader.always = ServerFault(200, body='{"choices": [{"text": "", "prompt_logprobs": null}]}')
    with pytest.raises(TeacherMisconfiguredError, match=r"(?s)no log probabilities.*perplexity\.base_urls"):
        read(store, reader, [Outcome.CORRECT] * 4)


@given(st.lists(st.floats(-50, 0), min_size=1, max_size=20))
def test_the_formula(logprobs: list[float]) -> None:
    """The perplexity is the geometric mean of one over the probabilities, and at least 1."""
    content = json_text({"sum_logprob": math.fsum(logprobs), "n_tokens": len(logprobs)})
    found = perplexity_of(Completion("k", content, None, None, None, 0, "m"))
    assert found == pytest.approx(math.prod(math.exp(-value / len(logprobs)) for value in logprobs))
    assert found >= 1


def test_impossible_texts_have_a_large_number() -> None:
    """What a model finds impossible is no overflow; one token has no perplexity."""
    content = json_text({"sum_logprob": -9999.0 * 3, "n_tokens": 3})
    assert perplexity_of(Completion("k", content, None, None, None, 0, "m")) > 1e300  # type: ignore[operator]
    content = json_text({"sum_logprob": 0, "n_tokens": 0})
    assert perplexity_of(Completion("k", content, None, None, None, 0, "m")) is None


def test_the_least_surprising_is_preferred() -> None:
    """select.prefer lowest_perplexity: by the number, those without one last, equals by content."""
    responses = [response(PROBLEMS[0], name, answer=name) for name in "abc"]
    verdicts = {r.id: verdict(r, Outcome.CORRECT) for r in responses}
    rules = Select(prefer="lowest_perplexity")
    samples, _ = select([PROBLEMS[0]], responses, verdicts, {}, {}, rules, {"a": 3.0, "b": 2.0})
    assert samples[0].response_id == "b"
    equal = {"a": 2.0, "b": 2.0, "c": 2.0}
    both = [
        select([PROBLEMS[0]], order, verdicts, {}, {}, rules, equal)[0][0].response_id
        for order in (responses, responses[::-1])
    ]
    assert len(set(both)) == 1


def test_a_preference_that_nothing_measures_is_refused() -> None:
    """lowest_perplexity without a model to measure it by is a wrong recipe."""
    raw = {
        "name": "r",
        "sources": [{"name": "a", "path": "a"}],
        "distill": {"teacher": {"model": "m"}},
        "select": {"prefer": "lowest_perplexity"},
    }
    with pytest.raises(RecipeError, match="section perplexity"):
        parse_recipe(raw, [])
    assert parse_recipe(raw | {"perplexity": {"model": "m"}}, []).perplexity is not None
