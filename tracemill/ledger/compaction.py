"""Merging the segments of a ledger on an object store: on this machine's copy, then among the objects.

Covered: as for a folder (``ledger_compaction``), and two compactions on different machines, of which the second waits.
A merged segment is uploaded before those that it replaces are removed. Left alone is what is still being written: a
segment of which there are only pieces. Its writer uploads it whole at its end, or the next process on its machine does;
where the machine is lost nobody will, so pieces that are older than ``ABANDONED_S`` are made whole here.

Merging sealed segments of a ledger into fewer: python -m tracemill ledger compact.

Covered: a kill -9 or power loss at any moment loses nothing (a merged segment is written, flushed and named before the
first of those it replaces is removed; until then both are there and say the same); readers and writers at work (a
segment whose writer lives is left alone, readers go on with the merged one); two compactions at once (the second is
refused). The answer to every key stays the very record that it was: only neighbours in winning order are merged, and
the new segment takes the place of the first.

Dropped are records that lose against one in an earlier sealed segment, and torn lines, which nobody was told of. A
record that cannot be read as a completion any more loses against any that can, and stays where there is none.
Not covered: writers on another machine whose file system does not share locks.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from tracemill.core import LedgerError, StoreError
from tracemill.core.file_lock import Lock, holder, locked, no_locks
from tracemill.ledger.mirror import Mirror
from tracemill.ledger.record import sound_key
from tracemill.ledger.segment import SEGMENT_NAME, SUFFIX, corrupt, is_live, sync_directory, unreadable, write_index
from tracemill.ledger.survey import segment_names, survey, winners
from tracemill.store.claims import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tracemill.ledger.mirror import Held
    from tracemill.ledger.place import Place
    from tracemill.ledger.segment import Entries
    from tracemill.ledger.survey import Surveyed

# 5.6 million responses of 10 kB are 220 such segments. A segment is scanned in memory, and its offsets have 32 bits.
TARGET_BYTES: Final = 256 << 20
_LOCK: Final = "compaction.lock"
_TEMPORARY: Final = "compaction.tmp"
_STALE_S: Final = 3600  # an index is written within seconds


@dataclass(frozen=True, slots=True)
class Kept:
    """A sealed segment, and which of its records stay."""

    segment: Surveyed
    wins: NDArray[np.bool_]

    @property
    def n_bytes(self) -> int:
        """Bytes of the records that stay."""
        return int(self.segment.entries["length"][self.wins].sum())

    @property
    def is_clean(self) -> bool:
        """Whether all of it stays."""
        return self.n_bytes == self.segment.n_bytes


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did.

    Attributes:
        n_before, n_after: segments.
        n_live: segments that were left alone because their writers live.
        n_superseded: records that were dropped because another one answers their key.
        torn_bytes: bytes of torn lines that were dropped.
        freed_bytes: by how much the segments are smaller.
    """

    n_before: int
    n_after: int
    n_live: int
    n_superseded: int
    torn_bytes: int
    freed_bytes: int


def compact(
    directory: Path,
    target_bytes: int = TARGET_BYTES,
    is_sealed: Callable[[Surveyed], bool] | None = None,
    replace: Callable[[Path | None, list[Path]], None] = lambda _new, _old: None,
) -> Compacted:
    """Merge the sealed segments under ``directory`` into segments of up to ``target_bytes``.

    Args:
        directory: of the ledger.
        target_bytes: of a segment.
        is_sealed: whether nobody adds to a segment any more; the lock of its file says so unless this is given.
        replace: is told of every new segment (none if nothing of the others stays) and of those that it replaces,
            when it is on disk and they are still there.

    Raises:
        LedgerError: no ledger is there, another compaction is under way, a segment is damaged, or the disk is full.
            Whatever was merged before is complete, and nothing is lost.
    """
    segment_names(directory)  # no lock file where there is no ledger
    with _alone(directory):
        _sweep(directory)
        found = survey(directory)
        for segment in found:
            if segment.damaged:
                raise corrupt(segment.path, segment.damaged[0])
        # Looked at after the survey: what is sealed by now may have grown since, and is left to the next time.
        is_sealed = is_sealed or (lambda one: not is_live(one.path))
        sealed = [is_sealed(one) and one.path.stat().st_size == one.n_bytes for one in found]
        kept = _kept([one for one, is_sealed in zip(found, sealed, strict=True) if is_sealed])
        packs = [pack for run in _runs(found, sealed) for pack in packed([kept[one.path] for one in run], target_bytes)]
        _flush([pack[0].segment.path for pack in packs if _is_done(pack)])
        work = [pack for pack in packs if not _is_done(pack)]
        n_new = sum(_merge(directory, pack, replace) for pack in work)
    replaced = [each for pack in work for each in pack]
    return Compacted(
        n_before=len(found),
        n_after=len(found) - len(replaced) + n_new,
        n_live=sealed.count(False),
        n_superseded=sum(int((~each.wins).sum()) for each in replaced),
        torn_bytes=sum(each.segment.torn_bytes for each in replaced),
        freed_bytes=sum(each.segment.n_bytes - each.n_bytes for each in replaced),
    )


def packed(run: Sequence[Kept], target_bytes: int) -> list[list[Kept]]:
    """Neighbours in packs of up to ``target_bytes``, in their order; what is larger by itself is a pack of its own."""
    packs: list[list[Kept]] = []
    room = -1
    for each in run:
        room -= each.n_bytes
        if room < 0:
            packs.append([])
            room = target_bytes - each.n_bytes
        packs[-1].append(each)
    return packs


def _is_done(pack: Sequence[Kept]) -> bool:
    return len(pack) == 1 and pack[0].is_clean


