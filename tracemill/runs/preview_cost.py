"""What a full run would cost, reckoned from a preview: what its answers cost by the recipe's prices, times the rows.

How far that may be off is told by how much the rows of a source differ: an interval of 95 % by Student's t over the
rows that were looked at, those that cost nothing among them. Whether other rows are like these nobody knows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from tracemill.evaluate.statistics import estimate
from tracemill.inference.usage import Usage, amount_told
from tracemill.runs.rows import parquet_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from tracemill.recipe.sections.distill import Distill
    from tracemill.recipe.sections.server import Teacher

_HOW: Final = "distill.teacher.price: {input: X, output: Y}, of a million tokens"
Costs = dict[str, dict[str, float]]  # by teacher and problem


class Sum(NamedTuple):
    """An amount of money.

    Attributes:
        likely: the mean, times the rows.
        half: half of the interval; None where one row cannot tell.
    """

    likely: float
    half: float | None

    def told(self, currency: str) -> tuple[str, str]:
        """Return the amount, and its range, for people."""
        likely = amount_told(self.likely, currency)
        if self.half is None:
            return likely, "not known from one row"
        if not self.half:
            return likely, ""
        low, high = max(0.0, self.likely - self.half), self.likely + self.half
        return likely, f"{amount_told(low, '').strip()} to {amount_told(high, currency)}"


class Looked(NamedTuple):
    """What was looked at of a source.

    Attributes:
        n_rows: so many rows.
        n_whole: so many it has; None where only reading it would tell.
        problems: their ids.
    """

    n_rows: int
    n_whole: int | None
    problems: frozenset[str]


def money_lines(run: Path, manifest: Mapping[str, Any], looked: Mapping[str, Looked], distill: Distill) -> list[str]:
    """Return what a full run would cost, by source and by teacher, for a terminal; or that no price is set.

    Args:
        run: directory of the preview.
        manifest: of its publication.
        looked: by source.
        distill: of the recipe.
    """
    unpriced = list(_unpriced(distill.asked))
    costs = _costs(run, manifest, distill.asked)
    if not costs:
        return unpriced
    currency = distill.money
    lines = [_line("what it would cost, by the recipe's prices", "likely", "range of 95 %")]
    for source, found in looked.items():
        likely, told = _of(costs.values(), [found]).told(currency)
        lines.append(_line(f"  {source}", likely, f"{told}  of every 1,000 rows" if found.n_whole is None else told))
    known = [found for found in looked.values() if found.n_whole is not None]
    if len(known) > 1:
        lines.append(_line("  in all", *_of(costs.values(), known).told(currency)))
    if len(costs) > 1 and known:
        for teacher, spent in costs.items():
            lines.append(_line(f"    of it {teacher}", *_of([spent], known).told(currency)))
    if distill.limit is not None:
        asked = sorted({problem for spent in costs.values() for problem in spent})
        values = [sum(spent.get(problem, 0.0) for spent in costs.values()) for problem in asked]
        lines.append(_line("  at most, for distill.limit", *_scaled(values, len(values), distill.limit).told(currency)))
    return [*lines, *unpriced]


def _line(what: str, likely: str, told: str) -> str:
    return f"{what[:44]:<46}{likely:>14}   {told}".rstrip()


def _unpriced(teachers: Sequence[Teacher]) -> Iterator[str]:
    """Yield of whom it is not said what the answers cost."""
    for teacher in teachers:
        if teacher.price is None:
            yield f"  (no price is set for {teacher.named}, so that its cost is not told: {_HOW})"
        elif teacher.price.per_hour is not None:
            yield f"  ({teacher.named} costs by the hour of its GPUs, which distill.cost measures before it asks)"


def _costs(run: Path, manifest: Mapping[str, Any], teachers: Sequence[Teacher]) -> Costs:
    """Return what the answers to each problem did cost, by teacher whose price is known.

    What a teacher's answers cost in all is known from their tokens; it is shared among problems by the estimated length
    of what was written, the prompts' part evenly.
    """
    traces = [
        trace
        for trace in parquet_in(run / "traces").to_table(["problem_id", "model", "origin", *_LENGTHS]).to_pylist()
        if trace["origin"] == "teacher"
    ]
    found: Costs = {}
    for teacher in teachers:
        used = Usage(**manifest.get("usage", {}).get(teacher.named, {}))
        amount = used.priced(teacher.paid)
        own = [trace for trace in traces if trace["model"] in {teacher.model, teacher.named}] or traces
        if amount is None or not own:
            continue
        price = teacher.paid
        even = price.of(used.prompt_tokens, 0, used.cached_tokens) if price is not None else 0.0
        n_tokens = sum(map(_length, own)) or 1
        spent = found.setdefault(teacher.named, {})
        for trace in own:
            share = even / len(own) + (amount - even) * _length(trace) / n_tokens
            spent[trace["problem_id"]] = spent.get(trace["problem_id"], 0.0) + share
    return found


_LENGTHS: Final = ("think_tokens", "answer_tokens")


def _length(trace: Mapping[str, Any]) -> int:
    return sum(trace[name] or 0 for name in _LENGTHS)


def _of(costs: Collection[Mapping[str, float]], looked: Sequence[Looked]) -> Sum:
    """Return what all rows of some sources cost; the rows that were looked at were drawn apart."""
    amounts = [_scaled(_values(costs, found), found.n_rows, found.n_whole) for found in looked]
    halves = [amount.half for amount in amounts if amount.half is not None]
    half = math.hypot(*halves) if len(halves) == len(amounts) else None
    return Sum(math.fsum(amount.likely for amount in amounts), half)


def _values(costs: Collection[Mapping[str, float]], looked: Looked) -> list[float]:
    """Return what each row of a source did cost: of those that were not asked about, nothing."""
    values = [sum(spent.get(problem, 0.0) for spent in costs) for problem in sorted(looked.problems)]
    return [*values, *[0.0] * (looked.n_rows - len(values))]


def _scaled(values: Sequence[float], n_rows: int, n_whole: int | None) -> Sum:
    """Return what so many rows cost, if they are like those that were looked at; of 1,000, where nobody has counted."""
    if not values:
        return Sum(0.0, 0.0)
    n_all, mean = n_whole if n_whole is not None else 1000, estimate(values)
    if n_whole is not None and n_rows >= n_whole:
        return Sum(mean.mean * n_all, 0.0)
    interval = mean.interval()
    return Sum(n_all * mean.mean, None if interval is None else n_all * interval.half)
