"""What the first rows of somebody's own files say: columns, layout, what answers can be judged by, and more.

Every proposal of a layout (:mod:`tracemill.sources.proposals`) reads the rows as a run would; the one that
makes the most of them is taken. Bounded: the first ``ROWS`` rows of a source, however large it is.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tracemill.core import Category, Problem, SourceError, UnknownLayoutError
from tracemill.core.json_values import parsed
from tracemill.sources.collect import RAW_WITH_FAULTS, collected, raw_tables
from tracemill.sources.file_looks import described
from tracemill.sources.formats import FORMATS, format_of
from tracemill.sources.layouts.mixed import category_by
from tracemill.sources.proposals import Proposal, parts, proposals, unread
from tracemill.sources.source import Source
from tracemill.text.language.guess import language

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROWS: Final = 1000
_TRIED: Final = 100  # rows that proposals of layouts are compared on
_NEARLY: Final = 0.8  # of what the best proposal makes of the rows: what is nearly as good, and tells more, is taken
_SAMPLE_CHARS: Final = 60
_NAME_CHARS: Final = 60
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")

NUMBER: Final = "a number or formula"
LETTER: Final = "the letter of an option"
PROSE: Final = "prose"
TESTS: Final = "tests"
CONSTRAINTS: Final = "constraints"
NOTHING: Final = "nothing"
_BY_KIND: Final = {Category.MATH: NUMBER, Category.CHOICE: LETTER, Category.OTHER: PROSE}
_CATEGORY: Final = {kind: category for category, kind in _BY_KIND.items()} | {NOTHING: Category.OTHER}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the rows.

    Attributes:
        types: of its values, as JSON calls them: how many rows.
        sample: the first value that is there, as Python writes it, cut short.
    """

    types: Counter[str]
    sample: str


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a source's first rows say.

    Attributes:
        name: for the source.
        path: of its file, folder or glob, as it was given.
        n_rows: that were read.
        more: there are more than that.
        columns: by name.
        layout: the one that was taken, with the columns that plain has to be told.
        category: for rows that do not say theirs; None where all do.
        categories: of the rows that can be used, with that category.
        judged_by: what their answers can be judged by.
        languages: of their prompts.
        dropped: rows that cannot be used, by reason.
        traces: that came along, by author.
        n_bare: of those traces, how many have no reasoning.
        ids: of the problems, one a row, so that duplicates are seen.
        unread: columns that rows may be judged by, and that nobody reads.
        parts: columns that may be a part of the question, and that nobody reads.
        notes: what the readers told.
    """

    name: str
    path: Path
    n_rows: int
    more: bool
    columns: Mapping[str, Column]
    layout: Proposal
    category: Category | None
    categories: Counter[str]
    judged_by: Counter[str]
    languages: Counter[str]
    dropped: Counter[str]
    traces: Counter[str]
    n_bare: int
    ids: Sequence[str]
    unread: Sequence[str]
    parts: Sequence[str]
    notes: Sequence[str] = field(default_factory=list)

    @property
    def n_duplicates(self) -> int:
        """Rows with the same question, judged by the same, as an earlier one of this source."""
        return len(self.ids) - len(set(self.ids))


def inspected(paths: Iterable[Path]) -> list[Inspected]:
    """Return what the first rows of some files say, one source each, under distinct names.

    Args:
        paths: files, folders or globs that :mod:`tracemill.sources.readers` reads.

    Raises:
        SourceError: a file is not there, of a format that nobody reads, damaged, or without rows.
        UnknownLayoutError: no column can be the question.
    """
    found: list[Inspected] = []
    for path in paths:
        taken = [one.name for one in found]
        found.append(_inspected(path, _name(path, taken)))
    return found


def _name(path: Path, taken: Sequence[str]) -> str:
    """Return a source's name from its file's: without the suffixes of its format, and told from those before it."""
    whole = path.name or path.absolute().name
    stem = whole[: len(whole) - len(format_of(whole) or "")]
    base = _NO_NAME.sub("-", stem).strip("-._")[:_NAME_CHARS] or "rows"
    return next(name for name in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def _inspected(path: Path, name: str) -> Inspected:
    notes: list[str] = []
    raw = _raw(path, name, notes)
    more, raw = raw.num_rows > ROWS, raw.slice(0, ROWS)
    rows = _rows(raw)
    if not rows:
        looks = described([bytes(row) for row in raw["raw"].slice(0, 3).to_pylist()])
        raise SourceError(
            f"none of the first {raw.num_rows:,} rows of {path} can be read",
            got=f"the first begins with {raw['raw'][0].as_py()[:_SAMPLE_CHARS]!r}",
            expected="one JSON object a line, or the rows of a table",
            remedy=looks or "correct the file",
        )
    columns = _columns(rows)
    layout = _best(path, name, raw, rows, columns)
    problems, dropped, category = _read(_source(name, layout), raw)
    traces = [trace for problem in problems for trace in problem.traces]
    return Inspected(
        name=name,
        path=path,
        n_rows=raw.num_rows,
        more=more,
        columns=columns,
        layout=layout,
        category=category,
        categories=Counter(problem.category for problem in problems),
        judged_by=Counter(map(_judged_by, problems)),
        languages=Counter(language(problem.prompt) for problem in problems),
        dropped=dropped,
        traces=Counter(str(trace["model"]) for trace in traces),
        n_bare=sum(trace.get("think") is None for trace in traces),
        ids=[problem.id for problem in problems],
        unread=unread(rows, layout),
        parts=parts(rows, layout),
        notes=notes,
    )


def _raw(path: Path, name: str, notes: list[str]) -> pa.Table:
    """Return the first rows as they stand, and one more if there is one.

    Raises:
        SourceError: see :func:`inspected`.
    """
    is_there = path.exists()
    if is_there and path.is_file() and format_of(path.name) is None:
        raise SourceError(
            f"the format of {path} is not known",
            got=path.suffix or "no suffix",
            expected=f"one of {', '.join(FORMATS)}",
            remedy="convert the file, or give it the suffix of what is in it",
        )
    if not is_there and not any(mark in str(path) for mark in "*?["):
        raise SourceError(
            f"there is no file {path}",
            got=f"nothing at {path.absolute()}",
            expected="a file or folder of rows",
            remedy="correct the name; for data sets on the Hub: python -m tracemill sources, and docs/recipes.md",
        )
    source = Source(name=name, path=str(path.absolute()))
    tables = list(raw_tables(source, "/", ROWS + 1, {}, limit=ROWS + 1, notes=notes))
    if not tables:
        raise SourceError(f"{path} has no rows", got="an empty file, or a header alone", expected="at least one row")
    return pa.concat_tables(
        [_with_faults(table) for table in tables],
    )


def _with_faults(table: pa.Table) -> pa.Table:
    for missing in RAW_WITH_FAULTS:
        if missing.name not in table.column_names:
            table = table.append_column(missing, pa.nulls(table.num_rows, missing.type))
    return table


def _rows(raw: pa.Table) -> list[dict[str, Any]]:
    """Return the rows that are objects."""
    found = []
    for record in raw.select(["raw", "fault"]).to_pylist():
        try:
            row = parsed(record["raw"]) if record["fault"] is None else None
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


_TYPES: Final = {str: "text", bool: "true or false", int: "whole number", float: "number", list: "list", dict: "object"}


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for row in rows:
        for name, value in row.items():
            column = found.setdefault(name, Column(Counter(), ""))
            column.types[_TYPES.get(type(value), "null")] += 1
            if not column.sample and value not in (None, ""):
                shown = f"{value!r:.400}"
                sample = shown if len(shown) <= _SAMPLE_CHARS else shown[: _SAMPLE_CHARS - 1] + "…"
                found[name] = Column(column.types, sample)
    return found


def _source(name: str, layout: Proposal, category: Category = Category.MATH) -> Source:
    return Source(
        name=name, path="-", layout=layout.layout, columns=dict(layout.columns), category=category, licence="unknown"
    )


def _best(
    path: Path, name: str, raw: pa.Table, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Column]
) -> Proposal:
    """The proposal that makes most of the rows; of those nearly as good the most telling one, and of equals plain."""
    raw = raw.slice(0, _TRIED)
    tried = [(proposal, *_tried(name, proposal, raw)) for proposal in proposals(rows[:_TRIED])]
    usable = [one for one in tried if one[1]]
    if not usable:
        raise _no_question(path, columns, [proposal.layout for proposal, *_ in tried])
    most = max(n_judged for _, _, n_judged in usable), max(len(problems) for _, problems, _ in usable)
    good = [one for one in usable if one[2] >= _NEARLY * most[0] and len(one[1]) >= _NEARLY * most[1]]
    best = max(good or usable, key=lambda one: (one[0].telling, sum(len(problem.traces) for problem in one[1])))
    plain = next((one for one in usable if one[0].layout == "plain"), best)
    return plain[0] if _same(plain[1], best[1]) else best[0]


def _tried(name: str, proposal: Proposal, raw: pa.Table) -> tuple[list[Problem], int]:
    """Return what a proposal makes of some rows: the problems, and how many of them can be judged or have a trace."""
    try:
        problems, _, _ = collected(raw, _source(name, proposal))
    except UnknownLayoutError:
        return [], 0
    return problems, sum(_judged_by(problem) != NOTHING or bool(problem.traces) for problem in problems)


def _same(one: Sequence[Problem], other: Sequence[Problem]) -> bool:
    def seen(problem: Problem) -> tuple[object, ...]:
        return problem.row, problem.id, problem.category, [trace["model"] for trace in problem.traces]

    return list(map(seen, one)) == list(map(seen, other))


def _no_question(path: Path, columns: Mapping[str, Column], tried: Sequence[str]) -> UnknownLayoutError:
    shown = "; ".join(f"{name}: {', '.join(column.types)}, {column.sample}" for name, column in columns.items())
    return UnknownLayoutError(
        f"{path} has no column that can be the question" + (f" (tried {', '.join(tried)})" if tried else ""),
        got=f"columns {shown:.800}",
        expected="a column prompt, question, problem, instruction or query, or one column of texts in several words",
        remedy="write a recipe that names it: layout: plain, columns: {prompt: NAME} (docs/sources.md)",
    )


def _read(source: Source, raw: pa.Table) -> tuple[list[Problem], Counter[str], Category | None]:
    """Return all rows, by the category that fits those that do not say theirs."""
    problems, dropped, _ = collected(raw, source)
    as_other, _, _ = collected(raw, source.model_copy(update={"category": Category.OTHER}))
    is_open = [one.category != other.category for one, other in zip(problems, as_other, strict=True)]
    kinds = Counter(_judged_by(problem) for problem, open_ in zip(problems, is_open, strict=True) if open_)
    reasons = Counter(row.reason for row in dropped)
    if not kinds:
        return problems, reasons, None
    category = _CATEGORY[kinds.most_common(1)[0][0]]
    found, _, _ = collected(raw, source.model_copy(update={"category": category}))
    return found, reasons, category


def _judged_by(problem: Problem) -> str:
    if problem.tests is not None:
        return TESTS
    if problem.constraints:
        return CONSTRAINTS
    if problem.reference_answer is None:
        return NOTHING
    return _BY_KIND[category_by(problem.prompt, problem.reference_answer)]
