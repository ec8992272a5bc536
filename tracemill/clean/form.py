"""Rules on the form of a prompt: is there enough of it, is it whole, is it text, and in which language?"""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from tracemill.clean.question import Evidence, Question, mentions, seen
from tracemill.core import Category
from tracemill.text.language.guess import UNDETERMINED, language
from tracemill.text.words import has_words, words

if TYPE_CHECKING:
    from tracemill.recipe.sections.clean import Clean

# A sentence does not end in these. Not "by", "on", "is": sentences do ("How much is he up by"); nor "a": variables do.
_DANGLING: Final = re.compile(
    r"(?:\b(?:and|or|but|the|an|of|with|than|from|between|during|into|per|because|although|since|while|as|if|whose|which"
    r"|such that|where|let|many|every|both|my|your|his|its|our|their|does)|(?<!\\)[,，、(\[{（+/\\&])\s*\Z",
    re.IGNORECASE,
)
_END_CHARS: Final = 40  # hold the last word and what stands behind it
_BEGIN_END: Final = re.compile(r"\\(begin|end)\s*\{([^{}]*)\}")
_FENCE: Final = re.compile(r"^[ \t]*```", re.MULTILINE)
_PLACEHOLDER: Final = re.compile(
    r"(?<![\\\w}^_{])\{\{\s*[a-z_]{3,}\s*\}\}|<(?:input|question|prompt|insert[^<>]*)>"
    r"|\[(?:insert|your|paste)\s(?:\w+\s){0,3}(?:question|problem|text|input)(?:\shere)?\]",
    re.IGNORECASE,
)
# What asks for something, in lower case; the short ones are cut from longer words ("what" from "whats").
_ASKING: Final = (
    "?", "？", "find", "comput", "calculat", "determin", "what", "how ", "evaluat", "simplif", "solv", "express",
    "factor", "expand", "writ", "give", "enter", "name", "list", "convert", "round", "graph", "plot", "draw", "sketch",
    "rational", "complet", "state", "identif", "answer", "add ", "subtract", "multiply", "divide", "estimat", "order",
    "tell", "descri", "prove", "show", "who", "when", "where", "why", "is it", "use ", "construct", "choose", "select",
    "arrange", "derive", "explain", "verify", "provide", "deduce", "differentiate", "integrate", "approximate", "count",
    "reduce", "which", "____", "...", "…", "( )", "（ ）", "（）", "（　）", "\\_", "= ", "=$", "=\\",
    "求", "多少", "几", "是否", "什么", "如何", "计算", "等于", "为", "是", "证明", "解", "写出", "确定", "判断",
    "化简", "请", "则", "\\quad",
)  # fmt: skip
# No words of another language in plain letters.
_ENGLISH: Final = (" the ", " and ", "find ", "what ", "comput", "evaluat", "how ", "simplify ", "write ", "which ")

