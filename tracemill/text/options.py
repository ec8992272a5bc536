"""The lettered options of a multiple-choice prompt, with their places in it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_LETTERS: Final = "ABCDEFGHIJ"
_FEWEST: Final = 3  # two labels are also two cases, or two points
# "(A) x", "A. x", "A) x", "A: x", "**A.** x", "A、x", "$\textbf{(A)}\ x\qquad", "\mathrm{(A) \ } x", "$\bullet$ A. x"
_MARK: Final = re.compile(
    r"(?:(?<=[\s$}\]、。，,;；:：.?？)）])|(?<=quad)|\A)"
    r"(?:\${0,2}\\(?:textbf|text|mathrm|mathbf|rm|bf|textrm|mathsf)\s*\{?\s*)?(?:\\ )?[*_]{0,2}"
    r"(?:[(（\[]\s*([A-J])\s*[)）\]][.:]?|([A-J])(?:(?:\.\)|[.．、:：)）])(?=\s|\\|\$|\})|[.．、:：](?=[^\sA-Z])))[*_]{0,2}(?:\s*\\?\s*\}+)?"
)
_REQUEST: Final = (
    r"\b(?:enter|write|give|answer with|choose|select)\s+(?:only\s+)?(?:your answer as\s+)?the\s+(?:\w+\s)?letters?\b"
    r"(?!\s+of\s+the\s+word)"
    r"|\b(?:express|write|give|enter)\s+your\s+answer\s+as\s+(?:[A-J],|the\s+letter|a\s+letter|a\s+block\s+of\s+letters)"
    r"|\byour\s+answer\s+is\s+the\s+letter\b"
    r"|\b(?:choose|select|pick|mark)\s+the\s+(?:correct|right|best)\s+(?:answer|option|choice|alternative)s?\b"
)
_LETTER_ASKED: Final = re.compile(_REQUEST, re.IGNORECASE)
_ASKING_SENTENCE: Final = re.compile(rf"(?:\A|(?<=[.!?\n]))[^.!?\n]*?(?:{_REQUEST})[^.!?\n]*[.!?]?", re.IGNORECASE)
# What refers to the options: without them there is no question.
_SPEAKS_OF_OPTIONS: Final = re.compile(
    r"\b(?:following|below|listed|letter|options?|choices?|alternatives?|statements?|closest|nearest|most likely)\b"
    r"|\b(?:could|may|can|might|cannot|must not|not) be\b|\bbest (?:describes?|estimate|approximat\w+)\b"
    r"|\b(?:which|what) (?:one )?of (?:the|these|them)\b"
    r"|\bwhich (?:\w+ )?(?:answer|expression|equation|graph|number)s?\b"
    r"|则\s*[(（]|命题|说法|结论|叙述|判断|下列|以下|下面|选项|哪(?:个|一|项|些|种|位|幅|组)|最接近|可能|正确的|错误的|不正确",
    re.IGNORECASE,
)
_DRAWING: Final = re.compile(r"\[asy\].*?\[/asy\]|\\begin\{tikzpicture\}.*?\\end\{tikzpicture\}|```.*?```", re.DOTALL)
_FILLING: Final = re.compile(r"(?:\\(?:qquad|quad|hspace\{[^}]*\}|newline|\\|[ ,;:!])|\\textbf\s*$|~|\s|\$\\bullet\$)+")


class Option(NamedTuple):
    """One option.

    Attributes:
        start: where its label begins in the prompt.
        end: where its text ends.
    """

    letter: str
    text: str
    start: int
    end: int


def lettered_options(prompt: str) -> list[Option]:
    """Return the options A, B, C, … of a prompt, at least three; empty where it lists none.

    The last run of consecutive letters from A on counts: examples come before the question. The last option ends with
    its line.
    """
    if "A" not in prompt or "B" not in prompt:
        return []
    run = _last_run(_DRAWING.sub(lambda drawing: " " * len(drawing.group()), prompt))
    if len(run) < _FEWEST:
        return []
    ends = [mark.start() for mark in run[1:]] + [_end_of_last(prompt, run[-1].end())]
    texts = [_bare(prompt[mark.end() : end]) for mark, end in zip(run, ends, strict=True)]
    if not all(texts):
        return []
    return [
        Option(_LETTERS[i], text, mark.start(), end)
        for i, (mark, text, end) in enumerate(zip(run, texts, ends, strict=True))
    ]


def _last_run(prompt: str) -> list[re.Match[str]]:
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for mark in _MARK.finditer(prompt):
        place = _LETTERS.index(mark.group(1) or mark.group(2))
        if place == 0:
            run = [mark]
        elif place == len(run):
            run.append(mark)
        if len(run) >= min(len(best), _FEWEST):
            best = run
    return best


def is_multiple_choice(prompt: str) -> bool:
    """Tell whether a prompt lists lettered options, or asks for a letter of options that stand in a drawing."""
    return bool(lettered_options(prompt)) or ("letter" in prompt and _LETTER_ASKED.search(prompt) is not None)


def speaks_of_options(text: str) -> bool:
    """Tell whether a question refers to its options: without them there is no question."""
    return _SPEAKS_OF_OPTIONS.search(text) is not None


def without_letter_request(text: str) -> str:
    """Return the text without a sentence that asks for an option's letter."""
    return _ASKING_SENTENCE.sub("", text)


def _end_of_last(prompt: str, start: int) -> int:
    """Of the line of the last option's text, which may begin on the next line; or where a letter is asked for."""
    while start < len(prompt) and prompt[start] in " \t\n":
        start += 1
    end = prompt.find("\n", start)
    asked = _LETTER_ASKED.search(prompt, start)
    return min(len(prompt) if end < 0 else end, asked.start() if asked else len(prompt))


def _bare(text: str) -> str:
    """Return an option's text without the blanks of typesetting around it and without a half of a pair of dollars."""
    previous = None
    while text != previous:
        previous = text
        text = text.strip(" \t\n;,*_")
        leading, trailing = _FILLING.match(text), None
        text = text[leading.end() :] if leading else text
        for match in _FILLING.finditer(text):
            trailing = match if match.end() == len(text) else trailing
        text = text[: trailing.start()] if trailing else text
        if text.count("$") == 1 or text.count("$$") == 1:
            text = text.strip("$")
    return text
