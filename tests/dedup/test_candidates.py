"""Rows without company are left out of the clustering, and nothing of the result changes by it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.runs.samples import problem
from tracemill.core import Problem, table_of
from tracemill.dedup.candidates import Candidates, candidates
from tracemill.dedup.clusters import Guard, cluster
from tracemill.dedup.minhash import SIGNATURES, Earlier, Part, decide, deduplicate, sign
from tracemill.recipe.sections.deduplicate import Deduplicate, Signature

PRIORITY = ["a", "b"]
SMALL = Signature(ngram=2, num_perm=32)
TEXT = "a farmer has twelve sheep and sells five of them at the market on a sunny day how many are left"


@st.composite
def texts(draw: st.DrawFn) -> str:
    """One of three questions with words exchanged, another case, numbers; or no words at all."""
    words = TEXT.split()[4 * draw(st.integers(0, 2)) :]
    for place in draw(st.lists(st.integers(0, len(words) - 1), max_size=3)):
        words[place] = draw(st.sampled_from(["goat", "hill", "7", "8"]))
    text = " ".join(words)
    return draw(st.sampled_from([text, text, text.upper(), "?!"]))


PROBLEMS = st.builds(
    lambda text, source, category, answer: problem(text, source=source, category=category, reference_answer=answer),
    texts(),
    st.sampled_from(PRIORITY),
    st.sampled_from(["math", "other", "choice"]),
    st.sampled_from([None, "1", "2", "A"]),
)
BATCHES = st.lists(st.lists(st.lists(PROBLEMS, max_size=6), min_size=1, max_size=3), min_size=1, max_size=3)
SETTINGS = st.builds(
    Deduplicate,
    signature=st.just(SMALL),
    threshold=st.sampled_from([0.5, 0.7, 0.8, 0.9, 0.97, 1.0]),
    same_numbers=st.booleans(),
    conflict=st.sampled_from(["drop", "majority", "keep_first"]),
)


def signed(shard: list[Problem]) -> pa.Table:
    return sign(table_of(Problem, shard), SMALL)


def of_all_rows(batch: list[pa.Table], earlier: list[Earlier], section: Deduplicate) -> list[pa.Table]:
    """Every row is clustered, with all values in memory."""
    tables = [(Part.KEPT, shard.kept()) for shard in earlier]
    tables += [(Part.UNSETTLED, shard.unsettled()) for shard in earlier]
    tables += [(Part.BATCH, table) for table in batch]
    every = Candidates([np.ones(table.num_rows, np.bool_) for _, table in tables], guarded_besides=False)
    return decide(tables, every, section, PRIORITY)


@settings(deadline=None, max_examples=60)
@given(BATCHES, SETTINGS)
def test_the_result_is_that_of_all_rows(batches: list[list[list[Problem]]], section: Deduplicate) -> None:
    """Decisions and evidence are those of a clustering of all rows, over batches, guards and thresholds."""
    earlier: list[Earlier] = []
    for batch in batches:
        tables = [signed(shard) for shard in batch]
        found = deduplicate(tables, earlier, section, PRIORITY)
        assert found == of_all_rows(tables, earlier, section)
        earlier += [Earlier(table, decisions) for table, decisions in zip(tables, found, strict=True)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sets(st.integers(0, 31), max_size=4), st.integers(0, 2)), min_size=3, max_size=8))
def test_links_are_made_in_the_order_of_all_rows(rows: list[tuple[set[int], int]]) -> None:
    """Each row has the same neighbour whether a guarded row without company is clustered with it or only told of."""
    sketches = np.arange(32 * (len(rows) + 1), dtype=np.uint32).reshape(-1, 32)
    for row, (changed, _) in enumerate(rows):
        sketches[row] = [sketches[row, place] if place in changed else place for place in range(32)]
    keys = np.array([*(key for _, key in rows), 9], np.uint64)
    guarded = np.array([False] * len(rows) + [True])
    of_all = cluster(sketches, np.arange(len(keys)), 0.8, Guard(keys, guarded))
    found = cluster(sketches[:-1], np.arange(len(rows)), 0.8, Guard(keys[:-1], guarded[:-1], besides=True))
    assert found.neighbours.tolist() == of_all.neighbours.tolist()[:-1]
    assert found.roots.tolist() == of_all.roots.tolist()[:-1]


@pytest.mark.parametrize(("guard", "besides"), [(True, True), (False, False)])
def test_rows_without_company_are_no_candidates(guard: bool, besides: bool) -> None:
    """Rows with one text, or a bucket in common, are candidates; of the others it is told whether any is guarded."""
    rows = [problem(TEXT, category="other"), problem(TEXT + " now", category="other"), problem("?!"), problem("!?")]
    rows += [problem("what is the area of this triangle"), problem("name a river", category="other")]
    rows += [problem("name a lake", category="other"), problem("NAME  a lake", category="other")]
    section = Deduplicate(signature=SMALL, threshold=0.7, same_numbers=guard)
    found = candidates([signed(rows[:3]), signed(rows[3:])], section)
    assert [flags.tolist() for flags in found.rows] == [[True, True, False], [False, False, False, True, True]]
    assert found.guarded_besides is besides


class _Made:
    """Shards of random signatures, made when they are read; notes what Arrow holds while they are."""

    n_shards, n_rows, n_perm = 40, 100, 512

    def __init__(self) -> None:
        self.times_read = 0
        self.held = 0

    def __iter__(self) -> Iterator[pa.Table]:
        before = pa.total_allocated_bytes()
        self.times_read += 1
        for number in range(self.n_shards):
            self.held = max(self.held, pa.total_allocated_bytes() - before)
            yield self._shard(np.random.default_rng(number), number)

    def _shard(self, draw: np.random.Generator, number: int) -> pa.Table:
        columns = {name: pa.nulls(self.n_rows, SIGNATURES.field(name).type) for name in SIGNATURES.names}
        columns["id"] = pa.array([f"{number}-{row}" for row in range(self.n_rows)])
        columns["category"] = pa.array(["math"] * self.n_rows)
        for name, size in (("exact_key", 16), ("numbers_key", 16), ("minhash", 4 * self.n_perm)):
            columns[name] = pa.array([draw.bytes(size) for _ in range(self.n_rows)], SIGNATURES.field(name).type)
        return pa.table(columns, SIGNATURES)


def test_values_of_lone_rows_are_not_held() -> None:
    """Shards are read twice, and where no row has company a tenth of their values' size is never in memory."""
    made = _Made()
    section = Deduplicate(signature=Signature(num_perm=made.n_perm))
    size = 4 * made.n_shards * made.n_rows * made.n_perm
    deduplicate([next(iter(made))], [], section, PRIORITY)  # loads the compiled loops
    made.times_read = 0
    tracemalloc.start()
    try:
        found = deduplicate(made, [], section, PRIORITY)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [table.num_rows for table in found] == [0] * made.n_shards
    assert made.times_read == 2
    assert peak + made.held < size / 4
