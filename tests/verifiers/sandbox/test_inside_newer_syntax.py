"""F-strings of Python 3.12, made into what the image's Python reads: the value stays, and nothing else is touched."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.sandbox.inside.program.newer_syntax import older

NAMES: dict[str, Any] = {"d": {"a": 1, "b": [2, 3]}, "n": 5, "x": 3.14159, "w": 8, "words": ["so", "it"]}

# An expression as 3.12 has it, and its value there.
NEWER = [
    ('f"{d["a"]}"', "1"),
    ("f'{d['a']}'", "1"),
    ('f"{d["b"][0]} and {d["a"]}"', "2 and 1"),
    ('f"{", ".join(words)}"', "so, it"),
    (r'f"{"\n".join(words)}"', "so\nit"),
    ('f"{x:.2f} {d["a"]:>3}"', "3.14   1"),
    ('f"{d["a"]!r}"', "1"),
    ('f"{d["a"]=}"', 'd["a"]=1'),
    ('f"{{{d["a"]}}}"', "{1}"),
    ('f"{f"{d["a"]}"}"', "1"),
    ('f"{n if n == 5 else d["a"]}"', "5"),
    ('f"{n != 4} {d["a"]}"', "True 1"),
    ('f"{n >= 4} {d["a"]}"', "True 1"),
    ('f"it\'s {d["a"]}"', "it's 1"),
    ('f"{d["a"]:{w}}"', "       1"),
    ('rf"\\d{d["a"]}"', "\\d1"),
    ('f"{"it\'s"} {d["a"]} \'\'\' \\"\\"\\""', "it's 1 ''' \"\"\""),
    ('f"{(lambda y: y + 1)(n)} {d["a"]}"', "6 1"),
    ('"a" f"{d["a"]}" \'b\'', "a1b"),
    ('f"{d["a"]}" + "plain {n}"', "1plain {n}"),
]

# What every version reads, and what none does.
UNTOUCHED = [
    "",
    "x = 1\n",
    "f'{n}'",
    "f\"{d['a']}\"",
    "f'{n:>{w}}'",
    'x = "# no comment" # f"{\n',
    "'''f\"{a}\" in a text'''",
    "def f(a: dict) -> str:\n    return f'{a}'\n",
    "rb'\\x00'",
    "f'{{}}'",
    'f"{n',
    '"never closed',
    "f'{n!x y}'",
]


@pytest.mark.parametrize(("expression", "value"), NEWER)
def test_newer_strings_have_their_value(expression: str, value: str) -> None:
    """Equal quotes and backslashes within braces are read by the older Python, with the value that 3.12 gives."""
    rewritten = older(expression)
    compile(rewritten, "<test>", "eval")
    assert eval(rewritten, dict(NAMES)) == value  # noqa: S307 - of the table
    if sys.version_info >= (3, 12):
        assert eval(expression, dict(NAMES)) == value  # noqa: S307 - as above


@pytest.mark.parametrize("source", UNTOUCHED)
def test_what_is_read_anyway_stays(source: str) -> None:
    """Plain strings, comments, older f-strings and broken texts are not rewritten."""
    assert older(source) == source


def test_lines_stay_where_they_are() -> None:
    """A program's other lines are as they were, and so their numbers in errors are."""
    source = 'import math\n\ndef f(d):\n    # say f"{d["a"]}"\n    return f"{d["a"]}"\n\nprint(f({"a": math.pi}))\n'
    rewritten = older(source)
    changed = [
        n for n, (one, other) in enumerate(zip(source.split("\n"), rewritten.split("\n"), strict=True)) if one != other
    ]
    assert changed == [4]


@given(st.text(alphabet="f\"'{}[]()!:=\\ #\nabn1", max_size=40))
def test_any_text_is_survived(source: str) -> None:
    """Whatever the text, a text comes back, and what is Python already means what it meant."""
    assert isinstance(older(source), str)


@given(st.text(alphabet="fr\"'{}[]() abn1=,", max_size=24))
def test_what_compiles_still_does(source: str) -> None:
    """A text that compiles as it is compiles after it, to the same constants."""
    try:
        before = compile(source, "<test>", "exec")
    except (SyntaxError, ValueError):
        return
    after = compile(older(source), "<test>", "exec")
    assert after.co_consts == before.co_consts
