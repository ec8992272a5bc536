"""What each constraint means, as IFEval's own checker has it (google-research, instruction_following_eval).

A check is given the text of a response and its keyword arguments and says whether the constraint holds. Where the
original passes or fails by accident, correctness decides, and a comment says so.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections import Counter
from typing import Final

from verifiers.instructions.sentences import count_sentences


class Undecidable(Exception):  # noqa: N818 - a finding
    """The constraint can be judged in general, but not on this text."""


RELATIONS: Final = {
    "at least": lambda n, wanted: n >= wanted,
    "less than": lambda n, wanted: n < wanted,
    "at most": lambda n, wanted: n <= wanted,
    "exactly": lambda n, wanted: n == wanted,
    # RLVR-IFeval's: ten per cent, and one at the least.
    "around": lambda n, wanted: abs(n - wanted) <= max(1, round(wanted / 10)),
}
# Those that langdetect knows, and Chinese of either script.
_CODES: Final = """
af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr ne nl no pa pl pt ro ru
sk sl so sq sv sw ta te th tl tr uk ur vi zh zh-cn zh-tw
"""
LANGUAGES: Final = frozenset(_CODES.split())
_SURE: Final = 0.8  # langdetect's probability, from which another language is another language
_LIKELY: Final = 0.5
_CERTAIN: Final = 0.95  # from which a text in one case that the detector does not call English is not
_FEW_WORDS: Final = 10  # of fewer the detector knows nothing
_ARABIC, _CYRILLIC, _DEVANAGARI = (
    re.compile(f"[{letters}]") for letters in ("\u0600-\u06ff", "\u0400-\u04ff", "\u0900-\u097f")
)
# Languages with a script of their own: a text in another script is in another language, whatever the detector says.
_SCRIPTS: Final = {
    **dict.fromkeys(("ar", "fa", "ur"), _ARABIC),
    **dict.fromkeys(("bg", "mk", "ru", "uk"), _CYRILLIC),
    **dict.fromkeys(("hi", "mr", "ne"), _DEVANAGARI),
    "bn": re.compile("[\u0980-\u09ff]"),
    "el": re.compile("[\u0370-\u03ff\u1f00-\u1fff]"),
    "gu": re.compile("[\u0a80-\u0aff]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "kn": re.compile("[\u0c80-\u0cff]"),
    "ko": re.compile("[\uac00-\ud7af\u1100-\u11ff]"),
    "ml": re.compile("[\u0d00-\u0d7f]"),
    "pa": re.compile("[\u0a00-\u0a7f]"),
    "ta": re.compile("[\u0b80-\u0bff]"),
    "te": re.compile("[\u0c00-\u0c7f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
}


# Where Treebank's tokens end, as nltk has them, and the contractions that it takes apart.
_TOKEN_END: Final = re.compile(r"[\s()\[\]{}<>;@#$%&?!\"“”‘’«»„…—]+|[:,](?!\d)|--+|\.\.+")
_CONTRACTED: Final = re.compile(r"(?i)(\w)(N'T|'S|'M|'D|'LL|'RE|'VE)\Z")


def _compare(n_found: int, wanted: int, relation: str) -> bool:
    return bool(RELATIONS[relation](n_found, wanted))


def keywords_existence(text: str, *, keywords: list[str]) -> bool:
    """Every keyword occurs. Literally: the original takes "C++" for a regular expression, and fails on it."""
    return all(re.search(re.escape(word), text, re.IGNORECASE) for word in keywords)


def keyword_frequency(text: str, *, keyword: str, frequency: int, relation: str) -> bool:
    """The keyword occurs so often; literally, as above."""
    return _compare(len(re.findall(re.escape(keyword), text, re.IGNORECASE)), frequency, relation)


def forbidden_words(text: str, *, forbidden_words: list[str]) -> bool:
    """None of the words occurs as a word of its own."""
    return not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in forbidden_words)


def letter_frequency(text: str, *, letter: str, let_frequency: int, let_relation: str) -> bool:
    """The letter occurs so often, in either case."""
    return _compare(Counter(text.lower())[letter.lower()], let_frequency, let_relation)


def response_language(text: str, *, language: str) -> bool:
    """The text is in this language. Where the original cannot tell, it says that it is."""
    found = _languages(text)
    likely = sum(p for code, p in found if code == language or code.startswith(f"{language}-"))
    if likely >= _LIKELY:
        return True
    letters = [char for char in text if char.isalpha()]
    script = _SCRIPTS.get(language.partition("-")[0])
    if script and letters and 2 * sum(script.match(char) is not None for char in letters) < len(letters):
        return False
    is_long = len(re.findall(r"[^\W\d_]{2,}", text)) >= _FEW_WORDS
    if max((p for _, p in found), default=0.0) < _SURE and not (found and is_long and not likely):
        raise Undecidable(f"the language cannot be told: {', '.join(code for code, _ in found) or 'no words'}")
    return False


@functools.lru_cache(maxsize=64)  # the loose way asks eight times about nearly the same text
def _languages(text: str) -> tuple[tuple[str, float], ...]:
    from langdetect import DetectorFactory, LangDetectException, detect_langs

    DetectorFactory.seed = 0  # it draws samples, and must draw the same ones each time
    try:
        return tuple((found.lang, found.prob) for found in detect_langs(text[:20_000]))
    except LangDetectException:
        return ()


def number_sentences(text: str, *, num_sentences: int, relation: str) -> bool:
    """So many sentences."""
    return _compare(count_sentences(text), num_sentences, relation)


def number_paragraphs(text: str, *, num_paragraphs: int) -> bool:
    """Exactly so many paragraphs between ``***``, none of them empty but the first and the last."""
    parts = [part.strip() for part in re.split(r"\s?\*\*\*\s?", text)]
    return all(parts[1:-1]) and sum(map(bool, parts)) == num_paragraphs


def number_words(text: str, *, num_words: int, relation: str) -> bool:
    """So many words: runs of letters, digits and underscores."""
    return _compare(count_words(text), num_words, relation)


def count_words(text: str) -> int:
    r"""How many runs of ``\w`` a text has.

    Vowel signs belong to the letters before them, as nltk has it since 3.10: to ``re`` they are no letters, and a word
    of Hindi or Bengali is several.
    """
    if not text.isascii():
        text = "".join(char for char in text if not unicodedata.category(char).startswith("M"))
    return len(re.findall(r"\w+", text))


def nth_paragraph_first_word(text: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Exactly so many paragraphs between blank lines, and the n-th begins with this word, in bold or not."""
    paragraphs = text.split("\n\n")
    if sum(bool(part.strip()) for part in paragraphs) != num_paragraphs or not 1 <= nth_paragraph <= num_paragraphs:
        return False
    words = paragraphs[nth_paragraph - 1].split()
    if not words:
        return False
    found = re.match(r"[^.,?!'\"]*", words[0].strip("*_").lstrip("'\""))
    return found is not None and found.group().lower() == first_word.lower()


