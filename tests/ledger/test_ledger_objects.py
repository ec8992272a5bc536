"""The ledger on an object store: what was paid for is there for other machines, after kills, outages and merging."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.servers.object_store import S3Server, names
from tests.support.warm import start as programs
from tracemill.cli.main import main
from tracemill.core import LedgerError
from tracemill.ledger import Completion, Ledger, mirror, shared_ledger
from tracemill.ledger.compaction import ABANDONED_S, compact_remote
from tracemill.ledger.mirror import held, piece_name
from tracemill.ledger.place import Place, place_of
from tracemill.ledger.record import encode
from tracemill.ledger.remote import ShippingLedger
from tracemill.ledger.segment import new_name
from tracemill.store.objects import Listed, ObjectFiles


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def completion(number: int, text: str = "A") -> Completion:
    return Completion(key(number), f"{text}{number}", None, "stop", 3, 5, "m")


class Machine:
    """A machine's place for the ledger: its own disk, the common bucket."""

    def __init__(self, url: str, disk: Path, every_s: float = 3600) -> None:
        self.place = Place(f"{url}/ledger", str(disk), every_s)

    def ledger(self, **settings: int) -> ShippingLedger:
        return ShippingLedger(self.place, **settings)

    def writer(self, first: int, n: int, text: str = "x") -> programs.Script:
        """A process that puts ``n`` completions from ``first`` on and says each, then syncs and waits."""
        code = (
            "import sys, hashlib\n"
            "from tracemill.ledger.ledger import Completion\n"
            "from tracemill.ledger.shared import shared_ledger\n"
            "ledger, first, n, text = shared_ledger(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]\n"
            "for i in range(first, first + n):\n"
            "    key = hashlib.sha256(str(i).encode()).hexdigest()\n"
            "    ledger.put(Completion(key, f'{text}{i}', None, 'stop', 3, 5, 'm'))\n"
            "    print(i, flush=True)\n"
            "ledger.sync(); print('synced', flush=True); sys.stdin.readline(); ledger.close()\n"
        )
        return programs.script(code, self.place, first, n, text)


@pytest.fixture
def here(bucket: str, tmp_path: Path) -> Machine:
    return Machine(bucket, tmp_path / "here")


@pytest.fixture
def there(bucket: str, tmp_path: Path) -> Machine:
    return Machine(bucket, tmp_path / "there")


def read_until(process: programs.Script, line: str) -> None:
    while (said := process.stdout.readline().strip()) != line:
        assert said, process.communicate()[1]


def finish(process: programs.Script) -> None:
    _, errors = process.communicate("go\n", timeout=120)
    assert process.returncode == 0, errors


def test_another_machine_finds_what_was_synced(here: Machine, there: Machine) -> None:
    """What one machine synced another finds, at its opening or with its next refresh; nothing is sent twice."""
    writer, reader = here.ledger(), there.ledger()
    for number in range(3):
        assert writer.put(completion(number))
        assert reader.refresh() == 0
        writer.sync()
        assert reader.refresh() == 1
        assert reader.get(key(number)) == completion(number)
    assert not reader.put(completion(0, "B"))
    writer.sync()
    assert len(names(here.place.url)) == 3
    assert there.ledger().get_many(map(key, range(4))) == {key(n): completion(n) for n in range(3)}


def test_answers_are_uploaded_without_a_sync(bucket: str, tmp_path: Path, there: Machine) -> None:
    """An answer is in the store soon, whether or not its shard ends; at once when many are waiting."""
    for machine, settings in (
        (Machine(bucket, tmp_path / "a", every_s=0.05), {}),
        (Machine(bucket, tmp_path / "b"), {"upload_every_n": 2}),
    ):
        writer, reader = machine.ledger(**settings), there.ledger()
        numbers = [len(reader), len(reader) + 1]
        for number in numbers:
            writer.put(completion(number))
        deadline = time.monotonic() + 60
        while reader.refresh() == 0 or len(reader) < numbers[-1] + 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        writer.close()


def test_a_sealed_segment_is_one_object(here: Machine, there: Machine) -> None:
    """Segments that are full or closed are whole objects without pieces, and say the same."""
    writer = here.ledger(segment_bytes=2_000)
    for number in range(50):
        writer.put(completion(number))
        if number % 10 == 0:
            writer.sync()
    writer.close()
    assert len(names(here.place.url)) > 3
    assert {Path(name).suffix for name in names(here.place.url)} == {".ledger"}
    assert len(there.ledger()) == 50


