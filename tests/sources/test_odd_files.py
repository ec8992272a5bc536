"""Files that are not what they seem: read, dropped row by row, or refused with the remedy; never lost in silence."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import Dropped, Problem, SourceError
from tracemill.sources import Source, collected, fingerprint, raw_tables
from tracemill.sources.delimited import BadRow, delimited_rows
from tracemill.sources.lost_sources import Collected, refuse_empty, refuse_lost
from tracemill.sources.readers import files_of

ROWS = [{"question": f"What is {n} plus {n}?", "answer": str(2 * n)} for n in range(4)]
LINES = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
ARRAY = json.dumps(ROWS).encode()
TABLE = "question,answer\n" + "".join(f"{row['question']},{row['answer']}\n" for row in ROWS)


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    schema = pa.schema([("question", pa.string()), ("answer", pa.string())])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    return sink.getvalue()


def parquet_twice() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["question", "question"]), sink)
    return sink.getvalue()


def buffered(content: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(content))  # type: ignore[arg-type]


def zipped(content: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("rows.jsonl", content)
    return sink.getvalue()


def read(source: Source, folder: Path) -> tuple[list[Problem], list[Dropped]]:
    """What a run makes of a source: refused, or problems and dropped rows."""
    tables = list(raw_tables(source, str(folder), 1000, {}))
    refuse_empty(source, str(folder), sum(table.num_rows for table in tables))
    kept: list[Problem] = []
    dropped: list[Dropped] = []
    total = Collected()
    for table in tables:
        good, bad, facts = collected(table, source)
        kept, dropped = kept + good, dropped + bad
        reasons = Counter(row.reason for row in bad)
        total += Collected(table.num_rows, len(good), reasons, facts["malformed"], frozenset(facts["columns"]))
    refuse_lost(source, total, dropped[:3])
    return kept, dropped


def put(folder: Path, name: str, content: bytes) -> Source:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Source(name="s", path=name)


READ: dict[str, bytes] = {
    "a.jsonl": LINES,
    "a.ndjson": LINES,
    "A.JSONL": LINES,
    "a.json": ARRAY,
    "lines.json": LINES,
    "pretty.json": json.dumps(ROWS, indent=2).encode(),
    "bom.jsonl": b"\xef\xbb\xbf" + LINES,
    "bom.json": b"\xef\xbb\xbf" + ARRAY,
    "crlf.jsonl": LINES.replace(b"\n", b"\r\n"),
    "blank.jsonl": b"\n\n" + LINES.replace(b"\n", b"\n  \n"),
    "a.csv": TABLE.encode(),
    "bom.csv": b"\xef\xbb\xbf" + TABLE.encode(),
    "crlf.csv": TABLE.replace("\n", "\r\n").encode(),
    "cr.csv": TABLE.replace("\n", "\r").encode(),
    "blank.csv": ("\n" + TABLE.replace("\n", "\n\n")).encode(),
    "padded.csv": TABLE.replace("question,answer", " question , answer ").encode(),
    "index.csv": "".join(f"{n},{row}" for n, row in enumerate(TABLE.splitlines(keepends=True)))
    .replace("0,", ",", 1)
    .encode(),
    "a.tsv": TABLE.replace(",", "\t").encode(),
    "a.parquet": parquet(ROWS),
    "a.jsonl.gz": gzip.compress(LINES),
    "a.jsonl.zst": zstandard.compress(LINES),
    "a.jsonl.bz2": bz2.compress(LINES),
    "a.jsonl.xz": lzma.compress(LINES),
    "a.ndjson.xz": lzma.compress(LINES),
    "a.csv.gz": gzip.compress(TABLE.encode()),
    "a.tsv.xz": lzma.compress(TABLE.replace(",", "\t").encode()),
    "a.json.bz2": bz2.compress(ARRAY),
    "streams.jsonl.bz2": b"".join(bz2.compress(line + b"\n") for line in LINES.splitlines()),
    "streams.jsonl.xz": b"".join(lzma.compress(line + b"\n") + bytes(4) for line in LINES.splitlines()),
}


@pytest.mark.parametrize("name", READ)
def test_files_that_are_read(name: str, tmp_path: Path) -> None:
    """Every format, compressed or not, with the marks and line ends that files come with, gives the same rows."""
    kept, dropped = read(put(tmp_path, name, READ[name]), tmp_path)
    assert [(p.prompt, p.reference_answer) for p in kept] == [(r["question"], r["answer"]) for r in ROWS]
    assert dropped == []


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in, now</body></html>\n"
REFUSED: list[tuple[str, bytes, str]] = [
    *((f"lfs{suffix}", POINTER, "Git LFS pointer.*git lfs pull") for suffix in (".jsonl", ".json", ".csv", ".parquet")),
    ("lfs.jsonl.gz", POINTER, "Git LFS pointer.*git lfs pull"),
    *((f"page{suffix}", PAGE, "HTML page.*download") for suffix in (".jsonl", ".json", ".csv", ".tsv", ".parquet")),
    ("page.jsonl.gz", PAGE, "HTML page"),
    ("packed-page.jsonl.gz", gzip.compress(PAGE), "HTML page"),
    ("fragment.csv", b"\n <html lang='en'>\n<p>a,b</p>", "HTML"),
    ("feed.json", b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "XML"),
    ("gzip.jsonl", gzip.compress(LINES), r"gzip.*as gzip\.jsonl\.gz"),
    ("gzip.csv", gzip.compress(TABLE.encode()), r"gzip.*as gzip\.csv\.gz"),
    ("zstd.jsonl", zstandard.compress(LINES), r"zstd.*as zstd\.jsonl\.zst"),
    ("bzip2.json", bz2.compress(ARRAY), r"bzip2.*as bzip2\.json\.bz2"),
    ("xz.csv", lzma.compress(TABLE.encode()), r"xz.*as xz\.csv\.xz"),
    ("zip.jsonl", zipped(LINES), "zip archive.*unpack"),
    ("rows.zip", zipped(LINES), "not known.*unpack the archive"),
    ("rows.jsonl.zip", zipped(LINES), "not known.*unpack the archive"),
    ("swapped.jsonl.gz", zstandard.compress(LINES), r"zstd.*as swapped\.jsonl\.zst"),
    ("unpacked.jsonl.gz", LINES, r"not compressed.*as unpacked\.jsonl\b"),
    ("unpacked.csv.xz", TABLE.encode(), r"not compressed.*as unpacked\.csv\b"),
    ("parquet.jsonl", parquet(ROWS), r"Parquet.*as parquet\.parquet"),
    ("parquet.csv", parquet(ROWS), r"Parquet.*as parquet\.parquet"),
    ("json.parquet", LINES, r"text.*as json\.jsonl"),
    ("array.parquet", ARRAY, r"text.*as array\.json\b"),
    ("array.csv", ARRAY, r"JSON.*as array\.json\b"),
    ("lines.csv", LINES, r"JSON.*as lines\.jsonl"),
    ("pretty.jsonl", json.dumps(ROWS, indent=2).encode(), r"one JSON array.*as pretty\.json\b"),
    ("rows-in-array.jsonl", b"[\n" + b",\n".join(LINES.splitlines()) + b"\n]\n", "one JSON array"),
    ("array.jsonl", ARRAY, "name it .json"),
    ("objects.jsonl", "\n".join(json.dumps(row, indent=2) for row in ROWS).encode(), "over several lines"),
    ("table.jsonl", TABLE.encode(), "looks like CSV"),
    ("two-arrays.json", ARRAY + ARRAY, "the array is over"),
    ("rows-behind.json", ARRAY + b"\n" + LINES, "the array is over"),
    ("cut.json", ARRAY[:-9], "cannot read"),
    ("cut.jsonl.gz", gzip.compress(LINES * 99)[:-30], "cannot read"),
    ("cut.jsonl.zst", zstandard.compress(LINES * 99)[:-30], "cannot read"),
    ("cut.jsonl.bz2", bz2.compress(LINES * 99)[:-30], "cannot read"),
    ("cut.jsonl.xz", lzma.compress(LINES * 99)[:-30], "cannot read"),
    ("cut.parquet", parquet(ROWS)[:-30], "cannot read"),
    ("damaged.jsonl.gz", gzip.compress(LINES * 99)[:60] + bytes(40), "cannot read"),
    ("second-stream.jsonl.bz2", bz2.compress(LINES) + b"BZh9 and no more than that", "cannot read"),
    ("second-stream.jsonl.xz", lzma.compress(LINES) + b"\xfd7zXZ\0 and no more", "cannot read"),
    ("utf16.jsonl", LINES.decode().encode("utf-16"), "UTF-16.*iconv"),
    ("utf16.csv", TABLE.encode("utf-16"), "UTF-16.*iconv"),
    ("no-mark.jsonl", LINES.decode().encode("utf-16-le"), "UTF-16.*iconv"),
    ("no-mark.csv", TABLE.encode("utf-16-be"), "UTF-16.*iconv"),
    ("error.json", b'{"error": "Repository not found"}', "error message of a server"),
    ("error.jsonl", b'{\n  "message": "Not Found",\n  "status": "404"\n}\n', "error message of a server"),
    ("words.jsonl", b"Entry not found", "none of its 1 rows"),
    ("words.csv", b"Entry not found", "has no rows"),
    ("paper.jsonl", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
    ("pickle.jsonl", b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x01x\x94.\0\0\0", "binary"),
    ("zeros.jsonl", bytes(4096), "binary"),
    ("sheet.xlsx", zipped(b""), "not known"),
    ("empty.jsonl", b"", r"has no rows.*empty\.jsonl \(0 bytes\).*allow_empty"),
    ("blank.jsonl", b"\n \n\n", "has no rows"),
    ("empty.csv", b"", "has no rows"),
    ("header.csv", b"question,answer\n", "has no rows"),
    ("empty.json", b"[]", "has no rows"),
    ("empty.json.gz", gzip.compress(b""), "has no rows"),
    ("rowless.parquet", parquet([]), "has no rows"),
    ("empty.parquet", b"", "cannot read"),
    ("no-header.csv", TABLE.split("\n", 1)[1].encode(), "not laid out as plain"),
    ("semicolons.csv", TABLE.replace(",", ";").encode(), "semicolons"),
    ("tabs.csv", TABLE.replace(",", "\t").encode(), r"tabs.*\.tsv"),
    ("commas.tsv", TABLE.encode(), "commas"),
    ("twice.csv", b"question,answer,answer\nWhat?,1,2\n", "twice: answer"),
    ("twice-padded.csv", b"question,answer, answer\nWhat?,1,2\n", "twice: answer"),
    ("latin.csv", "question,r\xe9ponse\nWhat?,1\n".encode("latin-1"), "not UTF-8"),
    ("nulls.jsonl", b'{"question": null, "answer": "1"}\n' * 3, "3 missing_prompt.*allow_empty"),
    ("commas.csv", b"question,answer\nWhat, 1?,1\nWhat, 2?,2\n", "2 malformed_row.*line 2: 3 of the header"),
    ("twice.parquet", parquet_twice(), "twice: question"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "says"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_files_that_stop_the_run(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    """What holds no rows, or plainly something else than its name says, is refused: where, what it is, what to do."""
    with pytest.raises(SourceError, match=f"(?s){says}") as refused:
        read(put(tmp_path, name, content), tmp_path)
    assert refused.value.remedy
    assert "this is a bug" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content"), [("a.jsonl", b""), ("a.csv", b"question,answer\n"), ("a.jsonl", b'{"question": null}\n')]
)
def test_an_empty_source_that_is_meant(name: str, content: bytes, tmp_path: Path) -> None:
    """allow_empty goes on without rows, and what is dropped is accounted for all the same."""
    source = put(tmp_path, name, content).model_copy(update={"allow_empty": True})
    kept, dropped = read(source, tmp_path)
    assert (kept, [row.reason for row in dropped]) == ([], ["missing_prompt"] * content.count(b"null"))


def test_a_named_column_that_no_row_has(tmp_path: Path) -> None:
    """A column of the recipe that is nowhere in the source stops the run, with the nearest; one row with it will do."""
    source = Source(name="s", path="a.jsonl", columns={"prompt": "question", "reference_answer": "anwser"})
    put(tmp_path, "a.jsonl", LINES)
    with pytest.raises(SourceError, match=r"(?s)no row has the column of reference_answer.*did you mean answer\?"):
        read(source, tmp_path)
    put(tmp_path, "a.jsonl", LINES + b'{"question": "What is it?", "anwser": null}\n')
    assert len(read(source, tmp_path)[0]) == len(ROWS) + 1


# Each: the rows below the header "question,answer", what is kept of them, and line and raw text of what is not.
Bad = list[tuple[int, str]]
CSV_ROWS: dict[str, tuple[str, list[tuple[str, str]], Bad]] = {
    "an unquoted comma": ("What is 1,000?,2\nQ,4\n", [("Q", "4")], [(2, "What is 1,000?,2")]),
    "too few fields": ("Q0\nQ,4\n", [("Q", "4")], [(2, "Q0")]),
    "an unclosed quote": ('"Q1,2\nQ2,4\nQ3,6\n', [("Q2", "4"), ("Q3", "6")], [(2, '"Q1,2')]),
    "an unclosed quote before a quoted row": ('"Q1,2\nQ2,4\n"Q,3",6\n', [("Q2", "4"), ("Q,3", "6")], [(2, '"Q1,2')]),
    "an unclosed quote in the last field": ('Q1,"2\nQ2,4\nQ3,"6"\n', [("Q2", "4"), ("Q3", "6")], [(2, 'Q1,"2')]),
    "an unclosed quote in the last row": ('Q1,2\n"Q2,4', [("Q1", "2")], [(3, '"Q2,4')]),
    "two unclosed quotes": ('"Q1,2\n"Q2,4\nQ3,6\n', [("Q3", "6")], [(2, '"Q1,2'), (3, '"Q2,4')]),
    "a quote that a later row seems to close": ('"Q1,2\nQ2,4\nQ3,",x"\n', [("Q2", "4"), ("Q3", ",x")], [(2, '"Q1,2')]),
    "a quoted row without its closing quote": ('"Q1","2\n"Q2","4"\n', [("Q2", "4")], [(2, '"Q1","2')]),
    "a quoted row without an inner quote": ('"Q1,"2"\n"Q2","4"\n', [("Q2", "4")], [(2, '"Q1,"2"')]),
    "a stray quote": ('A board of 10" pine,5\nQ2,4\n', [("Q2", "4")], [(2, 'A board of 10" pine,5')]),
    "quotes that are not doubled": ('"He said "hi" to",5\nQ2,4\n', [("Q2", "4")], [(2, '"He said "hi" to",5')]),
    "not doubled, over several lines": (
        '"He said "hi", ok\nfoo, bar\nend",5\nQ2,4\n',
        [("Q2", "4")],
        [(2, '"He said "hi", ok\nfoo, bar\nend",5')],
    ),
    "unclosed, over several lines": ('"What is x\nfor y,5\nQ2,4\n', [("Q2", "4")], [(2, '"What is x\nfor y,5')]),
    "unclosed, and the next field quoted": ('"What is\nx?,"5"\nQ2,4\n', [("Q2", "4")], [(2, '"What is\nx?,"5"')]),
    "no opening quote, over several lines": (
        'Q1,x\nand\ny"\nQ2,4\n',
        [("Q2", "4")],
        [(2, "Q1,x"), (3, "and"), (4, 'y"')],
    ),
    "two opening quotes": ('""Q1\na, b\nc","5"\nQ2,4\n', [("Q2", "4")], [(2, '""Q1\na, b\nc","5"')]),
    "too many fields over several lines": ('"a, b\nc, d\ne",5,6\nQ2,4\n', [("Q2", "4")], [(2, '"a, b\nc, d\ne",5,6')]),
    "a NUL byte": ("a\0b,5\nQ2,4\n", [("Q2", "4")], [(2, "a\0b,5")]),
    "a quoted line end": ('"a\r\nb",5\r\nQ2,4\r\n', [("a\r\nb", "5"), ("Q2", "4")], []),
    "line numbers behind a quoted line end": ('"a\nb",5\nQ2\n', [("a\nb", "5")], [(4, "Q2")]),
    "a CR that is no line end": ("a\rb,5\n", [("a\rb", "5")], []),
    "a line separator that is no line end": ("a\u2028b,5\n", [("a\u2028b", "5")], []),
    "doubled quotes": ('"say ""hi""",5\n', [('say "hi"', "5")], []),
    "a very long field": (f'"{"x, " * 100_000}",5\n', [("x, " * 100_000, "5")], []),
}


