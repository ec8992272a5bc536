"""The rules of cleaning on real question sets, of which docs/cleaning.md says what was read by eye."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.curation.cleaning import EVERY_RULE, SOURCES
from tracemill.clean.clean import clean
from tracemill.core import Problem, table_of
from tracemill.sources import Source, raw_tables
from tracemill.sources.collect import collect
from verifiers.reference_reader import VerifiersReader

pytestmark = pytest.mark.needs_real_data

# What there is in MATH: everything else that a rule would find there is a mistake of the rule.
FOUND = {"gsm8k": set(), "svamp": set(), "mbpp": set(), "ifeval": set()} | {
    "math": {"table", "figure", "drawing", "multiple_choice"}
}


@pytest.mark.parametrize("layout", sorted(SOURCES))
def test_every_rule_drops_what_it_should(layout: str, real_data: Path) -> None:
    """With every rule on, word problems, programs and instructions stay, and MATH loses what is no plain question."""
    source = Source.model_validate({"name": layout, "path": f"sources/{SOURCES[layout]}", "layout": layout})
    reasons: Counter[str] = Counter()
    for raw in raw_tables(source, str(real_data), 1000, {}):
        problems = table_of(Problem, collect(raw, source)[0])
        kept, dropped = clean(problems, EVERY_RULE, VerifiersReader())
        assert kept.num_rows + len(dropped) == problems.num_rows
        reasons.update(row.reason for row in dropped)
    assert set(reasons) == FOUND[layout]
    assert all(count < 50 for reason, count in reasons.items() if reason != "drawing")
