"""The program in a response: which of its fenced blocks, or which of them together.

Blocks are found by a CommonMark parser, so that a fence in a list item or a quotation loses its indent, and one in a
docstring closes nothing. Then, by this rule, which docs/verification.md tells too:

1. Of the blocks that are closed, those whose fence names the language; else those whose fence names none.
2. Of these, the last that defines most of what the tests ask for by name; where they ask for nothing, the last whole
program: one that prints, or that has a main function.
3. Before it, every earlier block that defines, last of all, a name which it uses and does not define.

What is never closed was cut off, and is no program. A fence that closes on the last line of the program itself closes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# Tags with a version or a dialect: c++17, cpp20, gnu++14, pypy3, python3.11.
_TAGS: Final = {
    "python": re.compile(r"(?:python|py|pypy|ipython|cpython)[-\d.]*", re.ASCII),
    "cpp": re.compile(r"(?:c\+\+|cpp|cc|cxx|cplusplus|gnu\+\+|g\+\+|gpp)[-\dxyz.]*", re.ASCII),
    "c": re.compile(r"(?:c|gnu|ansi-?c)[-\d.]*", re.ASCII),
}
_OTHERS: Final = {"cpp": re.compile(r"c[\d.]*|h|hpp", re.ASCII)}  # a tag that C++ programs bear by mistake
_TAG_END: Final = re.compile(r"[\s,:;{}()\[\]=]")
_CLOSING: Final = re.compile(r"[ \t>]*+(`{3,}+|~{3,}+)[ \t]*+")
# Code and, on the same line, the fence that should have stood on the next.
_GLUED: Final = re.compile(r"^([^\n`]*[^\s`>])(```+)[ \t]*$", re.MULTILINE)
_INNER_FENCE: Final = re.compile(r"^ {0,3}(?:```+|~~~+)[ \t]*[A-Za-z]", re.MULTILINE)
# A fence as any indent has it, for answers in which the parser sees none: an indented block, to CommonMark.
# Possessive throughout:
# nothing to go back to, or a line of a million tildes would take for ever.
_FENCE: Final = re.compile(r"^[ \t>]*+(`{3,}+|~{3,}+)[ \t]*+([^\s`]*+)[^\n`]*+$", re.MULTILINE)
_PYTHON_NAMES: Final = re.compile(
    r"^(?:async\s+)?(?:def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]+)?=(?!=)|^(?:from\s+\S+\s+)?import\s+(.+)", re.MULTILINE
)
_C_NAMES: Final = re.compile(
    r"^[\w:<>,*&\s]*?[\s*&](\w+)\s*\([^;{}]*\)\s*(?:const\s*)?\{|^(?:struct|class)\s+(\w+)", re.MULTILINE
)
_PRINTS: Final = re.compile(r"\bprint\b|\bstdout\b|\bwrite\b")
_MAIN: Final = re.compile(r"\bmain\s*\(")
_WORD: Final = re.compile(r"\w+")
_LONG: Final = 1 << 17  # characters of an answer; of a longer one, made of list items, the parser takes seconds
_FUNCTION: Final = re.compile(r"^(?:async\s+)?(?:def|class)\s+(\w+)", re.MULTILINE)


class _Block(NamedTuple):
    """A closed block: its tag in lower case, and what is in it."""

    tag: str
    text: str


def program_in(answer: str, language: str, entry_point: str | None = None, asked: Collection[str] = ()) -> str | None:
    """Return the program that an answer gives, or None where it gives none.

    Args:
        answer: the answer part of a response.
        language: key of ``LANGUAGES``.
        entry_point: the function that the tests name.
        asked: further words of the tests; those that a block defines count as asked for.
    """
    blocks = _of_language(_blocks(answer), language)
    if not blocks:
        blocks = _of_language(_blocks(_GLUED.sub(r"\1\n\2", answer)), language)
    if not blocks:
        blocks = _of_language(list(_by_lines(answer)), language)
    if not blocks:
        return None
    names = [_defined(block, language) for block in blocks]
    chosen = _chosen(blocks, names, language, entry_point, asked)
    needed = _needed(chosen, blocks, names)
    return "\n".join(blocks[number] for number in [*needed, chosen])


def code_in(prompt: str) -> list[str]:
    """The blocks of Python in a prompt, those without a tag among them, and the prompt, which may be code itself."""
    return [prompt, *(block.text for block in _blocks(prompt) if not block.tag or _TAGS["python"].fullmatch(block.tag))]


def _chosen(
    blocks: list[str], names: list[set[str]], language: str, entry_point: str | None, asked: Collection[str]
) -> int:
    """Return the number of the block that the program is, see the module's rule 2."""
    leaf = (entry_point or "").rpartition(".")[2]
    if leaf:
        defining = [number for number, block in enumerate(blocks) if _defines(block, leaf)]
        if defining:
            return defining[-1]
    elif asked:
        functions = [set(_FUNCTION.findall(block)).intersection(asked) for block in blocks]
        n_asked = [len(each) for each in (functions if any(functions) else map(set(asked).intersection, names))]
        if max(n_asked):
            return len(blocks) - 1 - n_asked[::-1].index(max(n_asked))
    whole = _PRINTS if language == "python" else _MAIN
    programs = [number for number, block in enumerate(blocks) if whole.search(block)]
    return programs[-1] if programs and not leaf and not asked else len(blocks) - 1