@pytest.mark.parametrize("case", CSV_ROWS)
def test_csv_is_read_strictly(case: str, tmp_path: Path) -> None:
    """A row of the wrong shape is dropped with its line and its text; no other row is lost, and none is made up."""
    text, good, bad = CSV_ROWS[case]
    source = put(tmp_path, "a.csv", ("question,answer\n" + text).encode()).model_copy(update={"allow_empty": True})
    kept, dropped = read(source, tmp_path)
    assert [(p.prompt, p.reference_answer) for p in kept] == good
    assert [(row.reason, row.evidence["line"], row.raw) for row in dropped] == [("malformed_row", *row) for row in bad]
    assert all(row.evidence["error"].startswith(f"line {row.evidence['line']}: ") for row in dropped)


def test_bytes_that_are_not_utf8_are_one_rows_fault(tmp_path: Path) -> None:
    """A row in another encoding is dropped with its bytes; its neighbours stay."""
    kept, dropped = read(put(tmp_path, "a.csv", b"question,answer\ncaf\xe9,1\nQ2,4\n"), tmp_path)
    assert [p.prompt for p in kept] == ["Q2"]
    assert [(row.reason, row.raw) for row in dropped] == [("malformed_row", "caf\\xe9,1")]


def test_quotes_within_tsv_are_text(tmp_path: Path) -> None:
    """In TSV a quote inside a field says nothing; a field that begins with one is quoted."""
    content = 'question\tanswer\nSay "hi", 5 times\t1\n"Q\tx"\t2\na\tb\tc\n'
    kept, dropped = read(put(tmp_path, "a.tsv", content.encode()), tmp_path)
    assert [p.prompt for p in kept] == ['Say "hi", 5 times', "Q\tx"]
    assert [(row.evidence["line"], row.raw) for row in dropped] == [(4, "a\tb\tc")]


