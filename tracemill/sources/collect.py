"""From raw rows to problems: chunking a source into shards, and adapting one shard.

Shards only ever grow at the end of a file: a chunk that was published keeps its boundaries, so that appended rows
become new shards and the old ones keep their digests.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tracemill.errors import UnknownLayoutError
from tracemill.schema import Dropped, Problem, json_text, problem_id
from tracemill.sources.draft import Draft, ExcludedRowError, MalformedRowError
from tracemill.sources.layouts import LAYOUTS, required_columns
from tracemill.sources.readers import RawRow, files_of, readings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracemill.recipe_source import Source

STAGE = "collect"
EXCLUDED_CHARS = 2000  # tells which row it is; a row of OpenR1-Math has 100,000
RAW = pa.schema([("file", pa.string()), ("row", pa.int64()), ("raw", pa.large_binary())])


def fingerprint(source: Source, data_dir: str) -> list[Any]:
    """What tells, without reading it, whether a source may have changed: sizes and times of files, or the Hub revision.

    Raises:
        SourceError: there is no file.
    """
    if source.hub is not None:
        return [source.hub, source.config, source.split, source.files, source.revision]
    stats = [(path, path.stat()) for path in files_of(source, data_dir)]
    return [[str(path.absolute()), stat.st_size, stat.st_mtime_ns] for path, stat in stats]


def raw_tables(
    source: Source, data_dir: str, shard_rows: int, published: Mapping[str, list[int]], limit: int | None = None
) -> Iterator[pa.Table]:
    """The source in chunks of raw rows (``RAW``), each of one file and at most ``shard_rows`` rows.

    Args:
        source: where to read.
        data_dir: what its path is relative to.
        shard_rows: rows per chunk.
        published: chunk lengths by file that earlier versions were published with; they are kept.
        limit: at most so many rows, from the beginning.

    Raises:
        SourceError: a file is missing, of unknown format, or damaged.
    """
    left = limit
    for name, rows in readings(source, data_dir):
        for table in _chunks(itertools.islice(rows, left), shard_rows, published.get(name, [])):
            left = None if left is None else left - table.num_rows
            yield table
        if left == 0:
            return


def _chunks(rows: Iterator[RawRow], shard_rows: int, published: list[int]) -> Iterator[pa.Table]:
    for length in itertools.chain(published, itertools.repeat(shard_rows)):
        chunk = list(itertools.islice(rows, length))
        if not chunk:
            return
        columns = [[row.file for row in chunk], [row.row for row in chunk], [row.raw for row in chunk]]
        yield pa.Table.from_arrays(
            [pa.array(column, kind) for column, kind in zip(columns, RAW.types, strict=True)], schema=RAW
        )


def collect(raw: pa.Table, source: Source) -> tuple[list[Problem], list[Dropped]]:
    """Adapts one shard; a row that cannot be read is dropped with its reason and its raw text.

    Raises:
        UnknownLayoutError: no readable row has the columns that the layout needs.
    """
    kept: list[Problem] = []
    dropped: list[Dropped] = []
    columns_seen: set[str] = set()
    any_fits = False
    for row in (RawRow(**record) for record in raw.to_pylist()):
        try:
            record = _parse(row.raw)
            columns_seen.update(record)
            any_fits = _check_columns(record, source) or any_fits
            _check_selected(record, source)
            kept.append(_problem(LAYOUTS[source.layout].adapt(record, source), row, source))
        except MalformedRowError as error:
            dropped.append(_dropped(row, source, error))
    if columns_seen and not kept and not any_fits:
        raise _unknown_layout(source, columns_seen)
    return kept, dropped


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        record = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MalformedRowError("malformed_json", f"{type(error).__name__}: {error}") from error
    if not isinstance(record, dict):
        raise MalformedRowError("not_an_object", f"a row is {type(record).__name__}, not a JSON object")
    return record


def _check_columns(record: dict[str, Any], source: Source) -> bool:
    for alternatives in required_columns(source):
        if not any(name in record for name in alternatives):
            found = ", ".join(sorted(map(str, record)))
            raise MalformedRowError("missing_column", f"no column {' or '.join(alternatives)}; found: {found}")
    return True


def _check_selected(record: dict[str, Any], source: Source) -> None:
    """Whether the row has one of the values that the recipe asks for, or its list holds one."""
    for column, wanted in source.only.items():
        value = record.get(column)
        found = value if isinstance(value, list) else [value]
        if not {json_text(each) for each in found} & {json_text(each) for each in wanted}:
            raise ExcludedRowError("not_selected", f"{column} is {value!r:.200}; only: {list(wanted)!r:.200}")


def _problem(draft: Draft, row: RawRow, source: Source) -> Problem:
    prompt = _text("prompt", draft.prompt)
    if prompt is None or not prompt.strip():
        raise MalformedRowError("missing_prompt", f"the prompt is {draft.prompt!r}")
    reference = _reference(draft.reference_answer)
    if b"\\ud" in row.raw.lower():
        _refuse_surrogates(draft)
    category = str(draft.category or source.category)
    return Problem(
        id=problem_id(prompt, draft.history, reference, draft.tests, draft.constraints),
        source=source.name,
        row=row.row,
        category=category,
        prompt=prompt,
        history=draft.history,
        reference_answer=reference,
        tests=draft.tests,
        constraints=draft.constraints,
        traces=draft.traces,
        licence=draft.licence or source.licence,
        non_commercial=source.non_commercial if draft.non_commercial is None else draft.non_commercial,
        info={"file": row.file, **draft.info},
    )


def _text(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise MalformedRowError(f"{name}_not_text", f"the {name} is {type(value).__name__}: {value!r:.200}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise MalformedRowError("invalid_unicode", f"the {name} holds a lone surrogate: {error}") from error
    return value


def _refuse_surrogates(draft: Draft) -> None:
    """Half a character, which JSON can say and Arrow cannot hold, is also refused outside prompt and reference."""
    for name in ("history", "tests", "constraints", "traces", "info"):
        _text(name, json.dumps(getattr(draft, name), ensure_ascii=False))


def _reference(value: object) -> str | None:
    """Numbers are answers too (LIMO's and SVAMP's are read as numbers from JSON); 145.0 means 145."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        whole = isinstance(value, float) and value.is_integer()
        return str(int(value) if whole else value)
    text = _text("reference_answer", value)
    return text.strip() if text and text.strip() else None


def _dropped(row: RawRow, source: Source, error: MalformedRowError) -> Dropped:
    """With its text; of a sound row that is left out only the beginning: there can be hundreds of thousands of them."""
    raw = row.raw.decode("utf-8", errors="backslashreplace")
    evidence: dict[str, Any] = {"file": row.file, "error": str(error)}
    if isinstance(error, ExcludedRowError) and len(raw) > EXCLUDED_CHARS:
        evidence["n_chars"], raw = len(raw), raw[:EXCLUDED_CHARS]
    return Dropped("", source.name, row.row, STAGE, error.reason, evidence, raw=raw)


def _unknown_layout(source: Source, columns: set[str]) -> UnknownLayoutError:
    wanted = "; ".join(" or ".join(alternatives) for alternatives in required_columns(source))
    return UnknownLayoutError(
        f"source {source.name} is not laid out as {source.layout}",
        got=f"columns {', '.join(sorted(columns))}",
        expected=f"columns {wanted}",
        remedy=f"set its layout (sources[].layout, or --layout of an audit) to one of {', '.join(LAYOUTS)}; or lay its "
        "columns out plainly (sources[].columns, or --column of an audit)",
    )
