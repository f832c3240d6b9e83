"""A proxy between a plant and its hub that cuts, delays, throttles, swallows, and answers what the hub never said."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.sync_jobs.group import free_port

PIECE_BYTES: Final = 16 * 1024
PAGE: Final = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
NEVER: Final = 10**12


@dataclass
class Proxy:
    """What happens to connections from now on; figures count from the beginning of each connection.

    `cut_request` and `cut_answer` end a connection after so many bytes of one direction, `black_hole` takes everything
    and answers nothing, `page` answers a status with a page of HTML as a gateway would, `bits_per_second` and
    `drip_seconds` (a pause after every single byte of the answer) slow it down.
    """

    port: int
    target: int
    cut_request: int = NEVER
    cut_answer: int = NEVER
    black_hole: bool = False
    refuse: bool = False
    page: int | None = None
    bits_per_second: int = 0
    drip_seconds: float = 0
    request_bytes: int = 0

    @property
    def url(self) -> str:
        """The address that a plant takes for its hub's."""
        return f"http://127.0.0.1:{self.port}"

    def heal(self) -> None:
        """Let everything pass again; connections that hang are cut."""
        self.cut_request = self.cut_answer = NEVER
        self.black_hole, self.refuse, self.page, self.bits_per_second, self.drip_seconds = False, False, None, 0, 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Treat one connection as is set when it begins."""
        try:
            if self.black_hole:
                while await reader.read(PIECE_BYTES) and self.black_hole:
                    pass
            elif self.page is not None:
                await reader.readuntil(b"\r\n\r\n")
                head = f"HTTP/1.1 {self.page} Gateway\r\nContent-Type: text/html\r\nContent-Length: {len(PAGE)}\r\n\r\n"
                writer.write(head.encode() + PAGE)
                await writer.drain()
            elif not self.refuse:
                await self._relay(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hub_reader, hub_writer = await asyncio.open_connection("127.0.0.1", self.target)
        there = asyncio.create_task(self._pump(reader, hub_writer, self.cut_request, answer=False))
        back = asyncio.create_task(self._pump(hub_reader, writer, self.cut_answer, answer=True))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hub_writer.close()
            there.cancel()
            back.cancel()
            await asyncio.gather(there, back, return_exceptions=True)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, limit: int, *, answer: bool
    ) -> None:
        passed = 0
        while passed < limit and (piece := await source.read(1 if answer and self.drip_seconds else PIECE_BYTES)):
            part = piece[: limit - passed]
            passed += len(part)
            if not answer:
                self.request_bytes += len(part)
            if self.bits_per_second:
                await asyncio.sleep(len(part) * 8 / self.bits_per_second)
            sink.write(part)
            await sink.drain()
            if answer and self.drip_seconds:
                await asyncio.sleep(self.drip_seconds)


@contextmanager
def proxy_to(target: int) -> Iterator[Proxy]:
    """Run a proxy to a port of this machine, in a thread of its own."""
    proxy, loop, started = Proxy(free_port(), target), asyncio.new_event_loop(), threading.Event()

    async def begin() -> asyncio.Server:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", proxy.port)
        started.set()
        return server

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(begin())
        loop.run_forever()
        server.close()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        # What was closed is taken down in the next turn of the loop.
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    started.wait()
    try:
        yield proxy
    finally:
        proxy.heal()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
