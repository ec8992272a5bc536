"""The life of one row, from a finished run's directory and the ledger: every record that tells of it, in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from tracemill.errors import StoreError
from tracemill.ledger_lookup import recorded
from tracemill.run_rows import batches, chosen_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MOST_ROWS: Final = 20  # that one prefix may name
_NEAREST: Final = 3
# Folder of a run -> the JSON column that names the id which a problem had before cleaning rewrote it.
_FORMER: Final = {"dataset": "info", "dropped": "evidence"}
_SHOWN: Final = ("id", "source", "row", "prompt")
_COMPARED: Final = ("source", "row", "prompt", "stage", "reason", "info")


def story(run: Path, asked: str, ledger: Path | None = None) -> list[dict[str, Any]]:
    """The records of a problem, each saying where it is from.

    In order: ``dataset`` and ``dropped`` (the row, or where it was lost), ``compared`` (rows that were taken for the
    same, with score), ``grey`` (the benchmark items that it comes near to), ``verdicts``, ``traces`` (every response),
    ``ledger`` (when it was asked for, and what the server said).

    Args:
        run: a finished run's directory.
        asked: content id of a problem, or its beginning; also the one from before the problem was rewritten.
        ledger: folder of what has been paid for.

    Raises:
        StoreError: there is no finished run, no row of that id in it, or far too many.
    """
    if not (run / "manifest.json").exists():
        raise StoreError(f"no finished run in {run}", expected="manifest.json", remedy="name a run with --run DIR")
    found = [
        record
        for folder, column in _FORMER.items()
        for record in _records(run / folder, ("id",), _starts("id", asked) | _was(column, asked))
    ]
    ids = sorted({record["id"] for record in found if record["id"]})
    if len(ids) > MOST_ROWS:
        raise StoreError(f"{len(ids)} rows begin with {asked}", got=", ".join(ids[:5]), remedy="give more of the id")
    found += _compared(run, found, ids)
    found += _records(run / "grey", ("id",), _one_of("id", ids))
    # An audit's verdicts are its rows, and are called by the problem's id.
    of_problem = _one_of("problem_id", ids) | _starts("problem_id", asked)
    found += _records(run / "verdicts", ("problem_id",), of_problem)
    found += _records(run / "verdicts", ("upstream_source",), _starts("id", asked))
    traces = list(_records(run / "traces", ("problem_id",), of_problem))
    found += traces
    if ledger is not None:
        wanted = {(trace["problem_id"], trace["response_id"]) for trace in traces if trace["origin"] == "teacher"}
        found += [{"where": "ledger", **record} for record in recorded(ledger, wanted)]
    if not found:
        raise _unknown(run, asked)
    return found


def _compared(run: Path, found: Sequence[dict[str, Any]], ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows that stay in the place of these, and the rows that were dropped for these."""
    for record in found:
        evidence = record.get("evidence") or {}
        for name, relation in (("kept", "kept instead of it"), ("linked_to", "linked to it")):
            if isinstance(evidence, dict) and evidence.get(name):
                score = evidence.get("score" if name == "kept" else "link_score")
                yield {"of": record["id"], **_related(run, evidence[name], relation, evidence.get("method"), score)}
    for problem_id in ids:
        naming = pc.match_substring(ds.field("evidence"), f'"kept":"{problem_id}"')
        for record in _records(run / "dropped", ("id",), naming):
            evidence = record["evidence"]
            told: dict[str, Any] = {name: record[name] for name in _SHOWN if name in record}
            shown = {"method": evidence.get("method"), "score": evidence.get("score"), "reason": record["reason"]}
            yield {"where": "compared", "relation": "dropped for it", "of": problem_id, **told, **shown}


def _related(run: Path, problem_id: str, relation: str, method: object, score: object) -> dict[str, Any]:
    rows = [
        row for name in _FORMER if (run / name).is_dir() for row in chosen_rows(run / name, [problem_id], _COMPARED)
    ]
    told = {name: rows[0][name] for name in ("source", "row", "prompt") if rows and rows[0].get(name) is not None}
    return {"where": "compared", "relation": relation, "id": problem_id, **told, "method": method, "score": score}


def _unknown(run: Path, asked: str) -> StoreError:
    """No such row; the ids that come nearest, since ids are copied by hand."""
    nearest = nearest_ids(_ids(run), asked)
    return StoreError(
        f"no row {asked} in {run}",
        got=f"the nearest are {', '.join(nearest)}" if nearest else "no rows at all",
        expected="the id of a published or dropped row, or its first characters",
        remedy="ids stand in column id of dataset/ and dropped/; rows that could not be read have none",
    )


def nearest_ids(ids: Iterable[str], asked: str) -> list[str]:
    """The ids whose beginnings differ least from what was asked for."""
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    known = sorted({name for name in ids if name})
    found = process.extract(
        asked,
        [name[: len(asked)] for name in known],
        scorer=Levenshtein.normalized_similarity,
        limit=_NEAREST,
    )
    return [known[place] for _, _, place in found]


def _ids(run: Path) -> Iterator[str]:
    for name in (*_FORMER, "verdicts"):
        if (run / name).is_dir():
            for table in batches(run / name, ["id"]):
                if "id" in table.column_names:
                    yield from table["id"].to_pylist()


def _starts(column: str, prefix: str) -> ds.Expression:
    return pc.starts_with(ds.field(column), prefix)


def _one_of(column: str, ids: Sequence[str]) -> ds.Expression:
    return ds.field(column).isin(pa.array(ids, pa.string()))


def _was(column: str, prefix: str) -> ds.Expression:
    """Canonical JSON has no blanks, and escapes quotes in texts, so that this is a key and its value."""
    return pc.match_substring(ds.field(column), f'"former_id":"{prefix}')


def _records(folder: Path, needed: Sequence[str], wanted: ds.Expression) -> Iterator[dict[str, Any]]:
    """The rows of a folder; nothing where it is not there, or is of another kind."""
    if not folder.is_dir():
        return
    dataset = ds.dataset(folder, format="parquet", exclude_invalid_files=True)
    if not set(needed) <= set(dataset.schema.names):
        return
    for record in dataset.to_table(filter=wanted).to_pylist():
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
