"""A small recipe, what it published, and its card."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.support.runs.published_runs import FUNNEL
from tracemill.label.counts import LabelSummary
from tracemill.publish.card import card
from tracemill.publish.funnel import FUNNEL as FUNNEL_SCHEMA
from tracemill.publish.summary import BuildSummary
from tracemill.publish.tally import LicensedRows, PublishedTally
from tracemill.recipe import Recipe

LABELS = LabelSummary({}, {"language": {"zh": 2, "en": 5, "und": 9}})


OPEN = LicensedRows(source="a", licence="MIT", non_commercial=False, rows=4)


LIMITED = LicensedRows(source="b", licence="CC-BY-NC-4.0", non_commercial=True, rows=1)


TALLY = PublishedTally(
    asked={"math": 6, "code": 1}, published={"math": 5}, models={"m (teacher)": 5}, licences=[OPEN, LIMITED]
)


def recipe(**changes: Any) -> Recipe:
    given: dict[str, Any] = {
        "name": "small",
        "sources": [{"name": "a", "path": "a.jsonl"}, {"name": "b", "path": "b.jsonl", "licence": "x|y"}],
        "distill": {"teacher": {"model": "m"}},
    }
    return Recipe.model_validate(given | changes)


def text(tally: PublishedTally = TALLY, **changes: Any) -> str:
    return card(BuildSummary(recipe(**changes), pa.Table.from_pylist(FUNNEL, schema=FUNNEL_SCHEMA), LABELS, tally))