FIELD = st.text(st.sampled_from('ab,"\n\t é'), max_size=8)
RECORDS = st.lists(st.tuples(FIELD, FIELD, FIELD), max_size=6)


@given(
    records=RECORDS, quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), end=st.sampled_from(["\n", "\r\n"])
)
def test_what_a_writer_writes_is_read_back(records: list[tuple[str, ...]], quoting: Any, end: str) -> None:
    """Whatever is in the fields, a file that a writer of CSV has made gives its rows, but for blank lines."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator=end).writerows([("a", "b", "c"), *records])
    found = list(delimited_rows(buffered(text.getvalue().encode()), ",", "f.csv", "s", []))
    assert found == [dict(zip("abc", record, strict=True)) for record in records]


@given(
    records=st.lists(st.tuples(st.sampled_from(["Q", "R, s", 'say "t"']), st.sampled_from(["1", "2,000"])), min_size=3),
    data=st.data(),
)
def test_one_lost_mark_costs_its_own_row_only(records: list[tuple[str, str]], data: st.DataObject) -> None:
    """Without one of its quotes, or with one too many, a row is kept as it was or dropped; all others are kept."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(records)
    lines = text.getvalue().splitlines()
    hit = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[hit])))
    is_quote = lines[hit][at : at + 1] == '"'
    lines[hit] = lines[hit][:at] + ("" if is_quote else '"') + lines[hit][at + is_quote :]
    content = "\n".join(["question,answer", *lines, ""]).encode()
    found = list(delimited_rows(buffered(content), ",", "f.csv", "s", []))
    expected = [dict(zip(("question", "answer"), record, strict=True)) for record in records]
    rows = [row for row in found if not isinstance(row, BadRow)]
    assert rows[:hit] == expected[:hit]
    behind = len(expected) - hit - 1
    assert behind == 0 or rows[-behind:] == expected[hit + 1 :]


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Of a glob or a folder, a file is called by its path below what has no wildcard, wherever that lies."""
    for name in ("train/rows.jsonl", "test/rows.jsonl"):
        put(tmp_path / "data", name, LINES + b"{broken\n")
    for path in ("data/*/rows.jsonl", "data/**/*.jsonl", "data", "data/"):
        _, dropped = read(Source(name="s", path=path), tmp_path)
        assert [row.evidence["file"] for row in dropped] == ["test/rows.jsonl", "train/rows.jsonl"], path
    kept, _ = read(Source(name="s", path="data/train/*.jsonl"), tmp_path)
    assert {problem.info["file"] for problem in kept} == {"rows.jsonl"}


def test_a_folder_is_its_data_files(tmp_path: Path) -> None:
    """A folder is read in the order of its paths, whatever its formats, without what is hidden or about the data."""
    for name in ("b/2.jsonl", "a.csv", "b/1.jsonl.gz", "c.parquet"):
        put(tmp_path / "d", name, READ[f"a.{name.partition('.')[2]}"])
    for name in ("README.md", "_SUCCESS", ".cache/x.jsonl", "__pycache__/x.jsonl", "dataset_info.json", "state.json"):
        put(tmp_path / "d", name, b"{}")
    source = Source(name="s", path="d")
    assert [file.name for file in files_of(source, str(tmp_path))] == [
        "a.csv",
        "b/1.jsonl.gz",
        "b/2.jsonl",
        "c.parquet",
    ]
    assert len(read(source, tmp_path)[0]) == 4 * len(ROWS)


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    """A folder in which nothing can be read says what is there."""
    put(tmp_path / "d", "rows.xlsx", b"")
    with pytest.raises(SourceError, match=r"(?s)holds no data file.*rows\.xlsx"):
        read(Source(name="s", path="d"), tmp_path)


def test_a_new_file_is_new_shards(tmp_path: Path) -> None:
    """A file that is put into a folder, also before the others, leaves their shards as they were."""
    source = Source(name="s", path="d")
    put(tmp_path / "d", "m.jsonl", LINES)
    before = list(raw_tables(source, str(tmp_path), 3, {}))
    put(tmp_path / "d", "a/m.jsonl", LINES)
    published = {"m.jsonl": [table.num_rows for table in before]}
    after = list(raw_tables(source, str(tmp_path), 3, published))
    assert [table["file"][0].as_py() for table in after] == ["a/m.jsonl", "a/m.jsonl", "m.jsonl", "m.jsonl"]
    assert all(table.equals(old) for table, old in zip(after[2:], before, strict=True))


def test_files_published_under_their_base_name_keep_it(tmp_path: Path) -> None:
    """What an earlier version published by base name keeps its shards, as long as the name is the file's alone."""
    source = Source(name="s", path="*/rows.jsonl")
    put(tmp_path, "a/rows.jsonl", LINES)
    assert [table["file"][0].as_py() for table in raw_tables(source, str(tmp_path), 9, {"rows.jsonl": [3]})] == [
        "rows.jsonl",
        "rows.jsonl",
    ]
    put(tmp_path, "b/rows.jsonl", LINES)
    names = {table["file"][0].as_py() for table in raw_tables(source, str(tmp_path), 9, {"rows.jsonl": [3]})}
    assert names == {"a/rows.jsonl", "b/rows.jsonl"}


