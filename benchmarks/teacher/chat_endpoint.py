"""A fake server's endpoint of the OpenAI chat protocol, for benchmarks of the client: it computes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web


async def listen(model: str, chat: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> int:
    """Serves one model on loopback, as long as the event loop runs.

    Args:
        model: its name, all that the server says of itself.
        chat: answers one request.

    Returns:
        the port.
    """

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": model}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    return int(runner.addresses[0][1])
