"""The catalogue of datasets, and sources that are written with it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.support.runs.adapted_rows import adapted
from tracemill.cli.sources import listing
from tracemill.core import SourceError
from tracemill.sources import Source
from tracemill.sources.catalogue.catalogue import FILES, catalogue, datasets_at, read_catalogue
from tracemill.sources.catalogue.dataset import Dataset
from tracemill.sources.layouts.registry import LAYOUTS
from tracemill.sources.layouts.traces import GEMINI_THINKING, R1, UNKNOWN_MODEL

# https://spdx.org/licenses/, as far as the catalogue needs it; unknown is said, not guessed.
SPDX = {
    "Apache-2.0",
    "CC-BY-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-SA-4.0",
    "MIT",
    "ODC-By-1.0",
    "unknown",
}


def names() -> list[Any]:
    return [pytest.param(name, dataset, id=name) for name, dataset in catalogue().items()]


@pytest.mark.parametrize(("name", "dataset"), names())
def test_entries_are_sound(name: str, dataset: Dataset) -> None:
    """Every dataset has a Hub id, a layout that exists, an SPDX licence, its evidence, and a name fit for a source."""
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", dataset.hub)
    assert dataset.layout in LAYOUTS
    assert dataset.licence in SPDX
    assert dataset.evidence
    assert set(dataset.traces) <= {R1, GEMINI_THINKING, UNKNOWN_MODEL}
    assert Source(known=name).name == name


@pytest.mark.parametrize(("name", "dataset"), names())
def test_non_commercial_licences_are_flagged(name: str, dataset: Dataset) -> None:
    """A licence with NC in it is non-commercial."""
    assert dataset.non_commercial or "-NC" not in dataset.licence, name


ENTRY = "one:\n  hub: o/n\n  layout: plain\n  licence: MIT\n  evidence: card\n"


@pytest.mark.parametrize(
    ("text", "place", "got"),
    [
        (ENTRY + "  licens: MIT\n", "entry one, field licens", "'MIT'"),
        (ENTRY + "  config: 0625\n", "entry one, field config", "405"),
        (ENTRY + "  category: sums\n", "entry one, field category", "'sums'"),
        (ENTRY + "  traces: [deepseek-r1, 1]\n", "entry one, field traces.1", "1"),
        (ENTRY.replace("  layout: plain\n", ""), "entry one, field layout", "nothing"),
        (ENTRY + "two:\n", "entry two", "None"),
        (ENTRY + "  licence: MIT\n", "entry one, field licence", "it stands there twice"),
        (ENTRY + ENTRY, "entry one", "it stands there twice"),
        (ENTRY + "two: [", "", "while parsing"),
        ("- " + ENTRY.replace("\n", "\n  "), "", "no mapping"),
        ("", "", "no mapping"),
    ],
)
def test_what_is_wrong_in_the_catalogue_is_named(tmp_path: Path, text: str, place: str, got: str) -> None:
    """The error says which file, entry and field is wrong, and what stands there."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SourceError) as wrong:
        read_catalogue([path])
    assert wrong.value.what == f"the catalogue is wrong: {path}" + (f", {place}" if place else "")
    assert got in wrong.value.got


