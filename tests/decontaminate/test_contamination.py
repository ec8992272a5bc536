"""Overlap with benchmarks: what is found, by which method, on what evidence, and what is not."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.curation.planted_contamination import KINDS, planted
from tests.support.runs.samples import problem
from tracemill.core import Problem, table_of
from tracemill.decontaminate.decontaminate import Decontaminated, decontaminate
from tracemill.decontaminate.index import ITEMS, BenchmarkIndex
from tracemill.recipe.sections.decontaminate import Decontaminate
from tracemill.text.normal_form import normal_words

SHEEP = (
    "A farmer has twelve sheep and sells 5 of them on a sunny Tuesday. How many sheep does the farmer have left now?"
)
ANGLE = r"Compute $\sin 60^\circ$."
ROOT = r"Simplify the following:$$\frac{3}{\sqrt{27}}$$"
LETTERS = "Determine the number of ways to arrange the letters of the word OTTER."
VASES = (
    "Ines paints 34 vases in 6 days. In the week after that she paints 19 more vases than in those 6 days, "
    "but 7 of them break in the oven. How many whole vases does Ines have at the end?"
)
TREES = (
    "Write a function that takes the heights of trees along a road and returns how many of them can be seen from its "
    "beginning, where a tree hides all the trees behind it that are not taller than itself."
)
BENCHMARK = {"sheep": SHEEP, "angle": ANGLE, "root": ROOT, "letters": LETTERS, "vases": VASES, "trees": TREES}


def index_of(items: dict[str, str]) -> BenchmarkIndex:
    rows = [{"benchmark": "bench", "item": name, "text": text} for name, text in items.items()]
    return BenchmarkIndex(pa.Table.from_pylist(rows, schema=ITEMS))


INDEX = index_of(BENCHMARK)


def found(*problems: Problem, index: BenchmarkIndex = INDEX, **rules: object) -> Decontaminated:
    return decontaminate(table_of(Problem, problems), index, Decontaminate(**rules).overlap())


def item_in(prompt: str, **rules: object) -> str | None:
    """The item for which a prompt is dropped."""
    dropped = found(problem(prompt), **rules).dropped
    return dropped[0].evidence["item"] if dropped else None


@pytest.mark.parametrize(
    ("prompt", "item"),
    [
        (SHEEP, "sheep"),
        (SHEEP.upper() + "!", "sheep"),
        (f"Please answer the following question with great care. {SHEEP} Give a number.", "sheep"),
        (SHEEP.replace("twelve", "12").replace("5", "five"), "sheep"),
        (
            "How many sheep does the farmer have left now? He had 12 sheep and sells 5 of them on a sunny Tuesday.",
            "sheep",
        ),
        (SHEEP.replace("twelve", "thirteen"), None),
        (
            "A farmer has twelve sheep and sells 5 of them on a sunny day to buy a dog, which costs more than a sheep",
            None,
        ),
        (r"compute \(\sin 60^\circ\)", "angle"),
        ("Find sin 60°", "angle"),
        (r"Please compute $\sin 60^\circ$ now", "angle"),
        (" ".join(["We talk about angles."] * 30) + f"\n{ANGLE}\nThink.", "angle"),
        (f"**Problem.** {ANGLE}\nA. 12\nB. 15\nC. 30", "angle"),
        (r"**Problem.** Simplify the following:\[\tfrac{3}{√27}\] Answer with one number, and explain why.", "root"),
        (r"Compute $\sin 60^\circ + \cos 60^\circ$ and then find the area of the triangle it describes", None),
        ("Determine the number of ways to arrange the letters of the word OTTER.", "letters"),
        ("Determine the number of ways to arrange the letters of the word STOAT.", None),
        ("Something that has nothing to do with either of them at all", None),
        ("", None),
        ("!?", None),
    ],
)
def test_what_is_found(prompt: str, item: str | None) -> None:
    """Items are found whole, wrapped, set otherwise, reordered; not by a phrase, and not with other numbers."""
    assert item_in(prompt) == item


def test_every_drop_has_its_evidence() -> None:
    """A dropped row names benchmark, item, method, score and the words that overlap; its reason is the benchmark."""
    row = found(problem(f"Hello. {SHEEP}")).dropped[0]
    assert (row.stage, row.reason) == ("decontaminate", "bench")
    words = " ".join(normal_words(SHEEP))
    assert row.evidence == {"benchmark": "bench", "item": "sheep", "method": "ngrams", "score": 1.0, "overlap": words}


def test_overlap_shows_gaps() -> None:
    """What is not shared is left out of the overlapping text."""
    row = found(problem(SHEEP.replace("sunny", "cold and rainy"))).dropped[0]
    assert " on a … tuesday how" in row.evidence["overlap"]
    assert 0.6 <= row.evidence["score"] < 1


def test_names_and_typing_errors_are_for_the_fuzzy_method() -> None:
    """A question with other names, synonyms and typing errors is found by similarity, if its numbers agree."""
    changed = (
        "Olga paintz 34 vases in 6 days. In the week following that he paintz 19 more vases then in those 6 dayz, "
        "yet 7 of these brake in the oven. How many whole vases has Olga got at the end?"
    )
    row = found(problem(changed)).dropped[0]
    assert (row.evidence["item"], row.evidence["method"]) == ("vases", "fuzzy")
    assert 0.75 <= row.evidence["score"] < 1
    assert item_in(changed, fuzzy=None) is None
    assert item_in(changed.replace("19", "18")) is None


def test_methods_and_thresholds_are_the_recipes() -> None:
    """A method that is null finds nothing, a threshold of 1 wants the whole item, numbers need not always agree."""
    assert item_in(SHEEP, ngrams=None, fuzzy=None) is None
    assert item_in(SHEEP, ngrams=None) == "sheep"
    cut = SHEEP.replace("sunny", "cold and rainy")
    assert item_in(cut) == "sheep"
    assert item_in(cut, ngrams={"min_containment": 1.0}, fuzzy=None) is None
    assert item_in(SHEEP.replace("twelve", "thirteen"), same_numbers=False) == "sheep"


def test_earlier_turns_of_the_user_count() -> None:
    """An item in the first question of a conversation is found; what the assistant said is not looked at."""
    turns = [{"role": "user", "content": SHEEP}, {"role": "assistant", "content": VASES}]
    row = found(problem("And why?", history=turns)).dropped[0]
    assert row.evidence["item"] == "sheep"
    assert not found(problem("And why?", history=turns[1:])).dropped


def test_kept_rows_stay_as_they_are() -> None:
    """Rows that are kept keep order and bytes; rows in and out add up."""
    rows = [problem(f"{n} times the number of doves on a roof", row=n) for n in range(5)]
    result = found(rows[0], problem(SHEEP), *rows[1:])
    assert result.kept.equals(table_of(Problem, rows))
    assert len(result.dropped) == 1
    assert result.kept.schema == Problem.arrow


def test_the_grey_zone_is_kept_and_listed() -> None:
    """What is neither the same nor clearly another question is kept, and listed for a judge with the item's text."""
    half = "A farmer has twelve sheep and sells 5 of them to a neighbour. He buys a goat. What does he have then?"
    result = found(problem(half))
    assert result.kept.num_rows == 1
    grey = result.grey.to_pylist()[0]
    assert (grey["benchmark"], grey["item"], grey["item_text"]) == ("bench", "sheep", SHEEP)
    assert grey["id"] == problem(half).id


