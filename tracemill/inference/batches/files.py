"""Batches as files: requests are left in a folder, and answers awaited there, as ``vllm run-batch`` writes them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tracemill.core import ServerUnavailableError
from tracemill.inference.batches.place import Ended

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracemill.inference.batches.notes import Made
    from tracemill.recipe.sections.server import Teacher

log = logging.getLogger("tracemill.teacher")


class BatchFiles:
    """A folder with a file of requests for each batch, answered by the recipe's command or by somebody else.

    Args:
        folder: ``batch.folder`` of the recipe.
    """

    def __init__(self, settings: Teacher, folder: str) -> None:
        self._settings, self._folder = settings, Path(folder)

    @property
    def name(self) -> str:
        """The folder's absolute path."""
        return str(self._folder.absolute())

    async def check(self) -> None:
        """Files ask nobody."""

    async def submit(self, made: Made, data: bytes) -> None:
        """Leave a file of requests: whoever looks finds it whole, or not at all."""
        given, _ = self._paths(made)
        given.parent.mkdir(parents=True, exist_ok=True)
        temporary = given.with_suffix(".tmp")
        temporary.write_bytes(data)
        temporary.replace(given)

    async def found_again(self, noted: Iterable[Made]) -> list[Made]:
        """Return those whose file of requests is there."""
        return [made for made in noted if self._paths(made)[0].exists()]

    async def ended(self, made: Made) -> Ended:
        """Wait for the file of answers, whoever writes it.

        Raises:
            ServerUnavailableError: the recipe's command failed.
        """
        given, taken = self._paths(made)
        if self._settings.batch.command:
            await self._run(given, taken)
        else:
            log.warning("%s waits to be answered: vllm run-batch -i %s -o %s --model …", given.name, given, taken)
        while not _is_whole(taken, len(made.keys)):  # noqa: ASYNC110 - another program writes it
            await asyncio.sleep(self._settings.batch.poll_s)
        return Ended("answered", (str(taken),))

    async def read(self, file: str) -> bytes:
        """Return the answers of a file."""
        return await asyncio.to_thread(Path(file).read_bytes)

    def forget(self, made: Made) -> None:
        """Remove the requests; the answers stay, which somebody may have paid for."""
        self._paths(made)[0].unlink(missing_ok=True)

    def answers_of(self, made: Made) -> str:
        """Return the path of a batch's answers."""
        return str(self._paths(made)[1])

    async def close(self) -> None:
        """Nothing is open."""

    def _paths(self, made: Made) -> tuple[Path, Path]:
        return self._folder / f"{made.name}.jsonl", self._folder / f"{made.name}.out.jsonl"

    async def _run(self, given: Path, taken: Path) -> None:
        """Run the recipe's command on a file.

        Raises:
            ServerUnavailableError: it failed.
        """
        names = {"{input}": str(given), "{output}": str(taken), "{model}": self._settings.model}
        words = [names.get(word, word) for word in shlex.split(self._settings.batch.command or "")]
        if await asyncio.to_thread(taken.exists):
            return
        try:
            process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
        except OSError as error:
            raise self._failed(words, str(error)) from error
        try:
            _, printed = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            raise
        if process.returncode or not await asyncio.to_thread(taken.exists):
            raise self._failed(words, printed.decode("utf-8", "replace")[-500:])

    def _failed(self, words: Sequence[str], printed: str) -> ServerUnavailableError:
        return ServerUnavailableError(
            f"{self._settings.place}.batch.command has not answered a batch",
            got=printed.strip(),
            expected=f"answers from {shlex.join(words)}",
            remedy="run it by hand to see why, and run again: the batch is found, and what was answered is kept",
        )


def _is_whole(path: Path, n_lines: int) -> bool:
    """Tell whether a file of answers is there with all its lines; whoever writes it may be at it."""
    try:
        raw = path.read_bytes()
    except OSError:
        return False
    return raw.count(b"\n") + (not raw.endswith(b"\n")) >= n_lines and bool(raw)
