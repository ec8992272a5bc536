"""What the published rows are made of, counted: categories, licences, models, pass rates and lengths."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from tracemill.core import Outcome
from tracemill.label.counts import COLUMNS, Counts, count_columns, summed

if TYPE_CHECKING:
    import pyarrow as pa

# Columns that are read of each kind of shard.
PROBLEM_COLUMNS: Final = ["category"]
SAMPLE_COLUMNS: Final = ["id", "source", "category", "model", "origin", "licence", "non_commercial", *COLUMNS.values()]
TRACE_COLUMNS: Final = ["problem_id", "outcome", "published", "think_tokens", "answer_tokens"]

N_SHARES: Final = 11  # tenths of the responses that are correct; all of them are a bin of their own
LENGTHS: Final = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536)  # tokens, and over the last


class LicensedRows(BaseModel):
    """Published rows of one source under one licence."""

    model_config = ConfigDict(frozen=True)

    source: str
    licence: str
    non_commercial: bool
    rows: int


class PublishedTally(BaseModel):
    """Counts over all shards.

    Attributes:
        asked: problems that were clean, nobody's duplicate and in no benchmark, by category.
        published: rows by category.
        problems: those that rows are of, by category; empty where each has one row.
        models: rows by who wrote the response, ``model (origin)``.
        licences: rows by source and licence.
        labels: rows by label and value; problems, where one may have several rows.
        pass_rates: problems by the tenth of their judged responses that is correct; those without one are not counted.
        lengths_published, lengths_other: responses by tokens, estimated, in the steps of ``LENGTHS``.
    """

    asked: dict[str, int] = Field(default_factory=dict)
    published: dict[str, int] = Field(default_factory=dict)
    models: dict[str, int] = Field(default_factory=dict)
    licences: list[LicensedRows] = Field(default_factory=list)
    labels: Counts = Field(default_factory=dict)
    problems: dict[str, int] = Field(default_factory=dict)
    pass_rates: list[int] = Field(default_factory=lambda: [0] * N_SHARES)
    lengths_published: list[int] = Field(default_factory=lambda: [0] * (len(LENGTHS) + 1))
    lengths_other: list[int] = Field(default_factory=lambda: [0] * (len(LENGTHS) + 1))

    @property
    def n_rows(self) -> int:
        """Published rows."""
        return sum(self.published.values())

    @property
    def problems_by_category(self) -> dict[str, int]:
        """Published problems by category."""
        return self.problems or self.published

    @property
    def n_problems(self) -> int:
        """Published problems."""
        return sum(self.problems_by_category.values())


class Tallying:
    """Adds shard by shard; a problem's responses are all in one shard."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._published: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._models: Counter[str] = Counter()
        self._licences: Counter[tuple[str, str, bool]] = Counter()
        self._labels: list[Counts] = []
        self._shares = [0] * N_SHARES
        self._lengths = {True: [0] * (len(LENGTHS) + 1), False: [0] * (len(LENGTHS) + 1)}

    def add_problems(self, problems: pa.Table) -> None:
        """The problems of a shard that were worth asking; columns ``PROBLEM_COLUMNS``."""
        self._asked.update(problems["category"].to_pylist())

    def add_samples(self, samples: pa.Table) -> None:
        """The published rows of a shard; columns ``SAMPLE_COLUMNS``."""
        rows = samples.to_pylist()
        of_problems = list({row["id"]: row for row in reversed(rows)}.values())
        self._labels.append(count_columns(of_problems))
        self._problems.update(row["category"] for row in of_problems)
        for row in rows:
            self._published[row["category"]] += 1
            self._models[f"{row['model']} ({row['origin']})"] += 1
            self._licences[row["source"], row["licence"], row["non_commercial"]] += 1

    def add_traces(self, traces: pa.Table) -> None:
        """What was measured on the responses of a shard; columns ``TRACE_COLUMNS``."""
        correct: Counter[str] = Counter()
        judged: Counter[str] = Counter()
        for row in traces.to_pylist():
            n_tokens = (row["think_tokens"] or 0) + (row["answer_tokens"] or 0)
            self._lengths[row["published"]][length_bin(n_tokens)] += 1
            if row["outcome"] in {Outcome.CORRECT, Outcome.INCORRECT}:
                judged[row["problem_id"]] += 1
                correct[row["problem_id"]] += row["outcome"] == Outcome.CORRECT
        for problem_id, n_judged in judged.items():
            self._shares[correct[problem_id] * (N_SHARES - 1) // n_judged] += 1

    def result(self) -> PublishedTally:
        """Return the sums; most frequent first, so that equal rows give equal text."""
        return PublishedTally(
            asked=_by_number(self._asked),
            published=_by_number(self._published),
            problems={} if self._problems == self._published else _by_number(self._problems),
            models=_by_number(self._models),
            licences=[
                LicensedRows(source=source, licence=licence, non_commercial=flag, rows=n_rows)
                for (source, licence, flag), n_rows in sorted(self._licences.items())
            ],
            labels=summed(self._labels),
            pass_rates=self._shares,
            lengths_published=self._lengths[True],
            lengths_other=self._lengths[False],
        )


def length_bin(n_tokens: int) -> int:
    """Return the place of a length among ``LENGTHS``; the last is for what is over them."""
    return next((place for place, bound in enumerate(LENGTHS) if n_tokens <= bound), len(LENGTHS))


def _by_number(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
