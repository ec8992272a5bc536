"""Raw rows of a source, streamed: bytes of JSON text that is not yet parsed, so that malformed rows are not lost."""

from __future__ import annotations

import glob
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracemill.core import SourceError
from tracemill.sources.delimited import BadRow
from tracemill.sources.formats import DAMAGED, FORMATS, format_of, raw_rows
from tracemill.sources.hub import HubFile, hub_files, open_hub_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from tracemill.sources.source import Source

# What ``datasets`` writes beside its data, in JSON.
_ABOUT_DATA: Final = frozenset({"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"})
_NAMED: Final = 10  # files of a folder that an error lists


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stood in the source.

    Attributes:
        file: its path below the source's folder (see :class:`SourceFile`), or in the Hub repository.
        row: position in that file, from 0, blank lines not counted.
        raw: JSON text, in whatever bytes the source had; with a fault, the row as it stands in the file.
        line: of a row with a fault: that it begins on, from 1.
        fault: why its format cannot read it (CSV), or None.
    """

    file: str
    row: int
    raw: bytes
    line: int | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source.

    Attributes:
        name: its path below the source's folder, which is the path of the recipe as far as it has no wildcard: of two
            files ``train/a.jsonl`` and ``test/a.jsonl`` each has a name of its own, wherever the folder lies.
        path: where it is.
    """

    name: str
    path: Path


def files_of(source: Source, data_dir: str) -> list[SourceFile]:
    """The files of a path source, in the order of their names: a file, those that a glob matches, or those in a folder.

    Raises:
        SourceError: there is none.
    """
    here, said = Path(data_dir).absolute(), Path(source.path or "")
    named = here / said
    if named.is_dir():
        return _files_in(named, source)
    if named.exists():
        return [SourceFile(named.name, named)]
    folder = here.joinpath(*itertools.takewhile(lambda part: not glob.has_magic(part), said.parent.parts))
    pattern = said if said.is_absolute() else Path(glob.escape(str(here)), said)
    found = sorted(Path(name) for name in glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - it is absolute
    files = [SourceFile(path.relative_to(folder).as_posix(), path) for path in found if not path.is_dir()]
    if not files:
        raise SourceError(
            f"source {source.name} has no file",
            got=f"nothing at {named}",
            expected="a file, a folder, or a glob that matches some",
            remedy="correct sources[].path or data_dir (docs/recipes.md says what paths are relative to); "
            "nothing was dropped",
        )
    return files


def _files_in(folder: Path, source: Source) -> list[SourceFile]:
    """Return the data files below a folder; hidden ones, and those of other kinds, are not data."""
    here = [path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(folder))]
    data = [path for path in here if format_of(path.name) is not None and path.name not in _ABOUT_DATA]
    if not data:
        names = sorted(path.relative_to(folder).as_posix() for path in here)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise SourceError(
            f"source {source.name}: folder {folder} holds no data file",
            got=", ".join(names[:_NAMED]) + more if names else "nothing",
            expected=f"files of {', '.join(FORMATS)}",
            remedy="correct sources[].path, or put the files there",
        )
    return [SourceFile(path.relative_to(folder).as_posix(), path) for path in sorted(data)]


def _is_hidden(path: Path) -> bool:
    """As ``datasets`` has it: names that begin with a dot or an underscore (caches, _SUCCESS)."""
    return any(part.startswith((".", "_")) for part in path.parts)


def readings(source: Source, data_dir: str, notes: list[str] | None = None) -> Iterator[tuple[str, Iterator[RawRow]]]:
    """Yield name and rows of every file of a source, on disk or on the Hub, one after the other.

    Args:
        source: where to read.
        data_dir: what its path is relative to.
        notes: what is worth telling of the files is added to it.

    Raises:
        SourceError: see :func:`files_of`, :func:`read_file` and :func:`read_hub`.
    """
    if source.hub is not None:
        yield from read_hub(source, notes)
        return
    for file in files_of(source, data_dir):
        yield file.name, read_file(file, source, notes)


def read_file(file: SourceFile, source: Source, notes: list[str] | None = None) -> Iterator[RawRow]:
    """Yield the rows of one file.

    Raises:
        SourceError: unknown suffix, other content, unreadable, or damaged: never taken for the end of the data.
    """
    try:
        with file.path.open("rb") as stream:
            yield from _rows(file.name, str(file.path), stream, source, notes)
    except DAMAGED as error:
        raise SourceError(
            f"source {source.name}: cannot read {file.path}",
            got=f"{type(error).__name__}: {error}",
            remedy="restore the file and run again; finished shards are kept",
        ) from error


def read_hub(source: Source, notes: list[str] | None = None) -> Iterator[tuple[str, Iterator[RawRow]]]:
    """Path and rows of every file of a Hub dataset at its pinned revision, in the order of ``datasets``; streamed.

    Raises:
        SourceError: the Hub cannot be reached, or has no such dataset, configuration, split or files.
    """
    for file in hub_files(source):
        yield file.path, read_hub_file(file, source, notes)


def read_hub_file(file: HubFile, source: Source, notes: list[str] | None = None) -> Iterator[RawRow]:
    """Yield the rows of one file of a Hub dataset.

    Raises:
        SourceError: unknown suffix, damaged, or the connection broke off and could not be resumed.
    """
    try:
        with open_hub_file(file) as stream:
            yield from _rows(file.path, f"{file.path} of {file.repository}", stream, source, notes)
    except DAMAGED as error:
        raise SourceError(
            f"source {source.name}: cannot read {file.path} of {source.hub}",
            got=f"{type(error).__name__}: {error}",
            expected=f"{file.size:,} bytes at revision {file.revision}",
            remedy="check the network and run again; finished stages are kept",
        ) from error


def _rows(name: str, place: str, stream: IO[bytes], source: Source, notes: list[str] | None) -> Iterator[RawRow]:
    n_rows = 0
    for raw in raw_rows(name, stream, source.name, notes, place=place):
        if isinstance(raw, BadRow):
            yield RawRow(name, n_rows, raw.text, raw.line, raw.fault)
        else:
            yield RawRow(name, n_rows, raw)
        n_rows += 1
    if n_rows == 0 and notes is not None:
        notes.append(f"{place} holds no row")
