"""Duplicates whose references contradict each other: who goes, who stays, and what the dropped rows tell."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.runs.samples import problem
from tests.support.servers.fake_embedder import FakeEmbedder
from tracemill.core import Problem, table_of
from tracemill.dedup.conflict_report import ConflictReport, as_html, as_markdown, batch_facts, conflict_rows, questions
from tracemill.dedup.conflicting_references import Reference, comparable
from tracemill.dedup.minhash import Earlier, deduplicate, sign
from tracemill.dedup.semantic import Embedded, merge_meanings
from tracemill.embeddings.embeddings import embeddings
from tracemill.recipe.sections.deduplicate import Deduplicate, Semantic, Signature

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = "a farmer has twelve sheep and sells five of them at the market on a sunny tuesday how many sheep are left"
TURNED = "at the market a farmer has twelve sheep and sells five of them on a sunny tuesday how many sheep are left"
PRIORITY = ["a", "b", "c", "d", "e"]
CONFLICT = "conflicting_references"


def agree(pairs: Sequence[tuple[Reference, Reference]]) -> list[bool | None]:
    """Numbers by their value; of anything else nobody can tell."""
    found: list[bool | None] = []
    for one, other in pairs:
        try:
            found.append(Fraction(one.text) == Fraction(other.text))
        except ValueError:
            found.append(None)
    return found


def copies(*references: str | None, **changes: Any) -> list[Problem]:
    """The same question from several sources, a to e, with these references."""
    return [
        problem(TEXT, reference, source=source, **changes)
        for source, reference in zip("abcde", references, strict=False)
    ]


def signed(rows: list[Problem]) -> pa.Table:
    return sign(table_of(Problem, rows), Signature())


def decided(
    batch: list[list[Problem]], earlier: Sequence[Earlier] = (), conflict: str = "majority"
) -> list[dict[str, Any]]:
    settings = Deduplicate(conflict=conflict)
    tables = deduplicate(map(signed, batch), earlier, settings, PRIORITY, agree)
    return [row for table in tables for row in table.to_pylist()]


def fates(rows: Sequence[Problem], found: Sequence[dict[str, Any]]) -> str:
    """Of each row in order: k kept, d duplicate, x dropped for its reference."""
    reasons = {row["id"]: row["reason"] for row in found}
    letters = {None: "k", "exact_duplicate": "d", "near_duplicate": "d", "semantic_duplicate": "d", CONFLICT: "x"}
    return "".join(letters[reasons.get(row.id)] for row in rows)


@pytest.mark.parametrize(
    ("references", "majority", "drop", "keep_first"),
    [
        (["5", "6"], "xx", "xx", "kx"),
        (["6", "5", "5.0"], "xkd", "xxx", "kxx"),
        (["1/2", "0.5"], "kd", "kd", "kd"),
        (["5", None], "kd", "kd", "kd"),
        ([None, "5"], "kd", "kd", "kd"),
        ([None, "5", "6"], "kxx", "kxx", "kdd"),
        (["5", "6", None], "xxk", "xxk", "kxd"),
        (["5", "6", "7"], "xxx", "xxx", "kxx"),
        (["5", "5.0", "6", "7"], "xxxx", "xxxx", "kdxx"),
        (["5", "6", "6.0", "06", "7"], "xkddx", "xxxxx", "kxxxx"),
        (["5", "5.0", "6", "6.0"], "xxxx", "xxxx", "kdxx"),
        (["about five", "5"], "kd", "kd", "kd"),
        (["about five", "5", "6"], "kxx", "kxx", "kdd"),
    ],
)
def test_what_the_recipe_makes_of_a_contradiction(
    references: list[str | None], majority: str, drop: str, keep_first: str
) -> None:
    """More than half decides, else all go; a row without a reference that can be read contradicts none."""
    rows = copies(*references)
    for conflict, expected in (("majority", majority), ("drop", drop), ("keep_first", keep_first)):
        assert fates(rows, decided([rows], conflict=conflict)) == expected, conflict


def test_dropped_rows_name_what_contradicts_them() -> None:
    """Ids, sources and references of both sides are evidence; where none stays, no row is named as kept."""
    rows = copies("5", "6")
    first, second = decided([rows[:1], rows[1:]])
    assert (first["reference"], first["kept"], first["method"], first["score"]) == ("5", None, "same text", 1.0)
    assert first["contradicted_by"] == [{"id": rows[1].id, "source": "b", "reference": "6"}]
    assert second["contradicted_by"] == [{"id": rows[0].id, "source": "a", "reference": "5"}]


def test_the_losing_row_names_the_kept_one() -> None:
    """Where a majority stays, the others are told apart from plain duplicates and name it."""
    rows = copies("6", "5", "5.0")
    found = {row["id"]: row for row in decided([rows])}
    assert found[rows[0].id]["kept"] == rows[1].id
    assert {other["id"] for other in found[rows[0].id]["contradicted_by"]} == {rows[1].id, rows[2].id}
    assert found[rows[2].id]["reason"] == "exact_duplicate"


def test_near_duplicates_contradict_too() -> None:
    """Copies with a word more are one question; score and method are those of the pair."""
    rows = [problem(TEXT, "5"), problem(TEXT + " today", "6", source="b")]
    found = decided([rows])
    assert fates(rows, found) == "xx"
    assert all(row["method"] == "minhash" and row["score"] >= 0.8 for row in found)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"category": "code", "tests": {"kind": "assert"}}, {"category": "code", "tests": {"kind": "call"}}),
        ({"category": "instruction"}, {"category": "instruction"}),
        ({"category": "other"}, {"category": "other"}),
    ],
)
def test_what_is_no_answer_contradicts_nothing(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Different tests of one task, constraints, and open answers in words are no contradiction."""
    rows = [problem(TEXT, "5", source="a", **one), problem(TEXT, "6", source="b", **other)]
    assert fates(rows, decided([rows])) == "kd"


