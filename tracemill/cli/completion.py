"""``completion``: what bash needs to complete the commands, their options and their files.

The program is a module and no command of its own, so that a function ``tracemill`` comes with it.
"""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS: Final = ("bash",)
_SCRIPT: Final = """\
# Commands of tracemill for bash: eval "$({python} -m tracemill completion bash)"
tracemill() {{ {python} -m tracemill "$@"; }}
_tracemill() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" said="" each choices
    for each in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$each" in -*) ;; *) said="$said $each"; esac
    done
    case "$said " in
{cases}
        *) choices="" ;;
    esac
    COMPREPLY=($(compgen -W "$choices" -- "$word"))
    [[ "$word" == -* ]] || COMPREPLY+=($(compgen -f -- "$word"))
}}
complete -o filenames -F _tracemill tracemill
"""


def script(parser: argparse.ArgumentParser, python: str) -> str:
    """Return a script for bash to read.

    Args:
        parser: the command line.
        python: what runs the program.
    """
    words = list(_words(parser, ""))
    cases = [
        f'        "{said} "{"*" if said else ""}) choices="{" ".join(choices)}" ;;' for said, choices in reversed(words)
    ]
    return _SCRIPT.format(python=shlex.quote(python), cases="\n".join(cases))


def _words(parser: argparse.ArgumentParser, said: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what may follow the words that were said: subcommands, or options; outer ones first."""
    options = [option for action in parser._actions for option in action.option_strings]  # noqa: SLF001 - no other way
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    yield said, [*(name for group in groups for name in group.choices), *options]
    for group in groups:
        for name, inner in group.choices.items():
            yield from _words(inner, f"{said} {name}")
