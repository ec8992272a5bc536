"""RLVR-IFeval's constraints, as its own checker has them, and what excludes what."""

from __future__ import annotations

from typing import Any

import pytest

from verifiers.instructions.conflicts import why_exclusive
from verifiers.instructions.constraints import CONSTRAINTS, RLVR, why_unusable
from verifiers.instructions.dialects import canonical
from verifiers.instructions.judgement import judge

# name, arguments, answers of which it holds, answers of which it does not.
TABLE: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("verify_keywords", {"keyword_list": ["Tide", "oar"]}, ["The tides; a board.", "OAR TIDE"], ["The tide."]),
    (
        "verify_keyword_frequency",
        {"word": "art", "N": 2},
        ["Art, my art. Start the part."],
        ["art", "Artful art", "art art art"],
    ),
    ("verify_keyword_frequency", {"word": "sea air", "N": 1}, ["I like Sea air."], ["sea airs", "the sea"]),
    ("validate_forbidden_words", {"forbidden_words": ["ran"]}, ["They walked."], ["RAN away", "An orange"]),
    ("verify_letter_frequency", {"letter": "o", "N": 2}, ["Oh no, so"], ["No", "oooh", "O o"]),
    (
        "validate_response_language",
        {"language": "de"},
        ["Das ist ein schöner Tag, und wir gehen heute alle zusammen in den Wald."],
        ["It is a fine day, and all of us will go to the woods together."],
    ),
    (
        "verify_paragraph_count",
        {"N": 2},
        ["one\n* * *\ntwo", "one * * * two"],
        ["one\n***\ntwo", "one", "one\n* * *\n", "a\n* * *\nb\n* * *\nc"],
    ),
    ("validate_word_constraint", {"N": 3, "quantifier": "at most"}, ["well-known sea-side don't"], ["a b c d"]),
    ("validate_word_constraint", {"N": 20, "quantifier": "around"}, ["a " * 18, "a " * 22], ["a " * 17, "a " * 23]),
    (
        "verify_sentence_constraint",
        {"N": 2, "quantifier": "at least"},
        ["It rains. We stay in.", "No! Yes?"],
        ["It rains.", "See e.g. this one."],
    ),
    (
        "verify_sentence_constraint",
        {"N": 3, "quantifier": "around"},
        ["A b. C d.", "One. Two. Six. Ten."],
        ["One.", "One. Two. Six. Ten. End."],
    ),
    (
        "validate_paragraphs",
        {"N": 2, "first_word": "Then", "i": 2},
        ["a\n\nThen b", "a\n\nThence"],
        ["a\n\nthen b", "Then\n\nb", "a\n\n\n\nThen b"],
    ),
    ("verify_postscript", {"postscript_marker": "P.P.S"}, ["Yours\n\nP.P.S more"], ["Yours\n\nP.P.S", "p.p.s more"]),
    ("validate_placeholders", {"N": 2}, ["[a] and [b]", "[a][b][c]"], ["[a]"]),
    (
        "verify_bullet_points",
        {"N": 2},
        ["* a\n- b", "**Head**\n* a", "text\n  - a\n* b"],
        ["* a", "**Head**\n* a\n* b"],
    ),
    ("validate_title", {}, ["<<Ode>>\ntext", "<<>>"], ["<Ode>", "<<Ode\n>>"]),
    ("validate_choice", {"options": ["red", "blue"]}, ["blue", "It is red."], ["green"]),
    ("validate_highlighted_sections", {"N": 2}, ["*a* and *b*", "**a**"], ["*a*", "a * b"]),
    (
        "validate_sections",
        {"N": 2, "section_splitter": "PART"},
        ["PART 1\na\nPART 2\nb", "before\nPART one"],
        ["PART 1", "PART 1 PART 2 PART 3", "part 1 part 2"],
    ),
    ("validate_json_format", {}, ['{"a": [1, null]}', "3"], ["```json\n{}\n```", "{a: 1}"]),
    (
        "validate_repeat_prompt",
        {"original_prompt": "Say it."},
        ["Say it. So I do."],
        ["say it. So I do.", "I say: Say it."],
    ),
    ("validate_two_responses", {}, ["yes\n******\nno"], ["yes", "yes\n******\nyes", "a ****** b ****** c"]),
    ("validate_uppercase", {}, ["HABARI YAKO 12", "ÄRGER!"], ["HABARI yako"]),
    ("validate_lowercase", {}, ["habari yako, 12"], ["Habari yako"]),
    (
        "validate_frequency_capital_words",
        {"N": 3, "quantifier": "at least"},
        ["I saw A MAN", "NASA, ESA, JAXA"],
        ["I saw A man"],
    ),
    ("validate_end", {"end_phrase": "That is all."}, ["So. That is all."], ["So. that is all.", '"That is all."']),
    ("validate_quotation", {}, ['"all of it"'], ['"', '"all" of it', "all"]),
    ("validate_no_commas", {}, ["none; here"], ["one, here"]),
]


