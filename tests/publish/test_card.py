"""The dataset card: what the Hub and ``datasets`` read of it, and what it says to people."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from tests.support.needs import ROOT
from tests.support.runs.cards import LIMITED, OPEN, TALLY, recipe, text
from tests.support.runs.published_runs import run, sample
from tracemill.label.counts import LabelSummary
from tracemill.publish.card import SFT, card, licence, licences_text, size_category
from tracemill.publish.funnel import FUNNEL as FUNNEL_SCHEMA
from tracemill.publish.summary import BuildSummary
from tracemill.publish.tally import LicensedRows, PublishedTally
from tracemill.select import Sample


def test_the_hub_reads_the_front_matter() -> None:
    """Licence, languages, size, tasks, tags, configurations and features parse as what they are."""
    data = DatasetCard(text()).data
    assert (data.license, data.get("license_name")) == ("other", "by-row-partly-non-commercial")
    assert (data.language, data.size_categories, data.task_categories) == (["en", "zh"], ["n<1K"], ["text-generation"])
    assert {"reasoning", "math", "non-commercial"} <= set(data.tags)
    assert set(MetadataConfigs.from_dataset_card_data(data)) == {"default", "sft"}
    infos = DatasetInfosDict.from_dataset_card_data(data)
    assert infos["default"].features == datasets.Features.from_arrow_schema(Sample.arrow)
    assert list(infos["sft"].features) == ["messages"]


def test_the_front_matter_says_where_rows_are_from() -> None:
    """Sources by their Hub ids, who annotated, where licences are told apart, and the paper that it follows."""
    sources = [
        {"name": "a", "path": "a.jsonl"},
        {"name": "b", "hub": "org/b", "layout": "plain", "columns": {"prompt": "q"}, "licence": "MIT"},
        {"known": "openr1-math-default", "path": "local.parquet"},
    ]
    told = text(sources=sources)
    data = DatasetCard(told).data
    assert data.source_datasets == ["open-r1/OpenR1-Math-220k", "org/b", "original"]
    assert data.annotations_creators == ["machine-generated"]
    assert data.license_link == "LICENSE.md"
    assert "https://arxiv.org/abs/2503.19633" in told
    one = TALLY.model_copy(update={"licences": [OPEN]})
    assert DatasetCard(text(one)).data.get("license_link") is None
    assert licences_text(one) is None
    assert "| b | CC-BY-NC-4.0 | yes | 1 |" in (licences_text(TALLY) or "")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([OPEN], {"license": "mit"}),
        ([LIMITED], {"license": "cc-by-nc-4.0"}),
        ([OPEN.model_copy(update={"licence": "ODC-By-1.0"})], {"license": "odc-by"}),
        ([OPEN.model_copy(update={"licence": "unknown"})], {"license": "other", "license_name": "unknown"}),
        (
            [OPEN.model_copy(update={"non_commercial": True})],
            {"license": "other", "license_name": "mit-non-commercial"},
        ),
        (
            [OPEN.model_copy(update={"licence": "See the\nauthors' page: no #1"})],
            {"license": "other", "license_name": "see-the-authors-page-no-1"},
        ),
        ([OPEN, OPEN.model_copy(update={"licence": "Apache-2.0"})], {"license": "other", "license_name": "by-row"}),
        ([OPEN, LIMITED], {"license": "other", "license_name": "by-row-partly-non-commercial"}),
        ([], {"license": "other", "license_name": "none-no-rows"}),
    ],
)
def test_no_licence_is_more_open_than_its_rows(rows: list[LicensedRows], told: dict[str, str]) -> None:
    """One licence of all rows is named as the Hub names it; mixed or contradicting ones are ``other``."""
    assert licence(rows) == told


def test_sizes_are_the_hubs_categories() -> None:
    """Bounds belong to the larger category."""
    found = [size_category(n) for n in (0, 999, 1000, 1_400_000, 10**9)]
    assert found == ["n<1K", "n<1K", "1K<n<10K", "1M<n<10M", "n>1B"]


def test_the_card_tells_people() -> None:
    """Yields, licences with their flag, thresholds, limits and the recipe are there."""
    told = text(description="About.")
    assert "| a | plain | unknown | 8 | 5 | 62.5% |" in told
    assert "**1 of 5 rows are for non-commercial use only.**" in told
    assert "- b: 1 rows under CC-BY-NC-4.0, non-commercial." in told
    assert "| deduplicate | threshold |" in told
    assert "No benchmark was compared with" in told
    assert "| code | 1 | 0 |" in told
    assert "&id" not in told, "YAML references in the front matter"
    named = [OPEN.model_copy(update={"source": f"s{n}", "licence": "x|y\n| z"}) for n in range(200)]
    many = text(PublishedTally(licences=named, published={"math": 800}))
    assert "- s9: 4 rows under x\\|y \\| z." in many
    assert "… and 100 more" in many
    assert "No row is marked as non-commercial" in text(PublishedTally(licences=[OPEN], published={"math": 4}))


def test_no_text_of_a_source_breaks_a_table() -> None:
    """A pipe or the end of a line in a licence, a category, a model or a label stays in its cell."""
    evil = "x|y\n<script>"
    labels = LabelSummary({}, {"category": {evil: 3}})
    tally = PublishedTally(asked={evil: 7}, published={evil: 3}, models={evil: 3})
    told = card(BuildSummary(recipe(), FUNNEL_SCHEMA.empty_table(), labels, tally))
    assert told.count("x\\|y <script>") == 3
    tables = re.findall(r"(?:^\|.*\n)+", told, re.MULTILINE)
    assert len(tables) == 5
    for rows in map(str.splitlines, tables):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, rows[0]
    assert "| b | plain | x\\|y | 0 | 0 | – |" in told


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # datasets leaves its Parquet files open
def test_the_published_folder_loads_as_the_card_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``default`` has every column, ``sft`` chats alone: turns of role and content, alternating, the assistant last."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    history = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello!"}]
    rows = [sample(f"question {n}") for n in range(7)]
    rows[0].messages[:0] = history
    folder = run(tmp_path / "a", rows) / "dataset"
    (folder / "README.md").write_text(text())
    whole = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    chats = datasets.load_dataset(str(folder), "sft", split="train", cache_dir=str(tmp_path / "cache"))
    assert whole.column_names == Sample.arrow.names
    assert chats.column_names == ["messages"]
    assert chats.features["messages"] == datasets.List(
        {"role": datasets.Value("string"), "content": datasets.Value("large_string")}
    )
    assert {len(row["messages"]) for row in chats} == {2, 4}
    for row in chats:
        roles = [turn["role"] for turn in row["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert all(turn["content"] for turn in row["messages"])
        assert row["messages"][-1]["content"].startswith("<think>")
        assert trl_is_conversational(row)
        assert llama_factory_takes(row["messages"])


def trl_is_conversational(example: dict[str, Any]) -> bool:
    """TRL's rule (trl/data_utils.py, `is_conversational`): a known key holds turns with a role and a content."""
    keys = [key for key in ("prompt", "chosen", "rejected", "completion", "messages") if key in example]
    turns = example[keys[0]] if keys else None
    return isinstance(turns, list) and isinstance(turns[0], dict) and {"role", "content"} <= set(turns[0])


