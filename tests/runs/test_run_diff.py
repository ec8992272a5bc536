"""``report`` and ``diff``: what finished runs say of themselves, and what changed between two of them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs.published_runs import run, sample
from tests.support.runs.samples import problem
from tests.support.warm import start as programs
from tracemill.core import Dropped, StoreError, dropped_problem, json_text
from tracemill.runs import diff
from tracemill.runs.diff import render
from tracemill.runs.report import render_report, report_html
from tracemill.runs.rows import NOT_THERE


def test_a_run_is_the_same_as_itself(tmp_path: Path) -> None:
    """Equal rows are neither added, removed nor changed, whatever the seed that shuffled them."""
    rows = [sample(f"question {n}", said=f"r{n}") for n in range(10)]
    found = diff(run(tmp_path / "a", rows), run(tmp_path / "b", rows[::-1]))
    assert (found.rows_a, found.rows_b, found.same) == (10, 10, 10)
    assert (found.added.rows, found.removed.rows, found.changed.rows) == (0, 0, 0)


def test_rows_are_added_and_removed_with_the_reason(tmp_path: Path) -> None:
    """A row that is gone says where the later run dropped it and why, an added one where it had been lost."""
    stays, wrong, never, new, mended = (sample(f"question {name}") for name in ("1", "2", "3", "4", "5"))
    dropped_a = [Dropped(mended.id, "a", 0, "verify", "incorrect", {}, prompt=mended.prompt)]
    dropped_b = [Dropped(wrong.id, "a", 0, "decontaminate", "gsm8k", {"score": 1.0}, prompt=wrong.prompt)]
    a = run(tmp_path / "a", [stays, wrong, never], dropped_a)
    found = diff(a, run(tmp_path / "b", [stays, new, mended], dropped_b))
    assert (found.same, found.rows_b) == (1, found.rows_a - found.removed.rows + found.added.rows)
    assert found.removed.why == {"decontaminate/gsm8k": 1, NOT_THERE: 1}
    assert found.added.why == {NOT_THERE: 1, "verify/incorrect": 1}
    (example,) = [example for example in found.removed.examples if example["id"] == wrong.id]
    assert (example["prompt"], example["evidence"]) == (wrong.prompt, {"score": 1.0})


def test_what_was_dropped_last_tells_of_a_row(tmp_path: Path) -> None:
    """Copies share the id: that one was dropped as a duplicate is not why the row itself is gone."""
    row = sample("question")
    dropped = [
        Dropped(row.id, "a", 0, "verify", "incorrect", {"n": 1}),
        Dropped(row.id, "b", 0, "deduplicate", "exact_duplicate", {"of": row.id}),
    ]
    for order in (dropped, dropped[::-1]):
        found = diff(run(tmp_path / "a", [row]), run(tmp_path / "b", [], order))
        assert found.removed.why == {"verify/incorrect": 1}
        assert found.removed.examples[0]["evidence"] == {"n": 1}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"response_id": "other"}, {"response": 1}),
        ({"difficulty": "hard"}, {"labels": 1}),
        ({"quality": 3, "pass_rate": 0.5}, {"labels": 1, "verdict": 1}),
        ({"licence": "CC-BY-NC-4.0", "non_commercial": True}, {"source": 1}),
    ],
)
def test_changed_rows_say_what_differs(tmp_path: Path, changes: dict[str, Any], what: dict[str, int]) -> None:
    """A row of the same id is changed where its response, verdict, labels or licence are other ones."""
    rows = [sample("question 1"), sample("question 2")]
    found = diff(run(tmp_path / "a", rows), run(tmp_path / "b", [dataclasses.replace(rows[0], **changes), rows[1]]))
    assert (found.same, found.changed.rows, found.changed.why) == (1, 1, what)
    assert found.changed.examples[0]["now"] == changes


def test_another_reference_is_a_change(tmp_path: Path) -> None:
    """One prompt with another reference is one changed row, unless several rows have that prompt."""
    a = run(tmp_path / "a", [sample("question 1"), sample("question 2", "1"), sample("question 2", "2")])
    b = run(tmp_path / "b", [sample("question  1", "3"), sample("question 2", "4"), sample("question 2", "5")])
    found = diff(a, b)
    assert (found.changed.rows, found.changed.why) == (1, {"reference": 1})
    assert found.changed.examples[0]["now"]["reference_answer"] == "3"
    assert (found.removed.rows, found.added.rows) == (2, 2)


def test_a_rewritten_row_is_the_same_question(tmp_path: Path) -> None:
    """Rows that cleaning rewrote are followed by their former id, into the dataset and into what was dropped."""
    kept, lost = sample("Problem 1. question 1"), sample("Problem 2. question 2")
    now = sample("question 1", info=json_text({"former_id": kept.id}))
    gone = dropped_problem(problem("question 2", info={"former_id": lost.id}), "verify", "timeout", {})
    found = diff(run(tmp_path / "a", [kept, lost]), run(tmp_path / "b", [now], [gone]))
    assert (found.changed.why, found.removed.why, found.added.rows) == ({"reference": 1}, {"verify/timeout": 1}, 0)


def test_empty_datasets_are_compared(tmp_path: Path) -> None:
    """No rows on one side are all rows added or removed on the other."""
    empty, full = run(tmp_path / "a", []), run(tmp_path / "b", [sample("question")])
    assert (diff(empty, full).added.rows, diff(full, empty).removed.rows, diff(empty, empty).same) == (1, 1, 0)


def test_only_finished_builds_are_compared(tmp_path: Path) -> None:
    """A directory without a manifest, or one that lost a file, is refused and named."""
    whole = run(tmp_path / "a", [sample("question")])
    with pytest.raises(StoreError, match=r"no manifest\.json"):
        diff(whole, tmp_path / "nowhere")
    (whole / "report.html").unlink()
    with pytest.raises(StoreError, match=r"a\n.*not all files"):
        diff(whole, whole)


def test_the_report_tells_funnel_and_yields(tmp_path: Path) -> None:
    """Rows in, drops by reason, rows published, and the share of each source that got through."""
    finished = run(tmp_path / "a", [sample("question 1"), sample("question 2")])
    lines = render_report(finished).splitlines()
    assert lines[0].startswith("small: 2 rows in dataset/")
    assert any(line.split() == ["verify", "incorrect", "-3", "6", "left"] for line in lines)
    assert lines[-2].split() == ["a", "8", "5", "62.5%"]
    assert report_html(finished).read_text() == "page"


def test_commands(tmp_path: Path) -> None:
    """``report`` and ``diff`` run from a shell; ``--json`` is the comparison, an error is one line and status 1."""
    row = sample("question 1")
    a, b = run(tmp_path / "a", [row]), run(tmp_path / "b", [dataclasses.replace(row, quality=5), sample("question 2")])

    def command(*words: object) -> subprocess.CompletedProcess[str]:
        return programs.run("tracemill", *map(str, words))

    assert "published" in command("report", a).stdout
    assert command("report", a, "--html").stdout.strip() == str(a / "report.html")
    assert json.loads(command("diff", a, b, "--json").stdout) == json.loads(json.dumps(diff(a, b).as_json()))
    assert command("diff", a, b).stdout.strip() == render(diff(a, b))
    assert "added: 1" in render(diff(a, b))
    assert "quality: None -> 5" in render(diff(a, b))
    refused = command("report", tmp_path)
    assert refused.returncode == 1
    assert "no finished run" in refused.stderr
