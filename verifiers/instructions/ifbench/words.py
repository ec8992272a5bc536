"""IFBench's rules for words: their letters, lengths, places and repetitions."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Final

from verifiers.instructions.checks import Undecidable
from verifiers.instructions.ifbench.reading import (
    bare_words,
    lines,
    sentences,
    settled,
    stripped,
    stripped_words,
    tokens,
)

_CONSONANTS: Final = re.compile(r"[b-df-hj-np-tv-z]{2}")  # with y, as the set has it
_VOWELS: Final = "aeiou"
_N_VOWELS: Final = 3
_PRIMES: Final = frozenset(n for n in range(2, 200) if all(n % d for d in range(2, n)))
_N_PALINDROMES: Final = 10
_PALINDROME: Final = 5  # letters
_JAPANESE: Final = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_Z: Final = ord("z")
# First words that are verbs there, or are none; of others a tagger would have to judge.
_VERBS: Final = """
add adopt allow analyze apply ask assess avoid be become begin believe bring build calculate call carry choose combine
come consider create cut decide define describe determine develop did discover do does embrace enjoy ensure evaluate
examine expand explain explore find follow gather get give go grab had has have help identify imagine implement
improve include increase install introduce invest is are was were keep know learn let listen maintain make meet
observe prepare provide pursue put read recognize reduce remember remove review run say see seek select set solve
speak start stop take tell think try understand use utilize visit wait write
"""
_NO_VERBS: Final = """
a an the this that these those i you he she it we they my your his her its our their and but or nor so yet if when while
although because in on at by for from of with without to into as about after before during under over between among
here there who what which where why how absolutely certainly yes no not two three four five six seven eight nine ten
unfortunately however therefore moreover
"""


def alphabet(text: str) -> bool:
    """Each word begins with the letter after that of the one before it; a comes after z."""
    found = [word[0] for word in bare_words(text)]
    if not found or not all("a" <= letter <= "z" for letter in found):
        return False
    following = {chr(code): "a" if code == _Z else chr(code + 1) for code in range(ord("a"), _Z + 1)}
    return all(following[one] == other for one, other in itertools.pairwise(found))


def vowel(text: str) -> bool:
    """One paragraph, with at most three of the five vowels."""
    return len(lines(text)) == 1 and len(set(text.lower()).intersection(_VOWELS)) <= _N_VOWELS


def consonants(text: str) -> bool:
    """Two consonants side by side in each word; what has no letter is a word to some."""
    found = text.lower().split()
    held = [_CONSONANTS.search(word) is not None for word in found]
    spoken = [here for here, word in zip(held, found, strict=True) if any(map(str.isalpha, word))]
    return settled(all(held), bool(spoken) and all(spoken), "something between blanks has no letters")


def palindrome(text: str) -> bool:
    """Ten palindromes of one word and five letters or more; whether one may come twice is not said."""
    found = [word for word in bare_words(text) if len(word) >= _PALINDROME and word == word[::-1]]
    sure = {word for word in found if word.isalpha() and len(set(word)) > 1}
    return settled(len(sure) >= _N_PALINDROMES, len(found) >= _N_PALINDROMES, "some come twice, or are no words")


def prime_lengths(text: str) -> bool:
    """The length of every word is prime."""
    found = bare_words(text)
    return bool(found) and all(len(word) in _PRIMES for word in found)


def japanese(text: str, *, N: int) -> bool:  # noqa: N803 - the set's name
    """Every n-th word has a Japanese letter; numbers there are passed over."""
    found = text.split()
    if N < 1 or len(found) < N:
        raise Undecidable(f"there is no {N}-th word")
    nth = [word for word in map(stripped, found[N - 1 :: N]) if word and not word.isdigit()]
    if not nth:
        raise Undecidable(f"every {N}-th word is a number")
    return all(_JAPANESE.search(word) for word in nth)


def start_verb(text: str) -> bool:
    """The first word is a verb, where that can be told without what follows."""
    first = next(iter(stripped_words(text)), "")
    if not first or first in _NO_VERBS.split():
        return False
    if first in _VERBS.split():
        return True
    raise Undecidable(f"whether {first[:40]!r} is a verb cannot be told")


def repeats(text: str, *, small_n: int) -> bool:
    """No word occurs more often."""
    return max(Counter(bare_words(text)).values(), default=0) <= small_n


def paragraph_last_first(text: str) -> bool:
    """Every line ends with the word that it begins with."""
    found = [words for line in lines(text) if (words := stripped_words(line))]
    return bool(found) and all(words[0] == words[-1] for words in found)


def no_consecutive(text: str) -> bool:
    """No two words one after the other begin with the same letter."""
    return all(one[0] != other[0] for one, other in itertools.pairwise(bare_words(text)))


def keywords_specific_position(text: str, *, keyword: str, n: int, m: int) -> bool:
    """The m-th word of the n-th sentence is the keyword; whether "don't" is one word or two is not said."""
    found = sentences(text)
    if not 1 <= n <= len(found) or m < 1:
        return False
    wanted = keyword.strip().lower()
    readings = [each[m - 1 : m] == [wanted] for each in (stripped_words(found[n - 1]), tokens(found[n - 1]))]
    return settled(all(readings), any(readings), "it depends on how contractions are counted")


def words_position(text: str, *, keyword: str) -> bool:
    """The second word and the last but one are the keyword."""
    wanted = keyword.strip().lower()
    readings = [len(each) > 1 and each[1] == each[-2] == wanted for each in (stripped_words(text), tokens(text))]
    return settled(all(readings), any(readings), "it depends on how contractions are counted")
