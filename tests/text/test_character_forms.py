"""One form of characters: what is the same text in every script, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.digits import ZEROS, in_digits_of
from tracemill.core import problem_id
from tracemill.text.character_forms import one_form
from tracemill.text.normal_form import normal_words, numbers
from tracemill.text.number_guard import quantities
from tracemill.text.words import exact_key, words

PLAIN = "Find 120 of 57 boxes, if x^2 - 3 = 40"


@pytest.mark.parametrize("script", ZEROS)
def test_digits_of_every_script_are_one(script: str) -> None:
    """A text is the same text, with the same words, numbers and quantities, in the digits of any script."""
    text = in_digits_of(PLAIN, ZEROS[script])
    assert text != PLAIN
    assert exact_key(text) == exact_key(PLAIN)
    assert words(text) == words(PLAIN)
    assert normal_words(text) == normal_words(PLAIN)
    assert quantities(text) == quantities(PLAIN)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ｆｉｎｄ　ｘ＋１２", "Find x+12"),
        ("𝐅𝐢𝐧𝐝 𝑥 𝟏𝟐", "Find x 12"),
        ("the ﬁrst oﬃce", "the first office"),
        ("5\u00a0km and\u202f3\u2009m", "5 km and 3 m"),
        ("ap\u200bp\u00adle\u2060s\ufeff", "apples"),
        ("\u202eabc\u202c \u2066x\u2069 a\u200eb\u200f", "abc x ab"),
        ("☃\ufe0f a\u034fb \U000e0101c", "☃ ab c"),
        ("e\u0301te\u0301 \u00e9", "été é"),
        ("ｶﾞｽ", "ガス"),
        ("1\u200b2 apples", "12 apples"),
        ("it’s “so” – a−b", 'it\'s "so" - a-b'),
        ("كِتَابٌ", "كتاب"),
        ("كتـــاب", "كتاب"),
        ("ﻛﺘﺎﺏ", "كتاب"),
        ("שָׁלוֹם", "שלום"),
        ("٣٫٥ و ١٬٠٠٠؟", "3.5 و 1,000?"),
        ("می\u200cخواهم", "میخواهم"),
        ("x² + 10²³ - 10⁻³", "x^2 + 10^23 - 10^-3"),
        ("x₁₂ + H₂O", "x_12 + H_2O"),
        ("3½ of ¾", "3 1/2 of 3/4"),
        ("① ⑴ ❶ ⓵ Ⓐ ⓐ 🅐 ㉑", "(1) (1) (1) (1) (A) (a) (A) (21)"),
        ("5㎡ at 3㎨ and 4℃", "5m^2 at 3m/s^2 and 4°C"),
        ("求ｘ。", "求x."),
        ("90º and 90˚", "90° and 90°"),
        ("Ⅳ ⅲ", "IV iii"),
    ],
)
def test_the_same_text(one: str, other: str) -> None:
    """Compatibility forms, marks of no width, and signs with another form are the same text, to words too."""
    assert exact_key(one) == exact_key(other)
    assert words(one) == words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10² boxes", "102 boxes"),
        ("x₂ boxes", "x2 boxes"),
        ("3½ cups", "31/2 cups"),
        ("2½3", "21/23"),
        ("①2 boxes", "12 boxes"),
        ("5㎡", "5m2"),
        ("2\u20623", "23"),
        ("año", "ano"),
        ("x\u0304 of x", "x of x"),
        ("५ और ६", "५ और ७"),
        ("1 2", "12"),
        ("a-b", "ab"),
    ],
)
def test_what_differs_in_meaning_stays_apart(one: str, other: str) -> None:
    """Exponents, indices, fractions, list labels, accents and blanks are not folded away."""
    assert exact_key(one) != exact_key(other)


@given(st.text(max_size=30))
def test_one_form_is_idempotent(text: str) -> None:
    """A text in one form stays as it is."""
    once = one_form(text)
    assert one_form(once) == once


@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_ascii_is_left_alone(text: str) -> None:
    """ASCII text is in its one form already."""
    assert one_form(text) == text


def test_accents_do_not_part_words() -> None:
    """To near-duplicates and contamination an accent, or its absence, is no other word; vowels of India are."""
    assert words("José a mangé à Zürich") == words("Jose a mange a Zurich")
    assert normal_words("José a mangé") == normal_words("Jose a mange")
    assert words("कि") != words("की")


def test_ids_are_as_they_were() -> None:
    """Problem ids are joins and users' handles: forms of characters count in them as before."""
    assert problem_id("１２", [], None, None, None) != problem_id("12", [], None, None, None)
    assert problem_id("a\u200bb", [], None, None, None) != problem_id("ab", [], None, None, None)


@pytest.mark.parametrize(
    ("text", "n_words"),
    [
        ("สมชายมีแอปเปิ้ล", 9),
        ("ສົມຊາຍມີໝາກໂປມ", 10),
        ("សុខមានផ្លែប៉ោម", 8),
        ("မောင်မောင်တွင်ပန်းသီး", 9),
        ("東京に行く", 5),
        ("한국어", 3),
        ("𠮷野家", 3),
        ("हिन्दी में", 2),
        ("தமிழ் மொழி", 2),
        ("བོད་སྐད", 2),
    ],
)
def test_words_of_scripts_without_blanks(text: str, n_words: int) -> None:
    """Ideographs and syllables are words by themselves; vowels that are marks belong to their words."""
    assert len(words(text)) == n_words
    assert normal_words(text) == words(text)


@pytest.mark.parametrize("text", ["สมชายมีแอปเปิ้ลผลเขา", "ສົມຊາຍມີໝາກໂປມ", "សុខមានផ្លែប៉ោម", "မောင်မောင်တွင်ပန်းသီး", "東京に行く"])
@pytest.mark.parametrize("gap", [" ", "\u200b", "\u00a0", "\n"])
def test_blanks_count_for_nothing_where_none_belong(text: str, gap: str) -> None:
    """Blanks and zero-width blanks between words change neither the words nor their runs."""
    tokens = words(text)
    spaced = gap.join(["".join(tokens[:3]), "".join(tokens[3:5]), "".join(tokens[5:])])
    assert words(spaced) == tokens
    assert normal_words(spaced) == tokens


def test_numbers_of_a_question_in_another_script() -> None:
    """The numbers that tell questions apart are read in every script, with its signs between digits."""
    assert numbers(normal_words("٣٤ كتابا و ١٬٢٥٠ قلما")) == {"34": 1, "1250": 1}