def test_a_name_is_in_one_file(tmp_path: Path) -> None:
    """Of two files that know one name the second is refused; one that is not there is named."""
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(ENTRY)
    with pytest.raises(SourceError, match=r"b\.yaml, entry one\n  got: a name that another file has"):
        read_catalogue([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    with pytest.raises(SourceError, match=r"c\.yaml\n  got: .*No such file"):
        read_catalogue([tmp_path / "c.yaml"])


def test_every_file_of_the_catalogue_is_read() -> None:
    """No file of datasets lies beside those that are read."""
    assert sorted(FILES) == sorted(FILES[0].parent.glob("*.y*ml"))


def test_a_repository_has_one_licence() -> None:
    """Datasets of one Hub repository agree on licence and flag: one without known takes any of them."""
    stated = defaultdict(set)
    for dataset in catalogue().values():
        stated[dataset.hub].add((dataset.licence, dataset.non_commercial))
    assert {hub: found for hub, found in stated.items() if len(found) > 1} == {}


def test_known_says_the_rest() -> None:
    """A source that names its dataset needs to say no more; it is the same source as one written out."""
    short = Source(known="math-lighteval")
    hub = "DigitalLearningGmbH/MATH-lighteval"
    assert (short.hub, short.layout, short.licence, short.split) == (hub, "math", "MIT", "train")
    assert short.digest() == Source(name="math-lighteval", hub=hub, layout="math", licence="MIT").digest()


def test_known_with_files_of_ones_own() -> None:
    """Files that were downloaded before are read in the Hub's stead, as the same layout under the same licence."""
    local = Source(known="math-lighteval", name="mine", path="math/*.parquet")
    assert (local.hub, local.path, local.name) == (None, "math/*.parquet", "mine")
    assert (local.layout, local.licence) == ("math", "MIT")


@pytest.mark.parametrize("wrong", [{"licence": "Apache-2.0"}, {"non_commercial": True}])
def test_the_catalogue_is_not_contradicted(wrong: dict[str, Any]) -> None:
    """A licence or flag other than the catalogue's is refused with both, and with the catalogue's evidence."""
    with pytest.raises(ValidationError, match=r"(?s)math-lighteval has .*card.*without known"):
        Source(known="math-lighteval", **wrong)


def test_an_unknown_name_is_refused() -> None:
    """A name that is not in the catalogue is refused with the nearest that is."""
    with pytest.raises(ValidationError, match=r"math-lightevel.*did you mean 'math-lighteval'"):
        Source(known="math-lightevel")


def test_a_hub_source_takes_its_licence_from_the_catalogue() -> None:
    """A source written out that forgets the licence gets the catalogue's, and one that states it keeps its own."""
    hub = "digitallearninggmbh/MATH-lighteval"
    assert Source(name="m", hub=hub).licence == "MIT"
    assert Source(name="m", hub=hub, licence="by agreement").licence == "by agreement"
    assert datasets_at("org/unheard-of") == []
    assert Source(name="m", hub="org/unheard-of").licence == "unknown"


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"known": "limo"}, "Apache-2.0"),
        ({"known": "natural-reasoning"}, "CC-BY-NC-4.0 (non-commercial)"),
        ({"known": "tulu-3-sft-mixture", "path": "t.jsonl"}, "ODC-By-1.0 (non-commercial, by row)"),
        ({"name": "g", "hub": "GeneralReasoning/GeneralThought-430K"}, "MIT (by row)"),
        ({"name": "f", "path": "f.jsonl"}, "unknown"),
    ],
)
def test_licences_as_they_are_shown(settings: dict[str, Any], shown: str) -> None:
    """The card says of a licence that it is non-commercial, and that rows name their own."""
    assert Source(**settings).stated_licence == shown


def test_the_listing() -> None:
    """The listing has a line for each dataset; a word, in any case, picks out some and adds how each is known."""
    assert [line.split()[0] for line in listing().splitlines()] == ["known", *catalogue()]
    found = listing("COGNITIVEcomputations").splitlines()
    assert [line.split()[0] for line in found[1:4]] == [name for name in catalogue() if name.startswith("dolphin")]
    assert found[5] == f"dolphin-r1-deepseek: {catalogue()['dolphin-r1-deepseek'].evidence}"
    assert listing("no such thing").split() == ["known", "dataset", "licence", "layout", "traces", "of"]


@pytest.mark.parametrize("name", [*catalogue(), *LAYOUTS])
def test_the_documentation_knows_it(name: str) -> None:
    """Every dataset and every layout is in docs/sources.md."""
    assert f"`{name}`" in (Path(__file__).parents[2] / "docs" / "sources.md").read_text()


ROWS = [{"prompt": f"What is {n}?", "kind": kind} for n, kind in enumerate(["a", "b", ["b", "c"], None, True, 1])]


def test_the_beginning_of_a_row_that_is_left_out_is_kept() -> None:
    """A sound row that is left out keeps its beginning and its length, a broken one all of its text."""
    text = "x" * 3000
    _, (left_out,) = adapted([{"prompt": text, "kind": "b"}], "plain", only={"kind": ["a"]})
    assert left_out.raw == json.dumps({"prompt": text, "kind": "b"})[:2000]
    assert left_out.evidence["n_chars"] == 3000 + len(json.dumps({"prompt": "", "kind": "b"}))
    _, (broken,) = adapted([{"prompt": [text], "kind": "a"}], "plain", only={"kind": ["a"]})
    assert broken.raw == json.dumps({"prompt": [text], "kind": "a"})


@pytest.mark.parametrize(
    ("wanted", "kept"), [(["a"], [0]), (["b"], [1, 2]), ([None, "a"], [0, 3]), ([True], [4]), ([1], [5])]
)
def test_only(wanted: list[Any], kept: list[int]) -> None:
    """Rows with another value are dropped, and the reason is theirs; true is not 1, and a list holds its values."""
    problems, dropped = adapted(ROWS, "plain", only={"kind": wanted})
    assert [problem.row for problem in problems] == kept
    assert {row.reason for row in dropped} == {"not_selected"}
    assert len(problems) + len(dropped) == len(ROWS)
