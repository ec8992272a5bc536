"""What is noted of batches on disk, and the lines of their files.

A batch is noted before anything is sent, so that a kill at any moment leaves either nothing asked, or a note of all
that was.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson

from tracemill.core import LedgerError, TeacherMisconfiguredError, json_text
from tracemill.inference.dialects import parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@dataclass
class Made:
    """A batch as it is noted on disk.

    Attributes:
        name: ours, in its metadata and in the names of its files.
        place: of the server, or of the folder for files.
        model: that is asked.
        keys: of its requests.
        process: that looks after it.
        batch_id: the provider's, once it is known.
    """

    name: str
    place: str
    model: str
    keys: list[str]
    process: str
    batch_id: str = ""

    def write(self, folder: Path) -> None:
        """Keep it: whoever reads finds it whole, or as it was before.

        Raises:
            LedgerError: the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f"{self.name}.tmp-{os.getpid()}"
            with temporary.open("w", encoding="utf-8") as file:
                file.write(json_text(asdict(self)))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / f"{self.name}.json")
        except OSError as error:
            raise LedgerError(
                f"a batch cannot be noted in {folder}",
                got=str(error),
                remedy="make room or fix permissions, and run again: nothing was asked without a note",
            ) from error

    def forget(self, folder: Path) -> None:
        """All its answers are in the ledger."""
        (folder / f"{self.name}.json").unlink(missing_ok=True)


def noted(folder: Path) -> list[Made]:
    """Return the batches that are noted.

    Raises:
        LedgerError: a note cannot be read.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(Made(**json.loads(path.read_bytes())))
        except (OSError, ValueError, TypeError) as error:
            raise LedgerError(
                f"the note of a batch cannot be read: {path}",
                got=str(error),
                remedy="restore the file; or delete it: what its batch has answered is then asked, and paid, again",
            ) from error
    return found


@dataclass
class Line:
    """One line of a batch's answers: a status and a body, or neither and an error."""

    key: str
    status: int
    body: bytes
    error: str = ""


def lines_of(raw: bytes) -> Iterator[Line]:
    """Yield the answers in a file of a batch; a line that is none is passed over, and its request asked again."""
    for text in raw.splitlines():
        try:
            found = parsed(text)
            key, response, error = found["custom_id"], found.get("response"), found.get("error")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if isinstance(response, dict) and isinstance(response.get("status_code"), int) and response.get("body"):
            yield Line(str(key), response["status_code"], json_bytes(response["body"]))
        else:
            code = error.get("code") if isinstance(error, dict) else error
            yield Line(str(key), 0, b"", str(code or "no response"))


def require_none_under_way(folder: Path, keys: Iterable[str]) -> None:
    """Refuse to ask for requests online that are in a batch already: they would be paid for twice.

    Raises:
        TeacherMisconfiguredError: some are.
    """
    under_way = {key: made for made in noted(folder) for key in made.keys} if folder.exists() else {}
    asked = [key for key in keys if key in under_way]
    if asked:
        made = under_way[asked[0]]
        raise TeacherMisconfiguredError(
            f"{len(asked)} of the requests are in batches that are under way",
            got=f"batch {made.batch_id or made.name} at {made.place}",
            expected="mode: batch, until their answers have come",
            remedy=f"run with mode: batch first, and online after that; or delete {folder}/{made.name}.json to have "
            "them asked, and paid for, again",
        )


def json_bytes(value: object) -> bytes:
    """Return JSON, also of lone surrogates."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()
