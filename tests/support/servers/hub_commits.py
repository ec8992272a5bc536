"""A Hub on loopback that takes commits."""

from __future__ import annotations

import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub(ThreadingHTTPServer):
    """Takes commits as the Hub does; every file goes inline, none through LFS.

    Attributes:
        made: bodies of the repositories that were made.
        files: what was committed, by name.
        removed: names that a commit removed.
        asked: path of every request that changes something, and who asks.
    """

    def __init__(self, *, refuses: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.refuses = refuses
        self.made: list[dict[str, object]] = []
        self.files: dict[str, bytes] = {"train-00000-of-00009.parquet": b"", "notes.md": b""}
        self.removed: list[str] = []
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def answer(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if "/tree/" in self.path:
            files = [{"type": "file", "path": name, "size": 0, "oid": "0" * 40} for name in self.server.files]
            self.answer(files)
        else:
            siblings = [{"rfilename": name} for name in self.server.files]
            self.answer({"id": "org/name", "sha": "0" * 40, "siblings": siblings, "tags": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Authorization"]))
        if self.server.refuses:
            self.answer({"error": "no right to write"}, 403)
        elif self.path == "/api/repos/create":
            self.server.made.append(json.loads(body))
            self.answer({"url": f"{self.server.url}/datasets/org/name"})
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            self.answer({"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]})
        elif "/commit/" in self.path:
            self.commit([json.loads(line) for line in body.splitlines()])
            self.answer(
                {
                    "commitUrl": f"{self.server.url}/datasets/org/name/commit/{'1' * 40}",
                    "commitOid": "1" * 40,
                    "success": True,
                }
            )
        else:
            self.answer({"valid": True, "errors": [], "warnings": []})

    def commit(self, lines: list[dict[str, dict[str, str]]]) -> None:
        for line in lines:
            if str(line["key"]) == "file":
                self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif str(line["key"]) == "deletedFile":
                self.server.removed.append(line["value"]["path"])
