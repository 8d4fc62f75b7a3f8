"""What goes wrong on the wire: answers that never come, come byte by byte, break off in the middle, or do not end.

Two ways to it. Inside a lab app: return `Silence()`, `Drip(response)`, `Cut(response)` or `Flood(...)` in place of a
response. In front of any server, TLS or not: a `Proxy`, whose `way` can be changed while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, cast

from otd.lab.server import LOOPBACK, TRANSPORT, Listener, Receive, Scope, Send

_PIECE = 1 << 16


class Sendable(Protocol):
    """As much of a Starlette response as is needed to send it by hand."""

    status_code: int
    body: bytes | memoryview
    media_type: str | None

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


def _head(response: Sendable) -> bytes:
    """The answer's head; it says that the connection ends with it, as it does."""
    phrase = HTTPStatus(response.status_code).phrase
    lines = [f"HTTP/1.1 {response.status_code} {phrase}".encode("ascii")]
    lines += [name + b": " + value for name, value in response.raw_headers]
    lines.append(b"connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Silence:
    """Takes the request and never answers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _until_gone(receive)


class Drip:
    """Sends the answer, head and body, `size` bytes at a time with a `pause` (seconds) after each."""

    def __init__(self, response: Sendable, *, pause: float = 0.05, size: int = 1) -> None:
        self._data = _head(response) + bytes(response.body)
        self._pause, self._size = pause, size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = cast(asyncio.Transport, scope[TRANSPORT])
        for at in range(0, len(self._data), self._size):
            if transport.is_closing():
                break
            transport.write(self._data[at : at + self._size])
            await asyncio.sleep(self._pause)
        transport.close()
        await _until_gone(receive)


class Cut:
    """Announces the whole body and breaks the connection off after this part of it (0 to 1)."""

    def __init__(self, response: Sendable, *, part: float = 0.5) -> None:
        body = bytes(response.body)
        self._data = _head(response) + body[: int(len(body) * part)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = cast(asyncio.Transport, scope[TRANSPORT])
        transport.write(self._data)
        transport.close()
        await _until_gone(receive)


class Flood:
    """Answers 200 with `size` bytes of blanks; `packed` sends them as gzip, which makes a thousandth of them."""

    def __init__(self, *, size: int, packed: bool = False, media_type: str = "text/plain") -> None:
        self._size, self._packed, self._media_type = size, packed, media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = cast(asyncio.Transport, scope[TRANSPORT])
        lines = ["HTTP/1.1 200 OK", f"Content-Type: {self._media_type}", "Connection: close"]
        if self._packed:
            lines.append("Content-Encoding: gzip")
        transport.write("\r\n".join((*lines, "", "")).encode("ascii"))
        for piece in self._pieces():
            transport.write(piece)
            while transport.get_write_buffer_size() > _PIECE and not transport.is_closing():
                await asyncio.sleep(0.001)
            if transport.is_closing():
                break
        transport.close()
        await _until_gone(receive)

    def _pieces(self) -> Iterator[bytes]:
        pack = zlib.compressobj(wbits=31) if self._packed else None
        for begin in range(0, self._size, _PIECE):
            blanks = b" " * min(_PIECE, self._size - begin)
            yield pack.compress(blanks) if pack else blanks
        if pack:
            yield pack.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a Proxy treats what a connection brings back from the server.

    Nothing set: it passes. `silent`: the client's bytes are taken and nothing comes back. `cut_after`: the connection
    is broken off after so many bytes. `size` and `pause`: so many bytes at a time, with so many seconds between.
    """

    silent: bool = False
    cut_after: int | None = None
    size: int = 65536
    pause: float = 0.0


class Proxy(Listener):
    """Passes bytes between its port and another one on loopback; TLS goes through untouched.

    Set `way` at any time; a connection keeps the way it began with. `connections` counts those that came.
    """

    def __init__(self, target: int, *, port: int = 0, way: Way | None = None) -> None:
        super().__init__(port=port)
        self.target = target
        self.way = way or Way()
        self.connections = 0
        self._open: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Proxy:
        self.start()
        return self

    def _protocol(self) -> asyncio.Protocol:
        reader = asyncio.StreamReader()
        return asyncio.StreamReaderProtocol(reader, self._serve)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._pass(reader, writer, self.way))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        try:
            if way.silent:
                while await reader.read(65536):
                    pass
                return
            there, back = await asyncio.open_connection(LOOPBACK, self.target)
            try:
                await _first_done(_copy(reader, back, Way()), _copy(there, writer, way))
            finally:
                back.transport.abort()
        except OSError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _hang_up(self) -> None:
        tasks = tuple(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _first_done(*copies: object) -> None:
    tasks = [asyncio.ensure_future(copy) for copy in copies]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, way: Way) -> None:
    left = way.cut_after
    with contextlib.suppress(OSError):
        while data := await source.read(way.size if left is None else min(way.size, left)):
            target.write(data)
            await target.drain()
            if left is not None:
                left -= len(data)
                if left <= 0:
                    return
            if way.pause:
                await asyncio.sleep(way.pause)
