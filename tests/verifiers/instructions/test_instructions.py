"""Instruction following: every constraint can pass and fail, in every dialect, strictly and loosely."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.recipe.sections.verify import Instructions, Verify
from tracemill.text.think import UNCLOSED_THINK
from verifiers import Attempt, VerifierSet, verify
from verifiers.instructions.checks import Undecidable
from verifiers.instructions.constraints import CONSTRAINTS, IFEVAL, why_unusable
from verifiers.instructions.dialects import canonical
from verifiers.instructions.judgement import judge
from verifiers.instructions.sentences import count_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracemill.core import Verdict

ENGLISH = "the cat sat quietly on the mat while the rain was falling over the old town."
KANNADA = "ಇಂದು ತುಂಬಾ ಸುಂದರವಾದ ದಿನ."
GERMAN = "Die Katze saß ruhig auf der Matte, während der Regen über der alten Stadt fiel."
RUSSIAN = "Кошка сидела на коврике и смотрела на дождь, пока не заснула у огня."

# name, arguments, answers of which it holds, answers of which it does not
TABLE: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("keywords:existence", {"keywords": ["C++", "fast"]}, ["FAST c++ code"], ["C is fast", "C++"]),
    (
        "keywords:frequency",
        {"keyword": "dog", "frequency": 2, "relation": "at least"},
        ["dog Dog", "hotdogs and dogs"],
        ["one dog"],
    ),
    ("keywords:frequency", {"keyword": "dog", "frequency": 2, "relation": "less than"}, ["a dog"], ["dog dog"]),
    ("keywords:forbidden_words", {"forbidden_words": ["bad"]}, ["badly done", "good"], ["so Bad.", "bad"]),
    (
        "keywords:letter_frequency",
        {"letter": "Q", "let_frequency": 2, "let_relation": "at least"},
        ["quick Quiz"],
        ["quick"],
    ),
    ("language:response_language", {"language": "de"}, [GERMAN], [ENGLISH]),
    ("language:response_language", {"language": "kn"}, [KANNADA], ["My answer is no", GERMAN + ENGLISH, "привет мир"]),
    ("language:response_language", {"language": "vi"}, ["Hôm nay là một ngày rất đẹp trời."], [GERMAN + ENGLISH]),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": "at least"},
        ["It is. So it is!", "Dr. Who came. He left."],
        ["Dr. Who came.", "It costs 3.50 and more."],
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        ["one\n***\ntwo", "***\none\n***\ntwo\n***"],
        ["one", "one\n***\n\n***\ntwo", "one\n\ntwo"],
    ),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, ["one two"], ["one two three"]),
    ("length_constraints:number_words", {"num_words": 3, "relation": "at most"}, ["1 2 3"], ["1 2 3 4"]),
    ("length_constraints:number_words", {"num_words": 3, "relation": "exactly"}, ["1 2 3"], ["1 2"]),
    ("length_constraints:number_words", {"num_words": 2, "relation": "exactly"}, ["हिन्दी में"], ["हिन्दी"]),
    ("length_constraints:number_words", {"num_words": 20, "relation": "around"}, ["w " * 22, "w " * 18], ["w " * 23]),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        ['First.\n\n"Then, it was.'],
        ["First.\n\nAfter", "Then", "First.\n\nThen\n\nThird"],
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, ["[name] at [place]"], ["[name]"]),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, ["Bye.\nP.S. Hi", "p. s. so"], ["PS: hi", "x"]),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, ["P.P.S. more"], ["P.S. more"]),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ["* a\n* b", "- a\n  - b"],
        ["* a", "* a\n* b\n- c", "**bold**\n* a", "*\n- b\n- c"],
    ),
    ("detectable_format:number_bullet_lists", {"num_bullets": 3}, ["*\n- b\n- c"], ["*\n- b"]),
    ("detectable_format:constrained_response", {}, ["So: My answer is yes."], ["yes", "My answer is perhaps."]),
    ("detectable_format:constrained_response", {"options": ["left", "right"]}, ["right it is"], ["straight on"]),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        ["*one* and *two*", "**one** and *two*"],
        ["*one*", "** ** and **"],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        ["SECTION 1\na\nSECTION 2\nb"],
        ["SECTION 1\na", "Section 1 Section 2"],
    ),
    (
        "detectable_format:json_format",
        {},
        ['{"a": [1]}', '```json\n{"a": 1}\n```', "```\n[]\n```"],
        ["{a: 1}", "a [1]"],
    ),
    ("detectable_format:title", {}, ["<<On cats>>\ntext"], ["<< >>", "On cats"]),
    ("combination:two_responses", {}, ["one\n******\ntwo", "******a******b"], ["one", "a******a", "a******b******c"]),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, ["say hi.\n\nhi"], ["hi", "I will say hi."]),
    ("startend:end_checker", {"end_phrase": "The end."}, ["So it goes. the end.", '"The end."'], ["The end. Or not"]),
    ("startend:quotation", {}, ['"all of it"'], ['"', '"a" b', "a"]),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        ["NASA and U.S.A. fly", "A WELL-KNOWN man", "DON'T go", "IT: (USA), **EU**", "A,B", "SO—NOW"],
        ["Nasa and ESA", "A/B and c", "ISO-9001 of", "v2.0 OK"],
    ),
    ("change_case:english_capital", {}, [ENGLISH.upper()], [ENGLISH, GERMAN.upper(), RUSSIAN.upper()]),
    ("change_case:english_lowercase", {}, [ENGLISH], [ENGLISH.title(), GERMAN.lower(), RUSSIAN.lower()]),
    ("punctuation:no_comma", {}, ["none here"], ["one, here"]),
]


def holds(name: str, arguments: dict[str, Any], text: str, mode: str = "strict") -> bool | None:
    [finding] = judge(text, [[name, arguments]], mode)
    found: bool | None = finding["holds"]
    return found


@pytest.mark.parametrize(("name", "arguments", "good", "bad"), TABLE)
def test_constraints_hold_and_fail(name: str, arguments: dict[str, Any], good: list[str], bad: list[str]) -> None:
    """Each constraint holds of the answers that satisfy it and of none that does not."""
    assert why_unusable(name, arguments) is None
    assert [text for text in good if holds(name, arguments, text) is not True] == []
    assert [text for text in bad if holds(name, arguments, text) is not False] == []


def test_no_constraint_passes_in_silence() -> None:
    """All 25 of IFEval's constraints are known, and for each there is an answer that passes and one that fails."""
    assert len(IFEVAL) == 25
    assert {name for name, _, good, bad in TABLE if good and bad} == set(IFEVAL)


