"""Records of the ledger that are as they were written and yet no completions: stepped over, and asked again.

Earlier versions recorded a reply as it came; what came was not always of the types that everybody relies on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.runs.small_run import SmallRun, funnel, table
from tests.support.servers.odd_replies import OddServer
from tracemill.cli.main import main
from tracemill.core import LedgerError, digest
from tracemill.ledger import Completion, Ledger
from tracemill.ledger.compaction import compact
from tracemill.ledger.mirror import Mirror
from tracemill.ledger.place import Place
from tracemill.ledger.record import decode, encode, guarded, sound_key
from tracemill.ledger.segment import new_name
from tracemill.ledger.survey import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS: dict[str, Any] = {
    "completion_tokens": 5,
    "content": "4",
    "finish_reason": "stop",
    "model": "m",
    "prompt_tokens": 3,
    "reasoning": None,
}
ODD: list[Any] = [
    FIELDS | {"content": [{"type": "text", "text": "4"}]},
    FIELDS | {"content": None},
    FIELDS | {"content": 4},
    FIELDS | {"model": None},
    FIELDS | {"model": ["m"]},
    FIELDS | {"reasoning": {"text": "hm"}},
    FIELDS | {"finish_reason": 0},
    FIELDS | {"refusal": True},
    FIELDS | {"colour": "red"},
    FIELDS | {"key": "b" * 64},
    {name: value for name, value in FIELDS.items() if name != "content"},
    {name: value for name, value in FIELDS.items() if name != "prompt_tokens"},
    {},
    [],
    None,
    "4",
    b"no JSON",
    b"\xff\xfe",
    b"[" * 50_000,
]


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def completion(number: int, text: str = "A") -> Completion:
    return Completion(key(number), f"{text}{number}", None, "stop", 3, 5, "m")


def line(number: int, record: Any) -> bytes:
    """A line as an earlier version wrote it."""
    return guarded(key(number).encode(), record if isinstance(record, bytes) else json.dumps(record).encode())


def old_segment(directory: Path, *lines: bytes) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / new_name(max((each.name for each in directory.glob("*.ledger")), default="0-"))
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize("record", ODD)
def test_a_record_of_other_types_is_no_completion(record: Any) -> None:
    """A line that is whole but holds other types, other fields or no JSON object has a key, and no completion."""
    assert sound_key(line(1, record)) == key(1)
    assert decode(line(1, record)) is None


@pytest.mark.parametrize(
    ("value", "count"), [(5, 5), (5.0, 5), ("5", 5), (-1, None), (True, None), ("x", None), ({}, None)]
)
def test_numbers_of_tokens_of_earlier_versions(value: Any, count: int | None) -> None:
    """A record whose numbers of tokens are odd is an answer all the same."""
    found = decode(line(1, FIELDS | {"prompt_tokens": value}))
    assert found is not None
    assert found.prompt_tokens == count


def test_records_of_earlier_versions_are_read_and_written_the_same() -> None:
    """What has no refusal and calls no tool is, byte for byte, the line that earlier versions wrote and read."""
    body = json.dumps(FIELDS, sort_keys=True, separators=(",", ":")).encode()
    written = guarded(key(1).encode(), body)
    found = decode(written)
    assert found == Completion(key(1), "4", None, "stop", 3, 5, "m")
    assert encode(found) == written


@pytest.mark.parametrize("changes", [{"content": ["4"]}, {"prompt_tokens": -1}, {"model": None}])
def test_what_could_not_be_read_again_is_not_recorded(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A completion of other types is refused by the ledger, which stays as it was."""
    ledger = Ledger(tmp_path)
    with pytest.raises(LedgerError, match="not a completion"):
        ledger.put(Completion(**{"key": key(1), **FIELDS, **changes}))
    assert len(ledger) == 0


@pytest.mark.parametrize("name", ["G" * 64, "A" * 64])
def test_a_line_under_no_key_is_damage(tmp_path: Path, name: str) -> None:
    """A line whose checksum is right but whose key is none is named as damage, as any line that is not the ledger's."""
    path = old_segment(tmp_path, guarded(name.encode(), b"{}"), line(1, FIELDS))
    with pytest.raises(LedgerError, match=path.name):
        Ledger(tmp_path)


