"""The versions of a published run: each whole in a folder of its own, and one link that says which of them stands.

::

    DIR/versions/0001/…            an earlier publication, as it was
    DIR/versions/0002/…            the newest
    DIR/current -> versions/0002   the one link that is switched, in one step
    DIR/dataset -> current/dataset and so on, for every file and folder of a publication

Readers see the old version or the new one, entire. Files that did not change are hard links: they are kept once.
Covered: local file systems with symbolic links. Elsewhere (``s3://…``) a publication is written in place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tracemill.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANIFEST: Final = "manifest.json"
VERSIONS: Final = "versions"
CURRENT: Final = "current"
_NAMED: Final = re.compile(r"(?P<run>.+)@(?P<version>\d+)")
_NO_LINKS: Final = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_NOT_LOCKED: Final = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


class Versions:
    """The versions below a run's directory on a local disk.

    Args:
        root: the run's directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, number: int) -> str:
        """Folder of a version, relative to the run's directory."""
        return f"{VERSIONS}/{number:04d}"

    def current(self) -> int | None:
        """The version that stands, or None."""
        try:
            name = (self.root / CURRENT).readlink().name
        except OSError:
            return None
        return int(name) if name.isdigit() else None

    def numbers(self) -> list[int]:
        """All versions, oldest first, also such as were never finished."""
        return sorted(int(path.name) for path in self.root.glob(f"{VERSIONS}/*") if path.name.isdigit())

    def manifest(self, number: int) -> dict[str, Any] | None:
        """The manifest of a finished version whose files are all there, with its number; else None."""
        folder = self.root / self.place(number)
        try:
            manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
            sizes = [(entry["size"], (folder / name).stat().st_size) for name, entry in manifest["files"].items()]
        except (OSError, ValueError):
            return None
        return {"version": number, **manifest} if all(should == found for should, found in sizes) else None

    def whole(self) -> dict[int, dict[str, Any]]:
        """Manifests of the finished versions, oldest first."""
        return {number: manifest for number in self.numbers() if (manifest := self.manifest(number)) is not None}

    def is_linked(self, manifest: dict[str, Any]) -> bool:
        """Whether everything that a manifest names can be reached in the run's directory itself."""
        return all((self.root / name).exists() for name in _tops(manifest))

    def switch(self, number: int, manifest: dict[str, Any]) -> None:
        """Makes a version the one that stands, in one step; its manifest comes last in it, so that it is whole."""
        tops = _tops(manifest)
        for name in tops:
            self._link(name, f"{CURRENT}/{name}")
        self._link(CURRENT, self.place(number))
        for path in self.root.iterdir():
            is_stale = path.is_symlink() and path.name not in tops and path.readlink().parts[0] == CURRENT
            if is_stale or (path.is_symlink() and path.name.startswith(".")):  # the latter of a killed process
                path.unlink()
        _sync(self.root)

    def discard(self, number: int) -> None:
        """Removes what a killed process has left of a version."""
        shutil.rmtree(self.root / self.place(number), ignore_errors=True)

    def prune(self, keep: int) -> None:
        """Removes what was never finished, and the oldest versions but ``keep`` with the one that stands."""
        standing = self.current()
        others = [number for number in self.whole() if number != standing]
        kept = {standing, *others[len(others) - max(0, keep - 1) :]}
        for number in self.numbers():
            if number not in kept:
                shutil.rmtree(self.root / self.place(number))

    def adopt(self) -> None:
        """Makes a publication that was written in place a version; where it was killed at that it goes on."""
        written = self.root / MANIFEST
        if written.is_symlink() or not written.is_file():
            return
        try:
            manifest = json.loads(written.read_bytes())
        except ValueError:
            return
        number = self.current() or max(self.numbers(), default=0) + 1
        folder = self.root / self.place(number)
        folder.mkdir(parents=True, exist_ok=True)
        self._link(CURRENT, self.place(number))
        for name in sorted(_tops(manifest), key=lambda name: name == MANIFEST):
            if (self.root / name).exists() and not (self.root / name).is_symlink():
                (self.root / name).rename(folder / name)
            self._link(name, f"{CURRENT}/{name}")

    def _link(self, name: str, target: str) -> None:
        """One symbolic link, there or replaced in one step; what is no link is moved out of its way first."""
        path = self.root / name
        if path.is_symlink() and path.readlink() == Path(target):
            return
        fresh = self.root / f".{name}-{uuid.uuid4().hex}"
        if path.exists() and not path.is_symlink():
            path.rename(fresh)
            shutil.rmtree(fresh) if fresh.is_dir() else fresh.unlink()
        fresh.symlink_to(target)
        fresh.replace(path)


def _tops(manifest: dict[str, Any]) -> list[str]:
    return sorted({MANIFEST, *(name.partition("/")[0] for name in manifest["files"])})


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def versions_of(root: Path | None) -> Versions | None:
    """The versions of a run's directory; None where there can be none: no local disk, or one without links.

    Raises:
        OSError: nothing can be written there.
    """
    if root is None:
        return None
    if (root / CURRENT).is_symlink():
        return Versions(root)
    probe = root / f".link-{uuid.uuid4().hex}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.symlink_to(CURRENT)
        probe.unlink()
    except OSError as error:
        if error.errno in _NO_LINKS:
            return None
        raise
    return Versions(root)


@contextlib.contextmanager
def held(root: Path, name: str, waiting: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Holds a lock of a run's directory; waits for whoever holds it, and is free when its process is gone.

    Args:
        root: the run's directory.
        name: of the lock.
        waiting: told who holds it, if anybody does.
    """
    folder = root / VERSIONS
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            waiting(file.read().strip() or "another process")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NOT_LOCKED:
                raise
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}\n")
        file.flush()
        yield


def equal_files(versions: Versions) -> dict[str, Path]:
    """A file of a finished version by its SHA-256."""
    return {
        entry["sha256"]: versions.root / versions.place(number) / name
        for number, manifest in versions.whole().items()
        for name, entry in manifest["files"].items()
    }


def share(one: Path, other: Path) -> None:
    """Keeps two equal files once, as hard links; where the disk has none, both stay."""
    fresh = other.with_name(f".{other.name}-{uuid.uuid4().hex}")
    try:
        os.link(one, fresh)
    except OSError:
        return
    fresh.replace(other)


def run_place(text: str) -> Path:
    """A run's directory, or one of its versions, as in ``runs/mine@2``.

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
    """One line a version: its name, when it was finished, rows, bytes, publication; ``*`` stands.

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
        rows = sum(entry["rows"] or 0 for name, entry in files.items() if name.startswith("dataset/"))
        size = sum(entry["size"] for entry in files.values()) / 1e6
        mark = "*" if number == versions.current() else " "
        key = manifest["key"][:12]
        yield f"{mark} {root}@{number}  {finished:%Y-%m-%d %H:%M} UTC  {rows:>12,} rows  {size:>10,.1f} MB  {key}"
