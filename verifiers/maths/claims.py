"""What an answer without a box claims: the line behind ``####``, what is said to be the answer, or its last value.

Words that change a number ("not 8", "at least 8", "7 or 8") leave the answer open; a formula is kept whole while its
sentence is taken apart. Standard library only.
"""

from __future__ import annotations

import re
from typing import Final

from verifiers.corrections import TAKES_BACK
from verifiers.maths.boxes import CALLED_WRONG, NO_ANSWER, Stated
from verifiers.maths.reading.units import SCALES, UNIT_NAMES, is_change, number_in_words, unit_of

_UNREAD: Final = "no box, and the answer that is given cannot be read"


_HASHES: Final = re.compile(r"^\s*#{4}\s*(\S.*?)\s*$", re.MULTILINE)
_LETTER_A: Final = re.compile(r"^\s*A:\s*(\S.*?)\s*$", re.MULTILINE)
_SAID: Final = re.compile(
    r"(?:\b(?:final\s+|correct\s+|right\s+)?(?:answer|result|solution)(?:\s+to\s+(?:the|this)\s+(?:problem|question))?\s*"
    r"(?:(?:is|are|was)(?!n['’]t)|=|:|would\s+be|must\s+be|should\s+be|comes?\s+(?:out\s+)?to|equals)\s*(?:[:：]\s*)?"
    r"|\b(?:die\s+)?antwort\s*(?:ist|lautet|:)\s*:?|\b(?:la\s+)?respuesta\s*(?:es|:)\s*:?|\b(?:la\s+)?réponse\s*(?:est|:)\s*:?"
    r"|\b(?:la\s+)?risposta\s*(?:è|:)\s*:?|\ba\s+resposta\s*(?:é|:)\s*:?|ответ\s*:?"
    r"|(?:答案|结果|答え|正解|解)\s*(?:应该|应)?(?:是|为|为:|は|[:：])\s*[:：]?)\s*",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(r"(?<=[^\s.])[.!?](?=\s|$)(?!\s*\d)|(?<=[\d)$}])\.(?=\s|$)|[。！？]|\n+")
_CLAUSE: Final = re.compile(
    r",?\s+(?:because|since|so\s+that|i\.e\.|that\s+is)\b|,\s+(?:as|which|where|who|when|hence|thus)\b|;\s|\s[-–—]\s(?=[a-z])|,\s+(?:not|rather|but|and\s+not|so)\b|\s*（|\s+\((?=[a-z])"
)
# A formula between its signs is kept whole while its sentence is taken apart: its place in a list, between two marks.
_FORMULA: Final = re.compile(r"\$\$(.+?)\$\$|(?<!\\)\$((?:[^$\\]|\\.)+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_OPEN, _SHUT = "\ue000", "\ue001"
_WRAPPED: Final = re.compile(f"{_OPEN}([^{_SHUT}]*){_SHUT}")
_VALUE: Final = re.compile(f"{_OPEN}[^{_SHUT}]*{_SHUT}" + r"|[-−–+]?\s?[\d.]*\d[\d,.]*(?:/\d+)?(?:[eE][+-]?\d+)?%?")
_LONE: Final = re.compile(r"\s*(?:[a-zA-Z](?:_\{?\w\}?)?|\\[a-z]+)\s*")
_PROSE: Final = re.compile(r"(?<![\\a-zA-Z{])(?!(?:sin|cos|tan|log|and|mod|gcd|max|min)\b)[a-zA-Z]{3,}(?![a-zA-Z}])")
# Its signs are hidden in the private area, so that none of them ends a sentence or is taken for a word.
_HIDDEN: Final = {code: chr(0xE100 + code) for code in [10, *range(32, 127)]}
_SHOWN: Final = {code: chr(code - 0xE100) for code in range(0xE100, 0xE180)}
_REFUSAL: Final = re.compile(
    r"\b(?:do(?:es)?\s*n['o]t\s+know|don't\s+know|not\s+sure|no\s+idea|unable|cannot\s+(?:solve|determine|answer|say|tell)|can't\s+(?:solve|determine|answer|say|tell)"
    r"|give\s+up|could\s+not\s+(?:solve|find)|couldn't)\b",
    re.IGNORECASE,
)
_HEDGES_TEXT: Final = """
nicht kein pas não non не not never no
either neither nor or between than least most minus negative approximately about roughly around if
wrong incorrect nobody would might could may cannot unless except excluding maybe perhaps probably exceed exceeds
above below under over another other otherwise false mistake too instead squared cubed times half plus
step steps case cases
"""
_HEDGES: Final = frozenset(
    _HEDGES_TEXT.split()
)  # fmt: skip
_FILLERS_TEXT: Final = """
the a an is are was were be equal equals equal to exactly value total number of answer simply just therefore so thus
hence then we get have has he she it they there that this i final result sum x
"""
_FILLERS: Final = frozenset(
    _FILLERS_TEXT.split()
)  # fmt: skip
_EMPHASIS: Final = re.compile(r"\*\*|__|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|^#+\s+|`", re.MULTILINE)
_DIGIT: Final = re.compile(rf"\d|{_OPEN}|\\frac|\\sqrt|\\pi|[½π∞√]")
_LETTERS: Final = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
_COPULA: Final = re.compile(
    r".*\b(?:is|are|was|were|equals?|gives?|get|gets|have|has|had|takes?|costs?|makes?|earns?|need|needs|spends?|spent|be|becomes?|left|=|pays?|saves?|to)\b",
    re.DOTALL | re.IGNORECASE,
)
_EQUALITY: Final = re.compile(r"^(?P<left>.*[^<>!=])=\s*(?P<right>[^=]+)$", re.DOTALL)
_MARKUP: Final = re.compile(r"^\s*[-*•>]\s+")


def claimed(answer: str, reference: str) -> Stated:
    """Return what an answer part without a box claims; ``reference`` says whether a word may be an answer."""
    text = _ENVIRONMENT.sub(_last_row, re.sub(r"<<[^<>]*(?:>>|$)", "", answer)).strip()
    if not text:
        return Stated(None, NO_ANSWER, is_missing=True)
    marked = _HASHES.findall(text) or _LETTER_A.findall(text)
    if marked:
        return Stated(_EMPHASIS.sub("", marked[-1]).strip())
    found = _of_text(_EMPHASIS.sub("", _FORMULA.sub(_hidden, text)).strip(), reference)
    return found._replace(
        text=None if found.text is None else _shown(found.text), others=tuple(map(_shown, found.others))
    )


def _of_text(text: str, reference: str) -> Stated:
    said = list(_SAID.finditer(text))
    if said:
        return _of_remainder(text, said)
    if _is_one_formula(text):
        return Stated(_unwrapped(text))
    sentences = [part.strip() for part in _SENTENCE.split(text) if part and part.strip()]
    return _of_sentence(sentences, reference)


_ENVIRONMENT: Final = re.compile(
    r"(?:\$\$|\\\[)?\s*\\begin\{(align|aligned|equation|gather|split|eqnarray)(\*?)\}(.*?)\\end\{\1\2\}\s*(?:\$\$|\\\])?",
    re.DOTALL,
)


def _last_row(environment: re.Match[str]) -> str:
    """Return the last row of aligned equations, as one formula."""
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", environment.group(3)) if row.strip()]
    last = rows[-1].replace("&", " ").strip().rstrip(".,") if rows else ""
    return f" $${last}$$ "


_CORRECTED: Final = re.compile(rf"\b{TAKES_BACK}\b", re.IGNORECASE)


def _of_remainder(text: str, said: list[re.Match[str]]) -> Stated:
    """Return what follows "the answer is"; the last time it is said counts."""
    match = said[-1]
    remainder = _SENTENCE.split(text[match.end() :].lstrip(), maxsplit=1)[0].strip()
    before = _SENTENCE.split(text[: match.start()])[-1]
    if not remainder:
        return Stated(None, _UNREAD)
    if _HEDGE_BEFORE.search(before):
        return Stated(remainder, f"the statement is hedged: {before.strip()[-60:]!r}")
    after = text[match.end() :].lstrip()[len(remainder) :]
    if _CORRECTED.search(after[:200]):
        return Stated(remainder, "the answer is corrected later")
    if CALLED_WRONG.match(after[:60]) or re.search(r"\b(?:wrong|incorrect|mistake)\b", remainder + after[:200]):
        return Stated(remainder, "the answer is called wrong")
    return _cleaned(remainder)


_HEDGE_BEFORE: Final = re.compile(
    r"n['’]t\b|\b(?:nicht|kein|pas|não|non|не|minus|might|may|could|not|if|whether|unless|wrong|incorrect|some|someone|student|guess|assume|suppose|who|why|what|how)\b",
    re.IGNORECASE,
)


def _is_one_formula(text: str) -> bool:
    """Tell whether an answer is nothing but mathematics."""
    if len(text) > 300:
        return False
    if _WRAPPED.fullmatch(text.rstrip(" .")) or _LONE.fullmatch(text.rstrip(".")):
        return True
    if _WRAPPED.search(text):
        return False
    words = _LETTERS.findall(re.sub(r"\\[a-zA-Z]+", " ", text))
    if any((len(word) > 2 and not _is_mathematical(word)) or word.lower() in _FILLERS_IN_TEXT for word in words):
        return False
    return bool(_DIGIT.search(text) or (len(text) <= 30 and re.search(r"[=+^*/<>]", text)))


def _hidden(match: re.Match[str]) -> str:
    inner = next(group for group in match.groups() if group is not None)
    if _LONE.fullmatch(inner):
        return f" {inner.strip()} "
    if len(_PROSE.findall(re.sub(r"\\[a-zA-Z]+(?:\s*\{[^{}]*\})?", " ", inner))) > 1:
        return match.group()
    return f"{_OPEN}{inner.translate(_HIDDEN)}{_SHUT}"


def _shown(text: str) -> str:
    """Return a text with its formulas as they were."""
    return _WRAPPED.sub(lambda match: f"${match.group(1).translate(_SHOWN)}$", text)


def _is_mathematical(word: str) -> bool:
    """Tell whether a word may stand in a formula: a function, a unit, a scale."""
    return (
        word.lower() in {"sin", "cos", "tan", "log", "sqrt", "exp", "and", "pi"}
        or word.lower() in UNIT_NAMES
        or (word.lower() in SCALES)
    )


def _unwrapped(text: str) -> str:
    plain = text.strip().rstrip(".")
    match = _WRAPPED.fullmatch(plain)
    return match.group(1).translate(_SHOWN).strip().rstrip(".,;") if match else plain


def _cleaned(remainder: str) -> Stated:
    """Return a remainder as an answer: mathematics, or a value among words that change nothing."""
    clause = _CLAUSE.split(remainder, maxsplit=1)[0].strip().rstrip(".,;: ")
    clause = re.sub(r"(?:です|となります|になります|个|人|である)$", "", clause).strip()
    clause = re.sub(
        r"^(?:\$\s*)?(?:equal\s+to|exactly|simply|just|therefore|clearly|given\s+by|option|choice)\s+",
        "",
        clause,
        flags=re.IGNORECASE,
    )
    if not clause:
        return Stated(None, _UNREAD)
    whole = _WRAPPED.fullmatch(clause)
    if whole:
        return Stated(_unwrapped(clause))
    words = _LETTERS.findall(_WRAPPED.sub(" ", re.sub(r"\\text\s*\{[^{}]*\}|\\[a-zA-Z]+", " ", clause)))
    long = [word for word in words if len(word) > 2 and not _is_mathematical(word)]
    if not long and not any(word.lower() in _HEDGES | _FILLERS_IN_TEXT for word in words):
        return Stated(_plain_formula(clause))
    return _of_value_among_words(clause)


_FILLERS_IN_TEXT: Final = frozenset(["of", "in", "is", "to", "it", "we", "he", "an", "as", "at", "by", "on", "so"])


def _plain_formula(text: str) -> str:
    """Formulas with units or commas behind them, as one text."""
    return _WRAPPED.sub(lambda match: f" {match.group(1).translate(_SHOWN)} ", text).strip()


def _of_value_among_words(clause: str) -> Stated:
    values = [match for match in _VALUE.finditer(clause) if _is_value(match.group())]
    words = [word.lower() for word in _LETTERS.findall(_WRAPPED.sub(" ", _WITH_UNIT.sub(" ", clause)))]
    if not values:
        return _of_words(clause, words)
    if len(values) > 1:
        return _at_the_end(clause, values) or Stated(
            clause, _SEVERAL_VALUES, others=tuple(_unwrapped(each.group()).strip(" +-=*/") for each in values)
        )
    if any(map(_changes, words)):
        return Stated(clause, "words that change a value")
    if re.search(r"(?:%|percent)\s+of\b", clause):
        return Stated(clause, "a share of something")
    return _value_with_unit(clause, values[0])


_HARMLESS: Final = _FILLERS | frozenset(
    [
        "in",
        "of",
        "to",
        "for",
        "from",
        "on",
        "at",
        "by",
        "with",
        "the",
        "as",
        "per",
        "each",
        "all",
        "after",
        "before",
        "more",
        "less",
        "second",
        "seconds",
        "remaining",
        "then",
        "only",
        "and",
        "when",
        "where",
        "last",
        "first",
        "total",
        "every",
        "both",
        "even",
        "odd",
        "than",
    ]
) - frozenset(["than"])
# A number that says which step, theorem or option is meant; and one of which something is taken.
_NUMBERING: Final = re.compile(
    r"\b(?:theorem|lemma|proposition|corollary|definition|equations?|eq|step|section|chapter|figure|fig|table|page|"
    r"problem|question|exercise|example|method|rule|property|axiom|part|remark|note|base)\.?\s*[(#]?\s*$",
    re.IGNORECASE,
)
_TAKEN_OF: Final = re.compile(
    r"\b(?:cubes?|squares?|power|sine|cosine|tangent|logarithm|log|reciprocal|inverse|opposite|factorial|multiple|"
    r"fraction|predecessor|successor|complement|negation|third|quarter|half|double|triple|(?:square|cube)\s+root|"
    r"absolute\s+value)\s+of\s*$",
    re.IGNORECASE,
)
_SEVERAL_VALUES: Final = "several values without a box"
_BEFORE_END: Final = re.compile(
    r"(?P<lead>(?:\S+\s+){0,4})(?:\b(?:is|are|was|were|equals?|be|becomes?|gets?|have|has|gives?|yields?|obtain|find|that|to|of|by|is\s+just|simply|implies|means)|\b(?:therefore|thus|hence|so|then),?|=|:)\s*$",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(r"\s*(?:[a-zA-Z]+\s*){0,4}[.,;:!]*$")


def _is_value(text: str) -> bool:
    """Not a lone letter in dollars."""
    return bool(_unwrapped(text).strip(" .,+-−–"))


def _at_the_end(clause: str, values: list[re.Match[str]]) -> Stated | None:
    """Of several values the one with which the clause ends, behind "is" or "=": the sum of 3 and 4 is 7."""
    last = values[-1]
    before, after = clause[: last.start()], clause[last.end() :]
    link = _BEFORE_END.search(before)
    if link is None or not _TAIL.fullmatch(after):
        return None
    near = [word.lower() for word in _LETTERS.findall(f"{link.group('lead')} {after}")]
    harmless = _HARMLESS | _BETWEENS
    if any(
        word in _HEDGES - _BETWEENS or word == "than" or (is_change(word) and word not in harmless) for word in near
    ):
        return None
    if re.search(r"[a-zA-Z]\s*=\s*$", before) and not re.search(r"(?<![A-Za-z0-9)}^])[a-zA-Z]\s*=\s*$", before):
        return None
    return _value_with_unit(clause, last)


_BETWEENS: Final = frozenset(
    ["between", "and", "or", "under", "over", "above", "below", "times", "another", "other", "case", "cases", "step"]
)


_WITH_UNIT: Final = re.compile(r"(?<=[\d\ue001])\s*(?:square|cubic)\s+[a-z]+")


def _changes(word: str) -> bool:
    return word in _HEDGES or word.endswith(("n't", "n’t")) or (is_change(word) and word not in _HARMLESS)


def _of_words(clause: str, words: list[str]) -> Stated:
    short = re.sub(r"^(?:an?|the|on|in)\s+", "", clause, flags=re.IGNORECASE)
    if len(words) <= 3:
        return Stated(short)
    return Stated(None, _UNREAD)


def _value_with_unit(clause: str, value: re.Match[str]) -> Stated:
    """The one value of a clause, with the unit that follows; a letter or sign that is glued to it leaves it open."""
    raw = value.group().strip()
    before, after = clause[: value.start()].rstrip(), clause[value.end() :]
    if _NUMBERING.search(before) or _TAKEN_OF.search(before):
        return Stated(clause, "a number of a step or theorem, or something of a value")
    if _WRAPPED.fullmatch(raw):
        text = _unwrapped(raw)
        unit = re.match(r"\s*([A-Za-z]+(?:\s+per\s+[A-Za-z]+)?)\b", after)
        has_unit = unit is not None and unit_of(unit.group(1)) is not None and re.search(r"[\d}]$", text)
        return Stated(f"{text} {unit.group(1)}" if has_unit and unit else text)
    if re.match(r"[\w^√π*/(!_]|\s*[*/^√π=<>×·÷+]|\s+[a-zA-Z]\b(?!\s+[a-z]{2,})(?<!\sa)", after) and not re.match(
        r"\s?%|\s*(?:st|nd|rd|th)\b|\s+a\b", after
    ):
        return Stated(clause, "a value that goes on without a box")
    if re.search(r"[*/^√×·÷<>_(|]$|[a-zA-Z]\d*\s?[+\-−=]$", before) and not re.search(r"\w\s*=\s*$", before):
        return Stated(clause, "a value that began earlier without a box")
    if re.search(r"[<>≤≥]", clause):
        return Stated(clause, "an inequality without a box")
    unit = re.match(r"\s*((?:square |cubic )?[A-Za-z]+(?:\s+per\s+[A-Za-z]+)?)\b", after)
    sign = "$" if before.endswith("$") else ""
    label = re.search(r"(?<![A-Za-z0-9)])([A-Za-z])\s*=\s*$", before)
    text = (
        f"{label.group(1)} = {raw}"
        if label
        else sign + re.sub(r"^[–+]\s*|^[-−]\s+", "-" if raw[0] in "–-−" else "", raw).rstrip(".,")
    )
    if unit and unit_of(unit.group(1)) is not None:
        text = f"{text} {unit.group(1)}"
    return Stated(text)


def _of_sentence(sentences: list[str], reference: str) -> Stated:
    """Return the one value of the last sentence that has any."""
    for sentence in reversed(sentences[-4:]):
        if _VALUE.search(sentence) and _DIGIT.search(sentence):
            return _of_last_clause(_MARKUP.sub("", sentence))
        if _may_answer(sentence, reference):
            return Stated(None, _UNREAD)
    values = [sentence for sentence in sentences if _DIGIT.search(sentence)]
    if values and not _REFUSAL.search(sentences[-1]):
        return Stated(None, _UNREAD)
    if any(map(_REFUSAL.search, sentences[-2:])) or not _may_be_words(reference):
        return Stated(None, NO_ANSWER, is_missing=True)
    return Stated(None, _UNREAD)


_CJK_NUMBER: Final = re.compile(r"\W*[零〇一二三四五六七八九十百千万亿两負负]+\W*")


def _may_answer(sentence: str, reference: str) -> bool:
    """Whether a sentence without a figure has an answer in words: a number, infinity, the words of the reference."""
    if _CJK_NUMBER.fullmatch(sentence):
        return True
    words = [word.lower() for word in _LETTERS.findall(sentence)]
    known = {
        word.lower() for word in _LETTERS.findall(re.sub(r"\\(?:text\w*|mathrm)", " ", reference)) if len(word) > 1
    }
    if known & set(words) and not _REFUSAL.search(sentence):
        return True
    return any(
        number_in_words(word) is not None or word in {"infinity", "infinite", "zero", "none", "pi"} for word in words
    ) and not (_REFUSAL.search(sentence))


def _may_be_words(reference: str) -> bool:
    return not _DIGIT.search(reference)


def _main_clause(clause: str) -> str:
    """Without what explains or denies something else, where a value is left."""
    cut = _CLAUSE.search(clause)
    if cut is None or ";" in cut.group() or not _DIGIT.search(clause[: cut.start()]):
        return clause
    says_why = re.search(r"because|since|\bas\b|not|rather|\(|（|[-–—]", cut.group())
    return clause[: cut.start()] if says_why or not _DIGIT.search(clause[cut.end() :]) else clause


def _of_last_clause(sentence: str) -> Stated:
    """Return a sentence's value: behind its last sign of equality, or the only one it has; open where these differ."""
    found = _of_clause(sentence)
    results = list(_RESULT.finditer(sentence))
    if found.text is None or found.why or not results or _figures(results[-1].group(1)) in _figures(found.text):
        return found
    if re.search(r"\bround|\banswer\b", sentence[results[-1].end() :]):
        return found
    return Stated(sentence, "a value, and another one behind a sign of equality")


_RESULT: Final = re.compile(r"=[\s$]*([-−]?[\d,]*\d(?:\.\d+)?)")


def _figures(text: str) -> str:
    return re.sub(r"[^\d.]", "", text)


def _of_clause(sentence: str) -> Stated:
    if _REFUSAL.search(sentence):
        return Stated(sentence, "the answer is not given for certain")
    parts = re.split(
        r",?\s+(?:so|thus|hence|therefore|which\s+means|meaning|giving|i\.e\.)\s+(?:that\s+)?|;\s",
        sentence,
        flags=re.IGNORECASE,
    )
    clause = next((part for part in reversed(parts) if _VALUE.search(part) and _DIGIT.search(part)), sentence)
    clause = _main_clause(clause)
    clause = re.sub(r"^(?:so|thus|hence|therefore)\b[,:]?\s*", "", clause, flags=re.IGNORECASE).rstrip(".,;: ")
    if _is_one_formula(clause):
        return Stated(_unwrapped(clause))
    equality = _EQUALITY.match(clause)
    if (
        equality
        and not _WRAPPED.search(clause)
        and re.fullmatch(r".*?[\d)]\s*[-+*/x×·÷]\s*[\d($].*|.*\d%?\s*", equality.group("left"), re.DOTALL)
    ):
        return _of_value_among_words(equality.group("right").strip())
    return _of_value_among_words(clause)
