"""A Hub on the loopback, for tests: as much of it as reading one data set needs."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

ID = "org/set"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """One data set.

    Attributes:
        files: content by path; a callable makes bytes [begin, end) when they are asked for, of a size.
        faults: (status, or None to break off in mid-body, or "ignore" to answer a range with the whole file), one for
            each of the next answers with data.
        asked: ranges that were asked for, by path.
    """

    files: dict[str, bytes | tuple[int, Callable[[int, int], bytes]]]
    faults: list[int | str | None] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def size(self, path: str) -> int:
        content = self.files[path]
        return len(content) if isinstance(content, bytes) else content[0]

    def read(self, path: str, begin: int, end: int) -> bytes:
        content = self.files[path]
        return content[begin:end] if isinstance(content, bytes) else content[1](begin, end)

    def etag(self, path: str) -> str:
        return hashlib.sha1(f"{path}{self.size(path)}".encode(), usedforsecurity=False).hexdigest()

    def entries(self, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        inside = [path for path in self.files if path.startswith(prefix)]
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(inside):
            parts = path.removeprefix(prefix).split("/")
            for depth in range(1, len(parts)) if recursive else range(1, min(2, len(parts))):
                name = prefix + "/".join(parts[:depth])
                found[name] = {"type": "directory", "path": name, "oid": "0" * 40, "size": 0}
            if recursive or len(parts) == 1:
                found[path] = {"type": "file", "path": path, "oid": self.etag(path), "size": self.size(path)}
        return list(found.values())


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub at ``hub.url`` until the block ends."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def point_at(hub: Hub, patch: pytest.MonkeyPatch, cache: Path) -> None:
    """Makes it the Hub that the packages talk to, as HF_ENDPOINT does when they are imported."""
    import datasets.config
    import huggingface_hub.constants
    import huggingface_hub.file_download

    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    patch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
    patch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr(huggingface_hub.file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache / "hub"))
    patch.setattr(datasets.config, "HF_ENDPOINT", hub.url)
    patch.setattr(datasets.config, "HUB_DATASETS_URL", f"{hub.url}/datasets/{{repo_id}}/resolve/{{revision}}/{{path}}")
    patch.setattr(datasets.config, "HF_DATASETS_CACHE", cache / "datasets")


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        if found := re.fullmatch(rf"/api/datasets/{ID}(?:/revision/[^/]+)?", path):
            siblings = [{"rfilename": name} for name in self.hub.files]
            self._json({"id": ID, "sha": COMMIT, "private": False, "tags": [], "siblings": siblings})
        elif found := re.fullmatch(rf"/api/datasets/{ID}/tree/[^/]+/?(.*)", path):
            self._tree(found.group(1), recursive="recursive=true" in url.query.lower())
        elif found := re.fullmatch(rf"/datasets/{ID}/resolve/[^/]+/(.+)", path):
            self._file(found.group(1))
        else:
            self._missing("RepoNotFound")

    do_HEAD = do_GET  # noqa: N815 - the name that the base class calls

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        paths = body.get("paths", [])
        entries = [entry for entry in self.hub.entries("", recursive=True) if entry["path"] in paths]
        self._json(entries)

    def _tree(self, folder: str, *, recursive: bool) -> None:
        entries = self.hub.entries(folder, recursive=recursive)
        if folder and not entries:
            self._missing("EntryNotFound")
            return
        self._json(entries)

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self._body(body)

    def _missing(self, code: str) -> None:
        self._head(404, {"X-Error-Code": code, "X-Error-Message": "not here", "Content-Length": "0"})

    def _file(self, path: str) -> None:
        if path not in self.hub.files:
            self._missing("EntryNotFound")
            return
        size, said = self.hub.size(path), self.headers.get("Range")
        fault = self._next_fault(path, said)
        if isinstance(fault, int):
            self._head(fault, {"Content-Length": "0"})
            return
        begin, end = 0, size
        if said and fault != "ignore":
            first, last = said.removeprefix("bytes=").split("-")
            begin, end = int(first), min(int(last) + 1, size) if last else size
        headers = {
            "ETag": f'"{self.hub.etag(path)}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
            "Content-Length": str(end - begin),
        }
        ranged = {"Content-Range": f"bytes {begin}-{end - 1}/{size}"} if said and fault != "ignore" else {}
        self._head(206 if ranged else 200, headers | ranged)
        body = self.hub.read(path, begin, end) if self.command == "GET" else b""
        if fault == "break":
            self.close_connection = True
            body = body[: len(body) // 2]
        self._body(body)

    def _next_fault(self, path: str, said: str | None) -> int | str | None:
        if self.command != "GET" or path == "README.md":
            return None
        self.hub.asked.append((path, said))
        return self.hub.faults.pop(0) if self.hub.faults else None

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, body: bytes) -> None:
        if self.command != "HEAD":
            self.wfile.write(body)