def number_placeholders(text: str, *, num_placeholders: int) -> bool:
    """At least so many ``[placeholders]``."""
    return len(re.findall(r"\[.*?\]", closed_by("]", text))) >= num_placeholders


def closed_by(end: str, text: str) -> str:
    """Every line up to the last such end in it: where none follows, a pattern would look for one from every place."""
    return "\n".join(line[: line.rfind(end) + len(end)] if end in line else "" for line in text.split("\n"))


def postscript(text: str, *, postscript_marker: str) -> bool:
    """A postscript with this marker."""
    patterns = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    pattern = patterns.get(postscript_marker, re.escape(postscript_marker.lower()))
    return re.search(pattern, text.lower()) is not None


def number_bullet_lists(text: str, *, num_bullets: int) -> bool:
    """Exactly so many bullets, ``*`` or ``-`` at the beginning of a line."""
    found = (re.findall(pattern, text, re.MULTILINE) for pattern in (r"^\s*\*[^\*].*$", r"^\s*-.*$"))
    return sum(map(len, found)) == num_bullets


CHOICES: Final = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def constrained_response(text: str, *, options: list[str] | None = None) -> bool:
    """One of the options is in the text: IFEval's three, or the row's own."""
    return any(option in text for option in options or CHOICES)


def number_highlighted_sections(text: str, *, num_highlights: int) -> bool:
    """At least so many ``*highlights*`` or ``**highlights**`` that are not empty."""
    single = [found.strip("*").strip() for found in re.findall(r"\*[^\n\*]*\*", text)]
    double = [found[2:-2].strip() for found in re.findall(r"\*\*[^\n\*]*\*\*", text)]
    return sum(map(bool, single)) + sum(map(bool, double)) >= num_highlights


