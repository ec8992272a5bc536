"""Sources: nothing is lost, and what is wrong is named."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tracemill.core import Dropped, Problem, SourceError, UnknownLayoutError
from tracemill.sources import Source, raw_tables
from tracemill.sources.collect import collect

ROWS = [{"question": f"What is {n} plus {n}?", "answer": str(2 * n)} for n in range(5)]


def jsonl(rows: list[Any]) -> bytes:
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


def read(path: Path, **changes: Any) -> tuple[list[Problem], list[Dropped]]:
    source = Source(name="s", path=path.name, **changes)
    tables = list(raw_tables(source, str(path.parent), 1000, {}))
    return collect(pa.concat_tables(tables), source)


def collected(rows: list[Any], tmp_path: Path, **changes: Any) -> tuple[list[Problem], list[Dropped]]:
    (tmp_path / "s.jsonl").write_bytes(jsonl(rows))
    return read(tmp_path / "s.jsonl", **changes)


def write_as(kind: str, folder: Path) -> Path:
    path = folder / f"s{kind}"
    if kind == ".jsonl":
        path.write_bytes(jsonl(ROWS))
    elif kind == ".jsonl.zst":
        path.write_bytes(zstandard.compress(jsonl(ROWS[:2])) + zstandard.compress(jsonl(ROWS[2:])))
    elif kind == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["question", "answer"])
            writer.writeheader()
            writer.writerows(ROWS)
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


@pytest.mark.parametrize("kind", [".jsonl", ".jsonl.zst", ".csv", ".parquet"])
def test_every_format_gives_the_same_problems(kind: str, tmp_path: Path) -> None:
    """JSONL, zst of several frames, CSV and Parquet are read alike."""
    kept, dropped = read(write_as(kind, tmp_path))
    assert [(p.prompt, p.reference_answer) for p in kept] == [(r["question"], r["answer"]) for r in ROWS]
    assert dropped == []


def test_truncated_zst_is_an_error(tmp_path: Path) -> None:
    """A file that ends too early is never taken for the end of the data."""
    path = tmp_path / "s.jsonl.zst"
    path.write_bytes(zstandard.compress(jsonl(ROWS * 100))[:-20])
    with pytest.raises(SourceError, match="truncated"):
        read(path)


def test_wide_zst_windows_are_read(tmp_path: Path) -> None:
    """A frame with a window of 2^28, more than libzstd allows by default, is read."""
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)
    path = tmp_path / "s.jsonl.zst"
    with path.open("wb") as file, zstandard.ZstdCompressor(compression_params=parameters).stream_writer(file) as out:
        out.write(jsonl(ROWS))
    assert len(read(path)[0]) == len(ROWS)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b'{"question": "broken\n', "malformed_json"),
        (b"\xff\xfe not utf-8\n", "malformed_json"),
        (b"[" * 100_000 + b"\n", "malformed_json"),
        (b"[1, 2]\n", "not_an_object"),
        ({"title": "no prompt column"}, "missing_column"),
        ({"question": None, "answer": "1"}, "missing_prompt"),
        ({"question": "  ", "answer": "1"}, "missing_prompt"),
        ({"question": 7, "answer": "1"}, "prompt_not_text"),
        ({"question": "Is it ok?", "answer": ["1"]}, "reference_answer_not_text"),
        (b'{"question": "lone \\ud800 surrogate", "answer": "1"}\n', "invalid_unicode"),
    ],
)
def test_malformed_rows_are_dropped_with_their_text(row: Any, reason: str, tmp_path: Path) -> None:
    """A row that cannot be read is dropped with its reason, its place and its raw text; its neighbours stay."""
    kept, dropped = collected([ROWS[0], row, ROWS[1]], tmp_path)
    assert len(kept) == 2
    assert [(d.reason, d.row, d.stage) for d in dropped] == [(reason, 1, "collect")]
    raw = row.decode("utf-8", "backslashreplace").rstrip("\n") if isinstance(row, bytes) else json.dumps(row)
    assert dropped[0].raw == raw


def test_a_file_without_a_last_newline_is_whole(tmp_path: Path) -> None:
    """The last row counts, whether or not the file ends in a newline."""
    (tmp_path / "s.jsonl").write_bytes(jsonl(ROWS).rstrip(b"\n"))
    assert len(read(tmp_path / "s.jsonl")[0]) == len(ROWS)


def test_line_separators_inside_strings_do_not_split_rows(tmp_path: Path) -> None:
    """U+2028 inside a JSON string is no end of line."""
    (tmp_path / "s.jsonl").write_text(json.dumps({"question": "a\u2028b c d?", "answer": "1"}, ensure_ascii=False))
    assert read(tmp_path / "s.jsonl")[0][0].prompt == "a\u2028b c d?"


def test_unknown_layout_lists_both_sides(tmp_path: Path) -> None:
    """A source none of whose rows has the columns is refused, naming those found and those expected."""
    with pytest.raises(UnknownLayoutError, match=r"(?s)columns body, label.*problem; solution.*layout"):
        collected([{"body": "x", "label": 1}] * 3, tmp_path, layout="math")


def test_a_broken_line_hides_no_unknown_layout(tmp_path: Path) -> None:
    """A line that is no JSON says nothing about the columns: the layout is refused all the same."""
    with pytest.raises(UnknownLayoutError):
        collected([{"body": "x"}, b"{broken\n"], tmp_path, layout="math")


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A source without a file is an error with its path."""
    with pytest.raises(SourceError, match=r"(?s)has no file.*nowhere\.jsonl"):
        read(tmp_path / "nowhere.jsonl")


