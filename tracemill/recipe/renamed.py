"""Sections of a recipe under the names that they had before: understood, with a warning, for one version."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from tracemill.core import RecipeError

_log: Final = logging.getLogger(__name__)
# To publish is to write the run's directory; the Hub is where a push goes.
RENAMED: Final = {"publish": "push"}


def with_new_names(raw: dict[Any, Any], overrides: Sequence[str], origin: str) -> tuple[dict[Any, Any], list[str]]:
    """Return a recipe's data and the settings on top of it, with every section under its present name.

    Args:
        raw: the data.
        overrides: ``section.key=value`` settings.
        origin: where the data is from, for messages.

    Raises:
        RecipeError: a section is there under both names.
    """
    for old, new in RENAMED.items():
        if old in raw and new in raw:
            raise RecipeError(
                f"{origin} has a section twice; nothing has run",
                got=f"{old} and {new}, which is its name now",
                expected=f"one section {new}",
                remedy=f"move what stands in {old} into {new}",
            )
    settings = [_renamed_setting(text) for text in overrides]
    if any(name in RENAMED for name in raw) or settings != list(overrides):
        told = ", ".join(f"{old} is {new}" for old, new in RENAMED.items())
        _log.warning(
            "%s: a section has another name now: %s; the old one will be refused by the next version", origin, told
        )
    return {RENAMED.get(name, name): value for name, value in raw.items()}, settings


def _renamed_setting(text: str) -> str:
    key, separator, value = text.partition("=")
    section, dot, rest = key.partition(".")
    return f"{RENAMED.get(section.strip(), section)}{dot}{rest}{separator}{value}"
