"""Doctor: what a machine and a recipe are ready for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tracemill.cli import doctor
from tracemill.cli.checks import State
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


@pytest.mark.parametrize(
    ("check", "state", "mends"),
    [
        (doctor.python((3, 13, 1)), State.FINE, ""),
        (doctor.python((3, 10, 9)), State.MISSING, "make setup"),
        (doctor.packages({"prefect": "3", "A_b": "1"}, {"prefect": "3", "a-B": "1"}), State.FINE, ""),
        (doctor.packages({"prefect": "3", "ab": "1"}, {"prefect": "3", "ab": "2"}), State.NOTE, "make setup"),
        (doctor.packages({"prefect": "3", "ab": "1"}, {"prefect": "3"}), State.MISSING, "make setup"),
        (doctor.space(1 << 40), State.FINE, ""),
        (doctor.space(1), State.NOTE, "larger disk"),
        (doctor.sandbox(None, None, "i", has_image=False)[0], State.NOTE, "install Docker"),
        (doctor.sandbox("/bin/docker", None, "i", has_image=False)[0], State.NOTE, "start it"),
        (doctor.sandbox("/bin/docker", "26", "i", has_image=False)[1], State.NOTE, "make sandbox-image"),
        (doctor.sandbox("/bin/docker", "26", "i", has_image=True)[1], State.FINE, ""),
        (doctor.teacher([], ""), State.NOTE, "make teacher"),
        (doctor.teacher([".ready-vllm-cpu-1"], ""), State.FINE, ""),
        (doctor.teacher([], "http://host/v1"), State.FINE, ""),
        (doctor.gpu(None), State.FINE, ""),
        (doctor.gpu("A, 80 GiB\nA, 80 GiB"), State.FINE, ""),
        (doctor.server("", is_up=False), State.FINE, ""),
        (doctor.server("http://host/api", is_up=True), State.FINE, ""),
        (doctor.server("http://host/api", is_up=False), State.MISSING, "make ui"),
    ],
)
def test_what_is_not_as_it_should_be_has_a_remedy(check: doctor.Check, state: State, mends: str) -> None:
    """Each part of the set-up, there and not there: what runs cannot do without is missing, all else is a note."""
    assert check.state is state
    assert mends in check.remedy
    assert bool(check.remedy) is bool(mends)


def test_no_password_of_a_teacher_is_shown() -> None:
    """An address may carry one."""
    assert "secret" not in doctor.teacher([], "http://user:secret@host/v1").found


def test_a_wrong_recipe_is_refused() -> None:
    """As every command refuses it."""
    with pytest.raises(TracemillError, match="nowhere"):
        doctor.examined(Path("nowhere.yaml"), Path())


def checked(recipe: Path) -> dict[str, tuple[State, str]]:
    return {check.what: (check.state, check.found) for check in doctor.examined(recipe, Path())}


def test_the_recipe_of_an_evaluation_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom it asks, its benchmarks one by one, its baseline; nobody is asked, nothing is fetched."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("STUDENT_URL", raising=False)
    paper = checked(Path("recipes/evaluate-am-32b.yaml"))
    assert paper["student"][0] == State.NOTE
    assert paper["math-500"][0] == State.FINE
    assert paper["gpqa-diamond"] == (State.NOTE, "Idavidrein/gpqa is gated, and HF_TOKEN is not set")
    monkeypatch.setattr(doctor, "_engine", lambda _: None)
    assert checked(Path("recipes/evaluate-am-32b.yaml"))["programs"][0] == State.MISSING
    sections = {
        "name": "a",
        "student": {"model": "m", "responses": "none.jsonl"},
        "benchmarks": [{"name": "own", "path": "rows.jsonl"}, {"known": "aime-2025"}],
        "baseline": str(tmp_path / "none"),
    }
    recipe = tmp_path / "evaluation.yaml"
    recipe.write_text(json.dumps(sections))
    found = checked(recipe)
    assert [found[what][0] for what in ("student", "own", "aime-2025", "baseline")] == 4 * [State.MISSING]
    assert "decontamination" not in found
    sections["student"] = {"model": "m", "base_urls": ["http://127.0.0.1:1/v1"]}
    recipe.write_text(json.dumps(sections))
    assert checked(recipe)["student"] == (State.FINE, "m at http://127.0.0.1:1/v1; not asked here")
    (tmp_path / "rows.jsonl").touch()
    assert checked(recipe)["own"][0] == State.FINE


def test_the_recipe_of_a_comparison_is_looked_at(tmp_path: Path) -> None:
    """The run that its arms are made of, what is held out, the trainer and its environment."""
    shipped = checked(Path("recipes/compare-demo.yaml"))
    assert [shipped[what][0] for what in ("held out", "trainer", "base")] == 3 * [State.FINE]
    text = Path("recipes/compare-demo.yaml").read_text()
    for wrong, other in (
        ("demo.student.train", "nowhere.train"),
        (".venv-vllm", "no-venv"),
        ("runs/student", "no/run"),
    ):
        text = text.replace(wrong, other)
    (tmp_path / "comparison.yaml").write_text(text)
    found = checked(tmp_path / "comparison.yaml")
    assert [found[what][0] for what in ("trainer", "environment", "traces")] == 3 * [State.MISSING]


def test_scripts_get_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The same checks; the exit status is 1 exactly if one is missing."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setattr(sys, "argv", ["tracemill", "doctor", "--json"])
    assert main() == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ready"] is False
    states = {check["what"]: check["state"] for check in found["checks"]}
    assert states["prefect"] == "missing"
    assert set(found["checks"][0]) == {"what", "state", "found", "remedy"}
    assert list(states)[:4] == ["python", "packages", "disk", "docker"]


def test_the_command_prints_a_line_a_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo is ready, and told that rules alone do not find rephrased items."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(sys, "argv", ["tracemill", "doctor", str(DEMO)])
    assert main() == 0
    printed = capsys.readouterr().out
    assert "rephrased items" in printed
    assert "docs/decontamination.md" in printed
