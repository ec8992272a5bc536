"""Which layout the rows of somebody's dataset have, by their columns; where that is not plain, they are not guessed at.

The rule: of the layouts whose rows bring responses and whose columns are all there, the one that knows the most of the
row's columns, if it knows all that the others know. Two that do not are two candidates, and a refusal. A conversation
alone (``am``, ``thoughts``) has what answers are judged by inside it, if anywhere: beside a column that looks like a
reference it is no candidate, unless its turns carry AM's ``info``. Where no layout fits, rows with one column for the
question and one for the response are ``plain``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracemill.core import UnknownLayoutError
from tracemill.sources.layouts.registry import LAYOUTS, PROMPT_COLUMNS, REFERENCE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

RESPONSE_COLUMNS: Final = (
    "response", "responses", "generation", "generations", "completion", "completions", "output", "outputs",
    "model_output", "model_response", "model_answer", "prediction", "solution_text",
)  # fmt: skip
CRITERIA: Final = (
    *REFERENCE_COLUMNS,
    "reference", "references", "ground_truth", "gold", "gold_answer", "expected_answer", "correct_answer", "target",
    "solution", "ground_truth_solution", "ground_truth_answer", "test", "tests", "test_cases", "test_list",
    "testcase", "constraints",
)  # fmt: skip
_READ_BY_PLAIN: Final = (*REFERENCE_COLUMNS, "tests", "constraints")
_CONVERSATION_ALONE: Final = ("am", "thoughts")
WITH_RESPONSES: Final = tuple(name for name, adapter in LAYOUTS.items() if adapter.responses)


class Layout(NamedTuple):
    """How rows are read.

    Attributes:
        columns: of layout plain: field of the problem -> column.
    """

    name: str
    columns: Mapping[str, str] = {}


def detected(dataset: str, rows: Sequence[Mapping[str, Any]]) -> Layout:
    """Return the layout of rows with responses.

    Args:
        dataset: for messages.
        rows: the first ones, at least one.

    Raises:
        UnknownLayoutError: no layout fits, or several, and none is better; the message names the columns.
    """
    columns = {str(name) for row in rows for name in row}
    fitting = {name: known for name in WITH_RESPONSES if (known := _known(name, columns))}
    beside = sorted(columns & set(CRITERIA))
    if beside and not any(has_info(row) for row in rows):
        unread = [name for name in _CONVERSATION_ALONE if name in fitting]
        fitting = {name: known for name, known in fitting.items() if name not in unread}
        if unread and not fitting:
            why = f"a conversation, and beside it {', '.join(beside)}, which it may be judged by"
            raise _not_plain(dataset, columns, why)
    best = [name for name, known in fitting.items() if not any(known < other for other in fitting.values())]
    if len(best) == 1:
        return Layout(best[0])
    if best:
        raise _not_plain(dataset, columns, f"rows that are laid out as {' and as '.join(sorted(best))}")
    return _plain(dataset, columns)


def checked(dataset: str, rows: Sequence[Mapping[str, Any]], layout: Layout) -> Layout:
    """Return a layout that was named.

    Raises:
        UnknownLayoutError: its rows bring no responses, or the rows have not its columns.
    """
    columns = {str(name) for row in rows for name in row}
    if layout.name == "plain":
        found = _plain_columns(dataset, columns, layout.columns)
        lacking = [column for column in found.values() if column not in columns]
        if lacking:
            raise _not_plain(dataset, columns, f"no column {', '.join(sorted(lacking))}")
        return Layout("plain", found)
    if not LAYOUTS[layout.name].responses:
        raise UnknownLayoutError(
            f"rows of layout {layout.name} are questions: there is no response to judge",
            got=f"columns {', '.join(sorted(columns))}",
            expected=f"a layout with responses: {', '.join(WITH_RESPONSES)}; or plain with --column response=NAME",
            remedy="name one with --layout; the references of questions are for python -m flows.check_references",
        )
    if not any(fits(layout.name, set(map(str, row))) for row in rows):
        wanted = "; ".join(" or ".join(names) for names in LAYOUTS[layout.name].required)
        raise UnknownLayoutError(
            f"{dataset} is not laid out as {layout.name}",
            got=f"columns {', '.join(sorted(columns))}",
            expected=f"columns {wanted}",
            remedy=_REMEDY,
        )
    return layout


_REMEDY: Final = (
    f"name another layout with --layout: {', '.join(WITH_RESPONSES)}; or say what its columns are, as in --layout plain"
    " --column prompt=question --column response=output --column reference_answer=answer (one conversation may be both"
    " prompt and response)"
)


def fits(name: str, columns: Collection[str]) -> bool:
    """Tell whether all columns that a layout cannot do without are there."""
    return all(any(alias in columns for alias in aliases) for aliases in LAYOUTS[name].required)


def _known(name: str, columns: set[str]) -> set[str]:
    """Return the columns that a layout knows of these; none where it lacks one, or its responses."""
    adapter = LAYOUTS[name]
    if not fits(name, columns) or not columns & set(adapter.responses):
        return set()
    return columns & {*adapter.responses, *(alias for aliases in adapter.required for alias in aliases)}


def has_info(row: Mapping[str, Any]) -> bool:
    """Tell whether the turns of a row say, as AM's do, what the answer is judged by."""
    turns = row.get("messages")
    return isinstance(turns, list) and any(
        isinstance(turn, dict) and isinstance(turn.get("info"), dict) for turn in turns
    )


def _plain(dataset: str, columns: set[str]) -> Layout:
    found = _plain_columns(dataset, columns, {})
    unread = sorted(columns & set(CRITERIA) - set(_READ_BY_PLAIN))
    if unread and not columns & set(_READ_BY_PLAIN):
        raise _not_plain(dataset, columns, f"{', '.join(unread)}, which nobody named as the reference")
    return Layout("plain", found)


def _plain_columns(dataset: str, columns: set[str], named: Mapping[str, str]) -> dict[str, str]:
    """The columns that are named; question and response also where they are not, and exactly one column may be each."""
    found = dict(named)
    for field, names in (("prompt", PROMPT_COLUMNS), ("response", RESPONSE_COLUMNS)):
        there = [name for name in names if name in columns]
        if field in named:
            continue
        if len(there) != 1:
            what = f"{' and '.join(there)}, which may all be the {field}" if there else f"no column for the {field}"
            raise _not_plain(dataset, columns, what)
        found[field] = there[0]
    return found


def _not_plain(dataset: str, columns: Collection[str], why: str) -> UnknownLayoutError:
    return UnknownLayoutError(
        f"{dataset} is not laid out as am, nor plainly as another layout with responses",
        got=f"{why}; columns {', '.join(sorted(columns))}",
        expected="the columns of one layout (docs/sources.md)",
        remedy=_REMEDY,
    )
