"""IFBench's rules for sentences one after the other."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from verifiers.instructions.checks import Undecidable
from verifiers.instructions.ifbench.reading import (
    EMOJI,
    EMOJI_JOINERS,
    bare_words,
    sentences,
    settled,
    stripped_words,
    without_marks,
)
from verifiers.instructions.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

_N_SENTENCES: Final = 3
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def keyword_in(text: str, *, word: str, N: int) -> bool:  # noqa: N803 - the set's name
    """The n-th sentence has the keyword as a word of its own."""
    found = sentences(text)
    if not 1 <= N <= len(found):
        return False
    wanted = word.strip().lower()
    sentence = f" {found[N - 1].lower()} "
    places = [place for place in range(len(sentence)) if sentence.startswith(wanted, place)]
    return any(not _joins(sentence[place - 1]) and not _joins(sentence[place + len(wanted)]) for place in places)


def _joins(char: str) -> bool:
    return char.isalnum() or char == "_"


def emoji(text: str) -> bool:
    """Every sentence ends in an emoji, before its mark or behind it."""
    parts = split_sentences(text)
    bare = ["".join(char for char in without_marks(part).strip() if char not in EMOJI_JOINERS) for part in parts]
    bare = [part.strip() for part in bare if part.strip()]
    if not bare:
        return False
    after = [*bare[1:], ""]
    return all(EMOJI.match(one[-1]) or EMOJI.match(following[:1]) for one, following in zip(bare, after, strict=True))


def sentence_words(text: str) -> bool:
    """Three sentences of as many characters each, with no word in two of them."""
    found = sentences(text)
    if len(found) != _N_SENTENCES:
        return False
    words = [stripped_words(sentence) for sentence in found]
    if any(set(one) & set(other) for one, other in itertools.combinations(words, 2)):
        return False
    same = len(set(map(len, found))) == 1
    nearly = len({len(sentence.replace(" ", "")) for sentence in found}) == 1
    once = all(len(set(each)) == len(each) for each in words)
    return settled(same and once, same or nearly, "it depends on whether blanks count, or a word may come twice in one")


def increment(text: str, *, small_n: int) -> bool:
    """Each sentence has so many words more than the one before it."""
    lengths = [len(bare_words(sentence)) for sentence in _several(text)]
    return all(other == one + small_n for one, other in itertools.pairwise(lengths))


def last_first(text: str) -> bool:
    """Each sentence begins with the word that the one before it ends with."""
    words = [stripped_words(sentence) for sentence in _several(text)]
    return all(one[-1:] == other[:1] != [] for one, other in itertools.pairwise(words))


def alliteration_increment(text: str) -> bool:
    """Each sentence has more words in a row with one first letter; of several rows, the longest or all of them."""
    rows = [_rows([word[0] for word in stripped_words(sentence)]) for sentence in _several(text)]
    longest = [max(each, default=0) for each in rows]
    together = [sum(each) for each in rows]
    held = [all(one < other for one, other in itertools.pairwise(each)) for each in (longest, together)]
    return settled(all(held), any(held), "it depends on whether several rows in a sentence count together")


def sentence_alphabet(text: str) -> bool:
    """26 sentences, which begin with the letters of the alphabet in order."""
    found = [next(iter(bare_words(sentence)), "") for sentence in sentences(text)]
    return [word[:1] for word in found] == list(_LETTERS)


def _several(text: str) -> list[str]:
    """The sentences, where there are two: what is said of each and the one before it says nothing of one."""
    found = sentences(text)
    if len(found) < 2:
        raise Undecidable("there is one sentence alone")
    return found


def _rows(letters: Sequence[str]) -> list[int]:
    """Lengths of the rows of equal letters, from two on."""
    lengths = [len(list(row)) for _, row in itertools.groupby(letters)]
    return [length for length in lengths if length > 1]