def _needed(chosen: int, blocks: list[str], names: list[set[str]]) -> list[int]:
    """Return the numbers of the earlier blocks that the chosen one cannot do without, see rule 3."""
    needed: set[int] = set()
    missing = set(_WORD.findall(blocks[chosen])) - names[chosen]
    for number in range(chosen - 1, -1, -1):
        if names[number] & missing and not names[number] & names[chosen]:
            needed.add(number)
            missing = (missing | set(_WORD.findall(blocks[number]))) - names[number]
    return sorted(needed)


def _defines(block: str, name: str) -> bool:
    found = re.escape(name)
    return re.search(rf"(?:\bdef|\bclass)\s+{found}\b|^{found}\s*=", block, re.MULTILINE) is not None


def _defined(block: str, language: str) -> set[str]:
    """Return the names that a block gives at its top level."""
    pattern = _PYTHON_NAMES if language == "python" else _C_NAMES
    found: set[str] = set()
    for match in pattern.finditer(block):
        for group in filter(None, match.groups()):
            found.update(_WORD.findall(group))
    return found


def _of_language(blocks: list[_Block], language: str) -> list[str]:
    tag = _TAGS.get(language, re.compile(re.escape(language)))
    own = [block.text for block in blocks if tag.fullmatch(block.tag)]
    other = _OTHERS.get(language)
    if not own and other is not None:
        own = [block.text for block in blocks if other.fullmatch(block.tag)]
    return [text for text in own or [block.text for block in blocks if not block.tag] if text.strip()]


def _tag(info: str) -> str:
    """Return the language that a fence names: ``{.python .numberLines}`` and ``python:main.py`` are python."""
    return _TAG_END.split(info.strip().lower().lstrip("{. "), maxsplit=1)[0].strip("{}.")


def _blocks(answer: str) -> list[_Block]:
    """The closed blocks, as CommonMark has them. One that swallows another's fence was not closed where it ends."""
    if len(answer) > _LONG or ("```" not in answer and "~~~" not in answer):
        return []
    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    lines = answer.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    blocks = []
    for token in parser.parse(answer):
        if token.type != "fence" or token.map is None:
            continue
        last = _CLOSING.fullmatch(lines[token.map[1] - 1]) if token.map[1] - 1 > token.map[0] else None
        if last is not None and not (_INNER_FENCE.search(token.content) and _GLUED.search(token.content)):
            blocks.append(_Block(_tag(token.info), token.content))
    return blocks


def _by_lines(answer: str) -> Iterable[_Block]:
    """Yield the closed blocks, whatever their indent."""
    opened: tuple[str, str, int] | None = None
    for match in _FENCE.finditer(answer):
        fence, tag = match.group(1), _tag(match.group(2))
        if opened is None:
            opened = (fence, tag, match.end() + 1)
        elif not match.group(2) and fence[0] == opened[0][0] and len(fence) >= len(opened[0]):
            yield _Block(opened[1], answer[opened[2] : match.start()])
            opened = None
