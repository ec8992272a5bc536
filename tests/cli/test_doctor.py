"""Doctor: what a machine and a recipe are ready for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tracemill.cli import doctor
from tracemill.cli.doctor import State
from tracemill.cli.main import main
from tracemill.core import TracemillError
from tracemill.recipe.sections.decontaminate import Decontaminate
from tracemill.recipe.sections.deduplicate import Embedding

DEMO = Path("recipes/demo.yaml")


@pytest.mark.parametrize(
    ("settings", "state", "says"),
    [
        ({}, State.NOTE, "no benchmark"),
        ({"benchmarks": [{"name": "b", "path": "b.jsonl"}]}, State.NOTE, "6 % of rephrased items"),
        (
            {"benchmarks": [{"name": "b", "path": "b.jsonl"}], "embeddings": {"model": "m"}},
            State.FINE,
            "98 % of 320 rephrased items",
        ),
    ],
)
def test_it_says_what_becomes_of_rephrased_items(settings: dict[str, object], state: State, says: str) -> None:
    """Rules alone do not find them, which a recipe without a model does not tell."""
    found = doctor.paraphrases(Decontaminate.model_validate(settings))
    assert found.state is state
    assert says in found.found
    assert bool(found.remedy) is (state is State.NOTE)


@pytest.mark.parametrize(
    ("wanted", "has_library", "state"),
    [
        ([Embedding(model="m")], False, State.MISSING),
        ([Embedding(model="m")], True, State.FINE),
        ([], False, State.NOTE),
        ([Embedding(model="m", engine="server", base_urls=("http://127.0.0.1:1/v1",))], False, State.NOTE),
    ],
)
def test_a_local_model_needs_its_library(wanted: list[Embedding], state: State, *, has_library: bool) -> None:
    """Only a recipe that names a model for this process cannot do without."""
    check = doctor.embedder(wanted, has_library=has_library)
    assert check.state is state
    assert doctor.is_ready([check]) is (state is not State.MISSING)


def test_little_space_and_no_docker_are_noted() -> None:
    """Neither stops a run, and both have a remedy."""
    for poor, rich in ((doctor.space(1), doctor.space(1 << 40)), (doctor.sandbox(None), doctor.sandbox("/bin/docker"))):
        assert (poor.state, rich.state) == (State.NOTE, State.FINE)
        assert poor.remedy
        assert not rich.remedy


def test_a_wrong_recipe_is_refused() -> None:
    """As every command refuses it."""
    with pytest.raises(TracemillError, match="nowhere"):
        doctor.examined(Path("nowhere.yaml"), Path())


def test_the_command_prints_a_line_a_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo is ready, and told that rules alone do not find rephrased items."""
    monkeypatch.setattr(sys, "argv", ["tracemill", "doctor", str(DEMO)])
    assert main() == 0
    printed = capsys.readouterr().out
    assert "rephrased items" in printed
    assert "docs/decontamination.md" in printed
