"""A recipe for one's own files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tracemill.cli.main import main
from tracemill.core import Category
from tracemill.recipe import Recipe, load_recipe, parse_recipe
from tracemill.sources.collect import fingerprint

OPTIONS = "\nA) red\nB) blue\nC) green"
KINDS: dict[str, list[dict[str, Any]]] = {
    "maths": [{"question": f"What is the sum of {n} and 7?", "answer": str(n + 7)} for n in range(5)],
    "mixed": [
        *({"question": f"What is the sum of {n} and 7?", "answer": str(n + 7)} for n in range(5)),
        {"question": "Why is the sky blue?", "answer": "Because of scattering"},
        {
            "question": "Wie viele Tage hat denn eigentlich der Monat Februar in diesem Jahr?",
            "answer": "28",
            "gold": "x",
        },
        {"question": None, "answer": "1"},
    ],
    "chat": [{"question": f"Tell me the story of number {n}."} for n in range(5)],
    "programs": [{"text": f"Write f{n}", "test_list": ["assert f(1) == 1"]} for n in range(5)],
    "choice": [{"question": f"Which is number {n}?{OPTIONS}", "answer": "A"} for n in range(5)],
    "named": [{'the "question": {x': f"What is {n} plus 7?", "answer # no": "1", "n": n} for n in range(5)],
    "traced": [
        {
            "messages": [
                {"role": "user", "content": f"How many are {n} and 2?"},
                {"role": "assistant", "content": "<think>\nadd\n</think>\n4" if n else "4"},
            ],
            "model": 'x"]\nverify: {wall_s: 1}\u2028# ',
        }
        for n in range(3)
    ],
}


def written(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Types the command in a folder of its own; gives the exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TEACHER_MODEL", raising=False)

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["tracemill", "init", *map(str, arguments)])
        return main()

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_the_recipe_is_a_recipe_and_its_files_are_found(kind: str, init: Any, tmp_path: Path) -> None:
    """As it is written, from any folder: it is parsed, its paths lead to the files, and it is short."""
    written(tmp_path, f"data/{kind} rows.jsonl", KINDS[kind])
    (tmp_path / "recipes").mkdir()
    for out in ("recipe.yaml", "recipes/mine.yaml"):
        assert init(f"data/{kind} rows.jsonl", "--out", out) == 0
        recipe = load_recipe(out)
        assert recipe.name == ("mine" if "mine" in out else f"{kind}-rows")
        assert fingerprint(recipe.sources[0], recipe.data_dir)[0][0] == str(tmp_path / "data" / f"{kind} rows.jsonl")
        assert 10 <= len(Path(out).read_text().splitlines()) <= 25


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_comment_proposes_is_a_recipe_too(kind: str, init: Any, tmp_path: Path) -> None:
    """Settings that stand there as comments parse once the mark is taken away."""
    assert init(written(tmp_path, "rows.jsonl", KINDS[kind])) == 0
    text = (tmp_path / "recipe.yaml").read_text()
    tried = re.sub(r"^( *)# (?=(clean|judge|rubric|reuse_models): )", r"\1", text, flags=re.MULTILINE)
    assert parse_recipe(yaml.safe_load(tried))
    assert text.count("# rubric:") == (kind in {"chat", "named", "traced"})
    assert text.count("# judge:") == text.count("# clean:") == (kind == "mixed")
    assert text.count("# reuse_models:") == (kind == "traced")
    assert ("containers" in text) == (kind == "programs")


def recipe_of(path: Path) -> Recipe:
    return load_recipe(path, pinned=False)


def test_what_is_not_plain_is_a_comment(init: Any, tmp_path: Path) -> None:
    """Rows that cannot be used, references of other kinds, columns that nobody reads, languages, licence."""
    assert init(written(tmp_path, "rows.jsonl", KINDS["mixed"])) == 0
    text = (tmp_path / "recipe.yaml").read_text()
    for said in ("missing_prompt 1", "1 by prose", 'not read: "gold"', "languages: [en]", "licence: unknown} # say"):
        assert said in text


def test_tests_that_nobody_reads_are_told(init: Any, tmp_path: Path) -> None:
    """Assertions in a layout that has none: where they are read stands beside the source."""
    rows = [{"prompt": f"Write a function f{n}", "test_list": ["assert f(1) == 1"]} for n in range(3)]
    assert init(written(tmp_path, "rows.jsonl", rows)) == 0
    assert 'not read: "test_list". Layout mbpp' in (tmp_path / "recipe.yaml").read_text()


def test_columns_and_authors_cannot_become_settings(init: Any, tmp_path: Path) -> None:
    """Whatever stands in names of columns and models, the recipe has the settings that were meant."""
    assert init(written(tmp_path, "a.jsonl", KINDS["named"]), written(tmp_path, "b.jsonl", KINDS["traced"])) == 0
    recipe = recipe_of(tmp_path / "recipe.yaml")
    assert recipe.sources[0].columns == {"prompt": 'the "question": {x'}
    assert recipe.verify.wall_s == 10
    assert "\u2028" not in (tmp_path / "recipe.yaml").read_text()


def test_several_files_are_several_sources(init: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the order that they are named, each with its layout and category; what is in two of them is counted."""
    paths = [
        written(tmp_path, "one/rows.jsonl", KINDS["maths"]),
        written(tmp_path, "two/rows.jsonl", KINDS["maths"][:2]),
        written(tmp_path, "two/code.jsonl", KINDS["programs"]),
    ]
    assert init(*paths) == 0
    sources = recipe_of(tmp_path / "recipe.yaml").sources
    assert [(s.name, s.layout) for s in sources] == [("rows", "plain"), ("rows-2", "plain"), ("code", "mbpp")]
    assert sources[0].category == Category.MATH
    assert "in more than one of the files: 2 rows" in capsys.readouterr().out


