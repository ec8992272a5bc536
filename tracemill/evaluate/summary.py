"""``scores.json``: what was asked, every score with its error bars, and how it stands to a baseline."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracemill.evaluate.paired import compared, overall_difference
from tracemill.evaluate.scores import overall, score_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracemill.evaluate.baseline import Baseline
    from tracemill.evaluate.scores import ItemScore
    from tracemill.recipe.evaluation import Evaluated, Evaluation

FAR: Final = "far"
NEAR: Final = "near"
INSIDE: Final = "inside"
GROUPS: Final = (FAR, NEAR, INSIDE)


@dataclass(frozen=True)
class Asked:
    """What a run knows beside its items.

    Attributes:
        served_as: names under which the student answered.
        n_prompts: prompts of the training set that the items were compared with; None where none was named.
    """

    served_as: Sequence[str]
    n_prompts: int | None = None


def by_benchmark(items: Iterable[ItemScore]) -> dict[str, list[ItemScore]]:
    """Return the items of each benchmark."""
    found: dict[str, list[ItemScore]] = defaultdict(list)
    for item in items:
        found[item.benchmark].append(item)
    return dict(found)


def summary(
    evaluation: Evaluation, items: Sequence[ItemScore], asked: Asked, baseline: Baseline | None = None
) -> dict[str, Any]:
    """Return ``scores.json``."""
    found = by_benchmark(items)
    benchmarks = {
        benchmark.name: _benchmark(evaluation, benchmark, found[benchmark.name], baseline)
        for benchmark in evaluation.benchmarks
    }
    mean = overall(found)
    return {
        "evaluation": evaluation.name,
        "complete": all(score["complete"] for score in benchmarks.values()),
        "student": student_facts(evaluation, asked.served_as),
        "overall": None if mean is None else mean.as_json(),
        "benchmarks": benchmarks,
        **({"trained_on": _trained_on(evaluation, asked)} if evaluation.trained_on else {}),
        **({"baseline": _baseline(evaluation, found, baseline)} if baseline else {}),
    }


def student_facts(evaluation: Evaluation, served_as: Sequence[str]) -> dict[str, Any]:
    """Return who was asked and how: what a score depends on, and nothing of where the server is."""
    student, judge = evaluation.student, evaluation.judge
    second_look = {"judge": f"{judge.model} {judge.revision}".strip()} if judge else {}
    if student.responses is not None:
        return {"model": student.model, "revision": student.revision, "responses": "given", **second_look}
    others = [name for name in served_as if name != student.model]
    return {
        "model": student.model,
        "revision": student.revision,
        **({"answered_as": others} if others else {}),
        "temperature": student.temperature,
        "top_p": student.top_p,
        "max_tokens": student.max_tokens,
        "system_prompt": student.system_prompt_version,
        "template": student.template_version,
        **({"force_think": True} if student.force_think else {}),
        **({"extra_body": student.extra_body} if student.extra_body else {}),
        **second_look,
    }


def _benchmark(
    evaluation: Evaluation, benchmark: Evaluated, items: Sequence[ItemScore], baseline: Baseline | None
) -> dict[str, Any]:
    days = sorted(item.date for item in items if item.date is not None)
    place = {"hub": benchmark.hub, "config": benchmark.config, "revision": benchmark.revision}
    groups = {name: [item for item in items if item.group == name] for name in GROUPS}
    difference = compared(baseline.items.get(benchmark.name, ()), items) if baseline else None
    return {
        **({"known": benchmark.known} if benchmark.known else {}),
        **{name: value for name, value in place.items() if value is not None},
        **({"dates": {"from": days[0], "to": days[-1]}} if days else {}),
        **_template(evaluation, benchmark),
        **score_of(items).as_json(),
        **(
            {"by_group": {name: score_of(some).as_json() if some else {"items": 0} for name, some in groups.items()}}
            if evaluation.trained_on
            else {}
        ),
        **({"difference": difference.as_json()} if difference else {}),
    }


def _template(evaluation: Evaluation, benchmark: Evaluated) -> dict[str, str]:
    if evaluation.student.responses is not None:
        return {}
    return {"template": evaluation.student_for(benchmark).template_version}


def _trained_on(evaluation: Evaluation, asked: Asked) -> dict[str, Any]:
    source = evaluation.trained_on
    if source is None:
        return {}
    named = {"hub": source.hub, "revision": source.revision} if source.hub else {}
    return {"name": source.name, **named, "prompts": asked.n_prompts}


def _baseline(evaluation: Evaluation, found: Mapping[str, Sequence[ItemScore]], baseline: Baseline) -> dict[str, Any]:
    pairs = {name: (baseline.items[name], items) for name, items in found.items() if name in baseline.items}
    mean = overall_difference(pairs)
    return {
        "evaluation": baseline.name,
        "student": baseline.student,
        "asked_otherwise": asked_otherwise(baseline.student, student_facts(evaluation, ())),
        "overall": None if mean is None else mean.as_json(),
    }


def asked_otherwise(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the settings in which two students were asked differently, but for who they are."""
    names = sorted((one.keys() | other.keys()) - {"model", "revision", "answered_as", "responses"})
    if "responses" in one or "responses" in other:
        return {}
    return {name: [one.get(name), other.get(name)] for name in names if one.get(name) != other.get(name)}
