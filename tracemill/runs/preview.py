"""A preview told for a terminal: what every stage did to each of a few rows, and what all rows would come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from tracemill.publish.funnel import FUNNEL, source_yields
from tracemill.runs.preview_cost import Looked, money_lines
from tracemill.runs.report import finished_run
from tracemill.runs.rows import parquet_in
from tracemill.runs.why import record_of, story, way

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tracemill.recipe.sections.distill import Distill
    from tracemill.runs.why import Record

_PROMPT_CHARS: Final = 200
_WHAT_CHARS: Final = 160
_ANSWER_CHARS: Final = 120


class Seen(NamedTuple):
    """What a few rows of a source came to.

    Attributes:
        n_rows: of the source that were looked at.
        n_asked: problems among them that the teacher was asked about.
        n_requests: that it answered.
        n_tokens: of its responses, think and answer, estimated.
        n_published: rows.
    """

    n_rows: int
    n_asked: int
    n_requests: int
    n_tokens: int
    n_published: int


class Whole(NamedTuple):
    """How many rows a source has.

    Attributes:
        n_rows: None where only reading it would tell.
        is_exact: they are counted, not reckoned.
    """

    n_rows: int | None
    is_exact: bool


def render_preview(run: Path, ledger: Path | None, wholes: Mapping[str, Whole], distill: Distill) -> str:
    """Return the rows of a preview with their ways, then what a full run would ask for.

    Args:
        run: directory of the preview.
        ledger: what has been paid for.
        wholes: by source.
        distill: of the recipe: how many problems are asked about at most, and what answers cost.

    Raises:
        StoreError: there is no finished run.
    """
    manifest = finished_run(run)
    yields = source_yields(pa.Table.from_pylist(manifest["funnel"], schema=FUNNEL))
    rows = list(_rows(run))
    seen = {source: _seen(run, rows, source, *yields[source]) for source in yields}
    lines: list[str] = []
    for source, (n_in, n_kept) in yields.items():
        lines.append(f"{source}: {n_in} rows, {n_kept} published")
        for row in (each for each in rows if each["source"] == source):
            lines += ["", *_row_lines(run, row, ledger)]
        lines.append("")
    lines += cost_lines(seen, wholes, distill.limit)
    if any(each.n_requests for each in seen.values()):
        looked = {
            source: Looked(n_in, wholes[source].n_rows, frozenset(_ids(rows, source)))
            for source, (n_in, _) in yields.items()
        }
        lines += ["", *money_lines(run, manifest, looked, distill)]
    return "\n".join(lines)


def cost_lines(seen: Mapping[str, Seen], wholes: Mapping[str, Whole], limit: int | None) -> list[str]:
    """Return what a full run would ask of the teacher, by source and in all, as far as so few rows can say it."""
    if not any(each.n_requests for each in seen.values()):
        return ["a full run: the teacher was asked nothing for these rows, which brought their traces or were dropped"]
    head = f"{'a full run, reckoned from these rows':<38}{'rows':>14}{'published':>12}{'requests':>12}{'tokens':>9}"
    lines, totals = [head], [0.0, 0.0, 0.0, 0.0]
    for source, found in seen.items():
        whole = wholes.get(source, Whole(None, is_exact=False))
        factor = (whole.n_rows if whole.n_rows is not None else 1000) / max(found.n_rows, 1)
        figures = [factor * n for n in (found.n_rows, found.n_published, found.n_requests, found.n_tokens)]
        of = "  of every 1,000 rows" if whole.n_rows is None else ""
        rows = ("" if whole.is_exact or whole.n_rows is None else "~") + f"{figures[0]:,.0f}"
        lines.append(
            f"  {source[:34]:<36}{rows:>14}{_about(figures[1])}{_about(figures[2])}{_about(figures[3], 9)}{of}"
        )
        if whole.n_rows is not None:
            totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
    known = [source for source in seen if wholes.get(source, Whole(None, is_exact=False)).n_rows is not None]
    if len(known) > 1:
        lines.append(f"  {'in all':<36}{totals[0]:>14,.0f}{_about(totals[1])}{_about(totals[2])}{_about(totals[3], 9)}")
    if limit is not None:
        n_asked = sum(each.n_asked for each in seen.values())
        share = limit / max(n_asked, 1)
        n_requests, n_tokens = (share * sum(each[place] for each in seen.values()) for place in (2, 3))
        asked = f"distill.limit asks about {limit:,} problems at most"
        lines.append(f"  {asked:<62}{_about(n_requests)}{_about(n_tokens, 9)}")
    return [*lines, "  (tokens are estimates; distill.cost measures hours and money before a run generates anything)"]


def _about(figure: float, width: int = 12) -> str:
    """Return a figure as coarse as it is."""
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if figure >= bound:
            size = figure / {"G": 1e9, "M": 1e6, "k": 1e3}[unit]
            return f"{f'~{size:.3g} {unit}':>{width}}"
    return f"{f'~{figure:,.0f}':>{width}}"


def _rows(run: Path) -> Iterator[Record]:
    """Yield every row of a run: the published ones, then those that were dropped."""
    for folder in ("dataset", "dropped"):
        for row in parquet_in(run / folder).to_table().to_pylist():
            yield record_of(folder, row)


def _seen(run: Path, rows: Sequence[Record], source: str, n_in: int, n_kept: int) -> Seen:
    ids = _ids(rows, source)
    traces = [
        trace
        for trace in parquet_in(run / "traces").to_table().to_pylist()
        if trace["problem_id"] in ids and trace["origin"] == "teacher"
    ]
    n_tokens = sum((trace["think_tokens"] or 0) + (trace["answer_tokens"] or 0) for trace in traces)
    return Seen(n_in, len({trace["problem_id"] for trace in traces}), len(traces), n_tokens, n_kept)


def _ids(rows: Sequence[Record], source: str) -> set[str]:
    return {row["id"] for row in rows if row["source"] == source and row.get("id")}


def _row_lines(run: Path, row: Record, ledger: Path | None) -> Iterator[str]:
    name = str(row.get("id") or "")
    fate = "published" if row["where"] == "dataset" else f"dropped: {row['stage']}/{row['reason']}"
    yield f"  {_line(row.get('prompt') or row.get('raw') or '(no text)', _PROMPT_CHARS)}"
    yield f"    {fate}{f'   {name[:12]}' if name else ''}"
    is_copy = row["where"] == "dropped" and row["stage"] in {"collect", "clean", "deduplicate"}
    steps = [] if is_copy or not name else way(story(run, name, ledger), name)
    shown = [(stage, what) for stage, what in steps if what not in {"passed", ""} and not what.startswith("published:")]
    if not steps:
        shown = [("", f"{key}: {_line(value, _WHAT_CHARS)}") for key, value in (row.get("evidence") or {}).items()]
    for stage, what in shown:
        yield f"    {stage:<14} {_line(what, _WHAT_CHARS)}"
    if row["where"] == "dataset":
        yield f"    {'answer':<14} {_line(row['answer'], _ANSWER_CHARS)}"


def _line(text: Any, most: int) -> str:
    line = " ".join(str(text)[: 4 * most].split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
