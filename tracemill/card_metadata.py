"""The front matter of the dataset card: what the Hub, its viewer and ``datasets`` read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tracemill.selection import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracemill.label_counts import LabelSummary
    from tracemill.published_tally import LicensedRows, PublishedTally

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
SFT: Final = "sft"
_SFT_COLUMNS: Final = ["messages"]
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
            {"config_name": "default", "default": True, "data_files": _files()},
            {"config_name": SFT, "columns": _SFT_COLUMNS, "data_files": _files()},
        ],
        "dataset_info": [
            {"config_name": "default", "features": _features(Sample.arrow)},
            {"config_name": SFT, "features": _features(pa.schema([Sample.arrow.field(n) for n in _SFT_COLUMNS]))},
        ],
    }


def _files() -> list[dict[str, str]]:
    """A new list each time: YAML writes the second mention of one list as a reference."""
    return [{"split": "train", "path": _FILES}]


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
