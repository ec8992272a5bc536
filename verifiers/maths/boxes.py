r"""The final boxes of an answer, with what stands around them.

Several boxes joined by commas, "and" or "or" are one list; a sign, a factor or a root beside a box belongs to the
answer; a box that only remarks ("verified") is none; one that is called wrong says nothing. Standard library only.
"""

from __future__ import annotations

import itertools
import re
from typing import Final, NamedTuple

from tracemill.text.boxes import FoundBox, boxes_of
from verifiers.maths.beside import beside, beside_in_formula

NO_ANSWER: Final = "no answer found in the response"


class Stated(NamedTuple):
    """What is stated as the answer.

    Attributes:
        text: the answer; None where there is none that could be read.
        why: why the answer is open, or why there is none.
        is_missing: whether no answer is given at all, or only half of a box.
        others: readings of a part, as of one of several boxes; where one of them is right, nothing is wrong.
        is_loose: whether the text is more than was boxed, so that another value is no wrong answer.
    """

    text: str | None
    why: str = ""
    is_missing: bool = False
    others: tuple[str, ...] = ()
    is_loose: bool = False


_REMARK: Final = re.compile(
    r"\W*(?:\\text\w*\s*\{)?\W*(?:verified|verification|done|checked|check|q\.?e\.?d|correct|answer"
    r"|final answer|solved|"
    r"proved|"
    r"proven|as required|as desired|true|end|finished|complete)\W*",
    re.IGNORECASE,
)
_JOINT: Final = re.compile(
    r"(?:\n\s*(?:[-*•]|\(?\w\)|\d+\.)\s|[\s,;$&*]|\\[,;:!() \[\]\\]|\\q?quad\b|\b(?:and|or)\b|和|与|或|、|，"
    r"|\\(?:text|mathrm|mbox)\s*\{\s*,?\s*(?:and|or|,)?\s*,?\s*\}"
    r"|\\(?:land|lor|wedge|vee)\b|(?:[a-zA-Z](?:_\{?\w\}?)?|\([a-z](?:\s*,\s*[a-z])+\))\s*=)*"
)
_HAS_JOINT: Final = re.compile(
    r"\n\s*(?:[-*•]|\(?\w\)|\d+\.)\s|,|;|\band\b|\bor\b|和|与|或|、|，|\\(?:land|lor|wedge|vee)|quad|\$\s*\$?"
)
CALLED_WRONG: Final = re.compile(
    r"\W*(?:\\text\s*\{)?\s*(?:(?:is|was|are|would be|will be|were|seems?)\s+)(?:\w+ly\s+|of course\s+)?"
    r"(?:wrong|incorrect|not|never|false|invalid|rejected|excluded|impossible|too)\b"
    r"|\W*(?:is|are)n't\b|\W*(?:cannot|can't|doesn't|does not)\b",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"(?:\bnot(?:\s+be|\s+equal(?:\s+to)?)?|n't(?:\s+be)?|\bnever|\bcannot\s+be|\b(?:greater|less|more|fewer|larger|smaller|bigger|higher|lower)\s+than"
    r"|\bminus|\bnegative|\brather\s+than|\binstead\s+of|\bunlike|\bwrongly|\b(?:incorrect|wrong)\s+(?:answer|value|result)(?:\s+(?:is|of|was))?"
    r"|\b(?:above|below|exceeds|under|over|between|whereas|wrong\s+to\s+\w+|incorrect\s+to\s+\w+))"
    r"(?:\s+(?:simply|just|exactly|the|a|an|be|to|answer|value|number|:))*[\s:*$({}]*(?:\\[\[(]\s*)?$",
    re.IGNORECASE,
)
# Of a box in the same sentence: what somebody else may have got.
_MISTAKEN: Final = re.compile(
    r"\b(?:common|typical|easy|frequent|usual|careless)\s+(?:mistake|error|trap|misconception|wrong\s+answer)"
    r"|\b(?:wrong|incorrect|mistaken|false|erroneous)\s+(?:answer|value|result)|\bconfus(?:e|ed|ing)\b"
    r"|\bif\s+(?:we|you|one|i|someone)\s+(?:had\s+)?(?:wrongly\s+|mistakenly\s+)?"
    r"(?:forg[eo]t|forgotten|miss|ignor|overlook|mis[a-z]{3,}|neglect|omit)",
    re.IGNORECASE,
)
_SCALED_IN_TEXT: Final = re.compile(  # words in a formula that change the box before them
    r"(?:\s|~|\\[,;:! ]|\\q?quad)*\\(?:text|mathrm|mbox|textrm)\s*\{\s*"
    r"(?:(?:hundred|thousand|million|billion|trillion|dozen)s?\b|squared|cubed|factorial|thirds|halves|quarters|tenths"
    r"|or\s+(?:more|less|fewer|greater)|and\s+(?:above|below|up)|at\s+(?:most|least)|times|plus|minus)[^{}]*\}",
    re.IGNORECASE,
)
_OPENINGS: Final = re.compile(r"\$\$|\$|\\\[|\\\]|\\\(|\\\)|\n\s*\n|\\begin\{[a-z]+\*?\}|\\end\{[a-z]+\*?\}")
_RELATION: Final = re.compile(
    r"=|<|>|:|\\(?:approx|le|ge|leq|geq|ne|neq|implies|Rightarrow|Longrightarrow|Leftrightarrow|iff|to|rightarrow|longrightarrow|therefore|in|equiv|"
    r"sim|simeq|cong|mid|text\s*\{[^{}]*\}|mbox\s*\{[^{}]*\}|mathrm\s*\{[^{}]*\}|q?quad|tag\s*\{[^{}]*\}|label\s*\{[^{}]*\}|color\s*\{[^{}]*\}|hspace\s*\{[^{}]*\}|pmod|bmod|mod|bigg?|Bigg?)"
    r"(?![a-zA-Z])|\(\s*\\(?:text|mathrm|bmod|mod)|\\\\|&|,|;|≈|≤|≥|⇒|→|∴"
)
_SETTING: Final = re.compile(
    r"(?:\\(?:left|right|big[lr]?|Big[lr]?|displaystyle|textstyle|large|Large|huge|bf|it|color|blue|red|hline"
    r"|nonumber)(?![a-zA-Z])|\\[,;:! >]|~|\s|\*\*"
    r"|\\(?:blacksquare|square|qed|Box|bigstar|checkmark)(?![a-zA-Z])|[.!。?*_{}])+"
)


