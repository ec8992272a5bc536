"""The layout of an audit's input: named on the command line, known of a Hub dataset, or found out from its rows."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import json
from collections.abc import Sequence
from typing import Any, get_args

from tracemill.core import RecipeError
from tracemill.recipe.sections.audit import Audit
from tracemill.sources import Source
from tracemill.sources.adapter import PlainField
from tracemill.sources.catalogue.catalogue import datasets_at
from tracemill.sources.layouts.recognition import Layout, checked, detected
from tracemill.sources.layouts.registry import LAYOUTS
from tracemill.sources.readers import readings

PLAIN_FIELDS = get_args(PlainField)
_LOOKED_AT = 50  # rows: an early one may lack columns that are empty in it


def laid_out(recipe: Audit, layout: str, columns: Sequence[str], limit: int | None = None) -> Audit:
    """The recipe of an audit with the layout of its rows: the one that is named, or found out from the first rows.

    A Hub dataset that the catalogue knows is laid out as it says; other rows by their columns. Where no row can be
    read it stays AM's, and every row is counted as unreadable.

    Args:
        recipe: of the audit.
        layout: its name, or "".
        columns: of layout plain, ``field=column``.
        limit: no more rows than these are read.

    Raises:
        RecipeError: there is no such layout or field.
        SourceError: the rows cannot be read, or have not the columns of a layout; or several layouts fit.
    """
    [source] = recipe.sources
    named = _named_columns(columns)
    name = layout or ("plain" if named else _stated_layout(source))
    if name and name not in LAYOUTS:
        near = difflib.get_close_matches(name, LAYOUTS, n=1)
        raise RecipeError(
            f"there is no layout {name}",
            expected=f"one of {', '.join(LAYOUTS)}",
            remedy=f"did you mean {near[0]}?" if near else "see docs/sources.md",
        )
    if named and name != "plain":
        raise RecipeError(
            f"columns are named for layout {name}", expected="--layout plain", remedy="leave out --column, or --layout"
        )
    rows = _first_rows(source, recipe.data_dir, min(limit or _LOOKED_AT, _LOOKED_AT))
    place = source.hub or source.path or ""
    if rows:
        found = checked(place, rows, Layout(name, named)) if name else detected(place, rows)
    else:
        found = Layout(name or "am", named)
    update = {"layout": found.name, "columns": dict(found.columns)}
    return recipe.model_copy(update={"sources": (source.model_copy(update=update),)})


def _named_columns(given: Sequence[str]) -> dict[str, str]:
    named = dict(each.split("=", 1) for each in given if "=" in each)
    wrong = [each for each in given if "=" not in each] + [field for field in named if field not in PLAIN_FIELDS]
    if wrong:
        raise RecipeError(
            f"--column {wrong[0]} names no field of a plain row",
            expected=f"FIELD=COLUMN, where the field is one of {', '.join(PLAIN_FIELDS)}",
            remedy="as in --column response=output",
        )
    return named


def _stated_layout(source: Source) -> str:
    """Return what the catalogue says of a Hub dataset, if that is one thing, and its rows bring responses."""
    known = datasets_at(source.hub) if source.hub else []
    names = {each.layout for each in known if source.config in (None, each.config)}
    name = names.pop() if len(names) == 1 else ""
    return name if name and LAYOUTS[name].responses else ""


def _first_rows(source: Source, data_dir: str, most: int) -> list[dict[str, Any]]:
    """Return the first rows that are objects, of so many."""
    raw = itertools.chain.from_iterable(rows for _, rows in readings(source, data_dir))
    found = []
    for row in itertools.islice(raw, most):
        with contextlib.suppress(ValueError, RecursionError):
            found.append(json.loads(row.raw.decode("utf-8-sig")))
    return [row for row in found if isinstance(row, dict)]
