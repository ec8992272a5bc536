"""Sections under their earlier names."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tracemill.core import RecipeError
from tracemill.recipe import parse_recipe

RAW: dict[str, Any] = {
    "name": "small",
    "sources": [{"name": "a", "path": "a.jsonl"}],
    "distill": {"teacher": {"model": "m"}},
}


def test_an_earlier_name_is_understood_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Section publish is section push, in the file and in settings on top of it, and the log says so."""
    with caplog.at_level(logging.WARNING, "tracemill.recipe"):
        found = parse_recipe(RAW | {"publish": {"repo": "org/name"}}, ["publish.branch=next"])
    assert found.push is not None
    assert (found.push.repo, found.push.branch) == ("org/name", "next")
    assert "publish is push" in caplog.text


def test_the_present_name_is_taken_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is warned of a section under its present name, and it makes the same recipe."""
    with caplog.at_level(logging.WARNING, "tracemill.recipe"):
        found = parse_recipe(RAW | {"push": {"repo": "org/name"}}, ["push.branch=next"])
    assert caplog.text == ""
    assert found == parse_recipe(RAW | {"publish": {"repo": "org/name", "branch": "next"}})
    assert found.digest() == parse_recipe(RAW).digest()


def test_both_names_are_refused() -> None:
    """A recipe that has both is refused: which of the two is meant cannot be known."""
    with pytest.raises(RecipeError, match="publish and push"):
        parse_recipe(RAW | {"publish": {"repo": "org/name"}, "push": {"repo": "org/other"}})
