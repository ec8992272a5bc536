"""``completion``: what bash and zsh complete with the script that the command prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tracemill.cli.completion import SHELLS, script
from tracemill.cli.main import parser

BASH = """
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); _tracemill; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
# What zsh's own functions would be given: outside of its line editor they do not run.
ZSH = """
compdef() {{ }}
_describe() {{ printf '%s\\n' "${{(@P)2}}"; }}
_files() {{ print -l -- *(N); }}
{script}
words=({words}); CURRENT=$#words; _tracemill
"""


def quoted(words: tuple[str, ...]) -> str:
    return " ".join(f"'{word}'" for word in words)


def by_bash(*words: str, cwd: Path) -> set[str]:
    """What bash offers for the last of the words."""
    told = script(parser(), sys.executable) + BASH.format(words=quoted(words))
    done = subprocess.run(["bash", "--norc", "-c", told], cwd=cwd, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def by_zsh(*words: str, cwd: Path) -> dict[str, str]:
    """What zsh chooses from for the last of the words, with what each is for."""
    told = ZSH.format(script=script(parser(), sys.executable, "zsh"), words=quoted(words))
    done = subprocess.run(["zsh", "-f", "-c", told], cwd=cwd, capture_output=True, text=True, check=True)
    return {name: about for name, _, about in (line.partition(":") for line in done.stdout.splitlines())}


@pytest.mark.parametrize(
    ("words", "offered", "others"),
    [
        (("tracemill", ""), {"why", "browse", "ledger", "completion"}, {"--examples"}),
        (("tracemill", "br"), {"browse"}, {"why"}),
        (("tracemill", "diff", "--e"), {"--examples"}, {"--json", "why"}),
        (("tracemill", "browse", "a", "--"), {"--port", "--ledger"}, {"--examples"}),
        (("tracemill", "ledger", ""), {"stats", "export", "compact", "a.yaml"}, {"why"}),
        (("tracemill", "pin", "a"), {"a.yaml"}, {"why"}),
    ],
)
def test_bash_completes(tmp_path: Path, words: tuple[str, ...], offered: set[str], others: set[str]) -> None:
    """Commands, their parts, their options, and files."""
    (tmp_path / "a.yaml").write_text("")
    found = by_bash(*words, cwd=tmp_path)
    assert offered <= found
    assert not others & found


@pytest.mark.needs_zsh
@pytest.mark.parametrize(
    ("words", "offered", "others"),
    [
        (("tracemill", ""), {"why", "browse", "ledger", "completion"}, {"--examples"}),
        (("tracemill", "diff", "a", "--"), {"--examples", "--json"}, {"why", "a.yaml"}),
        (("tracemill", "ledger", ""), {"stats", "export", "compact", "a.yaml"}, {"why"}),
        (("tracemill", "ledger", "export", "--"), {"--help"}, {"stats"}),
        (("tracemill", "pin", "a"), {"--dry-run", "a.yaml"}, {"why"}),
    ],
)
def test_zsh_completes(tmp_path: Path, words: tuple[str, ...], offered: set[str], others: set[str]) -> None:
    """The same, of which zsh itself shows what fits."""
    (tmp_path / "a.yaml").write_text("")
    found = by_zsh(*words, cwd=tmp_path)
    assert offered <= found.keys()
    assert not others & found.keys()


@pytest.mark.needs_zsh
def test_zsh_says_what_each_is_for(tmp_path: Path) -> None:
    """The beginning of its help, which may have quotes."""
    assert by_zsh("tracemill", "", cwd=tmp_path)["versions"] == "the publications that stand in a run's directory"


def test_helps_are_one_line_each() -> None:
    """Nothing that only a help page fills in, and no mark of zsh's own."""
    cases = [line for line in script(parser(), "python", "zsh").splitlines() if "choices=(" in line]
    assert len(cases) > 10
    assert not re.search(r"%\(|default: \)", "\n".join(cases))


@pytest.mark.parametrize("shell", SHELLS)
def test_a_place_with_blanks_is_quoted(shell: str) -> None:
    """The function runs the Python that it was made by."""
    assert "tracemill() { '/a b/python' -m tracemill" in script(parser(), "/a b/python", shell)