def llama_factory_takes(messages: list[dict[str, str]]) -> bool:
    """LLaMA-Factory's rule for `sharegpt` (data/converter.py): user and assistant in turn, an even number of turns.

    With the tags of docs/publishing.md; a system turn may stand before.
    """
    turns = messages[1:] if messages[0]["role"] == "system" else messages
    expected = ["user", "assistant"] * (len(turns) // 2)
    return bool(turns) and [turn["role"] for turn in turns] == expected


def test_the_documented_snippets_name_what_is_published() -> None:
    """The trainers' configurations in docs/publishing.md parse, and take ``messages`` of the configuration ``sft``."""
    written = (ROOT / "docs" / "publishing.md").read_text().partition("## Training on it")[2].partition("\n## ")[0]
    blocks = dict(re.findall(r"```(python|json|yaml)\n(.*?)```", written, re.DOTALL))
    compile(blocks["python"], "publishing.md", "exec")
    (factory,) = json.loads(blocks["json"]).values()
    (axolotl,) = yaml.safe_load(blocks["yaml"])["datasets"]
    assert '"sft"' in blocks["python"]
    assert (factory["subset"], axolotl["name"]) == (SFT, SFT)
    assert (factory["columns"]["messages"], axolotl["field_messages"]) == ("messages", "messages")
    turn = {field.name for field in Sample.arrow.field("messages").type.value_type}
    assert {factory["tags"]["role_tag"], factory["tags"]["content_tag"]} == turn
    assert set(axolotl["message_property_mappings"].values()) == turn
