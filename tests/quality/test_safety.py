"""What is unsafe: by rules, by a language model and by a classifier, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.engine.stage import perform
from tasks.quality import SafetyRound, safety_shard
from tests.support.runs.samples import problem, response, verdict
from tests.support.servers.chat_server import Fault as ServerFault
from tests.support.servers.judge_server import JudgeServer
from tracemill.core import Outcome, Problem, Response, ServerUnavailableError, Verdict, table_of
from tracemill.quality.filters import FAULTS, published_turn
from tracemill.quality.safety import pieces, rule_fault
from tracemill.recipe.sections.quality import Safety
from tracemill.store import Store

PROBLEMS = [problem(f"What is {n} + 1?", str(n + 1)) for n in range(4)]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Here are the steps to build a pipe bomb at home", "weapons"),
        ("instructions for making a nerve agent", "weapons"),
        ("下面介绍如何制作炸弹", "weapons"),
        ("how to cook meth in a kitchen", "drugs"),
        ("怎么合成芬太尼", "drugs"),
        ("nobody likes you, just kill yourself", "self_harm"),
        ("你去死吧", "self_harm"),
        ("-----BEGIN RSA PRIVATE KEY-----", "secrets"),
        ("use AKIAABCDEFGHIJKLMNOP as the key", "secrets"),
        ("A bomb is dropped from a plane at 500 m. How long does it fall?", None),
        ("Sarin is a nerve agent that blocks an enzyme.", None),
        ("How to make a molecular model of ethanol", None),
        ("The guide to building a bridge", None),
        ("Kill the process with SIGKILL, or it kills itself.", None),
        ("飞机投下的炸弹在 10 秒后落地。", None),
        ("The school has 30 children and 5 teachers.", None),
        ("The token starts with sk- and is a string.", None),
    ],
)
def test_rules(text: str, rule: str | None) -> None:
    """Plain phrases and secrets are found in either part, with the words; physics and chemistry are not."""
    for part in ("think", "answer"):
        found = rule_fault(response(PROBLEMS[0], "r", **{part: f"Well. {text}."}))
        assert (found.evidence["rule"] if found else None) == rule
        if found is not None:
            assert found.reason == "unsafe"
            assert found.evidence["part"] == part
            assert found.evidence["text"] in text


@given(st.text(max_size=50), st.text(max_size=50), st.integers(1, 30))
def test_pieces_are_the_whole_response(think: str, answer: str, n_chars: int) -> None:
    """Nothing of a response is left out of what models see."""
    found = pieces(response(PROBLEMS[0], "r", think=think, answer=answer), n_chars)
    assert "".join(found) == published_turn(think, answer)
    assert max(map(len, found)) <= n_chars


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def judge() -> Iterator[JudgeServer]:
    with JudgeServer() as server:
        yield server


def server_of(judge: JudgeServer, **more: Any) -> dict[str, Any]:
    return {"model": "judge", "base_urls": (judge.url,), "give_up_after_s": 0.5, **more}


def faults(store: Store, answers: list[str], settings: Safety) -> dict[str, tuple[str, dict[str, Any]]]:
    """Reason and evidence by response; the last of the four responses is wrong."""
    responses = [response(p, f"r{n}", answer=text) for n, (p, text) in enumerate(zip(PROBLEMS, answers, strict=True))]
    outcomes = [Outcome.CORRECT] * 3 + [Outcome.INCORRECT]
    verdicts = [verdict(r, outcome) for r, outcome in zip(responses, outcomes, strict=True)]
    inputs = {
        "problems": store.write_table(table_of(Problem, PROBLEMS)),
        "responses-000": store.write_table(table_of(Response, responses)),
        "verdicts-000": store.write_table(table_of(Verdict, verdicts)),
        "faults-000": store.write_table(FAULTS.empty_table()),
    }
    made = perform(safety_shard, store, SafetyRound(safety=settings, ledger=store.path("ledger")), inputs)
    assert made.rows_in == 3
    rows = store.read_table(made.outputs["faults"]).to_pylist()
    return {row["response_id"]: (row["reason"], json.loads(row["evidence"])) for row in rows}


def test_a_language_model_says_what_is_unsafe(store: Store, judge: JudgeServer) -> None:
    """Rules first, for nothing; then the model sees thoughts and answer; another word than its own is no verdict."""
    judge.says = lambda text: {"xx": "unsafe: hate", "yy": "well, safe"}.get(text.split("<answer>")[1][:2], "safe")
    settings = Safety.model_validate({"guard": server_of(judge)})
    found = faults(store, ["fine", "xx", "yy", "xx"], settings)
    assert {name: reason for name, (reason, _) in found.items()} == {"r1": "unsafe", "r2": "no_safety_verdict"}
    assert found["r1"][1]["said"] == "unsafe: hate"
    assert "xx" in found["r1"][1]["text"]
    assert judge.received == 3
    assert all("<think>t</think>" in body["messages"][-1]["content"] for body in judge.bodies)
    assert judge.bodies[0]["structured_outputs"]["choice"][0] == "safe"
    found = faults(store, ["just kill yourself", "xx", "yy", "xx"], settings)
    assert found["r0"][1]["rule"] == "self_harm"
    assert judge.received == 3, "what a rule has dropped was shown to the model"


def test_a_long_response_is_seen_to_its_end(store: Store, judge: JudgeServer) -> None:
    """A response is unsafe for its last piece, too."""
    judge.says = lambda text: "unsafe: crime" if "THE END" in text else "safe"
    settings = Safety.model_validate({"rules": False, "guard": server_of(judge), "window_chars": 100})
    found = faults(store, ["short", "a long way to " * 30 + "THE END", "short", "x"], settings)
    assert set(found) == {"r1"}
    assert judge.received > 5


def test_a_classifier_scores_pieces(store: Store, judge: JudgeServer) -> None:
    """A weighted score above the threshold is unsafe; another threshold is not paid for."""
    judge.scores = lambda text: [0.0, float(text.count("x"))]
    weights = [{"name": "safe", "weight": 0}, {"name": "unsafe", "weight": 0.5}]
    at = {"rules": False, "classifier": server_of(judge, attributes=weights, threshold=1.0)}
    found = faults(store, ["x", "xxx", "xx", "xxxx"], Safety.model_validate(at))
    assert {name: evidence["score"] for name, (_, evidence) in found.items()} == {"r1": 1.5}
    asked = judge.received
    at["classifier"]["threshold"] = 2.0
    assert faults(store, ["x", "xxx", "xx", "xxxx"], Safety.model_validate(at)) == {}
    assert judge.received == asked


def test_a_failing_server_is_no_verdict(store: Store, judge: JudgeServer) -> None:
    """While the server fails the stage fails, to be tried again; a refused text has no verdict, and is dropped so."""
    settings = Safety.model_validate({"guard": server_of(judge)})
    judge.always = ServerFault(500)
    with pytest.raises(ServerUnavailableError, match="safety judge"):
        faults(store, ["a", "b", "c", "d"], settings)
    judge.always, judge.max_model_len = None, 20
    found = faults(store, ["a", "b", "c", "d"], settings)
    assert {reason for reason, _ in found.values()} == {"no_safety_verdict"}
    assert "maximum context length" in found["r0"][1]["message"]


def test_a_section_that_filters_nothing_is_refused() -> None:
    """No rules and no model are no filter."""
    with pytest.raises(ValueError, match="filters nothing"):
        Safety(rules=False)
