"""The life of one row, read from a finished run's directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.dataset as ds

from tracemill.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Folder of a run -> the JSON column that names the id which a problem had before cleaning rewrote it.
_FORMER = {"dataset": "info", "dropped": "evidence"}


def story(run: Path, problem_id: str) -> list[dict[str, Any]]:
    """The records of a problem: its published row, or the row that says where it was dropped; all verdicts and traces.

    Args:
        run: a finished run's directory.
        problem_id: content id, or a prefix of it; also the one from before the problem was rewritten.

    Raises:
        StoreError: there is no finished run, or no row of that id in it.
    """
    if not (run / "manifest.json").exists():
        raise StoreError(f"no finished run in {run}", expected="manifest.json", remedy="name a run with --run DIR")
    found = [
        record
        for folder, column in _FORMER.items()
        for record in _records(run / folder, _starts("id", problem_id) | _was(column, problem_id))
    ]
    of_problem = _starts("problem_id", problem_id)
    for record in found:
        of_problem |= ds.field("problem_id") == record["id"]
    found += _records(run / "verdicts", of_problem)
    if (run / "traces").is_dir():  # an audit has none
        found += _records(run / "traces", of_problem)
    if not found:
        raise StoreError(
            f"no row {problem_id} in {run}",
            expected="the id of a published or dropped row, or its first characters",
            remedy="ids stand in column id of dataset/ and dropped/; rows that could not be read have none",
        )
    return found


def _starts(column: str, prefix: str) -> ds.Expression:
    return pc.starts_with(ds.field(column), prefix)


def _was(column: str, prefix: str) -> ds.Expression:
    """Canonical JSON has no blanks, and escapes quotes in texts, so that this is a key and its value."""
    return pc.match_substring(ds.field(column), f'"former_id":"{prefix}')


def _records(folder: Path, wanted: ds.Expression) -> Iterator[dict[str, Any]]:
    table = ds.dataset(folder, format="parquet", exclude_invalid_files=True).to_table(filter=wanted)
    for record in table.to_pylist():
        told = {name: _plain(value) for name, value in record.items() if value is not None}
        yield {"where": folder.name, **told}


def _plain(value: object) -> object:
    """JSON text columns as what they say."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
