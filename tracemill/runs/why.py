"""The life of one row, from a finished run's directory and the ledger: every record that tells of it, in order.

The life of one row for a terminal: its way, and tables of rows like it, benchmarks, requests and verdicts.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core import ReferenceBy, StoreError
from tracemill.core.schema import REFERENCE_BY
from tracemill.ledger.survey import recorded
from tracemill.publish.funnel import DROP_STAGES
from tracemill.runs.rows import batches, parquet_in
from tracemill.select.majority import CONTRADICTED, MADE, NO_MAJORITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_CELL_CHARS: Final = 60
_ID_CHARS: Final = 12
Record = dict[str, Any]


def render(records: Sequence[Record]) -> str:
    """Return the records of :func:`tracemill.runs.why.story`, one problem after the other."""
    ids: dict[str, None] = {}
    for record in records:
        name = record.get("id") if record["where"] in {"dataset", "dropped"} else record.get("problem_id")
        ids.setdefault(name or record.get("of") or record["id"])
    return "\n\n".join("\n".join(_life(name, [r for r in records if _is_of(r, name)])) for name in ids)


def way(records: Sequence[Record], name: str) -> list[tuple[str, str]]:
    """Return what every stage did to a problem, as (stage, what), of the records that tell of it."""
    by_place: dict[str, list[Record]] = {}
    for record in records:
        if _is_of(record, name):
            by_place.setdefault(record["where"], []).append(record)
    rows = by_place.get("dataset", []) + by_place.get("dropped", [])
    return list(_way(rows, by_place)) if rows else []


def _is_of(record: Record, name: str) -> bool:
    if record["where"] == "compared":
        return bool(record["of"] == name)
    return name in {record.get("id"), record.get("problem_id")}


def _life(name: str, records: Sequence[Record]) -> Iterator[str]:
    by_place: dict[str, list[Record]] = {}
    for record in records:
        by_place.setdefault(record["where"], []).append(record)
    yield f"problem {name}"
    rows = by_place.get("dataset", []) + by_place.get("dropped", [])
    if rows:
        yield from _section("the row", [_pair(*pair) for pair in _about(rows[0])])
        yield from _section("its way", [_pair(stage, what) for stage, what in _way(rows, by_place)])
    yield from _section("what its samples say", list(_said(by_place.get("references", []))))
    yield from _section("rows it was taken together with", _table(_COMPARED_COLUMNS, by_place.get("compared", [])))
    yield from _section("benchmark items it comes near to, and is not", _table(_GREY, by_place.get("grey", [])))
    yield from _section("requests and responses", _table(_REQUESTS, _requests(by_place)))
    yield from _section("verdicts", _table(_VERDICTS, by_place.get("verdicts", [])))


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"\n{title}"
        yield from (f"  {line}" for line in lines)


def _pair(name: str, what: str) -> str:
    return f"{name:<15}{what}"


def _about(row: Record) -> Iterator[tuple[str, str]]:
    info, evidence = row.get("info") or {}, row.get("evidence") or {}
    known = {**_dict(evidence), **_dict(info)}
    place = f"row {row['row']} of {row['source']}" if "row" in row else row["source"]
    yield "source", f"{place}{_after(', file ', known.get('file'))}{_after(', ', row.get('licence'))}"
    if row.get("prompt"):
        yield "prompt", _cell(row["prompt"], 90)
    if row.get("reference_answer") is not None:
        by = " (by majority of its samples)" if row.get(REFERENCE_BY) == ReferenceBy.MAJORITY else ""
        yield "reference", _cell(row["reference_answer"], 90) + by
    if known.get("former_id"):
        yield "was called", str(known["former_id"])


def _way(rows: Sequence[Record], by_place: Mapping[str, list[Record]]) -> Iterator[tuple[str, str]]:
    """Stage by stage until the row was dropped, or published."""
    published = next((row for row in rows if row["where"] == "dataset"), None)
    for copy in [row for row in rows if row["where"] == "dropped" and (published is not None or row is not rows[-1])]:
        yield copy["stage"], f"a copy, row {copy['row']} of {copy['source']}, was dropped: {copy['reason']}"
    lost = None if published is not None else rows[-1]
    for stage in DROP_STAGES:
        if lost is not None and stage == lost["stage"]:
            break
        if lost is not None and lost["stage"] not in DROP_STAGES:
            break
        yield stage, _passed(stage, published or {}, by_place)
    if lost is None:
        chosen = [_id(row["response_id"]) for row in rows if row["where"] == "dataset"]
        yield "export", f"published: response {', '.join(chosen)} in dataset/" if chosen else ""
        return
    yield lost["stage"], f"dropped: {lost['reason']}"
    for name, value in _dict(lost.get("evidence") or {}).items():
        yield "", f"{name}: {_cell(value, 200)}"


def _said(votes: Sequence[Record]) -> Iterator[str]:
    """Yield what a vote found of the reference, and the answers with their votes."""
    for vote in votes:
        yield _pair("reference", _cell(vote.get("reference") or "none", 90))
        yield _pair("finding", _finding(vote))
        without = [f"{n} without a vote ({why})" for why, n in _dict(vote.get("without_vote")).items()]
        yield from (f"{n:>5} of {vote['voters']}  {_cell(answer, 90)}" for answer, n in vote.get("answers") or [])
        yield from (f"{'':>5}{told}" for told in without)


def _finding(vote: Record) -> str:
    told = {
        MADE: f"a reference was made by majority: {vote.get('answer')}",
        NO_MAJORITY: f"no reference could be made: {vote.get('why')}",
        CONTRADICTED: f"most samples contradict the reference, and say {vote.get('answer')}",
    }
    return _cell(told.get(vote["finding"], vote["finding"]), 200) + (", dropped" if vote.get("is_dropped") else "")


def _passed(stage: str, row: Record, by_place: Mapping[str, list[Record]]) -> str:
    traces, compared = by_place.get("traces", []), by_place.get("compared", [])
    outcomes = Counter(trace["outcome"] for trace in traces)
    told = {
        "clean": f"rewritten: {_cell(_dict(row.get('info') or {}).get('rewritten', ''), 120)}",
        "deduplicate": f"kept; rows dropped for it: {len(compared)}",
        "decontaminate": f"in none of the recipe's benchmarks; near to {len(by_place.get('grey', []))} of their items",
        "label": ", ".join(f"{name} {row[name]}" for name in _LABELS if row.get(name) is not None),
        "distill": f"{len(traces)} response(s): {_counts(Counter(trace['origin'] for trace in traces))}",
        "verify": _counts(outcomes),
        "quality": f"{sum('fault' in trace for trace in traces)} with a fault",
    }
    has_told = stage != "clean" or "rewritten" in _dict(row.get("info") or {})
    return (told.get(stage, "") if has_told else "") or "passed"


_LABELS: Final = ("category", "category_label", "difficulty", "quality", "language", "n_prompt_tokens")
_COMPARED_COLUMNS: Final = ("relation", "id", "source", "row", "method", "score", "prompt")
_GREY: Final = ("benchmark", "item", "method", "score", "overlap", "item_text")
_VERDICTS: Final = ("response_id", "verifier", "outcome", "cause", "score", "extracted", "detail")
_REQUESTS: Final = (
    "response_id",
    "from",
    "sample",
    "model",
    "tokens_in",
    "tokens_out",
    "finish",
    "answered",
    "outcome",
    "fate",
)


def _requests(by_place: Mapping[str, list[Record]]) -> list[Record]:
    """Return every response: who wrote it, when and for how many tokens as the ledger says, and what became of it."""
    paid = {record["response_id"]: record for record in by_place.get("ledger", [])}
    return [_request(trace, paid.get(trace["response_id"])) for trace in by_place.get("traces", [])]


def _request(trace: Record, paid: Record | None) -> Record:
    fate = "published" if trace.get("published") else trace.get("fault") or trace.get("reason")
    known = paid or {}
    source = "the source" if trace["origin"] == "source" else "the ledger" if paid else "the teacher"
    return {
        "response_id": trace["response_id"],
        "from": source,
        "sample": trace["sample_index"],
        "model": trace["model"],
        "tokens_in": known.get("prompt_tokens"),
        "tokens_out": known.get("completion_tokens") or trace["think_tokens"] + trace["answer_tokens"],
        "finish": known.get("finish_reason"),
        "answered": f"{known['not_before']} to {known['not_after'][11:]}" if paid else None,
        "outcome": trace["outcome"],
        "fate": fate,
    }


def _table(columns: Sequence[str], records: Sequence[Record]) -> list[str]:
    """Return columns that any record has, aligned."""
    shown = [name for name in columns if any(record.get(name) not in {None, ""} for record in _flat(records, columns))]
    rows = [[_shown(name, record.get(name)) for name in shown] for record in records]
    widths = [max(map(len, column)) for column in zip(shown, *rows, strict=True)] if rows else []
    lines = [shown, *rows] if rows else []
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _flat(records: Sequence[Record], columns: Sequence[str]) -> Iterator[dict[str, str | None]]:
    for record in records:
        yield {name: None if record.get(name) is None else str(record[name]) for name in columns}


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name in {"id", "response_id"}:
        return _id(value)
    return f"{value:.3g}" if isinstance(value, float) else _cell(value, _CELL_CHARS)


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.most_common())


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _after(prefix: str, value: object) -> str:
    return f"{prefix}{value}" if value else ""


def _id(text: str) -> str:
    return text[:_ID_CHARS]


def _cell(value: object, most: int) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


MOST_ROWS: Final = 20  # that one prefix may name
_NEAREST: Final = 3
# Folder of a run -> the JSON column that names the id which a problem had before cleaning rewrote it.
_FORMER: Final = {"dataset": "info", "dropped": "evidence"}
_SHOWN: Final = ("id", "source", "row", "prompt")
_COMPARED: Final = ("source", "row", "prompt", "stage", "reason", "info")


class Records(Protocol):
    """Where the rows of a finished run are looked up; every record says in ``where`` what folder it is from."""

    def named(self, asked: str) -> list[Record]:
        """Return the rows of ``dataset`` and ``dropped`` whose id, or former id, begins with this."""
        ...

    def of(self, folder: str, ids: Sequence[str], asked: str = "") -> list[Record]:
        """Return the rows of a folder that belong to one of the problems, or to one whose id begins with ``asked``."""
        ...

    def dropped_for(self, problem_id: str) -> list[Record]:
        """Return the rows of ``dropped`` that gave way to a problem."""
        ...

    def unknown(self, asked: str) -> StoreError:
        """Return the error for an id that no row has."""
        ...


def story(run: Path, asked: str, ledger: Path | None = None) -> list[Record]:
    """Return the records of a problem, each saying where it is from.

    In order: ``dataset`` and ``dropped`` (the row, or where it was lost), ``compared`` (rows that were taken for the
    same, with score), ``grey`` (the benchmark items that it comes near to), ``references`` (what its samples say of its
    reference), ``verdicts``, ``traces`` (every response),
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
    return story_by(_Scanned(run), asked, ledger)


