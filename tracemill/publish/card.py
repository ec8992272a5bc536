"""The dataset card: front matter for the Hub, its viewer and ``datasets``; below it what people must know.

The front matter is ``huggingface_hub``'s ``DatasetCardData``, the text is ``templates/card.md.j2``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import yaml

from tracemill.decontaminate.report import as_markdown
from tracemill.dedup import conflict_report
from tracemill.html.templates import render_markdown
from tracemill.label.counts import label_rows
from tracemill.publish.funnel import render
from tracemill.select import sample_kind
from tracemill.sources.catalogue.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from huggingface_hub import DatasetCardData

    from tracemill.label.counts import LabelSummary
    from tracemill.publish.summary import BuildSummary
    from tracemill.publish.tally import LicensedRows, PublishedTally
    from tracemill.recipe import Recipe
    from tracemill.select import Sample
    from tracemill.sources import Source

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
_SPLIT: Final = "train"
_OTHER: Final = "other"
_ORIGINAL: Final = "original"
LICENCES: Final = "LICENSE.md"  # a file beside the card: datasetcard.md of the Hub's documentation names it so
_FENCE: Final = "---\n"
_READ_FIRST: Final = [
    "pretty_name",
    "license",
    "license_name",
    "license_link",
    "language",
]  # by people; the others as they are named
_NAME_CHARS: Final = 80
_ENGLISH: Final = "en"  # what a dataset is in whose rows' languages nobody found


def configurations(kind: type[Sample]) -> dict[str, list[str]]:
    """Return the columns of each configuration, where rows are of a kind."""
    return {DEFAULT: kind.arrow.names, SFT: _SFT_COLUMNS}


def front_matter(
    name: str, sources: Iterable[Source], kind: type[Sample], tally: PublishedTally, labels: LabelSummary
) -> DatasetCardData:
    """Return what the Hub, its viewer and ``datasets`` read.

    Args:
        name: of the dataset.
        sources: as the recipe has them.
        kind: of its rows.
        tally: what the published rows are made of.
        labels: how labels are distributed; languages are one of them.
    """
    from huggingface_hub import DatasetCardData

    stated = licence(tally.licences)
    link = {"license_link": LICENCES} if stated["license"] == _OTHER else {}
    return DatasetCardData(
        pretty_name=name,
        **stated,
        **link,
        annotations_creators=["machine-generated"],  # outcomes, labels, pass rates
        language_creators=["found", "machine-generated"],  # questions are the sources', responses a model's
        source_datasets=source_datasets(sources),
        language=languages(labels),
        size_categories=[size_category(tally.n_rows)],
        task_categories=["text-generation"],
        tags=tags(tally),
        configs=[
            {"config_name": DEFAULT, "default": True, "data_files": _files()},
            {"config_name": SFT, "columns": _SFT_COLUMNS, "data_files": _files()},
        ],
        dataset_info=[
            {
                "config_name": config,
                "features": _features(pa.schema([kind.arrow.field(column) for column in columns])),
            }
            for config, columns in configurations(kind).items()
        ],
    )


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
    """Return the card with what ``datasets`` verifies, and by which it tells one dataset from another.

    It caches a local folder under the folder's name and a digest of ``configs`` and ``dataset_info``
    (``datasets.load.LocalDatasetModuleFactory``, 5.2), so two runs whose cards were alike there would be taken for one.
    ``description`` is a parameter of its configurations, and no other field may say what it likes. A card without
    front matter stays as it is.
    """
    from huggingface_hub import DatasetCard

    if not card.startswith(_FENCE):
        return card
    written = DatasetCard(card)
    for config in written.data.configs:
        config["description"] = f"{rows.n_rows} rows, digest of the data {rows.digest}"
    for info in written.data.dataset_info:
        n_bytes = rows.n_bytes[info["config_name"]]
        info["splits"] = [{"name": _SPLIT, "num_bytes": n_bytes, "num_examples": rows.n_rows}]
        info["download_size"] = rows.n_file_bytes
        info["dataset_size"] = n_bytes
    return str(written)


class Beside(NamedTuple):
    """A folder of Parquet beside the dataset, which is a configuration of its own on the Hub.

    Attributes:
        schema: of its rows.
        n_rows: of all its files.
        n_bytes: in memory, as Arrow.
        n_file_bytes: of its files.
    """

    schema: pa.Schema
    n_rows: int
    n_bytes: int
    n_file_bytes: int


def with_beside(card: str, beside: Mapping[str, Beside]) -> str:
    """Return the card with further configurations, for where their folders lie beside it; that of a run has none.

    ``load_dataset`` on the run's ``dataset/`` would look for their files below it.
    """
    from huggingface_hub import DatasetCard

    if not beside or not card.startswith(_FENCE):
        return card
    written = DatasetCard(card)
    for name, rows in beside.items():
        files = [{"split": _SPLIT, "path": f"{name}/*.parquet"}]
        told = f"{rows.n_rows} rows"
        written.data.configs.append({"config_name": name, "data_files": files, "description": told})
        splits = [{"name": _SPLIT, "num_bytes": rows.n_bytes, "num_examples": rows.n_rows}]
        written.data.dataset_info.append(
            {
                "config_name": name,
                "features": _features(rows.schema),
                "splits": splits,
                "download_size": rows.n_file_bytes,
                "dataset_size": rows.n_bytes,
            }
        )
    return str(written)


def source_datasets(sources: Iterable[Source]) -> list[str]:
    """Return the Hub's ids of the sources, each once; ``original`` stands for those that are on no Hub."""
    found = [source.hub or (catalogue()[source.known].hub if source.known else _ORIGINAL) for source in sources]
    return [*sorted(set(found) - {_ORIGINAL}), *([_ORIGINAL] if _ORIGINAL in found else [])]


