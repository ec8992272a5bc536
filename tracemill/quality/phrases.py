"""Phrases that give a response away: reasoning that was shown the answer, and answers that refuse.

A pattern has to be plain about it, since "the solution" is also what salt is dissolved in, and "reference" what one
looks up. What stands in the prompt itself is no leak: a user may hand over a solution and ask about it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


def _one_of(*phrases: str) -> re.Pattern[str]:
    """Any of the phrases: a blank in them is any white space, an apostrophe either kind of it."""
    plain = "|".join(phrases).replace(" ", r"\s+").replace("'", "['’]")
    return re.compile(plain, re.IGNORECASE)


# Not "given" and not "expected": what sort of answer a question expects is a fair thought.
_SHEET: Final = "(?:reference|ground[- ]truth|gold(?:en)?|official|provided|model)"
_SAYS: Final = "(?:is|was|says|states|gives|claims|shows|indicates|lists|must be)"
_GIVEN: Final = "given|shown|stated|provided|indicated"
_BY: Final = "according to|match|matches|agrees with|consistent with|based on|looking at"
_CANNOT: Final = "(?:cannot|can't|can not|am unable to|am not able to|won't|will not|must decline to)"
_MODEL: Final = "(?:ai|artificial intelligence)(?: (?:language )?(?:model|assistant))?"
_ANSWER_ZH: Final = "(?:答案|解答|解析)"

LEAK: Final = _one_of(
    rf"\bthe {_SHEET} (?:final )?answer {_SAYS}\b",
    rf"\b{_SHEET} (?:solution|answer) {_SAYS}\b",
    rf"\bas (?:is )?(?:{_GIVEN}) (?:in|by) the (?:{_SHEET} )?(?:solution|answer)\b(?! of\b)",
    rf"\b(?:{_BY}) the {_SHEET} (?:answer|solution)\b",
    r"\b(?:according to|in|from) the answer key\b",
    r"\bsince (?:we|i) (?:are |am )?(?:already )?(?:know|told|given) (?:that )?the (?:correct|final|right) answer\b",
    r"\bthe (?:correct|right) answer (?:is|was) (?:given|provided|supplied) (?:to (?:me|us) )?as\b",
    rf"(?:参考|标准|给定的?|提供的?|官方){_ANSWER_ZH}(?:是|为|给出|显示|中|说|指出|一致|写)",
    rf"(?:根据|按照|依据|正如|如)(?:题目)?(?:所?给出?的?|提供的?)?(?:参考|标准|官方){_ANSWER_ZH}",
    rf"[与和](?:参考|标准|官方|给定的?|提供的?){_ANSWER_ZH}(?:相符|一致|相同|吻合)",
    rf"已经?知道?(?:正确|标准|最终|参考){_ANSWER_ZH}",
)
REFUSAL: Final = _one_of(
    rf"\b(?:i'm|i am) (?:(?:very|really|so) )?sorry,?(?: but)?(?: as an {_MODEL},?)? i {_CANNOT}\b",
    rf"\bi {_CANNOT} (?:help|assist|comply|engage)\b(?: you)?(?: with| in)? (?:that|this|your|such|requests)\b",
    r"\bi must (?:respectfully )?(?:decline|refuse)\b",
    rf"\bas an {_MODEL},? i (?:{_CANNOT}|do not|don't)\b",
    "(?:抱歉|对不起|不好意思)[，,。!！]?但?(?:作为[^，,。]{0,15}[，,])?我(?:无法|不能|没有办法|没办法|不可以|不便)",
    "我(?:无法|不能)[为向]?[您你]?(?:提供(?:此类|这类|这方面|该类)|协助|满足[您你该这]|回答[您你这此])",
    "作为一?[个名]?(?:人工智能|AI)[^，,。]{0,8}[，,]?我(?:无法|不能|没有)",
)
_HANDED_OVER: Final = ("solution", "解答", "解析")  # what a user may give and ask about
_NOUNS: Final = ("answer", "Answer", "ANSWER", "solution", "Solution", "SOLUTION", "答案", "解答", "解析")
_OPENING_CHARS: Final = 200  # an answer that refuses says so first
_AROUND_CHARS: Final = 80


class Phrase(NamedTuple):
    """A matched phrase.

    Attributes:
        text: the match itself.
        context: with what stands around it.
    """

    text: str
    context: str


def leak_in(text: str, prompt: str) -> Phrase | None:
    """The first words that speak of an answer which the writer was shown; not where the prompt may have shown it."""
    asked = _folded(prompt)
    for start, end in _near_nouns(text):
        for match in LEAK.finditer(text, start, end):
            said = _folded(match.group())
            if said not in asked and not any(word in said and word in asked for word in _HANDED_OVER):
                return _phrase(match, text)
    return None


def _near_nouns(text: str) -> Iterator[tuple[int, int]]:
    """Yield where a leak can stand: every one has one of these nouns. Forty times as fast as looking everywhere."""
    begin, end = 0, -1
    for place in sorted(place for noun in _NOUNS for place in _places(text, noun)):
        if place - _AROUND_CHARS > end:
            if end > 0:
                yield begin, end
            begin = max(0, place - _AROUND_CHARS)
        end = place + _AROUND_CHARS
    if end > 0:
        yield begin, min(end, len(text))


def _places(text: str, word: str) -> Iterator[int]:
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)


def refusal_in(answer: str) -> Phrase | None:
    """Return the words that refuse at the beginning of an answer."""
    match = REFUSAL.search(answer.lstrip()[:_OPENING_CHARS])
    return None if match is None else _phrase(match, answer.lstrip())


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _phrase(match: re.Match[str], text: str) -> Phrase:
    around = text[max(0, match.start() - _AROUND_CHARS) : match.end() + _AROUND_CHARS]
    return Phrase(match.group(), around)
