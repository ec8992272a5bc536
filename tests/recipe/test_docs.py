"""The pages for users: links lead somewhere, recipe keys are keys, snippets of recipes are recipes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.docs.documented import pages
from tests.support.needs import ROOT
from tracemill.cli.recipe_reference import keys
from tracemill.recipe import Recipe, parse_recipe, parse_section
from tracemill.recipe.evaluation import Evaluation

PAGES = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in pages()}
SECTIONS = {key.split(".")[0] for key in keys() if "." in key}
COMMIT = "5617a9f61b028005a4858fdac845db406aefb181"
MINIMAL: dict[str, Any] = {
    "name": "small",
    "sources": [{"name": "a", "path": "a.jsonl"}],
    "distill": {"teacher": {"model": "m"}},
}


def anchors(text: str) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links() -> list[tuple[str, str]]:
    """(page, target) of every link that leads to this repository."""
    found = [(page, target) for page, text in PAGES.items() for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    return [(page, target) for page, target in found if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize(("page", "target"), links())
def test_a_link_leads_somewhere(page: str, target: str) -> None:
    """The file is there, and so is the heading."""
    name, _, anchor = target.partition("#")
    file = (ROOT / page).parent / name if name else ROOT / page
    assert file.exists(), f"{page} links to {target}"
    if anchor:
        assert anchor in anchors(file.read_text(encoding="utf-8")), f"{page} links to {target}: no such heading"


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    """A file of this repository between back-ticks is there, under this name."""
    named = set(re.findall(r"`([a-z]\w*/[\w./-]+\.(?:py|md|yaml|sh|jsonl|Dockerfile))`", PAGES[page]))
    made_by_runs = {name for name in named if name.startswith(("runs/", "dataset/"))}
    places = (ROOT, (ROOT / page).parent)
    assert [name for name in sorted(named - made_by_runs) if not any((place / name).exists() for place in places)] == []


@pytest.mark.parametrize("page", PAGES)
def test_recipe_keys_that_are_named_exist(page: str) -> None:
    """`section.key` between back-ticks, and what --set sets, are keys of a recipe."""
    known = keys()
    spans = re.findall(r"`([^`\n]+)`", PAGES[page])
    named = {span.partition("=")[0].partition(":")[0] for span in spans}
    named |= set(re.findall(r"--set '?([a-z_.]+)=", PAGES[page]))
    dotted = {name for name in named if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name) and name.split(".")[0] in SECTIONS}
    placeholders = {"section.key"}
    assert sorted(dotted - known - placeholders) == []


def snippets() -> list[Any]:
    """Every YAML block whose keys are sections of a recipe."""
    found = []
    for page, text in PAGES.items():
        for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)):
            raw = yaml.safe_load(block.replace("<commit>", COMMIT))
            if set(raw) & set(Recipe.model_fields):
                found.append(pytest.param(raw, id=f"{Path(page).name}-{number}"))
    return found


@pytest.mark.parametrize("snippet", snippets())
def test_a_snippet_is_part_of_a_recipe(snippet: dict[str, Any]) -> None:
    """What a page shows is taken as it stands, beside the little that every recipe needs."""
    assert (
        parse_section(Evaluation, snippet, origin="page") if "student" in snippet else parse_recipe(MINIMAL | snippet)
    )


def test_there_is_something_to_check() -> None:
    """Links, snippets and keys are found at all."""
    assert len(links()) > 50
    assert len(snippets()) >= 10
    assert "distill" in SECTIONS
    assert "name" not in SECTIONS


PLACES = re.compile(r"`((?:tracemill|tasks|flows|verifiers|tests|docs|benchmarks)/[\w./]+)`")


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/glossary.md", "CONTRIBUTING.md"])
def test_the_files_that_are_named_exist(page: str) -> None:
    """A page for contributors names files and folders of this tree, and no other."""
    named = PLACES.findall((ROOT / page).read_text(encoding="utf-8"))
    assert len(named) >= 3
    assert [place for place in named if not (ROOT / place).exists()] == []


def test_every_page_is_in_the_index() -> None:
    """docs/README.md leads to every page of docs."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [
        page.name for page in (ROOT / "docs").glob("*.md") if page.name != "README.md" and f"({page.name})" not in index
    ] == []
