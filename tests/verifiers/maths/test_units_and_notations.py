"""Values in other units, dates, times, ratios and letters: one value in two notations, and two values in like ones."""

from __future__ import annotations

import calendar
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import Outcome
from verifiers.maths.dates import same_date_or_time
from verifiers.maths.reading.tree import Num
from verifiers.maths.reading.unit_factors import measured, together
from verifiers.maths.verifier import judge

SAME = [
    (r"5\text{ cm}", r"50\text{ mm}"),
    (r"\$5", "500 cents"),
    (r"2\text{ hours}", r"120\text{ minutes}"),
    (r"2.5\text{ hours}", "2 hours and 30 minutes"),
    (r"2\text{ h }30\text{ min}", r"150\text{ min}"),
    ("66 in", "5 ft 6 in"),
    (r"10\text{ m/s}", r"36\text{ km/h}"),
    (r"100\text{ cm}^2", r"0.01\text{ m}^2"),
    (r"5\sqrt2\text{ cm}", r"50\sqrt2\text{ mm}"),
    ("5 kg", "5000 g"),
    (r"20^\circ C", r"68^\circ F"),
    (r"20^\circ\text{C}", "20"),
    ("3:4", "6:8"),
    (r"\mathbb{R}", r"(-\infty,\infty)"),
    ("May 3, 2020", "2020-05-03"),
    ("2:30 pm", "14:30"),
]
OTHER = [
    (r"5\text{ cm}", r"5\text{ m}"),
    (r"\$5", "5 cents"),
    ("66 in", "5 ft 7 in"),
    (r"60 \text{ km/h}", r"60\text{ mph}"),
    (r"20^\circ C", r"20^\circ F"),
    ("3:4", "6:9"),
    ("101_2", "101_3"),
    ("8", "8,000"),
    ("2020-05-03", "2012"),
    ("2:30 pm", "2:30 am"),
    (r"4\text{ AM}", r"4\text{ PM}"),
    ("2:30 pm", "14:31"),
    (r"\frac{\pi}{2}+k\pi", r"\frac{\pi}{3}+n\pi"),
    ("x^2", "y^2"),
]
OPEN = [
    ("5 km", "3.1 miles"),
    ("1 year", "365 days"),
    ("2:30", "1:15"),
    ("May 3, 2020", "5/3/2020"),
    (r"\frac{\pi}{2}+k\pi", r"\frac{\pi}{2}+n\pi"),
    (r"k\pi, k\in\mathbb{Z}", r"n\pi, n\in\mathbb{Z}"),
    ("ABC_{16}", "2748"),
    (r"\overline{AB}", "AB"),
    (r"\frac{d}{dx}x^2", "2x"),
]


@pytest.mark.parametrize(
    ("gold", "target", "outcome"),
    [
        (*pair, outcome)
        for table, outcome in ((SAME, Outcome.CORRECT), (OTHER, Outcome.INCORRECT), (OPEN, Outcome.UNVERIFIABLE))
        for pair in table
    ],
)
def test_one_value_in_two_notations(gold: str, target: str, outcome: Outcome) -> None:
    """Units of one kind convert exactly; what is rounded or may be read otherwise is open."""
    assert judge(rf"So it is \[\boxed{{{target}}}\]", gold).outcome == outcome


@given(st.integers(1, 500), st.sampled_from([("hour", "minute", 60), ("foot", "inch", 12), ("kilogram", "gram", 1000)]))
def test_two_measures_of_one_kind_are_one(count: int, units: tuple[str, str, int]) -> None:
    """A larger unit and a smaller one make up their sum; the other way round they are no measure."""
    large, small, factor = units
    whole = together(Num(Fraction(1)), large, Num(Fraction(count)), small)
    assert whole is not None
    assert whole.args[1] == Num(Fraction(count, factor))  # type: ignore[attr-defined]
    assert together(Num(Fraction(1)), small, Num(Fraction(1)), large) is None


def test_powers_and_quotients_of_units() -> None:
    """A square metre is 10,000 square centimetres; a unit of several meanings is in no table."""
    metre, centimetre = measured("metre^2"), measured("centimetre^2")
    assert metre is not None
    assert centimetre is not None
    assert metre.factor / centimetre.factor == 10_000
    assert measured("ton") is None


@given(st.integers(1900, 2100), st.integers(1, 12), st.integers(1, 28))
def test_a_date_is_the_same_however_it_is_written(year: int, month: int, day: int) -> None:
    """Year first, month first and day first are one date; another day is another one."""
    name = calendar.month_name[month]
    assert same_date_or_time(f"{year}-{month:02}-{day:02}", f"{name} {day}, {year}")
    assert same_date_or_time(f"{day} {name} {year}", f"{year}/{month}/{day}")
    assert same_date_or_time(f"{name} {day}, {year}", f"{name} {day % 28 + 1}, {year}") is False


@given(st.integers(0, 23), st.integers(0, 59))
def test_a_time_of_day_is_the_same_in_halves(hour: int, minute: int) -> None:
    """A time with its half of the day is that of 24 hours, and no other."""
    half = f"{hour % 12 or 12}:{minute:02} {'pm' if hour >= 12 else 'am'}"
    assert same_date_or_time(half, f"{hour % 12 or 12}:{minute:02} {'PM' if hour >= 12 else 'AM'}")
    assert same_date_or_time(half, f"{hour % 12 or 12}:{minute:02} {'am' if hour >= 12 else 'pm'}") is False
    assert same_date_or_time(f"{hour}:{minute:02}", half) is not False