def _kept(sealed: Sequence[Surveyed]) -> dict[Path, Kept]:
    """Only sealed segments count: what a live one holds may not have reached the disk yet."""
    if not sealed:
        return {}
    masks = winners(sealed)
    return {one.path: Kept(one, wins) for one, wins in zip(sealed, masks, strict=True)}


def _runs(found: Sequence[Surveyed], sealed: Sequence[bool]) -> Iterator[list[Surveyed]]:
    """Sealed segments with no live one between them: merged across one, a record might begin to win or to lose."""
    for is_sealed, run in groupby(zip(found, sealed, strict=True), key=lambda pair: pair[1]):
        if is_sealed:
            yield [one for one, _ in run]


def _merge(directory: Path, pack: Sequence[Kept], replace: Callable[[Path | None, list[Path]], None]) -> int:
    """Replace the segments of ``pack`` by one, or by none if nothing of them stays; how many it is."""
    n_new = int(any(each.wins.any() for each in pack))
    replace(_write(directory, pack) if n_new else None, [each.segment.path for each in pack])
    for each in pack:  # only now: the new segment is on disk under its name
        each.segment.path.unlink()
        each.segment.path.with_suffix(".idx").unlink(missing_ok=True)
    return n_new


def _write(directory: Path, pack: Sequence[Kept]) -> Path:
    """A name's first two parts are its time and writer: with those of the first segment it stands in its place."""
    base, _, _ = pack[0].segment.path.stem.rpartition("-")
    path = directory / f"{base}-{secrets.token_hex(4)}{SUFFIX}"
    temporary = directory / _TEMPORARY
    moved: list[Entries] = []
    size = 0
    with temporary.open("wb") as file:
        for each in pack:
            entries = _copied(each, file)
            entries["offset"] += np.uint32(size)
            size += each.n_bytes
            moved.append(entries)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    sync_directory(directory)
    write_index(path, np.concatenate(moved), size)
    return path


def _copied(each: Kept, file: BinaryIO) -> Entries:
    """Write the records of one segment that stay, each looked at again; where they stand among themselves."""
    data = each.segment.path.read_bytes()
    entries = each.segment.entries[each.wins]
    for offset, length in zip(entries["offset"].tolist(), entries["length"].tolist(), strict=True):
        line = data[offset : offset + length]
        if sound_key(line) is None:
            raise corrupt(each.segment.path, offset)
        file.write(line)
    entries["offset"] = np.cumsum(entries["length"], dtype=np.uint64) - entries["length"]
    return entries


def _flush(paths: Sequence[Path]) -> None:
    """What stays as it is must be on disk too: records elsewhere are dropped because it has them."""
    for path in paths:
        try:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise unreadable(path, error) from error


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Give one compaction at a time; the lock goes with the process.

    Raises:
        LedgerError: another compaction is under way, there are no locks, or the system has refused something within.
    """
    path = directory / _LOCK
    try:
        with locked(path) as lock:
            if lock is Lock.HELD:
                raise LedgerError(
                    f"another process compacts the ledger in {directory}",
                    got=holder(path),
                    remedy="wait until it is done, and run again",
                )
            if lock is Lock.UNSUPPORTED:
                raise no_locks(path)
            yield
    except OSError as error:
        raise _unmerged(directory, error) from error


def _unmerged(directory: Path, error: OSError) -> LedgerError:
    return LedgerError(
        f"segments of the ledger in {directory} cannot be merged",
        got=str(error),
        expected="a folder that this process may write to, on a file system with locks and room for one more segment",
        remedy="make room or fix permissions, and run again: nothing is lost",
    )


def _sweep(directory: Path) -> None:
    """Remove what killed processes left: unfinished files, and indexes of segments that were merged."""
    (directory / _TEMPORARY).unlink(missing_ok=True)
    for unfinished in directory.glob("*-*-*.tmp*"):
        with suppress(FileNotFoundError):  # a writer that lives has finished it meanwhile
            if time.time() - unfinished.stat().st_mtime > _STALE_S:
                unfinished.unlink()
    for index in directory.glob("*.idx"):
        if SEGMENT_NAME.fullmatch(index.stem + SUFFIX) and not index.with_suffix(SUFFIX).exists():
            index.unlink(missing_ok=True)


ABANDONED_S: Final = 86_400.0
_LEASE: Final = "compaction"


def compact_remote(place: Place, tell: Callable[[str], None], target_bytes: int = TARGET_BYTES) -> Compacted:
    """Merge what is whole at ``place`` into segments of up to ``target_bytes``.

    Raises:
        LedgerError: no ledger is there, the store or the copy cannot be read or written, or a segment is damaged.
            Nothing is lost.
    """
    mirror = Mirror(place)
    try:
        with Lease(mirror.files, _LEASE).held(tell):
            remote = _without_abandoned(mirror, mirror.exchange())

            def is_sealed(one: Surveyed) -> bool:
                held = remote.get(one.path.name)
                is_whole = held is not None and held.whole == one.n_bytes - one.torn_bytes
                return is_whole and not is_live(one.path)

            return compact(mirror.directory, target_bytes, is_sealed, mirror.replace)
    except StoreError as error:
        raise LedgerError(
            f"the ledger at {place.url} cannot be compacted", got=error.cause, remedy="run again: nothing is lost"
        ) from error


def _without_abandoned(mirror: Mirror, remote: dict[str, Held]) -> dict[str, Held]:
    """Return what the store holds once the segments of lost machines are whole."""
    now = max((found.modified_s for found in mirror.files.listing(_LEASE)), default=0.0)  # by the store's clock
    old = [name for name, one in remote.items() if one.whole is None and now - one.modified_s > ABANDONED_S]
    if not old:
        return remote
    mirror.adopt(old)
    return mirror.exchange()