@pytest.mark.parametrize("name", sorted(IFEVAL))
def test_nothing_holds_of_an_empty_answer(name: str) -> None:
    """A blank answer satisfies no constraint, whichever it is and however it is read."""
    arguments = next(arguments for found, arguments, _, _ in TABLE if found == name)
    assert holds(name, arguments, " \n ", "loose") is False


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("startend:quotation", {}, 'Here you are:\n"all of it"'),
        ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, "Sure!\nSay hi. hi"),
        ("startend:end_checker", {"end_phrase": "The end."}, "The end.\nI hope that this helps"),
        ("detectable_format:json_format", {}, "Sure:\n{}\nThat is it."),
        ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, "Well, here:\ntwo words"),
        ("startend:end_checker", {"end_phrase": "the end."}, "so it goes. **the end.**"),
    ],
)
def test_loose_reading_forgives_wrapping(name: str, arguments: dict[str, Any], text: str) -> None:
    """An introduction, a closing line or asterisks fail a constraint strictly, and not loosely."""
    assert holds(name, arguments, text, "strict") is False
    assert holds(name, arguments, text, "loose") is True


@pytest.mark.parametrize(
    ("dialect", "name", "arguments"),
    [
        (("verify_keywords", {"keyword_list": ["a"], "N": None}), "verify_keywords", {"keyword_list": ["a"]}),
        (("verify_keyword_frequency", {"word": "a", "N": 3.0}), "verify_keyword_frequency", {"word": "a", "N": 3}),
        (("validate_response_language", {"language": "DE", "N": 4}), "validate_response_language", {"language": "de"}),
        (
            ("verify_sentence_constraint", {"N": 3, "quantifier": "At Most", "i": None}),
            "verify_sentence_constraint",
            {"N": 3, "quantifier": "at most"},
        ),
        (
            ("validate_word_constraint", {"N": 3, "quantifier": "more than"}),
            "validate_word_constraint",
            {"N": 4, "quantifier": "at least"},
        ),
        (("validate_title", {"N": None}), "validate_title", {}),
        (("detectable_format:quotation", {}), "startend:quotation", {}),
        (
            ("keywords:frequency", {"keywords": ["a"], "frequency": 3, "relation": "more than"}),
            "keywords:frequency",
            {"keyword": "a", "frequency": 4, "relation": "at least"},
        ),
        (
            ("change_case:capital_word_frequency", {"frequency": 3, "relation": "less than"}),
            "change_case:capital_word_frequency",
            {"capital_frequency": 3, "capital_relation": "less than"},
        ),
        (
            ("keywords:letter_frequency", {"letter": "a", "frequency": 3, "relation": "at least"}),
            "keywords:letter_frequency",
            {"letter": "a", "let_frequency": 3, "let_relation": "at least"},
        ),
    ],
)
def test_dialects(dialect: tuple[str, dict[str, Any]], name: str, arguments: dict[str, Any]) -> None:
    """A constraint of Nemotron is IFEval's, one of RLVR-IFeval its own; both usable, the nulls of padding gone."""
    found = canonical({"id": dialect[0], "kwargs": dialect[1]})
    assert found == (name, arguments)
    assert why_unusable(*found) is None


