"""Semantic duplicates: evidence, guard, growth, and independence of the order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.runs.samples import problem
from tests.support.servers.fake_embedder import FakeEmbedder
from tracemill.core import Problem, TeacherMisconfiguredError, table_of
from tracemill.dedup.minhash import deduplicate, sign
from tracemill.dedup.semantic import Embedded, merge_meanings
from tracemill.embeddings.embeddings import embeddings
from tracemill.recipe.sections.deduplicate import Deduplicate, Semantic, Signature

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTINGS = Semantic(model="fake", revision="r1", threshold=0.9)
PRIORITY = ["a", "b"]
LONG = "a farmer has twelve sheep and sells five of them at the market on a sunny tuesday how many sheep are left"
TURNED = "at the market a farmer has twelve sheep and sells five of them on a sunny tuesday how many sheep are left"


def embedded(
    shards: Sequence[list[Problem]], earlier: Sequence[Embedded] = (), embedder: FakeEmbedder | None = None
) -> list[Embedded]:
    """Shards after MinHash, with the vectors of what it left."""
    from tracemill.dedup.minhash import Earlier

    tables = [table_of(Problem, shard) for shard in shards]
    signed = [sign(table, Signature()) for table in tables]
    before = [
        Earlier(shard.signatures, shard.decisions.filter(pa.compute.field("reason") != "semantic_duplicate"))
        for shard in earlier
    ]
    decisions = deduplicate(signed, before, Deduplicate(), PRIORITY)
    made = []
    for table, signatures, decided in zip(tables, signed, decisions, strict=True):
        left = table.filter(pa.compute.invert(pa.compute.is_in(table["id"], value_set=decided["id"].combine_chunks())))
        made.append(Embedded(signatures, embeddings(left, embedder or FakeEmbedder()), decided))
    return made


def merged(
    batch: list[Embedded], earlier: Sequence[Embedded] = (), settings: Semantic = SETTINGS, **more: bool
) -> dict[str, dict[str, object]]:
    tables = merge_meanings(batch, earlier, settings, PRIORITY, **more)
    return {row["id"]: row for table in tables for row in table.to_pylist()}


def other(text: str, **changes: object) -> Problem:
    """An open question."""
    return problem(text, category="other", **changes)


def test_a_dropped_row_names_the_kept_one_the_method_the_model_and_the_score() -> None:
    """The same words in another order escape MinHash and are found by meaning."""
    first, second = problem(LONG), problem(TURNED, source="b")
    found = merged(embedded([[first], [second]]))
    assert set(found) == {second.id}
    row = found[second.id]
    assert (row["reason"], row["kept"], row["kept_source"]) == ("semantic_duplicate", first.id, "a")
    assert (row["method"], row["model"], row["linked_to"]) == ("embedding", "fake@r1", None)
    assert row["score"] == pytest.approx(1, abs=1e-3)


def test_other_numbers_are_another_problem() -> None:
    """Prompts of any category that differ in their numbers stay apart, unless the recipe says otherwise."""
    left, right = LONG + " and what do 30 of them weigh", TURNED + " and what do 40 of them weigh"
    batch = embedded([[problem(left), problem(right)]])
    assert merged(batch) == {}
    assert len(merged(batch, same_numbers=False)) == 1
    assert merged(embedded([[other(left), other(right)]])) == {}


def test_what_minhash_merged_follows_the_row_that_goes() -> None:
    """A row merged into one that goes by meaning is pointed to the row that stays, and says how it hangs together."""
    best = problem(TURNED, source="a")
    middle = problem(LONG, source="b")
    near = problem(LONG + " today", source="b", reference_answer=None)
    found = merged(embedded([[best], [near], [middle]]))
    assert found[middle.id]["kept"] == best.id
    row = found[near.id]
    assert (row["reason"], row["kept"], row["kept_source"]) == ("near_duplicate", best.id, "a")
    assert (row["method"], row["linked_to"], row["link_method"]) == ("embedding", middle.id, "minhash")
    assert row["link_score"] >= 0.8
    assert row["score"] == found[middle.id]["score"]


def test_a_chain_names_its_link() -> None:
    """A row that is in the cluster through another one only names that one, and both scores."""
    texts = [
        "red green blue white black pink grey brown",
        "red green blue white black pink grey gold",
        "red green blue white black pink lime gold",
        "red green blue white black teal lime gold",
    ]
    rows = [other(text, source=source) for text, source in zip(texts, "abbb", strict=True)]
    found = merged(embedded([rows]), settings=SETTINGS.model_copy(update={"threshold": 0.8}))
    assert set(found) == {row.id for row in rows[1:]}
    last = found[rows[3].id]
    assert last["kept"] == rows[0].id
    assert last["score"] < 0.8 <= last["link_score"]
    assert last["linked_to"] in {row.id for row in rows[1:3]}
    assert last["link_method"] == "embedding"


def test_a_prompt_too_long_for_the_model_is_not_judged_by_its_beginning() -> None:
    """Rows without a vector stay."""
    long, turned = "begin " + "word " * 120, "word " * 119 + "begin two"
    assert merged(embedded([[other(long), other(turned)]], embedder=FakeEmbedder(longest=50))) == {}


def test_embeddings_of_different_making_are_not_compared() -> None:
    """Another model, version or parameter is an error that names both."""
    one = embedded([[problem(LONG)]], embedder=FakeEmbedder("fake 1"))
    two = embedded([[problem(TURNED)]], embedder=FakeEmbedder("fake 2"))
    with pytest.raises(TeacherMisconfiguredError, match=r"(?s)fake 1 \| .*fake 2.*embedded anew"):
        merged(two, one)


def test_published_rows_stay_and_are_not_embedded_again() -> None:
    """A new row gives way to an earlier batch's, even from a better source; chains through rows that went are kept."""
    old, gone = problem(LONG, source="b"), problem(TURNED, source="b", reference_answer=None)
    first = embedded([[old, gone]])
    decided = merge_meanings(first, [], SETTINGS, PRIORITY)
    assert decided[0]["id"].to_pylist() == [gone.id]
    earlier = [Embedded(first[0].signatures, first[0].embeddings, decided[0])]
    turned = "at the market a farmer with twelve sheep sells five of them on a sunny tuesday how many has he left"
    embedder = FakeEmbedder()
    new = [problem(turned, source="a"), problem(TURNED + " today", source="a")]
    found = merged(embedded([new], earlier, embedder), earlier)
    assert {row["kept"] for row in found.values()} == {old.id}
    assert set(found) == {row.id for row in new}
    assert found[new[1].id]["linked_to"] == gone.id
    assert embedder.seen == [turned]


