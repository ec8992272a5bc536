"""The demo's student: its problems are made by the code beside them, and its comparison is one that runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from demo.student.__main__ import NOBODY, SHIPPED
from demo.student.make_problems import ASKED, HELD_OUT, asked, held_out, lines
from tests.support.needs import ROOT
from tracemill.recipe.loading import load_comparison
from tracemill.runs.rows import batches


def test_problems_are_made_by_the_code() -> None:
    """Both files are what the code makes, and no problem is in both."""
    assert ASKED.read_text() == lines(asked())
    assert HELD_OUT.read_text() == lines(held_out())
    assert not {one.problem.prompt for one in asked()} & {one.problem.prompt for one in held_out()}


@pytest.mark.parametrize("name", ["compare-demo", "compare-gsm8k-h100"])
def test_shipped_comparisons_are_recipes(name: str) -> None:
    """They parse, and the program of their trainer is there."""
    recipe = load_comparison(ROOT / "recipes" / f"{name}.yaml")
    program = recipe.trainer.program
    assert (ROOT / (program if program.endswith(".py") else f"{program.replace('.', '/')}.py")).is_file()


def test_the_shipped_answers_are_found(tmp_path: Path) -> None:
    """A run over the student's problems asks nobody: every answer is in the ledger that is shipped."""
    from flows.build_dataset import build
    from flows.engine.plain_run import plain_run
    from flows.teacher_from_env import load_recipe_with_env

    shutil.copytree(SHIPPED, tmp_path / "ledger")
    small = tmp_path / "problems.jsonl"
    small.write_text("".join(line + "\n" for line in ASKED.read_text().splitlines()[:20]))
    settings = [NOBODY, f"run.ledger={tmp_path}/ledger", f"run.store={tmp_path}/store", "verify.workers=1"]
    recipe = load_recipe_with_env(str(ROOT / "recipes/student-traces.yaml"), [*settings, f"sources.0.path={small}"])
    build(plain_run(recipe), str(tmp_path / "out"))
    rows = [json.dumps(row) for table in batches(tmp_path / "out/traces", ["response_id"]) for row in table.to_pylist()]
    assert len(rows) == 80