def story_by(records: Records, asked: str, ledger: Path | None = None, *, texts: bool = False) -> list[Record]:
    """Return the same of rows that are looked up in another way; if asked, the ledger's records with their texts.

    Raises:
        StoreError: no row has that id, or far too many begin with it.
    """
    found = records.named(asked)
    ids = sorted({record["id"] for record in found if record["id"]})
    if len(ids) > MOST_ROWS:
        raise StoreError(f"{len(ids)} rows begin with {asked}", got=", ".join(ids[:5]), remedy="give more of the id")
    found += _compared(records, found, ids)
    found += records.of("grey", ids)
    found += records.of("references", ids)
    found += records.of("verdicts", ids, asked)
    traces = records.of("traces", ids, asked)
    found += traces
    if ledger is not None:
        wanted = {(trace["problem_id"], trace["response_id"]) for trace in traces if trace["origin"] == "teacher"}
        found += [{"where": "ledger", **record} for record in recorded(ledger, wanted, texts=texts)]
    if not found:
        raise records.unknown(asked)
    return found


def _compared(records: Records, found: Sequence[Record], ids: Sequence[str]) -> Iterator[Record]:
    """Yield the rows that stay in the place of these, and the rows that were dropped for these."""
    for record in found:
        evidence = record.get("evidence") or {}
        for name, relation in (("kept", "kept instead of it"), ("linked_to", "linked to it")):
            if isinstance(evidence, dict) and evidence.get(name):
                score = evidence.get("score" if name == "kept" else "link_score")
                yield {
                    "of": record["id"],
                    **_related(records, evidence[name], relation, evidence.get("method"), score),
                }
    for problem_id in ids:
        for record in records.dropped_for(problem_id):
            evidence = record["evidence"]
            told: Record = {name: record[name] for name in _SHOWN if name in record}
            shown = {"method": evidence.get("method"), "score": evidence.get("score"), "reason": record["reason"]}
            yield {"where": "compared", "relation": "dropped for it", "of": problem_id, **told, **shown}