@pytest.mark.parametrize(("name", "arguments", "good", "bad"), TABLE)
def test_constraints_hold_and_fail(name: str, arguments: dict[str, Any], good: list[str], bad: list[str]) -> None:
    """Each constraint holds of the answers that its checker passes, and of none that it fails."""
    found = canonical({"id": name, "kwargs": {**arguments, "N": arguments.get("N"), "end": None}})
    assert why_unusable(*found) is None
    judged = {text: judge(text, [list(found)], "strict")[0]["holds"] for text in good + bad}
    assert [text for text in good if judged[text] is not True] == []
    assert [text for text in bad if judged[text] is not False] == []


def test_all_of_them_are_in_the_table() -> None:
    """The set has 25 constraints, and each has an answer that passes and one that fails."""
    assert len(RLVR) == 25
    assert {name for name, _, good, bad in TABLE if good and bad} == set(RLVR)
    assert set(RLVR) < set(CONSTRAINTS)


WORDS = "length_constraints:number_words"


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        (
            [(WORDS, {"num_words": 90, "relation": "at least"}), (WORDS, {"num_words": 90, "relation": "less than"})],
            "at least 90 and at most 89",
        ),
        (
            [
                ("validate_word_constraint", {"N": 50, "quantifier": "around"}),
                ("validate_word_constraint", {"N": 60, "quantifier": "at least"}),
            ],
            "at most 55 words",
        ),
        ([("verify_bullet_points", {"N": 2}), ("verify_bullet_points", {"N": 3})], "bullets"),
        (
            [
                ("keywords:existence", {"keywords": ["sea", "Air"]}),
                ("keywords:forbidden_words", {"forbidden_words": ["air"]}),
            ],
            "'air'",
        ),
        (
            [
                ("keywords:frequency", {"keyword": "sea", "frequency": 1, "relation": "at least"}),
                ("keywords:forbidden_words", {"forbidden_words": ["sea"]}),
            ],
            "'sea'",
        ),
        (
            [
                ("keywords:frequency", {"keyword": "sea", "frequency": 3, "relation": "at least"}),
                ("keywords:frequency", {"keyword": "Sea", "frequency": 3, "relation": "less than"}),
            ],
            "keyword sea",
        ),
        ([("change_case:english_capital", {}), ("change_case:english_lowercase", {})], "capitals"),
        (
            [("language:response_language", {"language": "de"}), ("language:response_language", {"language": "fr"})],
            "in de and in fr",
        ),
        (
            [("startend:end_checker", {"end_phrase": "Bye."}), ("startend:end_checker", {"end_phrase": "The end."})],
            "ends in two ways",
        ),
    ],
)
def test_what_excludes_itself(constraints: list[tuple[str, dict[str, Any]]], words: str) -> None:
    """Constraints that no answer can satisfy together are told apart from those that are merely hard."""
    assert words in (why_exclusive(constraints) or "")


@pytest.mark.parametrize(
    "constraints",
    [
        [(WORDS, {"num_words": 90, "relation": "at least"}), (WORDS, {"num_words": 91, "relation": "less than"})],
        [
            ("validate_word_constraint", {"N": 50, "quantifier": "around"}),
            ("validate_word_constraint", {"N": 55, "quantifier": "at least"}),
        ],
        [
            ("keywords:frequency", {"keyword": "sea", "frequency": 3, "relation": "at least"}),
            ("keywords:frequency", {"keyword": "air", "frequency": 1, "relation": "less than"}),
        ],
        [
            ("keywords:frequency", {"keyword": "sea", "frequency": 3, "relation": "less than"}),
            ("keywords:forbidden_words", {"forbidden_words": ["sea"]}),
        ],
        [("verify_letter_frequency", {"letter": "a", "N": 3}), ("verify_letter_frequency", {"letter": "A", "N": 2})],
        [
            ("startend:end_checker", {"end_phrase": "the end."}),
            ("startend:end_checker", {"end_phrase": "This is the end."}),
        ],
        [("language:response_language", {"language": "zh"}), ("language:response_language", {"language": "zh-cn"})],
        [("change_case:english_capital", {}), ("keywords:existence", {"keywords": ["sea"]})],
    ],
)
def test_what_goes_together(constraints: list[tuple[str, dict[str, Any]]]) -> None:
    """Constraints that some answer satisfies are not called exclusive."""
    assert why_exclusive(constraints) is None


@pytest.mark.parametrize(
    ("name", "text", "holds"),
    [
        ("change_case:english_capital", "1. SALT HARBOR\n2. LANTERN QUAY\n3. GULL ROW", True),
        ("change_case:english_capital", "1. SALT HARBOR\n2. Lantern Quay", False),
        ("change_case:english_capital", "ПРИВЕТ, МИР", False),
        ("change_case:english_lowercase", "amber marina studio", True),
        (
            "change_case:english_lowercase",
            "wir gehen heute alle zusammen in den wald, denn das wetter ist sehr schön",
            False,
        ),
        ("length_constraints:nth_paragraph_first_word", "one\n\n**Two** more", True),
    ],
)
def test_short_texts_in_one_case(name: str, text: str, holds: bool) -> None:
    """The case of a few words does not depend on what language a detector takes them for."""
    nth = {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "two"}
    assert judge(text, [[name, nth if "nth" in name else {}]], "strict")[0]["holds"] is holds
