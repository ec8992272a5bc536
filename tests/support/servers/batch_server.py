"""A provider of batches on loopback: ``/v1/files`` and ``/v1/batches`` as OpenAI's public reference says.

Batches end when they have been looked at ``polls`` times. Lines may expire or fail once, a whole batch may be refused.
``python -m tests.support.servers.batch_server --port P``; ``GET /count`` adds ``batches`` and how often each key came.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.support.servers.hosted_server import HostedServer

if TYPE_CHECKING:
    from collections.abc import Sequence


class BatchServer(HostedServer):
    """The server in a thread.

    Attributes:
        polls: looks at a batch until it has ended.
        expires: lines of the first batch that expire, and fails: that fail, with 500.
        refuses: whole batches that are refused, with these words.
        batches: by id.
        asked: how often each key came in a batch.
        dies_after: "upload" or "create": the answer to that request never comes, once.
    """

    def __init__(
        self, *, polls: int = 2, expires: int = 0, fails: int = 0, refuses: str = "", dies_after: str = "", **given: Any
    ) -> None:
        super().__init__("openai", **given)
        self.polls, self.expires, self.fails, self.refuses, self.dies_after = polls, expires, fails, refuses, dies_after
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()
        self.n_looks: Counter[str] = Counter()

    def _route(self, router: web.UrlDispatcher) -> None:
        super()._route(router)
        router.add_post("/v1/files", self._upload)
        router.add_get("/v1/files/{id}/content", self._content)
        router.add_post("/v1/batches", self._make)
        router.add_get("/v1/batches", self._list)
        router.add_get("/v1/batches/{id}", self._look)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        parts = await request.multipart()
        purpose = await parts.next()
        assert purpose is not None
        assert await purpose.text() == "batch"
        file = await parts.next()
        assert file is not None
        name = f"file-{len(self.files)}"
        self.files[name] = bytes(await file.read())
        if died := await self._dies("upload"):
            return died
        return web.json_response({"id": name, "object": "file", "purpose": "batch", "bytes": len(self.files[name])})

    async def _make(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        assert body["endpoint"] == "/v1/chat/completions"
        assert body["completion_window"] == "24h"
        name = f"batch_{len(self.batches)}"
        told = {"id": name, "object": "batch", "status": "validating", "metadata": body["metadata"]}
        self.batches[name] = told | {"input_file_id": body["input_file_id"]}
        if self.refuses:
            errors = {"object": "list", "data": [{"code": "invalid", "message": self.refuses, "line": 1}]}
            self.batches[name] |= {"status": "failed", "errors": errors}
        else:
            lines = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
            self.asked.update(line["custom_id"] for line in lines)
        if died := await self._dies("create"):
            return died
        return web.json_response(self.batches[name])

    async def _dies(self, after: str) -> web.StreamResponse | None:
        if self.dies_after != after:
            return None
        self.dies_after = ""
        await asyncio.sleep(60)
        return web.Response(status=500)

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": list(self.batches.values()), "has_more": False})

    async def _look(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if name not in self.batches:
            return web.json_response({"error": {"message": "No such batch"}}, status=404)
        self.n_looks[name] += 1
        batch = self.batches[name]
        if batch["status"] in {"validating", "in_progress"}:
            batch["status"] = "in_progress"
            if self.n_looks[name] >= self.polls:
                self._work(name, batch)
        return web.json_response(batch)

    def _work(self, name: str, batch: dict[str, Any]) -> None:
        answers, errors = [], []
        for place, line in enumerate(self.files[batch["input_file_id"]].splitlines()):
            asked = json.loads(line)
            told = {"id": f"batch_req_{place}", "custom_id": asked["custom_id"], "response": None, "error": None}
            if place < self.expires:
                error = {"code": "batch_expired", "message": "This request could not be executed in time."}
                errors.append(told | {"error": error})
            elif place < self.expires + self.fails:
                response = {"status_code": 500, "request_id": "r", "body": {"error": {"message": "a failure"}}}
                errors.append(told | {"response": response})
            else:
                body = self._reply(asked["body"], asked["body"]["messages"][-1]["content"])
                self.completed += 1
                answers.append(told | {"response": {"status_code": 200, "request_id": "r", "body": body}})
        batch["status"] = "expired" if self.expires else "completed"
        self.expires = self.fails = 0
        for kind, lines in (("output_file_id", answers), ("error_file_id", errors)):
            if lines:
                batch[kind] = f"{name}-{kind}"
                self.files[batch[kind]] = b"".join(json.dumps(line).encode() + b"\n" for line in reversed(lines))

    async def _content(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["id"]])

    async def _count(self, request: web.Request) -> web.Response:
        figures = json.loads((await super()._count(request)).text or "{}")
        most = max(self.asked.values(), default=0)
        return web.json_response(figures | {"batches": len(self.batches), "keys": len(self.asked), "most": most})


def main(given: Sequence[str] | None = None) -> None:
    """Serves until killed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--polls", type=int, default=2)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--wrong", type=int, default=20)
    found = parser.parse_args(given)
    server = BatchServer(port=found.port, polls=found.polls, models=(found.model,), wrong_percent=found.wrong)
    asyncio.run(server.serve_forever())


if __name__ == "__main__":
    main()