def test_they_are_asked_again_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Unreadable records count as not there: what is recorded then is found, here, by others, and after reopening."""
    old_segment(tmp_path, *(line(number, record) for number, record in enumerate(ODD)), line(99, FIELDS))
    keys = [key(number) for number in range(len(ODD))]
    with caplog.at_level(logging.WARNING):
        ledger, other = Ledger(tmp_path), Ledger(tmp_path)
        assert ledger.get_many([*keys[:5], key(99)]).keys() == {key(99)}
        assert ledger.get_many(keys) == {}
    [told] = caplog.records
    assert str(tmp_path) in told.getMessage()
    assert "(5 so far" in told.getMessage()
    for number in range(len(ODD)):
        assert ledger.put(completion(number))
        assert not ledger.put(completion(number, "B"))
    expected = {key(number): completion(number) for number in range(len(ODD))}
    assert ledger.get_many(keys) == expected
    other.refresh()
    assert other.get_many(keys) == expected
    assert not other.put(completion(0, "B"))
    ledger.close()
    again = Ledger(tmp_path)
    assert not again.put(completion(0, "B"))
    assert again.get_many(keys) == expected


def test_an_index_that_is_read_anew_hides_nothing(tmp_path: Path) -> None:
    """Where segments were merged meanwhile, a paid answer is recorded although its key has an unreadable record."""
    old_segment(tmp_path, line(1, None))
    old_segment(tmp_path, line(2, FIELDS))
    ledger = Ledger(tmp_path)
    assert ledger.get(key(1)) is None
    compact(tmp_path)
    ledger.refresh()
    assert ledger.put(completion(1))
    assert ledger.get(key(1)) == completion(1)
    assert Ledger(tmp_path).get(key(1)) == completion(1)


def test_compaction_keeps_what_can_be_read(tmp_path: Path) -> None:
    """Of several records of a key the first that can be read stays; one that is alone stays as it is."""
    old_segment(tmp_path, line(1, None), line(2, []), line(3, FIELDS))
    old_segment(tmp_path, encode(completion(1, "good")), line(3, None), line(4, None))
    old_segment(tmp_path, encode(completion(1, "late")), encode(completion(4, "good")))
    before = {number: Ledger(tmp_path).get(key(number)) for number in range(5)}
    done = compact(tmp_path)
    assert (done.n_after, done.n_superseded) == (1, 4)
    [segment] = tmp_path.glob("*.ledger")
    assert [sound_key(one) for one in segment.read_bytes().splitlines(keepends=True)] == [key(n) for n in (2, 3, 1, 4)]
    assert {number: Ledger(tmp_path).get(key(number)) for number in range(5)} == before
    assert before[1] == completion(1, "good")
    assert before[4] == completion(4, "good")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two keys that can be read, one of them behind a record that cannot; and one that cannot."""
    old_segment(tmp_path / "ledger", line(1, None), line(2, FIELDS), line(3, []))
    old_segment(tmp_path / "ledger", encode(completion(1)))
    return tmp_path / "ledger"


def test_commands_count_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ledger: Path) -> None:
    """Figures and export have what can be read, and say how many records cannot."""
    monkeypatch.setattr(sys, "argv", ["tracemill", "ledger", "stats", str(ledger)])
    assert main() == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["completions"], told["superseded"], told["unreadable"]) == (2, 1, 1)
    [(name, [offset])] = told["unreadable_segments"].items()
    assert sound_key((ledger / name).read_bytes()[offset:]) == key(3)
    monkeypatch.setattr(sys, "argv", ["tracemill", "ledger", "export", str(ledger)])
    assert main() == 0
    captured = capsys.readouterr()
    assert {json.loads(each)["key"] for each in captured.out.splitlines()} == {key(1), key(2)}
    assert "left out: 1 records" in captured.err


def test_a_response_is_traced_to_the_record_that_was_read(ledger: Path) -> None:
    """What ``why`` says of a request is of the record that can be read."""
    wanted = [("p", digest("response", "p", key(number))) for number in (1, 2, 3)]
    assert {found["key"] for found in recorded(ledger, wanted)} == {key(1), key(2)}


def test_a_copy_is_not_given_up_for_one_that_cannot_be_read(bucket: str, tmp_path: Path) -> None:
    """A segment that the store has lost is uploaded again where nobody else holds an answer that can be read."""
    mirror = Mirror(Place(f"{bucket}/ledger", str(tmp_path / "disk"), 3600))
    old_segment(mirror.directory, line(1, None))
    good = old_segment(mirror.directory, encode(completion(1)))
    mirror.exchange()
    mirror.files.remove(good.name)
    mirror.exchange()
    assert good.exists()
    assert mirror.exchange()[good.name].size == good.stat().st_size


# -- a whole run -------------------------------------------------------------------------------------------------------


@pytest.fixture
def teacher() -> Iterator[OddServer]:
    with OddServer(lambda _prompt, _n: None) as server:
        yield server


def test_a_run_over_an_old_ledger(teacher: OddServer, tmp_path: Path) -> None:
    """A ledger full of replies as they came is no obstacle: the run asks again, publishes, and then asks nothing."""
    first = SmallRun(tmp_path / "first", teacher.url)
    first.build()
    paid = teacher.completed
    [segment] = (tmp_path / "first" / "store" / "ledger").glob("*.ledger")
    lines = segment.read_bytes().splitlines(keepends=True)
    spoilt = [guarded(one[:64], json.dumps(ODD[n % 15]).encode()) for n, one in enumerate(lines[:30])]
    old_segment(tmp_path / "old", *spoilt, *lines[30:])
    run = SmallRun(tmp_path / "run", teacher.url)
    for store, n_asked in (("a", paid + len(spoilt)), ("b", paid + len(spoilt))):
        run.sections["run"] = {"ledger": str(tmp_path / "old"), "store": str(tmp_path / store)}
        built = run.build()
        assert teacher.completed == n_asked
        assert funnel(built)["published/rows"] == 61
        assert table(run.out, "dataset").equals(table(first.out, "dataset"))
