"""The recipes that come with the project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tracemill.core import RecipeError
from tracemill.recipe import load_evaluation, load_recipe, parse_recipe
from tracemill.recipe.known_benchmarks import KNOWN
from tracemill.recipe.loading import is_commit
from tracemill.recipe.pinning import places, with_revisions
from tracemill.sources.catalogue.catalogue import catalogue

SHIPPED = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
EVALUATIONS = [path for path in SHIPPED if path.stem.startswith("evaluate-")]
COMPARISONS = [path for path in SHIPPED if path.stem.startswith("compare-")]
RECIPES = [path for path in SHIPPED if path not in EVALUATIONS + COMPARISONS]
PAPER = [path for path in RECIPES if path.stem in {"am-1.4m", "deepdistill"}]
# A number says where it is from: a section of a paper, or that it is not published and why it is so.
ORIGIN = re.compile(r"\b(?:P1|DD|NA|AT|LR)\b|\bours\b|the same")


def by_name(paths: list[Path]) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in paths]


@pytest.mark.parametrize("path", by_name(RECIPES))
def test_every_recipe_is_a_recipe(path: Path) -> None:
    """Recipes parse, every key and value of them, and are named as their file is."""
    assert load_recipe(path, pinned=False).name == path.stem


@pytest.mark.parametrize("path", by_name(EVALUATIONS))
def test_every_evaluation_is_one(path: Path) -> None:
    """Recipes of evaluations parse, pinned, and are named as their file is."""
    assert f"evaluate-{load_evaluation(path).name}" == path.stem


@pytest.mark.parametrize(("name", "paper"), [("evaluate-am-32b", "P1"), ("evaluate-na", "NA")])
def test_the_papers_evaluations_say_where_their_numbers_are_from(name: str, paper: str) -> None:
    """Each names the section, or that it is ours or the benchmark's."""
    [path] = [path for path in EVALUATIONS if path.stem == name]
    lines = settings(path)
    assert len(lines) > 8
    named = re.compile(rf"{paper}|LCB|ours")
    assert [line for line, comment in lines if not named.search(comment) and "revision:" not in line] == []


@pytest.mark.parametrize("path", by_name(PAPER))
def test_paper_recipes_run_once_they_are_pinned(path: Path, tmp_path: Path) -> None:
    """Without commits the recipe is refused with the command that finds them; with those that it writes it is not."""
    with pytest.raises(RecipeError, match=rf"python -m tracemill pin .*{path.name}"):
        load_recipe(path)
    found = {place.key: "a" * 40 for place in places(load_recipe(path, pinned=False)) if not is_commit(place.revision)}
    edited = with_revisions(path.read_text(), found)
    assert edited.count("a" * 40) == len(found) > 0
    (tmp_path / path.name).write_text(edited)
    assert all(is_commit(place.revision) for place in places(load_recipe(tmp_path / path.name)))


@pytest.mark.parametrize("path", by_name(PAPER))
def test_paper_recipes_take_licences_from_the_catalogue(path: Path) -> None:
    """Every source is one of the catalogue's, so that no licence is written by hand."""
    for source in load_recipe(path, pinned=False).sources:
        assert source.known in catalogue()
        assert (source.licence, source.non_commercial) == (
            catalogue()[source.known].licence,
            catalogue()[source.known].non_commercial,
        )


def settings(path: Path) -> list[tuple[str, str]]:
    """Lines with a number among their values, but for sources, each with the comments above and on it."""
    found, above, section = [], "", ""
    for line in path.read_text().splitlines():
        setting, _, comment = line.partition(" #")
        if line.lstrip().startswith("#"):
            above += line
            continue
        section = line.split(":")[0] if line[:1].isalpha() else section
        if section != "sources" and re.search(r"[:\[,] *\d", re.sub(r'"[^"]*"|@\d|[0-9a-f]{40}', "", setting)):
            found.append((setting.strip(), above + comment))
        above = "" if setting.strip() else above
    return found


@pytest.mark.parametrize("path", by_name(PAPER))
def test_numbers_say_where_they_are_from(path: Path) -> None:
    """Every number of a paper's recipe names the paper, or says that it is ours."""
    lines = settings(path)
    assert len(lines) > 5
    assert [setting for setting, comment in lines if not ORIGIN.search(comment)] == []


def test_the_sources_of_the_reference_dataset() -> None:
    """All sources that the paper counts are in its recipe, in the order in which their rows are worth keeping."""
    names = [source.name for source in load_recipe(PAPER[0], pinned=False).sources]
    counted = ["openr1-math-default", "openr1-math-extended", "kodcode-sft-r1", "open-thoughts", "general-thought-430k"]
    counted += ["numina-math-1.5", "full59k", "opc-stage2-educational", "codeio-pyedu-raw", "metamathqa"]
    counted += ["bespoke-stratos-17k", "dolphin-r1-deepseek", "natural-reasoning", "infinity-instruct-0625"]
    assert [name for name in names if name in counted] == counted
    assert {"s1k-1.1", "omni-math", "math-lighteval", "limo", "eurus-2-rl", "openorca"} <= set(names)


@pytest.mark.parametrize("path", by_name(PAPER))
def test_paper_recipes_keep_the_benchmarks_out(path: Path) -> None:
    """All known benchmarks are named, each at a commit."""
    benchmarks = load_recipe(path, pinned=False).decontaminate.benchmarks
    assert {benchmark.known for benchmark in benchmarks} == set(KNOWN)
    assert all(is_commit(benchmark.revision) for benchmark in benchmarks)


def test_only_r1s_traces_are_reused() -> None:
    """The reference dataset's recipe reuses R1's traces and nobody else's; DeepDistill's reuses none."""
    reused = {path.stem: load_recipe(path, pinned=False).reused for path in PAPER}
    assert reused == {"am-1.4m": ("deepseek-r1",), "deepdistill": ()}


def test_a_source_of_the_catalogue_can_be_moved_to_files() -> None:
    """An override points a source at downloaded files, and leaves all else as it is."""
    raw = {"name": "r", "sources": [{"known": "limo"}], "distill": {"teacher": {"model": "m"}}}
    assert parse_recipe(raw, ["sources.limo.path=limo.jsonl"]).sources[0].hub is None
