"""Benchmarks: which texts stand for an item, and that one which is not whole is an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracemill.core import RecipeError, SourceError, UnknownLayoutError
from tracemill.decontaminate.benchmarks import items_of, source_of
from tracemill.recipe import parse_recipe
from tracemill.recipe.known_benchmarks import KNOWN, texts_of
from tracemill.recipe.loading import refuse_unpinned
from tracemill.recipe.sections.decontaminate import Benchmark

STUB = '''from typing import List

def gulls(nets: List[int]) -> int:
    """ Say how many of the nets, given by their weights, a flock of gulls can lift in one morning.
    >>> gulls([1, 2])
    2
    """
'''
SAID = "Say how many of the nets, given by their weights, a flock of gulls can lift in one morning."
STATEMENT = "Each of n boats has a net. Tell how many boats can leave the harbour before the tide has gone."


def benchmark(folder: Path, rows: list[Any], **settings: Any) -> Benchmark:
    (folder / "items.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return Benchmark(**{"name": "b", "path": "items.jsonl"} | settings)


@pytest.mark.parametrize(
    ("known", "record", "texts"),
    [
        ("aime-2024", {"id": 60, "problem": "How many?"}, ["How many?"]),
        ("aime-2025", {"question": "How many?"}, ["How many?"]),
        ("gsm8k-test", {"question": "How many?", "answer": "#### 3"}, ["How many?"]),
        ("humaneval", {"prompt": STUB}, [STUB, SAID]),
        ("humaneval", {"prompt": STUB.replace(SAID, "Count gulls.")}, [STUB.replace(SAID, "Count gulls.")]),
        (
            "livecodebench",
            {"question_content": f"{STATEMENT}\n\nInput\n\nOne line with n.\n\nSample Input 1\n\n3"},
            [f"{STATEMENT}\n\nInput\n\nOne line with n.\n\nSample Input 1\n\n3", STATEMENT],
        ),
        (
            "livecodebench",
            {"question_content": f"{STATEMENT}\n\n\nExample 1:\n\nInput: n = 3"},
            [f"{STATEMENT}\n\n\nExample 1:\n\nInput: n = 3", STATEMENT],
        ),
        (
            "gpqa-diamond",
            {"Question": "Which is true?", "Correct Answer": "a", "Incorrect Answer 1": "b"},
            ["Which is true?\na\nb"],
        ),
        (
            "gpqa-diamond",
            {"Question": STATEMENT, "Correct Answer": "a", "Incorrect Answer 1": "b"},
            [STATEMENT, f"{STATEMENT}\na\nb"],
        ),
        ("math-500", {"problem": "  "}, []),
        ("math-500", {"solution": "x"}, []),
        ("math-500", ["x"], []),
    ],
)
def test_texts_of_known_benchmarks(known: Any, record: Any, texts: list[str]) -> None:
    """Each known benchmark's item is compared by the texts that its table names."""
    assert texts_of(record, KNOWN[known]) == texts


def test_items_have_their_own_ids(tmp_path: Path) -> None:
    """An item is named by its id column, or else by its row."""
    rows = [{"problem": "How many?", "key": 7}, {"problem": "How much?", "key": None}]
    assert [item["item"] for item in items_of(benchmark(tmp_path, rows, id="key"), str(tmp_path))] == ["7", "1"]
    assert [item["item"] for item in items_of(benchmark(tmp_path, rows), str(tmp_path))] == ["0", "1"]


@pytest.mark.parametrize(
    ("rows", "settings", "error", "says"),
    [
        ([], {}, SourceError, "0 items"),
        ([{"problem": "x"}], {"known": "math-500"}, SourceError, "1 items"),
        ([{"q": "x"}], {}, UnknownLayoutError, "problem or question or prompt"),
        ([{"q": ""}], {"text": "q"}, UnknownLayoutError, "column q"),
        ([{"problem": "x"}], {"path": "gone.jsonl"}, SourceError, "gone.jsonl"),
    ],
)
def test_a_benchmark_is_read_whole_or_not_at_all(
    tmp_path: Path, rows: list[Any], settings: dict[str, Any], error: type[Exception], says: str
) -> None:
    """Missing files, missing items and items without a question are errors that name the remedy."""
    with pytest.raises(error, match=says) as caught:
        items_of(benchmark(tmp_path, rows, **settings), str(tmp_path))
    assert "remedy" in str(caught.value)


def test_a_broken_row_is_an_error(tmp_path: Path) -> None:
    """A row that is not JSON is never skipped."""
    (tmp_path / "items.jsonl").write_text('{"problem": "x"}\n{"problem": ')
    with pytest.raises(SourceError, match=r"row 1 of items\.jsonl is not JSON"):
        items_of(Benchmark(name="b", path="items.jsonl"), str(tmp_path))


def test_a_known_name_fills_in_the_place() -> None:
    """A recipe names a known benchmark and its commit; a file is read in the Hub's stead."""
    source = source_of(Benchmark(known="gpqa-diamond", revision="a" * 40))
    assert (source.name, source.hub, source.config, source.split) == (
        "gpqa-diamond",
        "Idavidrein/gpqa",
        "gpqa_diamond",
        "train",
    )
    assert source_of(Benchmark(known="gpqa-diamond", path="gpqa.csv")).hub is None
    assert source_of(Benchmark(known="livecodebench")).files == "test*.jsonl"


def test_hub_benchmarks_need_a_commit() -> None:
    """A benchmark that could move under the run is refused before anything runs."""
    recipe = parse_recipe(
        {
            "name": "r",
            "sources": [{"name": "s", "path": "s.jsonl"}],
            "decontaminate": {"benchmarks": [{"known": "aime-2024", "revision": "main"}]},
            "distill": {"teacher": {"model": "m"}},
        }
    )
    with pytest.raises(RecipeError, match="aime-2024: main"):
        refuse_unpinned(recipe, "recipe.yaml")


def test_a_wrong_benchmark_is_refused() -> None:
    """Neither path nor hub, or a name that is not known, is an error of the recipe."""
    for entry in ({"name": "b"}, {"name": "b", "path": "x", "hub": "y"}, {"known": "aime-1999"}):
        with pytest.raises(ValueError, match=r"path and hub|known"):
            Benchmark(**entry)
