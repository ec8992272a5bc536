"""Where the teacher is, by the recipe or by the environment."""

from __future__ import annotations

from typing import Any

import pytest

from flows.teacher_from_env import with_teacher_from_env
from tracemill.recipe import parse_recipe
from tracemill.recipe.sections.server import Teacher


def teacher(environment: dict[str, str], **settings: Any) -> Teacher:
    source = {"name": "s", "path": "s.jsonl", "layout": "plain"}
    raw = {"name": "r", "sources": [source], "distill": {"teacher": {"model": "m", **settings}, "max_rounds": 3}}
    recipe = with_teacher_from_env(parse_recipe(raw), environment)
    assert recipe.distill.max_rounds == 3
    return recipe.distill.teacher


@pytest.mark.parametrize(
    ("environment", "settings", "urls", "key"),
    [
        ({}, {}, ("http://127.0.0.1:8000/v1",), None),
        ({"TEACHER_URL": "", "TEACHER_API_KEY": ""}, {}, ("http://127.0.0.1:8000/v1",), None),
        ({"TEACHER_URL": "http://teacher:8000/v1/"}, {}, ("http://teacher:8000/v1",), None),
        ({"TEACHER_URL": "http://a/v1, http://b/v1"}, {}, ("http://a/v1", "http://b/v1"), None),
        ({"TEACHER_URL": "http://a/v1"}, {"base_urls": ["http://mine/v1"]}, ("http://mine/v1",), None),
        ({"TEACHER_API_KEY": "k"}, {}, ("http://127.0.0.1:8000/v1",), "env:TEACHER_API_KEY"),
        ({"TEACHER_API_KEY": "k"}, {"headers": {"authorization": "env:A"}}, ("http://127.0.0.1:8000/v1",), None),
        ({"TEACHER_API_KEY": "k"}, {"api_key": "mine"}, ("http://127.0.0.1:8000/v1",), "mine"),
    ],
)
def test_the_environment_speaks_where_the_recipe_is_silent(
    environment: dict[str, str], settings: dict[str, Any], urls: tuple[str, ...], key: str | None
) -> None:
    """TEACHER_URL and TEACHER_API_KEY place the teacher of a recipe that names no place, and change no other recipe.

    The key itself stays in the environment.
    """
    found = teacher(environment, **settings)
    assert found.base_urls == urls
    assert (found.api_key.get_secret_value() if found.api_key else None) == key
    assert found.model == "m"
