r"""What an answer part says its choice is: "the answer is (B)", "答案是B", or a line that is nothing else.

What is only weighed ("if B is correct", "nobody would choose B", "I doubt that the answer is B") is no statement.
"""

from __future__ import annotations

import re
from typing import Final

from tracemill.text.boxes import EMPTY_BOX
from verifiers.choice_options import Options, fold, named
from verifiers.corrections import TAKES_BACK

_SAID: Final = (
    r"(?:(?:clearly|probably|most likely|likely|therefore|thus|definitely|simply|obviously|indeed|hence)[ ,]+)?"
)
_STATEMENT: Final = re.compile(
    r"(?<!wrong )(?<!incorrect )(?<!false )\b"
    r"(?:(?:final|correct|right|best)\s+)?(?:answer|option|choice)s?(?:\s+(?:choice|option))?"
    r"(?:\s*(?:is|are|would\s+be|should\s+be|must\s+be|[:：=])\s*[:：]?|[ \t]+[-–—](?=[ \t]+\S))\s*"
    rf"{_SAID}(?:options?\s+|choices?\s+)?(?=(?P<en>[^\n]{{1,200}}))"
    r"|\b(?:antwort|respuesta|réponse|risposta|resposta|ответ)[ \t]*(?:ist|es|est|è|é)?[ \t]*[:：]?[ \t]*"
    r"(?=(?P<other>[^\n]{1,200}))"
    r"|(?:答え|解答|정답|답)[ \t]*(?:は|은|는|[:：])[ \t]*[:：]?[ \t]*(?P<asian>[（(]?[A-J](?![A-Za-z])[)）]?)"
    r"|(?<!不)(?<!不应)(?<!不能)(?<!不该)(?<!不要)(?<!非)(?:答案|正确的?(?:选项|答案)|(?:应该?|故)?选择?)\s*(?:应该?)?(?:是|为|[:：])?\s*"
    r"(?P<zh>[（(]?[A-J](?:[、,，]?[A-J])*[)）]?)",
    re.IGNORECASE,
)
_IS_RIGHT: Final = re.compile(
    r"(?<![\w'])(?:[(\[$\\]*(?P<letter>[A-J])[)\]$\\]*|(?i:option|choice)\s+[(\[]?(?P<small>[a-j])[)\]]?)"
    r"\s+(?:is|would be|must be|has to be)\s+"
    rf"{_SAID}(?:the\s+)?(?:only\s+)?(?:correct|right|best)\b(?:\s+(?:answer|option|choice|one))?"
)
_SENTENCE_END: Final = re.compile(
    r"(?<=[\w)\]*}$\"'])[.!。](?:\s|$)|;\s|,\s+(?:because|since|as|so|which|not|and not|rather than)\b"
    r"|\s+(?:because|since|rather than|instead of)\s"
)
_LABEL: Final = re.compile(r"[*_(\[（]*[A-J](?:[.):\]．：）]+)[*_]*\s+(?=\S)")
_IS_NO_STATEMENT: Final = re.compile(r"(?:correct|right|wrong|incorrect|given|as follows|below|above)\b", re.IGNORECASE)
# Before a statement, in its own clause: it is denied, doubted, asked or supposed.
_WEIGHED: Final = re.compile(
    r"\b(?:if|whether|unless|suppos\w+|assum\w+|doubt\w*|unlikely|nobody|no\s+one|never|not|cannot|which|what|"
    r"except|excluding|besides|other\s+than|apart\s+from|false|wrong|untrue|mistaken\w*|(?:is|are|was|do|does|did|ca|would|could|should)n['’]t)\b[^.!?;\n]*$",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"[.!?;:,\n]\s|\b(?:so|but|hence|thus|therefore|then)\b", re.IGNORECASE)
