"""What is answered to a browser: a list of rows, a row's page, a style sheet; nothing else, and nothing is changed.

Covered: pages of other sites that ask by way of the reader's browser (the Host must be this machine's own, so a name
that is bound to 127.0.0.1 gets nothing; no frames, no referrer, nothing readable from elsewhere); scripts, which the
policy forbids altogether, also those that a text would smuggle in; methods other than GET. Not covered: other users of
this machine, who can ask its loopback as well.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tracemill.browse.life import Life, life
from tracemill.browse.query import Filter, described, page
from tracemill.browse.texts import highlight_styles, short, visible
from tracemill.core import LedgerError, StoreError
from tracemill.html.templates import render_html
from tracemill.publish.funnel import DROP_STAGES
from tracemill.runs.why import story_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tracemill.browse.index import Index
    from tracemill.runs.why import Record

HOSTS: Final = ("127.0.0.1", "localhost")
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_LEDGER_BYTES: Final = 200_000_000  # read for every row: below a second (1 GB in about 4 s)
_PROMPT_CHARS: Final = 200
_MOST_COPIES: Final = 20

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pages:
    """The pages over one run.

    Attributes:
        ledger: what has been paid for, where there is one.
    """

    index: Index
    ledger: Path | None

    def listed(self, request: Request) -> Response:
        """Answer with the rows that a filter leaves."""
        try:
            asked = Filter.model_validate(dict(request.query_params))
        except ValidationError as error:
            told = "; ".join(
                f"{each['loc'][0]}: {each['msg']}, got {short(str(each['input']), 60)}" for each in error.errors()
            )
            return _failed(400, "This filter cannot be read", told)
        found = page(self.index, asked)
        return _answer(
            "list",
            title=self.index.name,
            index=self.index,
            asked=asked,
            page=found,
            rows=[(row, short(str(row.get("prompt") or row.get("raw") or ""), _PROMPT_CHARS)) for row in found.rows],
            stages=("published", *DROP_STAGES),
        )

    def row(self, request: Request) -> Response:
        """Answer with everything about a problem."""
        name = str(request.path_params["name"])
        try:
            records = self._story(request, name)
        except StoreError as error:
            return _failed(404, error.what, f"{error.got}. {error.remedy}")
        rows = [record for record in records if record["where"] in {"dataset", "dropped"}]
        first = next((record for record in rows if record["where"] == "dataset"), rows[-1] if rows else records[0])
        return self._shown(
            first, records, copies=[row for row in rows if row["where"] == "dropped" and row is not first]
        )

    def place(self, request: Request) -> Response:
        """Answer with the row at a place of the list, such as one without an id, or a copy."""
        place = int(request.path_params["place"])
        found = self.index.rows(np.array([place], np.int64)) if place < self.index.n_rows else []
        if not found:
            return _failed(404, f"There is no row {place}", f"there are {self.index.n_rows:,}, from 0")
        records: list[Record] = []
        if found[0].get("id"):
            try:
                records = self._story(request, str(found[0]["id"]))
            except StoreError as error:
                _log.warning("the story of row %s cannot be told: %s", place, error)
        return self._shown(found[0], records or found, copies=[])

    def style(self, _: Request) -> Response:
        """Answer with the style sheet."""
        return Response(self._style, media_type="text/css")

    @cached_property
    def _style(self) -> str:
        return str(render_html("browse/templates/style.html.j2", highlighted=highlight_styles()))

    def _shown(self, row: Record, records: list[Record], copies: list[Record]) -> Response:
        told: Life = life(self._described(row), records, self._texts(row))
        return _answer(
            "row",
            title=f"Row {told.id[:12]}" if told.id else "A row without an id",
            index=self.index,
            row=self._described(row),
            life=told,
            copies=copies[:_MOST_COPIES],
            ledger_left_out=self._is_large,
        )

    def _story(self, request: Request, name: str) -> list[Record]:
        """Return what tells of a problem; without the ledger where that cannot be read."""
        ledger = None if self._is_large and "ledger" not in request.query_params else self.ledger
        try:
            return story_by(self.index, name, ledger, texts=True)
        except LedgerError as error:
            _log.warning("%s", error)
            return story_by(self.index, name)

    def _described(self, row: Record) -> Record:
        if "place" in row:
            return described(self.index, row)
        stage = {"dataset": "published"}.get(row["where"], row.get("stage", ""))
        return {
            "stage": stage,
            "reason": "",
            "outcomes": [row["outcome"]] if "outcome" in row else [],
            "rate": _rate(row),
        } | row

    def _texts(self, row: Record) -> list[Record]:
        """Return the responses to a problem that are kept beside the published ones."""
        if not row.get("id"):
            return []
        return [record for folder in ("rejected", "responses") for record in self.index.of(folder, [row["id"]])]

    @cached_property
    def _is_large(self) -> bool:
        if self.ledger is None:
            return False
        return sum(path.stat().st_size for path in self.ledger.glob("*.ledger")) > _LEDGER_BYTES


def _rate(row: Mapping[str, Any]) -> float | None:
    n_judged = row.get("n_judged")
    return row.get("n_correct", 0) / n_judged if n_judged else None


def browser(index: Index, ledger: Path | None = None) -> ASGIApp:
    """Return the application over the rows of a run."""
    pages = Pages(index, ledger)
    answers = {
        "/": pages.listed,
        "/row/{name}": pages.row,
        "/place/{place:int}": pages.place,
        "/style.css": pages.style,
    }
    return _Guarded(
        Starlette(
            routes=[Route(path, _safely(answer), methods=["GET"]) for path, answer in answers.items()],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[*HOSTS], www_redirect=False)],
            exception_handlers={404: _missing},
        )
    )


def _safely(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Return the same, for which a page that cannot be shown is a page that says so."""

    def safe(request: Request) -> Response:
        try:
            return answer(request)
        except Exception as error:  # noqa: BLE001 - logged whole; the other pages are still there
            _log.exception("%s cannot be shown", request.url.path)
            return _failed(500, "This page cannot be shown", f"{type(error).__name__}; the terminal says more")

    return safe


class _Guarded:
    """Puts the headers on every answer, refusals among them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), told.encode()) for name, told in _HEADERS.items()),
                ]
            await send(message)

        await self._app(scope, receive, guarded)


def _answer(name: str, status: int = 200, **values: Any) -> Response:
    page = str(render_html(f"browse/templates/{name}.html.j2", **values))
    return HTMLResponse(visible(page), status)


def _failed(status: int, what: str, told: str) -> Response:
    return _answer("failed", status, title=what, told=told)


def _missing(request: Request, _: Exception) -> Response:
    return _failed(404, "There is no such page", f"{request.url.path} is none of /, /row/ID, /place/NUMBER")
