"""The options of a multiple-choice prompt, and what a short text names among them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from verifiers.maths.text import read_number, tidy
from verifiers.maths.words import MAX_CHARS, core

# "A." "(A)" "A)" "A:" "[A]" "**A.**" "- A." "1." before a blank and a text; also with a full-width stop or colon.
_MARK: Final = re.compile(
    r"(?:(?<=\s)|^)(?:[-*•]\s+)?[*_(\[（]*([A-Ja-j1-9])(?:[.):\]．：、）]+[*_]*|[*_]+)(?=\s|\S)", re.MULTILINE
)
_LETTERS: Final = "ABCDEFGHIJ"
_LETTER: Final = re.compile(
    r"(?:\\[(\[]|[\s*_$(\[（“\"'])*(?:option|choice|选项)?\s*[(\[（]?([A-Ja-j])[)\]）]?(?:\\[)\]]|[\s*_$.。:：)”\"'])*",
    re.IGNORECASE,
)
_LABELLED: Final = re.compile(r"[*_(\[（]*([A-J])(?:[)\]）][.:]?|[.:：、])[*_]*\s*(\S.*)", re.DOTALL)
# A label and a text with a dash or brackets between them, or the label behind the text.
_LABEL_BESIDE: Final = re.compile(r"[*_]*([A-J])[*_]*\s*(?:[-–—]\s*|\(|（)(\S[^()]*?)[)）]?[.]?", re.DOTALL)
_LABEL_BEHIND: Final = re.compile(r"(\S.*?)\s*[(\[（]([A-J])[)\]）][.]?", re.DOTALL)
_SMALL_LABEL: Final = re.compile(r"[*_(\[（]*([a-j])[)\]）.:：]+[*_]*\s*(\S.*)", re.DOTALL)
_SEVERAL: Final = re.compile(r"[(\[]?([A-J])[)\]]?(?:\s*(?:,|;|&|、|，|and|和)\s*(?:and\s+)?[(\[]?([A-J])[)\]]?)+\.?")
_NUMBERED: Final = re.compile(r"[(\[]?([1-9])(?:[)\].:]+\s*(\S.*)?)?", re.DOTALL)
_SHORT_WORDS: Final = 12


class Named(NamedTuple):
    """What a text says.

    Attributes:
        letters: of the options it names, or empty.
        text: in one spelling, where it names none.
    """

    letters: frozenset[str]
    text: str


class Options(dict[str, str]):
    """Texts by upper-case letter; 1, 2, 3 are A, B, C.

    Attributes:
        are_numbered: whether a digit is a label.
    """

    are_numbered = False


def options_of(prompt: str) -> Options:
    """Return the options of a prompt; none where it lists none.

    The last run of consecutive labels that begins with the first one counts: examples come before the question.
    """
    runs: list[list[re.Match[str]]] = []
    for mark in _MARK.finditer(prompt):
        index = _index(mark.group(1))
        if index == 0:
            runs.append([mark])
        elif runs and index == len(runs[-1]) and _same_kind(runs[-1][0], mark):
            runs[-1].append(mark)
    found = [run for run in runs if len(run) >= 2]
    if not found:
        return Options()
    run = found[-1]
    ends = [mark.start() for mark in run[1:]] + [_end_of_last(prompt, run[-1].end())]
    texts = [prompt[mark.end() : end].strip(" \t\n*_;,") for mark, end in zip(run, ends, strict=True)]
    options = Options(zip(_LETTERS, texts, strict=False))
    options.are_numbered = run[0].group(1).isdigit()
    return options


def _index(label: str) -> int:
    return int(label) - 1 if label.isdigit() else _LETTERS.index(label.upper())


def _same_kind(first: re.Match[str], other: re.Match[str]) -> bool:
    a, b = first.group(1), other.group(1)
    return (a.isdigit(), a.isupper()) == (b.isdigit(), b.isupper())


def _end_of_last(prompt: str, start: int) -> int:
    end = prompt.find("\n", start)
    return len(prompt) if end < 0 else end


def named(text: str, options: Options) -> Named | None:
    """Return what a short text names: options by letter, by label and text, or by text alone; else itself.

    None where it is long, names an option's text that stands under two letters, or one's label beside another's text.
    """
    text = _plain(core(_plain(text)))
    several = _letters(text, options)
    if several:
        return Named(several, "")
    label = _label_of(text, options)
    if label is not None:
        letter, rest = label
        told = _holding(rest, options)
        return None if told and letter not in told else Named(frozenset(letter), "")
    holding, folded = _holding(text, options), fold(text)
    if len(holding) > 1:
        return None
    if holding:
        return Named(frozenset(holding), "")
    return Named(frozenset(), folded) if folded and len(folded.split()) <= _SHORT_WORDS else None


def _label_of(text: str, options: Options) -> tuple[str, str] | None:
    """Return the letter of a text that is a label or begins with one, and what may be an option's text; or None."""
    alone = _LETTER.fullmatch(text)
    if alone and (text.strip(" *_$.()[]（）").isupper() or options):
        return alone.group(1).upper(), ""
    number = _NUMBERED.fullmatch(text) if options.are_numbered else None
    if number and int(number.group(1)) <= len(options):
        return _LETTERS[int(number.group(1)) - 1], number.group(2) or number.group(1)
    labelled = _LABELLED.fullmatch(text)
    small = _SMALL_LABEL.fullmatch(text) if options else None
    if small and small.group(1).upper() in _holding(small.group(2), options):
        return small.group(1).upper(), small.group(2)
    if labelled and (not options or labelled.group(1) in options):
        return labelled.group(1), labelled.group(2)
    return _label_beside(text, options) if options else None


