"""Bars in a terminal: a phase each, which moves; where there is none, nothing."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console

from flows.engine.progress import Progress, reported
from flows.engine.terminal import bars_in_terminal, show
from tracemill.store import Manifest


def manifest(stage: str) -> Manifest:
    return Manifest(stage=stage, version="1", key="k", inputs={}, outputs={}, rows_in=10, rows_kept=10)


class NoBar:
    def show(self, percent: float, text: str, *, last: bool = False) -> None:
        """No server here."""


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, PrefectConsoleHandler, io.StringIO]]:
    """A logger that writes as Prefect's do, into a terminal that keeps what is written."""
    written = io.StringIO()
    handler = PrefectConsoleHandler(styles={})
    handler.console = Console(file=written, force_terminal=True, width=120, legacy_windows=False)
    logger = logging.getLogger("tests.terminal")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, handler, written
    logger.removeHandler(handler)


def test_a_phase_has_a_bar(log: tuple[logging.Logger, PrefectConsoleHandler, io.StringIO]) -> None:
    """It shows shards, rates and how much is done; the log's line that says the same is left out, others are not."""
    logger, handler, written = log
    progress = Progress("distill", 2, "select")
    with bars_in_terminal(handler.console), reported(progress, logger, 60, bar=NoBar()):
        logger.info("something else")
        for _ in range(2):
            progress.started("select")
            progress.done(manifest("select"))
    text = written.getvalue()
    assert "2/2 shards" in text
    assert "100 %" in text
    assert "something else" in text
    assert "distill: 2/2 shards" not in text
    assert not show("later", 1, "later: 1/2 shards")


def test_without_a_terminal_there_are_lines(log: tuple[logging.Logger, PrefectConsoleHandler, io.StringIO]) -> None:
    """As they always were, without control characters."""
    logger, handler, written = log
    handler.console = Console(file=written, force_terminal=False, width=120)
    with bars_in_terminal(handler.console), reported(Progress("curate", 1, "sign"), logger, 60, bar=NoBar()):
        assert not show("curate", 1, "curate: 1/2 shards")
    assert "curate: 0/1 shards" in written.getvalue()
    assert "\x1b" not in written.getvalue()


def test_markup_in_a_phase_is_text(log: tuple[logging.Logger, PrefectConsoleHandler, io.StringIO]) -> None:
    """What a phase is called, and what it says, is shown as it is."""
    _, handler, written = log
    with bars_in_terminal(handler.console):
        show("[red]x", 5, "[red]x: 1/2 shards [bold]")
    assert "[red]x" in written.getvalue()
    assert "[bold]" in written.getvalue()