def test_a_letter_is_read_with_its_prompt() -> None:
    """Choices, and letters of whatever category, keep their prompt beside the reference; numbers do not."""
    rows = [
        problem("Q? A. 1 B. 2", "B"),
        problem("Q? A. 1 B. 2", "2", category="choice"),
        problem("Q?", "2"),
        problem("Q?", r"\text{(C)}"),
        problem("Q?", "  "),
    ]
    columns = comparable(table_of(Problem, rows))
    assert [bool(prompt) for prompt in columns["question"].to_pylist()] == [True, True, False, True, False]
    assert columns["reference"].to_pylist()[-1] is None


def earlier_of(rows: list[Problem], earlier: Sequence[Earlier] = (), conflict: str = "majority") -> Earlier:
    settings = Deduplicate(conflict=conflict)
    return Earlier(signed(rows), deduplicate([signed(rows)], earlier, settings, PRIORITY, agree)[0])


@pytest.mark.parametrize("conflict", ["majority", "drop", "keep_first"])
def test_what_is_published_wins_against_later_batches(conflict: str) -> None:
    """A later row that contradicts a published one goes for its reference, whatever the recipe says, however many."""
    old, *new = copies("5", "6", "6.0", "5.0")
    found = decided([new], [earlier_of([old])], conflict)
    assert fates(new, found) == "xxd"
    assert all(row["kept"] == old.id for row in found)
    assert found[0]["contradicted_by"][0]["id"] == old.id


