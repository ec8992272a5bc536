"""What an adapter makes of a row: a problem before it has an id, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracemill.recipe_source import Source
    from tracemill.schema import Category


@dataclass(frozen=True, slots=True)
class Draft:
    """A problem before it has an id."""

    prompt: object
    reference_answer: object = None
    category: Category | None = None
    history: list[dict[str, str]] = field(default_factory=list)
    tests: dict[str, Any] | None = None
    constraints: list[dict[str, Any]] | None = None
    traces: list[dict[str, Any]] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)


class MalformedRowError(ValueError):
    """A row that its adapter cannot read; ``reason`` is a drop reason, the message its evidence."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class LayoutAdapter:
    """One layout: the columns it cannot do without (aliases of each), and how to read a row."""

    required: tuple[tuple[str, ...], ...]
    adapt: Callable[[dict[str, Any], Source], Draft]
