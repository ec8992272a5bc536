"""The dataset card: what a reader of the published files must know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from tracemill.contamination_report import as_markdown
from tracemill.funnel import render
from tracemill.label_counts import label_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from tracemill.contamination_report import BenchmarkReport
    from tracemill.cuts import Cut
    from tracemill.label_counts import LabelSummary
    from tracemill.recipe import Recipe
    from tracemill.recipe_server import Teacher


def card(
    recipe: Recipe,
    funnel: pa.Table,
    cuts: Mapping[str, Cut],
    labels: LabelSummary,
    contamination: Sequence[BenchmarkReport] = (),
) -> str:
    """Hub front matter, then sources, teacher, funnel and recipe.

    Args:
        recipe: what the dataset was made by.
        funnel: table of :class:`tracemill.funnel.Funnel`.
        cuts: above which an answer passes, by what scores it.
        labels: how labels are distributed.
        contamination: what was found of each benchmark.
    """
    return "\n".join(
        [
            "---",
            yaml.safe_dump(_front_matter(recipe), sort_keys=False).strip(),
            "---",
            "",
            f"# {recipe.name}",
            "",
            recipe.description or "Verified reasoning traces, made by tracemill.",
            "",
            "Every row's response was judged correct by its verifier. Rows have content ids; a row that is not here is",
            "in `dropped/` with the stage, the reason and the evidence.",
            "",
            "## Sources",
            "",
            "| source | layout | licence | rows in | published |",
            "|---|---|---|---:|---:|",
            *_source_rows(recipe, funnel),
            "",
            *_part("Teacher", _sampling(recipe.distill.teacher)),
            *_judges(recipe, cuts),
            *_decontamination(contamination),
            *_part("Labels", "\n".join([*_labellers(recipe), *label_table(labels)])),
            *_part("Funnel", f"```\n{render(funnel)}\n```"),
            *_part("Recipe", f"```yaml\n{yaml.safe_dump(recipe.content(), sort_keys=False, allow_unicode=True)}```"),
        ]
    )


def _front_matter(recipe: Recipe) -> dict[str, Any]:
    return {
        "pretty_name": recipe.name,
        "task_categories": ["text-generation"],
        "tags": ["reasoning", "tracemill"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "train-*.parquet"}]}],
    }


def _part(title: str, text: str) -> list[str]:
    return [f"## {title}", "", text, ""]


def _sampling(teacher: Teacher) -> str:
    revision = f" at revision `{teacher.revision}`" if teacher.revision else ""
    return (
        f"`{teacher.model}`{revision}, temperature {teacher.temperature}, top_p {teacher.top_p}, at most "
        f"{teacher.max_tokens} tokens, template `{teacher.template}`, system prompt `{teacher.system_prompt}`."
    )


def _judges(recipe: Recipe, cuts: Mapping[str, Cut]) -> list[str]:
    """The models that judged, if any did."""
    told = [
        f"- `{scored.named}` ({scored.place}): open answers pass above {_number(cuts[scored.place].value)}, "
        f"{cuts[scored.place].basis}."
        for scored in (recipe.reward, recipe.rubric)
        if scored is not None
    ]
    if recipe.judge is not None:
        told.append(
            f"- `{recipe.judge.named}` (judge, prompt `{recipe.judge.prompt}`): second look where a rule said "
            f"{' or '.join(recipe.judge.outcomes)}."
        )
    told += _filters(recipe)
    return _part("Judges", "\n".join(told)) if told else []


def _labellers(recipe: Recipe) -> list[str]:
    """Who says what, if models were asked."""
    told = [
        f"- `{labeller.named}` (prompt `{labeller.prompt}`): {', '.join(labeller.labels)}."
        for labeller in recipe.label.labellers
    ]
    return [*told, ""] if told else []


def _decontamination(contamination: Sequence[BenchmarkReport]) -> list[str]:
    """What was dropped for which benchmark, if any was compared with."""
    return _part("Decontamination", as_markdown(contamination)) if contamination else []


def _filters(recipe: Recipe) -> list[str]:
    """The models that filter right responses, if any do."""
    told = []
    if recipe.perplexity is not None:
        limit = "measured only" if recipe.perplexity.threshold is None else f"at most {recipe.perplexity.threshold:g}"
        told.append(f"- `{recipe.perplexity.named}` (perplexity of question and response): {limit}.")
    models = (recipe.safety.guard, recipe.safety.classifier) if recipe.safety is not None else ()
    return told + [f"- `{model.named}` ({model.role}): what it calls unsafe is left out." for model in models if model]


def _number(value: float | None) -> str:
    return "no cut" if value is None else f"{value:.6g}"


def source_yields(funnel: pa.Table) -> dict[str, tuple[int, int]]:
    """(rows in, rows published) by source."""
    rows = funnel.to_pylist()
    entered = {row["source"]: row["rows"] for row in rows if row["stage"] == "source"}
    left = {row["source"]: row["rows"] for row in rows if row["stage"] == "published"}
    return {name: (n_rows, left.get(name, 0)) for name, n_rows in entered.items()}


def _source_rows(recipe: Recipe, funnel: pa.Table) -> list[str]:
    yields = source_yields(funnel)
    return [
        f"| {source.name} | {source.layout} | {source.stated_licence} "
        f"| {yields.get(source.name, (0, 0))[0]:,} | {yields.get(source.name, (0, 0))[1]:,} |"
        for source in recipe.sources
    ]
