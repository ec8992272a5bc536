"""A store, a ledger and a publication that an earlier version wrote are read as before: nothing is paid for twice."""

from __future__ import annotations

import logging
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tracemill.runs import diff

STORE = Path(__file__).parents[2] / "stores" / "before-refusals-were-asked-again.tar.gz"
STORY = " ".join(f"Step {n} of the story tells of {n * 37} birds." for n in range(200))


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer(max_model_len=4000) as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, tmp_path: Path) -> SmallRun:
    """The run that wrote the store, with what it left behind."""
    rows: list[Any] = [question(number) for number in range(24)]
    rows.append({"question": f"{STORY} What is 1 + 2?", "answer": "#### 3"})
    asked = {"samples_per_round": 1, "max_rounds": 2}
    run = SmallRun(tmp_path, teacher.url, rows=rows, sections={"distill": asked})
    run.write()
    with tarfile.open(STORE) as packed:
        packed.extractall(tmp_path, filter="data")
    return run


def prompts(teacher: ChatServer) -> set[str]:
    return {body["messages"][-1]["content"] for body in teacher.bodies}


def test_nothing_that_was_answered_is_asked_again(run: SmallRun, teacher: ChatServer) -> None:
    """Only the request that was refused is: the earlier version kept that for a result. The rows are as they were."""
    before = {row["id"]: row["answer"] for row in table(run.out, "dataset").to_pylist()}
    again = run.build()
    assert [STORY in prompt for prompt in prompts(teacher)] == [True]
    assert {row["id"]: row["answer"] for row in table(run.out, "dataset").to_pylist()} == before
    assert funnel(again)["distill/refused_by_teacher"] == 1


def test_what_can_be_answered_now_is_published(run: SmallRun, teacher: ChatServer) -> None:
    """Once the server takes it, the row whose refusal was kept is distilled; nothing else is asked."""
    n_before = table(run.out, "dataset").num_rows
    teacher.max_model_len = 100_000
    again = run.build()
    assert all(STORY in prompt for prompt in prompts(teacher))
    assert "distill/refused_by_teacher" not in funnel(again)
    assert table(run.out, "dataset").num_rows == n_before + 1


def test_a_record_that_was_no_completion_is_asked_again(
    run: SmallRun, teacher: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It ended every run with "this is a bug"; it counts as not there, with one warning."""
    run.rows.append(question(24))
    with caplog.at_level(logging.WARNING):
        run.build()
    asked = [prompt for prompt in prompts(teacher) if STORY not in prompt]
    assert [question(24)["question"] in prompt for prompt in asked] == [True]
    assert len([record for record in caplog.records if "cannot be read as completions" in record.getMessage()]) == 1


def test_the_earlier_publication_is_a_version_beside_the_new_one(run: SmallRun) -> None:
    """It can still be compared with: no row was added or removed, and only who judged the rows has changed."""
    run.build()
    differences = diff(run.out / "versions" / "0001", run.out)
    assert (differences.added.rows, differences.removed.rows) == (0, 0)
    assert set(differences.changed.why) == {"verdict"}
