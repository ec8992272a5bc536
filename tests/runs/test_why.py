"""``why``: the life of one row, from where it was collected to where it was published or lost."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs.audited_set import write
from tests.support.runs.small_run import SmallRun, audit, question, table
from tests.support.servers.chat_server import ChatServer
from tests.support.warm import start as programs
from tracemill.core import StoreError
from tracemill.runs import story
from tracemill.runs.why import nearest_ids, render


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRun]:
    """A built run with a copy, a near copy, a contaminated row, wrong answers and a broken line."""
    rows: list[Any] = [question(n) for n in range(30)]
    near = question(5) | {"question": question(5)["question"] + " Please."}
    rows += [question(0), near, "{broken", {"question": "Too short", "answer": "#### 1"}]
    with ChatServer() as teacher:
        built = SmallRun(tmp_path_factory.mktemp("why"), teacher.url, rows=rows)
        built.build()
        yield built


def ids(run: SmallRun, folder: str, **wanted: Any) -> list[str]:
    found = [row for row in table(run.out, folder).to_pylist() if all(row[k] == v for k, v in wanted.items())]
    return [row["id"] for row in found]


def told(run: SmallRun, asked: str) -> str:
    return render(story(run.out, asked, run.folder / "store" / "ledger"))


CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "dataset",
        {"source": "rows"},
        [
            "source         rows, file rows.jsonl",
            "collect        passed",
            "distill        1 response(s): 1 teacher",
            "verify         1 correct",
            "export         published: response ",
            "the ledger",
            "UTC",
            "math@",
        ],
    ),
    ("dataset", {"origin": "source"}, ["distill        1 response(s): 1 source", "the source", "deepseek-r1"]),
    ("dropped", {"reason": "exact_duplicate"}, ["a copy, row 30 of rows, was dropped: exact_duplicate"]),
    (
        "dropped",
        {"reason": "near_duplicate"},
        ["deduplicate    dropped: near_duplicate", "kept instead of it", "minhash"],
    ),
    ("dropped", {"reason": "bench"}, ["decontaminate  dropped: bench", "item: ", "score: ", "deduplicate    kept"]),
    ("dropped", {"reason": "incorrect"}, ["verify         dropped: incorrect", "extracted", "the ledger", "stop"]),
    ("dropped", {"reason": "too_short"}, ["clean          dropped: too_short", "collect        passed"]),
]


@pytest.mark.parametrize(("folder", "wanted", "lines"), CASES)
def test_a_life_is_told(run: SmallRun, folder: str, wanted: dict[str, Any], lines: list[str]) -> None:
    """Stage by stage, with rows it was compared with, benchmark items, every request with tokens and time, verdicts."""
    text = told(run, ids(run, folder, **wanted)[0][:16])
    assert [line for line in lines if line not in text] == [], text


def test_who_was_dropped_for_a_row(run: SmallRun) -> None:
    """A row that stays names the copies that were dropped for it, with method and score."""
    (near,) = ids(run, "dropped", reason="near_duplicate")
    kept = next(record for record in story(run.out, near) if record["where"] == "compared")
    (found,) = [record for record in story(run.out, kept["id"]) if record["where"] == "compared"]
    assert (found["relation"], found["id"], found["method"]) == ("dropped for it", near, "minhash")
    assert 0.7 <= found["score"] < 1


def test_what_the_ledger_says_of_a_request(run: SmallRun) -> None:
    """A response of the teacher's is found in the ledger by its id: key, tokens, and when."""
    (row, *_) = ids(run, "dataset", source="rows")
    (paid,) = [record for record in story(run.out, row, run.folder / "store" / "ledger") if record["where"] == "ledger"]
    published = story(run.out, row)[0]
    assert paid["response_id"] == published["response_id"]
    assert paid["completion_tokens"] == published["completion_tokens"]
    assert paid["not_before"] <= paid["not_after"]
    assert len(paid["key"]) == 64


def test_unknown_and_ambiguous_ids(run: SmallRun) -> None:
    """An id that no row has is an error that names the nearest; a beginning of very many ids one that says so."""
    (row, *_) = ids(run, "dataset", source="rows")
    mistyped = f"{row[:10]}{'0' if row[10] != '0' else '1'}{row[11:16]}"
    with pytest.raises(StoreError, match=f"no row {mistyped}(?s:.*)nearest are {row}"):
        story(run.out, mistyped)
    with pytest.raises(StoreError, match=r"\d+ rows begin with \n(?s:.*)give more"):
        story(run.out, "")
    assert nearest_ids([], "abc") == []


def test_the_command(run: SmallRun) -> None:
    """From a shell: a text for people, records for scripts, and one line and status 1 for an unknown id."""
    (row, *_) = ids(run, "dropped", reason="incorrect")

    def command(*words: object) -> subprocess.CompletedProcess[str]:
        return programs.run("tracemill", "why", *map(str, words), "--run", str(run.out))

    assert "dropped: incorrect" in command(row[:14]).stdout
    records = json.loads(command(row, "--json", "--ledger", run.folder / "store" / "ledger").stdout)
    assert [record["where"] for record in records] == ["dropped", "verdicts", "traces", "ledger"]
    refused = command("ffffffffffff")
    assert (refused.returncode, "nearest" in refused.stderr) == (1, True)


def test_a_row_of_an_audit(tmp_path: Path) -> None:
    """Of an audit's rows too: what was judged, and why."""
    settings = [f"run.store={tmp_path / 'store'}", "verify.workers=1"]
    audit(write(tmp_path), tmp_path / "out", settings, limit=3)
    row = table(tmp_path / "out", "verdicts").to_pylist()[0]
    assert story(tmp_path / "out", row["id"])[0]["outcome"] == row["outcome"]
    assert row["verifier"] in render(story(tmp_path / "out", row["id"]))
