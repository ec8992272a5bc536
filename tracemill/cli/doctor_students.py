"""What the recipe of an evaluation, or of a comparison of students, asks for.

Files are looked for; no server is asked, and nothing is fetched.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracemill.cli.checks import Check, State
from tracemill.core import Category, StoreError
from tracemill.runs.report import finished_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracemill.recipe.evaluation import Evaluation
    from tracemill.recipe.sections.students import Comparison

_GATED: Final = frozenset({"Idavidrein/gpqa"})
_ENVIRONMENT: Final = "make teacher for the demo's, deployments/train_env.sh .venv-train for TRL's"


def of_evaluation(recipe: Evaluation, variables: Mapping[str, str], *, has_engine: bool) -> list[Check]:
    """Return the checks of an evaluation's recipe.

    Args:
        recipe: of it.
        variables: of the environment.
        has_engine: a Docker engine answers.
    """
    checks = [_student(recipe, variables), *_benchmarks(recipe, variables)]
    if not has_engine and any(benchmark.category == Category.CODE for benchmark in recipe.benchmarks):
        found = "there are programs to judge, and no Docker engine answers"
        checks.append(Check("programs", State.MISSING, found, "start Docker, then make sandbox-image"))
    if recipe.baseline is not None:
        checks.append(_finished("baseline", recipe.baseline))
    return checks


def _student(recipe: Evaluation, variables: Mapping[str, str]) -> Check:
    """Whether somebody can be asked, or has answered."""
    student = recipe.student
    if student.responses is not None:
        return _there("student", student.responses, "correct student.responses")
    named = "base_urls" in student.model_fields_set
    if named or variables.get("STUDENT_URL"):
        urls = [re.sub("//[^/@]*@", "//…@", url) for url in student.base_urls]  # an address may carry a password
        place = ", ".join(urls) if named else "STUDENT_URL"
        return Check("student", State.FINE, f"{student.model} at {place}; not asked here")
    found = f"nobody is named who serves {student.model}"
    remedy = "give student.base_urls, or set STUDENT_URL; make evaluate for the demo's"
    return Check("student", State.NOTE, found, remedy)


def _benchmarks(recipe: Evaluation, variables: Mapping[str, str]) -> Iterator[Check]:
    """Whether files are there, commits are named, and gates can be passed."""
    for benchmark in recipe.benchmarks:
        what = benchmark.name[:16]
        if benchmark.path is not None:
            yield _there(what, str(Path(recipe.data_dir) / benchmark.path), "correct its path, or data_dir")
        elif benchmark.revision is None:
            yield Check(what, State.MISSING, f"{benchmark.hub} without a commit", "python -m tracemill pin RECIPE")
        elif benchmark.hub in _GATED and not (benchmark.token or variables.get("HF_TOKEN")):
            page = f"https://huggingface.co/datasets/{benchmark.hub}"
            yield Check(what, State.NOTE, f"{benchmark.hub} is gated, and HF_TOKEN is not set", f"agree at {page}")
        else:
            yield Check(what, State.FINE, f"{benchmark.hub} at {benchmark.revision}")


def of_comparison(recipe: Comparison) -> list[Check]:
    """Return the checks of the recipe of a comparison of students."""
    trainer = recipe.trainer
    is_file = trainer.program.endswith(".py")
    program = trainer.program if is_file else f"{trainer.program.replace('.', '/')}.py"
    checks = [
        _finished("traces", recipe.traces),
        _there("held out", recipe.held_out.path, "correct held_out.path"),
        _there("trainer", program, "correct trainer.program"),
    ]
    if shutil.which(trainer.python) is None:
        checks.append(Check("environment", State.MISSING, f"no {trainer.python}", _ENVIRONMENT))
    else:
        checks.append(Check("environment", State.FINE, trainer.python))
    if Path(trainer.base).is_dir():
        return [*checks, Check("base", State.FINE, trainer.base)]
    return [*checks, Check("base", State.NOTE, f"no folder {trainer.base}: a model on the Hub, then")]


def _there(what: str, path: str, remedy: str) -> Check:
    if Path(path).exists():
        return Check(what, State.FINE, path)
    return Check(what, State.MISSING, f"there is no {path}", remedy)


def _finished(what: str, run: str) -> Check:
    """Whether a directory is that of a finished run."""
    try:
        finished_run(Path(run))
    except StoreError as error:
        return Check(what, State.MISSING, str(error).splitlines()[0], "run it first, or name another")
    return Check(what, State.FINE, f"{run} is finished")
