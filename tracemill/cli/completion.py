"""``completion``: what bash or zsh needs to complete the commands, their options and their files.

The program is a module and no command of its own, so that a function ``tracemill`` comes with it.
"""

from __future__ import annotations

import argparse
import re
import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BASH: Final = """\
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
_ZSH: Final = """\
# Commands of tracemill for zsh: eval "$({python} -m tracemill completion zsh)"
tracemill() {{ {python} -m tracemill "$@"; }}
_tracemill() {{
    local said="" each
    local -a choices
    for each in "${{(@)words[2,CURRENT-1]}}"; do
        case "$each" in (-*) ;; (*) said="$said $each" ;; esac
    done
    case "$said " in
{cases}
    esac
    _describe tracemill choices
    [[ "$words[CURRENT]" == -* ]] || _files
}}
(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit }}
compdef _tracemill tracemill
"""
_HELP_CHARS: Final = 70


class Word(NamedTuple):
    """A subcommand or an option, and what it is for."""

    text: str
    help: str


def _bash_case(said: str, words: list[Word]) -> str:
    choices = " ".join(word.text for word in words)
    return f'        "{said} "{"*" if said else ""}) choices="{choices}" ;;'


def _zsh_case(said: str, words: list[Word]) -> str:
    """One line of the ``case``; zsh shows what stands behind the colon."""
    choices = " ".join(shlex.quote(f"{word.text}:{word.help}" if word.help else word.text) for word in words)
    return f'        ("{said} "{"*" if said else ""}) choices=({choices}) ;;'


SHELLS: Final[dict[str, tuple[str, Callable[[str, list[Word]], str]]]] = {
    "bash": (_BASH, _bash_case),
    "zsh": (_ZSH, _zsh_case),
}


def script(parser: argparse.ArgumentParser, python: str, shell: str = "bash") -> str:
    """Return a script for a shell to read.

    Args:
        parser: the command line.
        python: what runs the program.
        shell: one of ``SHELLS``.
    """
    frame, case = SHELLS[shell]
    cases = [case(said, words) for said, words in reversed(list(_words(parser, "")))]
    return frame.format(python=shlex.quote(python), cases="\n".join(cases))


def _words(parser: argparse.ArgumentParser, said: str) -> Iterator[tuple[str, list[Word]]]:
    """Yield what may follow the words that were said: subcommands, or options; outer ones first."""
    options = [Word(option, _short(action)) for action in parser._actions for option in action.option_strings]  # noqa: SLF001 - no other way
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    commands = [Word(inner.dest, _short(inner)) for group in groups for inner in group._choices_actions]  # noqa: SLF001
    yield said, [*commands, *options]
    for group in groups:
        for name, inner in group.choices.items():
            yield from _words(inner, f"{said} {name}")


def _short(action: argparse.Action) -> str:
    """Return what an action is for: without what only a help page fills in, and none of zsh's marks."""
    text = re.sub(r"\(?default: %\(default\)s\)?", "", action.help or "")
    text = " ".join(text.replace("%%", "%").replace(":", " ").split()).strip(" ;")
    return text if len(text) <= _HELP_CHARS else f"{text[: _HELP_CHARS - 1]}…"
