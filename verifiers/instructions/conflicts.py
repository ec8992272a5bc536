"""Constraints that exclude each other: no answer can satisfy both, whichever it is, and so the problem is at fault.

Read from the arguments alone: two bounds on one count that leave nothing between them, a keyword that is forbidden, two
languages, two cases, two ends. What excludes itself by what an answer would have to say is not looked for.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MANY: Final = 10**9
# Constraint -> what is counted, the argument that says how many, and the one that says how they relate, or the
# relation.
_COUNTS: Final = {
    "length_constraints:number_words": ("words", "num_words", "relation"),
    "length_constraints:number_sentences": ("sentences", "num_sentences", "relation"),
    "length_constraints:number_paragraphs": ("paragraphs between ***", "num_paragraphs", "exactly"),
    "length_constraints:nth_paragraph_first_word": ("paragraphs between blank lines", "num_paragraphs", "exactly"),
    "detectable_format:number_bullet_lists": ("bullets", "num_bullets", "exactly"),
    "keywords:frequency": ("of the keyword", "frequency", "relation"),
    "keywords:letter_frequency": ("of the letter", "let_frequency", "let_relation"),
    "change_case:capital_word_frequency": ("words in capitals", "capital_frequency", "capital_relation"),
    "validate_word_constraint": ("words", "N", "quantifier"),
    "verify_sentence_constraint": ("sentences", "N", "quantifier"),
    "verify_paragraph_count": ("paragraphs between * * *", "N", "exactly"),
    "validate_paragraphs": ("paragraphs between blank lines", "N", "exactly"),
    "verify_bullet_points": ("bullets", "N", "exactly"),
    "validate_sections": ("sections", "N", "exactly"),
    "verify_keyword_frequency": ("of the keyword", "N", "quantifier"),
    "verify_letter_frequency": ("of the letter", "N", "quantifier"),
    "validate_frequency_capital_words": ("words in capitals", "N", "quantifier"),
}
_OF: Final = ("keyword", "word", "letter", "section_splitter")  # what a count may be of
_CAPITAL: Final = ("change_case:english_capital", "validate_uppercase")
_SMALL: Final = ("change_case:english_lowercase", "validate_lowercase")
_SAID: Final = ("keywords", "keyword_list")
_LANGUAGES: Final = ("language:response_language", "validate_response_language")
_ENDS: Final = ("startend:end_checker", "validate_end")


class _Bounds(NamedTuple):
    """The least and the most of something that an answer may have."""

    least: int
    most: int


def why_exclusive(constraints: Sequence[tuple[str, Mapping[str, Any]]]) -> str | None:
    """Which constraints exclude each other, in words; None where none do.

    Args:
        constraints: name and arguments of each, all of them usable.
    """
    return next(_conflicts(constraints), None)


def _conflicts(constraints: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    met: dict[tuple[str, str], _Bounds] = {}
    for name, arguments in constraints:
        if name in _COUNTS:
            what, bounds = _bounds(name, arguments)
            before = met.get(what, _Bounds(0, _MANY))
            met[what] = _Bounds(max(before.least, bounds.least), min(before.most, bounds.most))
            if met[what].least > met[what].most:
                yield f"no answer has at least {met[what].least} and at most {met[what].most} {' '.join(what).strip()}"
    names = [name for name, _ in constraints]
    for one, other in ((_CAPITAL, _SMALL),):
        if set(one) & set(names) and set(other) & set(names):
            yield "no answer is all in capitals and all in small letters"
    yield from _of_words(constraints)
    languages = {arguments["language"] for name, arguments in constraints if name in _LANGUAGES}
    if len({language.partition("-")[0] for language in languages}) > 1:
        yield f"no answer is in {' and in '.join(sorted(languages))}"
    ends = sorted((_plain(arguments["end_phrase"]) for name, arguments in constraints if name in _ENDS), key=len)
    if any(not longer.endswith(shorter) for shorter, longer in itertools.pairwise(ends)):
        yield "no answer ends in two ways"


def _of_words(constraints: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    wanted = {_plain(word) for _, given in constraints for key in _SAID for word in given.get(key, ())}
    wanted |= {_plain(_of(given)) for name, given in constraints if _is_wanted(name, given)}
    forbidden = {_plain(word) for _, given in constraints for word in given.get("forbidden_words", ())}
    if both := sorted(wanted & forbidden):
        yield f"no answer has a word that is forbidden: {both[0]!r:.60}"


def _is_wanted(name: str, arguments: Mapping[str, Any]) -> bool:
    is_keyword = name in ("keywords:frequency", "verify_keyword_frequency")
    return is_keyword and _bounds(name, arguments)[1].least > 0


def _of(arguments: Mapping[str, Any]) -> str:
    return next((str(arguments[key]) for key in _OF if key in arguments), "")


def _bounds(name: str, arguments: Mapping[str, Any]) -> tuple[tuple[str, str], _Bounds]:
    what, number, relation = _COUNTS[name]
    wanted = int(arguments[number])
    of = _of(arguments)
    key = (what, of if "letter" in arguments and name.startswith("verify") else _plain(of))
    word = arguments.get(relation, relation if relation == "exactly" else "exactly")
    around = 1 if name == "verify_sentence_constraint" else max(1, round(wanted / 10))
    return key, {
        "at least": _Bounds(wanted, _MANY),
        "less than": _Bounds(0, wanted - 1),
        "at most": _Bounds(0, wanted),
        "exactly": _Bounds(wanted, wanted),
        "around": _Bounds(max(0, wanted - around), wanted + around),
    }[word]


def _plain(text: str) -> str:
    return text.strip().strip('"').lower()