def licences_text(tally: PublishedTally) -> str | None:
    """Return ``LICENSE.md``, which the Hub links to where no one licence holds for all rows; else None."""
    if licence(tally.licences)["license"] != _OTHER:
        return None
    return render_markdown("publish/templates/licence.md.j2", licences=tally.licences)


def _files() -> list[dict[str, str]]:
    """Return a new list each time: YAML writes the second mention of one list as a reference."""
    return [{"split": _SPLIT, "path": _FILES}]


def licence(rows: Iterable[LicensedRows]) -> dict[str, str]:
    """Return the licence that all rows have, if the Hub knows it; else ``other``, with a name that says why.

    A row whose source is non-commercial is so whatever its licence is called.
    """
    found = sorted({(each.licence, each.non_commercial) for each in rows})
    if len(found) == 1:
        ((name, non_commercial),) = found
        hub_id = _HUB_IDS.get(name.lower(), name.lower())
        if hub_id in _HUB_KNOWS and non_commercial == ("-nc" in hub_id):
            return {"license": hub_id}
        return {"license": _OTHER, "license_name": _slug(f"{hub_id}{'-non-commercial' if non_commercial else ''}")}
    if not found:
        return {"license": _OTHER, "license_name": "none-no-rows"}
    limited = any(flag for _, flag in found)
    return {"license": _OTHER, "license_name": "by-row-partly-non-commercial" if limited else "by-row"}


def _slug(name: str) -> str:
    """Return a name as the Hub wants it, whatever a source wrote."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")[:_NAME_CHARS] or "unknown"


def languages(labels: LabelSummary) -> list[str]:
    """ISO 639-1 codes of the published rows, the most frequent first."""
    counts = labels.published.get("language", {})
    known = {code: n_rows for code, n_rows in counts.items() if len(code) == 2}  # neither "und" nor "none"
    return sorted(known, key=lambda code: (-known[code], code)) or [_ENGLISH]


def size_category(n_rows: int) -> str:
    """Return the Hub's name for a size."""
    return next((name for bound, name in _SIZES if n_rows < bound), "n>1B")


def tags(tally: PublishedTally) -> list[str]:
    """Return what the dataset is found by."""
    limited = ["non-commercial"] if any(each.non_commercial for each in tally.licences) else []
    return ["reasoning", "chain-of-thought", "distillation", "verified", "sft", "tracemill", *tally.published, *limited]


def _features(schema: pa.Schema) -> Any:
    """As ``datasets`` writes them into a card; the Parquet files say the same."""
    from datasets import Features

    return Features.from_arrow_schema(schema)._to_yaml_list()  # noqa: SLF001 - there is no public way to write them


def card(summary: BuildSummary) -> str:
    """Return the card of a build; :func:`with_rows` adds what is known once the files are written."""
    recipe, tally = summary.recipe, summary.tally
    return render_markdown(
        "publish/templates/card.md.j2",
        front_matter=front_matter(recipe.name, recipe.sources, kind_of_rows(recipe), tally, summary.labels).to_yaml(
            original_order=_READ_FIRST
        ),
        summary=summary,
        recipe=recipe,
        tally=tally,
        n_non_commercial=sum(each.rows for each in tally.licences if each.non_commercial),
        n_more_licences=len(tally.licences) - len(summary.licences),
        licence_unknown=any(each.licence == "unknown" for each in tally.licences),
        contamination=as_markdown(summary.contamination),
        conflicts=conflict_report.as_markdown(summary.conflicts),
        votes=summary.votes,
        labels=list(label_rows(summary.labels)),
        funnel=render(summary.funnel),
        thresholds=list(thresholds(recipe)),
        recipe_yaml=yaml.safe_dump(recipe.content(), sort_keys=False, allow_unicode=True).strip(),
    )


def kind_of_rows(recipe: Recipe) -> type[Sample]:
    """Return what the rows of a recipe's dataset are."""
    return sample_kind(recipe.select, is_voted=recipe.majority is not None)


def thresholds(recipe: Recipe) -> Iterator[tuple[str, str, Any]]:
    """(section, setting, value) of what decides what stays."""
    content = recipe.content()
    for section in ("clean", "deduplicate", "decontaminate", "verify", "majority", "quality", "select"):
        yield from ((section, name, value) for name, value in _flat(content.get(section, {})))


def _flat(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Single values with dotted names; lists, such as benchmarks, have parts of the card of their own."""
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float | str | bool):
            yield f"{prefix}{name}", value
