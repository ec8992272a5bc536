"""The constraints that can be judged: name, arguments, and what it takes to hold. Names not here are not judged.

The 25 of IFEval, IFBench's beyond them, and the 25 of RLVR-IFeval, which have names and meanings of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from verifiers.instructions import checks, rlvr_checks
from verifiers.instructions.ifbench.table import IFBENCH
from verifiers.instructions.kinds import Constraint, Language, Letter, Relation, misfit

if TYPE_CHECKING:
    from collections.abc import Mapping


def _has_paragraph(arguments: Mapping[str, Any]) -> bool:
    return bool(1 <= arguments["nth_paragraph"] <= arguments["num_paragraphs"])


def _has_ith_paragraph(arguments: Mapping[str, Any]) -> bool:
    return bool(1 <= arguments["i"] <= arguments["N"])


_FREQUENCY: Final = frozenset({"quantifier"})
RLVR: Final[Mapping[str, Constraint]] = {
    "verify_keywords": Constraint(rlvr_checks.keywords, {"keyword_list": list}),
    "verify_keyword_frequency": Constraint(
        rlvr_checks.keyword_frequency, {"word": str, "N": int, "quantifier": Relation}, _FREQUENCY
    ),
    "validate_forbidden_words": Constraint(rlvr_checks.forbidden_words, {"forbidden_words": list}),
    "verify_letter_frequency": Constraint(
        rlvr_checks.letter_frequency, {"letter": Letter, "N": int, "quantifier": Relation}, _FREQUENCY
    ),
    "validate_response_language": Constraint(rlvr_checks.language, {"language": Language}),
    "verify_paragraph_count": Constraint(rlvr_checks.paragraph_count, {"N": int}),
    "validate_word_constraint": Constraint(rlvr_checks.words, {"N": int, "quantifier": Relation}),
    "verify_sentence_constraint": Constraint(rlvr_checks.sentences, {"N": int, "quantifier": Relation}),
    "validate_paragraphs": Constraint(
        rlvr_checks.paragraphs, {"N": int, "first_word": str, "i": int}, possible=_has_ith_paragraph
    ),
    "verify_postscript": Constraint(rlvr_checks.postscript, {"postscript_marker": str}),
    "validate_placeholders": Constraint(rlvr_checks.placeholders, {"N": int}),
    "verify_bullet_points": Constraint(rlvr_checks.bullet_points, {"N": int}),
    "validate_title": Constraint(rlvr_checks.title),
    "validate_choice": Constraint(rlvr_checks.choice, {"options": list}),
    "validate_highlighted_sections": Constraint(rlvr_checks.highlighted_sections, {"N": int}),
    "validate_sections": Constraint(rlvr_checks.sections, {"N": int, "section_splitter": str}),
    "validate_json_format": Constraint(rlvr_checks.json_format),
    "validate_repeat_prompt": Constraint(rlvr_checks.repeat_prompt, {"original_prompt": str}),
    "validate_two_responses": Constraint(rlvr_checks.two_responses),
    "validate_uppercase": Constraint(rlvr_checks.uppercase),
    "validate_lowercase": Constraint(rlvr_checks.lowercase),
    "validate_frequency_capital_words": Constraint(
        rlvr_checks.frequency_capital_words, {"N": int, "quantifier": Relation}
    ),
    "validate_end": Constraint(rlvr_checks.end, {"end_phrase": str}),
    "validate_quotation": Constraint(rlvr_checks.quotation),
    "validate_no_commas": Constraint(rlvr_checks.no_commas),
}
IFEVAL: Final[Mapping[str, Constraint]] = {
    "keywords:existence": Constraint(checks.keywords_existence, {"keywords": list}),
    "keywords:frequency": Constraint(
        checks.keyword_frequency, {"keyword": str, "frequency": int, "relation": Relation}
    ),
    "keywords:forbidden_words": Constraint(checks.forbidden_words, {"forbidden_words": list}),
    "keywords:letter_frequency": Constraint(
        checks.letter_frequency, {"letter": Letter, "let_frequency": int, "let_relation": Relation}
    ),
    "language:response_language": Constraint(checks.response_language, {"language": Language}),
    "length_constraints:number_sentences": Constraint(
        checks.number_sentences, {"num_sentences": int, "relation": Relation}
    ),
    "length_constraints:number_paragraphs": Constraint(checks.number_paragraphs, {"num_paragraphs": int}),
    "length_constraints:number_words": Constraint(checks.number_words, {"num_words": int, "relation": Relation}),
    "length_constraints:nth_paragraph_first_word": Constraint(
        checks.nth_paragraph_first_word,
        {"num_paragraphs": int, "nth_paragraph": int, "first_word": str},
        possible=_has_paragraph,
    ),
    "detectable_content:number_placeholders": Constraint(checks.number_placeholders, {"num_placeholders": int}),
    "detectable_content:postscript": Constraint(checks.postscript, {"postscript_marker": str}),
    "detectable_format:number_bullet_lists": Constraint(checks.number_bullet_lists, {"num_bullets": int}),
    "detectable_format:constrained_response": Constraint(
        checks.constrained_response, {"options": list}, frozenset({"options"})
    ),
    "detectable_format:number_highlighted_sections": Constraint(
        checks.number_highlighted_sections, {"num_highlights": int}
    ),
    "detectable_format:multiple_sections": Constraint(
        checks.multiple_sections, {"section_spliter": str, "num_sections": int}
    ),
    "detectable_format:json_format": Constraint(checks.json_format),
    "detectable_format:title": Constraint(checks.title),
    "combination:two_responses": Constraint(checks.two_responses),
    "combination:repeat_prompt": Constraint(checks.repeat_prompt, {"prompt_to_repeat": str}),
    "startend:end_checker": Constraint(checks.end_checker, {"end_phrase": str}),
    "startend:quotation": Constraint(checks.quotation),
    "change_case:capital_word_frequency": Constraint(
        checks.capital_word_frequency, {"capital_frequency": int, "capital_relation": Relation}
    ),
    "change_case:english_capital": Constraint(checks.english_capital),
    "change_case:english_lowercase": Constraint(checks.english_lowercase),
    "punctuation:no_comma": Constraint(checks.no_comma),
}
CONSTRAINTS: Final[Mapping[str, Constraint]] = {**RLVR, **IFBENCH, **IFEVAL}


def why_unusable(name: str, arguments: Mapping[str, Any]) -> str | None:
    """Why nothing can be judged by this constraint, naming what, got and expected; None if it can."""
    constraint = CONSTRAINTS.get(name)
    if constraint is None:
        return f"constraint {name!r} is not known"
    for argument, kind in constraint.arguments.items():
        if argument not in arguments:
            if argument in constraint.optional:
                continue
            return f"{name}: {argument} is missing; got: {', '.join(sorted(arguments)) or 'no arguments'}"
        problem = misfit(arguments[argument], kind)
        if problem:
            return f"{name}: {argument} is {arguments[argument]!r:.80}; expected: {problem}"
    unknown = sorted(set(arguments) - set(constraint.arguments))
    if unknown:
        return f"{name}: no such argument: {', '.join(unknown)}"
    if not constraint.possible(arguments):
        return f"{name} can hold of no answer; got: {', '.join(f'{key} {arguments[key]!r}' for key in arguments)}"
    return None
