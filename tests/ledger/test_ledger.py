"""ledger: what was paid for is there after anything that can happen to the process, the file or the disk."""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.warm import start as programs
from tracemill.core import LedgerError
from tracemill.ledger import Completion, Ledger, request_key, shared_ledger


def _key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _completion(number: int, text: str = "A") -> Completion:
    return Completion(_key(number), f"{text}{number}", None, "stop", 3, 5, "m")


def _segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.ledger"))


def _spawn(code: str, *arguments: object) -> programs.Script:
    """A process that runs ``code`` with the helpers of this module's first lines at hand."""
    head = (
        "import sys, hashlib\n"
        "from tracemill.ledger.ledger import Completion, Ledger\n"
        "key = lambda n: hashlib.sha256(str(n).encode()).hexdigest()\n"
        "completion = lambda n, text='A': Completion(key(n), f'{text}{n}', None, 'stop', 3, 5, 'm')\n"
    )
    return programs.script(head + code, *arguments)


def test_a_completion_comes_back_as_it_was_put(tmp_path: Path) -> None:
    """Every field comes back after reopening, with line feeds, real Unicode and lone surrogates in it."""
    odd = Completion(_key(1), "a\nb\r\u2028é\udc80\x00", "r\n", None, None, 7, "m/1")
    with_ledger = Ledger(tmp_path)
    assert with_ledger.put(odd)
    assert with_ledger.get(_key(1)) == odd
    assert Ledger(tmp_path).get(_key(1)) == odd


def test_an_existing_key_is_not_rewritten(tmp_path: Path) -> None:
    """A second put of a key changes nothing and says so, in the same process and after reopening."""
    ledger = Ledger(tmp_path)
    assert ledger.put(_completion(1))
    assert not ledger.put(_completion(1, "B"))
    ledger.close()
    again = Ledger(tmp_path)
    assert not again.put(_completion(1, "B"))
    assert again.get_many([_key(1), _key(2)]) == {_key(1): _completion(1)}
    assert len(again) == 1
    assert _key(1) in again
    assert _key(2) not in again


def test_every_process_takes_the_same_winner(tmp_path: Path) -> None:
    """Of two records of one key, the one in the first segment by name wins, for every reader, whoever wrote first."""
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    first.put(_completion(0))
    second.put(_completion(1, "late segment, written first "))
    first.put(_completion(1, "early segment, written last "))
    for ledger in (first, second, Ledger(tmp_path)):
        ledger.refresh()
        found = ledger.get(_key(1))
        assert found is not None
        assert found.content.startswith("early")
        assert len(ledger) == 2


def test_refresh_reads_what_others_added(tmp_path: Path) -> None:
    """Other writers' records are seen from the next refresh on, each once."""
    reader, writer = Ledger(tmp_path), Ledger(tmp_path)
    for number in range(5):
        writer.put(_completion(number))
        assert reader.get(_key(number)) is None
        assert reader.refresh() == 1
        assert reader.get(_key(number)) == _completion(number)
    assert reader.refresh() == 0


