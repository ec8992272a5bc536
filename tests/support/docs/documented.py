"""What the documentation says to type: every command of its pages, and how one that is run is compared with it."""

from __future__ import annotations

import re
import shlex
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from tests.support.needs import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PROGRAMS = "python|make|docker|git|prefect|pip|curl|vllm|ray|dask|kubectl|sudo|apt-get"
_COMMAND = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:(?:{_PROGRAMS}) |export [A-Z_]+=|\.venv\S*/bin/\S+|deployments/\S+\.sh\b)")
# In running text: whole commands, not names of programs.
_INLINE = re.compile(r"(?:[A-Z_]+=\S+ )*(?:python -m \w|make \w|docker compose \w|\.venv\S*/bin/\S+ \w|prefect \w+ \w)")
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SHELLS = ("sh", "bash", "console")
_OTHER_LANGUAGES = ("python", "yaml", "json", "text")
_PLACEHOLDER = r"[A-Z]+(?:/[A-Z]+|\.[a-z.]+|@\d)?|<\w+>|…|section\.key=value|FIELD=NAME|MODEL=PLACE"


class Command(NamedTuple):
    """One command of a page, as it stands there but for comments and line ends."""

    page: str
    text: str


def pages() -> list[Path]:
    """README and everything for users; the changelog tells of commands, and does not say to type them."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*/README.md"))]


def commands() -> list[Command]:
    """Every command of every page, once a page."""
    found = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        name = str(page.relative_to(ROOT))
        found += [Command(name, each) for each in dict.fromkeys(chain(fenced(text), inline(text)))]
    return found


def fenced(text: str) -> Iterator[str]:
    """Commands in blocks: all lines of a shell's, ``$`` lines of a console's, else what begins with a program."""
    for _, language, block in _FENCED.findall(text):
        if language in _OTHER_LANGUAGES:
            continue
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            said = line.strip()
            typed = _uncommented(said.removeprefix("$ "))
            if said.startswith("$ ") or (language in {"sh", "bash"} and typed) or _COMMAND.match(typed):
                yield typed


def inline(text: str) -> Iterator[str]:
    """Commands between back-ticks in running text."""
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", _FENCED.sub("", text)):
        typed = " ".join(span.split())
        if _INLINE.match(typed):
            yield typed.removesuffix(" …")


def _uncommented(line: str) -> str:
    return re.sub(r"\s+#.*$", "", line).strip()


def pattern(documented: str, substituted: dict[str, str]) -> re.Pattern[str]:
    """What a command that is run must look like to be this one.

    ``[x]`` may be missing, ``…`` may repeat, ``a|b`` is either, words in capitals and ``key=value`` are anyone's; all
    else stands there as it is documented, but for what the table of substitutions names.
    """
    return re.compile("".join(_parts(documented, substituted)))


def _parts(documented: str, substituted: dict[str, str]) -> Iterator[str]:
    for piece in re.findall(r"\[[^\]]*\]…?|\s+|[^\s\[]+", documented):
        if piece.isspace():
            continue
        if piece.startswith("["):
            inner = "".join(_parts(piece.removesuffix("…")[1:-1], substituted))
            yield f"(?:{inner})*" if piece.endswith("…") else f"(?:{inner})?"
        else:
            yield rf"(?:^|\s+)(?:{_word(piece, substituted)})"


def _word(word: str, substituted: dict[str, str]) -> str:
    if re.fullmatch(_PLACEHOLDER, word):
        return r"\S+"
    if "|" in word:
        return "|".join(map(re.escape, word.split("|")))
    escaped = re.escape(word)
    for literal in substituted:
        escaped = escaped.replace(re.escape(literal), r"\S+")
    return escaped


def options(documented: str) -> set[str]:
    """What must have been run at least once: every option, and every alternative."""
    words = shlex.split(re.sub(r"[\[\]…]", " ", documented))
    return {part for word in words for part in word.split("|") if word.startswith("--") or "|" in word}