def _says_nothing(part: str) -> bool:
    """Tell whether a part of a formula is empty, or only sets text."""
    setting = _SETTING.match(part)
    return len(part) == (setting.end() if setting else 0)


def boxed(answer: str, reference: str = "") -> Stated | None:
    r"""Return what the boxes of an answer state; None where there is none.

    Args:
        answer: the answer part of a response.
        reference: the known answer: where it is a range, ``x > \boxed{8}`` states one.
    """
    boxes = boxes_of(answer)
    return _of_boxes(answer, boxes, reference) if boxes else None


_SCALE: Final = re.compile(r"(?:hundred|thousand|million|billion|trillion|dozen)s?(?![a-z])", re.IGNORECASE)


# x > 8 and x ≠ 8 are not 8. Behind ≥ and ≤ stands the bound that was asked for ("xy ≤ 4 by AM-GM"), as in MATH.
_BOUNDED: Final = re.compile(r"(?:(?:\S[ \t]+|[\d})]|\b[a-zA-Z])[<>]|≠|\\(?:lt|gt|neq?))\s*\{?\s*$")
_PLACE: Final = "\ue002"  # of the box
_TUPLE: Final = re.compile(
    rf"[(\[][^()$\n]{{0,40}},\s*{_PLACE}\s*(?:,[^()$\n]{{0,40}})?[)\]]|[(\[]\s*{_PLACE}\s*,[^()$\n]{{0,40}}[)\]]"
)


