"""The algebra of verdicts: what keeps the value changes no verdict, and what does not keep it changes every one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from verifiers.maths.reading.reader import read
from verifiers.maths.reading.tokens import NotUnderstood
from verifiers.maths.verifier import judge

if TYPE_CHECKING:
    from collections.abc import Callable

LETTERS = st.sampled_from(["x", "y", "n", "a"])
WHOLE = st.integers(2, 12).map(str)
SMALL = st.one_of(
    WHOLE,
    LETTERS,
    st.just(r"\pi"),
    st.just(r"\mathrm{e}"),
    WHOLE.map(lambda number: rf"\sqrt{{{number}}}"),
    st.tuples(WHOLE, WHOLE).map(lambda pair: rf"\frac{{{pair[0]}}}{{{pair[1]}}}"),
)
# Of numbers and letters without a minus, so that no value is zero where all letters are above it.
EXPRESSIONS = st.recursive(
    SMALL,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}+{pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: rf"{pair[0]}\cdot {pair[1]}"),
        st.tuples(inner, st.integers(2, 3)).map(lambda pair: f"({pair[0]})^{{{pair[1]}}}"),
    ),
    max_leaves=5,
)
KEEPING: list[Callable[[str], str]] = [
    lambda text: text.replace("(", r"\left(").replace(")", r"\right)"),
    lambda text: text.replace(r"\frac", r"\dfrac"),
    lambda text: text.replace("+", r" \, + \; "),
    lambda text: text.replace(r"\cdot", r"\times"),
    lambda text: text.replace(r"\mathrm{e}", "e").replace(r"\pi", "π"),
    lambda text: f"{{{text}}}",
    lambda text: f"0+{text}",
    lambda text: rf"\frac{{2({text})}}{{2}}",
    lambda text: f"-(-({text}))",
    lambda text: f"${text}$",
    lambda text: f"z = {text}",
]
CHANGING: list[Callable[[str], str]] = [
    lambda text: f"-({text})",
    lambda text: f"2({text})",
    lambda text: f"({text})+1",
    lambda text: rf"({text})\mathrm{{e}}",
    lambda text: rf"({text})\pi",
    lambda text: rf"({text})\mathrm{{i}}",
    lambda text: rf"\frac{{{text}}}{{3}}",
    lambda text: f"({text})q",
    lambda text: rf"({text})+10^{{-8}}",
]


def outcome(reference: str, answer: str) -> str:
    return str(judge(rf"So $\boxed{{{answer}}}$.", reference).outcome)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, st.lists(st.sampled_from(KEEPING), min_size=1, max_size=3))
def test_what_keeps_the_value_is_right(text: str, rewrites: list[Callable[[str], str]]) -> None:
    """Spacing, brackets, fractions, signs of multiplication, a name before it: none of them makes another answer."""
    rewritten = text
    for rewrite in sorted(rewrites, key=KEEPING.index):  # dollars and names stand outside of all else
        rewritten = rewrite(rewritten)
    assert outcome(text, rewritten) == "correct"
    assert outcome(rewritten, text) == "correct"


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, st.sampled_from(CHANGING), st.sampled_from(KEEPING[:7]))
def test_what_changes_the_value_is_wrong(
    text: str, change: Callable[[str], str], rewrite: Callable[[str], str]
) -> None:
    """Another sign, factor, constant or summand is another answer, however it is written, in either direction."""
    changed = rewrite(change(text))
    assert outcome(text, changed) == "incorrect"
    assert outcome(changed, text) == "incorrect"


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS)
def test_order_of_sums_and_products(one: str, other: str) -> None:
    """Sums and products may be written in any order; a sum is no product."""
    assert outcome(f"{one}+{other}", f"{other}+{one}") == "correct"
    assert outcome(rf"({one})\cdot({other})", rf"({other})({one})") == "correct"
    assert outcome(f"{one}+{other}", f"{one}+{other}+1") == "incorrect"


@settings(max_examples=100, deadline=None)
@given(st.integers(-500, 500), st.sampled_from([1, 2, 4, 5, 8, 10, 20, 25, 40]), st.integers(1, 400))
def test_fractions_and_decimals(top: int, bottom: int, apart: int) -> None:
    """A fraction is its exact decimal, and no other one."""
    exact, other = top / bottom, (top + apart) / bottom
    assert outcome(rf"\frac{{{top}}}{{{bottom}}}", f"{exact:f}") == "correct"
    assert outcome(f"{exact:f}", f"{top}/{bottom}") == "correct"
    assert outcome(rf"\frac{{{top}}}{{{bottom}}}", f"{other:f}") == "incorrect"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-999, 999), min_size=2, max_size=5, unique=True), st.data())
def test_sets_and_tuples(members: list[int], data: st.DataObject) -> None:
    """A set is one in any order, also of members with three digits; a tuple is not, and another member is wrong."""
    mixed = data.draw(st.permutations(members))
    written, other = ", ".join(map(str, members)), ", ".join(map(str, mixed))
    assert outcome(written, rf"\{{{other}\}}") == "correct"
    assert outcome(written, other.replace(", ", r",\, ")) == "correct"
    assert (outcome(f"({written})", f"({other})") == "correct") == (mixed == members)
    assert outcome(written, ", ".join(map(str, [*members[:-1], 1000]))) == "incorrect"
    assert outcome(written, str(members[0])) == "incorrect"


UNITS = [
    ["cm", "centimeters", "centimetres"],
    ["kg", "kilograms"],
    ["km/h", "kilometers per hour", "km per hour"],
    ["square inches", "in^2", "sq in"],
    ["dollars", "USD"],
    ["apples", "apple"],
    ["hours", "hr", "h"],
]


@given(st.integers(2, 5000), st.sampled_from(UNITS), st.sampled_from(UNITS), st.data())
def test_units(number: int, unit: list[str], another: list[str], data: st.DataObject) -> None:
    """A unit is one however it is spelt, a missing one is forgiven, and one of another kind is never right."""
    spelt, respelt = (rf"\text{{ {data.draw(st.sampled_from(unit))}}}" for _ in range(2))
    assert outcome(f"{number}{spelt}", f"{number}{respelt}") == "correct"
    assert outcome(f"{number}{spelt}", f"{number}") == "correct"
    assert outcome(f"{number}{spelt}", f"{number + 1}{respelt}") == "incorrect"
    if unit is not another:
        assert outcome(f"{number}{spelt}", rf"{number}\text{{ {another[0]}}}") == "unverifiable"


WORDS = (
    "thirds,or more,at least,squared,factorial,million,below zero,(rejected),maybe,remainder two,k,x,zorks,and a half"
)


@given(st.integers(2, 5000), st.sampled_from(WORDS.split(",")), st.booleans())
def test_words_beside_a_number_are_never_thrown_away(number: int, words: str, is_text: bool) -> None:
    """Whatever is no unit keeps an answer from being right, in text or plain."""
    beside = rf"\text{{ {words}}}" if is_text else f" {words}"
    assert outcome(str(number), f"{number}{beside}") != "correct"
    assert outcome(f"{number}{beside}", str(number)) != "correct"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=r"\{}()[]|^_,.:;%$&=<>+-*/!'0123456789 xyienpisqrtfrac", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is read, or refused in words."""
    with contextlib.suppress(NotUnderstood):
        assert read(text).node is not None
