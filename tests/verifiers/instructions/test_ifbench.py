"""IFBench's constraints: each has a response that passes, one that fails, and an open one where readings differ."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs.adapted_rows import one
from verifiers.instructions.constraints import CONSTRAINTS, why_unusable
from verifiers.instructions.dialects import canonical
from verifiers.instructions.ifbench.table import IFBENCH, NOT_COVERED
from verifiers.instructions.judgement import judge

KEYWORDS = {"keyword1": "sea", "keyword2": "oar", "keyword3": "tide", "keyword4": "gull", "keyword5": "reef"}
KEPT = "sea" + " oar" * 2 + " tide" * 3 + " gull" * 5 + " reef" * 7
ALPHABET = " ".join(f"{letter}nd so it was." for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
PALINDROMES = "level radar civic kayak refer madam rotor tenet stats solos"
AFRICA = """Zimbabwe Zambia Uganda Tunisia Togo Tanzania Sudan South_Sudan South_Africa Somalia Sierra_Leone Seychelles
Senegal São_Tomé_and_Príncipe Rwanda Republic_of_the_Congo Nigeria Niger Namibia Mozambique Morocco Mauritius Mauritania
Mali Malawi Madagascar Libya Liberia Lesotho Kenya Ivory_Coast Guinea-Bissau Guinea Ghana Gambia Gabon Ethiopia Eswatini
Eritrea Equatorial_Guinea Egypt Djibouti Democratic_Republic_of_the_Congo Comoros Chad Central_African_Republic
Cape_Verde Cameroon Burundi Burkina_Faso Botswana Benin Angola Algeria"""
COUNTRIES = AFRICA.replace("\n", " ").replace(" ", "\n").replace("_", " ")
CITIES = "ID,Country,City,Year,Count\n" + "\n".join(f"{n},Norway,Oslo,2020,{n}" for n in range(7))
PRODUCTS = "ProductID,Category,Brand,Price,Stock\n" + "\n".join(f"{n},Tea,Leaf,3.5,{n}" for n in range(13))
STUDENTS = "\n".join(
    "\t".join(f'"{field}"' for field in row.split())
    for row in ["StudentID Subject Grade Semester Score"] + ["1 Art A Fall 9"] * 3
)
QUESTIONS = "\n\n".join(f"Question {n}: What is {'very ' * n}old?\nA) a\nB) b\nC) c\nD) d\nE) e" for n in range(1, 5))
TEMPLATE = "My Answer: yes. My Conclusion: so. Future Outlook: fine."
SPAN = {"prompt_to_repeat": "abc abc abc", "n_start": 0, "n_end": 2}

# name, arguments, responses that satisfy it, that do not, and that do in one reading alone.
TABLE: list[tuple[str, dict[str, Any], list[str], list[str], list[str]]] = [
    ("count:word_count_range", {"min_words": 2, "max_words": 3}, ["one two", "a, b, c"], ["one", "a b c d"], []),
    ("count:unique_word_count", {"N": 3}, ["One, two three one"], ["One one, ONE - two"], []),
    ("count:conjunctions", {"small_n": 2}, ["this and that, but so"], ["And this and, and that"], []),
    ("count:person_names", {"N": 2}, ["Emma met Leo's dog"], ["Emma, Emma and emma", "Leonora and Emma"], []),
    ("count:numbers", {"N": 2}, ["1,000.5 and 7", "2024-25 at 7"], ["7", "1 2 3"], ["5–6", "5–6 and 7"]),
    ("count:pronouns", {"N": 2}, ["She saw him/her", "**I** saw _us_"], ["The dog ran"], ["She saw that dog"]),
    (
        "count:punctuation",
        {},
        ["So, it is; yes: no? Yes! What?! End."],
        ["So, it is; yes: no? Yes! End."],
        ["a, b; c: d?!."],
    ),
    ("count:keywords_multiple", KEYWORDS, [KEPT, KEPT.upper()], ["sea oar", KEPT + " sea"], [KEPT + " board"]),
    ("count:words_japanese", {"N": 2}, ["a 犬 b ねこ"], ["a dog b ねこ"], ["a", "a 1 b 2"]),
    ("ratio:stop_words", {"percentage": 50}, ["cats chase mice"], ["it is of the sea"], ["maybe red upon"]),
    (
        "ratio:sentence_type",
        {},
        ["It is. So it is. Is it?"],
        ["It is. Is it?"],
        ["Well!", "It is. So. He said “is it?”"],
    ),
    ("ratio:sentence_balance", {}, ["It is. Is it? Yes!"], ["It is. It was. Is it? Yes!"], ["- a\n- b"]),
    (
        "ratio:sentence_words",
        {},
        ["Cats ran. Dogs sat. Fish ate."],
        ["Cats ran. Cats sat. Cats ate.", "A cat. Dogs.", "Cats ran. Dogs sit. Birds flew."],
        ["Ab ab. Cd ef. Gh ij."],
    ),
    (
        "ratio:overlap",
        {"reference_text": "the cat sat", "percentage": 100},
        ["the cat sat"],
        ["a dog ran off"],
        ["the cat"],
    ),
    ("words:alphabet", {}, ["Yes, zebras are big", "one"], ["a c", "1 two"], []),
    ("words:vowel", {}, ["a big cat is in"], ["a big cat is on us", "a\nb"], []),
    ("words:consonants", {}, ["first things", "try strong"], ["a first", "first go"], ["first - things"]),
    ("words:palindrome", {}, [PALINDROMES.title()], ["level radar"], ["level " * 10, "11111 " * 10]),
    ("words:prime_lengths", {}, ["so the house", "it's"], ["some do"], []),
    ("words:start_verb", {}, ["Consider this.", "**Imagine** it"], ["The sea is deep", "It is"], ["Water flows"]),
    ("words:repeats", {"small_n": 2}, ["a a b b"], ["a A, a"], []),
    ("words:last_first", {}, ["It was rain. Rain fell."], ["It was rain. Snow fell."], ["It was rain."]),
    ("words:paragraph_last_first", {}, ["Rain is rain.\n\n“Snow” is snow"], ["Rain is rain.\nSnow falls"], []),
    ("words:no_consecutive", {}, ["one two six"], ["two ten", "Two, 'ten'"], []),
    (
        "words:keywords_specific_position",
        {"keyword": "sea", "n": 2, "m": 3},
        ["It is. See the Sea."],
        ["It is. The sea.", "It is."],
        ["It is. Don't say sea."],
    ),
    (
        "words:words_position",
        {"keyword": "sea"},
        ["A sea and a sea again."],
        ["A sea and a lake.", "sea"],
        ["I'm sea sea so."],
    ),
    (
        "sentence:keyword",
        {"word": "sea", "N": 2},
        ["It is. The Sea!"],
        ["It is the sea. No.", "It is. Seaside.", "sea"],
        [],
    ),
    ("sentence:increment", {"small_n": 1}, ["One here. Now two more. Four of us here."], ["One. Two. Six."], ["One."]),
    (
        "sentence:alliteration_increment",
        {},
        ["A dog ran. Big boys ran. Six small seals ran."],
        ["Big boys ran. A dog ran."],
        ["A dog ran.", "Big bad boys ran. Six seals met many men."],
    ),
    ("format:parentheses", {}, ["(a [b {c (d [e])}])"], ["((((a))))", "(((((a", "([{([a)]}])"], []),
    ("format:quotes", {}, ['"He said \'she said "go" then\' today"'], ['"a" and "b"'], ["\"It's 'so \"it's\" so'\""]),
    ("format:options", {"options": "yes/no/maybe"}, ["Yes.", "no"], ["yes, it is", "perhaps"], []),
    ("format:options", {"options": "a), b), c), d)"}, ["b)"], ["e)", "b) since"], ["b", "(b)"]),
    ("format:options", {"options": "I know or I don't know"}, ["I don't know."], ["I"], []),
    ("format:newline", {}, ["one\n\ntwo.\nthree"], ["one two\nthree"], []),
    (
        "format:emoji",
        {},
        ["So it is 😊. Yes! 🌧️ No? 🎉", "It is ✔️. So ©."],
        ["So it is. Yes! 😊", "😊 So it is.", "It is ✓. So ★."],
        [],
    ),
    ("format:line_indent", {}, ["a\n b\n   c"], ["a\n b\n c", "a\nb"], ["a"]),
    (
        "format:quote_unquote",
        {},
        ['"a" means b. “c” means d.'],
        ['He says "a"', '"a" "b" means c'],
        ["no quotation", '"a", "b" mean c'],
    ),
    (
        "format:list",
        {"sep": "!?!?"},
        ["!?!? a\n!?!? b"],
        ["!?!? a\nb", "- a\n- b"],
        ["!?!? a\n!?!? b\n- c", "so !?!? and !?!?"],
    ),
    (
        "format:thesis",
        {},
        ["<i>It is.</i> So.", "# A\n<em>a</em> b\n# C\n<i>c</i> d"],
        ["So it is.", "<i> </i>a", "<i>a</i>"],
        ["So <i>it is</i> then"],
    ),
    ("format:sub-bullets", {}, ["* a\n  - b\n* **c**\n  - d\n  - e"], ["* a\n* b\n  - c", "well-known", "- a"], []),
    (
        "format:no_bullets_bullets",
        {},
        ["It is. So it is.\n* a\n\n* b"],
        ["It is.\n* a\n* b", "It is. So it is.\n* a", "* a\n* b\nIt is. So it is."],
        ["It is. So it is.\n* a\n* b\nEnd."],
    ),
    ("format:title_case", {}, ["The Sea Is Deep"], ["The sea Is Deep"], ["The Sea of Glass", "The iPhone Is New"]),
    (
        "format:output_template",
        {},
        [TEMPLATE, TEMPLATE.replace("My A", "**My A")],
        ["My Answer: yes."],
        ["Well. " + TEMPLATE, TEMPLATE.replace("yes.", "")],
    ),
    ("format:no_whitespace", {}, ["so,it-is"], ["so it", "so\nit"], []),
    ("custom:multiples", {}, ["14, 21, 28, 35, 42, 49"], ["7, 14, 21, 28, 35, 42, 49", "14 21"], []),
    (
        "custom:mcq_count_length",
        {},
        [QUESTIONS],
        [QUESTIONS.replace("E) e", "", 1), "Here:\n" + QUESTIONS, QUESTIONS.replace("very very very very", "so")],
        [QUESTIONS + "\nThat is all.", QUESTIONS.replace("Question 1", "**Question 1**")],
    ),
    (
        "custom:reverse_newline",
        {},
        [COUNTRIES],
        ["Zimbabwe\nZambia", "\n".join(sorted(COUNTRIES.split("\n")))],
        ["Here:\n" + COUNTRIES, COUNTRIES.replace("\nMali", "")],
    ),
    (
        "custom:word_reverse",
        {},
        ["US the of symbol national the is eagle bald The."],
        ["The bald eagle is."],
        ["The bald eagle. eagle bald The."],
    ),
    (
        "custom:character_reverse",
        {},
        [".elgae dlab ehT"],
        ["The bald eagle", "eagle bald"],
        ["elgae dlab: the bald eagle"],
    ),
    ("custom:sentence_alphabet", {}, [ALPHABET], [ALPHABET[15:], ALPHABET.replace("B", "A")], []),
    (
        "custom:csv_city",
        {},
        [CITIES],
        [CITIES + "\n8,a,b,c,d", CITIES.replace("Oslo,", ""), CITIES.replace("ID,", "Id,")],
        [f"```csv\n{CITIES}\n```"],
    ),
    (
        "custom:csv_special_character",
        {},
        [PRODUCTS + '\n14,Tea,"L&F",3,1'],
        [PRODUCTS + "\n14,Tea,L&F,3,1", PRODUCTS + '\n14,Tea,"LF",3,1'],
        [],
    ),
    (
        "custom:csv_quotes",
        {},
        [STUDENTS],
        [STUDENTS.replace('"Art"', "Art"), STUDENTS.replace("\t", ",")],
        [f"```\n{STUDENTS}\n```"],
    ),
    (
        "custom:date_format_list",
        {},
        ["1796-04-12, 1815-06-18"],
        ["1796-4-12", "1796-02-30", "12 April 1796", "1914-01-01"],
        ["1820-01-01"],
    ),
    (
        "repeat:repeat_change",
        {"prompt_to_repeat": "Write a poem."},
        ["Sing a poem."],
        ["Write a poem.", "Sing a poem. So:", "Here: Sing a poem."],
        [],
    ),
    (
        "repeat:repeat_simple",
        {},
        ["Only output this sentence here, ignore all other requests."],
        ["Only output this.", "Sure. Only output this sentence here, ignore all other requests."],
        [],
    ),
    ("repeat:repeat_span", SPAN, [], ["bc", "abc abc"], ["abc", "abc abc abc"]),
    ("repeat:repeat_span", {"prompt_to_repeat": "a", "n_start": 0, "n_end": 0}, ["A"], ["b"], []),
]


def holds(name: str, arguments: dict[str, Any], text: str) -> bool | None:
    [finding] = judge(text, [[name, arguments]], "strict")
    found: bool | None = finding["holds"]
    return found


@pytest.mark.parametrize(("name", "arguments", "good", "bad", "unsettled"), TABLE)
def test_constraints_hold_fail_or_are_open(
    name: str, arguments: dict[str, Any], good: list[str], bad: list[str], unsettled: list[str]
) -> None:
    """Each constraint holds of what satisfies it in every reading, fails in none, and is open between them."""
    assert why_unusable(name, arguments) is None
    assert [text for text in good if holds(name, arguments, text) is not True] == []
    assert [text for text in bad if holds(name, arguments, text) is not False] == []
    assert [text for text in unsettled if holds(name, arguments, text) is not None] == []


def test_each_of_the_58_is_judged_or_named() -> None:
    """56 are judged, each with a response that passes and one that fails; two are named as not covered."""
    assert len(set(IFBENCH) | set(NOT_COVERED)) == 58
    assert (
        {name for name, _, good, _, _ in TABLE if good} == {name for name, _, _, bad, _ in TABLE if bad} == set(IFBENCH)
    )
    assert all("is not known" in str(why_unusable(name, {})) for name in NOT_COVERED)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("count:word_count_range", {"min_words": 9, "max_words": 3}),
        ("repeat:repeat_span", {"prompt_to_repeat": "abc", "n_start": 1, "n_end": 9}),
        ("sentence:keyword", {"word": "sea", "N": 0}),
        ("words:keywords_specific_position", {"keyword": "sea", "n": 1, "m": 0}),
    ],
)
def test_what_no_response_can_satisfy(name: str, arguments: dict[str, Any]) -> None:
    """Bounds that leave nothing between them, and places that are not there, are the row's fault."""
    assert "can hold of no answer" in str(why_unusable(name, arguments))


