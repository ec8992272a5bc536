"""A run's directory without versions, on an object store or on a disk without links: what in it is ours, unchanged.

There is nowhere to keep an older file here: one that was edited by hand is not replaced, the publication is refused.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import StoreError
from tracemill.publish.directory.written_record import RECORD, recorded
from tracemill.publish.manifest import MANIFEST, Contents, contents_of, is_as_written, parsed
from tracemill.store.objects import Listed, ObjectFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracemill.store import Store

_CHUNK: Final = 1 << 24


def standing_in_place(out: Store, *, complete: bool = True) -> dict[str, Any] | None:
    """Return the manifest of a publication in place; None where there is none.

    Args:
        out: the run's directory.
        complete: None also where the manifest was edited, or not every file that it names is there with its size.
    """
    data = _read(out, MANIFEST)
    manifest = None if data is None else parsed(data)
    if manifest is None or not complete:
        return manifest
    entries = manifest["files"]
    sizes = out.files.sizes(list(entries))
    is_whole = is_as_written(manifest) and sizes == [entry["size"] for entry in entries.values()]
    return manifest if is_whole else None


def known_in_place(out: Store) -> Contents | None:
    """Return what a publication in place has there, by its manifest and by the record of one that was broken off."""
    manifest = standing_in_place(out, complete=False)
    data = _read(out, RECORD)
    unfinished = None if data is None else recorded(data)
    if manifest is None and unfinished is None:
        return None
    found: Contents = {name: list(which) for name, which in (unfinished or {}).items()}
    for name, which in (contents_of(manifest) if manifest else {}).items():
        found.setdefault(name, []).extend(which)
    return found


def foreign_in_place(out: Store, names: Iterable[str]) -> list[str]:
    """Return what stands where a publication in place would go, and is none of ours or was edited since.

    A file that was written before its manifest is believed to be unchanged where the store says so with a clock of its
    own, as S3 does; any other is read. So nothing is read of a run that was left alone, and the whole of one that was
    copied from elsewhere: 25 GB for 1.4 million rows.
    """
    known = known_in_place(out)
    found = [name for name in (MANIFEST, RECORD) if _is_foreign(out, name)]
    written = _look(out, MANIFEST)
    wanted = {*names, *(name.partition("/")[0] for name in known or ())} - {MANIFEST}
    for listed in (each for name in sorted(wanted) for each in _listed(out, name)):
        which = (known or {}).get(listed.name)
        if which is None:
            found.append(f"{listed.name} (not of a publication)")
        elif not _is_one_of(out, listed, which, written):
            found.append(f"{listed.name} (changed)")
    return found


def _is_foreign(out: Store, name: str) -> bool:
    data = _read(out, name)
    if data is None:
        return out.exists(name)  # a folder
    if name == RECORD:
        return recorded(data) is None
    manifest = parsed(data)
    return manifest is None or not is_as_written(manifest)


def _is_one_of(out: Store, listed: Listed, which: list[tuple[int, str]], written: Listed | None) -> bool:
    if listed.size not in {size for size, _ in which}:
        return False
    # Strictly: S3 tells seconds, and what was edited in that of the manifest has the same.
    if not out.is_local and written is not None and 0 < listed.modified_s < written.modified_s:
        return True
    return (listed.size, _sha256(out, listed)) in which


def _sha256(out: Store, listed: Listed) -> str:
    found = hashlib.sha256()
    if isinstance(out.files, ObjectFiles):
        for start in range(0, listed.size, _CHUNK):
            found.update(out.files.read(listed.name, start, min(start + _CHUNK, listed.size)))
        return found.hexdigest()
    with Path(out.path(listed.name)).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(out: Store, name: str) -> bytes | None:
    try:
        return out.read_bytes(name)
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            return None
        raise


def _look(out: Store, name: str) -> Listed | None:
    """Return a file or object itself."""
    if isinstance(out.files, ObjectFiles):
        return out.files.look(name)
    path = Path(out.path(name))
    return Listed(name, path.stat().st_size, path.stat().st_mtime) if path.is_file() else None


def _listed(out: Store, name: str) -> Iterator[Listed]:
    """Yield a file, or every file below a folder."""
    itself = _look(out, name)
    if itself is not None:
        yield itself
    elif isinstance(out.files, ObjectFiles):
        # Consoles make "folders", which are objects without bytes.
        yield from (each for each in out.files.listing(name) if not each.name.endswith("/"))
    else:
        root = Path(out.path(""))
        for folder, _, files in os.walk(root / name):
            for file in sorted(files):
                path = Path(folder, file)
                yield Listed(path.relative_to(root).as_posix(), path.lstat().st_size, path.lstat().st_mtime)
