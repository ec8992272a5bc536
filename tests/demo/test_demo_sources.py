"""The demo's committed sources: reproducible, and flawed exactly as PLANTED.json says."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from demo import make_sources
from demo.layouts import PROMPT_KEYS
from demo.similarity import jaccard, normalised

DEMO = Path(make_sources.__file__).parent
PLANTED: dict[str, Any] = json.loads((DEMO / "sources/PLANTED.json").read_text())
TRACED = "traced.jsonl.zst"


def read_rows(file: str, content: bytes) -> list[Any]:
    """The rows of a source file as a reader finds them; a line that is no JSON stays text."""
    if file.endswith(".csv"):
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    if file.endswith(".parquet"):
        rows: list[Any] = pq.read_table(io.BytesIO(content)).to_pylist()
        return rows
    if file.endswith(".zst"):
        content = zstandard.ZstdDecompressor().decompress(content, max_output_size=1 << 24)
    return [parsed(line) for line in content.decode().splitlines()]


def parsed(line: str) -> Any:
    """The line's JSON, or the line."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return line


ROWS = {file: read_rows(file, (DEMO / "sources" / file).read_bytes()) for file in [*PROMPT_KEYS, TRACED]}
BENCHMARK = [json.loads(line) for line in (DEMO / "benchmarks/holdout.jsonl").read_text().splitlines()]


def planted_rows(kind: str) -> list[tuple[dict[str, Any], Any]]:
    """What PLANTED.json says of each row of a kind, with the row."""
    return [(entry, ROWS[entry["file"]][entry["row"]]) for entry in PLANTED["rows"] if entry["kind"] == kind]


def prompt_at(place: dict[str, Any]) -> Any:
    """The prompt of the row at {file, row}."""
    return ROWS[place["file"]][place["row"]][PROMPT_KEYS[place["file"]]]


def reference_of(file: str, row: dict[str, Any]) -> str | None:
    """The reference answer a row claims, read the way its layout keeps it."""
    if file == "word_problems.jsonl":
        return row["answer"].partition("#### ")[2] or None
    if file == "contest.jsonl":
        boxed = re.findall(r"\\boxed\{(.*)\}", row["solution"])
        return boxed[-1] if boxed else None
    reference: str | None = row["reference_answer"] if file == "drill.csv" else row["answer"]
    return reference


def answers_by_prompt() -> dict[str, int]:
    """The right answer of each problem that was drawn, by its prompt."""
    return {e.prompt: e.problem.answer for e in make_sources.make_plan().entries if e.problem is not None}


def test_sources_are_reproduced() -> None:
    """make_sources writes the committed files again: text byte for byte, compressed files row for row."""
    made = make_sources.files(make_sources.make_plan()) | make_sources.evaluation()
    for path, content in made.items():
        committed = (DEMO / path).read_bytes()
        if path.endswith((".zst", ".parquet")):  # their bytes also depend on the version of the codec
            assert read_rows(path, content) == read_rows(path, committed), path
        else:
            assert content == committed, path


def test_sizes_and_counts_are_as_listed() -> None:
    """PLANTED.json gives each file's rows and each kind's count; there are enough rows and they are small."""
    assert {file: len(rows) for file, rows in ROWS.items()} == PLANTED["rows_per_file"]
    assert Counter(row["kind"] for row in PLANTED["rows"]) == PLANTED["counts"]
    assert sum(len(rows) for rows in ROWS.values()) >= 400
    assert sum(path.stat().st_size for path in (DEMO / "sources").iterdir()) < 1_000_000


@pytest.mark.parametrize("kind", sorted(make_sources.N_PLANTED | make_sources.N_TRACES))
def test_wanted_numbers_were_planted(kind: str) -> None:
    """As many rows of each kind are planted as the generator was asked for."""
    assert PLANTED["counts"][kind] == (make_sources.N_PLANTED | make_sources.N_TRACES)[kind]


def test_exact_duplicates() -> None:
    """An exact duplicate is its original up to case and white space; some lie in another file, some are verbatim."""
    places = [entry for entry, _ in planted_rows("exact_duplicate")]
    assert all(normalised(prompt_at(p)) == normalised(prompt_at(p["of"])) for p in places)
    assert any(p["file"] != p["of"]["file"] for p in places)
    assert 0 < sum(prompt_at(p) == prompt_at(p["of"]) for p in places) < len(places)


