"""Pinning: commits from a Hub on the loopback, written into a recipe that otherwise stays as it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from tests.support.warm import start as programs
from tracemill.core import RecipeError
from tracemill.recipe import load_evaluation, load_recipe
from tracemill.recipe.pinning import places, with_revisions

if TYPE_CHECKING:
    from collections.abc import Iterator

A, B, C = "a" * 40, "b" * 40, "c" * 40
COMMITS = {("org/maths", "main"): A, ("org/maths", "refs/pr/2"): B, ("DigitalLearningGmbH/MATH-lighteval", "main"): C}


@contextmanager
def hub() -> Iterator[str]:
    """Address of a Hub that knows the commits above."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Hub(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        found = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/revision/(.+))?", self.path)
        name, revision = (found.group(1), unquote(found.group(2) or "main")) if found else ("", "")
        commit = COMMITS.get((name, revision))
        known = any(name == each for each, _ in COMMITS)
        code = "" if commit else "RevisionNotFound" if known else "RepoNotFound"
        body = json.dumps({"id": name, "sha": commit, "tags": [], "siblings": []} if commit else {}).encode()
        self.send_response(200 if commit else 404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


RECIPE = """\
# A recipe with its own habits.
name: mine
sources: # in order of priority
  - {name: flow,   hub: org/maths, layout: math} # a flow mapping
  - name: block
    hub: 'org/maths'   # with a comment
    revision: refs/pr/2

    layout: math
  - known: math-lighteval # the catalogue knows its id
  - {name: pinned, hub: org/maths, revision: dddddddddddddddddddddddddddddddddddddddd, layout: math}
  - {name: file, path: x.jsonl}
decontaminate:
  benchmarks:
    - {name: exam, hub: org/maths} # a benchmark
distill: {teacher: {model: m}}
"""
PINNED = (
    RECIPE.replace("hub: org/maths, layout: math} # a", f"hub: org/maths, revision: {A}, layout: math}} # a")
    .replace("refs/pr/2", B)
    .replace("- known: math-lighteval # the catalogue knows its id\n", f"{{}}\n    revision: {C}\n")
    .replace("{}\n", "- known: math-lighteval # the catalogue knows its id\n")
    .replace("{name: exam, hub: org/maths}", f"{{name: exam, hub: org/maths, revision: {A}}}")
)


def run(path: Path, endpoint: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The command, as a user gives it."""
    variables = os.environ | {"HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1"}
    return programs.run("tracemill", "pin", str(path), *options, environment=variables)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE)
    path.chmod(0o640)
    return path


def test_pinning_edits_the_recipe(recipe: Path) -> None:
    """Every Hub source gets its commit, branches and requests are followed, comments and layout stay to the letter."""
    with pytest.raises(RecipeError, match="flow: None, block: refs/pr/2, math-lighteval: None, exam: None"):
        load_recipe(recipe)
    with hub() as endpoint:
        told = run(recipe, endpoint)
    assert (told.returncode, told.stderr) == (0, "")
    assert recipe.read_text() == PINNED
    assert recipe.stat().st_mode & 0o777 == 0o640
    assert [source.revision for source in load_recipe(recipe).sources] == [A, B, C, "d" * 40, None]
    assert f"block           org/maths  {B}  (was refs/pr/2)" in told.stdout
    assert load_recipe(recipe).decontaminate.benchmarks[0].revision == A
    assert told.stdout.endswith("4 pinned, 1 unchanged, 0 not found\n")
    assert [path.name for path in recipe.parent.iterdir()] == ["mine.yaml"]


def test_a_link_to_a_recipe_stays_a_link(recipe: Path) -> None:
    """What is edited is the file that it leads to."""
    link = recipe.with_name("link.yaml")
    link.symlink_to(recipe.name)
    with hub() as endpoint:
        run(link, endpoint)
    assert link.is_symlink()
    assert link.read_text() == recipe.read_text() == PINNED


def test_a_dry_run_writes_nothing(recipe: Path) -> None:
    """What would be written is told, and not written."""
    with hub() as endpoint:
        told = run(recipe, endpoint, "--dry-run")
    assert recipe.read_text() == RECIPE
    assert A in told.stdout
    assert told.stdout.endswith("4 would be pinned, 1 unchanged, 0 not found\n")


def test_a_commit_stays_unless_it_is_asked_for(recipe: Path) -> None:
    """A pinned recipe is left alone without asking anybody; --update moves commits to the newest."""
    recipe.write_text(PINNED)
    assert run(recipe, "http://127.0.0.1:9").stdout.endswith("0 pinned, 5 unchanged, 0 not found\n")
    with hub() as endpoint:
        run(recipe, endpoint, "--update")
    assert [source.revision for source in load_recipe(recipe).sources] == [A, A, C, A, None]


def test_what_is_not_found_holds_up_nothing(recipe: Path) -> None:
    """A dataset that the Hub lacks is told with its error, the others are pinned, and the command fails."""
    recipe.write_text(RECIPE.replace("refs/pr/2", "nowhere").replace("hub: org/maths, layout", "hub: org/gone, layout"))
    with hub() as endpoint:
        told = run(recipe, endpoint)
    assert told.returncode == 1
    assert told.stdout.count("NOT FOUND") == 2
    assert "RepositoryNotFoundError" in told.stdout
    assert "RevisionNotFoundError" in told.stdout
    assert load_recipe(recipe, pinned=False).sources[2].revision == C


def test_without_a_network_nothing_changes(recipe: Path) -> None:
    """Where no Hub answers, each dataset says so and the file stays."""
    told = run(recipe, "http://127.0.0.1:9")
    assert (told.returncode, recipe.read_text()) == (1, RECIPE)
    assert told.stdout.endswith("0 pinned, 1 unchanged, 4 not found\n")


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        ("sources:\n- hub: x/y", f"sources:\n- hub: x/y\n  revision: {A}"),
        ("sources:\r\n- hub: x/y # é\r\n- {}\r\n", f"sources:\r\n- hub: x/y # é\r\n  revision: {A}\r\n- {{}}\r\n"),
        ("sources: [{hub: x/y}]", f"sources: [{{hub: x/y, revision: {A}}}]"),
        ("sources: [{revision: , hub: x/y}]", f"sources: [{{revision: {A} , hub: x/y}}]"),
        ("sources:\n- revision:\n  hub: x/y", f"sources:\n- revision: {A}\n  hub: x/y"),
        ('sources:\n- {"hub": "x/y",\n   "revision": "main"}', f'sources:\n- {{"hub": "x/y",\n   "revision": {A}}}'),
    ],
)
def test_ways_to_write_yaml(text: str, edited: str) -> None:
    """Blocks, flows, quotes and line ends stay as their author likes them."""
    assert with_revisions(text, {("sources", 0): A}) == edited


def test_forty_digits_are_no_number() -> None:
    """A commit that YAML would read as a number is quoted."""
    assert with_revisions("sources: [{hub: x/y}]", {("sources", 0): "1" * 40}).endswith(f'revision: "{"1" * 40}"}}]')


def test_yaml_that_cannot_be_edited() -> None:
    """An entry that takes its dataset from elsewhere by a merge key is refused, rather than changed wrongly."""
    text = "base: &base {hub: x/y, revision: main}\nsources:\n- {<<: *base}\n"
    with pytest.raises(RecipeError, match=r"(?s)cannot be edited in place.*--dry-run"):
        with_revisions(text, {("sources", 0): A})


def test_benchmarks_are_pinned_too() -> None:
    """An entry below another section is found by where it stands."""
    key: Any = ("decontaminate", "benchmarks", 1)
    text = "decontaminate:\n  benchmarks:\n    - {path: x}\n    - {hub: x/y}\n"
    assert with_revisions(text, {key: A}).endswith(f"- {{hub: x/y, revision: {A}}}\n")


def test_an_evaluation_is_pinned_like_a_dataset(tmp_path: Path) -> None:
    """Its benchmarks are told by where they stand; a known one names its dataset, and one of a file has none."""
    path = tmp_path / "evaluation.yaml"
    benchmarks = "- {known: math-500}\n- {known: gsm8k-test, path: x}\n"
    path.write_text(f"name: e\nstudent: {{model: m}}\nbenchmarks:\n{benchmarks}")
    with pytest.raises(RecipeError, match="python -m tracemill pin"):
        load_evaluation(path)
    [found] = places(load_evaluation(path, pinned=False))
    assert (found.key, found.name, found.hub) == (("benchmarks", 0), "math-500", "HuggingFaceH4/MATH-500")
    path.write_text(with_revisions(path.read_text(), {found.key: A}))
    assert load_evaluation(path).benchmarks[0].revision == A
