"""The build flow with models that judge: what they rescue, what they score, where the cut is, and what is paid for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.judge_server import JudgeServer, server_of

MARK = re.compile(r"Note (\d+) ")


def note(prompt: str) -> int:
    """The number of the problem that a judge is asked about."""
    found = MARK.search(prompt)
    assert found is not None
    return int(found.group(1))


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, tmp_path: Path) -> SmallRun:
    small = SmallRun(tmp_path / "run", teacher.url)
    small.rows = [question(n) for n in range(20)]
    return small


def test_a_judge_rescues_what_the_rule_calls_wrong(run: SmallRun, teacher: ChatServer) -> None:
    """What only the judge calls right is published by its verdict; both verdicts stand; no request is repeated."""
    without = funnel(run.build())
    assert without["verify/incorrect"] > 1
    with JudgeServer(says=lambda prompt: "correct" if note(prompt) % 2 else "incorrect") as judge:
        run.sections["judge"] = server_of(judge)
        n_taught = teacher.received
        built = run.build()
        rescued = [row for row in table(run.out, "dataset").to_pylist() if row["verifier"] == "judge-equivalence@1"]
        verdicts = table(run.out, "verdicts").to_pylist()
        asked = judge.received
        again = run.build()
        assert (again.n_executed, judge.received, teacher.received) == (0, asked, n_taught)
    assert rescued
    assert all(note(row["prompt"]) % 2 for row in rescued)
    assert {(row["outcome"], row["score"], row["n_correct"]) for row in rescued} == {("correct", 1.0, 1)}
    ids = {row["id"] for row in rescued}
    said = {(v["problem_id"], v["verifier"]): v for v in verdicts}
    for problem in ids:
        assert said[problem, "math@8"]["outcome"] == "incorrect"
        assert said[problem, "judge-equivalence@1"]["outcome"] == "correct"
        assert said[problem, "judge-equivalence@1"]["provenance"] == "judge@r1"
    n_wrong = sum(v["outcome"] == "incorrect" for v in verdicts if v["verifier"] == "math@8")
    assert asked == n_wrong == sum(v["verifier"] == "judge-equivalence@1" for v in verdicts)
    assert funnel(built)["verify/incorrect"] < without["verify/incorrect"]


def test_a_rescued_trace_needs_no_teacher(run: SmallRun, teacher: ChatServer) -> None:
    """What the judge calls right is solved: the teacher is not asked about a trace that was rescued."""
    with JudgeServer(says=lambda _: "correct") as judge:
        run.sections["judge"] = server_of(judge)
        counts = funnel(run.build())
    assert "Note 1001 " not in " ".join(body["messages"][-1]["content"] for body in teacher.bodies)
    assert "verify/incorrect" not in counts


@pytest.fixture
def open_run(run: SmallRun) -> SmallRun:
    """A run whose rows are open questions without reference."""
    lines = [{"prompt": f"{question(n)['question']} Explain your way."} for n in range(20)]
    run.folder.mkdir(parents=True)
    (run.folder / "open.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run.sections["sources"] = [
        {"name": "open", "path": "open.jsonl", "layout": "plain", "columns": {"prompt": "prompt"}, "category": "other"}
    ]
    run.sections["decontaminate"] = {"benchmarks": []}
    return run


def test_open_answers_are_paid_for_once_they_can_be_judged(open_run: SmallRun, teacher: ChatServer) -> None:
    """Open questions are dropped before generation without a section for them, and answered once there is one."""
    counts = funnel(open_run.build())
    assert (counts["verify/unverifiable"], teacher.received) == (20, 0)
    with JudgeServer(scores=lambda _: [4.0] * 5) as judge:
        open_run.sections["reward"] = server_of(judge, profile="decision-tree-reward", threshold=0.8)
        assert funnel(open_run.build())["published/rows"] == teacher.received == 20


def test_open_answers_pass_above_a_fixed_cut(open_run: SmallRun) -> None:
    """Scores decide about open answers; the verdict tells attributes and cut, the card and the manifest the cut."""
    with JudgeServer(scores=lambda prompt: [len(prompt) % 5, 4.0, 4.0, 0.0, 4.0]) as judge:
        open_run.sections["reward"] = server_of(judge, profile="decision-tree-reward", threshold=0.8)
        built = open_run.build()
    verdicts = [v for v in table(open_run.out, "verdicts").to_pylist() if v["verifier"] == "score-reward@1"]
    rows = table(open_run.out, "dataset").to_pylist()
    assert len(verdicts) == 20
    assert all((v["outcome"] == "correct") == (v["score"] > 0.8) for v in verdicts)
    assert "the cut 0.8; helpfulness" in verdicts[0]["detail"]
    assert len(rows) == sum(v["score"] > 0.8 for v in verdicts)
    assert {row["verifier"] for row in rows} <= {"score-reward@1"}
    assert built.manifest["cuts"] == {"reward": {"value": 0.8, "basis": "fixed by the recipe"}}
    assert "pass above 0.8" in (open_run.out / "dataset" / "README.md").read_text()
    shown = [body["messages"] for body in judge.bodies]
    assert all([turn["role"] for turn in turns] == ["user", "assistant"] for turns in shown)
    assert not any("Let me see" in turns[-1]["content"] for turns in shown), "the think part was shown"


def test_a_calibrated_cut_stays_while_the_dataset_grows(open_run: SmallRun, teacher: ChatServer) -> None:
    """The cut is a quantile of the first batch's scores, paid for once; rows that are added later do not move it."""
    marks = '{"coherence": %d, "correctness": %d, "helpfulness": 4}'
    with JudgeServer(says=lambda prompt: marks % (note(prompt) % 5, note(prompt) // 5 % 5)) as judge:
        open_run.sections["rubric"] = server_of(judge, quantile=0.5, calibration=10)
        first = open_run.build()
        assert (teacher.received, judge.received) == (20, 20)
        with (open_run.folder / "open.jsonl").open("a") as rows:
            rows.writelines(json.dumps({"prompt": question(n)["question"]}) + "\n" for n in range(24, 44, 5))
        second = open_run.build()
        assert (teacher.received, judge.received) == (24, 24)
    cut = first.manifest["cuts"]["rubric"]
    assert cut["basis"] == "quantile 0.5 of 10 scores"
    assert second.manifest["cuts"]["rubric"] == cut
    verdicts = [v for v in table(open_run.out, "verdicts").to_pylist() if v["verifier"] == "score-rubric@1"]
    assert len(verdicts) == 24
    assert all((v["outcome"] == "correct") == (v["score"] > cut["value"]) for v in verdicts)
