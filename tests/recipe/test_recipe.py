"""The recipe: refused before anything runs, and digested by what results depend on."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tracemill.core import RecipeError
from tracemill.recipe import load_recipe, parse_recipe

RAW = {
    "name": "r",
    "sources": [{"name": "a", "path": "a.jsonl"}, {"name": "b", "path": "b.jsonl"}],
    "distill": {"teacher": {"model": "m"}},
}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("clean.min_word=3", r"clean\.min_word: unknown key; did you mean min_words\?"),
        ("claen.min_words=3", r"claen: unknown key; did you mean clean\?"),
        ("clean.min_words=many", r"clean\.min_words: got 'many'; .*integer"),
        ("clean.min_words=0", r"clean\.min_words: got 0; .*greater than 0"),
        ("deduplicate.threshold=1.5", r"deduplicate\.threshold: got 1\.5; .*less than or equal to 1"),
        ("sources.0.layout=gms8k", r"sources\.0\.layout: got 'gms8k'; .*'gsm8k'"),
        ("sources.b.pth=x", r"sources\.1\.pth: unknown key; did you mean path\?"),
        ("sources.1.name=a", r"sources: .*source names must be unique; twice: a"),
        ("sources.a.hub=x/y", r"exactly one of path and hub"),
        ("distill.teacher.temprature=1", r"distill\.teacher\.temprature: unknown key; did you mean temperature\?"),
        ("sources.c.path=x", r"(?s)names no element.*'a', 'b'"),
        ("clean.min_words", r"(?s)not understood.*section\.key=value"),
        ("name.first=x", r"goes below a plain value"),
        ("name=[", r"not YAML"),
    ],
)
def test_wrong_recipes_are_refused(override: str, message: str) -> None:
    """A wrong key, type or value is refused naming the key, the value, what was expected and the nearest valid key."""
    with pytest.raises(RecipeError, match=message):
        parse_recipe(RAW, [override])


def test_every_fault_is_named_at_once() -> None:
    """All faults of a recipe are listed in one error."""
    with pytest.raises(RecipeError, match=r"(?s)clean\.min_words.*verify\.wall_s"):
        parse_recipe(RAW, ["clean.min_words=-1", "verify.wall_s=-1"])


@pytest.mark.parametrize("revision", [None, "main", "refs/pr/2", "abc123"])
def test_hub_source_needs_a_commit(revision: str | None, tmp_path: Path) -> None:
    """A Hub source without a commit is refused, because its rows could move; the error says how to pin it."""
    path = tmp_path / "r.yaml"
    source = {"name": "h", "hub": "x/y"} | ({"revision": revision} if revision else {})
    path.write_text(yaml.safe_dump(RAW | {"sources": [source]}))
    with pytest.raises(RecipeError, match=rf"(?s)h: {revision}.*python -m tracemill pin .*r\.yaml"):
        load_recipe(path)
    assert load_recipe(path, pinned=False).sources[0].hub == "x/y"


def test_a_commit_is_a_pin(tmp_path: Path) -> None:
    """A Hub source at a commit is loaded."""
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(RAW | {"sources": [{"name": "h", "hub": "x/y", "revision": "a" * 40}]}))
    assert load_recipe(path).sources[0].revision == "a" * 40


def test_missing_recipe_file_is_named(tmp_path: Path) -> None:
    """A recipe that is not there is refused with its path."""
    with pytest.raises(RecipeError, match=r"nowhere\.yaml"):
        load_recipe(tmp_path / "nowhere.yaml")


def test_overrides_are_yaml_values() -> None:
    """Override values are read as YAML and reach nested keys, list elements by name or position."""
    recipe = parse_recipe(
        RAW, ["clean.min_words=7", "sources.b.path=c.csv", "distill.teacher.base_urls=['http://x/v1']"]
    )
    assert recipe.clean.min_words == 7
    assert recipe.sources[1].path == "c.csv"
    assert recipe.distill.teacher.base_urls == ("http://x/v1",)


@pytest.mark.parametrize(
    "override",
    ["run.workers=9", "distill.teacher.base_urls=['http://x/v1']", "distill.teacher.max_in_flight=1", "data_dir=/x"],
)
def test_operational_settings_are_in_no_digest(override: str) -> None:
    """How to run does not change what is computed."""
    assert parse_recipe(RAW, [override]).digest() == parse_recipe(RAW).digest()


@pytest.mark.parametrize("override", ["clean.min_words=9", "distill.teacher.temperature=0.1", "sources.0.licence=MIT"])
def test_content_settings_are_in_the_digest(override: str) -> None:
    """What results depend on changes the digest."""
    assert parse_recipe(RAW, [override]).digest() != parse_recipe(RAW).digest()


def test_api_key_is_never_shown() -> None:
    """A secret stands in no digest and no printed recipe."""
    recipe = parse_recipe(RAW, ["distill.teacher.api_key=hush"])
    assert "hush" not in repr(recipe)
    assert "hush" not in str(recipe.content())


def test_whose_traces_are_reused() -> None:
    """R1's, unless the recipe names other models; nobody's where it reuses none."""
    assert parse_recipe(RAW).reused == ("deepseek-r1",)
    assert parse_recipe(RAW, ["distill.reuse_models=[deepseek-r1, qwq-32b]"]).reused == ("deepseek-r1", "qwq-32b")
    assert parse_recipe(RAW, ["distill.reuse_traces=false"]).reused == ()
