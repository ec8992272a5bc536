"""What samples say of references, for the card, the report and the manifest: those they made, those they contradict."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tracemill.html.links import ADDRESS
from tracemill.select.majority import CONTRADICTED, FINDINGS, MADE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FACT: Final = "votes"  # of a run's manifest
N_EXAMPLES: Final = 20  # of contradicted references, in the report: those with most votes
_SHOWN_CHARS: Final = 200
_ANSWER_CHARS: Final = 80
_OF_VOTE: Final = "vote"  # the stages whose facts are read
_OF_SELECT: Final = "select"


class Line(NamedTuple):
    """The problems of a source.

    Attributes:
        audited: with a reference, and votes enough to look at it.
        made, no_majority, contradicted: by what was found.
        published: problems with a reference that samples made.
        contradicted_published: with one that they contradict.
    """

    source: str
    audited: int
    made: int
    no_majority: int
    contradicted: int
    published: int
    contradicted_published: int


class Example(NamedTuple):
    """A reference that samples contradict.

    Attributes:
        reference: as the source has it.
        answer: what most samples say.
        votes: of how many, in words.
    """

    id: str
    source: str
    row: int
    prompt: str
    reference: str
    answer: str
    votes: str

    @property
    def link(self) -> str:
        """Address of its page, while the browser runs."""
        return f"{ADDRESS}row/{self.id}"


@dataclass(frozen=True)
class VoteReport:
    """Over all shards.

    Attributes:
        lines: one a source.
        examples: references that samples contradict, most votes first.
    """

    lines: Sequence[Line] = ()
    examples: Sequence[Example] = field(default_factory=tuple)

    @property
    def total(self) -> Line:
        """All sources together."""
        numbers = zip(*(line[1:] for line in self.lines), strict=True)
        return Line("all", *map(sum, numbers)) if self.lines else Line("all", 0, 0, 0, 0, 0, 0)

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        return {FACT: {source: dict(zip(Line._fields[1:], counts, strict=True)) for source, *counts in self.lines}}

    def with_examples(self, tables: Iterable[pa.Table]) -> VoteReport:
        """Return the report with the contradicted references that most samples are against."""
        found = (row for table in tables for row in table.filter(pc.equal(table["finding"], CONTRADICTED)).to_pylist())
        chosen = heapq.nsmallest(N_EXAMPLES, found, key=lambda row: (-row["votes"], -row["share"], row["id"]))
        return replace(self, examples=tuple(map(_example, chosen)))


def vote_report(shards: Iterable[tuple[str, str, Mapping[str, Any]]]) -> VoteReport:
    """Return the sums of (source, stage, facts) of all manifests."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for source, stage, facts in shards:
        if stage == _OF_VOTE:
            counts[source].update(facts["findings"] | {"audited": facts["audited"]})
        elif stage == _OF_SELECT:
            by_vote = facts.get("by_vote", {})
            counts[source].update(published=by_vote.get(MADE, 0), contradicted_published=by_vote.get(CONTRADICTED, 0))
    names = ("audited", *FINDINGS, "published", "contradicted_published")
    return VoteReport([Line(source, *(found[name] for name in names)) for source, found in sorted(counts.items())])


def _example(row: Mapping[str, Any]) -> Example:
    return Example(
        row["id"],
        row["source"],
        row["row"],
        _short(row["prompt"], _SHOWN_CHARS),
        _short(row["reference"] or "", _ANSWER_CHARS),
        _short(row["answer"] or "", _ANSWER_CHARS),
        f"{row['votes']} of {row['voters']}",
    )


def _short(text: str, most: int) -> str:
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
