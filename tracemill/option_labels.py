"""Labels of lists, however they are lettered; and the stem of a multiple-choice question, without its options.

``A.``, ``(a)``, ``1)``, ``①``, ``[II]``, ``**C:**``, ``Option B:``, ``가.``, ``(क)``, ``甲、``: the same question is
found whichever of them stands before its options. Labels count where they follow each other from the first one on, in
one setting: three of them, or two that begin lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracemill.character_forms import one_form
from tracemill.normal_form import normal_words
from tracemill.options import speaks_of_options, without_letter_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Latin, Greek, Cyrillic, Hebrew, Arabic (also without hamza), Devanagari (two ways), Bengali, Tamil, Thai, hangul
# syllables and letters, kana (two ways), and Chinese signs for the first, the second, … In one form of characters.
_ALPHABETS: Final = tuple(
    labels.split() if " " in labels else list(labels)
    for labels in (
        "ABCDEFGHIJ",
        "abcdefghij",
        "1 2 3 4 5 6 7 8 9 10",
        "i ii iii iv v vi vii viii ix x",
        "I II III IV V VI VII VIII IX X",
        "αβγδεζηθ",
        "АБВГДЕЖЗ",
        "абвгдежз",
        "אבגדהוזח",
        "أ ب ج د ه و",
        "ا ب ج د ه و",
        "कखगघङच",
        "अबसद",
        "কখগঘঙচ",
        "அஆஇஈஉ",
        "กขคงจฉ",
        "가나다라마바",
        "ᄀᄂᄃᄅᄆᄇ",
        "アイウエオカ",
        "イロハニホヘ",
        "甲乙丙丁戊己",
        "一二三四五六",
    )
)
_LABEL: Final = "|".join(
    sorted({label for labels in _ALPHABETS for label in labels}, key=lambda text: (-len(text), text))
)
# Where a label may begin, and how it is set. 1.5 is none; "A - " only where it begins a line.
_MARK: Final = re.compile(
    r"(?:(?<=[\s$}\].,;?:])|(?<=quad)|\A|(?<=[^\x00-\x7f])(?=\())(?:(?:option|choice|选项)\s+)?"
    r"(?:\${0,2}\\(?:textbf|text|mathrm|mathbf|rm|bf|textrm|mathsf)\s*\{?\s*)?(?:\\ )?[*_]{0,2}"
    rf"(?:(?P<open>[(\[<])\s*(?P<inside>{_LABEL})\s*[)\]>][.:]?"
    rf"|(?P<bare>{_LABEL})(?:(?P<close>\))|(?P<stop>[.:])\)?(?!(?<=\d.)\d)|(?P<dash>\s+[-–—]\s)))[*_]{{0,2}}",
    re.IGNORECASE,
)
_MAYBE: Final = re.compile(r"[Aa1iI](?:[.):\]>]| [-–—] )")
_FEWEST: Final = 3
_FEWEST_LINES: Final = 2
# Parts of a problem are lettered as options are.
_ASKS: Final = re.compile(
    r"\?|？|\A\W*(?:find|show|prove|determine|compute|calculate|what|how|if|write|sketch|evaluate|solve|state|explain|give"
    r"|draw|express|hence|deduce|use|describe|verify|simplify|求|证明|計算|计算|若|当|写出)\b",
    re.IGNORECASE,
)
_LEFT_OVER: Final = re.compile(
    r"(?:\s|\$\\bullet\$|[*_]{2}|(?<=\s)[-*•]|\\\\|\\q?quad|\$?\\textbf\{?|(?:(?:answer\s+)?(?:options|choices)|选项|選択肢|보기)\s*[:：]?)*\Z",
    re.IGNORECASE,
)
_LEAST_WORDS: Final = 4
_MANY_WORDS: Final = 16  # a longer stem that speaks of its options says enough about what they are
_LEAST_TELLING: Final = 2
# Of them alone no question is made that is told from others by its words.
_GENERIC_WORDS: Final = """
a an and are as at be by can choose correct answer does did do each every for from given has have how if in is it
its many much most of on one option or out select that the their them then there these this to true false was
were what when where which who whose why will with would best following statement statements question choice
find solve simplify determine value values expression equation equations result solution solutions sum product
difference quotient number numbers total amount cost price integer integers x y z n k m a b c d
area perimeter volume length width height radius diameter circumference angle measure degree triangle square
rectangle circle cube sphere figure diagram graph shown below above shaded region part function f g root roots
probability percent ratio average mean median mode time distance speed age
"""
_GENERIC: Final = frozenset(_GENERIC_WORDS.split())


@dataclass(frozen=True)
class _Label:
    """One label: where it stands, and what may be told from its setting."""

    start: int
    end: int
    begins_line: bool


def without_option_labels(text: str) -> str:
    """The text in one form of characters, each label of a list as a line break; ASCII text without any as it is."""
    if not _may_have(text):
        return text
    text = _readable(text)
    parts, last = [], 0
    for label in sorted((label for run in _runs(text) for label in run), key=lambda label: label.start):
        if label.start >= last:
            parts.append(text[last : label.start])
            last = label.end
    return "\n".join([*parts, text[last:]])


def stem_of(text: str) -> str | None:
    """What a multiple-choice question asks, without its options; None where it has none, or says too little alone.

    Too little: what is asked of the options ("which of the following is prime?") in few words, and what many ask.
    """
    if not _may_have(text):
        return None
    text = _readable(text)
    runs = list(_runs(text))
    if not runs:
        return None
    run = max(runs, key=lambda labels: labels[0].start)
    ends = [label.start for label in run[1:]] + [_line_end(text, run[-1].end)]
    options = [text[label.end : end] for label, end in zip(run, ends, strict=True)]
    if any(_ASKS.search(option) for option in options) or without_letter_request(text[ends[-1] :]).strip(" \n$*"):
        return None
    stem = _LEFT_OVER.sub("", without_letter_request(_LEFT_OVER.sub("", text[: run[0].start])))
    return stem if _says_enough(stem) else None


def _says_enough(stem: str) -> bool:
    words = normal_words(stem)
    telling = {word for word in words if word not in _GENERIC and (word.isalnum() or not word.isascii())}
    if len(words) < _LEAST_WORDS or len(telling) < _LEAST_TELLING:
        return False
    return len(words) >= _MANY_WORDS or not speaks_of_options(stem)


def _may_have(text: str) -> bool:
    return not text.isascii() or _MAYBE.search(text) is not None


def _readable(text: str) -> str:
    """In one form; the ideographic comma, which stands behind labels, as a stop."""
    return one_form(re.sub(r"(?<=\w)、", ". ", text))


def _line_end(text: str, start: int) -> int:
    """Of the line of the last option, which may begin on the next one."""
    while start < len(text) and text[start].isspace():
        start += 1
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _runs(text: str) -> Iterator[Sequence[_Label]]:
    """Labels that follow each other from the first of their alphabet on, in one setting, each before some text."""
    open_runs: dict[tuple[int, str], list[_Label]] = {}
    found: list[list[_Label]] = []
    for mark in _MARK.finditer(text):
        name = mark["inside"] or mark["bare"]
        setting = mark["open"] or mark["close"] or mark["stop"] or "-"
        label = _Label(mark.start(), mark.end(), not text[: mark.start()].rpartition("\n")[2].strip(" \t*_-"))
        for number, alphabet in enumerate(_ALPHABETS):
            if name not in alphabet or (mark["dash"] and not label.begins_line):
                continue
            run = open_runs.setdefault((number, setting), [])
            if alphabet.index(name) == 0:
                open_runs[number, setting] = [label]
                found.append(open_runs[number, setting])
            elif alphabet.index(name) == len(run) and run:
                run.append(label)
    for run in found:
        if len(run) >= (_FEWEST_LINES if all(label.begins_line for label in run) else _FEWEST) and _have_texts(
            text, run
        ):
            yield run


def _have_texts(text: str, run: Sequence[_Label]) -> bool:
    ends = [label.start for label in run[1:]] + [len(text)]
    return all(re.search(r"\w", text[label.end : end]) for label, end in zip(run, ends, strict=True))