def test_kill_minus_nine_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Every put that a process had acknowledged when it was killed with -9 is there."""
    code = (
        "ledger = Ledger(sys.argv[1], segment_bytes=20_000)\n"
        "for n in range(10**6):\n"
        "    ledger.put(completion(n, 'x' * 500))\n"
        "    print(n, flush=True)\n"
    )
    process = _spawn(code, tmp_path)
    acknowledged = [int(process.stdout.readline()) for _ in range(300)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().splitlines()]
    process.communicate()
    ledger = Ledger(tmp_path)
    found = ledger.get_many([_key(number) for number in acknowledged])
    assert found == {_key(number): _completion(number, "x" * 500) for number in acknowledged}
    assert len(ledger) - len(acknowledged) in (0, 1)
    assert len(_segments(tmp_path)) > 5


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    """What three processes put at once, with keys in common, is all there, under one winner a key."""
    code = (
        "ledger, own = Ledger(sys.argv[1], segment_bytes=20_000), int(sys.argv[2])\n"
        "for n in range(300):\n"
        "    ledger.put(completion(n if n % 3 == 0 else n + 1000 * own, str(own)))\n"
        "    ledger.refresh() if n % 50 == 0 else None\n"
    )
    processes = [_spawn(code, tmp_path, own) for own in (1, 2, 3)]
    for process in processes:
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
    ledgers = [Ledger(tmp_path), Ledger(tmp_path)]
    common = [_key(number) for number in range(0, 300, 3)]
    assert len(ledgers[0]) == 100 + 3 * 200
    assert ledgers[0].get_many(common) == ledgers[1].get_many(common)


def test_threads_share_a_ledger(tmp_path: Path) -> None:
    """Threads that put and read at once, over segment rolls, lose nothing and write no key twice."""
    ledger = Ledger(tmp_path, segment_bytes=5_000)

    def work() -> None:
        for number in range(200):
            ledger.put(_completion(number))
            assert ledger.get(_key(number)) == _completion(number)
            ledger.refresh()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    n_lines = sum(path.read_bytes().count(b"\n") for path in _segments(tmp_path))
    assert n_lines == len(ledger) == len(Ledger(tmp_path)) == 200


@pytest.mark.parametrize("cut", [1, 30, 80, 120])
def test_a_torn_tail_is_stepped_over(tmp_path: Path, cut: int) -> None:
    """A line that was written in part is left out and read once it is whole; lines before it are not touched."""
    ledger = Ledger(tmp_path)
    ledger.put(_completion(1))
    ledger.put(_completion(2))
    segment = _segments(tmp_path)[0]
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-cut])
    reader = Ledger(tmp_path)
    assert len(reader) == 1
    segment.write_bytes(whole)
    assert reader.refresh() == 1
    assert reader.get(_key(2)) == _completion(2)


def test_zeros_after_power_loss_are_a_torn_tail(tmp_path: Path) -> None:
    """A tail of zero bytes, as file systems leave it after power loss, is stepped over."""
    ledger = Ledger(tmp_path)
    ledger.put(_completion(1))
    with _segments(tmp_path)[0].open("ab") as file:
        file.write(bytes(5000))
    assert len(Ledger(tmp_path)) == 1


@pytest.mark.parametrize("indexed", [False, True])
def test_a_damaged_record_is_named(tmp_path: Path, *, indexed: bool) -> None:
    """A record in the middle that is not what was written is an error with file, offset and remedy, never a miss."""
    ledger = Ledger(tmp_path)
    for number in range(3):
        ledger.put(_completion(number))
    if indexed:
        ledger.close()
    segment = _segments(tmp_path)[0]
    raw = bytearray(segment.read_bytes())
    offset = raw.index(b"\n") + 1
    raw[offset + 90] ^= 1
    segment.write_bytes(raw)
    with pytest.raises(LedgerError, match=rf"{segment.name} at byte {offset}") as caught:
        Ledger(tmp_path).get(_key(1))
    assert "copy" in caught.value.remedy


def _older_index(segment: Path, index: bytes) -> None:
    segment.with_suffix(".idx").write_bytes(index)


def _half_an_index(segment: Path, index: bytes) -> None:
    segment.with_suffix(".idx").write_bytes(index[: len(index) // 2])


def _no_index(segment: Path, _: bytes) -> None:
    segment.with_suffix(".idx").unlink()


def _foreign_index(segment: Path, _: bytes) -> None:
    segment.with_suffix(".idx").write_bytes(b"\x00" * 100)


def _replaced_segment(segment: Path, _: bytes) -> None:
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(reversed(lines)))


@pytest.mark.parametrize("spoil", [_older_index, _half_an_index, _no_index, _foreign_index, _replaced_segment])
def test_an_index_file_is_only_a_short_cut(tmp_path: Path, spoil: object) -> None:
    """A missing, torn, foreign or stale index file changes nothing about what is found."""
    ledger = Ledger(tmp_path)
    ledger.put(_completion(0))
    ledger.close()
    old = _segments(tmp_path)[0]
    index = old.with_suffix(".idx").read_bytes()
    other = Ledger(tmp_path)
    for number in range(1, 50):
        other.put(_completion(number, "longer " * number))
    lines = b"".join(path.read_bytes() for path in _segments(tmp_path))
    other.close()
    for path in _segments(tmp_path)[1:]:
        path.unlink()
        path.with_suffix(".idx").unlink()
    old.write_bytes(lines)
    Ledger(tmp_path, segment_bytes=1)
    spoil(old, index)  # type: ignore[operator]
    again = Ledger(tmp_path)
    assert len(again) == 50
    assert again.get(_key(49)) == _completion(49, "longer " * 49)


def test_opening_indexes_what_a_killed_writer_left(tmp_path: Path) -> None:
    """A segment that was never sealed gets its index file at the next opening, and is read through it after."""
    ledger = Ledger(tmp_path)
    for number in range(30):
        ledger.put(_completion(number, "x" * 50_000))
    index = _segments(tmp_path)[0].with_suffix(".idx")
    assert not index.exists()
    assert len(Ledger(tmp_path)) == 30
    assert index.exists()
    ledger.put(_completion(30))
    assert len(Ledger(tmp_path)) == 31


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Empty segments, foreign files, left-over temporary files and folders do not disturb."""
    (tmp_path / f"{1:020d}-1-00000000.ledger").touch()
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / f"{1:020d}-1-00000000.tmp-3-abcd").write_text("half")
    (tmp_path / "other.ledger").write_text("not\nours\n")
    (tmp_path / "folder").mkdir()
    ledger = Ledger(tmp_path)
    ledger.put(_completion(1))
    assert len(Ledger(tmp_path)) == 1
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_segments_roll_and_are_sealed(tmp_path: Path) -> None:
    """A full segment is sealed with its index and another begun; the figures add up."""
    ledger = Ledger(tmp_path, segment_bytes=1000)
    for number in range(40):
        ledger.put(_completion(number))
    stats = ledger.stats()
    assert stats.n_completions == 40
    assert stats.n_segments == len(_segments(tmp_path)) > 3
    assert stats.n_bytes == sum(path.stat().st_size for path in _segments(tmp_path))
    assert len(list(tmp_path.glob("*.idx"))) == stats.n_segments - 1
    assert Ledger(tmp_path).stats() == stats


