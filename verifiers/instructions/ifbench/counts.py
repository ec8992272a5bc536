"""IFBench's counts and shares: of words, numbers, names, pronouns, marks, sentences of a kind."""

from __future__ import annotations

import re
import string
from typing import Final

from verifiers.instructions.checks import count_words
from verifiers.instructions.ifbench.reading import end_marks, sentences, settled, stripped_words, tokens, without_marks

_CONJUNCTIONS: Final = frozenset(("and", "but", "for", "nor", "or", "so", "yet"))
# Given in the constraint's own text.
_NAMES: Final = """
Emma Liam Sophia Jackson Olivia Noah Ava Lucas Isabella Mason Mia Ethan Charlotte Alexander Amelia Benjamin Harper Leo
Zoe Daniel Chloe Samuel Lily Matthew Grace Owen Abigail Gabriel Ella Jacob Scarlett Nathan Victoria Elijah Layla
Nicholas Audrey David Hannah Christopher Penelope Thomas Nora Andrew Aria Joseph Claire Ryan Stella Jonathan
"""
_PERSONAL: Final = """
i me we us you he him she her it they them my mine our ours your yours his hers its their theirs myself ourselves
yourself yourselves himself herself itself themselves anybody anyone anything everybody everyone everything nobody
nothing somebody someone something whoever whomever whatever who whom
"""
# Pronouns in one place and determiners or conjunctions in another.
_OTHERS: Final = """
this that these those whose which what whichever each either neither both all some any none one ones oneself another
other others such few many much most several enough nobody's thy thee thou ye
"""
_PRONOUNS: Final = frozenset(_PERSONAL.split())
_MAYBE_PRONOUNS: Final = frozenset(_OTHERS.split()) | _PRONOUNS
# Words that every list of English stop words has, with the parts that an apostrophe leaves of contractions.
_STOP: Final = """
a about above after again against all am an and any are as at be because been before being below between both but by
can did do does doing down during each few for from further had has have having he her here hers herself him himself his
how i if in into is it its itself just me more most my myself no nor not now of off on once only or other our ours
ourselves out over own same she should so some such than that the their theirs them themselves then there these they
this those through to too under until up very was we were what when where which while who whom why will with you your
yours yourself yourselves s t don ll re ve d m
"""
# Words that some of them have.
_MAYBE_STOP: Final = """
across almost alone along already also although always among another anyone anything around away back became become
cannot could couldn didn doesn hadn hasn haven isn shouldn wasn weren won wouldn aren ain mightn mustn needn shan ma o y
either else enough even ever every everyone everything except get go hence however indeed instead least less many may
maybe might much must neither never next none nothing often one others otherwise per perhaps please rather really seem
several shall since someone something still take though throughout thus together toward towards upon us use used using
via well whatever whether whose within without would yet
"""
_STOP_WORDS: Final = frozenset(_STOP.split())
_MAYBE_STOP_WORDS: Final = frozenset(_MAYBE_STOP.split()) | _STOP_WORDS
_TOLERANCE: Final = 2  # per cent, in the constraint's text
_TIMES: Final = (1, 2, 3, 5, 7)


def word_count_range(text: str, *, min_words: int, max_words: int) -> bool:
    r"""From so many words to so many, which are runs of ``\w``."""
    return min_words <= count_words(text) <= max_words


def unique_word_count(text: str, *, N: int) -> bool:  # noqa: N803 - the set's name
    """At least so many different words, whatever their case."""
    return len(set(stripped_words(text))) >= N


def stop_words(text: str, *, percentage: int) -> bool:
    """At most such a share of stop words; which words are, lists do not agree about."""
    found = re.findall(r"\w+", text.lower())
    if not found:
        return False
    sure = sum(word in _STOP_WORDS for word in found)
    possible = sum(word in _MAYBE_STOP_WORDS for word in found)
    limit = percentage * len(found) / 100
    return settled(possible <= limit, sure <= limit, "it depends on which words are stop words")


