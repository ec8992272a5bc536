"""The demo teacher behind a port that starts it when somebody first connects: a cached run need not wait for it.

A run that finds everything finished asks the teacher nothing; starting vLLM takes half a minute. The port forwards
bytes both ways and knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from demo.free_port import HOST
from demo.teacher.serve import DemoServer, ServerError, serving

CHUNK = 1 << 16  # bytes


class OnDemandTeacher:
    """Starts the server once, in a thread of its own (the server ends with the thread that started it).

    Args:
        prepare: called before the start, for instance to make the environment; returns vLLM's Python.
        log: where the server's output goes.
    """

    def __init__(self, prepare: Callable[[], Path], log: Path) -> None:
        self._prepare, self._log = prepare, log
        self._stop = threading.Event()
        self._started: asyncio.Future[DemoServer] | None = None
        self._thread: threading.Thread | None = None
        self.error: Exception | None = None

    async def server(self) -> DemoServer:
        """Return the running server; started by the first call, awaited by the others.

        Raises:
            ServerError: it could not be started.
        """
        if self._started is None:
            loop = asyncio.get_running_loop()
            self._started = loop.create_future()
            self._thread = threading.Thread(target=self._serve, args=(loop, self._started), name="demo-teacher")
            self._thread.start()
        return await asyncio.shield(self._started)

    def _serve(self, loop: asyncio.AbstractEventLoop, started: asyncio.Future[DemoServer]) -> None:
        print("demo: starting the teacher (vLLM on the CPU, about half a minute) …", flush=True)
        try:
            with serving(self._prepare(), log=self._log) as server:
                loop.call_soon_threadsafe(started.set_result, server)
                self._stop.wait()
        except Exception as error:  # noqa: BLE001 - the run must hear of whatever kept the teacher from starting
            self.error = error
            if not started.done():
                loop.call_soon_threadsafe(started.set_exception, error)

    async def stop(self) -> None:
        """End the server, if it was ever started."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Yield the base URL of the port, for as long as the block lasts."""
        listener = await asyncio.start_server(self._forward, HOST, 0, backlog=1024)
        port = listener.sockets[0].getsockname()[1]
        try:
            yield f"http://{HOST}:{port}/v1"
        finally:
            listener.close()
            await self.stop()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await self.server()
            port = int(server.base_url.rsplit(":", 1)[1].split("/")[0])
            inner_reader, inner_writer = await asyncio.open_connection(HOST, port)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        except (ServerError, OSError):
            writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
    sink.close()