def test_a_forked_child_does_not_write_into_its_parents_segment(tmp_path: Path) -> None:
    """After a fork, parent and child append to segments of their own."""
    code = (
        "import os\n"
        "ledger = Ledger(sys.argv[1])\n"
        "ledger.put(completion(1))\n"
        "child = os.fork()\n"
        "ledger.put(completion(2 if child else 3))\n"
        "os.waitpid(child, 0) if child else os._exit(0)\n"
    )
    process = _spawn(code, tmp_path)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert len(_segments(tmp_path)) == 2
    assert len(Ledger(tmp_path)) == 3


def test_a_full_disk_is_an_error_that_loses_nothing(tmp_path: Path) -> None:
    """When the disk is full, put raises with a remedy, what was put before stays, and puts work again after."""
    code = (
        "import resource\n"
        "from tracemill.core.errors import LedgerError\n"
        "ledger = Ledger(sys.argv[1])\n"
        "ledger.put(completion(1))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    for n in range(2, 100):\n"
        "        ledger.put(completion(n, 'x' * 900))\n"
        "except LedgerError as error:\n"
        "    print(n, error.remedy.startswith('make room'), key(n) in ledger)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "print(ledger.put(completion(n, 'x' * 900)), len(ledger), len(Ledger(sys.argv[1])))\n"
    )
    out, errors = _spawn(code, tmp_path).communicate(timeout=30)
    assert out.split() == ["6", "True", "False", "True", "6", "6"], errors
    assert all(path.read_bytes().endswith(b"\n") for path in _segments(tmp_path))


