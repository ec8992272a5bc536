"""The build flow with rewriting rules: what was rewritten is asked, judged and published as it is now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tracemill.core import problem_id
from tracemill.runs import story


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


def test_a_rewritten_row_to_its_end(teacher: ChatServer, tmp_path: Path) -> None:
    """A labelled multiple-choice row is asked openly, judged by its option's text, and told under either id."""
    rows = [question(number) for number in range(12)]
    for row in rows:
        right = int(row["answer"].split("#### ")[1])
        row["question"] = f"Problem 7. {row['question']}\nA. {right - 1}\nB. {right}\nC. {right + 1}"
        row["answer"] = "#### B"
    dropped = {"question": "See https://example.org and tell what it says.", "answer": "#### 1"}
    cleaning = {"strip_labels": ["math"], "multiple_choice": ["math"], "fill_in": True, "url": ["math"]}
    run = SmallRun(tmp_path / "run", teacher.url, rows=[*rows, dropped], sections={"clean": cleaning})
    counts = funnel(run.build())
    assert counts["clean/url"] == 1
    assert counts["decontaminate/bench"] == 1, "the benchmark has the question as it is without label and options"
    asked = [body["messages"][-1]["content"] for body in teacher.bodies]
    assert not any("Problem 7" in content or "A. " in content for content in asked)
    former = problem_id(rows[0]["question"], [], "B", None, None)
    told_of = story(run.out, former)
    record = told_of[0]
    (verdict,) = [found for found in told_of if found["where"] == "verdicts"]
    assert verdict["problem_id"] == record["id"] != former
    published = [row for row in table(run.out, "dataset").to_pylist() if "rewritten" in row["info"]]
    assert published
    for row in published:
        told = json.loads(row["info"])["rewritten"]
        assert told["labels"] == ["Problem 7."]
        assert told["fill_in"]["options"]["B"] == row["reference_answer"]
        assert row["prompt"].endswith("?")