def sentence_type(text: str) -> bool:
    """Twice as many sentences that end in a full stop as in a question mark."""
    found = sentences(text)
    readings = [end_marks(found, beyond_quotes=beyond) for beyond in (False, True)]
    held = [marks.count(".") == 2 * marks.count("?") for marks in readings]
    asked = [marks.count("?") > 0 for marks in readings]
    return settled(all(held) and all(asked), any(held), "what ends in a quotation, or no sentence of a kind")


def sentence_balance(text: str) -> bool:
    """As many sentences that end in a full stop as in a question mark and in an exclamation mark."""
    found = sentences(text)
    readings = [end_marks(found, beyond_quotes=beyond) for beyond in (False, True)]
    held = [marks.count(".") == marks.count("?") == marks.count("!") for marks in readings]
    some = [marks.count(".") > 0 for marks in readings]
    return settled(all(held) and all(some), any(held), "what ends in a quotation, or no sentence of a kind")


def conjunctions(text: str, *, small_n: int) -> bool:
    """So many different coordinating conjunctions."""
    return len(_CONJUNCTIONS.intersection(stripped_words(text))) >= small_n


def person_names(text: str, *, N: int) -> bool:  # noqa: N803 - as above
    """So many different names of the list that the constraint gives."""
    there = [name for name in _NAMES.split() if name in text]
    return sum(re.search(rf"\b{name}\b", text) is not None for name in there) >= N


def overlap(text: str, *, reference_text: str, percentage: int) -> bool:
    """Such a share of the text's trigrams are the reference's; whether of words or of characters is not said."""
    shares = [_overlap(list(text), list(reference_text)), _overlap(_pieces(text), _pieces(reference_text))]
    near = [abs(share - percentage) <= _TOLERANCE for share in shares]
    return settled(all(near), any(near), "it depends on whether trigrams are of words or of characters")


def _pieces(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


def _overlap(one: list[str], other: list[str]) -> float:
    """The share of the one's different trigrams that the other has, in per cent."""
    found, wanted = (set(zip(each, each[1:], each[2:], strict=False)) for each in (one, other))
    return 100 * len(found & wanted) / len(found) if found else -100.0


def numbers(text: str, *, N: int) -> bool:  # noqa: N803 - as above
    """Exactly so many numbers in digits; ASCII's marks within them, as in 1,000.50 or 2024-25, divide none."""
    bare = (without_marks(text), text.translate(str.maketrans("", "", string.punctuation)))
    held = [len(re.findall(r"\d+", each)) == N for each in bare]
    return settled(all(held), any(held), "it depends on whether a dash or another mark divides two numbers")


def pronouns(text: str, *, N: int) -> bool:  # noqa: N803 - as above
    """At least so many pronouns; whether "that" or "all" is one depends on where it stands."""
    found = tokens(text.replace("/", " "))
    sure, possible = (sum(word in known for word in found) for known in (_PRONOUNS, _MAYBE_PRONOUNS))
    return settled(sure >= N, possible >= N, "it depends on which words are pronouns")


def punctuation(text: str) -> bool:
    """A full stop, comma, question mark, exclamation mark, semicolon, colon, and an interrobang beside them."""
    found = re.search(r"\?!|!\?|‽", text)
    if found is None:
        return False
    rest = text[: found.start()] + text[found.end() :]
    sure, possible = (all(mark in where for mark in ".,!?;:") for where in (rest, text))
    return settled(sure, possible, "it depends on whether the interrobang counts as its two marks")


def keywords_multiple(text: str, *, keyword1: str, keyword2: str, keyword3: str, keyword4: str, keyword5: str) -> bool:
    """The keywords occur once, twice, three, five and seven times; whether within words too is not said."""
    wanted = list(zip((keyword1, keyword2, keyword3, keyword4, keyword5), _TIMES, strict=True))
    low = text.lower()
    within = all(low.count(word.strip().lower()) == n for word, n in wanted)
    whole = all(len(re.findall(rf"(?<!\w){re.escape(word.strip().lower())}(?!\w)", low)) == n for word, n in wanted)
    return settled(within and whole, within or whole, "a keyword stands within other words")
