"""The dataset card: what a reader of the published files must know.

The front matter of the dataset card: what the Hub, its viewer and ``datasets`` read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import yaml

from tracemill.decontaminate.report import as_markdown
from tracemill.dedup import conflict_report
from tracemill.dedup.conflict_report import ConflictReport
from tracemill.label.counts import label_table
from tracemill.publish.funnel import render
from tracemill.select import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracemill.decontaminate.report import BenchmarkReport
    from tracemill.label.counts import LabelSummary
    from tracemill.publish.tally import LicensedRows, PublishedTally
    from tracemill.recipe import Recipe
    from tracemill.recipe.sections.server import Teacher
    from tracemill.select.calibration import Cut

# The Hub's own ids are SPDX in lower case; those of our sources that it knows otherwise, or not at all:
# https://huggingface.co/docs/hub/repositories-licenses
_HUB_IDS: Final = {"odc-by-1.0": "odc-by"}
_HUB_KNOWS: Final = frozenset(
    {
        "apache-2.0",
        "mit",
        "cc-by-4.0",
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
        "cc0-1.0",
        "odc-by",
        "bsd-3-clause",
    }
)
# https://github.com/huggingface/hub-docs/blob/main/datasetcard.md: below the bound, the category
_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)
_FILES: Final = "train-*.parquet"
DEFAULT: Final = "default"
SFT: Final = "sft"
_SFT_COLUMNS: Final = ["messages"]
# Configuration -> its columns.
CONFIGS: Final = {DEFAULT: Sample.arrow.names, SFT: _SFT_COLUMNS}
_SPLIT: Final = "train"
_FENCE: Final = "---\n"
_NAME_CHARS: Final = 80
_ENGLISH: Final = "en"  # what a dataset is in whose rows' languages nobody found


def front_matter(name: str, tally: PublishedTally, labels: LabelSummary) -> dict[str, Any]:
    """The fields, in the order in which people read them.

    Args:
        name: of the dataset.
        tally: what the published rows are made of.
        labels: how labels are distributed; languages are one of them.
    """
    return {
        "pretty_name": name,
        **licence(tally.licences),
        "language": languages(labels),
        "size_categories": [size_category(tally.n_rows)],
        "task_categories": ["text-generation"],
        "tags": tags(tally),
        "configs": [
            {"config_name": DEFAULT, "default": True, "data_files": _files()},
            {"config_name": SFT, "columns": _SFT_COLUMNS, "data_files": _files()},
        ],
        "dataset_info": [
            {
                "config_name": name,
                "features": _features(pa.schema([Sample.arrow.field(column) for column in columns])),
            }
            for name, columns in CONFIGS.items()
        ],
    }


@dataclass(frozen=True)
class WrittenRows:
    """What the card's configurations hold, once it is written.

    Attributes:
        n_rows: of every configuration.
        n_bytes: in memory, as Arrow, by configuration.
        digest: of the files.
        n_file_bytes: of all files.
    """

    n_rows: int
    n_bytes: Mapping[str, int]
    digest: str
    n_file_bytes: int


def with_rows(card: str, rows: WrittenRows) -> str:
    """The card with what ``datasets`` verifies, and by which it tells one dataset from another.

    It caches a local folder under the folder's name and a digest of ``configs`` and ``dataset_info``
    (``datasets.load.LocalDatasetModuleFactory``, 5.2), so two runs whose cards were alike there would be taken for one.
    ``description`` is a parameter of its configurations, and no other field may say what it likes. A card without
    front matter stays as it is.
    """
    opening, fence, rest = card.partition(_FENCE)
    head, end, text = rest.partition(f"\n{_FENCE}")
    if opening or not fence or not end:
        return card
    matter = yaml.safe_load(head)
    for config in matter["configs"]:
        config["description"] = f"{rows.n_rows} rows, digest of the data {rows.digest}"
    for info in matter["dataset_info"]:
        n_bytes = rows.n_bytes[info["config_name"]]
        info["splits"] = [{"name": _SPLIT, "num_bytes": n_bytes, "num_examples": rows.n_rows}]
        info["download_size"] = rows.n_file_bytes
        info["dataset_size"] = n_bytes
    return f"{fence}{yaml_text(matter)}{end}{text}"


def yaml_text(matter: Mapping[str, Any]) -> str:
    """The front matter as it stands in the card."""
    return yaml.safe_dump(matter, sort_keys=False, allow_unicode=True).strip()


def _files() -> list[dict[str, str]]:
    """A new list each time: YAML writes the second mention of one list as a reference."""
    return [{"split": _SPLIT, "path": _FILES}]


def licence(rows: Iterable[LicensedRows]) -> dict[str, str]:
    """The licence that all rows have, if the Hub knows it; else ``other``, with a name that says why.

    A row whose source is non-commercial is so whatever its licence is called.
    """
    found = sorted({(each.licence, each.non_commercial) for each in rows})
    if len(found) == 1:
        ((name, non_commercial),) = found
        hub_id = _HUB_IDS.get(name.lower(), name.lower())
        if hub_id in _HUB_KNOWS and non_commercial == ("-nc" in hub_id):
            return {"license": hub_id}
        return {"license": "other", "license_name": _slug(f"{hub_id}{'-non-commercial' if non_commercial else ''}")}
    if not found:
        return {"license": "other", "license_name": "none-no-rows"}
    limited = any(flag for _, flag in found)
    return {"license": "other", "license_name": "by-row-partly-non-commercial" if limited else "by-row"}


def _slug(name: str) -> str:
    """A name as the Hub wants it, whatever a source wrote."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")[:_NAME_CHARS] or "unknown"


def languages(labels: LabelSummary) -> list[str]:
    """ISO 639-1 codes of the published rows, the most frequent first."""
    counts = labels.published.get("language", {})
    known = {code: n_rows for code, n_rows in counts.items() if len(code) == 2}  # neither "und" nor "none"
    return sorted(known, key=lambda code: (-known[code], code)) or [_ENGLISH]


def size_category(n_rows: int) -> str:
    """The Hub's name for a size."""
    return next((name for bound, name in _SIZES if n_rows < bound), "n>1B")


def tags(tally: PublishedTally) -> list[str]:
    """What the dataset is found by."""
    limited = ["non-commercial"] if any(each.non_commercial for each in tally.licences) else []
    return ["reasoning", "chain-of-thought", "distillation", "verified", "sft", "tracemill", *tally.published, *limited]


def _features(schema: pa.Schema) -> Any:
    """As ``datasets`` writes them into a card; the Parquet files say the same."""
    from datasets import Features

    return Features.from_arrow_schema(schema)._to_yaml_list()  # noqa: SLF001 - there is no public way to write them


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
        funnel: table of :class:`tracemill.publish.funnel.Funnel`.
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