def multiple_sections(text: str, *, section_spliter: str, num_sections: int) -> bool:
    """At least so many sections that begin with the word and a number."""
    return len(re.findall(rf"{re.escape(section_spliter)}\s?\d+", text)) >= num_sections


def json_format(text: str) -> bool:
    """All of it is JSON, in a fence or not."""
    bare = re.sub(r"^```(?:json)?|```$", "", text.strip(), flags=re.IGNORECASE).strip()
    try:
        json.loads(bare, parse_int=str)  # of any length
    except RecursionError:
        raise Undecidable("it is nested too deep to be read") from None
    except ValueError:
        return False
    return True


def title(text: str) -> bool:
    """A ``<<title>>`` that is not empty."""
    return any(found.lstrip("<").rstrip(">").strip() for found in re.findall(r"<<[^\n]+>>", closed_by(">>", text)))


def two_responses(text: str) -> bool:
    """Two different responses between ``******``."""
    parts = [part.strip() for part in text.split("******")]
    found = [part for part in parts if part]
    return all(parts[1:-1]) and len(found) == 2 and found[0] != found[1]


def repeat_prompt(text: str, *, prompt_to_repeat: str) -> bool:
    """The text begins with the prompt."""
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def end_checker(text: str, *, end_phrase: str) -> bool:
    """The text ends with the phrase, quotation marks aside."""
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(text: str) -> bool:
    """All of it is between double quotation marks."""
    bare = text.strip()
    return len(bare) > 1 and bare[0] == bare[-1] == '"'


def capital_word_frequency(text: str, *, capital_frequency: int, capital_relation: str) -> bool:
    """So many words in capitals, as Treebank tokens: a hyphenated one is one word, "DON'T" and "A,B" are two."""
    n_found = sum(
        sum(part.isupper() for part in _CONTRACTED.sub(r"\1 \2", word).split()) for word in _TOKEN_END.split(text)
    )
    return _compare(n_found, capital_frequency, capital_relation)


def english_capital(text: str) -> bool:
    """English, all in capitals. The language is told from small letters: detectors know few words in capitals."""
    return text.isupper() and _is_not_foreign(text.lower())


def english_lowercase(text: str) -> bool:
    """English, with no capital."""
    return text.islower() and _is_not_foreign(text)


def _is_not_foreign(text: str) -> bool:
    """No other script or language for certain. A heading is Catalan or Italian to the detector, at 0.99."""
    letters = [letter for letter in text if letter.isalpha()]
    if 2 * sum("a" <= letter <= "z" for letter in letters) <= len(letters):
        return False
    if len(re.findall(r"[^\W\d_]{2,}", text)) < _FEW_WORDS:
        return True
    found = _languages(text)
    return max(found, key=lambda one: one[1], default=("en", 0.0))[0] == "en" or max(p for _, p in found) < _CERTAIN


def no_comma(text: str) -> bool:
    """No comma at all."""
    return "," not in text
