"""Raw rows of a source, streamed: bytes of JSON text that is not yet parsed, so that malformed rows are not lost."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracemill.errors import SourceError
from tracemill.sources.formats import DAMAGED, raw_rows
from tracemill.sources.hub import HubFile, hub_files, open_hub_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracemill.recipe_source import Source


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stood in the source.

    Attributes:
        file: base name of the file, or its path in the Hub repository.
        row: position in that file, from 0, blank lines not counted.
        raw: JSON text, in whatever bytes the source had.
    """

    file: str
    row: int
    raw: bytes


def files_of(source: Source, data_dir: str) -> list[Path]:
    """The files of a path source, in name order.

    Raises:
        SourceError: there is none.
    """
    pattern = str(Path(data_dir) / (source.path or ""))
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise SourceError(
            f"source {source.name} has no file",
            got=f"nothing at {pattern}",
            expected="a file, or a glob that matches some",
            remedy="correct sources[].path or data_dir; nothing was dropped",
        )
    return found


def readings(source: Source, data_dir: str) -> Iterator[tuple[str, Iterator[RawRow]]]:
    """Name and rows of every file of a source, on disk or on the Hub, one after the other.

    Raises:
        SourceError: see :func:`files_of`, :func:`read_file` and :func:`read_hub`.
    """
    if source.hub is not None:
        yield from read_hub(source)
        return
    for path in files_of(source, data_dir):
        yield path.name, read_file(path, source)


def read_file(path: Path, source: Source) -> Iterator[RawRow]:
    """The rows of one file.

    Raises:
        SourceError: unknown suffix, unreadable, or damaged: never taken for the end of the data.
    """
    try:
        with path.open("rb") as stream:
            for row, raw in enumerate(raw_rows(path.name, stream, source.name)):
                yield RawRow(path.name, row, raw)
    except DAMAGED as error:
        raise SourceError(
            f"source {source.name}: cannot read {path}",
            got=f"{type(error).__name__}: {error}",
            remedy="restore the file and run again; finished shards are kept",
        ) from error


def read_hub(source: Source) -> Iterator[tuple[str, Iterator[RawRow]]]:
    """Path and rows of every file of a Hub dataset at its pinned revision, in the order of ``datasets``; streamed.

    Raises:
        SourceError: the Hub cannot be reached, or has no such dataset, configuration, split or files.
    """
    for file in hub_files(source):
        yield file.path, read_hub_file(file, source)


def read_hub_file(file: HubFile, source: Source) -> Iterator[RawRow]:
    """The rows of one file of a Hub dataset.

    Raises:
        SourceError: unknown suffix, damaged, or the connection broke off and could not be resumed.
    """
    try:
        with open_hub_file(file) as stream:
            for row, raw in enumerate(raw_rows(file.path, stream, source.name)):
                yield RawRow(file.path, row, raw)
    except DAMAGED as error:
        raise SourceError(
            f"source {source.name}: cannot read {file.path} of {source.hub}",
            got=f"{type(error).__name__}: {error}",
            expected=f"{file.size:,} bytes at revision {file.revision}",
            remedy="check the network and run again; finished stages are kept",
        ) from error
