"""Scores of benchmarks: of judged samples to items, of items to a score with its interval and what it leaves open.

What counts: correct is 1. Incorrect, without an answer, cut off before it and over its limits is 0, and so is what
cannot be verified by the response's fault or for a limit of ours; how much of that there is, and what the score would
be if all of it were right, stands beside every score. What the infrastructure failed at (``sandbox_error``, a refused
request) is *missing*: it makes a score incomplete, and never lower.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tracemill.core import Int32, Outcome, Row, Text
from tracemill.core.schema import CUT_OFF
from tracemill.evaluate.statistics import (
    FEW_ITEMS,
    Estimate,
    bootstrap_interval,
    bounds,
    detectable,
    error_beside_another,
    estimate,
    majority,
    mean_of,
    pass_at,
    rounded,
    score_interval,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracemill.evaluate.statistics import Interval

REFUSED: Final = "request_refused"  # the outcome of a sample that no server has answered
MISSING: Final = frozenset({REFUSED, str(Outcome.SANDBOX_ERROR)})
_UNANSWERED: Final = frozenset({str(Outcome.NO_ANSWER), str(Outcome.REFUSED), str(Outcome.UNFINISHED)})


@dataclass(frozen=True, slots=True)
class JudgedSample(Row):
    """One sample of one item, judged or missing.

    Attributes:
        benchmark: name in the recipe.
        item: the item's own id.
        sample: index, from 0.
        problem_id: content id of the item's problem.
        response_id: of the response; "" of a refused request.
        outcome: of its verdict, or :data:`REFUSED`.
        cause: of an unverifiable or a timeout.
        vote: the answer as the verifier takes it for equal to others'; None has no vote.
        extracted: the answer that was read.
        detail: of the verdict.
        verifier: that judged.
        finish_reason: of the response.
        fault: why it does not follow the think template.
        completion_tokens: of the response, where known.
        date: of the item, where its benchmark has dates.
    """

    benchmark: str
    item: str
    sample: Int32
    problem_id: str
    response_id: str
    outcome: str
    cause: str | None = None
    vote: Text | None = None
    extracted: Text | None = None
    detail: Text = ""
    verifier: str = ""
    finish_reason: str | None = None
    fault: str | None = None
    completion_tokens: int | None = None
    date: str | None = None

    @property
    def is_missing(self) -> bool:
        """Whether nothing is known of it."""
        return self.outcome in MISSING

    @property
    def is_correct(self) -> bool:
        """Whether it is right."""
        return self.outcome == Outcome.CORRECT

    @property
    def is_cut_off(self) -> bool:
        """Whether it ended at the limit of its length."""
        return self.finish_reason == CUT_OFF

    @property
    def is_unanswered(self) -> bool:
        """Whether there is no answer to judge; cut off are counted apart."""
        return not self.is_cut_off and self.outcome in _UNANSWERED

    @property
    def is_unverifiable(self) -> bool:
        """Whether there is an answer of which nobody can say whether it is right."""
        return self.outcome == Outcome.UNVERIFIABLE and not self.is_cut_off

    @property
    def is_open(self) -> bool:
        """Whether its 0 or 1 says little of what the model knows: the bounds of a score are made of these."""
        return not self.is_missing and (self.is_cut_off or self.is_unanswered or self.is_unverifiable)


@dataclass(frozen=True, slots=True)
class ItemScore(Row):
    """One item of a benchmark.

    Attributes:
        group: where it stands to the training set: far, near or inside; None where none was compared.
        date: of the item, where its benchmark has dates.
        n_asked: samples.
        n: of those, judged.
        n_correct, n_cut_off, n_no_answer, n_unverifiable: of those judged.
        n_open, n_open_correct: judged samples that are cut off, without answer or unverifiable; of those, right.
        n_missing: samples that no server has answered, or the sandbox failed at.
        avg: share that is right; None where nothing was judged.
        maj: of the most frequent answer, by the verifier's equivalence; None where answers cannot be compared.
        mean_tokens: of the responses.
    """

    benchmark: str
    item: str
    problem_id: str
    group: str | None
    date: str | None
    n_asked: Int32
    n: Int32
    n_correct: Int32
    n_cut_off: Int32
    n_no_answer: Int32
    n_unverifiable: Int32
    n_open: Int32
    n_open_correct: Int32
    n_missing: Int32
    avg: float | None
    maj: float | None
    mean_tokens: float | None


def item_scores(
    samples: Iterable[JudgedSample],
    votes: Iterable[str] = (),
    groups: Mapping[str, str] | None = None,
) -> list[ItemScore]:
    """Return the items of some samples by benchmark and id, whatever the order of the samples.

    Args:
        samples: of whole items.
        votes: benchmarks whose answers can be compared.
        groups: by problem id, see :class:`ItemScore`.
    """
    by_item: dict[tuple[str, str], list[JudgedSample]] = defaultdict(list)
    for sample in samples:
        by_item[sample.benchmark, sample.item].append(sample)
    voting = set(votes)
    return [
        _item(sorted(by_item[key], key=lambda one: one.sample), key[0] in voting, groups or {})
        for key in sorted(by_item)
    ]


def _item(samples: Sequence[JudgedSample], is_voting: bool, groups: Mapping[str, str]) -> ItemScore:
    first = samples[0]
    judged = [sample for sample in samples if not sample.is_missing]
    tokens = [sample.completion_tokens for sample in judged if sample.completion_tokens is not None]
    n_correct = sum(sample.is_correct for sample in judged)
    maj = majority([sample.vote for sample in judged], [sample.is_correct for sample in judged]) if judged else None
    return ItemScore(
        benchmark=first.benchmark,
        item=first.item,
        problem_id=first.problem_id,
        group=groups.get(first.problem_id),
        date=first.date,
        n_asked=len(samples),
        n=len(judged),
        n_correct=n_correct,
        n_cut_off=sum(sample.is_cut_off for sample in judged),
        n_no_answer=sum(sample.is_unanswered for sample in judged),
        n_unverifiable=sum(sample.is_unverifiable for sample in judged),
        n_open=sum(sample.is_open for sample in judged),
        n_open_correct=sum(sample.is_open and sample.is_correct for sample in judged),
        n_missing=len(samples) - len(judged),
        avg=n_correct / len(judged) if judged else None,
        maj=maj if is_voting else None,
        mean_tokens=rounded(math.fsum(tokens) / len(tokens)) if tokens else None,
    )


@dataclass(frozen=True)
class Score:
    """A score with its error bars.

    Attributes:
        n_items: items.
        n_scored: of those, with a judged sample.
        samples: of each item that were asked for; the least, where they differ.
        avg: mean over items of the mean over samples.
        interval: 95 %, by t over the items' means; None of one item.
        bootstrap: the same by a cluster bootstrap over items, below 100 items.
        pass_at: by number of tries.
        maj: mean over items of :attr:`ItemScore.maj`; None where there are no votes.
        maj_interval: 95 %.
        detectable: the smallest difference from another model that these items can show.
        lowest, highest: the score if all that is open or missing were wrong, or right.
        shares: of judged samples: cut_off, no_answer, unverifiable; None of none.
        n_missing: samples that are not known.
        mean_tokens: of a response.
    """

    n_items: int
    n_scored: int
    samples: int
    avg: float | None
    interval: Interval | None
    bootstrap: Interval | None
    pass_at: Mapping[int, float]
    maj: float | None
    maj_interval: Interval | None
    detectable: float | None
    lowest: float
    highest: float
    shares: Mapping[str, float | None]
    n_missing: int
    mean_tokens: float | None

    names: ClassVar = ("cut_off", "no_answer", "unverifiable")

    @property
    def is_complete(self) -> bool:
        """Whether every sample was judged."""
        return self.n_missing == 0

    def as_json(self) -> dict[str, Any]:
        """Return the figures for ``scores.json``."""
        return {
            "items": self.n_items,
            "scored_items": self.n_scored,
            "samples": self.samples,
            "complete": self.is_complete,
            "missing": self.n_missing,
            "avg": rounded(self.avg),
            "interval": bounds(self.interval),
            "bootstrap": bounds(self.bootstrap),
            "pass_at": {str(j): rounded(value) for j, value in self.pass_at.items()},
            "maj": rounded(self.maj),
            "maj_interval": bounds(self.maj_interval),
            "detectable_difference": rounded(self.detectable),
            "bounds": [rounded(self.lowest), rounded(self.highest)],
            **{name: rounded(share) for name, share in self.shares.items()},
            "mean_tokens": rounded(self.mean_tokens),
        }


def score_of(items: Sequence[ItemScore]) -> Score:
    """Return the score of one benchmark, or of a part of it; the order of the items changes no bit.

    Raises:
        ValueError: there are no items.
    """
    if not items:
        raise ValueError("no item: there is no score of nothing")
    scored = [item for item in items if item.avg is not None]
    averages = [item.avg for item in scored if item.avg is not None]
    majorities = [item.maj for item in scored if item.maj is not None]
    found = estimate(averages) if averages else None
    n_judged, n_asked = sum(item.n for item in items), [item.n_asked for item in items]
    tokens = [item.mean_tokens for item in scored if item.mean_tokens is not None]
    return Score(
        n_items=len(items),
        n_scored=len(scored),
        samples=min(n_asked),
        avg=found.mean if found else None,
        interval=score_interval(averages),
        bootstrap=bootstrap_interval([averages]) if 1 < len(averages) < FEW_ITEMS else None,
        pass_at=_pass_at(scored),
        maj=estimate(majorities).mean if majorities else None,
        maj_interval=score_interval(majorities),
        detectable=_detectable(found),
        lowest=estimate([_bound(item, right=False) for item in items]).mean,
        highest=estimate([_bound(item, right=True) for item in items]).mean,
        shares={
            name: sum(getattr(item, f"n_{name}") for item in items) / n_judged if n_judged else None
            for name in Score.names
        },
        n_missing=sum(item.n_missing for item in items),
        mean_tokens=math.fsum(tokens) / len(tokens) if tokens else None,
    )


def _detectable(found: Estimate | None) -> float | None:
    """Return the smallest difference from a model that is as good and alike; None where the items show no spread."""
    if found is None or not found.error:
        return None
    return min(1.0, detectable(error_beside_another(found.error), found.freedom))


def _pass_at(items: Sequence[ItemScore]) -> dict[int, float]:
    """Return pass@1, 2, 4, … up to what every item has samples for, and that number itself."""
    least = min((item.n for item in items), default=0)
    tries = sorted({1 << power for power in range(least.bit_length()) if 1 << power <= least} | ({least} - {0}))
    return {j: estimate([pass_at(item.n, item.n_correct, j) for item in items]).mean for j in tries}


def _bound(item: ItemScore, *, right: bool) -> float:
    sure = item.n_correct - item.n_open_correct
    return (sure + (item.n_open + item.n_missing if right else 0)) / item.n_asked


@dataclass(frozen=True)
class Overall:
    """Several benchmarks: the mean of their means, with the interval of independent strata."""

    avg: float
    interval: Interval | None
    bootstrap: Interval | None
    benchmarks: int
    is_complete: bool

    def as_json(self) -> dict[str, Any]:
        """Return the figures for ``scores.json``."""
        return {
            "benchmarks": self.benchmarks,
            "complete": self.is_complete,
            "avg": rounded(self.avg),
            "interval": bounds(self.interval),
            "bootstrap": bounds(self.bootstrap),
        }


def overall(by_benchmark: Mapping[str, Sequence[ItemScore]]) -> Overall | None:
    """Return the mean over benchmarks; None of fewer than two, or where one has nothing that was judged."""
    groups = [[item.avg for item in by_benchmark[name] if item.avg is not None] for name in sorted(by_benchmark)]
    if len(groups) < 2 or not all(groups):
        return None
    found = mean_of([estimate(values) for values in groups])
    interval = found.interval()
    few = min(map(len, groups)) < FEW_ITEMS
    return Overall(
        avg=found.mean,
        interval=interval.within(0.0, 1.0) if interval else None,
        bootstrap=bootstrap_interval(groups) if few and min(map(len, groups)) > 1 else None,
        benchmarks=len(groups),
        is_complete=not any(item.n_missing for items in by_benchmark.values() for item in items),
    )