def _related(records: Records, problem_id: str, relation: str, method: object, score: object) -> Record:
    rows = [row for name in _FORMER for row in records.of(name, [problem_id])]
    told = {name: rows[0][name] for name in ("source", "row", "prompt") if rows and rows[0].get(name) is not None}
    return {"where": "compared", "relation": relation, "id": problem_id, **told, "method": method, "score": score}


class _Scanned:
    """The rows of a run, looked for in whole folders: nothing is read before something is asked."""

    def __init__(self, run: Path) -> None:
        self._run = run

    def named(self, asked: str) -> list[Record]:
        """See :class:`Records`."""
        return [
            record
            for folder, column in _FORMER.items()
            for record in _records(self._run / folder, ("id",), _starts("id", asked) | _was(column, asked))
        ]

    def of(self, folder: str, ids: Sequence[str], asked: str = "") -> list[Record]:
        """See :class:`Records`; an audit's verdicts are its rows, and are called by the problem's id."""
        place = self._run / folder
        if folder not in {"verdicts", "traces"}:
            return list(_records(place, ("id",), _one_of("id", ids), _COMPARED if folder in _FORMER else None))
        of_problem = _one_of("problem_id", ids)
        if not asked:
            return list(_records(place, ("problem_id",), of_problem))
        found = list(_records(place, ("problem_id",), of_problem | _starts("problem_id", asked)))
        return found + list(_records(place, ("upstream_source",), _starts("id", asked)))

    def dropped_for(self, problem_id: str) -> list[Record]:
        """See :class:`Records`."""
        naming = pc.match_substring(pc.field("evidence"), f'"kept":"{problem_id}"')
        return list(_records(self._run / "dropped", ("id",), naming))

    def unknown(self, asked: str) -> StoreError:
        """No such row; the ids that come nearest, since ids are copied by hand."""
        nearest = nearest_ids(_ids(self._run), asked)
        return unknown_id(self._run, asked, f"the nearest are {', '.join(nearest)}" if nearest else "no rows at all")


