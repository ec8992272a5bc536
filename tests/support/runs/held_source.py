"""A source that is read on only when something has happened; as a program, a build that reads slowly.

``python -m tests.support.runs.held_source RECIPE --out DIR`` builds as ``flows.build_dataset`` does.
"""

from __future__ import annotations

import runpy
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import tasks.snapshot
from tracemill.sources import raw_tables

if TYPE_CHECKING:
    import pyarrow as pa
    import pytest

    from tests.support.runs.small_run import SmallRun
    from tracemill.sources import Source

N_READ: Final = 6  # shards before it is held: of these at least the first two are given out
PATIENCE_S: Final = 120.0


class HeldSource:
    """Reads the first shards of a source, and then waits.

    Args:
        name: of the source.
        until: what has to happen until it is read on; may raise, as reading may.
        pace_s: seconds a shard from then on.

    Attributes:
        n_read: chunks of it that were read.
    """

    def __init__(self, name: str, until: Callable[[], bool], pace_s: float = 0.0) -> None:
        self.name, self._until, self._pace_s = name, until, pace_s
        self.n_read = 0

    def take_effect(self, monkeypatch: pytest.MonkeyPatch) -> HeldSource:
        """Have the snapshots of this process read it so."""
        monkeypatch.setattr(tasks.snapshot, "raw_tables", self.tables)
        return self

    def tables(self, source: Source, *arguments: Any) -> Iterator[pa.Table]:
        """See :func:`tracemill.sources.raw_tables`."""
        for number, table in enumerate(raw_tables(source, *arguments)):
            if source.name == self.name:
                if number == N_READ:
                    self._wait()
                if number >= N_READ:
                    time.sleep(self._pace_s)
                self.n_read += 1
            yield table

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self._until():
            assert time.monotonic() < deadline, "nothing is done with what was read"
            time.sleep(0.01)


def n_curated(run: SmallRun) -> int:
    """Shards that went through the phase that reads and curates."""
    return len(list((run.folder / "store" / "manifests" / "sign").glob("*.json")))


def main() -> None:
    """Build, and take a quarter of a minute for the rest of the source ``rows``."""
    tasks.snapshot.raw_tables = HeldSource("rows", lambda: True, pace_s=4.0).tables
    runpy.run_module("flows.build_dataset", run_name="__main__")


if __name__ == "__main__":
    main()
