"""Publications of made-up rows, and what stands in their directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.runs.samples import problem, response, verdict
from tests.support.runs.small_run import table
from tracemill.core import Dropped, Outcome, Verdict, table_of
from tracemill.publish import Publication, dataset_output
from tracemill.recipe.sections.select import Select
from tracemill.select import Sample, select
from tracemill.store import Store


def samples(n: int, start: int = 0) -> list[Sample]:
    found = []
    for number in range(start, start + n):
        asked = problem(f"What is {number} plus one?", str(number + 1))
        answered = response(asked, f"r{number}")
        verdicts = {answered.id: verdict(answered, Outcome.CORRECT)}
        found += select([asked], [answered], verdicts, {}, {}, Select())[0]
    return found


def publication(store: Store, shards: list[list[Sample]], key: str = "k", rows_per_file: int = 10) -> Publication:
    dropped = [Dropped("gone", "a", 0, "clean", "too_short", {"n": 1}, prompt="x")]
    verdicts = [verdict(response(problem("p"), "r"), Outcome.INCORRECT)]
    return Publication(
        key=key,
        selected=[store.write_table(table_of(Sample, rows)) for rows in shards],
        dropped=[store.write_table(table_of(Dropped, dropped))],
        verdicts=[store.write_table(table_of(Verdict, verdicts))],
        shuffle_seed=1,
        rows_per_file=rows_per_file,
        texts={"dataset/README.md": "card", "report.html": "page"},
    )


def ids(out: Store) -> list[str]:
    found: list[str] = table(Path(out.path("")), "dataset")["id"].to_pylist()
    return found


def folder(out: Store) -> Path:
    found = out.folder
    assert found is not None
    return found


OUTPUT = dataset_output(["traces", "grey"])


def write(path: Path, text: str = "mine") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def snapshot(root: Path) -> dict[str, Any]:
    """Everything that stands below a folder, but what is for files under way, and locks."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith(".tmp") or path.suffix == ".lock":
            continue
        found[name] = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


MANIFESTS: dict[str, Any] = {
    "list": [],
    "text": "text",
    "number": 1,
    "null": None,
    "no files": {"key": "k"},
    "no key": {"files": {}},
    "files a list": {"key": "k", "files": []},
    "files a number": {"key": "k", "files": 3},
    "entry a text": {"key": "k", "files": {"background.js": "x"}},
    "no size": {"key": "k", "files": {"a": {"sha256": "0" * 64}}},
    "size a text": {"key": "k", "files": {"a": {"rows": 1, "size": "1", "sha256": "0" * 64}}},
    "no digest": {"key": "k", "files": {"a": {"rows": None, "size": 1, "sha256": "x"}}},
    "outside": {"key": "k", "files": {"../../a": {"rows": None, "size": 1, "sha256": "0" * 64}}},
    "absolute": {"key": "k", "files": {"/etc/passwd": {"rows": None, "size": 1, "sha256": "0" * 64}}},
    "a browser's": {"manifest_version": 3, "name": "extension", "version": "1.0"},
}
