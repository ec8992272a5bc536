"""What each constraint of RLVR-IFeval means, as that set's own checker has it (open-instruct's if_functions).

The names are much like IFEval's, and the meanings are others: words lie between blanks, a keyword is a whole word, a
section is what is between two splitters, and letters have their case. docs/verification.md has the table. A check is
given the stripped text of a response, as that checker is. Where the original passes by accident, a comment says what
decides here.
"""

from __future__ import annotations

import json
import re
from typing import Final

from verifiers.instructions.checks import RELATIONS, Undecidable, closed_by, response_language

_DIVIDER: Final = "* * *"
# A blank behind a full stop, question or exclamation mark ends a sentence; not one in "e.g. this", nor behind "Mr.".
_SENTENCE_END: Final = re.compile(r"(?<!\w\.\w.)(?<![A-Z][a-z]\.)(?<=[.?!])\s")


def _compare(n_found: int, wanted: int, quantifier: str) -> bool:
    return bool(RELATIONS[quantifier](n_found, wanted))


def keywords(text: str, *, keyword_list: list[str]) -> bool:
    """Every keyword occurs, also inside words."""
    return all(word.lower() in text.lower() for word in keyword_list)


def keyword_frequency(text: str, *, word: str, N: int, quantifier: str = "exactly") -> bool:  # noqa: N803 - the set's name
    """The keyword occurs so often as a whole word. One of several words is looked for too: the original finds none."""
    found = re.findall(rf"(?<!\w){re.escape(word.lower())}(?!\w)", text.lower())
    return _compare(len(found), N, quantifier)


def forbidden_words(text: str, *, forbidden_words: list[str]) -> bool:
    """None of the words occurs, not even inside words."""
    return not any(word.lower() in text.lower() for word in forbidden_words)


def letter_frequency(text: str, *, letter: str, N: int, quantifier: str = "exactly") -> bool:  # noqa: N803 - as above
    """The letter occurs so often, in this case."""
    return _compare(text.count(letter), N, quantifier)


def language(text: str, *, language: str) -> bool:
    """The text is in this language; where that cannot be told, it is not said."""
    return response_language(text, language=language)


def paragraph_count(text: str, *, N: int) -> bool:  # noqa: N803 - as above
    """Exactly so many paragraphs between ``* * *``, none of them empty."""
    lines = "\n".join(line.strip() for line in text.splitlines()).strip()
    parts = lines.split(_DIVIDER)
    return len(parts) == N and all(part.strip() for part in parts)


def words(text: str, *, N: int, quantifier: str) -> bool:  # noqa: N803 - as above
    """So many words, which lie between blanks."""
    return _compare(len(text.split()), N, quantifier)


def sentences(text: str, *, N: int, quantifier: str) -> bool:  # noqa: N803 - as above
    """So many sentences; around is one more or less."""
    n_found = len(_SENTENCE_END.split(text))
    return abs(n_found - N) <= 1 if quantifier == "around" else _compare(n_found, N, quantifier)


def paragraphs(text: str, *, N: int, first_word: str, i: int) -> bool:  # noqa: N803 - as above
    """Exactly so many paragraphs between blank lines, and the i-th begins with these letters, in this case."""
    parts = text.split("\n\n")
    return len(parts) == N and 1 <= i <= N and parts[i - 1].strip().startswith(first_word)


def postscript(text: str, *, postscript_marker: str) -> bool:
    """The marker occurs, in this case, and something follows it."""
    _, found, rest = text.partition(postscript_marker)
    return bool(found and rest.strip())


def placeholders(text: str, *, N: int) -> bool:  # noqa: N803 - as above
    """At least so many ``[placeholders]``."""
    return len(re.findall(r"\[.*?\]", closed_by("]", text))) >= N


def bullet_points(text: str, *, N: int) -> bool:  # noqa: N803 - as above
    """Exactly so many lines that begin with ``*`` or ``-``; a line in bold is one."""
    return sum(line.strip().startswith(("*", "-")) for line in text.split("\n")) == N


def title(text: str) -> bool:
    """A ``<<title>>`` in one line."""
    return re.search(r"<<.*?>>", closed_by(">>", text)) is not None


def choice(text: str, *, options: list[str]) -> bool:
    """One of the options is in the text."""
    return any(option in text for option in options)


def highlighted_sections(text: str, *, N: int) -> bool:  # noqa: N803 - as above
    """At least so many pairs of asterisks; two words in bold are four."""
    return len(re.findall(r"\*.*?\*", text)) >= N


def sections(text: str, *, N: int, section_splitter: str) -> bool:  # noqa: N803 - as above
    """Exactly so many parts between the splitters; what stands before the first counts, if anything does."""
    parts = text.split(section_splitter)
    return len(parts) - (parts[0] == "") == N


def json_format(text: str) -> bool:
    """All of it is JSON, in no fence."""
    try:
        json.loads(text, parse_int=str)  # of any length
    except RecursionError:
        raise Undecidable("it is nested too deep to be read") from None
    except ValueError:
        return False
    return True


def repeat_prompt(text: str, *, original_prompt: str) -> bool:
    """The text begins with the prompt, letter by letter."""
    return text.startswith(original_prompt.strip())


def two_responses(text: str) -> bool:
    """Two different responses with one ``******`` between them."""
    one, found, other = text.partition("******")
    return bool(found) and "******" not in other and one.strip() != other.strip()


def uppercase(text: str) -> bool:
    """No small letter, in whatever language."""
    return text == text.upper()


def lowercase(text: str) -> bool:
    """No capital, in whatever language."""
    return text == text.lower()


def frequency_capital_words(text: str, *, N: int, quantifier: str) -> bool:  # noqa: N803 - as above
    """So many words in the capitals A to Z, single letters among them."""
    return _compare(len(re.findall(r"\b[A-Z]+\b", text)), N, quantifier)


def end(text: str, *, end_phrase: str) -> bool:
    """The text ends with the phrase, letter by letter."""
    return text.endswith(end_phrase.strip())


def quotation(text: str) -> bool:
    """All of it is between double quotation marks; a single mark, which passes there, is not."""
    return len(text) > 1 and text[0] == text[-1] == '"'


def no_commas(text: str) -> bool:
    """No comma at all."""
    return "," not in text
