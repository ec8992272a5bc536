"""Where sentences end, by the rules of Punkt without its trained figures: IFEval's checker counts with nltk's model.

Kiss and Strunk, Unsupervised Multilingual Sentence Boundary Detection (2006), section 4: a mark ends a sentence where
something follows it, but for the stop of an abbreviation, an initial, a number or an ellipsis, of which what follows
decides. Which words are abbreviations, and which begin sentences, they learn; here they are lists. Line breaks end
nothing there, and so they do not here; a list's "1." is a sentence there, and so it is here.
"""

from __future__ import annotations

import re
from typing import Final

_SHORT: Final = """
a.d a.m adm approx apr aug ave bros capt cf co col colo conn corp d.c dec dept dr e.g feb fla fri ft ga gen gov i.e
ill inc jan jr kan ky lt ltd maj messrs mich minn mr mrs ms n.c n.j n.y nev nov oct okla ore p.m pa ph.d prof rep reps
s.c sen sep sept sgt sr st tenn u.k u.n u.s u.s.a v va viz vs vt wash wed wis yr
"""
_ABBREVIATIONS: Final = frozenset(_SHORT.split())
_TITLES: Final = frozenset(
    ("capt", "col", "dr", "gen", "gov", "lt", "maj", "messrs", "mr", "mrs", "ms", "prof", "rep", "sgt")
)
# Words that are capitals where a sentence begins, and hardly elsewhere.
_FIRST: Final = """
a about after all also although an and another any are as at be because before both but by can could did do does each
even every finally first for from had has have he her here his how however i if in instead is it its just last let
like look make many meanwhile more most much my never next no not now of on once one or other our over perhaps please
she should since so some still such take than thank that the their them then there these they this those through thus
to today try under until up us use was we well were what when where whether which while who why will with without
would yes yet you your
"""
_STARTERS: Final = frozenset(_FIRST.split())
# What stands in no word. A mark is looked at where one of these follows it, or a blank and something.
_BETWEEN: Final = "\\)\";}\\]*:@'({\\[!?"
_MARK: Final = re.compile(rf"[.!?](?![.!?])(?=[{_BETWEEN}]|\s+(\S+))|[。！？।]+(?=\s*\S)")
_CLOSING: Final = re.compile(r"\s*[\"')\]}]+(?:\s+|\Z)")
_WORD: Final = re.compile(rf"[^\s{_BETWEEN}]+\Z")
_NUMBER: Final = re.compile(r"-?[.,]?\d[\d,.-]*")
_INITIALS: Final = re.compile(r"(?!p\.(?:p\.)?s)[a-z](?:\.[a-z])+")
_LONGEST: Final = 40  # characters of a word that may be an abbreviation


def count_sentences(text: str) -> int:
    """How many sentences a text has; what has no word is none."""
    return sum(re.search(r"\w", sentence) is not None for sentence in split_sentences(text))


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, stripped; closing quotation marks and brackets are with the sentence before them."""
    sentences, start = [], 0
    for match in _MARK.finditer(text):
        before = _WORD.search(text, max(start, match.end() - _LONGEST), match.end())
        word = before.group() if before else "."
        if match.group() == "." and not _ends(word, match.group(1), is_item=_is_item(text, match.end() - len(word))):
            continue
        closing = _CLOSING.match(text, match.end())
        end = closing.end() if closing else match.end()
        if closing and text[end : end + 1].islower():  # He said "Stop!" and left.
            continue
        sentences.append(text[start:end].strip())
        start = end
    return [sentence for sentence in [*sentences, text[start:].strip()] if sentence]


def _is_item(text: str, place: int) -> bool:
    """Whether nothing but a list's mark is before a place on its line."""
    line = text.rfind("\n", max(0, place - _LONGEST), place)
    return (line >= 0 or place <= _LONGEST) and not text[line + 1 : place].strip(" \t*-#>")


def _ends(word: str, following: str | None, *, is_item: bool) -> bool:
    """Whether a full stop ends a sentence.

    Args:
        word: the stop with what is before it.
        following: what is behind the next blank; None where a mark follows.
        is_item: whether nothing but a list's mark is before it on its line.
    """
    stem = word[:-1].lower()
    if stem in _TITLES:
        return False
    opened = re.match(r"[\"'(\[{*]*", following or "")
    next_word = "" if following is None or (opened and opened.end()) else following
    starts = re.sub(r"\W.*", "", next_word.lower(), flags=re.DOTALL) in _STARTERS and next_word[0].isupper()
    if len(stem) == 1 and stem.isalpha():
        return is_item or not next_word[:1].isalpha() or starts
    if _NUMBER.fullmatch(stem):
        return not next_word[:1].islower()
    is_short = _INITIALS.fullmatch(stem) or stem.endswith(".") or stem.rpartition("-")[2] in _ABBREVIATIONS
    return not is_short or starts
