"""``--preview``: a few rows through all stages, shown; nothing is published, and nothing is paid for twice."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.build_dataset import __doc__ as about
from flows.build_dataset import build, build_dataset, found, previewed, render_summary
from flows.command_line import dataset_command
from flows.preview import preview
from flows.teacher_from_env import load_recipe_with_env
from tests.support.runs.small_run import SmallRun, question
from tests.support.servers.chat_server import ChatServer
from tracemill.runs.preview import Seen, Whole, cost_lines
from tracemill.sources.size import size_of


def typed(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of the command, in this process."""
    monkeypatch.setattr(sys, "argv", ["build_dataset", *arguments])
    return dataset_command(build_dataset, render_summary, "build_dataset", about or "", found, previewed)


def test_a_preview_and_then_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of each source with what every stage did, and what a run would ask; the run asks only for the others."""
    monkeypatch.chdir(tmp_path)
    rows = ["{broken", *(question(number) for number in range(30))]
    with ChatServer() as teacher:
        small = SmallRun(tmp_path / "small", teacher.url, rows=rows)
        small.write()
        assert typed(monkeypatch, str(small.recipe_path), "--preview", "6") == 0
        told = capsys.readouterr().out
        n_previewed = teacher.received
        assert not small.out.exists()
        assert {path.name for path in (small.folder / "store").iterdir()} == {"ledger"}
        small.build()
        n_all = teacher.received
    with ChatServer() as teacher:
        alone = SmallRun(tmp_path / "alone", teacher.url, rows=rows)
        alone.build()
        assert n_all == teacher.received
    assert n_previewed >= 4
    expected = (
        "rows: 6 rows, ",
        "traced: 2 rows, 2 published",
        "{broken",
        "dropped: collect/malformed_json",
        "dropped: decontaminate/bench",
        "deduplicate    kept",
        "verify         1 correct",
        "answer         ",
        "Nothing was published.",
        "browse .tracemill/preview/small/run",
    )
    assert [part for part in expected if part not in told] == [], told
    assert " 31 " in next(line for line in told.splitlines() if line.startswith("  rows "))


def test_a_second_preview_is_made_anew(tmp_path: Path) -> None:
    """It shows the sources as they are now, and asks the teacher nothing that the first one did."""
    with ChatServer() as teacher:
        small = SmallRun(tmp_path, teacher.url, rows=[question(number) for number in range(5)])
        small.write()
        recipe = load_recipe_with_env(str(small.recipe_path), [])
        first = preview(recipe, 3, build, logging.getLogger(), tmp_path / "previews")
        n_asked = teacher.received
        (tmp_path / "rows.jsonl").write_text(json.dumps(question(0)) + "\n")
        second = preview(recipe, 3, build, logging.getLogger(), tmp_path / "previews")
        assert teacher.received == n_asked
    assert "rows: 3 rows" in first.text
    assert "rows: 1 rows" in second.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--preview", "0"], "no number of rows from 1 to 1,000"),
        (["--preview", "many"], "no number of rows from 1 to 1,000"),
        (["--preview", "5", "--out", "x"], "leave out --out"),
    ],
)
def test_a_preview_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """A number of rows that is none, and a place for what is not published, are refused before anything is done."""
    with pytest.raises(SystemExit) as error:
        typed(monkeypatch, "nowhere.yaml", *arguments)
    assert error.value.code == 2
    assert told in capsys.readouterr().err


def test_what_a_full_run_would_ask() -> None:
    """In proportion to the rows that there are; of every thousand, where only reading a source would tell."""
    seen = {"a": Seen(10, 5, 10, 2_000, 4), "b": Seen(10, 10, 10, 1_000, 9), "c": Seen(5, 0, 0, 0, 5)}
    wholes = {"a": Whole(1_000, is_exact=True), "b": Whole(None, is_exact=False), "c": Whole(50, is_exact=False)}
    lines = cost_lines(seen, wholes, 30)
    found = [" ".join(line.split()) for line in lines]
    assert found[1:] == [
        "a 1,000 ~400 ~1,000 ~200 k",
        "b 1,000 ~900 ~1,000 ~100 k of every 1,000 rows",
        "c ~50 ~50 ~0 ~0",
        "in all 1,050 ~450 ~1,000 ~200 k",
        "distill.limit asks about 30 problems at most ~40 ~6,000",
        "(tokens are estimates; distill.cost measures hours and money before a run generates anything)",
    ]
    assert cost_lines({"c": seen["c"]}, wholes, None)[0].startswith("a full run: the teacher was asked nothing")


def test_how_many_rows_a_source_has(tmp_path: Path) -> None:
    """Parquet says it, short files are counted, long ones are reckoned, compressed ones only reading would tell."""
    small = SmallRun(tmp_path, "http://127.0.0.1:9/v1", rows=[question(number) for number in range(1_000)])
    small.write()
    traced, rows = load_recipe_with_env(str(small.recipe_path), []).sources
    assert size_of(traced, str(tmp_path)) == (2, True)
    n_rows, is_exact = size_of(rows, str(tmp_path))
    assert n_rows is not None
    assert abs(n_rows - 1_000) < 50
    assert not is_exact
    pq.write_table(pa.table({"question": ["a"] * 7}), tmp_path / "rows.parquet")
    assert size_of(rows.model_copy(update={"path": "rows.parquet"}), str(tmp_path)) == (7, True)
    (tmp_path / "rows.jsonl.zst").write_bytes(b"")
    assert size_of(rows.model_copy(update={"path": "rows.jsonl.zst"}), str(tmp_path)) == (None, False)
