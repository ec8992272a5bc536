"""For scripts: one JSON document of every command that prints results, and exit codes."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import ROOT
from tests.support.runs.small_run import SmallRun, question
from tests.support.servers.chat_server import ChatServer
from tests.support.warm import start as programs
from tracemill.cli.main import parser

PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRun]:
    """A finished run."""
    with ChatServer() as teacher:
        small = SmallRun(tmp_path_factory.mktemp("json"), teacher.url, rows=[question(n) for n in range(12)])
        small.write()
        small.build()
        small.check(small.folder / "checked")
        yield small


def typed(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    return programs.run("tracemill", *map(str, arguments), cwd=cwd, environment=environment)


def document(*arguments: object, cwd: Path) -> Any:
    done = typed(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def keys(command: str) -> set[str]:
    """What the page says that the document has, or each of its entries."""
    [row] = re.findall(rf"^\| {re.escape(command)} \| (.*) \|$", PAGE, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", re.sub(r"\([^()]*\)|(?<=`): `\w+`", "", row)))


def test_reports(run: SmallRun) -> None:
    """Of a build the funnel and yields, of an audit its summary, of either its page."""
    report = document("report", run.out, cwd=run.folder)
    assert set(report) == keys("`report` of a build")
    assert report["sources"]["rows"]["rows"] == 12
    assert set(report["funnel"][0]) == {"source", "stage", "reason", "rows"}
    assert sum(row["rows"] for row in report["funnel"] if row["stage"] == "published") == report["rows"]
    audit = document("report", run.folder / "checked", cwd=run.folder)
    assert (set(audit), audit["kind"]) == ({"run", "kind", "summary"}, "audit")
    page = document("report", run.out, "--html", cwd=run.folder)
    assert set(page) == keys("`report --html`")
    assert Path(page["page"]).exists()


def test_versions(run: SmallRun) -> None:
    """Each with its number and whether it stands."""
    [version] = document("versions", run.out, cwd=run.folder)
    assert set(version) == keys("`versions`")
    assert (version["version"], version["stands"]) == (1, True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", version["finished"])


def test_push(run: SmallRun) -> None:
    """What would be sent, and that nothing was."""
    planned = document("push", run.out, "--repo", "org/name", cwd=run.folder)
    assert set(planned) == keys("`push`")
    assert planned["sent"] is None
    assert "README.md" in planned["files"]


def test_sources_and_pins(run: SmallRun) -> None:
    """The catalogue's entries whole; of a recipe without Hub datasets no pins."""
    found = document("sources", "openr1", cwd=run.folder)
    assert set(found[0]) == keys("`sources`")
    assert "openr1-math-default" in {each["known"] for each in found}
    assert document("pin", run.recipe_path, cwd=run.folder) == {
        "recipe": str(run.recipe_path),
        "dry_run": False,
        "pins": [],
    }


def test_the_ledger(run: SmallRun) -> None:
    """Figures, and what a compaction did."""
    ledger = run.folder / "store" / "ledger"
    assert keys("`ledger stats`") <= set(document("ledger", "stats", ledger, cwd=run.folder))
    assert set(document("ledger", "compact", ledger, cwd=run.folder)) == keys("`ledger compact`")


def test_rows_and_differences(run: SmallRun) -> None:
    """Every record of a row; a run differs from itself in nothing."""
    assert set(document("diff", run.out, run.out, cwd=run.folder)) == keys("`diff`")
    ids = [line["id"] for line in dataset(run)]
    records = document("why", ids[0], "--run", run.out, cwd=run.folder)
    assert "dataset" in {record["where"] for record in records}


def dataset(run: SmallRun) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return [row for path in (run.out / "dataset").glob("*.parquet") for row in pq.read_table(path).to_pylist()]


def leaves(line: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    groups = [action for action in line._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield line
    for group in groups:
        for inner in group.choices.values():
            yield from leaves(inner)


def test_every_command_takes_it() -> None:
    """All but the export, which is lines of JSON, and what runs until it is stopped; the page has a line of each."""
    names = {
        leaf.prog.removeprefix("python -m tracemill ") for leaf in leaves(parser()) if "--json" in leaf.format_help()
    }
    everything = {leaf.prog.removeprefix("python -m tracemill ") for leaf in leaves(parser())}
    assert everything - names == {"ledger export", "browse", "completion", "serve"}
    assert [name for name in names if f"| `{name}`" not in PAGE] == []
    assert [name for name in everything if f"tracemill {name.split()[0]} " not in PAGE] == []


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["report", "nowhere"], 1),
        (["why", "abc", "--run", "nowhere", "--json"], 1),
        (["versions", "nowhere", "--json"], 1),
        (["doctor", "none.yaml", "--json"], 1),
        (["init", "none.jsonl", "--json"], 1),
        (["init"], 2),
        (["report", "--jsn"], 2),
        ([], 2),
        (["sources", "openr1"], 0),
    ],
)
def test_exit_codes(arguments: list[str], status: int, tmp_path: Path) -> None:
    """0 done, 1 failed with the reason on stderr and nothing on stdout, 2 a wrong command line."""
    done = typed(*arguments, cwd=tmp_path)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    if status:
        assert (done.stdout, bool(done.stderr)) == ("", True)


def test_nobody_reads_to_the_end() -> None:
    """Output that is cut off, as by head, is no error that is told; the exit code says so."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "tracemill", "completion", "bash"]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=120, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