def test_a_directory_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A directory that cannot be made, or not be read by this user, is an error that names it."""
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"cannot be read: .*file/ledger"):
        Ledger(tmp_path / "file" / "ledger")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    code = (
        "import os\n"
        "from tracemill.core.errors import LedgerError\n"
        "os.setuid(65534) if os.getuid() == 0 else None\n"
        "try:\n"
        "    Ledger(sys.argv[1])\n"
        "except LedgerError as error:\n"
        "    print(error.got)\n"
    )
    out, errors = _spawn(code, closed).communicate(timeout=30)
    assert "Permission denied" in out, errors
    closed.chmod(0o700)


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    """What is not 64 hex digits is refused as a key, on reading and on writing."""
    ledger = Ledger(tmp_path)
    with pytest.raises(LedgerError, match="not a request key"):
        ledger.put(replace(_completion(1), key="abc"))
    with pytest.raises(LedgerError, match="not a request key"):
        ledger.get("ABC" + _key(1)[3:])


def test_flushing_is_bounded_by_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least every sync_every_n records are flushed to disk."""
    flushed = []
    ledger = Ledger(tmp_path, sync_every_n=10, sync_every_s=1e9)
    ledger.put(_completion(100))
    monkeypatch.setattr(os, "fsync", flushed.append)
    for number in range(30):
        ledger.put(_completion(number))
        for thread in threading.enumerate():
            if thread.name == "tracemill-ledger":
                thread.join()
    assert len(flushed) == 3


def test_one_ledger_a_process(tmp_path: Path) -> None:
    """Within a process, a directory has one shared ledger, however its path is written."""
    assert shared_ledger(tmp_path / "x") is shared_ledger(f"{tmp_path}/./x")


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "reopen", "refresh"]), st.integers(0, 1), st.integers(0, 9))
)


@settings(max_examples=60, deadline=None)
@given(operations=OPERATIONS)
def test_a_ledger_is_a_dictionary_of_first_values(operations: list[tuple[str, int, int]]) -> None:
    """Two processes' worth of puts, refreshes and reopenings in any order keep what a dict with setdefault keeps."""
    with tempfile.TemporaryDirectory() as name:
        ledgers = [Ledger(name, segment_bytes=300), Ledger(name, segment_bytes=300)]
        model: dict[str, Completion] = {}
        for step, (operation, who, number) in enumerate(operations):
            if operation == "put":
                ledgers[who].refresh()
                completion = _completion(number, f"{step}-")
                assert ledgers[who].put(completion) == (completion.key not in model)
                model.setdefault(completion.key, completion)
            elif operation == "reopen":
                ledgers[who] = Ledger(name, segment_bytes=300)
            else:
                ledgers[who].refresh()
        for ledger in (*ledgers, Ledger(name)):
            ledger.refresh()
            assert ledger.get_many([_key(number) for number in range(10)]) == model
            assert len(ledger) == len(model)


def test_the_key_is_the_request_and_nothing_else() -> None:
    """Each part of a request changes its key; equal numbers written differently do not."""
    sampling = {"temperature": 1.0, "top_p": 0.95, "max_tokens": 100}
    messages = [{"role": "user", "content": "hi"}]
    base = request_key(messages, "m", "r", "t@1", sampling, 0)
    others = [
        request_key([{"role": "user", "content": "hi "}], "m", "r", "t@1", sampling, 0),
        request_key(messages, "n", "r", "t@1", sampling, 0),
        request_key(messages, "m", "s", "t@1", sampling, 0),
        request_key(messages, "m", "r", "t@2", sampling, 0),
        request_key(messages, "m", "r", "t@1", {**sampling, "top_p": 0.9}, 0),
        request_key(messages, "m", "r", "t@1", sampling, 1),
    ]
    assert len({base, *others}) == 7
    assert request_key(messages, "m", "r", "t@1", {**sampling, "temperature": 1}, 0) == base
    assert base == "1348f61dfcaa281f96ab7ab0467a16846143f719747a1c0c850717a9b21b0735"
