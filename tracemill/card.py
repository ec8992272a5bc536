"""The dataset card: what a reader of the published files must know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from tracemill import conflict_report
from tracemill.card_metadata import front_matter, yaml_text
from tracemill.conflict_report import ConflictReport
from tracemill.contamination_report import as_markdown
from tracemill.funnel import render
from tracemill.label_counts import label_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from tracemill.contamination_report import BenchmarkReport
    from tracemill.cuts import Cut
    from tracemill.label_counts import LabelSummary
    from tracemill.published_tally import PublishedTally
    from tracemill.recipe import Recipe
    from tracemill.recipe_server import Teacher

_CELL_CHARS: Final = 120
_MOST_LICENCES: Final = 100  # rows of some sources name licences of their own
USE: Final = """```python
from datasets import load_dataset

rows = load_dataset("parquet", data_files="dataset/*.parquet", split="train")  # every column
chats = load_dataset("dataset", "sft", split="train")  # messages alone, as SFT trainers want them
```

`dataset` is this folder, or the dataset's id on the Hub. `messages` is a list of `{role, content}`; its last turn is
the assistant's, as `<think>…</think>` and `<answer>…</answer>`."""


def card(
    recipe: Recipe,
    funnel: pa.Table,
    cuts: Mapping[str, Cut],
    labels: LabelSummary,
    tally: PublishedTally,
    contamination: Sequence[BenchmarkReport] = (),
    conflicts: ConflictReport = ConflictReport(),  # noqa: B008 - frozen
) -> str:
    """Hub front matter, then what the rows are, sources and licences, teacher, thresholds, funnel, limits and recipe.

    Args:
        recipe: what the dataset was made by.
        funnel: table of :class:`tracemill.funnel.Funnel`.
        cuts: above which an answer passes, by what scores it.
        labels: how labels are distributed.
        tally: what the published rows are made of.
        contamination: what was found of each benchmark.
        conflicts: what was found of references that contradict each other.
    """
    return "\n".join(
        [
            *_head(recipe, front_matter(recipe.name, tally, labels)),
            *_part("Use", USE),
            *_part("Sources and licences", "\n".join([*_source_table(recipe, funnel), "", *_licences(tally)])),
            *_part("Rows", "\n".join(_row_table(tally))),
            *_part("Teacher", _sampling(recipe.distill.teacher)),
            *_judges(recipe, cuts),
            *_decontamination(contamination),
            *_conflicts(conflicts),
            *_part("Labels", "\n".join([*_labellers(recipe), *label_table(labels)])),
            *_part("Funnel", f"```\n{render(funnel)}\n```"),
            *_part("Thresholds", "\n".join(_thresholds(recipe))),
            *_part("Known limits", "\n".join(_limits(recipe, tally))),
            *_part("Recipe", f"```yaml\n{yaml.safe_dump(recipe.content(), sort_keys=False, allow_unicode=True)}```"),
        ]
    )


def _head(recipe: Recipe, matter: Mapping[str, Any]) -> list[str]:
    """Front matter, title, and what every row is."""
    return [
        "---",
        yaml_text(matter),
        "---",
        "",
        f"# {recipe.name}",
        "",
        recipe.description or "Verified reasoning traces, made by tracemill.",
        "",
        "Every row's response was judged correct by its verifier. Rows have content ids; a row that is not here is",
        "in the run's `dropped/` with the stage, the reason and the evidence.",
        "",
    ]


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


def _conflicts(conflicts: ConflictReport) -> list[str]:
    """How many questions had references that contradict each other, if any had."""
    told = conflict_report.as_markdown(conflicts)
    return _part("Contradicting references", told) if told else []


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


def _source_table(recipe: Recipe, funnel: pa.Table) -> list[str]:
    yields = source_yields(funnel)
    lines = ["| source | layout | licence | rows in | published | yield |", "|---|---|---|---:|---:|---:|"]
    for source in recipe.sources:
        n_in, n_kept = yields.get(source.name, (0, 0))
        share = f"{n_kept / n_in:.1%}" if n_in else "–"
        lines.append(f"| {source.name} | {source.layout} | {source.stated_licence} | {n_in:,} | {n_kept:,} | {share} |")
    return lines


def _licences(tally: PublishedTally) -> list[str]:
    """What the published rows say of themselves, and what that means for their use."""
    lines = [
        f"- {each.source}: {each.rows:,} rows under {_cell(each.licence)}"
        f"{', non-commercial' if each.non_commercial else ''}."
        for each in tally.licences[:_MOST_LICENCES]
    ]
    if len(tally.licences) > _MOST_LICENCES:
        lines.append(f"- … and {len(tally.licences) - _MOST_LICENCES:,} more, in the columns.")
    n_limited = sum(each.rows for each in tally.licences if each.non_commercial)
    whole = (
        f"**{n_limited:,} of {tally.n_rows:,} rows are for non-commercial use only.** Column `non_commercial` tells "
        "them apart, column `licence` names each row's licence."
        if n_limited
        else "No row is marked as non-commercial. Column `licence` names each row's licence."
    )
    return [whole, "", *lines]


def _row_table(tally: PublishedTally) -> list[str]:
    """Categories and models."""
    lines = ["| category | clean, unique problems | published |", "|---|---:|---:|"]
    lines += [f"| {name} | {n:,} | {tally.published.get(name, 0):,} |" for name, n in tally.asked.items()]
    models = [f"| {_cell(name)} | {n:,} |" for name, n in tally.models.items()]
    return [*lines, "", "| response by | published |", "|---|---:|", *models]


def _thresholds(recipe: Recipe) -> list[str]:
    """The settings that decide what stays, by section of the recipe."""
    lines = ["| section | setting | value |", "|---|---|---|"]
    content = recipe.content()
    for section in ("clean", "deduplicate", "decontaminate", "verify", "quality", "select"):
        lines += [f"| {section} | {name} | {_cell(value)} |" for name, value in _flat(content.get(section, {}))]
    return lines


def _flat(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Single values with dotted names; lists, such as benchmarks, have parts of the card of their own."""
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float | str | bool):
            yield f"{prefix}{name}", value


def _cell(value: object) -> str:
    return " ".join(f"{value}".split()).replace("|", "\\|")[:_CELL_CHARS]


def _limits(recipe: Recipe, tally: PublishedTally) -> list[str]:
    """What a reader could take for granted and should not."""
    told = [
        "A verifier looks at the answer, not at the reasoning: a right answer may stand at the end of wrong steps.",
        "References are the sources'; where one is wrong, right responses were dropped and wrong ones kept.",
        "Problems on which no response could be verified are not here: hard and open questions are too few.",
        "Token counts in labels and in the report are estimates, unless `label.tokenizer` is set.",
    ]
    if not recipe.decontaminate.benchmarks:
        told.append("No benchmark was compared with: the rows may hold test items.")
    if any(each.licence == "unknown" for each in tally.licences):
        told.append("Some sources state no licence (`unknown`): ask their authors before you publish what uses them.")
    return [f"- {line}" for line in told]
