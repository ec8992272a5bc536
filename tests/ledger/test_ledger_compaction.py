"""ledger_compaction: fewer segments, the same answers, whatever happens meanwhile."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.warm import start as programs
from tracemill.core import LedgerError
from tracemill.ledger import Completion, Ledger
from tracemill.ledger.compaction import compact
from tracemill.ledger.segment import is_live

HEAD = (
    "import os, shutil, signal, sys, hashlib\n"
    "from pathlib import Path\n"
    "from tracemill.ledger.ledger import Completion, Ledger\n"
    "from tracemill.ledger.compaction import compact\n"
    "key = lambda n: hashlib.sha256(str(n).encode()).hexdigest()\n"
    "completion = lambda n, text='A': Completion(key(n), f'{text}{n}', None, 'stop', 3, 5, 'm')\n"
)


def _key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _completion(number: int, text: str = "A") -> Completion:
    return Completion(_key(number), f"{text}{number}", None, "stop", 3, 5, "m")


def _segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.ledger"))


def _spawn(code: str, *arguments: object) -> programs.Script:
    return programs.script(HEAD + code, *arguments)


def _answers(directory: Path, n: int = 1000) -> dict[str, Completion]:
    return Ledger(directory).get_many(_key(number) for number in range(n))


def _write_with_copies(directory: Path) -> None:
    """Sealed segments of two writers that did not know of each other: 20 keys, ten of them twice."""
    writers = [Ledger(directory, segment_bytes=600), Ledger(directory, segment_bytes=600)]
    for number in range(15):
        writers[0].put(_completion(number, "first "))
        writers[1].put(_completion(number + 5, "second "))
    for writer in writers:
        writer.close()


def test_sealed_segments_become_one_with_the_same_answers(tmp_path: Path) -> None:
    """Many sealed segments become one that holds the winning record of every key, once, with its index beside it."""
    _write_with_copies(tmp_path)
    before, n_before = _answers(tmp_path), len(_segments(tmp_path))
    done = compact(tmp_path)
    assert (done.n_before, done.n_after, done.n_superseded) == (n_before, 1, 10)
    [segment] = _segments(tmp_path)
    assert _answers(tmp_path) == before
    assert segment.read_bytes().count(b"\n") == len(before) == 20
    assert [path.stem for path in tmp_path.glob("*.idx")] == [segment.stem]


def test_compacting_again_changes_nothing(tmp_path: Path) -> None:
    """A compacted ledger is left as it is."""
    _write_with_copies(tmp_path)
    compact(tmp_path, target_bytes=1500)
    files = {path.name: path.read_bytes() for path in _segments(tmp_path)}
    assert len(files) > 1
    done = compact(tmp_path, target_bytes=1500)
    assert done.n_after == done.n_before == len(files)
    assert {path.name: path.read_bytes() for path in _segments(tmp_path)} == files


def test_torn_tails_go_and_empty_segments_too(tmp_path: Path) -> None:
    """What a killed writer left half-written is dropped, and a segment in which nothing is left is removed."""
    ledger = Ledger(tmp_path)
    ledger.put(_completion(1))
    ledger.close()
    with _segments(tmp_path)[0].open("ab") as file:
        file.write(b"half a line")
    (tmp_path / f"{1:020d}-1-00000000.ledger").touch()
    done = compact(tmp_path)
    assert (done.torn_bytes, done.n_after) == (11, 1)
    assert _answers(tmp_path) == {_key(1): _completion(1)}


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    """Old unfinished files and indexes of no segment go; young ones, and files of other people, stay."""
    _write_with_copies(tmp_path)
    name = _segments(tmp_path)[0].stem
    old, young, foreign = f"{name}.tmp-1-abcd", f"{name}.tmp-2-abcd", "notes.tmp"
    orphan = f"{1:020d}-1-00000000.idx"
    for each in (old, young, foreign, orphan, "compaction.tmp"):
        (tmp_path / each).touch()
    os.utime(tmp_path / old, (0, 0))
    os.utime(tmp_path / foreign, (0, 0))
    compact(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left & {old, young, foreign, orphan, "compaction.tmp"} == {young, foreign}


def test_a_segment_that_is_written_to_is_left_alone(tmp_path: Path) -> None:
    """A segment whose writer lives stays, nothing is merged across it, and its writer goes on."""
    before, live, after = Ledger(tmp_path), Ledger(tmp_path), Ledger(tmp_path)
    for number, ledger in enumerate((before, live, after)):
        ledger.put(_completion(number))
    before.close()
    after.close()
    names = [path.name for path in _segments(tmp_path)]
    done = compact(tmp_path)
    assert (done.n_live, done.n_after) == (1, 3)
    assert [path.name for path in _segments(tmp_path)] == names
    live.put(_completion(3))
    live.close()
    assert compact(tmp_path).n_after == 1
    assert len(_answers(tmp_path)) == 4


def test_a_writer_that_is_killed_leaves_a_sealed_segment(tmp_path: Path) -> None:
    """The lock on a segment goes with its writer, however that ends."""
    process = _spawn(
        "ledger = Ledger(sys.argv[1])\nledger.put(completion(1))\nprint(1, flush=True)\ninput()\n", tmp_path
    )
    process.stdout.readline()
    assert compact(tmp_path).n_live == 1
    process.kill()
    process.communicate()
    assert compact(tmp_path).n_live == 0


def test_without_locks_nothing_is_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that knows no locks a ledger works, and compaction says so and leaves all of it alone."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("tracemill.core.file_lock.fcntl.flock", refuse)
    ledgers = [Ledger(tmp_path), Ledger(tmp_path)]
    for number, ledger in enumerate(ledgers):
        ledger.put(_completion(number))
        ledger.close()
    with pytest.raises(LedgerError, match="knows no locks"):
        compact(tmp_path)
    assert is_live(_segments(tmp_path)[0])
    assert len(_segments(tmp_path)) == len(_answers(tmp_path)) == 2


def test_open_ledgers_go_on_with_the_merged_segment(tmp_path: Path) -> None:
    """A process that had the ledger open finds every key after its segments were merged, and puts none twice."""
    _write_with_copies(tmp_path)
    readers = [Ledger(tmp_path), Ledger(tmp_path)]
    before = readers[0].get_many(_key(number) for number in range(20))
    compact(tmp_path)
    assert readers[0].get_many(before) == before
    assert readers[1].refresh() == 0
    assert not any(reader.put(_completion(number)) for reader in readers for number in range(20))


def test_segments_that_somebody_removes_are_missed(tmp_path: Path) -> None:
    """Merging loses no key: a process whose ledger has lost some says so instead of paying for them again."""
    _write_with_copies(tmp_path)
    reader = Ledger(tmp_path)
    _segments(tmp_path)[0].unlink()
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"has lost \d+ completions"):
            reader.refresh()


def test_a_damaged_segment_stops_it(tmp_path: Path) -> None:
    """A line that is not as it was written is named, and nothing is changed."""
    _write_with_copies(tmp_path)
    segment = _segments(tmp_path)[1]
    raw = bytearray(segment.read_bytes())
    raw[100] ^= 1
    segment.write_bytes(raw)
    files = {path: path.read_bytes() for path in _segments(tmp_path)}
    with pytest.raises(LedgerError, match=f"{segment.name} at byte 0"):
        compact(tmp_path)
    assert {path: path.read_bytes() for path in _segments(tmp_path)} == files


def test_one_at_a_time(tmp_path: Path) -> None:
    """While one process compacts, a second is refused."""
    _write_with_copies(tmp_path)
    code = (
        "import fcntl\n"
        "file = open(sys.argv[1] + '/compaction.lock', 'ab')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print(1, flush=True)\n"
        "input()\n"
    )
    process = _spawn(code, tmp_path)
    process.stdout.readline()
    with pytest.raises(LedgerError, match="another process compacts"):
        compact(tmp_path)
    process.kill()
    process.communicate()
    compact(tmp_path)


@pytest.mark.parametrize("error", [BlockingIOError(errno.EAGAIN, "not now"), OSError(errno.ENOLCK, "no more of them")])
def test_an_error_of_the_merging_is_not_told_as_one_of_the_lock(tmp_path: Path, error: OSError) -> None:
    """What the system refuses while segments are merged is told as that, also where a lock could be refused so."""
    _write_with_copies(tmp_path)
    before = _answers(tmp_path)

    def refuse(*_: object) -> None:
        raise error

    with pytest.raises(LedgerError, match="cannot be merged") as refused:
        compact(tmp_path, replace=refuse)
    assert refused.value.got == str(error)
    assert _answers(tmp_path) == before
    assert compact(tmp_path).n_after == 1


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    """A folder without a ledger is an error that names it, and stays empty."""
    with pytest.raises(LedgerError, match="no ledger in"):
        compact(tmp_path)
    with pytest.raises(LedgerError, match="no ledger in"):
        compact(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


def test_kill_minus_nine_at_every_step(tmp_path: Path) -> None:
    """Killed with -9 before any opening, renaming or removal of a file, it loses no key, and the next one succeeds."""
    _write_with_copies(tmp_path / "ledger")
    expected = _answers(tmp_path / "ledger")
    code = (
        "def die_at(step):\n"
        "    seen = 0\n"
        "    def hook(event, arguments):\n"
        "        nonlocal seen\n"
        "        seen += event in {'open', 'os.rename', 'os.remove'}\n"
        "        if seen == step:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "    sys.addaudithook(hook)\n"
        "root, step, status = Path(sys.argv[1]), 0, 1\n"
        "while status:\n"
        "    step += 1\n"
        "    shutil.copytree(root / 'ledger', root / str(step))\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        die_at(step)\n"
        "        compact(root / str(step), target_bytes=1500)\n"
        "        os._exit(0)\n"
        "    status = os.waitpid(child, 0)[1]\n"
        "print(step)\n"
    )
    out, errors = _spawn(code, tmp_path).communicate(timeout=120)
    n_steps = int(out or 0)
    assert n_steps > 30, errors
    for step in range(1, n_steps + 1):
        directory = tmp_path / str(step)
        assert _answers(directory) == expected
        compact(directory, target_bytes=1500)
        assert _answers(directory) == expected
        assert sum(path.read_bytes().count(b"\n") for path in _segments(directory)) == len(expected)
        assert not (directory / "compaction.tmp").exists()
        assert {path.stem for path in directory.glob("*.idx")} == {path.stem for path in _segments(directory)}


def test_processes_write_and_read_while_it_compacts(tmp_path: Path) -> None:
    """Two writers, a reader and compactions at once: nothing that was put is lost, missed or paid for twice."""
    code = (
        "ledger, own = Ledger(sys.argv[1], segment_bytes=5_000), int(sys.argv[2])\n"
        "print('ready', flush=True)\n"
        "for n in range(600):\n"
        "    ledger.refresh()\n"
        "    assert ledger.put(completion(n + 1000 * own))\n"
        "    assert not ledger.put(completion(n // 2 + 1000 * own, 'again'))\n"
        "    assert ledger.get(key(n // 2 + 1000 * own)).content == f'A{n // 2 + 1000 * own}'\n"
        "ledger.close()\n"
    )
    Ledger(tmp_path).put(_completion(0))
    processes = [_spawn(code, tmp_path, own) for own in (1, 2)]
    for process in processes:
        process.stdout.readline()
    ended = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        ledger = Ledger(tmp_path)
        try:
            while not ended.is_set():
                ledger.refresh()
                Ledger(tmp_path)
                assert ledger.get(_key(0)) == _completion(0)
        except BaseException as error:  # noqa: BLE001 - the test's thread must hear of it
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    n_merged = 0
    try:
        while any(process.poll() is None for process in processes):
            done = compact(tmp_path, target_bytes=20_000)
            n_merged += done.n_before - done.n_after
    finally:
        ended.set()
        reader.join()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert failures == []
    assert n_merged > 0
    wanted = [0, *(number + 1000 * own for own in (1, 2) for number in range(600))]
    ledger = Ledger(tmp_path)
    assert ledger.get_many(map(_key, wanted)) == {_key(number): _completion(number) for number in wanted}
    assert len(ledger) == len(wanted)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "close", "refresh", "compact", "tear"]),
        st.integers(0, 2),
        st.integers(0, 9),
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(operations=OPERATIONS, target_bytes=st.integers(1, 2000))
def test_compaction_changes_no_answer(operations: list[tuple[str, int, int]], target_bytes: int) -> None:
    """Among puts of three writers that do not look at each other, in any order, compaction never changes an answer."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        ledgers = [Ledger(name, segment_bytes=500) for _ in range(3)]
        ledgers[0].put(_completion(0))
        for step, (operation, who, number) in enumerate(operations):
            before = _answers(directory, 10)
            if operation == "put":
                ledgers[who].put(_completion(number, f"{step}-"))
            elif operation == "close":
                ledgers[who].close()
            elif operation == "refresh":
                ledgers[who].refresh()
            elif operation == "tear":
                (directory / f"{step:020d}-1-00000000.ledger").write_bytes(b"torn")
            else:
                compact(directory, target_bytes)
                assert _answers(directory, 10) == before
            assert _answers(directory, 10).keys() >= before.keys()
        for ledger in ledgers:
            ledger.refresh()
            ledger.close()
        before = _answers(directory, 10)
        done = compact(directory, target_bytes)
        assert done.n_live == 0
        assert [ledger.get_many(map(_key, range(10))) for ledger in ledgers] == [before] * 3
        assert sum(path.read_bytes().count(b"\n") for path in _segments(directory)) == len(before)
