"""Batches of a provider: OpenAI's ``/v1/files`` and ``/v1/batches``, and whoever serves the same.

Not covered: providers that list no batches; there a kill between making a batch and noting its number has its requests
asked again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import ServerUnavailableError, TeacherMisconfiguredError
from tracemill.inference.batches.notes import json_bytes
from tracemill.inference.batches.place import Ended
from tracemill.inference.credit import out_of_credit, unpaid
from tracemill.inference.dialects import judge_models, parsed, server_words
from tracemill.inference.transport import Broken, HttpTransport, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracemill.inference.batches.notes import Made
    from tracemill.inference.servers import Patience
    from tracemill.recipe.sections.server import Teacher

log = logging.getLogger("tracemill.teacher")

ENDPOINT: Final = "/v1/chat/completions"
MARK: Final = "tracemill"  # of our batches' metadata
_ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})
_PER_PAGE: Final = 100  # batches of a page of the provider's list
_PAGES: Final = 20


class BatchProvider:
    """A server of the batch API."""

    def __init__(self, settings: Teacher, patience: Patience) -> None:
        self._settings, self._patience = settings, patience
        self._transport = HttpTransport(settings, patience.connect_s)

    @property
    def name(self) -> str:
        """The server's address."""
        return self._settings.base_urls[0].rstrip("/")

    async def check(self) -> None:
        """Ask the provider whether it serves the model.

        Raises:
            TeacherMisconfiguredError: it does not.
            ServerUnavailableError: nothing answers.
        """
        reply = await self._reached("GET", f"{self.name}/models")
        error = judge_models(self.name, reply.status, reply.raw, self._settings)
        if error is not None:
            raise error

    async def submit(self, made: Made, data: bytes) -> None:
        """Upload a file, and have a batch made of it.

        Raises:
            TeacherMisconfiguredError: the server takes none.
            ServerUnavailableError: nothing answers.
        """
        reply = await self._reached("POST", f"{self.name}/files", *_form(f"{made.name}.jsonl", data))
        body = {
            "input_file_id": self._field(reply, "id", "the file of a batch was not taken"),
            "endpoint": ENDPOINT,
            "completion_window": self._settings.batch.window,
            "metadata": {MARK: made.name},
        }
        reply = await self._reached("POST", f"{self.name}/batches", json_bytes(body))
        made.batch_id = self._field(reply, "id", "no batch was made")
        log.warning("batch %s of %d requests is under way at %s", made.batch_id, len(made.keys), self.name)

    async def found_again(self, noted: Iterable[Made]) -> list[Made]:
        """Return the batches that were made, also those whose number was not noted any more."""
        batches = list(noted)
        known = {} if all(made.batch_id for made in batches) else await self._listed()
        for made in batches:
            made.batch_id = made.batch_id or known.get(made.name, "")
        return [made for made in batches if made.batch_id]

    async def ended(self, made: Made) -> Ended:
        """Wait for a batch's end; one that the provider does not know any more has ended.

        Raises:
            TeacherMisconfiguredError: its state cannot be read.
            ServerUnavailableError: nothing answers.
        """
        while True:
            reply = await self._reached("GET", f"{self.name}/batches/{made.batch_id}")
            if reply.status == 404:
                log.warning("batch %s is not known at %s any more", made.batch_id, self.name)
                return Ended("the batch is gone")
            found = self._object(reply, "the state of a batch cannot be read")
            status = found.get("status")
            if status in _ENDED:
                files = tuple(str(found[name]) for name in ("output_file_id", "error_file_id") if found.get(name))
                errors = found.get("errors")
                why = errors.get("data") if isinstance(errors, dict) else None
                return Ended(str(status), files, is_refused=status == "failed", errors=why)
            await asyncio.sleep(self._settings.batch.poll_s)

    async def read(self, file: str) -> bytes:
        """Return the content of one of the provider's files.

        Raises:
            TeacherMisconfiguredError: it cannot be had.
            ServerUnavailableError: nothing answers.
        """
        reply = await self._reached("GET", f"{self.name}/files/{file}/content")
        self._require_ok(reply, "the answers of a batch cannot be had")
        return reply.raw

    def forget(self, made: Made) -> None:
        """Nothing: the provider deletes its files in its own time."""

    def answers_of(self, made: Made) -> str:
        """Name a batch by the provider's number."""
        return f"batch {made.batch_id}"

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def _listed(self) -> dict[str, str]:
        """Return the provider's ids of our batches, by our names."""
        found: dict[str, str] = {}
        after = ""
        for _ in range(_PAGES):
            reply = await self._reached("GET", f"{self.name}/batches?limit={_PER_PAGE}{after}")
            if reply.status != 200:
                log.warning("batches at %s cannot be listed (HTTP %d)", self.name, reply.status)
                return found
            page = self._object(reply, "batches cannot be listed")
            batches = [one for one in page.get("data") or [] if isinstance(one, dict)]
            for one in batches:
                if name := (one.get("metadata") or {}).get(MARK):
                    found[str(name)] = str(one["id"])
            if not page.get("has_more") or not batches:
                break
            after = f"&after={batches[-1]['id']}"
        return found

    async def _reached(self, method: str, url: str, body: bytes | None = None, kind: str = "") -> Reply:
        """Return a reply; one that is not to be had is waited for up to give_up_after_s.

        Raises:
            ServerUnavailableError: nothing answers for so long. Batches go on meanwhile.
            TeacherUnpaidError: the account is out of credit.
        """
        began, n_failures = time.monotonic(), 0
        while True:
            reply = await self._transport.send(method, url, body, self._settings.request_timeout_s, kind)
            if isinstance(reply, Reply):
                if reply.status != 200 and out_of_credit(reply.status, reply.headers, reply.raw):
                    raise unpaid(self.name, reply.status, reply.raw, self._settings)
                if reply.status < 500 and reply.status != 429:
                    return reply
            got = reply.message if isinstance(reply, Broken) else f"HTTP {reply.status}: {server_words(reply.raw)}"
            if time.monotonic() - began > self._settings.give_up_after_s:
                raise ServerUnavailableError(
                    f"no {self._settings.role} answers at {self.name}",
                    got=got,
                    remedy="run again when it does: batches go on meanwhile, and their answers are found",
                )
            await asyncio.sleep(self._patience.delay_s(n_failures))
            n_failures += 1

    def _require_ok(self, reply: Reply, what: str) -> None:
        if not 200 <= reply.status < 300:
            raise TeacherMisconfiguredError(
                f"{what} at {self.name}",
                got=f"HTTP {reply.status}: {server_words(reply.raw)}",
                expected="a server of the batch API (/v1/files and /v1/batches)",
                remedy=f"set {self._settings.place}.mode: online for servers without, as vLLM is; or batch.folder",
            )

    def _object(self, reply: Reply, what: str) -> dict[str, Any]:
        self._require_ok(reply, what)
        try:
            found = parsed(reply.raw)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self._require_ok(Reply(0, reply.headers, reply.raw), what)
            return {}
        return found

    def _field(self, reply: Reply, name: str, what: str) -> str:
        found = self._object(reply, what).get(name)
        if not isinstance(found, str) or not found:
            self._require_ok(Reply(0, reply.headers, reply.raw), what)
        return str(found)


def _form(name: str, data: bytes) -> tuple[bytes, str]:
    """Return a form with the purpose and the file, and its content type."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{boundary}\r\n'
        f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/jsonl\r\n\r\n'
    )
    return b"".join(
        (head.encode(), data, f"\r\n--{boundary}--\r\n".encode())
    ), f"multipart/form-data; boundary={boundary}"