_BOUND_BEHIND: Final = re.compile(
    r"[ \t]*\}?[ \t]*(?:[<>](?!=)|≠|\\(?:lt|gt|neq?)(?![a-zA-Z])|:(?=[ \t]*\d))[ \t]*[\w\\({]"
)
_ORDER: Final = re.compile(r"[<>≤≥]|\\(?:lt|gt|leq?(?:slant)?|geq?(?:slant)?)(?![a-zA-Z])")
_RANGE: Final = re.compile(rf"{_ORDER.pattern}|\\infty|∞")
_SIDE: Final = re.compile(  # of an inequality before its box: what is compared, and how
    rf"(?:^|[\s$,:;(\[])(?P<side>(?:[-\d.]+\s*(?:{_ORDER.pattern})(?:=|\s)*)?\|?[a-zA-Z](?:_\{{?\w+\}}?)?\|?\s*(?:{_ORDER.pattern})(?:=|\s)*)$"
)


def _of_boxes(answer: str, boxes: list[FoundBox], reference: str) -> Stated:
    while len(boxes) > 1 and boxes[-1].content is not None and _REMARK.fullmatch(boxes[-1].content):
        boxes = boxes[:-1]
    if boxes[-1].content is None:
        return Stated(None, f"{NO_ANSWER}: its last box is never closed", is_missing=True)
    group = _joined(answer, boxes)
    before, after = answer[: group[0].start], answer[group[-1].end :]
    text = _list_of(answer, group)
    if _is_denied(before, after):
        return Stated(text, "the box is called wrong, or only compared with")
    side = _SIDE.search(before) if _RANGE.search(reference) and not _ORDER.search(text) else None
    if side and not _ORDER.match(after.lstrip(" }")):
        return Stated(f"{side['side']}{text}")
    if _is_bounded(before, after) or _is_in_tuple(before[-80:], after[:80]):
        return Stated(text, "the box is compared with, or a part of a tuple")
    formula = _formula(before, after)
    ahead = formula.before if _says_nothing(formula.front) else ""
    why = (
        beside(ahead, text, formula.behind)
        or beside_in_formula(formula.front, formula.back)
        or _one_of_several(answer, boxes, group)
    )
    if why is not None:
        return Stated(text, why)
    whole = _with_surroundings(formula, text)
    return Stated(whole, others=tuple(box.content or "" for box in group[1:] and group), is_loose=whole != text)


def _is_bounded(before: str, after: str) -> bool:
    end = before[-_LAST_OF_LINE:].rstrip(" \t\r\n\u00a0{")  # nearly always another sign, which is cheaper to see
    is_sign = end[-1:] in {"<", ">", "≠"} or end.endswith(("\\lt", "\\gt", "\\ne", "\\neq"))
    return bool((is_sign and _BOUNDED.search(before[-_LAST_OF_LINE:])) or _BOUND_BEHIND.match(after))


def _is_in_tuple(before: str, after: str) -> bool:
    is_next_to_comma = before.rstrip().endswith(",") or after.lstrip().startswith(",")
    return is_next_to_comma and _TUPLE.search(f"{before}{_PLACE}{after}") is not None


_BEFORE_BOX: Final = " \t\r\n\u00a0:*$({}\\[("  # what may stand between a word and its box
_LAST_OF_LINE: Final = 200  # characters of the sentence before a box that are looked at
_BREAK: Final = re.compile(r"\n\s*\n|(?<=[.!?])\s+(?=[A-Z])")
_MISTAKE_HINTS: Final = (  # one of them is in whatever _MISTAKEN finds
    "mis", "err", "trap", "wrong", "incorrect", "false", "confus", "forg", "ignor", "overlook", "neglect", "omit"
)  # fmt: skip