# Replacement characters, private use (symbol fonts of PDFs), and UTF-8 that was read as Latin-1 or Windows-1252.
_LOST: Final = re.compile("[\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]|[ÂÃ][\u0080-\u00bf]|â€[\u0080-\u2122]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_UNREADABLE: Final = frozenset({"Cc", "Co", "Cn", "Cs", "So"})


def empty(asked: Question, _settings: Clean) -> Evidence | None:
    """Is there anything?"""
    return None if asked.prompt and not asked.prompt.isspace() else {}


def too_short(asked: Question, settings: Clean) -> Evidence | None:
    """Are there enough words? An ideograph is one."""
    if has_words(asked.prompt, settings.min_words):
        return None
    return {"n_words": len(words(asked.prompt)), "min_words": settings.min_words}


def incomplete(asked: Question, _settings: Clean) -> Evidence | None:
    """Do it end in mid-sentence or mid-formula, is a template's slot left in it, does it ask anything?

    Programs are full of brackets, slots and odd ends: of them only fences are looked at.
    """
    fence = _unclosed_fence(asked.prompt)
    if fence is not None or asked.category == Category.CODE:
        return fence
    return _cut_off(asked.prompt) or _unclosed(asked.prompt) or _slot(asked) or _asks_nothing(asked)


def _cut_off(prompt: str) -> Evidence | None:
    """Return a dangling last word or sign. Not "=": "What is 2 + 3 =" is a whole question."""
    found = seen(_DANGLING.search(prompt, max(0, len(prompt) - _END_CHARS)))
    return None if found is None else found | {"why": "ends in mid-sentence"}


def _unclosed_fence(prompt: str) -> Evidence | None:
    if "```" in prompt and len(_FENCE.findall(prompt)) % 2:
        return {"text": "```", "at": prompt.rfind("```"), "why": "a fence is not closed"}
    return None


def _unclosed(prompt: str) -> Evidence | None:
    """Return a display or environment that is opened and never closed."""
    if "\\" not in prompt:
        return None
    if prompt.count("\\[") - prompt.count("\\\\[") > prompt.count("\\]"):
        return {"text": "\\[", "at": prompt.rfind("\\["), "why": "a formula is not closed"}
    open_ones: list[re.Match[str]] = []
    for match in _BEGIN_END.finditer(prompt):
        if match.group(1) == "begin":
            open_ones.append(match)
        elif open_ones and open_ones[-1].group(2) == match.group(2):
            open_ones.pop()
    return (seen(open_ones[-1]) or {}) | {"why": "an environment is not closed"} if open_ones else None


def _slot(asked: Question) -> Evidence | None:
    """Instructions ask for slots in the answer."""
    if asked.category == Category.INSTRUCTION or not mentions(asked.prompt, ("{{", "<", "[")):
        return None
    found = seen(_PLACEHOLDER.search(asked.prompt))
    return None if found is None else found | {"why": "a template's slot"}


def _asks_nothing(asked: Question) -> Evidence | None:
    """Maths without a question mark, an imperative, or a blank to fill; only in languages whose words we know."""
    if asked.category != Category.MATH or mentions(asked.lower, _ASKING) or language(asked.prompt) not in {"en", "zh"}:
        return None
    return {"text": asked.prompt[-60:], "at": max(0, len(asked.prompt) - 60), "why": "nothing is asked"}


def garbled(asked: Question, settings: Clean) -> Evidence | None:
    """Are characters lost, or is too much of it not text?"""
    if asked.prompt.isascii():
        unreadable = len(_CONTROL.findall(asked.prompt))
        return _too_unreadable(unreadable, asked.prompt, settings) if unreadable else None
    lost = seen(_LOST.search(asked.prompt))
    if lost is not None:
        return lost | {"why": "a lost character"}
    unreadable = sum(
        unicodedata.category(character) in _UNREADABLE and not character.isspace()
        for character in itertools.filterfalse(str.isascii, asked.prompt)
    )
    return _too_unreadable(unreadable, asked.prompt, settings) if unreadable else None


def _too_unreadable(unreadable: int, prompt: str, settings: Clean) -> Evidence | None:
    n_chars = sum(not character.isspace() for character in prompt)
    share = 1 - unreadable / n_chars if n_chars else 0.0
    return (
        {"readable": round(share, 3), "min_readable": settings.min_readable} if share < settings.min_readable else None
    )


def foreign(asked: Question, settings: Clean) -> Evidence | None:
    """Is it surely in a language that is not wanted?"""
    if "en" in settings.languages and asked.prompt.isascii() and _is_surely_english(asked):
        return None
    found = language(asked.prompt)
    if found == UNDETERMINED or found in settings.languages:
        return None
    return {"language": found, "languages": list(settings.languages)}


def _is_surely_english(asked: Question) -> bool:
    """Programs are, wherever they are from; and these words save a look at the rest."""
    return asked.category == Category.CODE or mentions(asked.lower, _ENGLISH)
