"""Duplicates: every drop has its reason and its evidence."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.runs.samples import problem
from tracemill.core import Problem, table_of
from tracemill.dedup.minhash import Earlier, deduplicate, sign
from tracemill.recipe.sections.deduplicate import Deduplicate, Signature
from tracemill.text.hashes import VERSION

LONG = "a farmer has twelve sheep and sells five of them at the market on a sunny tuesday how many sheep are left"


def signed(shard: list[Problem]) -> pa.Table:
    return sign(table_of(Problem, shard), Signature())


def run(batch: list[list[Problem]], earlier: list[Earlier] | None = None, **changes: object) -> list[pa.Table]:
    return deduplicate(map(signed, batch), earlier or [], Deduplicate(**changes), ["a", "b"])


def decided(found: list[pa.Table]) -> list[tuple[str, str, str]]:
    return [(row["id"], row["reason"], row["kept"]) for table in found for row in table.to_pylist()]


def test_exact_duplicates_across_shards() -> None:
    """The same text in two shards is one problem; the dropped row names the kept one."""
    first, second = problem(LONG), problem(LONG.upper(), source="b")
    assert decided(run([[first], [second]])) == [(second.id, "exact_duplicate", first.id)]


def test_near_duplicates_are_found() -> None:
    """A changed word at the end is a near-duplicate, with method and score."""
    first, second = problem(LONG), problem(LONG + " today", source="b")
    found = run([[first, second]])
    assert decided(found) == [(second.id, "near_duplicate", first.id)]
    row = found[0].to_pylist()[0]
    assert row["method"] == "minhash"
    assert row["score"] >= 0.8


def test_other_numbers_are_another_problem() -> None:
    """Maths problems that differ in their numbers are kept apart, unless the recipe says otherwise."""
    text = LONG + " after that and what is the total number of legs of all the animals then left on the whole farm {}"
    pair = [[problem(text.format(7)), problem(text.format(8))]]
    assert decided(run(pair)) == []
    assert len(decided(run(pair, same_numbers=False))) == 1


@pytest.mark.parametrize(
    "better",
    [
        {"source": "a"},
        {"source": "b", "reference_answer": "1"},
        {"source": "b", "reference_answer": None, "tests": {"kind": "assert"}},
        {"source": "b", "reference_answer": None, "traces": [{"model": "deepseek-r1"}]},
    ],
)
def test_representative_by_priority(better: dict[str, object]) -> None:
    """Source priority first, then a reference, tests, a trace of R1's; another model's is none."""
    told = [{"model": "gemini", "think": '"model":"deepseek-r1"'}]
    worse = problem(LONG, source="b", reference_answer=None, traces=told, id="0")
    best = problem(LONG + " ", **(better | {"id": "1"}))
    assert decided(run([[worse], [best]])) == [("0", "exact_duplicate", "1")]


def test_published_rows_win_against_later_batches() -> None:
    """A row that an earlier batch kept stays, even against a source of higher priority."""
    old, new = problem(LONG, source="b"), problem(LONG + " today", source="a")
    earlier = Earlier(signed([old]), run([[old]])[0])
    assert decided(run([[new]], [earlier])) == [(new.id, "near_duplicate", old.id)]


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_does_not_matter(shuffler: random.Random) -> None:
    """The same rows are kept whatever shard they are in."""
    rows = [problem(f"{LONG} {tail}", source=source) for source in "ab" for tail in ("now", "then", "on a hill", "x y")]
    expected = sorted(row[0] for row in decided(run([rows])))
    shuffler.shuffle(rows)
    assert sorted(row[0] for row in decided(run([rows[:3], rows[3:]]))) == expected
    assert expected


def test_signatures_name_how_they_were_made() -> None:
    """Stored signatures carry library, version and parameters."""
    metadata = signed([problem(LONG)]).schema.metadata[b"signature"].decode()
    assert f"tracemill {VERSION}, permutations as datasketch 2 affine32" in metadata
    assert "'num_perm': 128" in metadata
