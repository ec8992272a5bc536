r"""What answers are judged by, and what came before the prompt, read from columns: objects, or JSON text of objects.

Instructions that sources glue to their prompts. They are taken off before anything is compared.

With them on, the same problem from two sources has two ids and shares fewer n-grams with a benchmark: a public check
found a MATH-500 problem in OpenThoughts that differed from it in nothing but the prefix.

Multiple choice: a reference that is a letter is a choice where the prompt has options of such letters.

Licences as rows name them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tracemill.core import Category
from tracemill.sources.adapter import MalformedRowError
from tracemill.sources.layouts.conversations import turns_of
from tracemill.text.boxes import unboxed


class Stripped(NamedTuple):
    """A prompt without its boilerplate, and the category that the boilerplate gave away."""

    prompt: str
    category: Category | None


_BOXES: Final = ("boxed", "box", "fbox")  # as copies of these sets write it

# Sky-T1's, and so Bespoke's and OpenThoughts' (their generate_prompt); the code ones are glued on without a space.
_GENERATE: Final = "Generate an executable Python function generated from the given prompt. "
PREFIXES: Final[Mapping[str, Category]] = {
    **{rf"Return your final response within \{box}{{}}.": Category.MATH for box in _BOXES},
    _GENERATE + "The function should take stdin as input and print the output. "
    "Simply call the function after the definition.": Category.CODE,
    _GENERATE + "Return the function body without invoking it at the final solution.": Category.CODE,
}


def without_prefix(prompt: str) -> Stripped:
    """Return the prompt without Sky-T1's prefix, if it has one. White space around the prefix goes with it."""
    text = prompt.lstrip()
    for prefix, category in PREFIXES.items():
        if text.startswith(prefix):
            return Stripped(text.removeprefix(prefix).lstrip(), category)
    return Stripped(prompt, None)


# Eurus-2-RL-Data's, which name the form of the answer; the code one ends in an example of a fence.
_SUFFIXES: Final = (
    re.compile(r"\s*Present the answer in LaTe?[xX] format: \\(?:boxed|box|fbox)\s*\{Your answer\}\.?\s*\Z"),
    re.compile(
        r"\s*Write Python code to solve the problem\. Present the code in\s*"
        r"```python\s.{0,40}?```\s*at the end\.?\s*\Z",
        re.DOTALL,
    ),
)


def without_suffix(prompt: str) -> str:
    """Return the prompt without Eurus' sentence on the form of its answer, if it has one."""
    for suffix in _SUFFIXES:
        prompt = suffix.sub("", prompt)
    return prompt


# "B", "(B)", "B.", "\text{B}", "\boxed{B}": a reference that names an option, if the prompt has options.
_LETTER: Final = re.compile(r"(?:\\text(?:bf)?\{)?\(?([A-E])\)?\.?\}?")
_OPTION: Final = re.compile(r"(?:^|[\s({*$])([A-E])[.):：．、]", re.MULTILINE)


def is_choice(prompt: object, reference: object) -> bool:
    """Tell whether the reference names one of the prompt's options by its letter."""
    letter = _letter(reference)
    return letter is not None and {"A", "B", letter} <= set(_OPTION.findall(prompt if isinstance(prompt, str) else ""))


def is_letter(reference: object) -> bool:
    """Tell whether the reference is nothing but a letter such as options have."""
    return _letter(reference) is not None


def _letter(reference: object) -> str | None:
    found = _LETTER.fullmatch(unboxed(reference).strip()) if isinstance(reference, str) else None
    return found.group(1) if found else None


_NON_COMMERCIAL: Final = re.compile(r"(?<![a-z])nc(?![a-z])|non[-_ ]?commercial", re.IGNORECASE)


def licence_of(value: object) -> tuple[str | None, bool | None]:
    """Return a row's own licence and whether it forbids commercial use; None twice where the row names none."""
    if not isinstance(value, str) or not value.strip() or value.strip().lower() in {"unknown", "none", "n/a"}:
        return None, None
    return value.strip(), _NON_COMMERCIAL.search(value) is not None


