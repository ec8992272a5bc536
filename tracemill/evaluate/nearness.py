"""How near the items of benchmarks are to a training set: inside it, near to one of its prompts, or far from all.

By the rules that keep benchmarks out of datasets (``tracemill/decontaminate``), the other way round: *inside* is what a
build would have dropped a training prompt for, *near* what a judge would have been asked about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tracemill.decontaminate.decontaminate import asked_texts
from tracemill.decontaminate.index import ITEMS
from tracemill.decontaminate.overlap import Prompt, worst
from tracemill.evaluate.summary import FAR, INSIDE, NEAR
from tracemill.text.option_labels import stem_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracemill.core import Problem
    from tracemill.decontaminate.index import BenchmarkIndex
    from tracemill.recipe.sections.decontaminate import Overlap

# Items that a shard of training prompts touches, each once: by its problem, with the worst finding.
MET: Final = pa.schema(
    [
        ("item", pa.string()),
        ("group", pa.string()),
        ("prompt_id", pa.string()),
        ("method", pa.string()),
        ("score", pa.float64()),
        ("overlap", pa.large_string()),
    ]
)


def item_texts(problems: Iterable[Problem]) -> pa.Table:
    """Return the texts by which items are recognised: the prompt, and of a multiple-choice question also its stem."""
    rows = [
        {"benchmark": problem.source, "item": problem.id, "text": text}
        for problem in problems
        for text in dict.fromkeys([problem.prompt, stem_of(problem.prompt) or problem.prompt])
    ]
    return pa.Table.from_pylist(rows, schema=ITEMS)


def met(problems: pa.Table, index: BenchmarkIndex, rules: Overlap) -> pa.Table:
    """Return the items that a table of training prompts touches, columns of :data:`MET`."""
    found: dict[str, dict[str, Any]] = {}
    asked = asked_texts(problems)
    ids: Sequence[str] = problems["id"].to_pylist()
    for name, text, candidates in zip(ids, asked, index.candidates(asked), strict=True):
        prompt = Prompt(text)
        for candidate in candidates:
            finding = worst(prompt, [candidate], rules)
            if finding is not None:
                overlap = finding.overlap
                row: dict[str, Any] = {
                    "item": overlap.item,
                    "group": INSIDE if finding.is_same else NEAR,
                    "prompt_id": name,
                    "method": overlap.method,
                    "score": round(overlap.score, 4),
                    "overlap": overlap.text,
                }
                found[overlap.item] = max(found.get(overlap.item, row), row, key=_rank)
    return pa.Table.from_pylist([found[item] for item in sorted(found)], schema=MET)


def _rank(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["group"] == INSIDE, row["score"], row["prompt_id"]


def groups_of(ids: Iterable[str], tables: Iterable[pa.Table]) -> dict[str, str]:
    """Return far, near or inside by problem id, over all shards of a training set.

    Args:
        ids: of the items.
        tables: of :func:`met`.
    """
    groups = dict.fromkeys(ids, FAR)
    for table in tables:
        for item, group in zip(table["item"].to_pylist(), table["group"].to_pylist(), strict=True):
            if groups[item] != INSIDE:
                groups[item] = group
    return groups
