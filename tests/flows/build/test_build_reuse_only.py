"""A build without a teacher: the traces that came along are verified and filtered, and nobody is asked."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs.small_run import SmallRun, funnel, question, table, traced
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.judge_server import JudgeServer

RIGHT = 100 + 7 * 1000 + 20 + 3 * 1000


@pytest.fixture
def run(tmp_path: Path) -> SmallRun:
    """One right trace, one wrong, one by another model, and ten rows without any."""
    small = SmallRun(tmp_path / "run", "http://127.0.0.1:9/v1")
    small.rows = [question(n) for n in range(50, 60)]
    small.sections["distill"] = {"teacher": None}
    return small


def test_traces_are_verified_and_nobody_is_asked(run: SmallRun) -> None:
    """Right traces are published, wrong ones dropped with their verdict, rows without a trace as no_teacher."""
    counts = funnel(run.build())
    assert counts == {
        "source/rows": 12,
        "distill/no_teacher": 10,
        "verify/incorrect": 1,
        "published/rows": 1,
    }
    row = table(run.out, "dataset").to_pylist()[0]
    assert (row["origin"], row["model"], row["reference_answer"]) == ("source", "deepseek-r1", str(RIGHT))
    dropped = [row for row in table(run.out, "dropped").to_pylist() if row["reason"] == "no_teacher"]
    assert {row["stage"] for row in dropped} == {"distill"}
    assert "no trace came with it" in json.loads(dropped[0]["evidence"])["message"]
    assert not list((run.folder / "store").rglob("distill/*"))


def test_card_and_report_say_that_no_teacher_was_asked(run: SmallRun) -> None:
    """Card and report name no teacher, and say why rows were dropped."""
    run.build()
    text = (run.out / "dataset" / "README.md").read_text()
    assert "None was asked: every response is a trace by deepseek-r1" in text
    assert "no_teacher" in text
    assert "temperature" not in text
    assert "none was asked" in (run.out / "report.html").read_text()


def test_traces_by_other_models_are_named(run: SmallRun) -> None:
    """A row whose traces are by a model that the recipe does not name says whose they are."""
    run.sections["distill"] = {"teacher": None, "reuse_models": ["qwq-32b"]}
    assert funnel(run.build())["distill/no_teacher"] == 12
    told = {json.loads(row["evidence"])["message"] for row in table(run.out, "dropped").to_pylist()}
    assert "its traces are by deepseek-r1, distill.reuse_models names qwq-32b, and there is no distill.teacher" in told


def test_the_environment_s_teacher_is_ignored_and_said_so(
    run: SmallRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """TEACHER_URL serves whoever has a teacher; without one the log says that it is ignored."""
    monkeypatch.setenv("TEACHER_URL", "http://127.0.0.1:9/v1")
    with caplog.at_level(logging.INFO):
        assert funnel(run.build())["published/rows"] == 1
    assert "nobody is asked, and TEACHER_URL of the environment is ignored" in caplog.text


def test_a_teacher_that_is_named_later_asks_for_the_rest(run: SmallRun) -> None:
    """With a teacher the same recipe goes on: what no trace has solved is asked, and the verified trace stays."""
    run.build()
    before = table(run.out, "dataset").to_pylist()
    with ChatServer(wrong_percent=0) as server:
        run.sections["distill"] = {"teacher": {"model": "demo", "base_urls": [server.url], "max_tokens": 64}}
        counts = funnel(run.build())
    assert counts["published/rows"] == 12
    assert before[0] in table(run.out, "dataset").to_pylist()


def test_models_that_judge_still_work(run: SmallRun) -> None:
    """A judge looks at the wrong trace as it does where there is a teacher."""
    with JudgeServer() as server:
        run.sections["judge"] = {"model": server.models[0], "base_urls": [server.url]}
        run.build()
    verifiers = {row["verifier"] for row in table(run.out, "verdicts").to_pylist()}
    assert any(name.startswith("judge-equivalence") for name in verifiers)


def test_a_cut_by_quantile_is_chosen_among_traces(run: SmallRun) -> None:
    """A reward's quantile needs no teacher: the cut is one of the traces' scores."""
    subjects = ("a lighthouse keeper and an old brass lamp", "two rivers that met only once", "the last baker of Ghent")
    stories: list[dict[str, Any]] = [traced(number, number) for number in (1, 2, 3)]
    for story, subject in zip(stories, subjects, strict=True):
        story["messages"][0] = {"role": "user", "content": f"Tell me a story of {subject}.", "info": {"source": "x"}}
    scores = {f"It is \\boxed{{{number}}}": float(number) for number in (1, 2, 3)}
    run.write()
    (run.folder / "open.jsonl").write_text("".join(json.dumps(story) + "\n" for story in stories))
    run.sections["sources"] = [{"name": "open", "path": "open.jsonl", "layout": "am", "category": "other"}]
    with JudgeServer(scores=lambda asked: [next(v for said, v in scores.items() if said in asked)]) as server:
        attributes = [{"name": "reward", "weight": 1}]
        run.sections["reward"] = {
            "model": "judge",
            "base_urls": [server.url],
            "attributes": attributes,
            "quantile": 0.4,
        }
        built = run.build()
    assert built.manifest["cuts"]["reward"] == {"value": 2.0, "basis": "quantile 0.4 of 3 scores"}
    assert funnel(built)["published/rows"] == 1
