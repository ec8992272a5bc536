"""What answers are judged by, and what came before the prompt, read from columns: objects, or JSON text of objects."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from tracemill.schema import Category
from tracemill.sources.conversations import turns_of
from tracemill.sources.draft import MalformedRowError

TEST_KINDS: Final = ("stdio", "call", "assert", "script")
_FENCE: Final = re.compile(r"\A\s*```\w*[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_EXACT: Final = 1 << 53  # From here on floats leave out whole numbers: their digits are not what was written.
NO_REFERENCE: Final = frozenset({"", "proof", "notfound", "not found"})


def tests_of(value: object) -> dict[str, Any] | None:
    """A test object of the verification contract; what is inside is for its verifier to judge.

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
    """One constraint; arguments that are null were only there to make columns of equal shape."""
    given = {name: argument for name, argument in (kwargs or {}).items() if argument is not None}
    return {"id": constraint_id, "kwargs": given}


def history_of(value: object) -> list[dict[str, str]]:
    """The turns before the prompt, oldest first.

    Raises:
        MalformedRowError: ``malformed_history``; see :func:`tracemill.sources.conversations.turns_of`.
    """
    turns = parsed(value, "history")
    if turns is None:
        return []
    return turns_of(turns, "history") if turns != [] else []


def category_of(value: object, *, named: bool) -> Category | None:
    """The category that a column says.

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
    """An answer as text, or None where there is none: null, blank, or NaN, which is how pandas writes null.

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
    """What a row says in some columns, for ``Draft.info``: those with a value, under their name or another one.

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
    """The value, parsed where it is JSON text; blank text is none (CSV has no other way to say so).

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