def test_kill_minus_nine_loses_nothing_on_the_machine(here: Machine, there: Machine) -> None:
    """What a killed process had acknowledged its machine's next process has, and uploads for the others."""
    process = here.writer(0, 10**6)
    read_until(process, "200")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    ledger = here.ledger()
    assert ledger.get_many(map(key, range(201))) == {key(n): completion(n, "x") for n in range(201)}
    assert len(there.ledger()) == len(ledger)
    assert {Path(name).suffix for name in names(here.place.url)} == {".ledger"}


def test_a_living_process_takes_up_what_a_killed_one_left(here: Machine) -> None:
    """A process that was there before another was killed has the other's answers with its next refresh."""
    survivor = here.ledger()
    process = here.writer(0, 10**6)
    read_until(process, "50")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert survivor.refresh() >= 51
    assert len(names(here.place.url)) == 1


def test_a_lost_machine_costs_only_what_was_not_uploaded(here: Machine, there: Machine) -> None:
    """When a machine is lost, all that it had synced is there."""
    process = here.writer(0, 30)
    read_until(process, "synced")
    process.kill()
    process.communicate()
    assert len(there.ledger()) == 30
    assert len(names(there.place.url)) == 1  # pieces only: nobody knows that its writer is dead


def test_writers_on_two_machines_and_on_one(here: Machine, there: Machine) -> None:
    """Three writers, two of them on one machine, with keys in common: everything is there, under one winner a key."""
    processes = [here.writer(0, 120, "a"), here.writer(60, 120, "b"), there.writer(100, 120, "c")]
    for process in processes:
        finish(process)
    found = [machine.ledger().get_many(map(key, range(220))) for machine in (here, there)]
    assert len(found[0]) == 220
    assert found[0] == found[1]


