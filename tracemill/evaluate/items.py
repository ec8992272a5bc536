"""The items of a benchmark: which rows they are, what each is called, and what makes a benchmark unusable."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracemill.core import Dropped, SourceError, dropped_problem, problem_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracemill.core import Problem
    from tracemill.recipe.evaluation import Dates, Evaluated

STAGE: Final = "items"
OUT_OF_WINDOW: Final = "out_of_window"
NOT_SELECTED: Final = "not_selected"  # as the stage that collects calls it
_DATE: Final = "contest_date"  # of LiveCodeBench, the one benchmark with dates
_TOLD: Final = 5


def name_of(info: Mapping[str, Any], row: int) -> str:
    """Return what an item is called: its own id, or its row."""
    return str(info.get("upstream_id", row))


def date_of(info: Mapping[str, Any]) -> str | None:
    """Return an item's day, as 2024-08-01; None where it has none."""
    found = str(info.get(_DATE) or "")[: len("2024-08-01")]
    return found or None


class Picked(NamedTuple):
    """Items of one shard within a window."""

    kept: list[Problem]
    dropped: list[Dropped]
    first: str | None
    last: str | None
    undated: int


def picked(problems: Sequence[Problem], dates: Dates | None, *, zeros: bool = False) -> Picked:
    """Return the items within a window of dates, and the days that there are.

    Args:
        problems: of one shard.
        dates: the window; None: all.
        zeros: references are whole numbers that may begin with zeros, as AIME's ("033"), which say nothing.
    """
    if zeros:
        problems = [_without_zeros(problem) for problem in problems]
    days = [date_of(problem.info) for problem in problems]
    known = sorted(day for day in days if day is not None)
    kept, dropped = [], []
    for problem, day in zip(problems, days, strict=True):
        if dates is None or (day is not None and dates.first <= day <= dates.last):
            kept.append(problem)
        else:
            dropped.append(dropped_problem(problem, STAGE, OUT_OF_WINDOW, {"date": day}))
    first, last = (known[0], known[-1]) if known else (None, None)
    return Picked(kept, dropped, first, last, len(days) - len(known))


def _without_zeros(problem: Problem) -> Problem:
    reference = problem.reference_answer
    if reference is None or not re.fullmatch(r"0+[0-9]+", reference):
        return problem
    plain = str(int(reference))
    name = problem_id(problem.prompt, problem.history, plain, problem.tests, problem.constraints)
    return replace(problem, id=name, reference_answer=plain)


class Found(NamedTuple):
    """What was found of one benchmark, over all its shards.

    Attributes:
        n_rows: of its files.
        lost: rows that could not be read, by reason; an example of each.
        names: of its items within the window.
        ids: of their problems.
        first, last: days of its items, within the window or not.
        undated: items without a day.
        unjudgeable: items that no answer could be judged on, and why.
    """

    n_rows: int
    lost: Mapping[str, str]
    names: Sequence[str]
    ids: Sequence[str]
    first: str | None
    last: str | None
    undated: int
    unjudgeable: Mapping[str, str]


def refuse_unusable(benchmark: Evaluated, found: Found) -> None:
    """Refuse a benchmark that is not whole, that has no items in its window, or some that nothing can be judged on.

    Raises:
        SourceError: nobody has been asked anything.
    """
    name = f"benchmark {benchmark.name}"
    if found.lost:
        raise SourceError(
            f"{name} is not whole; nobody has been asked",
            got="; ".join(f"{reason}: {example}" for reason, example in list(found.lost.items())[:_TOLD]),
            expected="items that can all be read",
            remedy="restore the file, or correct layout and columns",
        )
    if benchmark.n_items is not None and found.n_rows != benchmark.n_items:
        raise SourceError(
            f"{name} is not whole, or another revision; nobody has been asked",
            got=f"{found.n_rows} items",
            expected=str(benchmark.n_items),
            remedy="restore the file, or leave out known if a part is meant: name, path, layout and columns say it",
        )
    _refuse_window(benchmark, found)
    for what, listed in (("id", found.names), ("question and answer", found.ids)):
        twice = sorted(each for each, n in Counter(listed).items() if n > 1)
        if twice:
            raise SourceError(
                f"{name} has {len(twice)} items twice, by their {what}; nobody has been asked",
                got=", ".join(each[:40] for each in twice[:_TOLD]),
                expected="each item once: an interval takes items for independent",
                remedy="remove the copies; or name the column of their ids in columns.id",
            )
    if found.unjudgeable:
        raise SourceError(
            f"{name} has {len(found.unjudgeable)} items on which no answer can be judged; nobody has been asked",
            got="; ".join(f"{item}: {why}" for item, why in list(found.unjudgeable.items())[:_TOLD]),
            expected="a reference answer, tests or constraints that the verifiers can use",
            remedy="correct category, layout and columns, or the items",
        )


def _refuse_window(benchmark: Evaluated, found: Found) -> None:
    dates = benchmark.dates
    if dates is None:
        if not found.names:
            raise SourceError(
                f"benchmark {benchmark.name} has no items; nobody has been asked",
                got=f"{found.n_rows} rows, all left out",
                remedy="correct only",
            )
        return
    if found.undated:
        raise SourceError(
            f"benchmark {benchmark.name} has {found.undated} items without a date, and the recipe names dates",
            got=f"dates.from {dates.start}, dates.to {dates.end}",
            expected=f"a day in {_DATE} of each item, as LiveCodeBench has it",
            remedy="leave dates out",
        )
    if not found.names:
        raise SourceError(
            f"benchmark {benchmark.name} has no item in the window; nobody has been asked",
            got=f"{dates.first} to {dates.last}",
            expected=f"days between {found.first} and {found.last}",
            remedy="correct dates, or name the files that hold that window",
        )


def lost_rows(dropped: Iterable[Dropped]) -> dict[str, str]:
    """Return rows that could not be read, by reason, with an example each; those left out on purpose are not lost."""
    found: dict[str, str] = {}
    for row in dropped:
        if row.reason not in {NOT_SELECTED, OUT_OF_WINDOW}:
            where = f"row {row.row} of {row.evidence.get('file', '')}"
            found.setdefault(row.reason, f"{where}, {row.evidence.get('error', '')}")
    return found
