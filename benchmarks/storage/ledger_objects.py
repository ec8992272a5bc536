"""The ledger on an object store, beside one in a folder: python -m benchmarks.storage.ledger_objects [--entries 64000].

The store is moto's S3 server in a process on loopback: no network, and a slow server. What a real one adds is its
latency: one request a refresh (a listing), one an upload; nothing a key and nothing a ``put``.

Claims: putting and looking up are as fast as in a folder; a shard's end waits for one upload.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.storage.ledger import SHARD, look_up_s, put_s, timed, write
from tracemill.ledger import Ledger
from tracemill.ledger.mirror import Mirror
from tracemill.ledger.place import Place
from tracemill.ledger.remote import ShippingLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 20
BUCKET = "benchmark"
_SERVER = """
import sys, threading
from moto.server import ThreadedMotoServer
import logging; logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start(); print("port", server.get_host_and_port()[1], flush=True); sys.stdin.read()
"""


@contextmanager
def s3_on_loopback() -> Iterator[str]:
    """URL of an empty bucket on a server of its own; the environment names it."""
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None  # noqa: S101 - it is a pipe
        port = re.findall(r"port (\d+)", server.stdout.readline())[0]
        os.environ.update(
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
            AWS_ACCESS_KEY_ID="x",
            AWS_SECRET_ACCESS_KEY="x",  # noqa: S106 - any will do
            AWS_DEFAULT_REGION="us-east-1",
        )
        import s3fs

        s3fs.S3FileSystem().mkdir(BUCKET)
        yield f"s3://{BUCKET}"
    finally:
        server.communicate("")


def measured(url: str, root: Path, n_entries: int, n_rounds: int) -> str:
    """Return one line of ratios and figures."""
    folder, here, there = (
        root / "folder",
        Place(f"{url}/ledger", str(root / "a")),
        Place(f"{url}/ledger", str(root / "b")),
    )
    for directory in (folder, here.directory):
        directory.mkdir(parents=True)
        write(directory, n_entries)
    n_bytes = sum(path.stat().st_size for path in folder.glob("*.ledger"))
    uploading = timed(Mirror(here).exchange)
    downloading = timed(Mirror(there).exchange)
    ledgers = Ledger(folder), ShippingLedger(here)
    looks, puts, ends, refreshes = [], [], [], []
    for round_ in range(n_rounds):
        looks.append([look_up_s(ledger, n_entries) for ledger in ledgers])
        puts.append([put_s(ledger, round_) for ledger in ledgers])
        ends.append([timed(ledger.sync) for ledger in ledgers])
        refreshes.append([timed(ledger.refresh) for ledger in ledgers])
    for ledger in ledgers:
        ledger.close()
    look, put, end, refresh = (
        [statistics.median(side) for side in zip(*rows, strict=True)] for rows in (looks, puts, ends, refreshes)
    )
    return "; ".join(
        [
            f"on S3 (moto on loopback) : in a folder, {n_entries} entries",
            f"look-up of {SHARD} keys {look[1] / look[0]:.2f} x ({1000 * look[1]:.0f} ms : {1000 * look[0]:.0f} ms)",
            f"putting {SHARD} {put[1] / put[0]:.2f} x ({1000 * put[1]:.0f} ms : {1000 * put[0]:.0f} ms)",
            f"a shard's end {1000 * end[1]:.0f} ms : {1000 * end[0]:.0f} ms",
            f"refresh {1000 * refresh[1]:.0f} ms : {1000 * refresh[0]:.1f} ms",
            f"first upload {n_bytes / uploading / 1e6:.0f} MB/s, first download {n_bytes / downloading / 1e6:.0f} MB/s",
        ]
    )


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=64_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of looking up and putting")
    given = parser.parse_args()
    random.seed(0)
    with tempfile.TemporaryDirectory() as name, s3_on_loopback() as url:
        print(measured(url, Path(name), given.entries, given.rounds))


if __name__ == "__main__":
    main()