def test_it_says_what_it_saw_and_what_is_next(init: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Columns with samples, the layout, and the three commands."""
    assert init(written(tmp_path, "rows.jsonl", KINDS["maths"])) == 0
    printed = capsys.readouterr().out
    for said in ("'What is the sum of 0 and 7?'", "layout plain", "math 5", "a number or formula 5"):
        assert said in printed
    assert printed.endswith(
        "next:\n"
        "  python -m flows.check_references recipe.yaml\n"
        "  python -m flows.build_dataset recipe.yaml --preview 3\n"
        "  python -m flows.build_dataset recipe.yaml\n"
    )


def test_scripts_get_json(init: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document with the same facts."""
    assert init(written(tmp_path, "rows.jsonl", KINDS["mixed"]), "--json") == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"]
    assert (source["layout"], source["rows"], source["dropped"]) == ("plain", 8, {"missing_prompt": 1})
    assert source["columns"]["answer"] == {"types": {"text": 8}, "sample": "'7'"}


def test_nothing_is_overwritten_unless_forced(init: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is there stays as it is, whatever is in it; --force replaces it."""
    rows = written(tmp_path, "rows.jsonl", KINDS["maths"])
    (tmp_path / "recipe.yaml").write_text("mine\n")
    assert init(rows) == 1
    assert "recipe.yaml is there already; it was not touched" in capsys.readouterr().err
    assert (tmp_path / "recipe.yaml").read_text() == "mine\n"
    assert init(rows, "--force") == 0
    assert recipe_of(tmp_path / "recipe.yaml").name == "rows"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.jsonl"], "there is no file none.jsonl"),
        (["rows.jsonl", "--out", "nowhere/recipe.yaml"], "cannot be written to nowhere/recipe.yaml"),
        (["rows.jsonl", "none.csv"], "there is no file none.csv"),
    ],
)
def test_a_failure_writes_nothing(
    arguments: list[str], says: str, init: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with status 1 and the reason, and leaves no recipe."""
    written(tmp_path, "rows.jsonl", KINDS["maths"])
    assert init(*arguments) == 1
    assert says in capsys.readouterr().err
    assert list(tmp_path.rglob("*.yaml")) == []


@pytest.mark.parametrize(
    ("arguments", "environment", "model", "max_tokens"),
    [
        ([], None, "demo-teacher", 512),
        ([], "DeepSeek-R1", "DeepSeek-R1", 16384),
        (["--model", "org/Qwen3: 8B"], "DeepSeek-R1", "org/Qwen3: 8B", 16384),
    ],
)
def test_the_teacher_is_named(
    arguments: list[str],
    environment: str | None,
    model: str,
    max_tokens: int,
    init: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By --model, else by TEACHER_MODEL, else it is the demo's, with as many tokens as that has room for."""
    if environment:
        monkeypatch.setenv("TEACHER_MODEL", environment)
    assert init(written(tmp_path, "rows.jsonl", KINDS["maths"]), *arguments) == 0
    teacher = recipe_of(tmp_path / "recipe.yaml").distill.teacher
    assert (teacher.model, teacher.max_tokens) == (model, max_tokens)
    assert "base_urls" not in teacher.model_fields_set, "TEACHER_URL says where it is"
