"""HTTP as endpoints speak it, on sockets, so that everything about it can be switched: HTTP/1.0, one connection or
many, old TLS, a reader that is slow, NTLM first.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import warnings
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from otd.inbound import all_closed
from otd.lab.polycom_profiles import Habits, Registration
from otd.lab.polycom_requests import NTLM_FIRST

_SIP = 100  # bytes that a slow reader takes at a time
_HEAD_LIMIT = 64 * 1024


class CallFailed(Exception):
    """There is no answer that could be read. `outcome` is how the endpoint files it."""

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(why)
        self.outcome, self.why = outcome, why


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer. Header names are in lower case; several of one name are joined by commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def client_context(ca: str, versions: tuple[ssl.TLSVersion, ssl.TLSVersion] | None) -> ssl.SSLContext:
    """TLS of an endpoint: with a CA (PEM) it validates, without it takes any certificate."""
    if ca:
        context = ssl.create_default_context(cadata=ca)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if versions:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what this is about
            context.set_ciphers("DEFAULT@SECLEVEL=0")
            context.minimum_version, context.maximum_version = versions
    return context


class _Connection:
    """One connection; nothing of it is left when it was closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: tuple[str, str]) -> None:
        self.reader, self.writer, self.place = reader, writer, place
        self.used = False

    async def close(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Caller:
    """Calls servers for one endpoint. Not for several tasks at once."""

    def __init__(self, habits: Habits, note: Callable[[str], None]) -> None:
        self._habits, self._note = habits, note
        self._connection: _Connection | None = None
        self._opened: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self.connections = 0  # that were opened so far

    async def call(
        self, method: str, url: str, registration: Registration, *, body: str, action: str, user_agent: str
    ) -> Reply:
        """One request, answered, with a second try where the first one was there to be refused. Raises CallFailed."""
        basic = f"{registration.login_name}:{registration.password}".encode()
        known = "Basic " + base64.b64encode(basic).decode()
        first = {"basic": known, "challenge": "", "ntlm-first": NTLM_FIRST}[registration.auth]
        reply = await self._request(method, url, registration, first, body, action, user_agent)
        if reply.status != 401 or first == known:
            return reply
        offered = reply.headers.get("www-authenticate", "").casefold()
        if "ntlm" in offered or "negotiate" in offered:
            self._note("the server offers NTLM or Negotiate, so endpoints take it")
            raise CallFailed("denied", "the server wants NTLM")
        if self._habits.insists_on_ntlm:
            raise CallFailed("denied", "the server does not offer NTLM")
        if "basic realm=" not in offered:
            self._note("the server refuses without offering Basic")
            raise CallFailed("denied", "the server does not offer Basic")
        if self._connection is None and self._habits.connections != "request" and not self._habits.http10:
            self._note("the server closes the connection when it refuses")
        return await self._request(method, url, registration, known, body, action, user_agent)

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    async def end(self) -> None:
        """Close what is open, and see that connections are gone which were broken off in the middle of a greeting."""
        await self.close()
        await all_closed(self._opened)

    async def _request(
        self,
        method: str,
        url: str,
        registration: Registration,
        authorization: str,
        body: str,
        action: str,
        user_agent: str,
    ) -> Reply:
        data = (b"\xef\xbb\xbf" if self._habits.byte_order_mark else b"") + body.encode()
        head = self._head(method, url, authorization, len(data), action, user_agent)
        try:
            async with asyncio.timeout(self._habits.patience.total_seconds()):
                for last in (False, True):
                    connection = await self._connected(url, registration)
                    reused, connection.used = connection.used, True
                    try:
                        return await self._exchange(connection, head, data)
                    except (OSError, EOFError) as error:
                        await self.close()
                        if last or not reused:  # a kept connection may have been closed meanwhile; a new one may not
                            raise CallFailed("unreachable", "the connection was cut") from error
                raise AssertionError
        except TimeoutError as error:
            await self.close()
            raise CallFailed("unreachable", "no whole answer in time") from error
        except BaseException:
            await self.close()
            raise

    def _head(self, method: str, url: str, authorization: str, length: int, action: str, user_agent: str) -> bytes:
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.{0 if self._habits.http10 else 1}", f"Host: {parts.netloc}"]
        if user_agent:
            lines.append(f"User-Agent: {user_agent}")
        if authorization:
            lines.append(f"Authorization: {authorization}")
        if self._habits.content_type:
            lines.append(f"Content-Type: {self._habits.content_type}")
        if action and self._habits.soap_action:
            lines.append(f'SOAPAction: "{action}"')
        chunked = self._habits.chunked and not self._habits.http10
        lines.append("Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}")
        if self._habits.expect_continue and not self._habits.http10:
            lines.append("Expect: 100-continue")
        if self._habits.connections == "request" and not self._habits.http10:
            lines.append("Connection: close")
        return "\r\n".join((*lines, "", "")).encode("latin-1")

    async def _connected(self, url: str, registration: Registration) -> _Connection:
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc)
        if self._connection is not None and self._connection.place == place:
            return self._connection
        await self.close()
        secure = parts.scheme == "https"
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body must not wait for one another
            if self._habits.slow_reader is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            address = (parts.hostname or "", parts.port or (443 if secure else 80))
            await asyncio.get_running_loop().sock_connect(sock, address)
        except OSError as error:
            sock.close()
            raise CallFailed("unreachable", "no connection") from error
        except BaseException:
            sock.close()
            raise
        self._opened.add(sock)
        try:
            reader, writer = await asyncio.open_connection(
                sock=sock,
                ssl=client_context(registration.ca, self._habits.tls_versions) if secure else None,
                server_hostname=parts.hostname if secure else None,
                limit=2048 if self._habits.slow_reader is not None else _HEAD_LIMIT,
            )
        except ssl.SSLCertVerificationError as error:
            raise CallFailed("untrusted", "the server's certificate is not trusted") from error
        except OSError as error:
            raise CallFailed("unreachable", "no connection") from error
        self.connections += 1
        self._connection = _Connection(reader, writer, place)
        return self._connection

    async def _exchange(self, connection: _Connection, head: bytes, data: bytes) -> Reply:
        connection.writer.write(head)
        chunked = self._habits.chunked and not self._habits.http10
        framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data) if chunked else data
        if b"Expect: 100-continue\r\n" in head:
            await connection.writer.drain()
            version, status, headers = await self._read_head(connection.reader)
            if status == 100:
                connection.writer.write(framed)
                version, status, headers = await self._read_head(connection.reader)
        else:
            connection.writer.write(framed)
            await connection.writer.drain()
            version, status, headers = await self._read_head(connection.reader)
        body, framed_end = await self._read_body(connection.reader, status, headers)
        closing = "close" in headers.get("connection", "").casefold() or version == "HTTP/1.0" or not framed_end
        if closing or self._habits.http10 or self._habits.connections == "request":
            await self.close()
        return Reply(status=status, headers=headers, body=body)

    async def _read_head(self, reader: asyncio.StreamReader) -> tuple[str, int, dict[str, str]]:
        lines: list[str] = []
        size = 0
        while line := (await self._line(reader)).rstrip("\r\n"):
            size += len(line)
            if size > _HEAD_LIMIT:
                raise CallFailed("garbled", "the answer's head is too long")
            lines.append(line)
        version, _, rest = (lines or [""])[0].partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise CallFailed("garbled", "the answer is not HTTP")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            key = name.strip().casefold()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
        return version, int(rest[:3]), headers

    async def _line(self, reader: asyncio.StreamReader) -> str:
        try:
            line = await reader.readline()
        except ValueError as error:  # longer than the reader's limit
            raise CallFailed("garbled", "the answer is not HTTP") from error
        if not line.endswith(b"\n"):
            raise EOFError
        return line.decode("latin-1")

    async def _read_body(
        self, reader: asyncio.StreamReader, status: int, headers: Mapping[str, str]
    ) -> tuple[bytes, bool]:
        """The body, and whether its end was marked, so that the connection can be used again."""
        if status in (204, 304):
            return b"", True
        if "chunked" in headers.get("transfer-encoding", "").casefold():
            if self._habits.http10:
                self._note("the server sends chunks to a client of HTTP/1.0")
            return await self._read_chunks(reader), True
        length = headers.get("content-length", "")
        if length.isdigit():
            return await self._read(reader, int(length)), True
        return await self._read_all(reader), False

    async def _read_chunks(self, reader: asyncio.StreamReader) -> bytes:
        parts: list[bytes] = []
        while True:
            try:
                size = int((await self._line(reader)).partition(";")[0].strip(), 16)
            except ValueError as error:
                raise CallFailed("garbled", "the answer's chunks are not HTTP") from error
            if not size:
                while (await self._line(reader)).strip():
                    pass
                return b"".join(parts)
            parts.append(await self._read(reader, size))
            await self._line(reader)
            if sum(map(len, parts)) > self._habits.largest:
                raise CallFailed("garbled", "the answer is too large")

    async def _read(self, reader: asyncio.StreamReader, length: int) -> bytes:
        if length > self._habits.largest:
            raise CallFailed("garbled", "the answer is too large")
        if self._habits.slow_reader is None:
            return await reader.readexactly(length)
        parts: list[bytes] = []
        left = length
        while left:
            part = await reader.readexactly(min(left, _SIP))
            parts.append(part)
            left -= len(part)
            await asyncio.sleep(self._habits.slow_reader.total_seconds())
        return b"".join(parts)

    async def _read_all(self, reader: asyncio.StreamReader) -> bytes:
        found = await reader.read(self._habits.largest + 1)
        while not reader.at_eof() and len(found) <= self._habits.largest:
            found += await reader.read(65536)
        if len(found) > self._habits.largest:
            raise CallFailed("garbled", "the answer is too large")
        return found
