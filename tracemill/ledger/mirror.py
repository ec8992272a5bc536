"""This machine's copy of a ledger on an object store: an ordinary ledger folder, kept in step with the objects.

All processes of the machine share the folder and write into it as into any ledger, so a response is on disk before it
counts as done, and what a killed process has written is there for the next one, which uploads it. Segments that were
written here are uploaded, in pieces while they grow and whole once they are sealed; those of other machines are
downloaded. One exchange goes on at a time on a machine.

Covered: kill -9 and power loss at any moment; an outage of the store (what is written waits here, and is uploaded when
it is back); segments merged elsewhere; objects that are torn or none of the ledger's. Nothing that was paid for
is removed here before every one of its keys was seen in another segment.

A ledger's objects: whole segments, and pieces of those that are being written.

``NAME.ledger`` is a segment that is complete. ``NAME.<start>-<end>.part`` are those bytes of one that was not when they
were uploaded. No object is ever changed. Other objects are none of the ledger's business, nor are pieces that are not
as long as their name says, or that nothing leads up to.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tracemill.core import LedgerError, StoreError
from tracemill.core.file_lock import Lock, locked, no_locks
from tracemill.ledger.record import decode
from tracemill.ledger.segment import SEGMENT_NAME, SUFFIX, all_entries, is_live, listing, read_line, scan, unreadable
from tracemill.store.objects import ObjectFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tracemill.ledger.place import Place
    from tracemill.store.objects import Listed

_PIECE: Final = re.compile(r"(\d{20}-\d+-[0-9a-f]{8})\.(\d{12})-(\d{12})\.part")


class Piece(NamedTuple):
    """An object that holds the bytes from ``start`` to before ``end`` of a segment."""

    start: int
    end: int
    name: str


@dataclass(slots=True)
class Held:
    """What the store holds of one segment.

    Attributes:
        whole: bytes of the object with the whole segment, or None where there is none.
        pieces: in order.
        modified_s: when the newest of its objects was written, by the store's clock.
    """

    whole: int | None = None
    pieces: list[Piece] = field(default_factory=list)
    modified_s: float = 0.0

    def chain(self, name: str) -> list[Piece]:
        """Return the objects that together give the segment, each of them where the one before ends or earlier."""
        pieces = [Piece(0, self.whole, name)] if self.whole else []
        size = self.whole or 0
        for piece in self.pieces:
            if piece.start <= size < piece.end:
                pieces.append(piece)
                size = piece.end
        return pieces

    @property
    def size(self) -> int:
        """Bytes of the segment that can be had, from its beginning."""
        chain = self.chain("")
        return chain[-1].end if chain else 0


def piece_name(segment: str, start: int, end: int) -> str:
    """Return the name of the object with those bytes of a segment."""
    return f"{segment.removesuffix(SUFFIX)}.{start:012d}-{end:012d}.part"


def held(listing: Iterable[Listed]) -> dict[str, Held]:
    """Return what a listing holds, by the segments' names, in winning order."""
    found: dict[str, Held] = {}
    for item in listing:
        matched = _PIECE.fullmatch(item.name)
        if matched:
            base, start, end = matched[1], int(matched[2]), int(matched[3])
            if end - start == item.size:
                one = found.setdefault(base + SUFFIX, Held())
                one.pieces.append(Piece(start, end, item.name))
                one.modified_s = max(one.modified_s, item.modified_s)
        elif SEGMENT_NAME.fullmatch(item.name):
            one = found.setdefault(item.name, Held())
            one.whole = item.size
            one.modified_s = max(one.modified_s, item.modified_s)
    for one in found.values():
        one.pieces.sort()
    return dict(sorted(found.items()))


_STATE: Final = "mirror.json"
_LOCK: Final = "mirror.lock"
_LOOKS: Final = 5
_AT_ONCE: Final = 4  # downloads; a segment is 64 MB in memory, a merged one 256 MB


@dataclass(slots=True)
class _State:
    """What is known of the folder's segments.

    Attributes:
        downloaded: those that came from the store.
        kept: bytes of each that the store was seen to hold.
    """

    downloaded: set[str] = field(default_factory=set)
    kept: dict[str, int] = field(default_factory=dict)


