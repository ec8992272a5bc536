"""The check of references: gold attempts, what their verdicts say of the reference, and the flow around them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.runs.killed_run import n_manifests
from tests.support.runs.samples import problem
from tests.support.runs.small_run import SmallRun, digests_of, question, table
from tests.support.servers.chat_server import ChatServer
from tracemill.audit.references import gold_answer, gold_attempts, status_of
from verifiers import verifier_versions

CODE = {"kind": "assert", "setup": "", "asserts": ["assert f(1) == 2"]}
PROGRAM = "def f(x):\n    return 2 * x"


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"category": "math"}, r"\boxed{1}"),
        ({"category": "math", "reference": r"\frac{1}{2}"}, r"\boxed{\frac{1}{2}}"),
        ({"category": "math", "reference": None}, None),
        ({"category": "choice", "reference": "B"}, r"\boxed{B}"),
        ({"category": "code", "tests": CODE, "info": {"reference_solution": PROGRAM}}, f"```python\n{PROGRAM}\n```"),
        (
            {"category": "code", "tests": CODE | {"language": "cpp"}, "info": {"reference_solution": "int x;"}},
            "```cpp\nint x;\n```",
        ),
        ({"category": "code", "info": {"reference_solution": "s = '```'"}}, "````python\ns = '```'\n````"),
        ({"category": "code", "tests": CODE}, None),
        ({"category": "instruction", "constraints": [{"id": "a:b", "kwargs": {}}]}, ""),
        ({"category": "instruction"}, None),
        ({"category": "other"}, None),
    ],
)
def test_gold_answers(fields: dict[str, Any], answer: str | None) -> None:
    """Gold is the boxed reference, the fenced solution in the tests' language, or, for constraints, nothing at all."""
    fields = dict(fields)
    assert gold_answer(problem("What?", fields.pop("reference", "1"), **fields)) == answer


def test_rows_without_gold_say_why() -> None:
    """A row without a reference is no_reference; one of a category that has none is nothing_to_check."""
    rows = [problem("A?"), problem("B?", None), problem("C?", None, category="other"), problem("D?", category="code")]
    kept, dropped, attempts = gold_attempts(rows)
    assert [row.prompt for row in kept] == ["A?"]
    assert kept[0].info["response_ids"] == [attempts[0].id]
    assert [row.reason for row in dropped] == ["no_reference", "nothing_to_check", "no_reference"]


@pytest.mark.parametrize(
    ("category", "outcome", "verifier", "status"),
    [
        ("math", "correct", "math@3", "good"),
        ("math", "incorrect", "math@3", "bad"),
        ("math", "unverifiable", "math@3", "bad"),
        ("math", "timeout", "math@3", "bad"),
        ("choice", "incorrect", "choice@2", "bad"),
        ("code", "correct", "code@2", "good"),
        ("code", "incorrect", "code@2", "bad"),  # the solution fails the tests
        ("code", "unverifiable", "code@2", "bad"),  # the tests are broken
        ("code", "sandbox_error", "code@2", "not_checked"),
        ("code", "unverifiable", "none@1", "not_checked"),
        ("instruction", "incorrect", "instructions@2", "good"),  # nothing was answered, as it should find
        ("instruction", "correct", "instructions@2", "good"),  # "no commas" holds of nothing
        ("instruction", "unverifiable", "instructions@2", "bad"),  # a constraint that nobody knows
        ("instruction", "timeout", "instructions@2", "bad"),
    ],
)
def test_what_a_verdict_says_of_a_reference(category: str, outcome: str, verifier: str, status: str) -> None:
    """A reference is bad if its own verifier does not pass it; missing infrastructure says nothing about it."""
    assert status_of({"category": category, "outcome": outcome, "verifier": verifier}) == status


BAD = {
    "proof": "unverifiable",
    "The answer depends on the number of apples in the garden.": "unverifiable",
    r"\frac{1}{": "incorrect",  # a box around it never closes
}


def gsm8k(number: int, reference: str) -> dict[str, Any]:
    """A word problem with that reference."""
    return question(number) | {"answer": f"So it is.\n#### {reference}"}


def planted(folder: Path, **sections: Any) -> SmallRun:
    """Sources with planted bad references; no teacher answers at the address given."""
    run = SmallRun(folder, "http://127.0.0.1:9/v1")
    run.rows = [question(number) for number in range(40)]
    run.rows += [gsm8k(50 + number, reference) for number, reference in enumerate(BAD)]
    run.rows += [{"question": "What is missing here, then?", "answer": "#### "}, "{broken"]
    run.sections = sections
    run.write()
    return run


