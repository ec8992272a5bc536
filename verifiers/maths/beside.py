r"""What stands beside a box in its sentence, outside of its formula, and makes another answer of it.

"or more", "half of", "9 or", "+ C": whoever writes this beside a box does not mean what is in the box. What is beside
it in the same formula belongs to the answer (see ``boxes``). Standard library only.
"""

from __future__ import annotations

import re
from typing import Final

from verifiers.corrections import TAKES_BACK, may_take_back
from verifiers.maths.reading.units import unit_of

_NEAR: Final = 80  # characters on either side that are looked at
_FAR: Final = 300  # behind the box, where a correction would stand


class _Kinds:
    """Patterns by what they tell, tried as one."""

    def __init__(self, patterns: dict[str, str]) -> None:
        self._names = list(patterns)
        self._any = re.compile("|".join(f"({pattern})" for pattern in patterns.values()), re.IGNORECASE)

    def at_the_start(self, text: str) -> str | None:
        """Name what a text begins with."""
        return self._named(self._any.match(text))

    def in_any(self, *texts: str) -> str | None:
        """Name what is in one of the texts."""
        return next((name for text in texts if (name := self._named(self._any.search(text))) is not None), None)

    def _named(self, match: re.Match[str] | None) -> str | None:
        return None if match is None or match.lastindex is None else self._names[match.lastindex - 1]


_VALUE: Final = r"\$?\s*[-−+]?\s*(?:\$\s*)?(?:\\[({\[]\s*)?(?:\d|\\d?frac|\\sqrt|\\pi)"
_ORDINALS: Final = r"halves|thirds|fourths|fifths|sixths|sevenths|eighths|ninths|tenths|hundredths|thousandths"
_BEHIND: Final = _Kinds(
    {
        "a bound": (
            r"(?:or|and)\s+(?:more|less|fewer|greater|higher|larger|smaller|bigger|lower|above|below|up|over|under|later"
            r"|earlier|older|younger|beyond|so)\b|at\s+(?:least|most)\b|(?:minimum|maximum|tops)\s*(?:[.;!]|$)"
        ),
        "another value": (
            rf"or\s+(?:else\s+|also\s+|possibly\s+|maybe\s+|perhaps\s+|even\s+)?{_VALUE}"
            rf"|(?:and|,|;|&)\s*(?:also\s+)?{_VALUE}[^\s$.,;]*\s*\$?\s*(?:[.;!?]?\s*(?:\n|$)|[.;!?]\s)"
        ),
        "an operation": (
            r"\\(?:times|cdot|pm|div|mp)(?![a-zA-Z])|[+×·÷±√^]\s*[\w\\($]|/\s*[\d\\($]|:\d|\*\s*\d|[-−]\d"
            r"|(?:plus|minus|times|over|divided\s+by|multiplied\s+by|to\s+the\s+power)\s+(?:of\s+)?[\d$\\]"
            r"|remainder\s+\S|(?:squared|cubed|factorial|pi|half|root)\b"
        ),
        "a condition": (
            r"(?:unless|provided\s+(?:that)?|assuming|only\s+if|iff)\b|if\s+[^.\n]{0,60}\b(?:otherwise|else)\b"
            r"|if\s+\$?\s*[a-z]\s*(?:[<>=≠≤≥]|\\(?:leq?|geq?|neq?)(?![a-zA-Z]))"
        ),
        "a part of a number": (
            rf"(?:{_ORDINALS})\b|and\s+(?:a|one|two|three)[\s-]+(?:half|third|quarter|fourth|fifth|tenth)|score\b"
        ),
    }
)
_LETTER: Final = re.compile(r"([b-zB-HJ-Z])\s*\$?\s*(?:[.,;!?]\s|[.,;!?]?\s*$)")  # glued, or the last of a sentence
_BEFORE: Final = _Kinds(
    {
        "another value": (
            r"\b(?:(?:answers?|results?|solutions?|values?)\s+(?:is|are|was|were|must\s+be|:)|either|neither|one\s+of)\s+"
            r"[^.\n]{0,30}(?:\d|\}|\\pi)\s*\$?\s*,?\s+(?:or|and|nor|to|through)\s*$"
            r"|(?:\b[a-z]+\s+-?\d+|\$-?\d+(?:\.\d+)?\$)\s+or\s*$|\bbetween\s+\S{1,20}\s+and\s*$"
        ),
        "a part or a multiple": (
            r"\b(?:half|third|thirds|quarter|quarters|fourth|fifth|tenth|twice|double|triple|thrice|quadruple"
            r"|(?:square|cube|cubic)\s+root|square|cube|reciprocal|inverse|opposite|negation|logarithm|absolute\s+value)"
            r"(?:\s+of|\s+as\s+\w+\s+as)?(?:\s+(?:the|a|an))?\s*$"
        ),
        "an exception": (
            r"\b(?:(?:anything|everything|everyone|anyone|nothing|any\s+\w+|all)\s+but|except(?:\s+for)?|excluding|besides"
            r"|apart\s+from|aside\s+from|other\s+than|different\s+from|distinct\s+from|unequal\s+to|far\s+from)\s*$"
        ),
        "a bound": (
            r"\b(?:answer|result|value|solution|total|it)\s+(?:is|was|must\s+be|should\s+be|can\s+be|may\s+be|will\s+be|:)\s*"
            r"(?:at\s+(?:most|least)|no\s+(?:more|less|fewer)\s+than|up\s+to|(?:an?\s+)?(?:multiple|divisor)\s+of"
            r"|divisible\s+by|bounded\s+by|limited\s+to|close\s+to|near(?:ly)?|almost|not\s+quite|just\s+(?:under|over))\s*$"
            r"|(?<![<\w/])[a-zA-Z]\s*[<>≠]\s*\$?\s*$|\\(?:geq?|leq?|neq?|gt|lt)(?:slant)?\s*\$\s*\$?\s*$"
        ),
        "an operation": (
            r"[\d)]\s*\$?\s*[-−+/×·^÷]\s*$|\d\*\s*$|(?<=[\s(:=])[-−]$|√\s*$"
            r"|\\(?:cdot|times|div|pm|log|ln|sqrt|sin|cos|tan|exp)(?![a-zA-Z])\s*\$?\s*$|\$\s*[-−+]\s*\$*\s*$"
            r"|(?<![\w}])\d*/\s*$|\d\.$"
        ),
    }
)
# The last words of what _BEFORE finds, commands too; any other word there says nothing, which is cheap to see.
_ENDINGS: Final = """
or and nor to through of as the a an half third thirds quarter quarters fourth fifth tenth twice double triple thrice
quadruple root square cube reciprocal inverse opposite negation logarithm value but except for excluding besides from
than most least by near nearly almost quite under over geq ge leq le neq ne gt lt geqslant leqslant geslant leslant
neqslant neslant gtslant ltslant cdot times div pm log ln sqrt sin cos tan exp
"""
_LAST_WORDS: Final = frozenset(_ENDINGS.split())
_LAST_WORD: Final = re.compile(r"[a-zA-Z]+(?=\s*$)")
_WORDS: Final = re.compile(r"\\(?:text|mbox|mathrm|textrm)\s*\{([^{}]*)\}")
_JOINED: Final = re.compile(r"(?:\d|\}|\\pi)\s*(?:or|and|to)\s*$")
_MARKUP_BEFORE: Final = re.compile(r"(?:\*\*|__|[\s({\[:]|\\[\[(]|\$)+$")
_MARKUP_BEHIND: Final = re.compile(r"(?:\*\*|__|[ \t}]|\\[,;:! ]|~)*\n?[ \t]*")
_CORRECTION: Final = re.compile(
    r"(?:^|[.!?\n]\s*)(?:(?:no|hmm|oh|but)[,.!]?\s+)?"
    rf"(?:{TAKES_BACK}|my\s+mistake|i\s+made\s+(?:a|an)\s+(?:\w+\s+)?(?:error|mistake))\b"
    r"[^\d\n]{0,80}?\b(?:is|be|are|equals?|it['’]s|to|answer:?|result:?)[\s:$*\\({\[]*"
    r"(?P<value>[-−]?\d[\d.,/]*)",
    re.IGNORECASE,
)


