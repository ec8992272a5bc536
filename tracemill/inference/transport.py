"""The transport: posts a body, gets bytes back, and says in three words how a connection can fail. Knows aiohttp."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tracemill.core.secrets import opened, revealed, scrubbed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from tracemill.recipe.sections.server import ModelServer

# uvicorn (vLLM) closes connections after 5 idle seconds; we let go first, so that few requests meet a closing socket.
_KEEP_ALIVE_S = 4.0


class Failure(StrEnum):
    """How an exchange can fail before there is a status."""

    NO_CONNECTION = "no connection"
    BROKE_OFF = "the connection broke off"
    TIMEOUT = "no answer in time"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP reply, of any status."""

    status: int
    headers: Mapping[str, str]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """No whole reply."""

    failure: Failure
    message: str


class HttpTransport:
    """One HTTP session with as many connections as there may be requests; use it from one event loop.

    Args:
        connect_s: how long a server may take to accept a connection, in seconds.
    """

    def __init__(self, settings: ModelServer, connect_s: float) -> None:
        self._settings, self._connect_s = settings, connect_s
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes) -> Reply | Broken:
        """Posts JSON and waits up to request_timeout_s for the whole reply."""
        return await self._exchange("POST", url, body, self._settings.request_timeout_s)

    async def ask(self, url: str, body: bytes) -> Reply | Broken:
        """Posts JSON that is answered without generating, within connect_s."""
        return await self._exchange("POST", url, body, self._connect_s)

    async def get(self, url: str, total_s: float | None = None) -> Reply | Broken:
        """Get a small reply, within ``total_s`` or connect_s."""
        return await self._exchange("GET", url, None, total_s or self._connect_s)

    async def send(self, method: str, url: str, body: bytes | None, total_s: float, kind: str = "") -> Reply | Broken:
        """Exchange anything within ``total_s``; ``kind`` is the body's content type, if not JSON."""
        return await self._exchange(method, url, body, total_s, {"Content-Type": kind} if kind else {})

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(
        self, method: str, url: str, body: bytes | None, total_s: float, more: Mapping[str, str] | None = None
    ) -> Reply | Broken:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=total_s, sock_connect=self._connect_s)
        place, authorized = self._authorized(url)
        headers = authorized | dict(more or {})
        session, follow = self._open(), not self._settings.headers
        try:
            async with session.request(
                method, place, data=body, timeout=timeout, headers=headers, allow_redirects=follow
            ) as response:
                raw = await response.read()
                return Reply(response.status, response.headers, raw if response.ok else scrubbed(raw, headers))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return Broken(Failure.NO_CONNECTION, f"{Failure.NO_CONNECTION}: {error}")
        except TimeoutError:
            return Broken(Failure.TIMEOUT, f"{Failure.TIMEOUT} ({total_s:g} s)")
        except aiohttp.ClientError as error:
            return Broken(Failure.BROKE_OFF, f"{Failure.BROKE_OFF}: {error!r}")

    def _authorized(self, url: str) -> tuple[str, dict[str, str]]:
        """Return where to send a request, and the headers that let it in: secrets are looked up here, and kept nowhere.

        The recipe's own headers are not sent to where a server redirects.

        Raises:
            RecipeError: the environment variable that holds it is not set.
        """
        place, headers = opened(url, f"{self._settings.place}.base_urls")
        if self._settings.api_key is not None:
            key = revealed(self._settings.api_key, f"{self._settings.place}.api_key")
            headers = {"Authorization": f"Bearer {key}"}
        own = {
            name: revealed(value, f"{self._settings.place}.headers.{name}", blanks=True)
            for name, value in self._settings.headers.items()
        }
        return place, own | headers

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            headers = {"Content-Type": "application/json"}
            # Without a limit here: the workers are the limit, and probes must not wait for a free connection.
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S)
            self._session = aiohttp.ClientSession(connector=connector, headers=headers)
        return self._session
