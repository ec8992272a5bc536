"""python -m tracemill ledger: what the commands print, write and say when something is wrong."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from tracemill.cli.main import main
from tracemill.ledger import Completion, Ledger

ROOT = Path(__file__).resolve().parents[2]


def _key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


ROWS = [
    Completion(_key(1), "eins\n\udc80", "hm", "stop", 3, 5, "a"),
    Completion(_key(2), "zwei", None, "length", 4, 9, "a"),
    Completion(_key(3), "drei", None, None, None, None, "b"),
]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Three keys, one of them twice, in two sealed segments."""
    writers = [Ledger(tmp_path / "ledger"), Ledger(tmp_path / "ledger")]
    writers[0].put(ROWS[0])
    writers[0].put(ROWS[1])
    writers[1].put(Completion(_key(1), "late", None, "stop", 3, 1, "a"))
    writers[1].put(ROWS[2])
    for writer in writers:
        writer.close()
    return tmp_path / "ledger"


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["tracemill", "ledger", *map(str, arguments)])
    return main()


def _stats(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ledger: Path) -> dict[str, object]:
    _run(monkeypatch, "stats", ledger)
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def test_stats_count_every_key_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ledger: Path
) -> None:
    """Completions, tokens and finish reasons by model are those of the winning records."""
    told = _stats(monkeypatch, capsys, ledger)
    assert told == {
        "completions": 3,
        "superseded": 1,
        "segments": 2,
        "segments_being_written": 0,
        "bytes": sum(path.stat().st_size for path in ledger.glob("*.ledger")),
        "torn_segments": {},
        "damaged_segments": {},
        "models": {
            "a": {
                "n_completions": 2,
                "prompt_tokens": 7,
                "completion_tokens": 14,
                "finish_reasons": {"stop": 1, "length": 1},
            },
            "b": {"n_completions": 1, "prompt_tokens": 0, "completion_tokens": 0, "finish_reasons": {"unknown": 1}},
        },
    }


def test_stats_say_what_is_torn_damaged_and_being_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ledger: Path
) -> None:
    """A torn line, a damaged one and a live writer are each named; damage is also the exit status."""
    first, second = sorted(ledger.glob("*.ledger"))
    with second.open("ab") as file:
        file.write(b"half")
    raw = bytearray(first.read_bytes())
    raw[90] ^= 1
    first.write_bytes(raw)
    writer = Ledger(ledger.parent / "other")
    writer.put(ROWS[0])
    live = next(writer.directory.glob("*.ledger"))
    live.rename(ledger / live.name)
    assert _run(monkeypatch, "stats", ledger) == 1
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told["torn_segments"] == {second.name: "4 bytes"}
    assert told["damaged_segments"] == {first.name: [0]}
    assert told["segments_being_written"] == 1
    assert "lines at byte 0" in captured.err


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.zst"])
def test_export_writes_the_first_record_of_every_key(monkeypatch: pytest.MonkeyPatch, ledger: Path, name: str) -> None:
    """Every completion is a line with all its fields, the first record of its key; .zst is compressed."""
    out = ledger.parent / name
    assert _run(monkeypatch, "export", ledger, "--out", out) == 0
    raw = out.read_bytes()
    if name.endswith(".zst"):
        raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read()
    assert [Completion(**json.loads(line)) for line in raw.splitlines()] == ROWS
    assert sorted(path.name for path in ledger.parent.iterdir()) == ["ledger", name]


@pytest.mark.parametrize("name", ["notes.md", "rows.jsonl", "rows.jsonl.zst", "folder"])
def test_an_export_replaces_nothing_but_an_export(
    monkeypatch: pytest.MonkeyPatch, ledger: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A file of any other content is named and stays; an export takes an earlier one's place."""
    out = ledger.parent / name
    if name == "folder":
        out.mkdir()
    else:
        out.write_text('{"content": "mine"}')
    assert _run(monkeypatch, "export", ledger, "--out", out) == 1
    assert f"{out} is there already" in capsys.readouterr().err
    assert out.is_dir() or out.read_text() == '{"content": "mine"}'
    again = ledger.parent / f"again-{name}"
    assert [_run(monkeypatch, "export", ledger, "--out", again) for _ in range(2)] == [0, 0]


def test_export_goes_to_the_terminal_and_may_be_cut_short(ledger: Path) -> None:
    """Without --out the lines are printed, and a reader that stops early is no error."""
    writer = Ledger(ledger)
    for number in range(10, 60):
        writer.put(Completion(_key(number), "x" * 10_000, None, "stop", 3, 5, "a"))
    writer.close()
    command = f"{sys.executable} -m tracemill ledger export {ledger} | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert Completion(**json.loads(done.stdout)) == ROWS[0]


def test_compact_says_what_it_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ledger: Path
) -> None:
    """Compaction reports segments before and after, and what was dropped; the figures stay."""
    before = _stats(monkeypatch, capsys, ledger)
    assert _run(monkeypatch, "compact", ledger) == 0
    assert capsys.readouterr().out.startswith(
        "2 segments are 1 now (0 left alone: being written); dropped 1 superseded"
    )
    after = _stats(monkeypatch, capsys, ledger)
    assert after["models"] == before["models"]
    assert (after["segments"], after["superseded"]) == (1, 0)


def test_a_folder_without_a_ledger_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Each command says that no ledger is there, and where one would be."""
    monkeypatch.chdir(tmp_path)
    for command in ("stats", "export", "compact"):
        assert _run(monkeypatch, command) == 1
        told = capsys.readouterr().err
        assert "no ledger in .tracemill/store/ledger" in told
        assert "run.ledger" in told


def test_an_export_that_cannot_be_written_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ledger: Path
) -> None:
    """A folder that is missing is named, with a remedy."""
    assert _run(monkeypatch, "export", ledger, "--out", ledger.parent / "missing" / "out.jsonl") == 1
    assert "name another with --out" in capsys.readouterr().err