def _is_denied(before: str, after: str) -> bool:
    start = max(0, len(before) - _LAST_OF_LINE)
    for match in _BREAK.finditer(before, start):
        start = match.end()
    line = before[start:]
    folded = line.lower()
    return bool(
        (line.rstrip(_BEFORE_BOX)[-1:].isalnum() and _DENIED.search(line[-80:]))  # which ends in a word
        or (any(hint in folded for hint in _MISTAKE_HINTS) and _MISTAKEN.search(line))
        or CALLED_WRONG.match(after[:60])
    )


def _joined(answer: str, boxes: list[FoundBox]) -> list[FoundBox]:
    """Return the last box, and those before it that are joined to it."""
    group = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        between = answer[box.end : group[0].start]
        if box.content is None or len(between) > 60 or not _JOINT.fullmatch(between) or not _HAS_JOINT.search(between):
            break
        if re.search(r"\n\s*\n|\$\$\s*\$\$|\\\]\s*\\\[", between) and not re.search(r"and|or|,", between):
            break
        group.insert(0, box)
    return group


def _list_of(answer: str, group: list[FoundBox]) -> str:
    contents = [group[0].content or ""]
    for one, other in itertools.pairwise(group):
        label = re.search(
            r"((?:[a-zA-Z](?:_\{?\w\}?)?|\([a-z](?:\s*,\s*[a-z])+\))\s*=)[\s$]*$", answer[one.end : other.start]
        )
        contents.append(f"{label.group(1) if label else ''}{other.content}")
    if len(contents) > 1 and contents[1].startswith(other_label := _label_of(contents[1])) and other_label:
        label = re.search(r"([a-zA-Z](?:_\{?\w\}?)?\s*=)[\s$]*$", answer[: group[0].start])
        contents[0] = f"{label.group(1) if label else ''}{contents[0]}"
    if len(set(contents)) == 1:
        return contents[0]
    return ", ".join(contents)


def _label_of(text: str) -> str:
    label = re.match(r"(?:[a-zA-Z](?:_\{?\w\}?)?|\([a-z](?:\s*,\s*[a-z])+\))\s*=", text)
    return label.group() if label else ""


_OPERAND: Final = re.compile(  # a sign that is glued to the box, or an operand and its operation; no dash behind a word
    r"(?:^|[\s(:=])([-−]|(?:\d[\d.]*|[a-zA-Z])\s*[-−+*·×/]\s*|\d*√\s*)$"
)


class _Formula(NamedTuple):
    """The formula that holds a box, and the sentence around it.

    Attributes:
        before: the text before the formula.
        front: what stands in the formula before the box.
        back: what stands in it behind the box.
        behind: the text behind the formula.
        is_marked: whether signs of mathematics tell where it begins and ends; else it is the box alone.
    """

    before: str
    front: str
    back: str
    behind: str
    is_marked: bool


def _formula(before: str, after: str) -> _Formula:
    near = before[-2_000:]
    marks = list(_OPENINGS.finditer(near))
    opening = marks[-1] if marks else None
    is_marked = opening is not None and (
        opening.group() in {"\\[", "\\("}
        or opening.group().startswith("\\begin")
        or (opening.group().startswith("$") and before.count(opening.group()) % 2 == 1)
    )
    if opening is None or not is_marked:
        return _Formula(before, "", "", after, is_marked=False)
    closing = _OPENINGS.search(after)
    back, behind = (after[: closing.start()], after[closing.end() :]) if closing else ("", "")
    return _Formula(near[: opening.start()], near[opening.end() :], back, behind, is_marked=True)


