"""Labels: those that need no model, those of the models that the recipe names, and who stays by them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from prefect import task
from pydantic import Field

from tasks.engine.models import Asking
from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work, split
from tracemill.core import Problem, RecipeError, RunnerError, Section
from tracemill.label import answered, downsample, labels_request, with_labels
from tracemill.label.counts import count_labels
from tracemill.recipe.sections.label import Label, Labeller
from tracemill.recipe.sections.money import Purse
from tracemill.text.language.guess import VERSION as LANGUAGE_VERSION
from tracemill.text.language.guess import language
from tracemill.text.tokens import ESTIMATE, count_tokens, estimated_tokens


class Measure(Section):
    """What labels without a model depend on.

    Attributes:
        tokenizer: its file, or None for an estimate.
        sha256: of that file.
    """

    tokenizer: str | None = Field(default=None, json_schema_extra={"operational": True})
    sha256: str | None = None


def measure_plan(settings: Label, data_dir: str) -> Measure:
    """Return the section of :func:`label_shard`.

    Raises:
        RecipeError: the tokenizer's file cannot be read.
    """
    if settings.tokenizer is None:
        return Measure()
    file = Path(data_dir, settings.tokenizer)
    try:
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise RecipeError(
            "label.tokenizer cannot be read",
            got=str(error),
            expected="a tokenizer.json, relative to data_dir",
            remedy="download the teacher's tokenizer.json, or leave the setting out: lengths are estimated then",
        ) from error
    return Measure(tokenizer=str(file.absolute()), sha256=sha256)


VERSION = f"2-{LANGUAGE_VERSION}"


@task(name="label", task_run_name="label {label}", version=VERSION, retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", drops=True, computes=True)
def label_shard(work: Work) -> Produced:
    """Labels that need no model: language and number of tokens."""
    problems = work.rows(Problem, "problems")
    plan: Measure = work.section
    counts = _tokens([problem.prompt for problem in problems], plan)
    counted_by = f"tokenizer@{plan.sha256[:12]}" if plan.sha256 else ESTIMATE
    labelled = [
        with_labels(
            problem,
            {"language": language(problem.prompt), "n_prompt_tokens": n_tokens, "tokens_by": counted_by},
        )
        for problem, n_tokens in zip(problems, counts, strict=True)
    ]
    return _all(labelled, ("language", "n_prompt_tokens"))


def _tokens(prompts: list[str], plan: Measure) -> list[int]:
    if plan.tokenizer is None:
        return [estimated_tokens(prompt) for prompt in prompts]
    return count_tokens(prompts, _as_planned(plan.tokenizer, plan.sha256))


@functools.cache
def _as_planned(tokenizer: str, sha256: str | None) -> str:
    """Return the tokenizer's file, once it is known to be the one of the plan: the task may run on another machine.

    Raises:
        RunnerError: there is none here, or another.
    """
    file = Path(tokenizer)
    found = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "no such file"
    if found != sha256:
        raise RunnerError(
            f"label.tokenizer is not on this machine as it is where the run was started: {file}",
            got=found,
            expected=f"SHA-256 {sha256}",
            remedy="put the same file under the same path on every machine",
        )
    return tokenizer


class LabelRound(Section):
    """What a model's labels depend on."""

    labeller: Labeller
    ledger: str = Field(json_schema_extra={"operational": True})
    purse: Purse | None = Field(default=None, json_schema_extra={"operational": True})


@task(
    name="label_by_model",
    task_run_name="label_by_model {label}",
    version="2",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage(rows="problems", drops=True)
def label_by_model_shard(work: Work) -> Produced:
    """Asks one model about every problem; what it does not say is an empty label, and the row stays."""
    plan: LabelRound = work.section
    problems = work.rows(Problem, "problems")
    asking = Asking(work, plan.ledger, plan.purse)
    answers = asking.ask([labels_request(problem, plan.labeller) for problem in problems], plan.labeller)
    labelled = [answered(problem, answer, plan.labeller) for problem, answer in zip(problems, answers, strict=True)]
    return asking.with_refusals(_all(labelled, plan.labeller.labels))


def _all(problems: Sequence[Problem], labels: Iterable[str]) -> Produced:
    return split(len(problems), problems, Problem, [], labels=count_labels(problems, labels))


@task(
    name="downsample", task_run_name="downsample {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED
)
@stage(rows="problems", drops=True, computes=True)
def downsample_shard(work: Work) -> Produced:
    """Drops what the recipe does not want, and thins out what there is too much of."""
    problems = work.rows(Problem, "problems")
    kept, dropped = downsample(problems, work.section)
    return split(len(problems), kept, Problem, dropped)
