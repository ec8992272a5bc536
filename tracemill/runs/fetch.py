"""A finished run's directory as a folder to read, also where it is on an object store: fetched once, and checked."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tracemill.core import CorruptShardError, StoreError
from tracemill.publish import published
from tracemill.publish.directory.versions import run_place
from tracemill.publish.manifest import MANIFEST
from tracemill.store import Store
from tracemill.store.objects import ObjectFiles

FETCHED: Final = Path(".tracemill/fetched")
_AT_ONCE: Final = 4


def run_folder(run: str, fetched: Path = FETCHED) -> Path:
    """Return the folder of a run; that of a URL is fetched, as far as it is not there yet.

    Args:
        run: a folder, or a version of it as in ``runs/mine@1``; or the URL of one.
        fetched: where runs from object stores are kept, each under a name of its own.

    Raises:
        StoreError: there is no finished run at the URL, or it cannot be read.
    """
    if "://" not in run:
        return run_place(run)
    files = Store(run).files
    manifest = published(Store(run))
    if manifest is None or not isinstance(files, ObjectFiles):
        raise StoreError(
            f"no finished run at {run}",
            expected=f"{MANIFEST}, with all files that it names",
            remedy="name the URL that was given as --out; a run that did not end well has none: run it again",
        )
    folder = fetched / hashlib.sha256(f"{files.url} {manifest['key']}".encode()).hexdigest()[:16]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda item: _fetch(files, folder, *item), manifest["files"].items()))
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
    return folder


def _fetch(files: ObjectFiles, folder: Path, name: str, entry: dict[str, Any]) -> None:
    target = folder / name
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    files.fetch(name, partial)
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != entry["sha256"]:
        raise CorruptShardError(
            f"{files.path(name)} is not what the run's manifest says",
            got=f"sha256 {found}",
            expected=f"sha256 {entry['sha256']}",
            remedy="delete that object and run again: it will be published anew",
        )
    partial.replace(target)