def _label_beside(text: str, options: Options) -> tuple[str, str] | None:
    """Return the letter and the text of ``B - a whale``, ``B (a whale)``, ``a whale (B)``, where it is an option's."""
    for pattern, letter, body in ((_LABEL_BESIDE, 1, 2), (_LABEL_BEHIND, 2, 1)):
        match = pattern.fullmatch(text)
        if match and match.group(letter) in options and _holding(match.group(body), options):
            return match.group(letter), match.group(body)
    return None


def _holding(text: str, options: Options) -> list[str]:
    """Return the letters under which a text stands."""
    folded = fold(text)
    return [letter for letter, option in options.items() if folded and fold(option) == folded]


def _letters(text: str, options: Options) -> frozenset[str]:
    """Several letters: ``A, C`` or ``A and C``, and ``ACD`` where the prompt lists options."""
    bare = text.strip(" .()[]$")
    if _SEVERAL.fullmatch(bare):
        return frozenset(re.findall(r"\b[A-J]\b", bare))
    is_run = len(bare) > 1 and bare.isupper() and set(bare) <= set(options) and sorted(set(bare)) == list(bare)
    return frozenset(bare) if is_run else frozenset()


def _plain(text: str) -> str:
    r"""Without ``\text{}`` and its kin, emphasis, and white space at the ends."""
    found = text.strip()
    while (match := re.fullmatch(r"\\(?:text|mathrm|mathbf|textbf)\s*\{(.*)\}", found, re.DOTALL)) is not None:
        found = match.group(1).strip()
    found = re.sub(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}", r"\1", found)
    return re.sub(r"^\*\*(.*)\*\*$", r"\1", found, flags=re.DOTALL).strip()


def fold(text: str) -> str:
    """Return one spelling of a short text: numbers by value, words in lower case without their last stop."""
    plain = _plain(text)
    if len(plain) <= MAX_CHARS:
        plain = tidy(plain)
    number = read_number(plain)
    if number is not None:
        return str(number.value)
    return " ".join(plain.lower().replace("\\", " ").split()).strip(" .'\"`")
