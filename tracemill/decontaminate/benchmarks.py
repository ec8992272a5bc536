"""The items of benchmarks, read whole or not at all: contamination by an item that is not there goes unnoticed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracemill.core import SourceError, UnknownLayoutError
from tracemill.recipe.known_benchmarks import item_id, texts_of
from tracemill.sources import Source
from tracemill.sources.readers import readings
from tracemill.text.option_labels import stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracemill.recipe.sections.decontaminate import Benchmark
    from tracemill.sources.readers import RawRow


def source_of(benchmark: Benchmark) -> Source:
    """Return a benchmark is read like any source."""
    names = ("path", "hub", "config", "split", "files", "revision", "token")
    place = {name: getattr(benchmark, name) for name in names}
    return Source(name=benchmark.name, **place)


def items_of(benchmark: Benchmark, data_dir: str) -> list[dict[str, Any]]:
    """Rows of ``contamination_index.ITEMS``: one or more a benchmark item; of a multiple-choice item also its stem.

    Raises:
        SourceError: it cannot be read, or has fewer items than it is known to have.
        UnknownLayoutError: an item has no question.
    """
    items: list[dict[str, Any]] = []
    n_items = 0
    for row in _rows(benchmark, data_dir):
        record = _record(benchmark, row)
        texts = texts_of(record, benchmark.columns)
        if not texts:
            raise _no_question(benchmark, row, record)
        name = item_id(record, benchmark.columns, n_items)
        stems = [stem for stem in map(stem_of, texts) if stem is not None and stem not in texts]
        items += [{"benchmark": benchmark.name, "item": name, "text": text} for text in dict.fromkeys([*texts, *stems])]
        n_items += 1
    if n_items < (benchmark.columns.n_items or 1):
        raise SourceError(
            f"benchmark {benchmark.name} is not whole",
            got=f"{n_items} items",
            expected=f"{benchmark.columns.n_items or 'at least one'}",
            remedy="restore the file, or name it without known if it is meant to be a part",
        )
    return items


def _rows(benchmark: Benchmark, data_dir: str) -> Iterator[RawRow]:
    for _, rows in readings(source_of(benchmark), data_dir):
        yield from rows


def _record(benchmark: Benchmark, row: RawRow) -> Any:
    if row.fault is not None:
        raise SourceError(
            f"benchmark {benchmark.name}: line {row.line} of {row.file} is not well-formed",
            got=row.fault,
            remedy="fix the file: a benchmark must be read whole, or contamination goes unnoticed",
        )
    try:
        return json.loads(row.raw)
    except ValueError as error:
        raise SourceError(
            f"benchmark {benchmark.name}: row {row.row} of {row.file} is not JSON",
            got=str(error),
            remedy="restore the file: a benchmark must be read whole, or contamination goes unnoticed",
        ) from error


def _no_question(benchmark: Benchmark, row: RawRow, record: object) -> UnknownLayoutError:
    wanted = " and ".join(" or ".join(aliases) for aliases in benchmark.columns.texts)
    return UnknownLayoutError(
        f"benchmark {benchmark.name}: row {row.row} of {row.file} has no question",
        got=f"columns {', '.join(sorted(record))}" if isinstance(record, dict) else type(record).__name__,
        expected=f"text in column {wanted}",
        remedy="name the column of the question in decontaminate.benchmarks[].text",
    )
