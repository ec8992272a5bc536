"""From raw rows to problems: chunking a source into shards, and adapting one shard.

Shards only ever grow at the end of a file: a chunk that was published keeps its boundaries, so that appended rows
become new shards and the old ones keep their digests.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tracemill.core import Dropped, Problem, UnknownLayoutError, json_text, problem_id
from tracemill.core.json_values import parsed
from tracemill.sources.adapter import Draft, ExcludedRowError, MalformedRowError
from tracemill.sources.formats import format_of
from tracemill.sources.layouts.columns import answer_text
from tracemill.sources.layouts.registry import LAYOUTS, required_columns
from tracemill.sources.lost_sources import shard_facts
from tracemill.sources.readers import RawRow, files_of, readings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracemill.sources.source import Source

STAGE = "collect"
EXCLUDED_CHARS = 2000  # tells which row it is; a row of OpenR1-Math has 100,000
RAW = pa.schema([("file", pa.string()), ("row", pa.int64()), ("raw", pa.large_binary())])
RAW_WITH_FAULTS = pa.schema([*RAW, ("line", pa.int64()), ("fault", pa.string())])


def fingerprint(source: Source, data_dir: str) -> list[Any]:
    """What tells, without reading it, whether a source may have changed: sizes and times of files, or the Hub revision.

    Raises:
        SourceError: there is no file.
    """
    if source.hub is not None:
        return [source.hub, source.config, source.split, source.files, source.revision]
    stats = [(file, file.path.stat()) for file in files_of(source, data_dir)]
    return [[str(file.path), stat.st_size, stat.st_mtime_ns, *_reader(file.name)] for file, stat in stats]


def _reader(name: str) -> list[str]:
    """The version of a reader that reads the same bytes otherwise than it once did: such files are read again."""
    return ["csv@2"] if (format_of(name) or "").startswith(".csv") else []


def raw_tables(
    source: Source,
    data_dir: str,
    shard_rows: int,
    published: Mapping[str, list[int]],
    limit: int | None = None,
    notes: list[str] | None = None,
) -> Iterator[pa.Table]:
    """Yield the source in chunks of raw rows, each of one file and at most ``shard_rows`` rows.

    Columns are those of ``RAW``; of a chunk with rows that their format cannot read also line and fault.

    Args:
        source: where to read.
        data_dir: what its path is relative to.
        shard_rows: rows per chunk.
        published: chunk lengths by file that earlier versions were published with; they are kept.
        limit: at most so many rows, from the beginning.
        notes: what is worth telling of the files is added to it.

    Raises:
        SourceError: a file is missing, of unknown format or other content, or damaged.
    """
    left = limit
    former = _former_names(source, data_dir, published)
    for name, found in readings(source, data_dir, notes):
        rows = (replace(row, file=former[name]) for row in found) if name in former else found
        for table in _chunks(itertools.islice(rows, left), shard_rows, published.get(former.get(name, name), [])):
            left = None if left is None else left - table.num_rows
            yield table
        if left == 0:
            return


def _former_names(source: Source, data_dir: str, published: Mapping[str, list[int]]) -> dict[str, str]:
    """Return files that earlier versions of this program published under their base name, by the name they have now.

    They keep it, and with it their shards, as long as no other file of the source has the same.
    """
    if source.hub is not None:
        return {}
    base_of = {file.name: PurePosixPath(file.name).name for file in files_of(source, data_dir)}
    n_called = Counter(base_of.values())
    return {
        name: base
        for name, base in base_of.items()
        if name != base and n_called[base] == 1 and base in published and name not in published
    }


def _chunks(rows: Iterator[RawRow], shard_rows: int, published: list[int]) -> Iterator[pa.Table]:
    for length in itertools.chain(published, itertools.repeat(shard_rows)):
        chunk = list(itertools.islice(rows, length))
        if not chunk:
            return
        schema = RAW_WITH_FAULTS if any(row.fault for row in chunk) else RAW
        columns = [pa.array([getattr(row, name) for row in chunk], schema.field(name).type) for name in schema.names]
        yield pa.Table.from_arrays(columns, schema=schema)


def collect(raw: pa.Table, source: Source) -> tuple[list[Problem], list[Dropped]]:
    """See :func:`collected`; without the facts."""
    kept, dropped, _ = collected(raw, source)
    return kept, dropped


def collected(raw: pa.Table, source: Source) -> tuple[list[Problem], list[Dropped], dict[str, Any]]:
    """Adapt one shard; a row that cannot be read is dropped with its reason and its raw text.

    Returns:
        Problems, dropped rows, and the facts by which the whole source is judged (:mod:`lost_sources`).

    Raises:
        UnknownLayoutError: no readable row has the columns that the layout needs.
    """
    kept: list[Problem] = []
    dropped: list[Dropped] = []
    columns_seen: set[str] = set()
    any_fits = False
    n_malformed = 0
    for row in (RawRow(**record) for record in raw.to_pylist()):
        try:
            record = _parse(row)
            columns_seen.update(record)
            any_fits = _check_columns(record, source) or any_fits
            _check_selected(record, source)
            kept.append(_problem(LAYOUTS[source.layout].adapt(record, source), row, source))
        except MalformedRowError as error:
            dropped.append(_dropped(row, source, error))
            n_malformed += not isinstance(error, ExcludedRowError)
    if columns_seen and not kept and not any_fits:
        raise _unknown_layout(source, columns_seen)
    return kept, dropped, shard_facts(source, columns_seen, n_malformed)


def _parse(row: RawRow) -> dict[str, Any]:
    if row.fault is not None:
        raise MalformedRowError("malformed_row", f"line {row.line}: {row.fault}")
    try:
        record = parsed(row.raw)
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
    if draft.prompt is not None and not isinstance(draft.prompt, str):
        raise MalformedRowError(
            "prompt_not_text", f"the prompt is {type(draft.prompt).__name__}: {draft.prompt!r:.200}"
        )
    prompt = _encodable("prompt", draft.prompt)
    if prompt is None or not prompt.strip():
        raise MalformedRowError("missing_prompt", f"the prompt is {draft.prompt!r}")
    reference = _encodable("reference_answer", answer_text(draft.reference_answer))
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


def _encodable(name: str, text: str | None) -> str | None:
    """Return the text, which holds no half of a character."""
    try:
        (text or "").encode()
    except UnicodeEncodeError as error:
        raise MalformedRowError("invalid_unicode", f"the {name} holds a lone surrogate: {error}") from error
    return text


def _refuse_surrogates(draft: Draft) -> None:
    """Half a character, which JSON can say and Arrow cannot hold, is also refused outside prompt and reference."""
    for name in ("history", "tests", "constraints", "traces", "info"):
        _encodable(name, json.dumps(getattr(draft, name), ensure_ascii=False))


def _dropped(row: RawRow, source: Source, error: MalformedRowError) -> Dropped:
    """With its text; of a sound row that is left out only the beginning: there can be hundreds of thousands of them."""
    raw = row.raw.decode("utf-8", errors="backslashreplace")
    evidence: dict[str, Any] = {"file": row.file, "error": str(error)}
    if row.line is not None:
        evidence["line"] = row.line
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
