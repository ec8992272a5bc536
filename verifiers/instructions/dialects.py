"""Other data sets' names for IFEval's constraints, and for their arguments: RLVR-IFeval's and Nemotron's.

Sources keep the dialect of their data set; the verifier reads every row through :func:`canonical`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS: Final = "length_constraints:"
_FORM: Final = "detectable_format:"

# RLVR-IFeval (open-instruct's if_functions): its name -> IFEval's, and argument by argument. Where IFEval compares and
# this set counts exactly, the relation says so.
_RLVR: Final[Mapping[str, tuple[str, dict[str, str], dict[str, Any]]]] = {
    "verify_keywords": ("keywords:existence", {"keyword_list": "keywords"}, {}),
    "verify_keyword_frequency": (
        "keywords:frequency", {"word": "keyword", "N": "frequency", "quantifier": "relation"}, {"relation": "exactly"}
    ),
    "validate_forbidden_words": ("keywords:forbidden_words", {"forbidden_words": "forbidden_words"}, {}),
    "verify_letter_frequency": (
        "keywords:letter_frequency",
        {"letter": "letter", "N": "let_frequency", "quantifier": "let_relation"},
        {"let_relation": "exactly"},
    ),
    "validate_response_language": ("language:response_language", {"language": "language"}, {}),
    "verify_paragraph_count": (f"{_WORDS}number_paragraphs", {"N": "num_paragraphs"}, {}),
    "validate_word_constraint": (f"{_WORDS}number_words", {"N": "num_words", "quantifier": "relation"}, {}),
    "verify_sentence_constraint": (f"{_WORDS}number_sentences", {"N": "num_sentences", "quantifier": "relation"}, {}),
    "validate_paragraphs": (
        f"{_WORDS}nth_paragraph_first_word",
        {"N": "num_paragraphs", "i": "nth_paragraph", "first_word": "first_word"},
        {},
    ),
    "verify_postscript": ("detectable_content:postscript", {"postscript_marker": "postscript_marker"}, {}),
    "validate_placeholders": ("detectable_content:number_placeholders", {"N": "num_placeholders"}, {}),
    "verify_bullet_points": (f"{_FORM}number_bullet_lists", {"N": "num_bullets"}, {}),
    "validate_title": (f"{_FORM}title", {}, {}),
    "validate_choice": (f"{_FORM}constrained_response", {"options": "options"}, {}),
    "validate_highlighted_sections": (f"{_FORM}number_highlighted_sections", {"N": "num_highlights"}, {}),
    "validate_sections": (
        f"{_FORM}multiple_sections", {"N": "num_sections", "section_splitter": "section_spliter"}, {}
    ),
    "validate_json_format": (f"{_FORM}json_format", {}, {}),
    "validate_repeat_prompt": ("combination:repeat_prompt", {"original_prompt": "prompt_to_repeat"}, {}),
    "validate_two_responses": ("combination:two_responses", {}, {}),
    "validate_uppercase": ("change_case:english_capital", {}, {}),
    "validate_lowercase": ("change_case:english_lowercase", {}, {}),
    "validate_frequency_capital_words": (
        "change_case:capital_word_frequency", {"N": "capital_frequency", "quantifier": "capital_relation"}, {}
    ),
    "validate_end": ("startend:end_checker", {"end_phrase": "end_phrase"}, {}),
    "validate_quotation": ("startend:quotation", {}, {}),
    "validate_no_commas": ("punctuation:no_comma", {}, {}),
}  # fmt: skip

# Nemotron's RL split: IFEval's constraints under other names, or with other names of arguments.
_NEMOTRON_NAMES: Final = {"detectable_format:quotation": "startend:quotation"}
_NEMOTRON_ARGUMENTS: Final = {
    "keywords:letter_frequency": {"frequency": "let_frequency", "relation": "let_relation"},
    "change_case:capital_word_frequency": {"frequency": "capital_frequency", "relation": "capital_relation"},
    "keywords:frequency": {"keywords": "keyword"},
}
_RELATIONS: Final = {"more than": ("at least", 1), "at most": ("at most", 0), "no more than": ("at most", 0)}


def canonical(constraint: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """IFEval's name and arguments of a constraint in any of the dialects; what is not known stays as it is.

    Args:
        constraint: ``{"id", "kwargs"}``; kwargs, and arguments, that are null count as absent.
    """
    name = str(constraint.get("id"))
    given = constraint.get("kwargs")
    given = given if isinstance(given, dict) else {}
    arguments = {key: _plain(value) for key, value in given.items() if value is not None}
    if name in _RLVR:
        name, names, defaults = _RLVR[name]
        arguments = {**defaults, **{names[key]: value for key, value in arguments.items() if key in names}}
    else:
        name = _NEMOTRON_NAMES.get(name, name)
        names = _NEMOTRON_ARGUMENTS.get(name, {})
        arguments = {names.get(key, key): value for key, value in arguments.items()}
    if isinstance(arguments.get("keyword"), list) and len(arguments["keyword"]) == 1:
        arguments["keyword"] = arguments["keyword"][0]
    if isinstance(arguments.get("language"), str):
        arguments["language"] = arguments["language"].strip().lower()
    for key in [key for key in arguments if key.endswith("relation")]:
        _settle_relation(arguments, key)
    return name, arguments


def _plain(value: Any) -> Any:
    """Whole numbers as such: a column with nulls in it makes 3.0 of 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _settle_relation(arguments: dict[str, Any], key: str) -> None:
    """Relations as the checks know them; "more than N" is "at least N + 1"."""
    word = str(arguments[key]).strip().lower()
    arguments[key], more = _RELATIONS.get(word, (word, 0))
    number = next((name for name in arguments if name.endswith("frequency") or name.startswith("num_")), None)
    if more and number and type(arguments[number]) is int:
        arguments[number] += more