_SCALES_BEHIND: Final = r"\s*(?:million|billion|trillion|thousand|hundred|dozen)s?(?![a-zA-Z])"
_TAIL: Final = re.compile(  # of a box without marks
    r"\s*\\?%|\s?[*·×/^!√]\s*[\w(√\\]+|(?<![\s])[\d.]*\^?\\?(?:sqrt|pi|cdot)[^\s.]*|\^\{?\\circ\}?|π|√\d+"
    rf"|{_SCALES_BEHIND}"
)
_TAIL_OF_MARKED: Final = re.compile(rf"\s*(?:\\?%|\^\{{?\\circ\}}?)|{_SCALES_BEHIND}")


def _with_surroundings(formula: _Formula, text: str) -> str:
    """Return the content with what belongs to it in its formula; as it is where nothing does."""
    if formula.is_marked:
        front, tail = formula.front, _TAIL_OF_MARKED.match(formula.behind)
    else:
        glued = _OPERAND.search(formula.before)
        front, tail = glued.group(1) if glued else "", _TAIL.match(formula.behind)
    if front.rstrip().endswith("|") and formula.back.lstrip().startswith("|"):
        return f"|{text}|"
    front, back = _last_part(front), _first_part(formula.back + (tail.group() if tail else ""))
    if not front and not back:
        return text
    bare = front.count("{") == front.count("}")
    is_plain = re.fullmatch(r"[\d.]+|[a-zA-Z]", text) is not None
    inner = text if (is_plain and not front) else f"({text})" if bare else text
    return f"{front}{inner}{back}"


_DERIVED: Final = re.compile(
    r"\b(?:so|thus|hence|therefore|then|final(?:ly)?|answer|gives?|giving|yields?|which|get|obtain|now|implies|means|since"
    r"|because|wait|actually|instead|no|rather|sorry|correct\w*|verif\w+|check\w*|sum|total|product|substitut\w+|plug\w*|conclu\w+|equals?|desired"
    r"|required|overall|altogether|combin\w+|adding|result)\b|=>|\\(?:implies|Rightarrow|therefore)|⇒|→|∴",
    re.IGNORECASE,
)


def _one_of_several(answer: str, boxes: list[FoundBox], group: list[FoundBox]) -> str | None:
    """Return why the last boxes are not all: another one stands in their paragraph, from which they do not follow."""
    earlier = [box for box in boxes if box.end <= group[0].start]
    if not earlier or earlier[-1].content in {box.content for box in group}:
        return None
    between = answer[earlier[-1].end : group[0].start]
    follows = re.search(r"\n\s*\n|\n\s*[#>*-]|^[\s$&]*[=≈][\s$&]*$", between) or _DERIVED.search(between)
    return None if follows else "one of several boxes"


_RELATION_SIGNS: Final = frozenset(["", *"=<>:&,;≈≤≥⇒→∴"])
_WORD_IN_FORMULA: Final = re.compile(r"(?<![\\a-zA-Z])(?!(?:sin|cos|tan|log|ln|exp|sqrt|pi)\b)[a-zA-Z]{2,}")


def _last_part(text: str) -> str:
    """Return what stands after the last relation before the box, if it is more than what sets text."""
    if text.rstrip()[-1:] in _RELATION_SIGNS:
        return ""
    part = _RELATION.split(text)[-1]
    if _WORD_IN_FORMULA.search(part):
        return ""
    return part.strip() if _SETTING.sub("", part).strip("()[]| ") else ""


def _first_part(text: str) -> str:
    """Return what stands before the first relation after the box, if it is more than words or what sets text."""
    if _says_nothing(text) and "!" not in text:
        return ""
    scaled = _SCALED_IN_TEXT.match(text)
    if scaled:
        return scaled.group()
    part = _RELATION.split(text, maxsplit=1)[0]
    rest = _SETTING.sub("", part).strip("()[]| ")
    is_words = re.fullmatch(r"[A-Za-z]{2,}.*", rest, re.DOTALL) and not _SCALE.match(rest)
    is_factorial = part.lstrip().startswith("!") and not part.lstrip()[1:2].isalpha()
    return part.strip().rstrip(".") if (rest and not is_words) or is_factorial else ""