# "A is wrong, so B.", and "Hence B. Wait, actually C.": what is concluded, or corrected, at the very end.
_CONCLUDED: Final = re.compile(
    r"(?:,\s*|[.;]\s+)(?i:so|hence|thus|therefore|then)\b,?\s*(?:it(?:['’]s|\s+is|\s+must\s+be)\s+)?"
    r"(?:option\s+)?[(*]*(?P<letter>[A-J])[)*]*\.?\s*$"
)
_CORRECTED: Final = re.compile(
    rf"\b{TAKES_BACK}\b"
    r"[^.!?\n]{0,40}?(?<![\w'])[(*]*(?P<letter>[A-J])(?![\w'])(?![^.!?\n]*\b(?:not|wrong|incorrect)\b)",
    re.IGNORECASE,
)
_PREDICATE: Final = re.compile(r"[^.!?\n]*?\b(?:is|are|was|were)\s+(?:the\s+)?(?P<text>[^.!?\n]+?)\s*[.!]?\s*$")
_DENIES: Final = re.compile(r"\b(?:not|never|no|neither|nor|if|unless|except|or|either|[a-z]+n['’]t)\b", re.IGNORECASE)
_LINES: Final = re.compile(r"\n\s*")
_LEAD: Final = re.compile(
    r"(?:(?:so|thus|hence|therefore|finally|it\s+is|it's|that\s+is|this\s+is|"
    r"(?:i|we)(?:\s+would|'d|'ll)?\s+(?:choose|pick|select|go\s+(?:with|for))|choose|pick|select|go\s+with|"
    r"(?:the\s+)?(?:letter|option|choice|answer)(?:\s+(?:is|must\s+be))?)\b[,:]?\s*)+",
    re.IGNORECASE,
)
_YES_OR_NO: Final = re.compile(r"(yes|no|true|false)(?:[,.!:;]|\s+[-–—]|\s+because\b)\s*(?!no\b|yes\b)", re.IGNORECASE)
_TAGS: Final = re.compile(r"</?answer>", re.IGNORECASE)


def said(answer: str, options: Options) -> list[str]:
    """Return the explicit statements: "the answer is B"; where there is none, "B is correct"."""
    plain = answer.replace("**", "").replace("__", "")
    matches = [match for match in _STATEMENT.finditer(plain) if not _is_weighed(plain, match)]
    stated = [
        match["zh"] or match["asian"] or _cut((match["en"] or match["other"]).strip(), options) for match in matches
    ]
    stated = [statement for statement in stated if statement and not _IS_NO_STATEMENT.match(statement)]
    right = [match for match in _IS_RIGHT.finditer(plain) if not _is_weighed(plain, match)]
    found = stated or [match["letter"] or match["small"].upper() for match in right]
    return [*found, *_corrections(plain)] if found else []


def _corrections(text: str) -> list[str]:
    return [match["letter"] for match in _CORRECTED.finditer(text) if match["letter"].isupper()]


def _is_weighed(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - 80) : match.start()]
    return bool(_WEIGHED.search(_CLAUSE.split(before)[-1]))


def _cut(text: str, options: Options) -> str:
    """Return the statement without what follows it; a label keeps the text behind it, which may contradict it."""
    label = _LABEL.match(text)
    start = label.end() if label else 0
    head = text[:start] + _SENTENCE_END.split(text[start:])[0].strip()
    word = _YES_OR_NO.match(head)
    return word.group(1) if word and _names(word.group(1), options) else head


def last_line(answer: str, options: Options) -> list[str]:
    """Return the last line as an answer; the first one where only that names an option."""
    lines = _LINES.split(_TAGS.sub("", EMPTY_BOX.sub("", answer)).strip())
    last, first = (_of_line(lines[at].strip(), options) for at in (-1, 0))
    if options and not _names(last, options) and _names(first, options):
        return [first]
    return [last] if last else []


def _of_line(line: str, options: Options) -> str:
    plain = line.replace("**", "")
    ended = _corrections(plain)[-1:] or [match["letter"] for match in _CONCLUDED.finditer(plain)]
    if ended and not _DENIES.search(plain):
        return ended[0]
    if len(ended) == 1 and ended == _corrections(plain)[-1:]:
        return line
    predicate = _PREDICATE.fullmatch(plain)
    if predicate and not _DENIES.search(plain) and _names_alone(predicate["text"], plain, options):
        return predicate["text"]
    cut = _cut(line, options) or line
    bare = _LEAD.sub("", cut, count=1) if (found := _LEAD.match(cut)) and found.end() else cut
    return bare if _names(bare, options) else cut


def _names_alone(text: str, line: str, options: Options) -> bool:
    """Tell whether a text is an option's, and its line has no other option's: "the largest planet is Jupiter"."""
    low = line.lower()
    others = [each for each in options.values() if each and re.search(rf"\b{re.escape(each.lower())}", low)]
    return _names(text, options) and len(others) == 1 and fold(others[0]) == fold(text)


def _names(text: str, options: Options) -> bool:
    found = named(text, options) if text else None
    return found is not None and bool(found.letters)
