"""What a build comes to: everything that its card and its report are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from tracemill.decontaminate.report import BenchmarkReport
from tracemill.dedup.conflict_report import ConflictReport
from tracemill.inference.usage import Line, Usage, lines
from tracemill.label.counts import LabelSummary
from tracemill.publish.earlier import Earlier
from tracemill.publish.examples import Example
from tracemill.publish.funnel import source_yields, totals
from tracemill.publish.tally import LicensedRows, PublishedTally
from tracemill.publish.vote_report import VoteReport
from tracemill.recipe import Recipe
from tracemill.select.calibration import Threshold

_MOST_LICENCES: Final = 100  # rows of some sources name licences of their own


@dataclass(frozen=True)
class BuildSummary:
    """What is told of a build.

    Attributes:
        recipe: what the dataset was made by.
        funnel: table of :class:`tracemill.publish.funnel.Funnel`.
        labels: how labels are distributed.
        tally: what the published rows are made of.
        cuts: above which an answer passes, by what scores it.
        contamination: what was found of each benchmark.
        conflicts: what was found of references that contradict each other.
        usage: what the teachers' answers took, by teacher.
        did: how each of several teachers did.
        examples: a few dropped rows by (stage, reason).
        votes: what samples say of references; None where the recipe does not ask.
        earlier: what the report compares with, where there is anything.
    """

    recipe: Recipe
    funnel: pa.Table
    labels: LabelSummary
    tally: PublishedTally
    cuts: Mapping[str, Threshold] = field(default_factory=dict)
    contamination: Sequence[BenchmarkReport] = ()
    conflicts: ConflictReport = field(default_factory=ConflictReport)
    usage: Mapping[str, Usage] = field(default_factory=dict)
    did: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    examples: Mapping[tuple[str, str], Sequence[Example]] = field(default_factory=dict)
    votes: VoteReport | None = None
    earlier: Earlier | None = None

    @property
    def costs(self) -> list[Line]:
        """What is told of teachers with a known price, or of several; else empty."""
        return lines(self.usage, self.did, self.recipe.distill.asked)

    @property
    def n_source_rows(self) -> int:
        """Rows of all sources."""
        return sum(n_rows for stage, _, n_rows in totals(self.funnel) if stage == "source")

    @property
    def yields(self) -> dict[str, tuple[int, int]]:
        """(rows in, rows published) by source."""
        return source_yields(self.funnel)

    @property
    def licences(self) -> list[LicensedRows]:
        """Published rows by source and licence, as many entries as a page can take."""
        return self.tally.licences[:_MOST_LICENCES]