TEST_KINDS: Final = ("stdio", "call", "assert", "script")
_FENCE: Final = re.compile(r"\A\s*```\w*[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_EXACT: Final = 1 << 53  # From here on floats leave out whole numbers: their digits are not what was written.
NO_REFERENCE: Final = frozenset({"", "proof", "notfound", "not found"})


def tests_of(value: object) -> dict[str, Any] | None:
    """Return a test object of the verification contract; what is inside is for its verifier to judge.

    Raises:
        MalformedRowError: it is no object, or of an unknown kind.
    """
    tests = parsed(value, "tests")
    if tests is None:
        return None
    if not isinstance(tests, dict) or tests.get("kind") not in TEST_KINDS:
        raise _malformed("tests", tests, f"an object whose kind is one of {', '.join(TEST_KINDS)}")
    return tests


def constraints_of(value: object) -> list[dict[str, Any]] | None:
    """Constraints as ``[{"id", "kwargs"}]``.

    Raises:
        MalformedRowError: it is no list of such objects.
    """
    constraints = parsed(value, "constraints")
    if constraints is None:
        return None
    if not isinstance(constraints, list) or not all(_is_constraint(item) for item in constraints):
        raise _malformed("constraints", constraints, 'a list of {"id": text, "kwargs": object}')
    return [constraint(item["id"], item.get("kwargs")) for item in constraints]


def _is_constraint(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str) and isinstance(item.get("kwargs") or {}, dict)


def constraint(constraint_id: str, kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """Return one constraint; arguments that are null were only there to make columns of equal shape."""
    given = {name: argument for name, argument in (kwargs or {}).items() if argument is not None}
    return {"id": constraint_id, "kwargs": given}


def history_of(value: object) -> list[dict[str, str]]:
    """Return the turns before the prompt, oldest first.

    Raises:
        MalformedRowError: ``malformed_history``; see :func:`tracemill.sources.layouts.conversations.turns_of`.
    """
    turns = parsed(value, "history")
    if turns is None:
        return []
    return turns_of(turns, "history") if turns != [] else []


def category_of(value: object, *, named: bool) -> Category | None:
    """Return the category that a column says.

    Args:
        value: of the column, or None.
        named: the recipe names that column. Otherwise another vocabulary in it (Algebra, Geometry) says nothing.

    Raises:
        MalformedRowError: the column is named, and its value is no category.
    """
    if isinstance(value, str) and value in list(Category):
        return Category(value)
    if named and value is not None and value != "":
        raise _malformed("category", value, f"one of {', '.join(Category)}")
    return None


def reference_of(value: object) -> object:
    """A reference column's value, or None where what stands there says that there is none (NuminaMath's words)."""
    if isinstance(value, str) and value.strip().lower() in NO_REFERENCE:
        return None
    return value


def answer_text(value: object) -> str | None:
    """Return an answer as text, or None where there is none: null, blank, or NaN, which is how pandas writes null.

    Numbers are answers too (LIMO's and SVAMP's are read as numbers from JSON); 145.0 means 145.

    Raises:
        MalformedRowError: ``reference_answer_not_text``: a list, an object, or infinity.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    if not isinstance(value, str):
        raise _not_text("reference_answer", "reference_answer", value)
    return value.strip() or None


def text_in(row: dict[str, Any], column: str) -> str | None:
    """The text of a column, or None where it is null or not there; a row never says by a number what text should say.

    Raises:
        MalformedRowError: ``column_not_text``: there is something else.
    """
    value = row.get(column)
    if value is not None and not isinstance(value, str):
        raise _not_text("column", f"column {column}", value)
    return value


def _not_text(kind: str, name: str, value: object) -> MalformedRowError:
    return MalformedRowError(f"{kind}_not_text", f"{name} is {type(value).__name__}: {value!r:.200}; expected: text")


def said(row: dict[str, Any], *columns: str, **renamed: str) -> dict[str, Any]:
    """Return what a row says in some columns, for ``Draft.info``: those with a value, under their name or another one.

    Args:
        row: of the source.
        columns: that keep their names.
        renamed: name in ``info`` -> column.
    """
    wanted = {name: name for name in columns} | renamed
    return {name: row[column] for name, column in wanted.items() if row.get(column) not in (None, "", [])}


def solved(solution: object) -> dict[str, Any]:
    """A reference solution for ``Draft.info``, without the fence that some sets put around it; nothing if blank."""
    if not isinstance(solution, str) or not solution.strip():
        return {}
    fenced = _FENCE.match(solution)
    return {"reference_solution": fenced.group(1) if fenced else solution}


def parsed(value: object, name: str) -> Any:
    """Return the value, parsed where it is JSON text; blank text is none (CSV has no other way to say so).

    Raises:
        MalformedRowError: ``malformed_NAME``: text that is no JSON.
    """
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise MalformedRowError(f"malformed_{name}", f"{name} is text but no JSON: {error}") from error


def _malformed(name: str, got: object, expected: str) -> MalformedRowError:
    return MalformedRowError(f"malformed_{name}", f"{name} is {got!r:.200}; expected: {expected}")