@pytest.fixture(scope="module")
def verifier_set() -> Iterator[VerifierSet]:
    with VerifierSet(Verify(workers=1)) as verifier_set:
        yield verifier_set


def judged(verifier_set: VerifierSet, answer: str, *constraints: Any, fault: str | None = None) -> Verdict:
    [verdict] = verify(
        [Attempt("r", "instruction", "?", answer, constraints=list(constraints), fault=fault)], verifier_set
    )
    return verdict


COMMA, TITLE = {"id": "punctuation:no_comma", "kwargs": {}}, {"id": "detectable_format:title", "kwargs": None}


def test_verdicts(verifier_set: VerifierSet) -> None:
    """The score is the share that holds; all must hold; what fails is named with what was expected."""
    good = judged(verifier_set, "<<T>> none", COMMA, TITLE)
    assert (good.outcome, good.score, good.verifier) == ("correct", 1.0, "instructions@5")
    bad = judged(verifier_set, "<<T>> one, two", COMMA, TITLE)
    assert (bad.outcome, bad.score) == ("incorrect", 0.5)
    assert bad.detail == "1/2 constraints hold; punctuation:no_comma fails"
    words = {"id": "length_constraints:number_words", "kwargs": {"num_words": 3, "relation": "at least"}}
    assert "expected num_words 3, relation 'at least'" in judged(verifier_set, "two words", words).detail


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ([], "has no constraints"),
        ([COMMA, {"id": "keywords:rhyme", "kwargs": {}}], "constraint 'keywords:rhyme' is not known"),
        (
            [{"id": "length_constraints:number_words", "kwargs": {"num_words": 3}}],
            "relation is missing; got: num_words",
        ),
        (
            [{"id": "length_constraints:number_words", "kwargs": {"num_words": 3, "relation": "near"}}],
            "relation is 'near'; expected: one of at least, less than",
        ),
        ([{"id": "length_constraints:number_paragraphs", "kwargs": {"num_paragraphs": "3"}}], "expected: a number"),
        ([{"id": "keywords:existence", "kwargs": {"keywords": []}}], "expected: a list of texts"),
        (
            [{"id": "keywords:frequency", "kwargs": {"keywords": ["a", "b"], "frequency": 1, "relation": "at least"}}],
            "a text",
        ),
        ([{"id": "punctuation:no_comma", "kwargs": {"strict": True}}], "no such argument: strict"),
        (["punctuation:no_comma"], "no object with id and kwargs"),
        ([COMMA, None], "no object with id and kwargs; got: None"),
        ([{"id": "punctuation:no_comma", "kwargs": "none"}], "no object with id and kwargs; got: {'id'"),
        ([{"id": "language:response_language", "kwargs": {"language": "Klingon"}}], "expected: the code of a language"),
        (
            [{"id": "keywords:letter_frequency", "kwargs": {"letter": "ab", "frequency": 0, "relation": "at least"}}],
            "letter is 'ab'; expected: one character",
        ),
        (
            [{"id": "validate_paragraphs", "kwargs": {"N": 2, "i": 3, "first_word": "so"}}],
            "can hold of no answer; got: N 2, i 3",
        ),
        (
            [{"id": "length_constraints:number_words", "kwargs": {"num_words": 0, "relation": "less than"}}],
            "can hold of no answer",
        ),
    ],
)
def test_what_is_not_known_never_passes(verifier_set: VerifierSet, constraints: list[Any], message: str) -> None:
    """An unknown constraint, a wrong argument or none at all makes the row unverifiable and is named."""
    found = judged(verifier_set, "anything", *constraints)
    assert (found.outcome, found.score) == ("unverifiable", None)
    assert message in found.detail