def test_an_outage_loses_nothing(
    here: Machine, there: Machine, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store is away answers are recorded; a sync says so, and uploads them all when it is back."""
    monkeypatch.setattr(mirror, "ObjectFiles", functools.partial(ObjectFiles, patience_s=0.1))
    writer = here.ledger()
    writer.put(completion(0))
    writer.sync()
    s3_server.stop()
    try:
        writer.put(completion(1))
        with pytest.raises(LedgerError, match=r"(?s)s3://bucket/ledger cannot be added to.*is not asked again"):
            writer.sync()
        writer.put(completion(2))
        assert len(writer) == 3
    finally:
        s3_server.start()
    writer.sync()
    assert len(there.ledger()) == 3


def test_objects_that_are_torn_or_foreign_are_passed_over(here: Machine, there: Machine) -> None:
    """Pieces cut short, pieces that nothing leads up to, and strangers' objects change nothing."""
    writer = here.ledger()
    writer.put(completion(0))
    writer.sync()
    files, line = ObjectFiles(here.place.url), encode(completion(1))
    segment = new_name()
    files.write(piece_name(segment, 0, len(line)), line[:-5])
    files.write(piece_name(new_name(), 100, 100 + len(line)), line)
    files.write("README.md", b"?")
    files.write("compaction/00000001", b"?")
    reader = there.ledger()
    assert len(reader) == 1
    files.write(piece_name(segment, 0, len(line)), line)
    assert reader.refresh() == 1


def test_a_copy_that_broke_off_is_completed(here: Machine, there: Machine) -> None:
    """A download that was killed in mid-line goes on where it was."""
    writer = here.ledger()
    for number in range(10):
        writer.put(completion(number))
    writer.close()
    there.ledger()
    (copy,) = there.place.directory.glob("*.ledger")
    copy.write_bytes(copy.read_bytes()[:-300])
    copy.with_suffix(".idx").unlink(missing_ok=True)
    assert len(there.ledger()) == 10
    assert len(names(here.place.url)) == 1


def test_compaction_is_seen_by_all(here: Machine, there: Machine) -> None:
    """Merging leaves fewer objects and the same answers on both machines, and frees their disks of what is merged."""
    for first in range(0, 50, 10):
        writer = here.ledger()
        for number in range(first, first + 10):
            writer.put(completion(number))
        writer.close()
    reader, living = there.ledger(), here.ledger()
    living.put(completion(50))
    living.sync()
    done = compact_remote(there.place, pytest.fail)
    assert (done.n_before, done.n_after, done.n_live) == (6, 2, 1)
    whole = [name for name in names(here.place.url) if name.endswith(".ledger")]
    assert len(whole) == 1
    for ledger in (reader, living, here.ledger(), there.ledger()):
        ledger.refresh()
        assert ledger.get_many(map(key, range(51))) == {key(n): completion(n) for n in range(51)}
    assert {path.name for path in here.place.directory.glob("*.ledger")} > set(whole)
    assert len(list(here.place.directory.glob("*.ledger"))) == 2
    assert [name for name in names(here.place.url) if name.endswith(".ledger")] == whole


def test_pieces_of_a_lost_machine_are_merged_in_the_end(
    here: Machine, there: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces that are a day old count as whole in a compaction."""
    lost = here.ledger()
    lost.put(completion(0))
    lost.sync()
    (piece,) = names(here.place.url)
    listing = ObjectFiles.listing

    def aged(files: ObjectFiles, folder: str) -> list[Listed]:
        age = ABANDONED_S + 60
        return [one._replace(modified_s=one.modified_s - age * (one.name == piece)) for one in listing(files, folder)]

    monkeypatch.setattr(ObjectFiles, "listing", aged)
    assert compact_remote(there.place, pytest.fail).n_live == 0
    assert [Path(name).suffix for name in names(here.place.url)] == [".ledger"]
    assert there.ledger().get(key(0)) == completion(0)


def test_objects_that_were_removed_are_uploaded_again(here: Machine, there: Machine) -> None:
    """A copy of what somebody has removed from the store is kept, and uploaded again."""
    writer = here.ledger()
    writer.put(completion(0))
    writer.close()
    there.ledger()
    files = ObjectFiles(here.place.url)
    for name in names(here.place.url):
        files.remove(name)
    assert len(there.ledger()) == 1
    assert len(names(here.place.url)) == 1


def test_a_thousand_requests_are_looked_up(here: Machine, there: Machine) -> None:
    """A shard's thousand requests are found on a machine that has never seen them."""
    writer = here.ledger(segment_bytes=50_000)
    for number in range(3000):
        writer.put(completion(number))
    writer.close()
    wanted = range(0, 3000, 3)
    assert there.ledger().get_many(map(key, wanted)) == {key(n): completion(n) for n in wanted}


def test_a_process_has_one_ledger_for_a_place(here: Machine, tmp_path: Path) -> None:
    """The string that a stage's section carries opens the ledger at its place, once a process; a folder stays one."""
    ledger = shared_ledger(str(here.place))
    assert ledger is shared_ledger(str(here.place))
    assert isinstance(ledger, ShippingLedger)
    assert ledger.directory == here.place.directory
    assert type(shared_ledger(tmp_path / "local")) is Ledger


def test_a_place_is_read_as_it_is_written() -> None:
    """A place survives being a string; a setting that nobody knows, or that makes no sense, is refused."""
    place = Place("s3://bucket/a b", "/disk/x&y", 1.5)
    assert place_of(str(place)) == place
    assert place_of("s3://bucket/ledger/") == Place("s3://bucket/ledger")
    for wrong in ("s3://b/l#cash=/x", "s3://b/l#every_s=soon", "s3://b/l#every_s=0"):
        with pytest.raises(LedgerError, match=r"(?s)place is wrong.*run\.ledger_cache"):
            place_of(wrong)


def test_a_copy_needs_a_file_system_with_locks(here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two processes could not be kept apart nothing is exchanged, and the error names the folder."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    copy = mirror.Mirror(here.place)
    with monkeypatch.context() as patched:
        patched.setattr("tracemill.core.file_lock.fcntl.flock", refuse)
        with pytest.raises(LedgerError, match=f"the file system of {copy.directory} knows no locks"):
            copy.exchange()
    assert copy.exchange() == {}


def test_pieces_add_up() -> None:
    """Of whole object and pieces as much counts as is there without a gap from the beginning."""
    name = new_name()

    def size_of(*listed: tuple[int, int] | int) -> int:
        items = [
            Listed(name, one, 0) if isinstance(one, int) else Listed(piece_name(name, *one), one[1] - one[0], 0)
            for one in listed
        ]
        return held(items)[name].size

    assert size_of((0, 10), (10, 30)) == 30
    assert size_of((0, 10), (20, 30)) == 10
    assert size_of((10, 30)) == 0
    assert size_of(25, (0, 10), (10, 30)) == 30
    assert size_of(30, (0, 10)) == 30


def test_commands_work_on_the_store(
    here: Machine, there: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``ledger stats``, ``export`` and ``compact`` take a URL; compacting the copy alone is refused."""
    for number in range(3):
        writer = here.ledger()
        writer.put(completion(number))
        writer.close()

    def ran(*command: str) -> int:
        monkeypatch.setattr(sys, "argv", ["tracemill", "ledger", *command, "--cache", there.place.cache])
        return main()

    url = there.place.url
    assert ran("compact", url) == 0
    assert "3 segments are 1 now" in capsys.readouterr().out
    assert ran("stats", url) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["completions"], figures["segments"]) == (3, 1)
    assert ran("export", url, "--out", str(tmp_path / "all.jsonl")) == 0
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 3
    assert ran("compact", str(there.place.directory)) == 1
    assert f"ledger compact {url}" in capsys.readouterr().err