def beside_in_formula(front: str, back: str) -> str | None:
    r"""Return what words in the formula of a box make another answer of it, as in ``9\text{ or }\boxed{8}``; else None.

    Args:
        front: the formula before the box.
        back: the formula behind it.
    """
    ends_in_word = front.rstrip().rstrip("}").rstrip().endswith(("or", "and", "to"))
    if ends_in_word and _JOINED.search(_WORDS.sub(r"\1", front)):
        return "another value before the box"
    return beside("", "", _WORDS.sub(r"\1", back)) if "\\" in back and _WORDS.search(back) else None


def _ahead(text: str) -> str | None:
    """Name what stands before a box, in the end of the text there."""
    plain = _MARKUP_BEFORE.sub(lambda match: " " if match.group()[0].isspace() else "", text)
    last = _LAST_WORD.search(plain)
    if last is not None and last.group().lower() not in _LAST_WORDS:
        return None
    return _BEFORE.in_any(plain, text) if "$" in text[len(plain.rstrip()) :] else _BEFORE.in_any(plain)


def beside(before: str, text: str, behind: str) -> str | None:
    """Return what is beside a box and makes another answer of it; None where nothing does.

    Args:
        before: the text before the formula that holds the box; empty where that formula says more before its box.
        text: what is in the box.
        behind: the text behind that formula.
    """
    what = _ahead(before[-_NEAR:]) if before else None
    if what is not None:
        return f"{what} before the box"
    markup = _MARKUP_BEHIND.match(behind)
    near = behind[markup.end() if markup else 0 : _NEAR]
    what = _BEHIND.at_the_start(near)
    if what is not None:
        return f"{what} behind the box"
    letter = _LETTER.match(near)
    if letter and unit_of(letter.group(1)) is None:
        return "a letter behind the box"
    far = behind[:_FAR]
    corrected = _CORRECTION.search(far) if may_take_back(far) else None
    if corrected and corrected["value"].rstrip(".,") not in text:
        return "the box is corrected later"
    return None
