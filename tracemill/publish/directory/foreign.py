"""What stands in a run's directory where a publication would go, and was not written by one: that is never touched.

Ours is what a manifest or a record of an unfinished publication names, with its size and SHA-256, and the links of a
run's directory, each to exactly the place that it is made for. Everything else is somebody's, whatever it is called.

Covered: files, folders, links, a directory that is a version of another run; what was edited by hand. Not covered:
another program that puts a file there in the very moment of a switch; of those links none is replaced but ``current``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tracemill.publish.directory.written_record import RECORD, recorded
from tracemill.publish.manifest import MANIFEST, Contents, contents_of, is_as_written, parsed, tops
from tracemill.store.files import TMP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSIONS: Final = "versions"
CURRENT: Final = "current"
LOCKS: Final = (".publishing.lock", ".refreshing.lock")
_NUMBER: Final = re.compile(r"[0-9]{4,}")


def foreign_entries(root: Path, names: Iterable[str]) -> list[str]:
    """What stands below ``root`` where a publication with the files and folders ``names`` would go and is not ours.

    Sizes are compared, bytes are not: nothing is removed by this.
    """
    if os.path.lexists(root) and not root.is_dir():
        return [f"{root} itself, which is no folder"]
    if (other := _run_around(root)) is not None:
        return [f"{root} itself, which is a version of the run in {other}"]
    in_place = contents_in_place(root)
    wanted = {*names, MANIFEST, CURRENT, *(name.partition("/")[0] for name in in_place or ())}
    found = [entry for name in sorted(wanted) for entry in _foreign_at(root, name, in_place)]
    if (root / TMP).is_symlink() or ((root / TMP).exists() and not (root / TMP).is_dir()):
        found.append(TMP)
    if os.path.lexists(root / RECORD) and not is_record(root / RECORD):
        found.append(RECORD)
    return found + _foreign_versions(root)


def _run_around(root: Path) -> Path | None:
    """Return the run of which this directory is a version, or lies in one."""
    place = root.resolve()
    for folder in (place, *place.parents):
        run = folder.parent.parent
        if folder.parent.name == VERSIONS and is_number(folder.name) and is_link_of_ours(run / CURRENT):
            return run
    return None


def _foreign_at(root: Path, name: str, in_place: Contents | None) -> list[str]:
    path = root / name
    if path.is_symlink():
        return [] if is_link_of_ours(path) else [f"{name} -> {path.readlink()}"]
    if not path.exists() or (name == CURRENT and is_publication(path)):
        return []
    if not path.is_dir():
        is_known = manifest_at(root) is not None if name == MANIFEST else _is_known(root, name, in_place)
        return [] if path.is_file() and is_known and in_place is not None else [name]
    below = [f"{name}/{entry}" for entry in entries_below(path)]
    strange = [entry for entry in below if not _is_known(root, entry, in_place)]
    if below and not strange:
        return []
    return strange if len(strange) < len(below) else [f"{name}/"]


def _is_known(root: Path, name: str, in_place: Contents | None) -> bool:
    """Whether a publication in place has a file of this name; of one that was broken off it must have the bytes."""
    if in_place is None or name not in in_place:
        return False
    return manifest_at(root) is not None or _is_one_of(root / name, in_place[name], frozenset(), by_bytes=True)


def _foreign_versions(root: Path) -> list[str]:
    folder = root / VERSIONS
    if not os.path.lexists(folder):
        return []
    if not folder.is_dir():
        return [VERSIONS]
    found = []
    for path in sorted(folder.iterdir()):
        at = f"{VERSIONS}/{path.name}"
        if path.name in LOCKS:
            is_foreign = path.is_symlink() or not path.is_file()
        elif is_number(path.name):
            is_folder = path.is_dir() and not path.is_symlink()
            is_foreign = not is_folder or (contents_of_version(root, path) is None and any(path.iterdir()))
        else:
            continue
        if is_foreign:
            found.append(at)
    return found


def is_number(name: str) -> bool:
    """Tell whether a version's folder is called so; ``isdigit`` takes digits of other scripts and of indices too."""
    return _NUMBER.fullmatch(name) is not None and name == f"{int(name):04d}"


def is_link_of_ours(path: Path) -> bool:
    """Whether it is a link that a publication makes: ``current`` to a version, any other to its name below that."""
    if not path.is_symlink():
        return False
    target = path.readlink()
    if path.name == CURRENT:
        return len(target.parts) == 2 and target.parts[0] == VERSIONS and is_number(target.parts[1])
    return target == Path(CURRENT, path.name)


def is_publication(folder: Path) -> bool:
    """Tell whether a folder is a publication and nothing else, such as a copy of ``current`` that followed the link."""
    contents = contents_of_version(None, folder)
    return contents is not None and not differences(folder, contents)


