"""HTTP towards a world that may be slow, broken or hostile: one deadline for the whole call, a cap on the size of the
answer, no redirects, and a certificate that is either vouched for or pinned.

A time-out per read is no bound: an answer that drips one byte a second keeps every single read short. So each wait on
the socket is cut to what is left of the call, from the first connect to the last byte.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpcore
import httpx

from otd.errors import Garbled, OtdError, Unreachable, Untrusted
from otd.tunnel import Proxy, connect

DEFAULT_LIMIT = 16 * 1024 * 1024
_READ = 64 * 1024
_FOREVER = 3600.0  # seconds, where nobody set a deadline
_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock by which a call must be over."""

    at: float

    @classmethod
    def after(cls, within: timedelta) -> Deadline:
        return cls(time.monotonic() + within.total_seconds())

    @classmethod
    def in_seconds(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, more than zero. Raises TimeoutError when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for this call is over")
        return left

    def left(self) -> timedelta:
        """The same as a timedelta."""
        return timedelta(seconds=self.remaining())


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Which certificates are accepted. `accept` is called with the certificate (DER) before anything is sent."""

    context: ssl.SSLContext
    accept: Callable[[bytes], None] | None = None


def public_trust(ca_file: str = "", *, legacy: bool = False) -> Trust:
    """The system's CAs, or the CAs of one PEM file; the name in the certificate must match."""
    return Trust(context=_aged(ssl.create_default_context(cafile=ca_file or None), legacy))


def pinned_trust(accept: Callable[[bytes], None], *, legacy: bool = False) -> Trust:
    """One certificate, judged by `accept`, which raises Untrusted. No CA is asked and no name compared: the
    fingerprint says more than either."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the pin decides, see _connect_tls
    return Trust(context=_aged(context, legacy), accept=accept)


def _aged(context: ssl.SSLContext, legacy: bool) -> ssl.SSLContext:
    """With `legacy` it also speaks TLS 1.0 with the ciphers, hashes and short keys of that time. A context belongs to
    one Http, so nobody else is weakened by it."""
    if legacy:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.options |= 0x4  # OP_LEGACY_SERVER_CONNECT, which ssl names from Python 3.12 on
    return context


def fingerprint(der: bytes) -> str:
    """ "sha256:HEX" of a certificate."""
    return f"sha256:{sha256(der).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole HTTP answer. The body may be private, so it stays out of the repr."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)


def shown_certificate(address: str, *, where: str, within: timedelta, legacy: bool = False) -> str:
    """The fingerprint of the certificate that is shown at host:port (443 unless named). Nothing is sent there."""
    seen: list[str] = []

    def note(der: bytes) -> None:
        seen.append(fingerprint(der))
        raise Untrusted(where, "only looked at")

    http = Http(trust=pinned_trust(note, legacy=legacy), connections=1)
    try:
        with contextlib.suppress(Untrusted):
            http.request("GET", f"https://{address}/", where=where, within=within)
    finally:
        http.close()
    return seen[0]


class Http:
    """A thread-safe pool of connections that all obey the rules of this module."""

    def __init__(
        self,
        *,
        trust: Trust | None = None,
        proxy: Proxy | None = None,
        limit: int = DEFAULT_LIMIT,
        connections: int = 64,
    ) -> None:
        self._limit = limit
        transport = _Transport(trust or public_trust(), proxy, connections)
        self._client = httpx.Client(transport=transport, follow_redirects=False, trust_env=False)

    def request(
        self,
        method: str,
        url: str,
        *,
        where: str,
        within: timedelta,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        limit: int | None = None,
    ) -> Answer:
        """One call, answered whole. Any HTTP status is an answer; a redirect is one, too, and is not followed.

        `where` names the other side in errors. Raises Unreachable (no whole answer within the time), Untrusted
        (certificate), Garbled (not HTTP, cannot be decoded, or larger than the limit).
        """
        cap = self._limit if limit is None else limit
        token = _deadline.set(Deadline.after(within))
        try:
            return self._exchange(method, url, where, headers, content, cap)
        except OtdError:
            raise
        except (TimeoutError, httpcore.TimeoutException, httpx.TimeoutException) as error:
            raise Unreachable(where, f"no whole answer within {within.total_seconds():g} s") from error
        except (httpcore.RemoteProtocolError, httpx.RemoteProtocolError, httpx.DecodingError) as error:
            raise Garbled(where, "the answer is not proper HTTP or was cut off") from error
        except (OSError, httpcore.NetworkError, httpcore.ProxyError, httpx.TransportError) as error:
            raise Unreachable(where, _plain(error)) from error
        except (httpx.InvalidURL, httpcore.UnsupportedProtocol, UnicodeError) as error:
            raise Unreachable(where, "the address is not one that can be called") from error
        finally:
            _deadline.reset(token)

    def _exchange(
        self, method: str, url: str, where: str, headers: Mapping[str, str] | None, content: bytes | None, cap: int
    ) -> Answer:
        with self._client.stream(method, url, headers=headers, content=content) as response:
            declared = response.headers.get("content-length", "")
            if declared.isdigit() and int(declared) > cap:
                raise Garbled(where, f"the answer is larger than {cap} bytes")
            parts: list[bytes] = []
            size = 0
            for part in response.iter_bytes():
                size += len(part)
                if size > cap:
                    raise Garbled(where, f"the answer is larger than {cap} bytes")
                parts.append(part)
            return Answer(status=response.status_code, headers=response.headers, body=b"".join(parts))

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _plain(error: Exception) -> str:
    """The cause in words, without anything that came from the other side."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed ({cause.reason or 'handshake broken off'})".replace("_", " ").lower().replace("tls", "TLS")
    if isinstance(cause, socket.gaierror):
        return "the name cannot be resolved"
    if isinstance(cause, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(cause, ConnectionResetError | BrokenPipeError):
        return "the connection was cut"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return "the connection failed"


class _Transport(httpx.BaseTransport):
    """httpx on an httpcore pool whose sockets keep to the deadline of the call."""

    def __init__(self, trust: Trust, proxy: Proxy | None, connections: int) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust.context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=30.0,
            network_backend=_Backend(trust, proxy),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        deadline = _deadline.get()
        pool_wait = {"pool": deadline.remaining()} if deadline else {}
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions={"timeout": pool_wait},
            )
        )
        return httpx.Response(
            status_code=response.status, headers=response.headers, stream=_Body(response), extensions={}
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Backend(httpcore.NetworkBackend):
    def __init__(self, trust: Trust, proxy: Proxy | None) -> None:
        self._trust, self._proxy = trust, proxy

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        sock = connect(host, port, left=lambda: _left(timeout) or _FOREVER, proxy=self._proxy)
        return _Stream(sock, self._trust)


class _Stream(httpcore.NetworkStream):
    def __init__(self, sock: socket.socket, trust: Trust) -> None:
        self._sock, self._trust = sock, trust

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._sock.settimeout(_left(timeout))
        return self._sock.recv(min(max_bytes, _READ))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        while view:
            self._sock.settimeout(_left(timeout))
            view = view[self._sock.send(view) :]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        host = server_hostname or "the other side"
        try:
            self._sock.settimeout(_left(timeout))
            secured = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise Untrusted(
                host,
                f"its certificate is not trusted: {error.verify_message}",
                "give the CA's file in the settings, or pin the certificate",
            ) from error
        except BaseException:
            self.close()
            raise
        try:
            if self._trust.accept is not None:
                self._trust.accept(secured.getpeercert(binary_form=True) or b"")
        except BaseException:
            secured.close()
            raise
        return _Stream(secured, self._trust)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object" and isinstance(self._sock, ssl.SSLSocket):
            return self._sock
        if info == "socket":
            return self._sock
        if info == "is_readable":
            return _is_readable(self._sock)
        return None


def _is_readable(sock: socket.socket) -> bool:
    """Whether the pool must drop this idle connection: something came, or it was closed."""
    poll = select.poll()
    try:
        poll.register(sock.fileno(), select.POLLIN)
    except (ValueError, OSError):
        return True
    return bool(poll.poll(0))


def _left(timeout: float | None) -> float | None:
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    return deadline.remaining() if timeout is None else min(timeout, deadline.remaining())
