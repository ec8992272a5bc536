"""The store on an object store: a real S3 server, as other processes and outages leave it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.servers.object_store import S3Server, names
from tests.support.warm import start as programs
from tracemill.core import CorruptShardError, StoreError
from tracemill.store import Manifest, Store, files_at
from tracemill.store.objects import ObjectFiles, forget_clients

TABLE = pa.table({"x": [1, 2, 3]})


def manifest_of(store: Store, key: str, table: pa.Table = TABLE) -> Manifest:
    rows = table.num_rows
    outputs = {"kept": store.write_table(table)}
    return Manifest(stage="clean", version="1", key=key, inputs={}, outputs=outputs, rows_in=rows, rows_kept=rows)


def test_tables_and_manifests_survive_the_round_trip(bucket: str) -> None:
    """What is written on S3 is found, has the handles that it has in a folder, and is checked when it is read."""
    store = Store(f"{bucket}/prefix")
    manifest = store.commit(manifest_of(store, "k"))
    assert Store(f"{bucket}/prefix/").find("clean", "k") == manifest
    assert store.find("clean", "other") is None
    shard = manifest.outputs["kept"]
    assert store.read_table(shard).equals(TABLE)
    store.write_bytes(shard.path, b"PAR1")
    assert store.find("clean", "k") is None
    with pytest.raises(CorruptShardError, match=f"{bucket}/prefix/objects/.* is not what its manifest says"):
        store.read_table(shard)


def test_what_another_process_writes_is_seen(bucket: str) -> None:
    """A manifest that was looked for in vain is found as soon as another process has written it."""
    store = Store(f"{bucket}/prefix")
    assert store.find("clean", "k") is None
    assert store.size("x") is None
    code = (
        "import sys; from tracemill.store.store import Store; from tracemill.store.manifest import Manifest\n"
        "store = Store(sys.argv[1]); store.write_bytes('x', b'abc')\n"
        "store.commit(Manifest(stage='clean', version='1', key='k', inputs={}, outputs={}, rows_in=0, rows_kept=0))\n"
    )
    other = programs.script(code, store.url)
    _, errors = other.communicate()
    assert other.returncode == 0, errors
    assert store.find("clean", "k") is not None
    assert store.size("x") == 3
    Store(store.url).remove("x")
    assert not store.exists("x")


def test_an_interrupted_write_leaves_nothing(bucket: str) -> None:
    """A block that ends badly uploads nothing, whatever other threads complete meanwhile."""
    store = Store(bucket)

    def interrupted() -> None:
        with store.open_atomic("half") as sink:
            sink.write(b"half")
            threads = [threading.Thread(target=store.write_bytes, args=(f"whole-{n}", b"w" * n)) for n in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names(bucket) == [f"whole-{n}" for n in range(8)]


def test_an_upload_that_is_killed_leaves_nothing(bucket: str) -> None:
    """SIGKILL between the first byte of a file and its end leaves no object; writing it again does."""
    code = (
        "import sys; from tracemill.store.store import Store\n"
        "with Store(sys.argv[1]).open_atomic('big') as sink:\n"
        "    while True:\n"
        "        sink.write(b'x' * 100_000)\n"
        "        print('written', flush=True)\n"
    )
    process = programs.script(code, bucket)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert names(bucket) == []
    Store(bucket).write_bytes("big", b"x")
    assert names(bucket) == ["big"]


def test_two_processes_agree_on_the_identity(bucket: str) -> None:
    """Of several processes that ask for the identity of a new store at once, all get the same."""
    code = (
        "import sys; from tracemill.store.store import Store\n"
        "store = Store(sys.argv[1]); store.exists('x'); print('ready', flush=True); sys.stdin.readline()\n"
        "print(store.identity)\n"
    )
    processes = [programs.script(code, bucket) for _ in range(3)]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert len({process.communicate()[0] for process in processes} | {Store(bucket).identity + "\n"}) == 1


def test_a_missing_bucket_is_named_and_not_made(bucket: str) -> None:
    """A bucket that is not there is an error that names it; it is not made on the way."""
    for _ in range(2):
        with pytest.raises(
            StoreError, match=r"(?s)cannot write s3://nosuch/prefix/.*bucket does not exist.*make the bucket"
        ):
            Store("s3://nosuch/prefix").prepare()
    Store(bucket).prepare()
    assert names(bucket) == []


def test_missing_credentials_are_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the error says which variables to set."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    forget_clients()
    with pytest.raises(StoreError, match=r"(?s)Unable to locate credentials.*AWS_ACCESS_KEY_ID"):
        Store(bucket).find("clean", "k")


def test_refused_permission_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is told as such at once, with what this user must be allowed."""
    files = ObjectFiles(bucket)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(files._fs, "pipe_file", refused)
    with pytest.raises(StoreError, match=r"(?s)cannot write s3://bucket/x.*Access Denied.*give this user the right"):
        files.write("x", b"")


def test_an_unknown_kind_of_store_is_named() -> None:
    """A URL of a kind that nobody knows is refused with the kinds that are."""
    with pytest.raises(StoreError, match=r"(?s)nosuch://.*s3://bucket/prefix"):
        Store("nosuch://bucket")


def test_an_outage_is_waited_for(bucket: str, s3_server: S3Server) -> None:
    """While the server is away, reads and writes wait for it; when it is back they go on."""
    store = Store(bucket)
    store.write_bytes("before", b"b")
    s3_server.stop()
    back = threading.Timer(1.5, s3_server.start)
    back.start()
    store.write_bytes("meanwhile", b"m")
    back.join()
    assert store.read_bytes("before") == b"b"
    assert names(bucket) == ["before", "meanwhile"]


def test_an_outage_that_lasts_is_named(bucket: str, s3_server: S3Server) -> None:
    """A server that stays away is an error that says where it was looked for and what is kept."""
    s3_server.stop()
    try:
        with pytest.raises(StoreError, match=r"(?s)cannot read .*endpoint URL.*AWS_ENDPOINT_URL"):
            ObjectFiles(bucket, patience_s=0.1).read("x")
    finally:
        s3_server.start()


def test_a_file_is_created_once(bucket: str, tmp_path: Path) -> None:
    """Of several creations of one file the first wins, on S3 as in a folder."""
    for files in (files_at(bucket), files_at(str(tmp_path))):
        assert [files.create("one", text) for text in (b"a", b"b")] == [True, False]
        assert files.read("one") == b"a"