def unknown_id(run: Path, asked: str, got: str) -> StoreError:
    """Return the error for an id that no row of a run has."""
    return StoreError(
        f"no row {asked} in {run}",
        got=got,
        expected="the id of a published or dropped row, or its first characters",
        remedy="ids stand in column id of dataset/ and dropped/; rows that could not be read have none",
    )


def nearest_ids(ids: Iterable[str], asked: str) -> list[str]:
    """Return the ids whose beginnings differ least from what was asked for."""
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


def _starts(column: str, prefix: str) -> pc.Expression:
    return pc.starts_with(pc.field(column), prefix)


def _one_of(column: str, ids: Sequence[str]) -> pc.Expression:
    return pc.field(column).isin(pa.array(ids, pa.string()))


def _was(column: str, prefix: str) -> pc.Expression:
    """Canonical JSON has no blanks, and escapes quotes in texts, so that this is a key and its value."""
    return pc.match_substring(pc.field(column), f'"former_id":"{prefix}')


def _records(
    folder: Path, needed: Sequence[str], wanted: pc.Expression, columns: Sequence[str] | None = None
) -> Iterator[Record]:
    """Yield the rows of a folder; nothing where it is not there, or is of another kind."""
    if not folder.is_dir():
        return
    dataset = parquet_in(folder)
    if not set(needed) <= set(dataset.schema.names):
        return
    names = None if columns is None else [name for name in ("id", *columns) if name in dataset.schema.names]
    for record in dataset.to_table(columns=names, filter=wanted).to_pylist():
        yield record_of(folder.name, record)


def record_of(where: str, row: Mapping[str, Any]) -> Record:
    """Return a row as a record of a story: without what is null, JSON texts as what they say."""
    return {"where": where, **{name: plain(value) for name, value in row.items() if value is not None}}


def plain(value: object) -> object:
    """Return JSON text columns as what they say."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