def test_near_duplicates() -> None:
    """A near duplicate differs from its original, keeps its numbers, and shares over 0.7 of its five-word runs."""
    for place, _ in planted_rows("near_duplicate"):
        near, original = prompt_at(place), prompt_at(place["of"])
        assert normalised(near) != normalised(original)
        assert re.findall(r"\d+", near) == re.findall(r"\d+", original)
        assert jaccard(near, original) >= 0.75


def test_contaminated_rows() -> None:
    """A contaminated row contains the benchmark item that is named for it; some rows are the item, some add to it."""
    places = [entry for entry, _ in planted_rows("contaminated")]
    items = [BENCHMARK[place["benchmark_item"]]["problem"] for place in places]
    assert all(item in prompt_at(place) for place, item in zip(places, items, strict=True))
    assert {item == prompt_at(place) for place, item in zip(places, items, strict=True)} == {True, False}


def test_only_planted_rows_repeat_or_leak() -> None:
    """No two sound rows are near duplicates, and none is near an item of the benchmark."""
    marked = {(row["file"], row["row"]) for row in PLANTED["rows"]}
    sound = [row[PROMPT_KEYS[f]] for f in PROMPT_KEYS for i, row in enumerate(ROWS[f]) if (f, i) not in marked]
    texts = [*sound, *(item["problem"] for item in BENCHMARK)]
    assert len(sound) == sum(make_sources.N_SOUND.values())
    assert all(jaccard(a, b) < 0.6 for i, a in enumerate(texts) for b in texts[:i])


def test_malformed_rows() -> None:
    """Each kind of malformed row is malformed in the way its name says."""
    assert all(isinstance(row, str) for _, row in planted_rows("broken_json"))
    assert all(PROMPT_KEYS[e["file"]] not in row for e, row in planted_rows("no_prompt_column"))
    assert all(prompt_at(e) is None for e, _ in planted_rows("null_prompt"))
    assert all(prompt_at(e) == "" for e, _ in planted_rows("empty_prompt"))
    assert all(not isinstance(prompt_at(e), str | None) for e, _ in planted_rows("non_string_prompt"))
    assert all(len(prompt_at(e)) < 8 for e, _ in planted_rows("too_short_prompt"))


def test_references() -> None:
    """A sound row's reference is right, a wrong reference is another number, and no answer is no number."""
    right = answers_by_prompt()
    kinds = {(row["file"], row["row"]): row["kind"] for row in PLANTED["rows"]}
    for file, key in PROMPT_KEYS.items():
        for index, row in enumerate(ROWS[file]):
            kind = kinds.get((file, index), "sound")
            if kind in {"sound", "contaminated", "exact_duplicate", "near_duplicate"}:
                assert reference_of(file, row) == str(right[row[key]])
            if kind == "wrong_reference":
                assert int(reference_of(file, row) or "") != right[row[key]]
            if kind == "reference_not_answer":
                assert not (reference_of(file, row) or "").isdigit()


def test_traces() -> None:
    """A right trace boxes its row's reference, a wrong one another number, and a truncated one never closes."""
    for kind, agrees in (("trace_right", True), ("trace_wrong", False)):
        for _, row in planted_rows(kind):
            user, assistant = row["messages"]
            boxed = re.findall(r"\\boxed\{(\d+)\}", assistant["content"])
            assert (boxed[-1] == user["info"]["reference_answer"]) is agrees
            think, answer = assistant["info"]["think_content"], assistant["info"]["answer_content"]
            assert assistant["content"] == f"<think>{think}</think>\n<answer>{answer}</answer>"
    for _, row in planted_rows("trace_truncated"):
        content, info = row["messages"][1]["content"], row["messages"][1]["info"]
        assert "</think>" not in content
        assert not info["answer_content"]


def test_chats_have_no_reference() -> None:
    """A chat row has no reference answer; info keys are absent on some rows of the traced file and null on others."""
    assert all(row["messages"][0]["info"]["reference_answer"] is None for _, row in planted_rows("chat_no_reference"))
    users = [row["messages"][0]["info"] for row in ROWS[TRACED] if not isinstance(row, str)]
    assert {"think_content" in info for info in users} == {True, False}


def test_benchmark() -> None:
    """The benchmark has 40 items, each with a problem and an integer answer."""
    assert len(BENCHMARK) == make_sources.N_BENCHMARK
    assert all(set(item) == {"problem", "answer"} and item["answer"].isdigit() for item in BENCHMARK)
