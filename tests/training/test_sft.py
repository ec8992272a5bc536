"""``python -m tracemill sft``: which traces, in which shape, and what is said of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.runs.published_runs import sample
from tests.support.training.traces import run_with_rejected
from tracemill.cli.main import main
from tracemill.core import RecipeError, StoreError
from tracemill.training import export_sft
from tracemill.training.export import AS, Wanted


def exported(run: Path, **wanted: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    out = run.parent / "out"
    facts = export_sft(run, Wanted(**wanted), out)
    assert json.loads((out / "sft.json").read_text()) == facts
    rows = [row for name in sorted(facts["files"]) for row in pq.read_table(out / name).to_pylist()]
    assert len(rows) == facts["rows"] == sum(entry["rows"] for entry in facts["files"].values())
    return facts, rows


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("published", {"r to question 1", "r to question 2"}),
        ("correct", {"r to question 1", "r to question 2", "faulty"}),
        ("wrong", {"wrong"}),
        ("all", {"r to question 1", "r to question 2", "faulty", "wrong", "bare"}),
    ],
)
def test_traces_are_chosen_by_query(tmp_path: Path, query: str, expected: set[str]) -> None:
    """Published, all right ones, wrong ones, or every response that was kept; sft.json counts rows and problems."""
    facts, rows = exported(run_with_rejected(tmp_path / "run"), traces=query)
    assert {row["response_id"] for row in rows} == expected
    assert facts["problems"] == len({row["id"] for row in rows})
    assert facts["rows_without_reasoning"] == (query == "all")
    assert sum(facts["licences"].values()) == len(rows)


@pytest.mark.parametrize("shape", AS)
def test_every_shape_is_a_file_that_datasets_reads(tmp_path: Path, shape: str) -> None:
    """All shapes load with their columns, twice the same bytes; an earlier export is replaced."""
    from datasets import load_dataset

    run = run_with_rejected(tmp_path / "run")
    facts, _ = exported(run, shape=shape)
    again, _ = exported(run, shape=shape)
    assert again == facts
    data = load_dataset("parquet", data_dir=str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert data.column_names == facts["columns"]


def test_the_papers_system_prompt_comes_first(tmp_path: Path) -> None:
    """With --system am P1's prompt is the first turn, unless a row has one of its own."""
    own = sample("question 1", messages=[{"role": "system", "content": "own"}, *sample("question 1").messages])
    run = run_with_rejected(tmp_path / "run", rows=[own, sample("question 2")])
    _, rows = exported(run, system="am", shape="prompt-completion")
    firsts = {row["response_id"]: row["prompt"][0] for row in rows}
    assert firsts["r to question 1"] == {"role": "system", "content": "own"}
    assert firsts["r to question 2"]["content"].startswith("You are a helpful assistant. To answer the user's question")
    assert all(row["completion"][0]["content"] == "<think>t</think>\n<answer>a</answer>" for row in rows)


def test_long_rows_are_left_out_whole_and_counted(tmp_path: Path) -> None:
    """No text is cut: a row is there as it is, or not at all; which one is said."""
    run = run_with_rejected(tmp_path / "run", rows=[sample("question 1"), sample("question 2", think="so " * 500)])
    facts, rows = exported(run, max_tokens=100)
    assert [row["response_id"] for row in rows] == ["r to question 1"]
    assert (facts["rows_over_max_tokens"], facts["max_tokens"]) == (1, 100)
    assert facts["tokens"]["longest"] <= 100
    whole, _ = exported(run)
    assert (whole["rows"], whole["rows_over_max_tokens"]) == (2, 0)
    assert whole["tokens"]["longest"] > 500


def test_verl_rows_are_problems(tmp_path: Path) -> None:
    """One row a problem, whatever the number of its traces, with what ``python -m verifiers`` judges by."""
    rows = [sample("question 1", said=said) for said in ("r", "s")]
    rows.append(sample("question 2", reference_answer=None, tests='{"kind":"assert","asserts":["assert f()"]}'))
    _, found = exported(run_with_rejected(tmp_path / "run", rows=rows), shape="verl")
    by_prompt = {row["prompt"][0]["content"]: row for row in found}
    assert len(found) == 2
    assert by_prompt["question 1"]["reward_model"] == {"style": "rule", "ground_truth": "1"}
    assert json.loads(by_prompt["question 2"]["reward_model"]["ground_truth"])["kind"] == "assert"
    assert by_prompt["question 2"]["extra_info"]["tests"] == by_prompt["question 2"]["reward_model"]["ground_truth"]
    assert {row["data_source"] for row in found} == {"a"}


@pytest.mark.parametrize(
    ("wanted", "rejected", "told"),
    [
        ({"traces": "all"}, False, "select.rejected=true"),
        ({"max_tokens": 1}, True, "is left to train on"),
        ({"shape": "verl", "traces": "all"}, True, "takes problems"),
        ({"shape": "reasoning", "system": "am"}, True, "does not write"),
    ],
)
def test_what_cannot_be_exported_is_refused(tmp_path: Path, wanted: dict[str, Any], rejected: bool, told: str) -> None:
    """Texts that the run does not keep, an empty selection, and shapes that do not hold it; nothing is written."""
    run = run_with_rejected(tmp_path / "run", rejected=rejected)
    with pytest.raises((StoreError, RecipeError), match=told):
        export_sft(run, Wanted(**wanted), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_run_and_foreign_folders_are_refused(tmp_path: Path) -> None:
    """An unfinished run has nothing to export, and a folder that no export has written is not replaced."""
    with pytest.raises(StoreError, match="no finished run"):
        export_sft(tmp_path, Wanted(), tmp_path / "out")
    (tmp_path / "mine").mkdir()
    with pytest.raises(StoreError, match="is no export"):
        export_sft(run_with_rejected(tmp_path / "run"), Wanted(), tmp_path / "mine")


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what it wrote and where; --json is one document; an unknown shape is a wrong command line."""
    run = run_with_rejected(tmp_path / "run")
    monkeypatch.setattr(sys, "argv", ["tracemill", "sft", str(run), "--traces", "all", "--max-tokens", "5000"])
    assert main() == 0
    told = capsys.readouterr().out
    assert "5 rows of 3 problems as messages, traces: all, system prompt: none" in told
    assert "left out  0 rows of more than 5,000 tokens" in told
    assert (tmp_path / "run-sft-messages" / "sft.json").is_file()
    monkeypatch.setattr(sys, "argv", ["tracemill", "sft", str(run), "--as", "verl", "--json"])
    assert main() == 0
    assert json.loads(capsys.readouterr().out)["shape"] == "verl"
    monkeypatch.setattr(sys, "argv", ["tracemill", "sft", str(run), "--as", "chatml"])
    with pytest.raises(SystemExit, match="2"):
        main()
