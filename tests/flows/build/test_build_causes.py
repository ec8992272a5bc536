"""Rounds of sampling by the cause of what could not be judged, in whole builds."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.judge_server import JudgeServer

UNREADABLE = r"It is \boxed{5\text{ or is that wrong?}}."


class Wavering(ChatServer):
    """Says the given answers to the first requests of every prompt, and then what is right."""

    def __init__(self, *first: str) -> None:
        super().__init__(wrong_percent=0)
        self.first, self.asked = first, Counter[str]()

    def _solve(self, prompt: str, digest: str) -> str:
        number = self.asked[digest]
        self.asked[digest] += 1
        return self.first[number] if number < len(self.first) else super()._solve(prompt, digest)


def small(folder: Path, teacher: ChatServer, references: list[str | None], **sections: Any) -> SmallRun:
    """One row for each reference, in the plain layout; None: the right one."""
    rows = []
    for number, reference in enumerate(references):
        asked = question(number)
        rows.append({"question": asked["question"], "answer": reference or asked["answer"].split("#### ")[1]})
    run = SmallRun(folder, teacher.url, rows=rows)
    run.sections |= {
        "sources": [{"name": "rows", "path": "rows.jsonl"}],
        "decontaminate": {"benchmarks": []},
        "distill": run.recipe()["distill"] | {"max_rounds": 4, "samples_per_round": 1},
        **sections,
    }
    return run


def test_an_unreadable_first_sample_leaves_the_other_three(tmp_path: Path) -> None:
    """With four rounds, a problem whose first answers cannot be read is asked on, and published once one is right."""
    with Wavering(UNREADABLE, "I am not sure.") as teacher:
        run = small(tmp_path / "run", teacher, [None] * 5)
        built = run.build()
        assert funnel(built) == {"source/rows": 5, "published/rows": 5}
        assert set(teacher.asked.values()) == {3}
        assert run.build().n_executed == 0
    verdicts = table(run.out, "verdicts").to_pylist()
    found = Counter((verdict["outcome"], verdict["cause"]) for verdict in verdicts)
    assert found == {("unverifiable", "response"): 5, ("incorrect", None): 5, ("correct", None): 5}
    traces = [row for row in table(run.out, "traces").to_pylist() if row["outcome"] == "unverifiable"]
    assert {json.loads(row["evidence"])["cause"] for row in traces} == {"response"}


def test_what_is_never_readable_is_asked_as_often_as_the_recipe_says(tmp_path: Path) -> None:
    """Four unreadable answers end the problem, as unverifiable, with the cause in the evidence."""
    with Wavering(*[UNREADABLE] * 9) as teacher:
        run = small(tmp_path / "run", teacher, [None] * 2)
        assert funnel(run.build())["verify/unverifiable"] == 2
        assert set(teacher.asked.values()) == {4}
    [first, _] = table(run.out, "dropped").to_pylist()
    assert [verdict["cause"] for verdict in json.loads(first["evidence"])["verdicts"]] == ["response"] * 4


def test_an_unusable_reference_closes_the_problem(tmp_path: Path) -> None:
    """Where the first comparison shows that the reference cannot be read, nothing more is paid for it."""
    with Wavering() as teacher:
        run = small(tmp_path / "run", teacher, ["???", "proof", None])
        counts = funnel(run.build())
        assert (counts["verify/unverifiable"], counts["published/rows"]) == (2, 1)
        assert sorted(teacher.asked.values()) == [1, 1]  # the proof was never asked about
    evidence = [row["evidence"] for row in table(run.out, "dropped").to_pylist()]
    assert sum('"cause":"reference"' in text for text in evidence) == 1


def test_a_judge_still_decides_where_the_reference_is_prose(tmp_path: Path) -> None:
    """A reference that no rule can use closes nothing where a judge is named, not even after an empty answer."""
    prose = "They are as many as there are on both of the lists taken together"
    with Wavering("") as teacher, JudgeServer(says=lambda _: "correct") as judge:
        section = {"model": "judge", "revision": "r1", "base_urls": [judge.url], "give_up_after_s": 2}
        run = small(tmp_path / "run", teacher, [prose] * 2, judge=section)
        assert funnel(run.build())["published/rows"] == 2
        assert set(teacher.asked.values()) == {2}
    verifiers = {row["verifier"] for row in table(run.out, "dataset").to_pylist()}
    assert verifiers == {"judge-equivalence@1"}


def test_boxes_are_read_in_every_spelling(tmp_path: Path) -> None:
    r"""``\box{}`` and ``\boxed 5`` are answers, and references, like ``\boxed{}``."""
    with Wavering() as teacher:
        answers = [question(n)["answer"].split("#### ")[1] for n in range(3)]
        run = small(
            tmp_path / "run", teacher, [rf"\boxed {answers[0]}", rf"\box{{{answers[1]}}}", rf"$\fbox{{{answers[2]}}}$"]
        )
        assert funnel(run.build())["published/rows"] == 3
