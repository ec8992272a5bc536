"""Numbers as texts tell them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.decontaminate.told_numbers import Told, told_numbers


def strong(text: str) -> list[str]:
    return [str(told.value) for told in told_numbers(text) if not told.is_weak]


def all_forms(text: str) -> set[tuple[str, Fraction]]:
    return {form for told in told_numbers(text) for form in told.forms}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,000 and a thousand and 1k and 1 thousand", ["1000", "1000", "1000", "1000"]),
        ("two hundred and fifty thousand", ["250000"]),
        ("sixty-five thousand two hundred", ["65200"]),
        ("nineteen hundred and five", ["1905"]),
        ("1.5 million, $2.5M", ["1500000", "2500000"]),
        ("$1{,}250", ["1250"]),
        ("twenty 65-pound sacks", ["20", "65"]),
        ("half of it, ½, 1/2, .5 and \\frac{1}{2}", ["1/2"] * 5),
        ("a third, one-third, two thirds, ⅔, three quarters", ["1/3", "1/3", "2/3", "2/3", "3/4"]),
        ("2 1/2, 2½, two and a half", ["5/2"] * 3),
        ("one in five", ["1/5"]),
        ("9 out of 10", ["9", "10"]),
        ("a dozen, 2 dozen, half a dozen, one and a half dozen", ["12", "24", "6", "18"]),
        ("twice, thrice, tripled, fourfold, 5 times, 6-fold", ["2", "3", "3", "4", "5", "6"]),
        ("40%, 40 percent, 40 per cent", ["40"] * 3),
        ("x² and 34 and ３４ and ٣٤", ["2", "34", "34", "34"]),
        ("5/0, 0/3", ["5", "0", "0"]),
        ("a fortnight, a decade", ["14", "10"]),
        ("the first and the third friend, both twins, one day a week, the 20th", []),
        ("no numbers at all", []),
        ("", []),
    ],
)
def test_numbers_are_read_however_they_are_told(text: str, values: list[str]) -> None:
    """In digits of any script, in words, as parts, multiples and dozens; what need not be told is weak."""
    assert strong(text) == values


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("half", "50%"),
        ("0.25", "a quarter"),
        ("three fourths", "75 percent"),
        ("2 hours", "120 minutes"),
        ("half an hour", "30 minutes"),
        ("3/4 of an hour", "45 minutes"),
        ("$1.50", "150 cents"),
        ("$0.20", "20 cents"),
        ("two weeks", "14 days"),
        ("a fortnight", "two weeks"),
        ("a fortnight", "14 days"),
        ("2 years", "24 months"),
        ("4 feet", "48 inches"),
        ("6 inches", "half a foot"),
        ("2 kg", "2000 grams"),
        ("3 km", "3000 meters"),
        ("1.5 liters", "1500 ml"),
        ("a dozen", "12"),
        ("five dozen", "60"),
        ("a couple", "two"),
        ("twice as many", "half as many"),
        ("three times as fast", "a third as fast"),
        ("40% off", "60% of the price"),
        ("150%", "1.5 times"),
        ("25% more", "a quarter more"),
        ("7 days", "per week"),
        ("12 months", "yearly"),
        ("16:00", "4 p.m."),
        ("one in four", "a quarter"),
        ("20% of them", "one fifth of them"),
        ("two decades", "20 years"),
        ("third day", "day 3"),
    ],
)
def test_a_number_told_otherwise_has_a_form_in_common(one: str, other: str) -> None:
    """Parts and per cents, units, multiples from either side, what a span of time implies."""
    assert all_forms(one) & all_forms(other)
    assert all_forms(other) & all_forms(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("half of them", "2 hours"),
        ("3 times", "30 apples"),
        ("25%", "35%"),
        ("12", "13"),
        ("$5", "50 cents"),
        ("2 hours", "2.5 hours"),
        ("a third", "a quarter"),
    ],
)
def test_other_numbers_have_no_form_in_common(one: str, other: str) -> None:
    """A part has nothing to do with a count, nor an amount with another one."""
    assert not all_forms(one) & all_forms(other)


def test_what_goes_without_saying_is_weak() -> None:
    """A week implies 7 days, which a text that says so need not miss."""
    weeks = [told for told in told_numbers("each week") if told.is_weak]
    assert weeks == [Told(Fraction(1), frozenset({("", Fraction(1)), ("", Fraction(7))}), is_weak=True)]


@given(st.text(alphabet=st.sampled_from("0123456789.,/%$:- abdefhilnoprtuwz²½٣\\{}"), max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    """Whatever stands there, there are numbers, each told as itself."""
    assert all(("", told.value) in told.forms for told in told_numbers(text))


def test_data_is_no_number() -> None:
    """Thousands of digits in a row are read without an error."""
    assert len(told_numbers("9" * 10_000 + ", 1/" + "7" * 5_000)) == 2