def test_an_index_without_items() -> None:
    """No benchmark, no finding."""
    assert found(problem(SHEEP), index=index_of({})).kept.num_rows == 1
    assert found(problem(SHEEP), index=index_of({"nothing": "?!"})).kept.num_rows == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"reworded", "paraphrase by rules"}])
def test_planted_contamination(kind: str) -> None:
    """Each long item is found in every form that keeps its words or its numbers."""
    items = {name: text for name, text in BENCHMARK.items() if name in {"sheep", "vases", "trees"}}
    assert [item_in(text) for text in planted(list(items.values()), kind)] == list(items)


AROUND = ["boats", "lie", "by", "the", "old", "harbour", "3", "gulls", "cry", "+"]
WORDS = st.lists(st.sampled_from(AROUND), max_size=60)


@settings(deadline=None)
@given(WORDS, WORDS, st.sampled_from(["sheep", "vases", "trees", "letters"]))
def test_a_copied_item_is_always_found(before: list[str], after: list[str], name: str) -> None:
    """Whatever stands before and behind it."""
    assert item_in(f"{' '.join(before)}\n{BENCHMARK[name]} {' '.join(after)}") == name


PIECES = [
    r"\frac{1}{2}",
    "$x^2$",
    "√3",
    "²",
    "½",
    "twenty",
    "five",
    "hundred",
    "and",
    "1,000",
    "-3",
    "π",
    "Où",
    "求和",
    "ﬁ",
    "a_b",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=30).map(" ".join)


@settings(deadline=None, max_examples=200)
@given(TEXTS, TEXTS, TEXTS)
def test_any_text_is_found_in_itself(before: str, item: str, after: str) -> None:
    """A line that is an item of eight words and more is found, whatever it and its neighbours are written in."""
    item = " ".join(item.split())
    assume(len(normal_words(item)) >= 8)
    index = index_of({"any": item})
    assert [row.evidence["item"] for row in found(problem(f"{before}\n{item}\n{after}"), index=index).dropped] == [
        "any"
    ]


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(["sheep", "vases", "trees"]))
def test_shuffled_words_are_no_copy(shuffler: random.Random, name: str) -> None:
    """The same words in any order are not the item, unless they happen to stand in its order."""
    words = BENCHMARK[name].split()
    shuffler.shuffle(words)
    runs = {tuple(normal_words(BENCHMARK[name])[i : i + 3]) for i in range(60)}
    shuffled = normal_words(" ".join(words))
    assume(sum(tuple(shuffled[i : i + 3]) in runs for i in range(len(shuffled))) < 4)
    rows = found(problem(" ".join(words)), fuzzy=None).dropped
    assert not rows


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_shards_do_not_matter(shuffler: random.Random) -> None:
    """A row's fate does not depend on the rows beside it."""
    prompts = [SHEEP, VASES, "What is left?", TREES, ANGLE, LETTERS, SHEEP.replace("12", "13"), "Nothing of it"]
    alone = {prompt: item_in(prompt) for prompt in prompts}
    shuffler.shuffle(prompts)
    dropped = {row.prompt: row.evidence["item"] for row in found(*map(problem, prompts)).dropped}
    assert {prompt: dropped.get(prompt) for prompt in prompts} == alone