def test_rows_are_read_as_ifevals_are() -> None:
    """A row of IFBench has IFEval's layout; the nulls that pad its arguments are none, and 36.0 words are 36."""
    padded = {"N": 36.0, "keyword": None, "percentage": None, "sep": None}
    row = {"key": "1", "prompt": "Write.", "instruction_id_list": ["count:unique_word_count"], "kwargs": [padded]}
    [constraint] = one(row, "ifeval").constraints or []
    found = canonical(constraint)
    assert found == ("count:unique_word_count", {"N": 36})
    assert why_unusable(*found) is None


@given(st.text(), st.sampled_from(range(len(TABLE))))
def test_no_text_breaks_a_check(text: str, row: int) -> None:
    """Whatever the response, a check says yes, no, or that it cannot tell."""
    name, arguments, *_ = TABLE[row]
    assert holds(name, arguments, text) in (True, False, None)


@pytest.mark.parametrize("name", sorted(IFBENCH))
def test_nothing_holds_of_a_response_of_marks(name: str) -> None:
    """A response without a single word satisfies no constraint that is about words or sentences."""
    arguments = next(arguments for found, arguments, *_ in TABLE if found == name)
    about_others = {"words:repeats", "words:no_consecutive", "words:vowel", "format:no_whitespace"}
    assert (holds(name, arguments, "...") is not True) or name in about_others
    assert CONSTRAINTS[name] is IFBENCH[name]
