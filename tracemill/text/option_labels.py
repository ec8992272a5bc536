"""Labels of lists, however they are lettered; and the stem of a multiple-choice question, without its options.

``A.``, ``(a)``, ``1)``, ``①``, ``[II]``, ``**C:**``, ``Option B:``, ``가.``, ``(क)``, ``甲、``: the same question is
found whichever of them stands before its options. Labels count where they follow each other from the first one on, in
one setting: three of them, or two that begin lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracemill.text.character_forms import one_form
from tracemill.text.normal_form import normal_words
from tracemill.text.options import speaks_of_options, without_letter_request

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
# By label: the alphabets that it is of, and its place there.
_PLACES: Final = {
    label: tuple((number, labels.index(label)) for number, labels in enumerate(_ALPHABETS) if label in labels)
    for label in {label for labels in _ALPHABETS for label in labels}
}
_LABEL: Final = "|".join(sorted(_PLACES, key=lambda text: (-len(text), text)))
# A label and how it is set; what stands before it is looked at where this is found. 1.5 is none; "A - " only where it
# begins a line.
_MARK: Final = re.compile(
    rf"(?=[{''.join(sorted({label[0] for label in _PLACES}))}])(?P<name>{_LABEL})(?:(?P<dash>\s+[-–—]\s)"
    r"|\s*(?P<close>[)\]>])[.:]?|(?P<stop>[.:])\)?(?!(?<=\d.)\d))[*_]{0,2}"
)
_BEFORE: Final = re.compile(
    r"(?:\A|(?<=[\s$}\].,;?:])|(?<=quad)|(?<=[^\x00-\x7f])(?=\())(?:(?:option|choice|选项)\s+)?"
    r"(?:\${0,2}\\(?:textbf|text|mathrm|mathbf|rm|bf|textrm|mathsf)\s*\{?\s*)?(?:\\ )?[*_]{0,2}(?P<open>[(\[<]\s*)?\Z",
    re.IGNORECASE,
)
# What may stand before a label; stops and commas only in text beyond ASCII, where no blank need follow them.
_NEXT_TO: Final = frozenset(" \t\n\r$}])([<*_{?:")
_STOPS: Final = frozenset(".,;")
_OPENING: Final = {")": "(", "]": "[", ">": "<"}
_LONGEST_BEFORE: Final = 32
# The first two labels of a list: what a text must hold to be looked at. What stands behind a label is rarer than what a
# label is, and first a set, so that re is fast.
_SECOND: Final = re.compile(
    r"[-.):\]>](?:(?<=[\s\[<*_{}$?:][Bb2].)|(?<=[\s$}*{]\([Bb2].)|(?<=[\s(\[<*_]ii.)|(?<=[\s(\[<*_]II.)|(?<=\n[Bb2] -))"
)
_FIRST: Final = re.compile(
    r"[-.):\]>](?:(?<=[\s\[<*_{}$?:][Aa1iI].)|(?<=[\s$}*{]\([Aa1iI].)|(?<=\n[Aa1I] -)"
    r"|(?<=\A[Aa1iI].)|(?<=\A\([Aa1iI].))"
)
_SECOND_OF_ANY: Final = re.compile(
    rf"[-–—.):\]>](?<=[Ii{''.join(labels[1] for labels in _ALPHABETS if len(labels[1]) == 1)} ].)"
)
_BEHIND_LABEL: Final = re.compile(r"(?<=\w)、")
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
    """The text with each label of a list as a line break, then in one form of characters; as it is where none is."""
    readable = _readable(text)
    labels = [] if readable is None else [label for run in _runs(readable) for label in run]
    if readable is None or not labels:
        return text
    parts, last = [], 0
    for label in sorted(labels, key=lambda label: label.start):
        if label.start >= last:
            parts.append(readable[last : label.start])
            last = label.end
    return "\n".join([*parts, readable[last:]])


def stem_of(text: str) -> str | None:
    """What a multiple-choice question asks, without its options; None where it has none, or says too little alone.

    Too little: what is asked of the options ("which of the following is prime?") in few words, and what many ask.
    """
    text = _readable(text) or ""
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


def _readable(text: str) -> str | None:
    """In one form; the ideographic comma, which stands behind labels, as a stop. None where there can be no list."""
    folded = one_form(_BEHIND_LABEL.sub(". ", text) if "、" in text else text)
    if folded.isascii():
        return folded if _SECOND.search(folded) and _FIRST.search(folded) else None
    return folded if _SECOND_OF_ANY.search(folded) else None


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
    for label, name, setting in _labels(text):
        for number, place in _PLACES.get(name, ()):
            run = open_runs.setdefault((number, setting), [])
            if place == 0:
                open_runs[number, setting] = [label]
                found.append(open_runs[number, setting])
            elif place == len(run):
                run.append(label)
    for run in found:
        if len(run) >= (_FEWEST_LINES if all(label.begins_line for label in run) else _FEWEST) and _have_texts(
            text, run
        ):
            yield run


def _labels(text: str) -> Iterator[tuple[_Label, str, str]]:
    """Yield what may be labels, with their names and settings."""
    next_to = _NEXT_TO if text.isascii() else _NEXT_TO | _STOPS
    for mark in _MARK.finditer(text):
        previous = text[mark.start() - 1] if mark.start() else " "
        if previous not in next_to and previous.isascii():
            continue
        before = _BEFORE.search(text, max(0, mark.start() - _LONGEST_BEFORE), mark.start())
        opened = before["open"][0] if before and before["open"] else ""
        if before is None or (opened and _OPENING.get(mark["close"] or "") != opened):
            continue
        if mark["close"] in ("]", ">") and not opened:
            continue
        line = text.rfind("\n", 0, before.start()) + 1
        begins_line = not text[line : before.start()].strip(" \t*_-")
        if begins_line or not mark["dash"]:
            setting = opened or mark["close"] or mark["stop"] or "-"
            yield _Label(before.start(), mark.end(), begins_line), mark["name"], setting


def _have_texts(text: str, run: Sequence[_Label]) -> bool:
    ends = [label.start for label in run[1:]] + [len(text)]
    return all(re.search(r"\w", text[label.end : end]) for label, end in zip(run, ends, strict=True))
