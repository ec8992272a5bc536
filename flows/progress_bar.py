"""The progress artifact of a phase in Prefect's UI: a bar that moves while the phase runs, with the log's line below.

It is a face of the run, never a part of it: a server that does not answer costs a late bar and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol, cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

LAST_RETRIES = 2  # of the last picture, after 2 and 4 s; while the phase runs the next picture comes soon enough


def artifact_key(text: str) -> str:
    """An artifact's key: lower case and dashes are all that Prefect takes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


class Bar(Protocol):
    """Where progress is shown."""

    def show(self, percent: float, text: str, *, last: bool = False) -> None:
        """Shows a new picture; raises nothing."""
        ...


class ArtifactBar:
    """The bar in Prefect's UI: one artifact, which is made with the first picture and changed by the others.

    Args:
        key: of the artifact.
        complain: told what went wrong, the first time that it does.
    """

    def __init__(self, key: str, complain: Callable[[str], None]) -> None:
        self._key, self._complain = key, complain
        self._artifact: UUID | None = None
        self._shown: tuple[float, str] | None = None
        self._has_complained = False

    def show(self, percent: float, text: str, *, last: bool = False) -> None:
        """One request, or none where nothing has changed."""
        if (percent, text) == self._shown:
            return
        try:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: LAST_RETRIES if last else 0}):
                self._send(percent, text)
        except Exception as error:  # noqa: BLE001 - whatever keeps the server from showing a bar, the run goes on
            self._complain_once(error)
        else:
            self._shown = (percent, text)

    def _send(self, percent: float, text: str) -> None:
        if self._artifact is None:
            self._artifact = cast("UUID", create_progress_artifact(percent, key=self._key, description=text))
        else:
            update_progress_artifact(self._artifact, percent, description=text)

    def _complain_once(self, error: Exception) -> None:
        if not self._has_complained:
            self._has_complained = True
            self._complain(f"the bar {self._key} is not up to date in the UI: {type(error).__name__}: {error}")
