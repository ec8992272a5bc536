"""Fixtures that pytest gives: capsys, caplog, monkeypatch, tmp_path, as far as tests of small programs use them.

What they capture or replace is this process's: across the wall such tests fail, and a second look decides.
"""

from __future__ import annotations

import contextlib
import io
import logging
import pathlib
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Captured(NamedTuple):
    """What was written since it was last read."""

    out: str
    err: str


class _Capture:
    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()

    def readouterr(self) -> Captured:
        """Return what was written since the last call."""
        found = Captured(self.out.getvalue(), self.err.getvalue())
        for stream in (self.out, self.err):
            stream.seek(0)
            stream.truncate()
        return found


def _capsys() -> Iterator[_Capture]:
    kept, capture = (sys.stdout, sys.stderr), _Capture()
    sys.stdout, sys.stderr = capture.out, capture.err
    try:
        yield capture
    finally:
        sys.stdout, sys.stderr = kept


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        """What was logged."""
        return [record.getMessage() for record in self.records]

    @property
    def record_tuples(self) -> list[tuple[str, int, str]]:
        """Logger, level and message of each."""
        return [(record.name, record.levelno, record.getMessage()) for record in self.records]

    @property
    def text(self) -> str:
        """What was logged, a line each, as pytest formats it but for the place."""
        return "".join(f"{each.levelname:8} {each.name}: {each.getMessage()}\n" for each in self.records)

    def clear(self) -> None:
        """Forget what was logged."""
        self.records.clear()

    def set_level(self, level: int | str, logger: str | None = None) -> None:
        """Log from this level on."""
        logging.getLogger(logger).setLevel(level)

    @contextlib.contextmanager
    def at_level(self, level: int | str, logger: str | None = None) -> Iterator[None]:
        """Log from this level on for a while."""
        found = logging.getLogger(logger)
        before = found.level
        found.setLevel(level)
        try:
            yield
        finally:
            found.setLevel(before)


def _caplog() -> Iterator[_Log]:
    log, root = _Log(), logging.getLogger()
    level = root.level
    root.addHandler(log)
    try:
        yield log
    finally:
        root.removeHandler(log)
        root.setLevel(level)


def _monkeypatch() -> Iterator[Any]:
    import pytest

    patch = pytest.MonkeyPatch()
    try:
        yield patch
    finally:
        patch.undo()


def _tmp_path() -> pathlib.Path:
    return pathlib.Path(tempfile.mkdtemp())


def given() -> dict[str, Callable[..., Any]]:
    """Return the functions that make them, by name."""
    return {"capsys": _capsys, "caplog": _caplog, "monkeypatch": _monkeypatch, "tmp_path": _tmp_path}


def marker() -> Any:
    """Return how each is marked: made anew for every test."""
    return types.SimpleNamespace(name=None, scope="function", autouse=False, params=None)
