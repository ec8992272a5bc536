"""Likeness: cosines corrected by numbers and formulas."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from benchmarks.curation import rephrased
from tests.support.servers.fake_embedder import FakeEmbedder
from tracemill.decontaminate.likeness import Question, likeness

BAKER = "A baker sells 48 rolls at $2 each and half as many cakes at $15. She works 3 hours. What does she earn?"
SAME = "At two dollars each, a baker sells four dozen rolls. Cakes are 15 dollars; of those it is 50 % of that number. "
SAME += "In 180 minutes of work, what does she make?"
AT_LEAST = 0.9  # the default


def like(prompt: str, cosine: float, item: str = BAKER) -> float:
    return likeness(cosine, Question(item), Question(prompt))


def test_all_numbers_told_otherwise_make_up_for_a_low_cosine() -> None:
    """In words, dozens, per cents and other units they are the item's numbers, and rare ones."""
    assert like(SAME, 0.72) >= AT_LEAST
    assert like(SAME.replace("15", "17"), 0.72) < AT_LEAST


@pytest.mark.parametrize(
    ("said", "other"), [("48", "46"), ("$2", "$4"), ("half", "a third"), ("15", "16"), ("3 ", "5 ")]
)
def test_one_number_exchanged_is_another_problem(said: str, other: str) -> None:
    """However alike the rest is, and however many numbers agree."""
    assert like(BAKER, 0.99) == 1
    assert like(BAKER.replace(said, other), 1.0) < AT_LEAST


def test_a_number_that_stands_twice_may_be_exchanged_once() -> None:
    """The other one of its kind does not cover for it; left out it may be."""
    item = "Ann has 7 pens and 7 books. Bob has 25 pens. How many things are there?"
    assert like("Ann has 7 pens and 9 books. Bob has 25 pens. How many things are there?", 0.99, item) < AT_LEAST
    assert like("Ann has 7 pens and books each, and Bob 25 pens. How many things are there?", 0.85, item) >= AT_LEAST


def test_without_numbers_in_common_the_cosine_counts() -> None:
    """Nothing is gained by what a question does not tell."""
    assert like("Name the capital of France.", 0.89, "Which city is the capital of France?") == pytest.approx(0.89)


def test_common_numbers_say_little() -> None:
    """2 and 3 are in every other problem, 347 is not."""
    common, rare = "Of 2 boys 3 sing.", "Of 347 boys 859 sing."
    assert like(common, 0.7, common) < like(rare, 0.7, rare)


@pytest.mark.parametrize(
    ("item", "same", "other"),
    [
        (r"Compute $\arcsin(1/2)$.", r"What is $\arcsin(1/2)$?", r"What is $\arccos(1/2)$?"),
        ("Let $f(x) = 5x+3$. Find $f(2)$.", "If $f(x) = 5x+3$, what is $f(2)$?", "If $f(x) = 5x-3$, what is $f(4)$?"),
        ("Solve x^2 + 7x = 18.", "Which numbers fulfil x^2 + 7x = 18?", "Which fulfil x^2 + 8x = 18?"),
    ],
)
def test_formulas_are_compared_sign_by_sign(item: str, same: str, other: str) -> None:
    """Nobody tells a formula in other words: functions, operators and every numeral have to be there."""
    assert like(same, 0.87, item) >= AT_LEAST
    assert like(other, 0.95, item) < like(same, 0.95, item)
    assert like(other, 0.95, item) < AT_LEAST


def test_amounts_are_no_formulas() -> None:
    """Dollars and a slash are how stories tell prices."""
    assert not Question("It costs $300/hour for 2 hours and $4/pill for 30 pills, or 200$ and 700$.").has_formulas
    assert Question("Find $x$ for which $2x+1$ is 5.").has_formulas


def test_rephrased_items_are_of_different_items() -> None:
    """At least 300 of ours, in two halves and several styles, each of another item, none of them twice."""
    path = Path(rephrased.__file__).with_name("rephrasings.jsonl")
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(found) >= 300
    assert len({row["item"] for row in found}) == len({row["text"] for row in found}) == len(found)
    assert len({row["style"] for row in found}) >= 5
    assert [row["half"] for row in found].count("hold out") == len(found) // 2


def test_the_benchmark_counts_what_goes() -> None:
    """A copy counts for its own item only, and what is no item is counted where it goes all the same."""
    items = [BAKER, "Seven frogs sit on 19 leaves. How many leaves have no frog?", "What is the capital of France?"]
    benchmark = rephrased.Benchmark(items, FakeEmbedder())
    rules = rephrased.columns()["≥ 0.9"]
    assert benchmark.n_found(rephrased.Asked("copies", items, [0, 1, 2]), rules) == 3
    assert benchmark.n_found(rephrased.Asked("of others", items, [2, 0, 1]), rules) == 0
    draw = random.Random(3)  # noqa: S311 - seeded on purpose
    exchanged = [rephrased.one_exchanged(item, draw) for item in items[:2]]
    assert all(text != item for text, item in zip(exchanged, items, strict=False))
    assert benchmark.n_found(rephrased.Asked("others", exchanged), rules) == 0
    assert benchmark.n_found(rephrased.Asked("others by cosine", exchanged), rephrased.columns()["cosine ≥ 0.9"]) == 2


def test_something_else_asked_is_put_behind_the_items_story() -> None:
    """The file holds no item's text: the story comes from the benchmark."""
    items = [f"Story {n}. And so on. How many?" for n in range(1319)]
    asked = {part.name: part for part in rephrased.other_questions(items)}
    assert asked["the story copied, something else asked"].prompts[0].startswith("Story 3. And so on. How many sprints")
    assert all(len(part.prompts) >= 7 for part in asked.values())