@pytest.mark.parametrize(("reference", "fate"), [("5.0", "k"), ("7", "x"), (None, "k")])
def test_what_went_unsettled_is_a_voice_in_later_batches(reference: str | None, fate: str) -> None:
    """A further copy settles a contradiction, or does not; the earlier rows are not decided again."""
    first = earlier_of(copies("5", "6"))
    later = problem(TEXT, reference, source="c")
    assert fates([later], decided([[later]], [first])) == fate


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["5", "5.0", "6", None, "x"]), min_size=2, max_size=5), st.randoms())
def test_order_and_shards_do_not_matter(references: list[str | None], shuffler: random.Random) -> None:
    """The same rows go for the same reasons whatever shard they are in."""
    rows = copies(*references)
    expected = fates(rows, decided([rows]))
    mixed = list(rows)
    shuffler.shuffle(mixed)
    assert fates(rows, decided([mixed[:1], mixed[1:]])) == expected


def embedded(shards: Sequence[list[Problem]]) -> list[Embedded]:
    """Shards after MinHash, with the vectors of what it left."""
    tables = [table_of(Problem, shard) for shard in shards]
    signatures = [sign(table, Signature()) for table in tables]
    decisions = deduplicate(signatures, [], Deduplicate(), PRIORITY, agree)
    left = [
        table.filter(pc.invert(pc.is_in(table["id"], value_set=gone["id"].combine_chunks())))
        for table, gone in zip(tables, decisions, strict=True)
    ]
    vectors = [embeddings(table, FakeEmbedder()) for table in left]
    return [Embedded(*parts) for parts in zip(signatures, vectors, decisions, strict=True)]


@pytest.mark.parametrize(
    ("references", "expected"),
    [(["5", "6"], "xx"), (["5", "5.0"], "kd"), (["5", None], "kd"), (["5", "6", "6.0"], "xkd")],
)
def test_semantic_duplicates_contradict_too(references: list[str | None], expected: str) -> None:
    """The question in other words counts, with what MinHash has merged into it."""
    rows = [
        problem(TURNED if number == 0 else TEXT, said, source="abc"[number]) for number, said in enumerate(references)
    ]
    settings = Semantic(model="fake", threshold=0.9)
    tables = merge_meanings(embedded([rows[:1], rows[1:]]), [], settings, PRIORITY, agree=agree)
    assert fates(rows, [row for table in tables for row in table.to_pylist()]) == expected


def test_what_was_merged_goes_with_the_row_that_goes() -> None:
    """Where both sides go by meaning, the copies that MinHash had merged go for the same and name no row that left."""
    rows = [problem(TURNED, "5"), problem(TEXT, "6", source="b"), problem(TURNED + " today", "5.0", source="c")]
    rows.append(problem(TEXT + " today", "6.0", source="d"))
    settings = Semantic(model="fake", threshold=0.9)
    tables = merge_meanings(embedded([rows]), [], settings, PRIORITY, agree=agree)
    found = [row for table in tables for row in table.to_pylist()]
    assert fates(rows, found) == "xxxx"
    assert all(row["kept"] is None and row["contradicted_by"] for row in found)


def test_report() -> None:
    """Questions are counted once, whatever their rows; the rows of each stand together, with their fate."""
    one, other = copies("5", "6", "6.0"), [problem("What is it, then?", said, source="a") for said in ("1", "2")]
    rows = [*one, *other]
    decisions = deduplicate([signed(rows)], [], Deduplicate(), PRIORITY, agree)
    assert batch_facts(decisions) == {"conflicts": {"questions": 2, "rows": 3}}
    table = conflict_rows(questions(decisions), decisions, [table_of(Problem, rows)])
    told = {}
    for row in table.to_pylist():
        told.setdefault(row["question"], []).append((row["reference"], row["fate"]))
    assert sorted(map(sorted, told.values())) == [
        [("1", CONFLICT), ("2", CONFLICT)],
        [("5", CONFLICT), ("6", "kept"), ("6.0", "exact_duplicate")],
    ]


def test_nothing_is_said_of_nothing() -> None:
    """Without contradictions there are no facts, and no part of card and report."""
    rows = copies("5", "5.0")
    assert batch_facts(deduplicate([signed(rows)], [], Deduplicate(), PRIORITY, agree)) == {}
    assert as_markdown(ConflictReport()) == as_html(ConflictReport()) == ""
