"""A run in a terminal: a bar for each phase below the log's lines, which moves twice a second.

Where there is no terminal, nothing of it: the log says how far a phase is, in plain lines.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Final

from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.theme import Theme

TICK_S: Final = 0.5
# What the bars say is not said a second time by the log; it is still sent to the server.
_PROGRESS_LINE: Final = re.compile(r"^[\w -]+: [\d,]+/[\d,]+ (?:shards|rows)\b")
_BAR_CHARS: Final = 24


class TerminalBars:
    """The bars of one run.

    Args:
        console: where they are drawn.
    """

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            TextColumn("{task.fields[phase]:<10}"),
            BarColumn(_BAR_CHARS),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[told]}"),
            console=console,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._tasks: dict[str, TaskID] = {}

    def show(self, phase: str, percent: float, line: str) -> None:
        """Show how far a phase is."""
        if phase not in self._tasks:
            self._tasks[phase] = self.progress.add_task(phase, total=100, phase=escape(phase), told="")
        self.progress.update(self._tasks[phase], completed=percent, told=escape(line.removeprefix(f"{phase}: ")))


_open: list[TerminalBars] = []  # threads and flow runs have contexts of their own; a process has one terminal


def show(phase: str, percent: float, line: str) -> bool:
    """Show how far a phase is, if there is a terminal; whether there is one."""
    for bars in _open:
        bars.show(phase, percent, line)
    return bool(_open)


@contextlib.contextmanager
def bars_in_terminal(console: Console | None = None) -> Iterator[None]:
    """Draw the bars of whatever runs in the block, if the log goes to a terminal.

    Args:
        console: in place of that of Prefect's log, for tests.
    """
    handlers = _console_handlers()
    shown = console or (handlers[0].console if handlers else None)
    if shown is None or not shown.is_terminal or shown.is_dumb_terminal:
        yield
        return
    for handler in handlers:
        handler.addFilter(_is_no_progress)
    bars = TerminalBars(shown)
    shown.push_theme(Theme())  # Prefect's own has no styles for bars
    try:
        with bars.progress:
            _open.append(bars)
            try:
                yield
            finally:
                _open.remove(bars)
    finally:
        shown.pop_theme()
        for handler in handlers:
            handler.removeFilter(_is_no_progress)


def _console_handlers() -> list[PrefectConsoleHandler]:
    """Return what writes Prefect's log to the terminal; lines that it writes while bars are drawn appear above them."""
    loggers = [logging.getLogger(name) for name in (None, "prefect", *logging.root.manager.loggerDict)]
    found = [handler for logger in loggers for handler in logger.handlers if isinstance(handler, PrefectConsoleHandler)]
    return list(dict.fromkeys(found))


def _is_no_progress(record: logging.LogRecord) -> bool:
    return _PROGRESS_LINE.match(record.getMessage()) is None
