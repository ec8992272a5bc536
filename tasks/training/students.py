"""Students: arms are drawn, a student is trained on one and answers what was held out.

The trainer is a program in an environment of its own, spoken to by files: torch is never imported here. One that ends
with status 3 says that its loss is no number: that student has failed, and is told so; any other end but 0 is an error.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from prefect import task

from tasks.engine.stage import BY_KEY, STORED, stage
from tasks.engine.work import Produced, Work
from tracemill.core import Origin, Problem, Response, Section, TrainerError, digest, json_text, table_of
from tracemill.core.child_process import run_child
from tracemill.generate.prompts import TEMPLATES
from tracemill.recipe.sections.students import Arm, Trainer
from tracemill.text.think import split_think
from tracemill.training.arms import Candidate, draw_arms

DIVERGED: Final = 3
FAILED: Final = "failed"  # fact of a student that learnt nothing: why
_LAST_LINES: Final = 30
CANDIDATES: Final = pa.schema(
    [
        ("id", pa.string()),
        ("response_id", pa.string()),
        ("n_tokens", pa.int64()),
        ("outcome", pa.string()),
        ("published", pa.bool_()),
        ("prompt", pa.large_string()),  # turns as JSON
        ("completion", pa.large_string()),
    ]
)


class Drawing(Section):
    """One seed's arms."""

    arms: tuple[Arm, ...]
    tokens: int | None
    seed: int


class Training(Section):
    """One student.

    Attributes:
        trainer: of the recipe.
        code: digest of the program, and of the base if it is a folder.
        seed: of the order of the rows.
        template: what stands behind a question.
    """

    trainer: Trainer
    code: str
    seed: int
    template: str


@task(name="draw_arms", task_run_name="draw arms {label}", version="1", cache_policy=BY_KEY, **STORED)
@stage(computes=True)
def draw_arms_of_seed(work: Work) -> Produced:
    """A table an arm, of one seed."""
    table = work.table("candidates").sort_by("response_id")
    columns = [table[name].to_pylist() for name in Candidate._fields]
    candidates = [Candidate(*values) for values in zip(*columns, strict=True)]
    places = {one.response_id: place for place, one in enumerate(candidates)}
    drawn = draw_arms(candidates, work.section.arms, work.section.seed, work.section.tokens)
    tables = {
        f"arm-{name}": table.take(pa.array([places[one.response_id] for one in traces], pa.int64()))
        for name, traces in drawn.items()
    }
    n_rows = sum(made.num_rows for made in tables.values())
    facts = {
        name: {
            "rows": len(traces),
            "tokens": sum(one.n_tokens for one in traces),
            "right": sum(one.is_right for one in traces),
            "wrong": sum(one.is_wrong for one in traces),
        }
        for name, traces in drawn.items()
    }
    return Produced(tables, n_rows, n_rows, facts={"arms": facts})


@task(name="train_student", task_run_name="train {label}", version="1", cache_policy=BY_KEY, **STORED)
@stage()
def train_student(work: Work) -> Produced:
    """Responses of a student to what was held out; facts tell of its training."""
    problems = work.rows(Problem, "held_out")
    with tempfile.TemporaryDirectory(prefix="tracemill-student-") as folder:
        place = Path(folder)
        _write_rows(place / "rows.jsonl", work.table("rows"))
        _write_items(place / "held_out.jsonl", problems, work.section.template)
        (place / "out").mkdir()
        failed = _train(work.section, place)
        if failed is not None:
            return Produced({"responses": table_of(Response, [])}, 0, 0, facts={FAILED: failed})
        told = json.loads((place / "out" / "training.json").read_text(encoding="utf-8"))
        lines = (place / "out" / "responses.jsonl").read_text(encoding="utf-8").splitlines()
    responses = [_response(work, json.loads(line)) for line in lines]
    _refuse_partial(problems, responses)
    return Produced({"responses": table_of(Response, responses)}, len(problems), len(problems), facts=told)


def suffixed(prompt: str, category: str, template: str) -> str:
    """Return a question as a student is asked it."""
    return prompt + TEMPLATES.get(template, {}).get(category, "")


def _write_rows(path: Path, table: pa.Table) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for row in table.select(["prompt", "completion"]).to_pylist():
            turns = [{"role": "assistant", "content": row["completion"]}]
            lines.write(json_text({"prompt": json.loads(row["prompt"]), "completion": turns}) + "\n")


def _write_items(path: Path, problems: list[Problem], template: str) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for problem in problems:
            prompt = suffixed(problem.prompt, problem.category, template)
            lines.write(json_text({"id": problem.id, "prompt": prompt}) + "\n")


def _train(section: Training, place: Path) -> str | None:
    """Run the program; why the student failed, or None.

    Raises:
        TrainerError: the program did not end well, or took too long.
    """
    trainer = section.trainer
    is_file = trainer.program.endswith(".py")
    command = [trainer.python, *([] if is_file else ["-m"]), trainer.program, "--base", trainer.base]
    command += ["--rows", str(place / "rows.jsonl"), "--held-out", str(place / "held_out.jsonl")]
    command += ["--settings", json.dumps(trainer.settings), "--seed", str(section.seed), "--out", str(place / "out")]
    try:
        ended = run_child(command, trainer.limit_s)
    except OSError as error:
        raise TrainerError(
            "the trainer cannot be started",
            got=f"{trainer.python}: {error.strerror}",
            remedy="make its environment: make teacher for the demo's, deployments/train_env.sh .venv-train for TRL's",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise TrainerError(
            f"the trainer took more than {trainer.limit_s:g} s", remedy="raise trainer.limit_s, or train on less"
        ) from error
    said = "\n".join(ended.stderr.splitlines()[-_LAST_LINES:])
    if ended.returncode == DIVERGED:
        return said.splitlines()[-1] if said else "the loss is no number"
    if ended.returncode != 0:
        raise TrainerError(
            f"the trainer ended with status {ended.returncode}",
            got=f"{' '.join(command[:3])} …\n{said}",
            remedy="see what it said last; students that are finished stay finished",
        )
    return None


def _response(work: Work, row: dict[str, Any]) -> Response:
    split = split_think(row["response"])
    return Response(
        id=digest("student", work.inputs["rows"].sha256, work.section.digest(), row["id"], row["sample_index"]),
        problem_id=row["id"],
        origin=Origin.TEACHER,
        model=work.section.trainer.base,
        sample_index=row["sample_index"],
        think=split.think,
        answer=split.answer,
        fault=split.fault,
        finish_reason=row["finish_reason"],
        prompt_tokens=None,
        completion_tokens=row["completion_tokens"],
    )


def _refuse_partial(problems: list[Problem], responses: list[Response]) -> None:
    """Every item has to be answered, and as often as the others: a score is over all of them."""
    asked = {problem.id for problem in problems}
    n_samples = {response.sample_index for response in responses}
    pairs = {(response.problem_id, response.sample_index) for response in responses}
    if (
        {name for name, _ in pairs} != asked
        or len(pairs) != len(asked) * len(n_samples)
        or len(pairs) != len(responses)
    ):
        raise TrainerError(
            "the trainer did not answer every held-out problem, each as often as the others",
            got=f"{len(pairs):,} answers to {len({name for name, _ in pairs} & asked):,} of {len(asked):,} problems",
            remedy="see that responses.jsonl has a line for each id and sample_index",
        )