def test_copies_under_one_id_keep_their_evidence() -> None:
    """Copies of one question in two sources and in a later batch go as the same text, whatever else was merged."""
    row, copy = problem(LONG), problem(LONG, source="b")
    first = embedded([[row], [copy]])
    decided = merge_meanings(first, [], SETTINGS, PRIORITY)
    earlier = [Embedded(shard.signatures, shard.embeddings, table) for shard, table in zip(first, decided, strict=True)]
    found = merged(embedded([[copy]], earlier), earlier)[row.id]
    assert (found["reason"], found["kept"], found["method"]) == ("exact_duplicate", row.id, "same text")
    assert (found["score"], found["linked_to"], found["model"]) == (1, None, None)


WORDS = ["red", "green", "blue", "white", "black", "pink", "grey", "brown", "gold", "lime", "teal", "plum"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=7, max_size=9, unique=True).map(" ".join), max_size=14)


def kept_and_evidence(shards: list[list[Problem]], earlier: Sequence[Embedded] = ()) -> dict[str, dict[str, object]]:
    return merged(embedded(shards, earlier), earlier, SETTINGS.model_copy(update={"threshold": 0.85}))


@settings(max_examples=40)
@given(TEXTS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_and_shards_do_not_matter(texts: list[str], shuffler: random.Random, width: int) -> None:
    """The same rows go, for the same reasons, in whatever order and shards they come."""
    rows = [other(text, source="ab"[place % 2]) for place, text in enumerate(dict.fromkeys(texts))]
    straight = kept_and_evidence([rows])
    shuffler.shuffle(rows)
    by_meaning = {key: row for key, row in straight.items() if row["reason"] == "semantic_duplicate"}
    again = kept_and_evidence([rows[start : start + width] for start in range(0, len(rows), width)])
    assert set(again) == set(straight)
    assert {key: again[key] for key in by_meaning} == by_meaning


@settings(max_examples=40)
@given(TEXTS, TEXTS)
def test_growth_keeps_what_was_kept(first: list[str], second: list[str]) -> None:
    """Whatever is added, rows that were kept stay, and every new row that goes names a row that stays."""
    old = [other(text, source="b") for text in dict.fromkeys(first)]
    before = embedded([old])
    decided = merge_meanings(before, [], SETTINGS, PRIORITY)
    earlier = [
        Embedded(shard.signatures, shard.embeddings, table) for shard, table in zip(before, decided, strict=True)
    ]
    gone = {row["id"] for table in decided for row in table.to_pylist()}
    new = [other(text, source="a") for text in dict.fromkeys(second) if text not in first]
    found = kept_and_evidence([new], earlier)
    assert set(found) <= {row.id for row in new}
    stays = ({row.id for row in old} - gone) | ({row.id for row in new} - set(found))
    assert {row["kept"] for row in found.values()} <= stays