def test_unknown_format_is_named(tmp_path: Path) -> None:
    """A file of another format is an error that lists the known ones."""
    (tmp_path / "s.xlsx").touch()
    with pytest.raises(SourceError, match=r"(?s)\.xlsx.*\.parquet"):
        read(tmp_path / "s.xlsx")


def test_gsm8k_layout(tmp_path: Path) -> None:
    """The reference is what follows the last ####, without thousands separators; a row without one is dropped."""
    rows = [{"question": "How many in all?", "answer": "2*600=1200\n#### 1,200"}, {"question": "How?", "answer": "12"}]
    kept, dropped = collected(rows, tmp_path, layout="gsm8k")
    assert kept[0].reference_answer == "1200"
    assert [row.reason for row in dropped] == ["no_reference_marker"]


def test_math_layout(tmp_path: Path) -> None:
    """The reference is the last balanced box of the solution."""
    row = {
        "problem": "Find it.",
        "level": "Level 3",
        "type": "Algebra",
        "solution": r"\boxed{1}, so \boxed{\frac{1}{2}}.",
    }
    kept, _ = collected([row], tmp_path, layout="math")
    assert kept[0].reference_answer == r"\frac{1}{2}"
    assert kept[0].info["level"] == "Level 3"


def am_row(content: str, reference: str | None = "4", case: object = None, **info: object) -> dict[str, Any]:
    asked = {"source": "x", "reference_answer": reference, "test_case": case} | info
    turns = [{"role": "user", "content": "What is two plus two?", "info": asked}]
    return {"messages": [*turns, {"role": "assistant", "content": content, "info": {"source": "am-0309"}}]}


def test_am_layout(tmp_path: Path) -> None:
    """The reference dataset's rows bring prompt, reference and R1's trace."""
    kept, _ = collected([am_row("<think>\nhm\n</think>\n<answer>4</answer>")], tmp_path, layout="am")
    assert (kept[0].prompt, kept[0].reference_answer, kept[0].category) == ("What is two plus two?", "4", "math")
    trace = kept[0].traces[0]
    assert (trace["model"], trace["think"], trace["answer"], trace["fault"]) == ("deepseek-r1", "\nhm\n", "4", None)


@pytest.mark.parametrize(
    ("case", "reference", "category", "kind"),
    [
        ({"test_code": "def test(): pass", "test_entry_point": "f"}, None, "code", "script"),
        (["assert f(1) == 2"], None, "code", "assert"),
        ({"testcase": ["assert f(1) == 2"]}, None, "code", "assert"),
        (None, None, "other", None),
        (None, "4", "math", None),
    ],
)
def test_am_categories(case: object, reference: str | None, category: str, kind: str | None, tmp_path: Path) -> None:
    """Tests make a row code, a reference the source's category, neither general chat."""
    kept, _ = collected([am_row("<think>a</think>b", reference, case)], tmp_path, layout="am")
    assert kept[0].category == category
    assert (kept[0].tests or {}).get("kind") == kind


def test_am_turns_before_the_last_are_history(tmp_path: Path) -> None:
    """Several turns go through: what precedes the last user turn is history."""
    row = am_row("<think>a</think>b")
    row["messages"][:0] = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    kept, _ = collected([row], tmp_path, layout="am")
    assert kept[0].history == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize("messages", [None, "x", [], [{"role": "assistant", "content": "x"}], ["x"]])
def test_am_rows_without_a_question_are_dropped(messages: object, tmp_path: Path) -> None:
    """A row whose messages hold no question is dropped, whatever is there instead."""
    kept, dropped = collected([am_row("<think>a</think>b"), {"messages": messages}], tmp_path, layout="am")
    assert (len(kept), len(dropped)) == (1, 1)


def test_numeric_references_are_text(tmp_path: Path) -> None:
    """Numbers that JSON types as such are references too, and whole floats lose their point."""
    rows = [{"question": f"Is it {n}?", "answer": value} for n, value in enumerate([145.0, 7, 0.5])]
    assert [p.reference_answer for p in collected(rows, tmp_path)[0]] == ["145", "7", "0.5"]


def test_chunks_keep_published_boundaries(tmp_path: Path) -> None:
    """Appended rows become new chunks behind the published ones, whose bytes stay the same."""
    path = tmp_path / "s.jsonl"
    source = Source(name="s", path="s.jsonl")
    path.write_bytes(jsonl(ROWS))
    before = list(raw_tables(source, str(tmp_path), 2, {}))
    path.write_bytes(jsonl(ROWS + ROWS))
    published = {"s.jsonl": [table.num_rows for table in before]}
    after = list(raw_tables(source, str(tmp_path), 2, published))
    assert [table.num_rows for table in after] == [2, 2, 1, 2, 2, 1]
    assert all(new.equals(old) for new, old in zip(after, before, strict=False))
