"""What an adapter makes of a row: a problem before it has an id, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracemill.core import Category


PlainField = Literal[
    "prompt", "reference_answer", "tests", "constraints", "category", "history", "reference_solution", "id", "response"
]


class RowSource(Protocol):
    """What an adapter knows of where a row is from: the part of a recipe's source that says how rows are laid out."""

    @property
    def config(self) -> str | None:
        """Hub configuration name."""

    @property
    def layout(self) -> str:
        """Name of the layout."""

    @property
    def columns(self) -> Mapping[PlainField, str]:
        """For layout plain: field of the problem -> column name."""

    @property
    def only(self) -> Mapping[str, tuple[str | bool | int | float | None, ...]]:
        """Column -> values of the rows that are wanted."""

    @property
    def category(self) -> Category:
        """What its rows are judged as, unless a row says."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A problem before it has an id.

    Attributes:
        category: None where the row does not show it: then it is the source's.
        licence: of the row, or None: then it is the source's; non_commercial likewise.
    """

    prompt: object
    reference_answer: object = None
    category: Category | None = None
    history: list[dict[str, str]] = field(default_factory=list)
    tests: dict[str, Any] | None = None
    constraints: list[dict[str, Any]] | None = None
    traces: list[dict[str, Any]] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)
    licence: str | None = None
    non_commercial: bool | None = None


class MalformedRowError(ValueError):
    """A row that its adapter cannot read; ``reason`` is a drop reason, the message its evidence."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class ExcludedRowError(MalformedRowError):
    """A sound row that its layout has no use for (a proof, a tool call, …); dropped with its reason all the same."""


@dataclass(frozen=True, slots=True)
class LayoutAdapter:
    """One layout.

    Attributes:
        required: the columns it cannot do without, aliases of each.
        adapt: how to read a row.
        responses: columns that responses stand in, or that only rows with responses have; an audit takes rows for this
            layout's where one of them is there. Empty: its rows are questions.
    """

    required: tuple[tuple[str, ...], ...]
    adapt: Callable[[dict[str, Any], RowSource], Draft]
    responses: tuple[str, ...] = ()
