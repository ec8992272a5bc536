"""The publications that stand in a run's directory, for scripts; for a terminal see ``listed`` beside the versions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tracemill.core import StoreError
from tracemill.publish.directory.versions import Versions
from tracemill.publish.manifest import MANIFEST, n_published

if TYPE_CHECKING:
    from pathlib import Path


def facts(root: Path) -> list[dict[str, Any]]:
    """Return one mapping a version, oldest first.

    Raises:
        StoreError: there is none.
    """
    versions = Versions(root)
    whole = versions.whole()
    if not whole:
        raise StoreError(f"{root} has no versions", expected="the directory of a finished run", remedy="build it first")
    return [
        {
            "name": f"{root}@{number}",
            "version": number,
            "stands": number == versions.current(),
            "finished": datetime.fromtimestamp(
                (root / versions.place(number) / MANIFEST).stat().st_mtime, UTC
            ).isoformat(timespec="seconds"),
            "rows": n_published(manifest),
            "bytes": sum(entry["size"] for entry in manifest["files"].values()),
            "key": manifest["key"],
        }
        for number, manifest in whole.items()
    ]