def test_csv_is_read_again(tmp_path: Path) -> None:
    """What tells that a source is as it was knows that CSV was once read otherwise; of other files it is as it was."""
    put(tmp_path, "a.csv", TABLE.encode())
    put(tmp_path, "a.jsonl", LINES)
    lengths = [len(fingerprint(Source(name="s", path=name), str(tmp_path))[0]) for name in ("a.csv", "a.jsonl")]
    assert lengths == [4, 3]


@pytest.mark.parametrize("name", ["rows [1].jsonl", "a*b.jsonl"])
def test_a_name_with_brackets_is_a_file(name: str, tmp_path: Path) -> None:
    """A file that is there is itself, before its name is a pattern."""
    assert len(read(put(tmp_path, name, LINES), tmp_path)[0]) == len(ROWS)


@pytest.mark.parametrize(
    ("value", "prompt"), [(b"What is it?", "What is it?"), (b"\xff\xfe\x00\xd8", None)], ids=["text", "no text"]
)
def test_bytes_in_parquet(value: bytes, prompt: str | None, tmp_path: Path) -> None:
    """A column of bytes is its text; bytes that are none are a reason, never Python's text of them."""
    rows = pa.table({"question": pa.array([value, b"Why?"], pa.binary()), "answer": ["1", "2"]})
    pq.write_table(rows, tmp_path / "a.parquet")
    kept, dropped = read(Source(name="s", path="a.parquet"), tmp_path)
    assert [problem.prompt for problem in kept] == ([prompt] if prompt else []) + ["Why?"]
    assert [row.reason for row in dropped] == ([] if prompt else ["prompt_not_text"])