class Mirror:
    """The copy of the ledger at ``place``; for any number of threads and processes.

    Attributes:
        directory: the folder, which is made where it is missing.
        files: the objects.

    Raises:
        LedgerError: from every method, when the folder or the store cannot be read or written.
    """

    def __init__(self, place: Place) -> None:
        self.place, self.directory = place, place.directory
        self._lock = threading.Lock()
        with self._errors("opened"):
            self.files = ObjectFiles(place.url)
            self.directory.mkdir(parents=True, exist_ok=True)

    def exchange(self) -> dict[str, Held]:
        """Downloads what is new and uploads what was written here by processes that are done, or dead.

        Segments that were merged elsewhere are removed from the folder. Returns what the store holds.
        """
        with self._errors("brought up to date"), self._alone():
            state = self._read_state()
            remote = self._download(state)
            for name in [name for name in state.kept if name not in remote]:
                self._settle_missing(name, state)
            for name, size in listing(self.directory):
                if name not in state.downloaded:
                    self._upload_sealed(name, size, remote)
            state.kept = {name: one.size for name, one in remote.items()}
            self._write_state(state)
            return remote

    def send(self, path: Path, start: int, end: int) -> None:
        """Upload a piece of a segment that this process is writing."""
        with self._errors("added to"):
            self.files.write(piece_name(path.name, start, end), read_line(path, start, end - start))

    def adopt(self, names: list[str]) -> None:
        """Take segments for written here, so that the next exchange uploads them whole."""
        with self._errors("compacted"), self._alone():
            state = self._read_state()
            state.downloaded.difference_update(names)
            self._write_state(state)

    def replace(self, path: Path | None, merged: list[Path]) -> None:
        """Upload a segment that others were merged into, then removes those."""
        with self._errors("compacted"):
            if path is not None:
                self.files.write(path.name, path.read_bytes())
            remote = held(self.files.listing(""))
            for name in {old.name for old in merged} & remote.keys():
                for piece in remote[name].pieces:
                    self.files.remove(piece.name)
                self.files.remove(name)

    def _download(self, state: _State) -> dict[str, Held]:
        """Fetch what is missing here; what the store holds. Objects may be merged between a look and the reading."""
        for attempt in range(_LOOKS):
            remote = held(self.files.listing(""))
            try:
                self._fetch_all(remote, state)
            except StoreError as error:
                if attempt + 1 == _LOOKS or not isinstance(error.__cause__, FileNotFoundError):
                    raise
            else:
                break
        return remote

    def _fetch_all(self, remote: dict[str, Held], state: _State) -> None:
        sizes = dict(listing(self.directory))
        behind = [name for name, one in remote.items() if sizes.get(name, 0) < one.size]
        if not behind:
            return
        state.downloaded.update(name for name in behind if name not in sizes)
        self._write_state(state)  # first: what is begun and not finished must not be taken for written here
        with ThreadPoolExecutor(min(_AT_ONCE, len(behind))) as pool:
            list(pool.map(lambda name: self._fetch(name, sizes.get(name, 0), remote[name]), behind))

    def _fetch(self, name: str, size: int, one: Held) -> None:
        """Append what is missing of a segment; it has a name, and can be read, as far as it is there."""
        missing: list[bytes] = []
        for piece in one.chain(name):
            if piece.end > size:
                data = self.files.read(piece.name, size - piece.start, piece.end - piece.start)
                if len(data) != piece.end - size:
                    raise StoreError(f"{self.files.path(piece.name)} is cut short", got=f"{len(data)} bytes")
                missing.append(data)
                size = piece.end
        with (self.directory / name).open("ab") as file:
            file.writelines(missing)
            file.flush()
            os.fsync(file.fileno())

    def _settle_missing(self, name: str, state: _State) -> None:
        """A segment that the store held and holds no more was merged elsewhere, or is lost there."""
        path = self.directory / name
        if path.exists() and not is_live(path):
            here = self._answered(name)
            others = [self._answered(other, here) for other, _ in listing(self.directory) if other != name]
            if np.isin(here, np.concatenate([*others, np.empty(0, np.uint64)])).all():
                path.unlink()
                path.with_suffix(".idx").unlink(missing_ok=True)
            else:
                state.downloaded.discard(name)  # nobody else has it: it is uploaded again

    def _answered(self, name: str, among: NDArray[np.uint64] | None = None) -> NDArray[np.uint64]:
        """Return the keys to which a segment holds a completion that can be read, by their first halves.

        Half of a key's 16 bytes: of 10^7 keys, one equals another by chance with probability 10^-5.

        Args:
            name: of the segment.
            among: only these are looked at.
        """
        path = self.directory / name
        entries = all_entries(path)
        if among is not None:
            entries = entries[np.isin(entries["hi"], among)]
        places = zip(entries["offset"].tolist(), entries["length"].tolist(), strict=True)
        readable = [decode(read_line(path, offset, length)) is not None for offset, length in places]
        answered: NDArray[np.uint64] = entries["hi"][np.array(readable, dtype=bool)]
        return answered

    def _upload_sealed(self, name: str, size: int, remote: dict[str, Held]) -> None:
        """Upload a segment of this machine whose writer is done or dead, whole; then its pieces can go."""
        path, one = self.directory / name, remote.get(name, Held())
        there = one.whole or 0
        if (there >= size and not one.pieces) or is_live(path):
            return
        _, end = scan(path, there)  # a torn line stays here
        if end > there:
            self.files.write(name, read_line(path, 0, end))
        if end:
            for piece in one.pieces:
                self.files.remove(piece.name)
            remote[name] = Held(whole=end)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for exchanges of others on this machine; without locks two would mix up what they know of the folder.

        Raises:
            OSError: the lock file cannot be made, or its file system knows no locks.
        """
        path = self.directory / _LOCK
        with self._lock, locked(path, waiting=lambda _: None) as lock:
            if lock is Lock.UNSUPPORTED:
                raise no_locks(path)
            yield

    def _read_state(self) -> _State:
        try:
            raw = json.loads((self.directory / _STATE).read_bytes())
            return _State(set(raw["downloaded"]), dict(raw["kept"]))
        except FileNotFoundError:
            return _State()
        except (ValueError, KeyError, TypeError) as error:
            raise unreadable(self.directory / _STATE, OSError(f"not what was written there: {error}")) from error

    def _write_state(self, state: _State) -> None:
        text = json.dumps({"url": self.place.url, "downloaded": sorted(state.downloaded), "kept": state.kept})
        path = self.directory / _STATE
        if path.exists() and path.read_text() == text:
            return
        temporary = path.with_suffix(".tmp")
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    @contextlib.contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (StoreError, OSError) as error:
            raise LedgerError(
                f"the ledger at {self.place.url} cannot be {verb}",
                got=error.cause if isinstance(error, StoreError) else f"{type(error).__name__}: {error}",
                remedy=f"fix that, and run again: what was answered is in {self.directory}, and is not asked again",
            ) from error


def copied_url(directory: Path) -> str | None:
    """Return the URL that a folder is a copy of, or None for a ledger of its own."""
    try:
        return str(json.loads((directory / _STATE).read_bytes())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
