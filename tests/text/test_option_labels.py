"""Labels of options: the same question however they are set; and its stem."""

from __future__ import annotations

import pytest

from tracemill.text.normal_form import normal_words
from tracemill.text.option_labels import stem_of, without_option_labels

ASKED = "What gas do plants absorb during photosynthesis?"
OPTIONS = ["Oxygen", "Carbon dioxide", "Nitrogen", "Helium"]
STYLES = [
    "A. |B. |C. |D. ",
    "A.|B.|C.|D.",
    "(a) |(b) |(c) |(d) ",
    "1) |2) |3) |4) ",
    "1. |2. |3. |4. ",
    "(1) |(2) |(3) |(4) ",
    "①|②|③|④",
    "❶ |❷ |❸ |❹ ",
    "🅐 |🅑 |🅒 |🅓 ",
    "1️⃣ |2️⃣ |3️⃣ |4️⃣ ",
    "A)|B)|C)|D)",
    "A.) |B.) |C.) |D.) ",
    "A: |B: |C: |D: ",
    "[A] |[B] |[C] |[D] ",
    "**A.** |**B.** |**C.** |**D.** ",
    "Option A: |Option B: |Option C: |Option D: ",
    "Ａ．|Ｂ．|Ｃ．|Ｄ．",
    "（A）|（B）|（C）|（D）",
    "A、|B、|C、|D、",
    "甲、|乙、|丙、|丁、",
    "i) |ii) |iii) |iv) ",
    "(I) |(II) |(III) |(IV) ",
    "أ) |ب) |ج) |د) ",
    "١) |٢) |٣) |٤) ",
    "А) |Б) |В) |Г) ",
    "(क) |(ख) |(ग) |(घ) ",
    "ก. |ข. |ค. |ง. ",
    "가. |나. |다. |라. ",
    "㉠ |㉡ |㉢ |㉣ ",
    "ア. |イ. |ウ. |エ. ",
    r"$\textbf{(A)}\ |$\textbf{(B)}\ |$\textbf{(C)}\ |$\textbf{(D)}\ ",
]


def lettered(style: str, gap: str) -> str:
    """The question with its options under labels of one style."""
    return ASKED + gap + gap.join(label + option for label, option in zip(style.split("|"), OPTIONS, strict=True))


@pytest.mark.parametrize("style", [*STYLES, "- A. |- B. |- C. |- D. ", "A - |B - |C - |D - "])
def test_options_on_lines(style: str) -> None:
    """Whatever stands before the options, words are those of question and options, and the stem is found."""
    text = lettered(style, "\n")
    assert normal_words(without_option_labels(text)) == normal_words("\n".join([ASKED, *OPTIONS]))
    assert stem_of(text) == ASKED


@pytest.mark.parametrize("style", STYLES)
def test_options_in_one_line(style: str) -> None:
    """Options need no lines of their own."""
    text = lettered(style, " ")
    assert normal_words(without_option_labels(text)) == normal_words(" ".join([ASKED, *OPTIONS]))
    assert stem_of(text) == ASKED


@pytest.mark.parametrize(
    "text",
    [
        "The points A, B, C and D lie on a circle.",
        "What is f(1) + f(2) + f(3), to 1.5 or 2.5?",
        "Mr. A. met B. at 9 a.m. on a bus.",
        "Let a = 1) and b = 2) be odd brackets",
        "He has 1. She has 2.",
    ],
)
def test_what_is_no_list(text: str) -> None:
    """Points, arguments, decimals and initials are no labels."""
    assert without_option_labels(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Which of the following is prime?\nA. 4\nB. 6\nC. 7",
        "Find the value of x.\nA. 1\nB. 2\nC. 3",
        "What is the area of the triangle?\nA. 1\nB. 2\nC. 3",
        "下列说法正确的是（ ）\nA. 金 B. 木 C. 水",
        "Given f(x) = x^2 on Mars and Venus:\n(a) Find f(2).\n(b) Sketch f.\n(c) What is f(9)?",
        "Consider the reals:\n1) x > 0\n2) y > 0\n3) z > 0\nHow many of these hold on the moon Titan?",
        ASKED,
    ],
)
def test_stems_that_say_too_little(text: str) -> None:
    """What is asked of the options, what many ask, and what is no stem but data of several parts has no stem."""
    assert stem_of(text) is None


def test_a_request_for_a_letter_is_no_part_of_the_stem() -> None:
    """Instructions around the options do not belong to the question."""
    text = f"{ASKED} Choose the correct answer.\nOptions:\nA. {OPTIONS[0]}\nB. {OPTIONS[1]}\nC. {OPTIONS[2]}"
    assert stem_of(text) == ASKED


def test_two_labels_must_begin_lines() -> None:
    """True and false are options; "A." and "B." in a sentence are not."""
    assert stem_of("Whales are mammals of the sea.\nA. True\nB. False") == "Whales are mammals of the sea."
    assert without_option_labels("Whales A. True B. False") == "Whales A. True B. False"
