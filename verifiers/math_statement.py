r"""What the answer part of a response states as its answer: the final box with what stands around it, or the claim.

With a box: several boxes joined by commas, "and" or "or" are one list; what stands beside a box in its formula (a sign,
a factor, a root) belongs to the answer; a box that only remarks ("verified") is none, and one that is called wrong says
nothing. Without a box: the line behind ``####``, what is said to be the answer, or the one value of the last sentence.
Words that change a number ("not 8", "at least 8", "7 or 8") leave the answer open. Standard library only.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tracemill.boxes import FoundBox, boxes_of
from verifiers.math_units import is_change, number_in_words, unit_of

NO_ANSWER: Final = "no answer found in the response"
SEARCHED_CHARS: Final = 20_000  # of an answer part without a box, in which an answer is looked for; the end counts
_UNREAD: Final = "no box, and the answer that is given cannot be read"


class Stated(NamedTuple):
    """What is stated as the answer.

    Attributes:
        text: the answer; None where there is none that could be read.
        why: why the answer is open, or why there is none.
        is_missing: whether no answer is given at all, or only half of a box.
    """

    text: str | None
    why: str = ""
    is_missing: bool = False


def stated(answer: str, reference: str = "") -> Stated:
    """What an answer part states.

    Args:
        answer: what follows the think part.
        reference: the known answer, which says whether a word may be an answer.
    """
    boxes = boxes_of(answer.replace("\\Boxed", "\\boxed"))
    if boxes:
        return _of_boxes(answer.replace("\\Boxed", "\\boxed"), boxes)
    return _of_claims(answer[-SEARCHED_CHARS:], reference)


# Boxes

_REMARK: Final = re.compile(
    r"\W*(?:\\text\w*\s*\{)?\W*(?:verified|verification|done|checked|check|q\.?e\.?d|correct|answer|final answer|solved|proved|"
    r"proven|as required|as desired|true|end|finished|complete)\W*",
    re.IGNORECASE,
)
_JOINT: Final = re.compile(
    r"(?:[\s,;$&*]|\\[,;:!() \[\]\\]|\\q?quad\b|\b(?:and|or)\b|和|与|或|、|，|\\(?:text|mathrm|mbox)\s*\{\s*,?\s*(?:and|or|,)?\s*,?\s*\}"
    r"|\\(?:land|lor|wedge|vee)\b|(?:[a-zA-Z](?:_\{?\w\}?)?|\([a-z](?:\s*,\s*[a-z])+\))\s*=)*"
)
_HAS_JOINT: Final = re.compile(r",|;|\band\b|\bor\b|和|与|或|、|，|\\(?:land|lor|wedge|vee)|quad|\$\s*\$?")
_CALLED_WRONG: Final = re.compile(
    r"\W*(?:\\text\s*\{)?\s*(?:(?:is|was|are|would be|will be|were|seems?)\s+)(?:\w+ly\s+|of course\s+)?"
    r"(?:wrong|incorrect|not|never|false|invalid|rejected|excluded|impossible|too)\b|\W*(?:is|are)n't\b|\W*(?:cannot|can't|doesn't|does not)\b",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"(?:\bnot(?:\s+be|\s+equal(?:\s+to)?)?|n't(?:\s+be)?|\bnever|\bcannot\s+be|\b(?:greater|less|more|fewer|larger|smaller|bigger|higher|lower)\s+than"
    r"|\brather\s+than|\binstead\s+of|\bunlike|\bwrongly|\b(?:incorrect|wrong)\s+(?:answer|value|result)(?:\s+(?:is|of|was))?"
    r"|\b(?:above|below|exceeds|under|over|between))"
    r"(?:\s+(?:simply|just|exactly|the|a|an|be|to|answer|value|number|:))*[\s:*$({]*(?:\\[\[(]\s*)?$",
    re.IGNORECASE,
)
_OPENINGS: Final = re.compile(r"\$\$|\$|\\\[|\\\]|\\\(|\\\)|\n\s*\n|\\begin\{[a-z]+\*?\}|\\end\{[a-z]+\*?\}")
_RELATION: Final = re.compile(
    r"=|<|>|:|\\(?:approx|le|ge|leq|geq|ne|neq|implies|Rightarrow|Longrightarrow|Leftrightarrow|iff|to|rightarrow|longrightarrow|therefore|in|equiv|"
    r"sim|simeq|cong|mid|text\s*\{[^{}]*\}|mbox\s*\{[^{}]*\}|mathrm\s*\{[^{}]*\}|q?quad|tag\s*\{[^{}]*\}|label\s*\{[^{}]*\}|color\s*\{[^{}]*\}|hspace\s*\{[^{}]*\})"
    r"(?![a-zA-Z])|\\\\|&|,|;|≈|≤|≥|⇒|→|∴"
)
_SETTING: Final = re.compile(
    r"\\(?:left|right|big[lr]?|Big[lr]?|displaystyle|textstyle|large|Large|huge|bf|it|color|blue|red|hline|nonumber)(?![a-zA-Z])|\\[,;:! >]|~|\s|\*\*"
    r"|\\(?:blacksquare|square|qed|Box|bigstar|checkmark)(?![a-zA-Z])|[.!。?*_{}]"
)


def _of_boxes(answer: str, boxes: list[FoundBox]) -> Stated:
    last = boxes[-1]
    if last.content is None:
        return Stated(None, f"{NO_ANSWER}: its last box is never closed", is_missing=True)
    while len(boxes) > 1 and _REMARK.fullmatch(boxes[-1].content or ""):
        boxes = boxes[:-1]
    last = boxes[-1]
    if last.content is None:
        return Stated(None, f"{NO_ANSWER}: its last box is never closed", is_missing=True)
    group = _joined(answer, boxes)
    before, after = answer[: group[0].start], answer[group[-1].end :]
    text = _list_of(answer, group)
    if _is_denied(before, after):
        return Stated(text, "the box is called wrong, or only compared with")
    return Stated(_with_surroundings(before, text, after))


def _is_denied(before: str, after: str) -> bool:
    line = re.split(r"\n\s*\n|(?<=[.!?])\s+(?=[A-Z])", before)[-1]
    return bool(_DENIED.search(line[-80:]) or _CALLED_WRONG.match(after[:60]))


def _joined(answer: str, boxes: list[FoundBox]) -> list[FoundBox]:
    """The last box, and those before it that are joined to it."""
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
    for one, other in zip(group, group[1:], strict=False):
        label = re.search(r"((?:[a-zA-Z](?:_\{?\w\}?)?|\([a-z](?:\s*,\s*[a-z])+\))\s*=)[\s$]*$", answer[one.end : other.start])
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


def _with_surroundings(before: str, text: str, after: str) -> str:
    """The content with what belongs to it in its formula; as it is where nothing does."""
    marks = [mark for mark in _OPENINGS.finditer(before[-2_000:])]
    opening = marks[-1] if marks else None
    is_inside = opening is not None and (
        opening.group() in {"\\[", "\\("}
        or opening.group().startswith("\\begin")
        or (opening.group().startswith("$") and before.count(opening.group()) % 2 == 1)
    )
    if is_inside and opening is not None:
        front = before[-2_000:][opening.end() :]
        closing = _OPENINGS.search(after)
        back = after[: closing.start()] if closing else ""
        if closing and re.match(r"\s*(?:\\?%|\^\{?\\circ)", after[closing.end() :]):
            back += re.match(r"\s*(?:\\?%|\^\{?\\circ\}?)", after[closing.end() :]).group()  # type: ignore[union-attr]
    else:
        glued = re.search(r"(?:^|[\s(:])((?:[-−]|[\d.]+\s*[*·×/]|\d*√)\s*)$", before)
        front = glued.group(1) if glued and not re.search(r"[\w.,)*]\s*[-−]\s+$", before) and not before.endswith(" ") else ""
        tail = re.match(r"\s*\\?%|\s?[*·×/^!√]\s*[\w(√\\]+|(?<![\s])[\d.]*\^?\\?(?:sqrt|pi|cdot)[^\s.]*|\^\{?\\circ\}?|π|√\d+|\s*(?:million|billion|thousand|hundred|dozen)\b", after)
        back = tail.group() if tail else ""
    front, back = _last_part(front), _first_part(back)
    if not front and not back:
        return text
    bare = front.count("{") == front.count("}")
    is_plain = re.fullmatch(r"[\d.]+|[a-zA-Z]", text) is not None
    inner = text if (is_plain and not front) else f"({text})" if bare else text
    return f"{front}{inner}{back}"


def _last_part(text: str) -> str:
    """What stands after the last relation before the box, if it is more than what sets text."""
    part = _RELATION.split(text)[-1]
    return part.strip() if _SETTING.sub("", part).strip("()[]| ") else ""


def _first_part(text: str) -> str:
    """What stands before the first relation after the box, if it is more than words or what sets text."""
    part = _RELATION.split(text, maxsplit=1)[0]
    rest = _SETTING.sub("", part).strip("()[]| ")
    return part.strip().rstrip(".") if rest and not re.fullmatch(r"[A-Za-z]{2,}.*", rest) else ""


# Claims without a box

_HASHES: Final = re.compile(r"^\s*#{4}\s*(\S.*?)\s*$", re.MULTILINE)
_LETTER_A: Final = re.compile(r"^\s*A:\s*(\S.*?)\s*$", re.MULTILINE)
_SAID: Final = re.compile(
    r"(?:\b(?:final\s+|correct\s+|right\s+)?(?:answer|result|solution)(?:\s+to\s+(?:the|this)\s+(?:problem|question))?\s*"
    r"(?:is|are|was|=|:|would\s+be|must\s+be|should\s+be|comes?\s+(?:out\s+)?to|equals)\s*(?:[:：]\s*)?"
    r"|\b(?:die\s+)?antwort\s*(?:ist|lautet|:)\s*:?|\b(?:la\s+)?respuesta\s*(?:es|:)\s*:?|\b(?:la\s+)?réponse\s*(?:est|:)\s*:?"
    r"|\b(?:la\s+)?risposta\s*(?:è|:)\s*:?|\ba\s+resposta\s*(?:é|:)\s*:?|ответ\s*:?"
    r"|(?:答案|结果|答え|正解|解)\s*(?:应该|应)?(?:是|为|为:|は|[:：])\s*[:：]?)\s*",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(r"(?<=[^\s.])[.!?](?=\s|$)(?!\s*\d)|(?<=[\d)$}])\.(?=\s|$)|[。！？]|\n+")
_CLAUSE: Final = re.compile(
    r",?\s+(?:because|since|as|so\s+that|which|where|who|when|if|i\.e\.|that\s+is|hence|thus)\b|;\s|\s[-–—]\s(?=[a-z])|,\s+(?:not|rather|but|and\s+not|so)\b|\s*（|\s+\((?=[a-z])"
)
_VALUE: Final = re.compile(r"\$\$.+?\$\$|\$[^$]+\$|\\\(.+?\\\)|\\\[.+?\\\]|[-−–+]?\s?[\d.]*\d[\d,.]*(?:/\d+)?(?:[eE][+-]?\d+)?%?", re.DOTALL)
_WRAPPED: Final = re.compile(r"\$\$(.+?)\$\$|\$([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_REFUSAL: Final = re.compile(
    r"\b(?:do(?:es)?\s*n['o]t\s+know|don't\s+know|not\s+sure|no\s+idea|unable|cannot\s+(?:solve|determine|answer|say|tell)|can't\s+(?:solve|determine|answer|say|tell)"
    r"|give\s+up|could\s+not\s+(?:solve|find)|couldn't)\b",
    re.IGNORECASE,
)
_HEDGES: Final = frozenset(
    """not never no either neither nor or between than least most minus negative approximately about roughly around if
    wrong incorrect would might could may cannot unless except excluding maybe perhaps probably exceed exceeds above
    below under over another other otherwise false mistake instead squared cubed times half plus step steps case cases""".split()
)  # fmt: skip
_FILLERS: Final = frozenset(
    """the a an is are was were be equal equals equal to exactly value total number of answer simply just therefore so thus
    hence then we get have has he she it they there that this i final result sum x""".split()
)  # fmt: skip
_EMPHASIS: Final = re.compile(r"\*\*|__|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|^#+\s+|`", re.MULTILINE)
_DIGIT: Final = re.compile(r"\d|\\frac|\\sqrt|\\pi|[½π∞√]")
_LETTERS: Final = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
_COPULA: Final = re.compile(
    r".*\b(?:is|are|was|were|equals?|gives?|get|gets|have|has|had|takes?|costs?|makes?|earns?|need|needs|spends?|spent|be|becomes?|left|=|pays?|saves?|to)\b",
    re.DOTALL | re.IGNORECASE,
)
_EQUALITY: Final = re.compile(r"^(?P<left>.*[^<>!=])=\s*(?P<right>[^=]+)$", re.DOTALL)
_MARKUP: Final = re.compile(r"^\s*[-*•>]\s+")


def _of_claims(answer: str, reference: str) -> Stated:
    text = re.sub(r"<<[^<>]*>>", "", answer).strip()
    if not text:
        return Stated(None, NO_ANSWER, is_missing=True)
    marked = _HASHES.findall(text) or _LETTER_A.findall(text)
    if marked:
        return Stated(_EMPHASIS.sub("", marked[-1]).strip())
    text = _EMPHASIS.sub("", text).strip()
    said = list(_SAID.finditer(text))
    if said:
        return _of_remainder(text, said)
    if _is_one_formula(text):
        return Stated(_unwrapped(text))
    sentences = [part.strip() for part in _SENTENCE.split(text) if part and part.strip()]
    return _of_sentence(sentences, reference)


def _of_remainder(text: str, said: list[re.Match[str]]) -> Stated:
    """What follows "the answer is"; the last time it is said counts."""
    match = said[-1]
    remainder = _SENTENCE.split(text[match.end() :].lstrip(), maxsplit=1)[0].strip()
    before = _SENTENCE.split(text[: match.start()])[-1]
    if not remainder:
        return Stated(None, _UNREAD)
    if _HEDGE_BEFORE.search(before):
        return Stated(remainder, f"the statement is hedged: {before.strip()[-60:]!r}")
    after = text[match.end() :].lstrip()[len(remainder) :]
    if _CALLED_WRONG.match(after[:60]) or re.search(r"\b(?:wrong|incorrect|mistake)\b", remainder + after[:200]):
        return Stated(remainder, "the answer is called wrong")
    return _cleaned(remainder)


_HEDGE_BEFORE: Final = re.compile(
    r"\b(?:might|may|could|not|n't|if|whether|unless|wrong|incorrect|some|someone|student|guess|assume|suppose|who|why|what|how)\b",
    re.IGNORECASE,
)


def _is_one_formula(text: str) -> bool:
    """Whether an answer is nothing but mathematics."""
    if len(text) > 300:
        return False
    if _WRAPPED.fullmatch(text):
        return True
    return not [word for word in _LETTERS.findall(re.sub(r"\\[a-zA-Z]+", " ", text)) if len(word) > 2 and not _is_mathematical(word)] and bool(
        _DIGIT.search(text) or len(text) <= 30 and re.search(r"[=+^*/<>]", text)
    )


def _is_mathematical(word: str) -> bool:
    return word.lower() in {"sin", "cos", "tan", "log", "sqrt", "exp", "and", "pi"} or unit_of(word) is not None


def _unwrapped(text: str) -> str:
    match = _WRAPPED.fullmatch(text.strip().rstrip("."))
    if match is None:
        return text.strip().rstrip(".")
    return next(group for group in match.groups() if group is not None).strip()


def _cleaned(remainder: str) -> Stated:
    """A remainder as an answer: mathematics, or a value among words that change nothing."""
    clause = _CLAUSE.split(remainder, maxsplit=1)[0].strip().rstrip(".,;: ")
    clause = re.sub(r"(?:です|となります|になります|个|人|である)$", "", clause).strip()
    clause = re.sub(r"^(?:\$\s*)?(?:equal\s+to|exactly|simply|just|therefore|clearly|given\s+by|option|choice)\s+", "", clause, flags=re.IGNORECASE)
    if not clause:
        return Stated(None, _UNREAD)
    whole = _WRAPPED.fullmatch(clause)
    if whole:
        return Stated(_unwrapped(clause))
    words = _LETTERS.findall(_WRAPPED.sub(" ", re.sub(r"\\text\s*\{[^{}]*\}|\\[a-zA-Z]+", " ", clause)))
    long = [word for word in words if len(word) > 2 and not _is_mathematical(word)]
    if not long and not any(word.lower() in _HEDGES | _FILLERS_IN_TEXT for word in words):
        return Stated(_plain_formula(clause))
    return _of_value_among_words(clause)


_FILLERS_IN_TEXT: Final = frozenset(["of", "in", "is", "to", "it", "we", "he", "an", "as", "at", "by", "on", "so"])


def _plain_formula(text: str) -> str:
    """A formula in dollars with units behind it, as one text."""
    return re.sub(r"\$\$|(?<!\\)\$(?=[^\d]|\d[^$]*\$)|\\[()\[\]]", " ", text).strip() if text.count("$") % 2 == 0 else text


def _of_value_among_words(clause: str) -> Stated:
    values = [match for match in _VALUE.finditer(clause) if match.group().strip(" .,+-−–")]
    words = [word.lower() for word in _LETTERS.findall(_WRAPPED.sub(" ", clause))]
    if not values:
        return _of_words(clause, words)
    if len(values) > 1:
        return Stated(clause, "several values without a box")
    if any(word in _HEDGES or (is_change(word) and word not in _FILLERS | {"in", "of", "to", "for", "from", "on", "at", "by", "with", "the", "as", "per", "each", "all", "after", "before", "more", "less", "second", "remaining", "then", "only", "and"}) for word in words):
        return Stated(clause, "words that change a value")
    return _value_with_unit(clause, values[0])


def _of_words(clause: str, words: list[str]) -> Stated:
    short = re.sub(r"^(?:an?|the|on|in)\s+", "", clause, flags=re.IGNORECASE)
    if len(words) <= 3:
        return Stated(short)
    return Stated(None, _UNREAD)


def _value_with_unit(clause: str, value: re.Match[str]) -> Stated:
    """The one value of a clause, with the unit that follows; a letter or sign that is glued to it leaves it open."""
    raw = value.group().strip()
    before, after = clause[: value.start()].rstrip(), clause[value.end() :]
    if _WRAPPED.fullmatch(raw):
        text = _unwrapped(raw)
        unit = re.match(r"\s*([A-Za-z]+(?:\s+per\s+[A-Za-z]+)?)\b", after)
        has_unit = unit is not None and unit_of(unit.group(1)) is not None and re.search(r"[\d}]$", text)
        return Stated(f"{text} {unit.group(1)}" if has_unit and unit else text)
    if re.match(r"[\w^√π*/(!_]|\s*[*/^√π=<>×·÷+]|\s+[a-zA-Z]\b(?!\s+[a-z]{2,})(?<!\sa)", after) and not re.match(r"\s?%|\s*(?:st|nd|rd|th)\b|\s+a\b", after):
        return Stated(clause, "a value that goes on without a box")
    if re.search(r"[*/^√×·÷<>_(|]$|[a-zA-Z]\d*\s?[+\-−=]$", before) and not re.search(r"\w\s*=\s*$", before):
        return Stated(clause, "a value that began earlier without a box")
    if re.search(r"[<>≤≥]", clause):
        return Stated(clause, "an inequality without a box")
    unit = re.match(r"\s*((?:square |cubic )?[A-Za-z]+(?:\s+per\s+[A-Za-z]+)?)\b", after)
    sign = "$" if before.endswith("$") else ""
    label = re.search(r"(?<![A-Za-z0-9)])([A-Za-z])\s*=\s*$", before)
    text = f"{label.group(1)} = {raw}" if label else sign + re.sub(r"^[–+]\s*|^[-−]\s+", "-" if raw[0] in "–-−" else "", raw).rstrip(".,")
    if unit and unit_of(unit.group(1)) is not None:
        text = f"{text} {unit.group(1)}"
    return Stated(text)


def _of_sentence(sentences: list[str], reference: str) -> Stated:
    """The one value of the last sentence that has any."""
    for sentence in reversed(sentences[-4:]):
        if _VALUE.search(sentence) and _DIGIT.search(sentence):
            return _of_last_clause(_MARKUP.sub("", sentence))
        if _may_answer(sentence, reference):
            return Stated(None, _UNREAD)
    values = [sentence for sentence in sentences if _DIGIT.search(sentence)]
    if values and not _REFUSAL.search(sentences[-1]):
        return Stated(None, _UNREAD)
    if any(map(_REFUSAL.search, sentences[-2:])) or not _may_be_words(reference):
        return Stated(None, NO_ANSWER, is_missing=True)
    return Stated(None, _UNREAD)


def _may_answer(sentence: str, reference: str) -> bool:
    """Whether a sentence without a figure has an answer in words: a number, infinity, the words of the reference."""
    words = [word.lower() for word in _LETTERS.findall(sentence)]
    known = {word.lower() for word in _LETTERS.findall(re.sub(r"\\(?:text\w*|mathrm)", " ", reference)) if len(word) > 1}
    if known & set(words) and not _REFUSAL.search(sentence):
        return True
    return any(number_in_words(word) is not None or word in {"infinity", "infinite", "zero", "none", "pi"} for word in words) and not (
        _REFUSAL.search(sentence)
    )


def _may_be_words(reference: str) -> bool:
    return not _DIGIT.search(reference)


def _of_last_clause(sentence: str) -> Stated:
    """A sentence's value: behind its last sign of equality, or the only one it has."""
    if _REFUSAL.search(sentence):
        return Stated(sentence, "the answer is not given for certain")
    parts = re.split(r",?\s+(?:so|thus|hence|therefore|which\s+means|meaning|giving|i\.e\.)\s+(?:that\s+)?", sentence, flags=re.IGNORECASE)
    clause = next((part for part in reversed(parts) if _VALUE.search(part) and _DIGIT.search(part)), sentence)
    clause = _CLAUSE.split(clause, maxsplit=1)[0] if _DIGIT.search(_CLAUSE.split(clause, maxsplit=1)[0]) else clause
    if _is_one_formula(clause):
        return Stated(_unwrapped(re.sub(r"^(?:so|thus|hence|therefore)\b[,:]?\s*", "", clause, flags=re.IGNORECASE)))
    clause = re.sub(r"^(?:so|thus|hence|therefore)\b[,:]?\s*", "", clause, flags=re.IGNORECASE).rstrip(".,;: ")
    if _is_one_formula(clause):
        return Stated(_unwrapped(clause))
    equality = _EQUALITY.match(clause)
    if equality and not _WRAPPED.search(clause) and re.fullmatch(r".*?[\d)]\s*[-+*/x×·÷]\s*[\d($].*|.*\d%?\s*", equality.group("left"), re.DOTALL):
        return _of_value_among_words(equality.group("right").strip())
    return _of_value_among_words(clause)