def test_what_cannot_be_told_is_not_a_pass(verifier_set: VerifierSet) -> None:
    """A language that cannot be told makes the row unverifiable, unless something else fails it anyway."""
    german = {"id": "language:response_language", "kwargs": {"language": "de"}}
    assert judged(verifier_set, "12345 67890", german).outcome == "unverifiable"
    assert judged(verifier_set, "12345, 67890", german, COMMA).outcome == "incorrect"


def test_an_empty_or_unfinished_answer_is_wrong(verifier_set: VerifierSet) -> None:
    """No answer satisfies nothing, whether it is blank or the response ends inside its think part."""
    assert judged(verifier_set, " ", COMMA).outcome == "incorrect"
    assert judged(verifier_set, "", COMMA, fault=UNCLOSED_THINK).outcome == "incorrect"


def test_the_recipe_sets_mode_and_mark() -> None:
    """Loose reading and a lower mark accept what strict reading of all constraints refuses."""
    quotation = {"id": "startend:quotation", "kwargs": {}}
    with VerifierSet(Verify(workers=1, instructions=Instructions(mode="loose"))) as verifier_set:
        assert judged(verifier_set, 'Here:\n"so"', quotation).outcome == "correct"
    with VerifierSet(Verify(workers=1, instructions=Instructions(pass_mark=0.5))) as verifier_set:
        found = judged(verifier_set, "<<T>> a, b", COMMA, TITLE)
        assert (found.outcome, found.score) == ("correct", 0.5)


@given(st.text(), st.sampled_from(range(len(TABLE))))
def test_no_text_breaks_a_check(text: str, row: int) -> None:
    """Whatever the answer, a check says yes, no, or that it cannot tell."""
    name, arguments, _, _ = TABLE[row]
    try:
        assert CONSTRAINTS[name].check(text, **arguments) in (True, False)
    except Undecidable:
        assert name in ("language:response_language", "change_case:english_capital", "change_case:english_lowercase")


@pytest.mark.parametrize(
    ("text", "n_sentences"),
    [
        ("One. Two! Three?", 3),
        ("Mr. Smith went to the U.S. in Jan. 2020. He stayed.", 2),
        ("It is 3.5 km, e.g. this way...", 1),
        ("A heading\n\nA line.", 1),
        ("He said so. 'It is true.' We left.", 3),
        ("Really?! Yes!!! I know.", 3),
        ("It rained... The sun came out.", 2),
        ("It rained... but not here.", 1),
        ("I met J. K. Rowling and J.K. Smith at 5 p.m. We talked.", 2),
        ("Outline:\n\nI. Rain\n   A. Causes\n   B. Effects", 4),
        ('He said "Stop!" and left.', 1),
        ("今天好。明天也好！", 2),
        ("1. First thing\n2. Second thing", 3),
        ("", 0),
        ("...", 0),
    ],
)
def test_sentences(text: str, n_sentences: int) -> None:
    """Sentences are counted as nltk's model counts them: a list's number is one, and line breaks end none."""
    assert count_sentences(text) == n_sentences


@pytest.mark.needs_real_data
def test_every_prompt_of_ifeval_can_be_judged(real_data: Path) -> None:
    """All constraints of IFEval's 541 prompts are known, with arguments as expected."""
    rows = [json.loads(line) for line in (real_data / "sources/ifeval_prompts.jsonl").read_text("utf-8").splitlines()]
    constraints = [
        canonical({"id": name, "kwargs": arguments})
        for row in rows
        for name, arguments in zip(row["instruction_id_list"], row["kwargs"], strict=True)
    ]
    assert len(rows) == 541
    assert [why for name, arguments in constraints if (why := why_unusable(name, arguments))] == []
    assert {name for name, _ in constraints} == set(IFEVAL)
