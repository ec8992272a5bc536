"""Files below one root, as the store needs them: each appears whole or not at all."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager


class Files(Protocol):
    """What a store can be kept in. Names are relative to the root; every method is for any thread.

    Raises:
        StoreError: from every method, when the files cannot be read or written.
    """

    def path(self, relative: str) -> str:
        """Absolute path or URL, for people."""
        ...

    def sizes(self, relatives: Sequence[str]) -> list[int | None]:
        """Bytes of each file, or None where there is none."""
        ...

    def read(self, relative: str) -> bytes:
        """A file's bytes; the error for one that is not there is caused by FileNotFoundError."""
        ...

    def sink(self, relative: str) -> AbstractContextManager[IO[bytes]]:
        """A binary sink whose content appears when the block ends well, and never otherwise."""
        ...

    def create(self, relative: str, data: bytes) -> bool:
        """Writes a file unless there is one; whether it did. Of several processes one does."""
        ...

    def remove(self, relative: str) -> None:
        """Removes a file; one that is not there is fine."""
        ...

    def sweep(self) -> int:
        """Removes unfinished files whose process is gone; returns how many."""
        ...
