"""What a kind of constraint is: how it is checked, what arguments it takes, and which of them can hold at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from verifiers.instructions.checks import LANGUAGES, RELATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _is_above_zero(arguments: Mapping[str, Any]) -> bool:
    """Nothing is less than none."""
    return not ("less than" in arguments.values() and 0 in arguments.values())


@dataclass(frozen=True, slots=True)
class Constraint:
    """One kind of constraint.

    Attributes:
        check: whether it holds of a text.
        arguments: type of each keyword argument.
        optional: those that a row need not name.
        possible: whether it can hold of any answer, with these arguments.
    """

    check: Callable[..., bool]
    arguments: Mapping[str, type] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    possible: Callable[[Mapping[str, Any]], bool] = _is_above_zero


class Relation(str):
    """An argument that is one of ``checks.RELATIONS``."""

    __slots__ = ()


class Letter(str):
    """An argument that is one character: of two, no answer has any."""

    __slots__ = ()


class Language(str):
    """An argument that is one of ``checks.LANGUAGES``."""

    __slots__ = ()


def misfit(value: Any, kind: type) -> str | None:
    """What was expected of an argument, or None if it is so."""
    if kind is Relation:
        return None if value in RELATIONS else f"one of {', '.join(RELATIONS)}"
    if kind is Language:
        return None if isinstance(value, str) and value in LANGUAGES else "the code of a language, as in en"
    if kind is Letter:
        return None if isinstance(value, str) and len(value.strip()) == 1 else "one character"
    if kind is int:
        return None if type(value) is int and value >= 0 else "a number"
    if kind is list:
        fits = isinstance(value, list) and value and all(isinstance(item, str) and item for item in value)
        return None if fits else "a list of texts"
    return None if isinstance(value, str) and value.strip() else "a text"
