"""The manifest of a publication: how it is written, and read back from what may be anybody's ``manifest.json``."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MANIFEST: Final = "manifest.json"
# Of everything else in the manifest: who edits one by hand has a file of their own, as with any other file.
SELF: Final = "manifest_sha256"
# In this order.
_KINDS: Final = {
    "comparison": "comparison",
    "evaluation": "evaluation",
    "funnel": "dataset",
    "audit": "audit",
    "verify": "checked references",
}
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

# What may stand under a name: (bytes, SHA-256). Several where a publication was broken off while it replaced another.
Contents = dict[str, list[tuple[int, str]]]


def rendered(facts: Mapping[str, Any]) -> bytes:
    """Return the bytes of a manifest, which then also tell its own digest."""
    return json.dumps({**facts, SELF: _digest(facts)}, indent=1, ensure_ascii=False).encode()


def parsed(data: bytes) -> dict[str, Any] | None:
    """Return the manifest, whoever has edited it since; None for what was never written as one, in any shape."""
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("key"), str):
        return None
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(_is_name(name) and _is_entry(entry) for name, entry in files.items()):
        return None
    return manifest


def is_as_written(manifest: Mapping[str, Any]) -> bool:
    """Tell whether nobody has edited it; older releases wrote no digest, and are believed."""
    return SELF not in manifest or manifest[SELF] == _digest(manifest)


def contents_of(manifest: Mapping[str, Any]) -> Contents:
    """Return what stands under each name."""
    return {name: [(entry["size"], entry["sha256"])] for name, entry in manifest["files"].items()}


def tops(names: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Files and folders of a run's directory itself that a publication with these files has; its manifest too."""
    return sorted({MANIFEST, *(name.partition("/")[0] for name in names)})


def kind_of(manifest: Mapping[str, Any]) -> str:
    """Return what was published, by the facts that each kind has: a dataset, an audit, …; else ""."""
    return next((kind for fact, kind in _KINDS.items() if fact in manifest), "")


def n_published(manifest: Mapping[str, Any]) -> int:
    """Return rows of ``dataset/``."""
    return sum(entry["rows"] or 0 for name, entry in manifest["files"].items() if name.startswith("dataset/"))


def _digest(manifest: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in manifest.items() if name != SELF}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _is_name(name: str) -> bool:
    """Tell whether it names a file below the run's directory: what is removed by name must be."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and str(path) == name


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    rows, size, sha256 = (entry.get(name) for name in ("rows", "size", "sha256"))
    counts = [size] if rows is None else [size, rows]
    return (
        all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts)
        and isinstance(sha256, str)
        and _SHA256.fullmatch(sha256) is not None
    )