def contents_in_place(root: Path) -> Contents | None:
    """Return what a publication that was written into the directory itself has there, also an unfinished one.

    None beside a finished version that stands: what takes the place of its links has been put there since.
    """
    current = root / CURRENT
    if is_link_of_ours(current) and manifest_at(root / current.readlink()) is not None:
        return None
    return _contents(root)


def contents_of_version(root: Path | None, folder: Path) -> Contents | None:
    """Return what a version should hold; of one that is being made of files in ``root`` itself, what those are."""
    found = _contents(folder)
    if found is None and root is not None and is_link_of_ours(root / CURRENT):
        is_half_moved = root / (root / CURRENT).readlink() == folder
        found = contents_in_place(root) if is_half_moved else None
    return found


def _contents(folder: Path) -> Contents | None:
    """By its manifest, and by the record of what was being written."""
    manifest = manifest_at(folder)
    unfinished = recorded(data) if (data := _read(folder / RECORD)) is not None else None
    if manifest is None and unfinished is None:
        return None
    found: Contents = {name: list(which) for name, which in (unfinished or {}).items()}
    for name, which in (contents_of(manifest) if manifest else {}).items():
        found.setdefault(name, []).extend(which)
    return found


def manifest_at(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder, also one that was edited; None where there is none of ours."""
    data = _read(folder / MANIFEST)
    return None if data is None else parsed(data)


def is_record(path: Path) -> bool:
    """Tell whether it is the record of a publication; another file may be called so."""
    return recorded(_read(path) or b"") is not None


def _read(path: Path) -> bytes | None:
    """Return the bytes of a file proper: a link may lead anywhere, and a pipe never ends."""
    try:
        return path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None


def entries_below(folder: Path) -> Iterator[str]:
    """Everything below a folder but the folders that hold something; links are not followed, empty folders end in /."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            yield entry.name
            continue
        below = [f"{entry.name}/{name}" for name in entries_below(Path(entry.path))]
        yield from below or [f"{entry.name}/"]


def differences(
    folder: Path, contents: Contents, kept: frozenset[tuple[int, int]] = frozenset(), *, by_bytes: bool = False
) -> list[str]:
    """What of a folder is not as it was written: further entries, links, other sizes; what is missing is no difference.

    Args:
        folder: of a publication.
        contents: what it should hold.
        kept: (device, inode) of files that stay under another name, and so are not read.
        by_bytes: reads what has the right size. Of 1.4 million rows that is some 25 GB, half a minute at 1 GB/s, so
            it is for what will be removed or kept once for two versions, not for every look.
    """
    found = []
    for name in entries_below(folder):
        if name == MANIFEST:
            manifest = manifest_at(folder)
            if manifest is None or not is_as_written(manifest):
                found.append(f"{name} (changed)")
        elif name == RECORD:
            if not is_record(folder / RECORD):
                found.append(f"{name} (changed)")
        elif name not in contents:
            found.append(f"{name} (not of the publication)")
        elif not _is_one_of(folder / name, contents[name], kept, by_bytes=by_bytes):
            found.append(f"{name} (changed)")
    return found


def _is_one_of(path: Path, which: list[tuple[int, str]], kept: frozenset[tuple[int, int]], *, by_bytes: bool) -> bool:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size not in {size for size, _ in which}:
        return False
    if not by_bytes or (status.st_dev, status.st_ino) in kept:
        return True
    return (status.st_size, sha256_of(path)) in which


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_contents(folder: Path, contents: Contents) -> None:
    """Remove the files that a publication named, and what folders below are empty then; nothing else.

    Whoever calls it has looked at :func:`differences` by bytes: what appears meanwhile stays, as it has another name.
    """
    _remove(folder, contents)
    # Last what tells that the rest is ours, in case it is killed on its way.
    _remove(folder, [RECORD, *([MANIFEST] if manifest_at(folder) else [])])


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Files, and the folders that are empty then; ``folder`` itself only if it has neither manifest nor record left."""
    paths = [folder / name for name in names]
    for path in paths:
        path.unlink(missing_ok=True)
    parents = {parent for path in paths for parent in path.parents if parent.is_relative_to(folder)}
    for parent in sorted(parents, key=lambda parent: -len(parent.parts)):
        with contextlib.suppress(OSError):  # something is in it, or it is gone
            parent.rmdir()


def top_names(root: Path) -> set[str]:
    """Return files and folders of the run's directory itself that its versions, whole or not, ever had."""
    folder = root / VERSIONS
    found: set[str] = set()
    for path in folder.iterdir() if folder.is_dir() else ():
        if is_number(path.name) and path.is_dir():
            found.update(tops(contents_of_version(root, path) or {}))
    return found
