"""A response as words, lines and sentences, as IFBench's checker takes them apart."""

from __future__ import annotations

import re
import string
import unicodedata
from typing import TYPE_CHECKING, Final

from verifiers.instructions.checks import Undecidable
from verifiers.instructions.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterable

_ASCII_MARKS: Final = frozenset(string.punctuation)
_CLOSING: Final = "\"'”’)]}*_` "
# Pictographs and flags, and of older signs those that Unicode lists as emoji (emoji-data.txt): ✔ and ☀, not ✓ and ★.
EMOJI: Final = re.compile(
    "[\U0001f000-\U0001faff©®‼⁉™ℹ↔-↙↩↪⌚⌛⌨⏏⏩-⏳⏸-⏺Ⓜ▪▫▶◀◻-◾☀-☄☎☑☔☕☘☝☠☢☣☦☪☮☯☸-☺♀♂♈-♓♟♠♣♥♦♨♻♾♿⚒-⚗⚙⚛⚜⚠⚡⚧⚪⚫⚰⚱⚽⚾⛄⛅⛈⛎⛏⛑⛓⛔⛩⛪⛰-⛵⛷-⛺⛽"
    "✂✅✈-✍✏✒✔✖✝✡✨✳✴❄❇❌❎❓-❕❗❣❤➕-➗➡➰➿⤴⤵⬅-⬇⬛⬜⭐⭕〰〽㊗㊙]"
)
EMOJI_JOINERS: Final = "\ufe0e\ufe0f\u200d\u20e3"


def settled(sure: bool, possible: bool, why: str) -> bool:
    """What both readings of a constraint say.

    Args:
        sure: whether it holds, read strictly.
        possible: whether it holds, read loosely.
        why: what the two take differently.

    Raises:
        Undecidable: it holds in one reading alone.
    """
    if sure != possible:
        raise Undecidable(why)
    return sure


def is_mark(char: str) -> bool:
    """Whether a character is punctuation, in ASCII or beyond."""
    return char in _ASCII_MARKS or unicodedata.category(char).startswith("P")


def without_marks(text: str) -> str:
    """The text without its punctuation, so that "don't" is "dont"."""
    return "".join(char for char in text if not is_mark(char))


def bare_words(text: str) -> list[str]:
    """Words in small letters, without punctuation."""
    return without_marks(text.lower()).split()


def stripped_words(text: str) -> list[str]:
    """What stands between blanks, in small letters, without the punctuation around it."""
    return [word for raw in text.lower().split() if (word := stripped(raw))]


def stripped(word: str) -> str:
    """A word without the punctuation around it."""
    start, end = 0, len(word)
    while start < end and is_mark(word[start]):
        start += 1
    while end > start and is_mark(word[end - 1]):
        end -= 1
    return word[start:end]


def tokens(text: str) -> list[str]:
    """Words in small letters as Treebank has them: contractions are two, punctuation is none."""
    found = re.findall(r"\w[\w.’'/-]*", text.lower())
    apart = (
        re.sub(r"(\w)(n't|'s|'m|'d|'ll|'re|'ve)$", r"\1 \2", word.strip("_").rstrip(".'’-/").replace("’", " "))
        for word in found
    )
    return [part for word in apart for part in word.split()]


def sentences(text: str) -> list[str]:
    """Sentences that have words."""
    return [sentence for sentence in split_sentences(text) if re.search(r"\w", sentence)]


def end_marks(found: Iterable[str], *, beyond_quotes: bool) -> list[str]:
    """The last character of each sentence, or the last before closing quotes, brackets and asterisks."""
    return [(sentence.rstrip(_CLOSING) if beyond_quotes else sentence)[-1:] for sentence in found]


def lines(text: str) -> list[str]:
    """Lines that are not blank."""
    return [line for line in text.splitlines() if line.strip()]
