"""``completion``: what bash completes with the script that the command prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tracemill.cli.completion import script
from tracemill.cli.main import parser

ASK = """
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); _tracemill; printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(*words: str, cwd: Path) -> set[str]:
    """What bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in words)
    told = script(parser(), sys.executable) + ASK.format(words=quoted)
    done = subprocess.run(["bash", "--norc", "-c", told], cwd=cwd, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


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
    found = completed(*words, cwd=tmp_path)
    assert offered <= found
    assert not others & found


def test_a_place_with_blanks_is_quoted() -> None:
    """The function runs the Python that it was made by."""
    assert "tracemill() { '/a b/python' -m tracemill" in script(parser(), "/a b/python")
