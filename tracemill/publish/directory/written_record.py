"""The record of what a publication writes: by it the next run knows what a killed one has left.

A file is recorded, with size and SHA-256, just before it appears. A version's record goes when its manifest is there;
that of a publication in place stays, since between two of those there is no manifest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection

    from tracemill.publish.manifest import Contents
    from tracemill.store import Store

RECORD: Final = ".written.json"
_KIND: Final = "files that tracemill has published here: size, SHA-256"
_OF: Final = "publication"


class Record:
    """What may stand in a folder while a publication is written there.

    Args:
        out: the run's directory.
        prefix: of the folder in it, with its slash.
        known: what stands there already, and is going to be replaced or kept.
        key: of the publication, where another process may go on with it.
    """

    def __init__(self, out: Store, prefix: str, known: Contents, key: str = "") -> None:
        self._out, self._prefix, self._key = out, prefix, key
        self._contents = {name: list(which) for name, which in known.items()}
        self._write()

    def add(self, name: str, size: int, sha256: str) -> None:
        """A file is about to appear; what it replaces may stand there still.

        Raises:
            StoreError: another is there by now, which nobody knew.
        """
        if name not in self._contents and self._out.exists(self._prefix + name):
            raise StoreError(
                f"{self._out.path(self._prefix + name)} has appeared while this was published, and is not replaced",
                remedy="move it away, or name another place with --out",
            )
        self._contents.setdefault(name, []).append((size, sha256))
        self._write()

    def remove(self) -> None:
        """The manifest says it all."""
        self._out.remove(self._prefix + RECORD)

    def forget_others(self, names: Collection[str]) -> None:
        """The files ``names`` are what is there now, each as it was written last."""
        self._contents = {name: which[-1:] for name, which in self._contents.items() if name in names}
        self._write()

    def _write(self) -> None:
        told = {_KIND: self._contents} | ({_OF: self._key} if self._key else {})
        self._out.write_bytes(self._prefix + RECORD, json.dumps(told, ensure_ascii=False).encode())


def recorded(data: bytes) -> Contents | None:
    """Return what a record says; None for what is none."""
    try:
        record: Any = json.loads(data)
        return {
            str(name): [(int(size), str(sha256)) for size, sha256 in which] for name, which in record[_KIND].items()
        }
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None


def key_in(data: bytes) -> str:
    """Return the key of the publication that a record is of; "" where it names none, or is no record."""
    return str(json.loads(data).get(_OF, "")) if recorded(data) is not None else ""
