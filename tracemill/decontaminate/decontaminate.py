"""A shard of problems without those that stand in a benchmark, and a report of what was found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core import Dropped
from tracemill.decontaminate.overlap import Prompt, worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracemill.decontaminate.index import BenchmarkIndex
    from tracemill.decontaminate.overlap import Finding, Overlap
    from tracemill.recipe.sections.decontaminate import Overlap as Rules

STAGE: Final = "decontaminate"
GREY: Final = pa.schema(
    [
        ("id", pa.string()),
        ("benchmark", pa.string()),
        ("item", pa.string()),
        ("item_text", pa.large_string()),
        ("method", pa.string()),
        ("score", pa.float64()),
        ("overlap", pa.large_string()),
    ]
)


@dataclass(frozen=True)
class Decontaminated:
    """One shard.

    Attributes:
        kept: the problems that are left, as they came.
        dropped: the others, each with its evidence.
        grey: what a judge may be asked about the kept ones; columns of ``GREY``.
    """

    kept: pa.Table
    dropped: list[Dropped]
    grey: pa.Table


def decontaminate(problems: pa.Table, index: BenchmarkIndex, rules: Rules) -> Decontaminated:
    """Split a table of problems by overlap with the items of benchmarks."""
    asked = asked_texts(problems)
    findings: list[Finding | None] = [
        worst(Prompt(text), candidates, rules) if candidates else None
        for text, candidates in zip(asked, index.candidates(asked), strict=True)
    ]
    same = [finding.overlap if finding and finding.is_same else None for finding in findings]
    grey = [finding if finding and not finding.is_same else None for finding in findings]
    kept, dropped = without(problems, same)
    return Decontaminated(kept, dropped, grey_table(problems, grey))


def asked_texts(problems: pa.Table) -> list[str]:
    """Return what each row asks: the user's turns before the prompt, and the prompt."""
    prompts: list[str] = problems["prompt"].to_pylist()
    has_turns = pc.not_equal(problems["history"], "[]")
    for row in pc.indices_nonzero(has_turns).to_pylist():
        turns = [turn["content"] for turn in json.loads(problems["history"][row].as_py()) if turn["role"] == "user"]
        prompts[row] = "\n\n".join([*turns, prompts[row]])
    return prompts


def without(problems: pa.Table, overlaps: Sequence[Overlap | None]) -> tuple[pa.Table, list[Dropped]]:
    """Return the problems without overlap, and the others as dropped rows; the reason is the benchmark's name."""
    mask = pa.array([overlap is None for overlap in overlaps], pa.bool_())
    gone = problems.select(["id", "source", "row", "prompt"]).filter(pc.invert(mask)).to_pylist()
    found = [overlap for overlap in overlaps if overlap is not None]
    dropped = [
        Dropped(**record, stage=STAGE, reason=overlap.benchmark, evidence=overlap.evidence())
        for record, overlap in zip(gone, found, strict=True)
    ]
    return problems.filter(mask), dropped


def grey_table(problems: pa.Table, findings: Sequence[Finding | None]) -> pa.Table:
    """Return rows of ``GREY`` for the findings of a table's problems."""
    ids = problems["id"].to_pylist()
    rows = [
        {"id": problem_id, "item_text": finding.item_text, **finding.overlap.evidence()}
        for problem_id, finding in zip(ids, findings, strict=True)
        if finding is not None
    ]
    return pa.Table.from_pylist(rows, schema=GREY)