def check(run: SmallRun) -> Any:
    """Checks in this process; returns the run."""
    return run.check(run.folder / "references")


def test_planted_bad_references_are_found(tmp_path: Path) -> None:
    """The bad references, and only they, are listed with source, row, outcome and detail; no row is lost."""
    run = planted(tmp_path)
    found = check(run).summary
    counts = ("rows", "good", "bad", "not_checked", "no_reference", "nothing_to_check", "unreadable")
    assert [found["by_source"]["rows"][name] for name in counts] == [45, 40, 3, 0, 1, 0, 1]
    assert [found["by_source"]["traced"][name] for name in counts] == [2, 2, 0, 0, 0, 0, 0]
    assert [found[name] for name in counts] == [47, 42, 3, 0, 1, 0, 1]
    assert sum(found["reasons"]["bad"].values()) == 3
    listed = pq.read_table(run.folder / "references" / "bad_references.parquet").to_pylist()
    assert {row["reference"]: row["outcome"] for row in listed} == BAD
    assert [(row["source"], row["row"], row["category"]) for row in listed] == [
        ("rows", n, "math") for n in (40, 41, 42)
    ]
    assert all(row["detail"] and row["prompt"].startswith("Note 5") for row in listed)
    dropped = table(run.folder / "references", "dropped").to_pylist()
    assert [(row["reason"], row["row"]) for row in dropped] == [("malformed_json", 44), ("no_reference", 43)]
    assert json.loads((run.folder / "references" / "summary.json").read_text()) == found
    assert "proof" in (run.folder / "references" / "report.html").read_text()


def test_a_second_check_does_nothing(tmp_path: Path) -> None:
    """Checked again, everything is found finished and the bytes stay."""
    run = planted(tmp_path)
    check(run)
    before = digests_of(run.folder / "references")
    assert check(run).n_executed == 0
    assert digests_of(run.folder / "references") == before


def test_a_check_collects_for_the_build(tmp_path: Path) -> None:
    """What was collected for the check is not collected again by the build."""
    run = planted(tmp_path)
    check(run)
    collected = n_manifests(run, "collect")
    with ChatServer() as teacher:
        run.teacher_url = teacher.url
        run.build()
    assert n_manifests(run, "label") == collected == n_manifests(run, "collect")


@pytest.mark.needs_docker
@pytest.mark.skipif(verifier_versions()["code"] == "none@1", reason="no verifier for code")
def test_wrong_solutions_are_found(tmp_path: Path) -> None:
    """A reference solution that fails its tests is a bad reference, in a real sandbox; a right one is good."""
    rows = [
        {"prompt": f"Write f, variant {n}.", "tests": CODE, "reference_solution": solution}
        for n, solution in enumerate([PROGRAM, PROGRAM.replace("2", "3"), "def f(x:", None])
    ]
    (tmp_path / "code.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = planted(tmp_path, sources=[{"name": "code", "path": "code.jsonl"}])
    found = check(run).summary
    assert [found[name] for name in ("good", "bad", "not_checked", "no_reference")] == [1, 2, 0, 1]
    listed = pq.read_table(run.folder / "references" / "bad_references.parquet").to_pylist()
    assert [(row["row"], row["outcome"]) for row in listed] == [(1, "incorrect"), (2, "incorrect")]


@pytest.mark.needs_real_data
def test_real_references(real_data: Path, tmp_path: Path) -> None:
    """All 7,473 references of GSM8K and all 1,000 of SVAMP are good; of MATH's 5,000 not one in a hundred is bad."""
    sources = [
        {"name": "gsm8k", "path": "sources/gsm8k_train.jsonl", "layout": "gsm8k"},
        {"name": "svamp", "path": "sources/svamp.jsonl", "layout": "svamp"},
        {"name": "math", "path": "sources/math_competition.jsonl", "layout": "math"},
    ]
    sections = {"sources": sources, "data_dir": str(real_data), "collect": {"shard_rows": 1000}}
    found = check(SmallRun(tmp_path, "http://127.0.0.1:9/v1", sections=sections)).summary["by_source"]
    assert {name: (group["rows"], group["good"]) for name, group in found.items() if name != "math"} == {
        "gsm8k": (7473, 7473),
        "svamp": (1000, 1000),
    }
    assert found["math"]["good"] >= 4950
