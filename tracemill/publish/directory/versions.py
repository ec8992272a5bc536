"""The versions of a published run: each whole in a folder of its own, and one link that says which of them stands.

::

    DIR/versions/0001/…            an earlier publication, as it was
    DIR/versions/0002/…            the newest
    DIR/current -> versions/0002   the one link that is switched, in one step
    DIR/dataset -> current/dataset and so on, for every file and folder of a publication

Readers see the old version or the new one, entire. Tables that did not change are hard links: they are kept once, and
read-only. A version goes when it is too old, unless somebody has changed it or put something in: then it stays.
Covered: local file systems with symbolic links. Elsewhere (``s3://…``) a publication is written in place.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracemill.core import StoreError
from tracemill.core.file_lock import locked
from tracemill.publish.directory.foreign import (
    CURRENT,
    VERSIONS,
    contents_in_place,
    contents_of_version,
    differences,
    is_link_of_ours,
    is_number,
    is_publication,
    is_record,
    manifest_at,
    remove_contents,
    sha256_of,
    top_names,
)
from tracemill.publish.directory.written_record import RECORD, key_in
from tracemill.publish.manifest import MANIFEST, is_as_written, n_published, tops
from tracemill.store.files import partial_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_log: Final = logging.getLogger(__name__)
_READ_ONLY: Final = 0o444
_MOST_SHOWN: Final = 10
_NAMED: Final = re.compile(r"(?P<run>.+)@(?P<version>\d+)")
_NO_LINKS: Final = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class Begun(NamedTuple):
    """A version that is being written.

    Attributes:
        number: its own.
        finished: files that stand in it already, with size and SHA-256.
    """

    number: int
    finished: dict[str, tuple[int, str]]


class Versions:
    """The versions below a run's directory on a local disk.

    Args:
        root: the run's directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, number: int) -> str:
        """Return the folder of a version, relative to the run's directory."""
        return f"{VERSIONS}/{number:04d}"

    def current(self) -> int | None:
        """Return the version that stands, or None."""
        link = self.root / CURRENT
        return int(link.readlink().name) if is_link_of_ours(link) else None

    def numbers(self) -> list[int]:
        """Return all versions, oldest first, also such as were never finished."""
        return sorted(int(path.name) for path in self.root.glob(f"{VERSIONS}/*") if is_number(path.name))

    def manifest(self, number: int) -> dict[str, Any] | None:
        """Return the manifest of a finished version whose files are all there, with its number; else None."""
        folder = self.root / self.place(number)
        try:
            manifest = manifest_at(folder)
            if manifest is None or not is_as_written(manifest):
                return None
            sizes = [(entry["size"], (folder / name).stat().st_size) for name, entry in manifest["files"].items()]
        except OSError:
            return None
        return {"version": number, **manifest} if all(should == found for should, found in sizes) else None

    def last(self) -> dict[str, Any] | None:
        """The manifest of the version that stands, else of the newest, also where its files were edited or are gone."""
        current = self.current()
        numbers = [*([] if current is None else [current]), *reversed(self.numbers())]
        found = (manifest_at(self.root / self.place(number)) for number in numbers)
        return next((manifest for manifest in found if manifest is not None), None)

    def whole(self) -> dict[int, dict[str, Any]]:
        """Manifests of the finished versions, oldest first."""
        return {number: manifest for number in self.numbers() if (manifest := self.manifest(number)) is not None}

    def is_linked(self, manifest: Mapping[str, Any]) -> bool:
        """Tell whether everything that a manifest names can be reached in the run's directory itself."""
        return all((self.root / name).exists() for name in tops(manifest["files"]))

    def switch(self, number: int, manifest: Mapping[str, Any]) -> None:
        """Make a version the one that stands, in one step; its manifest comes last in it, so that it is whole.

        A link is made where nothing is, and none is replaced but ``current``: what fails on the way, such as on a full
        disk, leaves the version before it standing.
        """
        names = tops(manifest["files"])
        for name in names:
            self._link(name)
        fresh = partial_path(self.root)
        fresh.symlink_to(self.place(number))
        try:
            fresh.replace(self.root / CURRENT)
        finally:
            fresh.unlink(missing_ok=True)
        for name in top_names(self.root) - set(names):
            if is_link_of_ours(self.root / name):
                (self.root / name).unlink()
        _sync(self.root)

    def _link(self, name: str) -> None:
        """``NAME -> current/NAME``; where anything else is by now, that is an error of the operating system."""
        if not is_link_of_ours(self.root / name):
            (self.root / name).symlink_to(f"{CURRENT}/{name}")

    def begun(self, key: str) -> Begun | None:
        """The version that a killed process was writing under this key, if it is the newest and nothing has changed.

        Its files are read, at about 1 GB/s: what has other bytes than were written is not gone on with.
        """
        number = max((number for number in self.numbers() if not self._is_known(number)), default=0)
        if number < self._next_number():
            return None
        folder = self.root / self.place(number)
        try:
            contents = contents_of_version(None, folder)
            if contents is None or key_in((folder / RECORD).read_bytes()) != key:
                return None
        except OSError:
            return None
        if differences(folder, contents, by_bytes=True):
            return None
        finished = {name: which[0] for name, which in contents.items() if len(which) == 1}
        return Begun(number, {name: which for name, which in finished.items() if (folder / name).is_file()})

    def discard_unfinished(self, but: int | None = None) -> None:
        """Remove what killed processes have left, but for a version that is gone on with."""
        for number in self.numbers():
            if number != but and not self._is_known(number):
                self.discard(number)

    def free_number(self) -> int:
        """Return the number of the next version."""
        number = self._next_number()
        while self._is_taken(number):
            number += 1
        return number

    def _next_number(self) -> int:
        """Return the number behind those of all that were finished."""
        finished = max((number for number in self.numbers() if self._is_known(number)), default=0)
        return max(finished, self.current() or 0) + 1

    def _is_known(self, number: int) -> bool:
        return manifest_at(self.root / self.place(number)) is not None

    def _is_taken(self, number: int) -> bool:
        folder = self.root / self.place(number)
        return os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir()))

    def is_unchanged(self, number: int) -> bool:
        """Tell whether a version has the bytes that were published, and nothing else: it is read whole."""
        folder = self.root / self.place(number)
        return not differences(folder, contents_of_version(None, folder) or {}, by_bytes=True)

    def prune(self, keep: int) -> None:
        """Remove what was never finished, and the oldest versions but ``keep`` with the one that stands."""
        standing = self.current()
        others = [number for number in self.whole() if number != standing]
        kept = {standing, *others[len(others) - max(0, keep - 1) :]}
        still_named = frozenset(inode for number in kept if number is not None for inode in self._inodes(number))
        for number in self.numbers():
            if number not in kept:
                self.discard(number, still_named)

    def _inodes(self, number: int) -> Iterator[tuple[int, int]]:
        """(device, inode) of the files of a version."""
        for path in (self.root / self.place(number)).rglob("*"):
            status = path.lstat()
            yield status.st_dev, status.st_ino

    def discard(self, number: int, still_named: frozenset[tuple[int, int]] = frozenset()) -> None:
        """Remove a version, unless something in it is not as it was written: then it stays, and a warning says so.

        Args:
            number: of the version.
            still_named: (device, inode) of files that other versions keep.
        """
        folder = self.root / self.place(number)
        contents = contents_of_version(self.root, folder)
        if contents is None:
            return  # none of ours, or nothing
        changed = differences(folder, contents, still_named, by_bytes=True)
        if not changed:
            remove_contents(folder, contents)
            return
        _log.warning(
            "%s is kept, as what is in it is not what was published: %s; remove it when it is not needed any more",
            folder,
            shown(changed),
        )

    def adopt(self) -> None:
        """Make a publication that was written in place a version; where it was killed at that it goes on."""
        copied = self.root / CURRENT
        if not copied.is_symlink() and copied.is_dir() and is_publication(copied):
            copied.rename(self._new_folder())
        contents, manifest = contents_in_place(self.root), manifest_at(self.root)
        if contents is None:
            return
        if manifest is None:  # of a killed process that wrote in place; that it is nothing else has been looked at
            remove_contents(self.root, contents)
            return
        number = self.current()
        folder = self._new_folder() if number is None else self.root / self.place(number)
        folder.mkdir(parents=True, exist_ok=True)
        if number is None:
            copied.symlink_to(f"{VERSIONS}/{folder.name}")
        for name in sorted(tops(manifest["files"]), key=lambda name: name == MANIFEST):
            self._move(name, folder)
        if is_record(self.root / RECORD):
            (self.root / RECORD).unlink()

    def _new_folder(self) -> Path:
        folder = self.root / self.place(self.free_number())
        folder.parent.mkdir(parents=True, exist_ok=True)
        return folder

    def _move(self, name: str, folder: Path) -> None:
        """A file or folder of the run's directory into a version, with a link in its place; both, or neither."""
        path = self.root / name
        if path.is_symlink():
            return
        fresh = partial_path(self.root)
        fresh.symlink_to(f"{CURRENT}/{name}")  # made first: on a full disk this is what fails
        try:
            if path.exists():
                path.rename(folder / name)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def versions_of(root: Path | None) -> Versions | None:
    """Return the versions of a run's directory; None where there can be none: no local disk, or one without links.

    Raises:
        OSError: nothing can be written there.
    """
    if root is None:
        return None
    if (root / CURRENT).is_symlink():
        return Versions(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe = partial_path(root)
        probe.symlink_to(CURRENT)
        probe.unlink()
    except OSError as error:
        if error.errno in _NO_LINKS:
            return None
        raise
    return Versions(root)


@contextlib.contextmanager
def held(root: Path, name: str, waiting: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold a lock of a run's directory; waits for whoever holds it, and is free when its process is gone.

    On a file system without locks nobody is kept out: every publication is whole all the same, and the last one stands.

    Args:
        root: the run's directory.
        name: of the lock.
        waiting: told who holds it, if anybody does.
    """
    folder = root / VERSIONS
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f".{name}.lock", waiting):
        yield


def equal_files(versions: Versions) -> dict[str, Path]:
    """A table of a finished version by its SHA-256. Texts are not among them: they are small, and what people edit."""
    return {
        entry["sha256"]: versions.root / versions.place(number) / name
        for number, manifest in versions.whole().items()
        for name, entry in manifest["files"].items()
        if entry["rows"] is not None
    }


def share(root: Path, one: Path, other: Path, sha256: str) -> None:
    """Keep two equal files once, as hard links, read-only; where the disk has no hard links, both stay.

    An editor that writes into the one would change the other. ``one`` may have been edited since it was published, so
    it is read first: that is once more what is unchanged since the last version, at about 1 GB/s.

    Args:
        root: the run's directory.
        one: a file of an earlier version.
        other: the file that was just written.
        sha256: of both, as they were written.
    """
    fresh = partial_path(root)
    try:
        if sha256_of(one) != sha256:
            return
        os.link(one, fresh)
    except OSError:
        return
    try:
        fresh.chmod(_READ_ONLY)
        fresh.replace(other)
    finally:
        fresh.unlink(missing_ok=True)


def shown(entries: list[str]) -> str:
    """Return a few names, and how many more; as text that can be printed and sent, whatever bytes a name has."""
    more = f" and {len(entries) - _MOST_SHOWN:,} more" if len(entries) > _MOST_SHOWN else ""
    return ", ".join(name if name.isprintable() else ascii(name) for name in entries[:_MOST_SHOWN]) + more


def run_place(text: str) -> Path:
    """Return a run's directory, or one of its versions, as in ``runs/mine@2``.

    Raises:
        StoreError: the run has no such version.
    """
    named = _NAMED.fullmatch(text)
    if named is None or Path(text).exists():
        return Path(text)
    versions = Versions(Path(named["run"]))
    number = int(named["version"])
    if versions.manifest(number) is None:
        there = ", ".join(map(str, versions.whole()))
        raise StoreError(
            f"{versions.root} has no version {number}",
            got=f"versions {there}" if there else "no versions",
            expected="one of them; older ones are removed, see export.keep_versions",
            remedy=f"python -m tracemill versions {versions.root}",
        )
    return versions.root / versions.place(number)


def listed(root: Path) -> Iterator[str]:
    """Yield one line a version: its name, when it was finished, rows, bytes, publication; ``*`` stands.

    Raises:
        StoreError: there is none.
    """
    versions = Versions(root)
    whole = versions.whole()
    if not whole:
        raise StoreError(f"{root} has no versions", expected="the directory of a finished run", remedy="build it first")
    for number, manifest in whole.items():
        finished = datetime.fromtimestamp((root / versions.place(number) / MANIFEST).stat().st_mtime, UTC)
        files = manifest["files"]
        rows = n_published(manifest)
        size = sum(entry["size"] for entry in files.values()) / 1e6
        mark = "*" if number == versions.current() else " "
        key = manifest["key"][:12]
        yield f"{mark} {root}@{number}  {finished:%Y-%m-%d %H:%M} UTC  {rows:>12,} rows  {size:>10,.1f} MB  {key}"
