"""Sources of which nothing is left: the run stops before anything is paid for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.runs.small_run import SmallRun, audit, question, table
from tests.support.servers.chat_server import ChatServer
from tracemill.core import SourceError, TracemillError
from tracemill.recipe import load_recipe
from tracemill.sources.readers import files_of

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
GOOD = "".join(json.dumps(question(n)) + "\n" for n in range(4)).encode()


def small(folder: Path, url: str, **source: Any) -> SmallRun:
    """A run with one sound source and one more, of file or folder ``more``."""
    run = SmallRun(folder, url, rows=[question(n) for n in range(10, 14)])
    sound = {"name": "rows", "path": "rows.jsonl", "layout": "gsm8k"}
    run.sections = {
        "sources": [sound, {"name": "more", "layout": "gsm8k", **source}],
        "decontaminate": {"benchmarks": []},
    }
    return run


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("more.jsonl", POINTER, "Git LFS pointer"),
        ("more.jsonl", b"", "source more has no rows"),
        ("more.jsonl", b'{"question": "Why?", "answer": "42"}\n' * 3, "none of its 3 rows can be used"),
        ("more.csv", b"question,answer\nIs it 1,000?,#### 1\n", "1 malformed_row"),
    ],
    ids=["pointer", "empty", "form", "csv"],
)
def test_a_lost_source_stops_every_flow(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    """Neither a build nor a check of references succeeds without one of its sources, and no teacher is asked before."""
    with ChatServer() as server:
        run = small(tmp_path, server.url, path=name)
        run.write()
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TracemillError, match=says):
            run.build()
        with pytest.raises(TracemillError, match=says):
            run.check(tmp_path / "references")
        assert server.received == 0
    assert not (run.out / "manifest.json").exists()
    assert not (tmp_path / "references" / "manifest.json").exists()


def test_a_source_that_may_be_empty(tmp_path: Path) -> None:
    """With allow_empty the run goes on; once the file is mended, its rows are new, and the others not asked again."""
    with ChatServer() as server:
        run = small(tmp_path, server.url, path="more.jsonl", allow_empty=True)
        run.write()
        (tmp_path / "more.jsonl").write_bytes(b'{"question": null, "answer": "#### 4"}\n')
        run.build()
        assert "missing_prompt" in table(run.out, "dropped")["reason"].to_pylist()
        asked = len(server.bodies)
        (tmp_path / "more.jsonl").write_bytes(GOOD)
        run.build()
        assert asked > 0
        new = [json.dumps(body) for body in list(server.bodies)[asked:]]
        assert {n for n in range(14) for body in new if question(n)["question"] in body} == {0, 1, 2, 3}


def test_the_audit_of_a_lost_file(tmp_path: Path) -> None:
    """An audit of what cannot be read is refused like a source, and of a folder it reads every file."""
    turns = [
        {"role": "user", "content": "2+2?", "info": {"reference_answer": "4"}},
        {"role": "assistant", "content": "4"},
    ]
    for name in ("a/set.jsonl", "b/set.jsonl"):
        (tmp_path / "sets" / name).parent.mkdir(parents=True)
        (tmp_path / "sets" / name).write_text(json.dumps({"messages": turns}) + "\n")
    settings = [f"run.store={tmp_path / 'store'}", "verify.workers=1"]
    audit(tmp_path / "sets", tmp_path / "out", settings)
    assert sorted(row["file"] for row in table(tmp_path / "out", "verdicts").to_pylist()) == [
        "a/set.jsonl",
        "b/set.jsonl",
    ]
    (tmp_path / "null.jsonl").write_text('{"messages": [{"role": "user", "content": null}]}\n')
    with pytest.raises(TracemillError, match="1 malformed_messages"):
        audit(tmp_path / "null.jsonl", tmp_path / "lost", settings)
    assert not (tmp_path / "lost" / "manifest.json").exists()


def test_benchmarks_are_read_in_every_format(tmp_path: Path) -> None:
    """A benchmark of tab-separated text in a folder counts; one with a row of the wrong shape stops the run."""
    with ChatServer() as server:
        run = small(tmp_path, server.url, path="more.jsonl")
        run.sections["decontaminate"] = {"benchmarks": [{"name": "bench", "path": "bench"}]}
        run.write()
        (tmp_path / "more.jsonl").write_bytes(GOOD)
        (tmp_path / "bench").mkdir()
        (tmp_path / "bench" / "items.tsv").write_text(f"problem\tid\n{question(1)['question']}\t7\n")
        run.build()
        assert "bench" in table(run.out, "dropped")["reason"].to_pylist()
        (tmp_path / "bench" / "items.tsv").write_text(f"problem\tid\n{question(1)['question']}\n")
        with pytest.raises(TracemillError, match=r"line 2 of items\.tsv is not well-formed"):
            run.build()


def recipe_beside(folder: Path, **changes: Any) -> Path:
    raw = {
        "name": "r",
        "sources": [{"name": "rows", "path": "rows/*.jsonl"}],
        "decontaminate": {"benchmarks": [{"name": "b", "path": "bench.jsonl"}]},
        "distill": {"teacher": {"model": "m", "base_urls": ["http://127.0.0.1:1/v1"]}},
    } | changes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(raw))
    return folder / "recipe.yaml"


@pytest.mark.parametrize("data_dir", [None, ".", "data"])
def test_paths_are_relative_to_the_recipe(
    data_dir: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are found beside the recipe, then where the command runs, one by one; the digest knows nothing of it."""
    changes = {} if data_dir is None else {"data_dir": data_dir}
    path = recipe_beside(tmp_path / "mine [1]", **changes)
    here, there = tmp_path / "here", path.parent
    here.mkdir()
    monkeypatch.chdir(here)
    for folder in (here, there):
        (folder / (data_dir or ".") / "rows").mkdir(parents=True)
        (folder / (data_dir or ".") / "rows" / "a.jsonl").write_bytes(GOOD)
    (here / (data_dir or ".") / "bench.jsonl").write_bytes(GOOD)

    def places() -> list[Path]:
        recipe = load_recipe(path)
        return [
            file.path
            for each in (recipe.sources[0], recipe.decontaminate.benchmarks[0])
            for file in files_of(each, recipe.data_dir)
        ]  # type: ignore[arg-type]

    found = [there / (data_dir or ".") / "rows" / "a.jsonl", here / (data_dir or ".") / "bench.jsonl"]
    assert places() == found
    digest = load_recipe(path).digest()
    shutil.rmtree(found[0].parent)
    assert places() == [here / (data_dir or ".") / "rows" / "a.jsonl", found[1]]
    assert load_recipe(path).digest() == digest
    assert [
        file.path for file in files_of(load_recipe(path, [f"data_dir={data_dir or '.'}"]).sources[0], data_dir or ".")
    ] == [here / (data_dir or ".") / "rows" / "a.jsonl"]


def test_a_path_that_is_nowhere_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says the absolute path beside the recipe, and that of the working directory."""
    path = recipe_beside(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(path)
    with pytest.raises(SourceError) as refused:
        files_of(recipe.sources[0], recipe.data_dir)
    assert str(tmp_path / "mine" / "rows" / "*.jsonl") in str(refused.value)
