"""The connection under exchangelib: a requests adapter that holds one deadline for a whole read, caps the size of an
answer and trusts our CAs only.

requests knows time-outs per wait on the socket, which an answer that drips passes for ever. So every wait is cut here
to what is left of the read. It stays urllib3 underneath, since NTLM takes the server's certificate from its socket.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from otd.errors import Garbled, OtdError, Unreachable, Untrusted
from otd.outbound import Deadline

_CHUNK = 64 * 1024


class TooLargeError(Garbled):
    """The answer is larger than the limit; asking for less may help."""


_deadline: ContextVar[Deadline | None] = ContextVar("ews_deadline", default=None)


@contextmanager
def holding(deadline: Deadline) -> Iterator[None]:
    """Every wait on a socket of this module, in this thread, ends with the deadline."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def _left() -> float | None:
    deadline = _deadline.get()
    return deadline.remaining() if deadline else None


class _Socket(socket.socket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(_left())  # holds for the whole of sendall
        super().sendall(*args, **kwargs)


class _TlsSocket(ssl.SSLSocket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left())
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left())
        return super().send(*args, **kwargs)


def _connected(host: str, port: int) -> socket.socket:
    """Like urllib3's, but all addresses of a name share the time."""
    failure: OSError = OSError("no address")
    for family, kind, number, _, address in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM):
        sock = _Socket(family, kind, number)
        try:
            sock.settimeout(_left())
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(_left())  # for the TLS handshake
            return sock
        except OSError as error:
            sock.close()
            failure = error
            if isinstance(error, TimeoutError):
                break
    raise failure


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self._dns_host, self.port)


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self._dns_host, self.port)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Response(requests.Response):
    """Read in large pieces whatever size is asked for, and only up to the limit; raises OtdError."""

    connection: Adapter

    def iter_content(self, chunk_size: int | None = _CHUNK, decode_unicode: bool = False) -> Iterator[Any]:
        size, where, limit = 0, self.connection.where, self.connection.limit
        try:
            for part in super().iter_content(max(chunk_size or _CHUNK, _CHUNK), decode_unicode):
                size += len(part)
                if size > limit:
                    self.raw.close()  # what is left of it must not be taken for the next answer
                    raise TooLargeError(where, f"the answer is larger than {limit} bytes")
                yield part
        except (requests.RequestException, OSError) as error:
            self.raw.close()
            raise self.connection.fault(error) from error


class Adapter(HTTPAdapter):
    """For one server and one session. `status` and `headers` are of the last answer, whatever became of it."""

    def __init__(self, context: ssl.SSLContext, where: str, limit: int) -> None:
        self._context = context
        self.limit = limit
        self.where = where
        self.status = 0
        self.headers: Any = {}
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """The context decides, and nothing is added to its CAs."""
        conn.cert_reqs, conn.ca_certs, conn.ca_cert_dir = "CERT_REQUIRED", None, None

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        """As requests wants it, but without proxies and with one time for all; raises OtdError."""
        self.status, self.headers = 0, {}
        try:
            response = super().send(request, stream=True, timeout=_left(), verify=True)
        except (requests.RequestException, OSError) as error:
            raise self.fault(error) from error
        self.status, self.headers = response.status_code, response.headers
        return response

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        response = super().build_response(req, resp)
        response.__class__ = _Response
        return response

    def fault(self, error: BaseException) -> OtdError:
        """What went wrong on the way, without anything that came from the other side."""
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return Untrusted(
                    self.where,
                    f"the server's certificate is not trusted: {cause.verify_message}",
                    "give the CA's file in the settings",
                )
            if isinstance(cause, TimeoutError | requests.Timeout):
                return Unreachable(self.where, "no whole answer within the time")
            if isinstance(cause, ssl.SSLError):
                return Unreachable(self.where, "TLS failed")
            if isinstance(cause, socket.gaierror):
                return Unreachable(self.where, "the server's name cannot be resolved", "check url")
            if isinstance(cause, ConnectionRefusedError):
                return Unreachable(self.where, "the connection was refused")
            if isinstance(cause, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
                return Garbled(self.where, "the answer was cut off or cannot be decoded")
        return Unreachable(self.where, "the connection was cut")


def tls_context(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, making sockets that keep to the deadline."""
    context.sslsocket_class = _TlsSocket
    return context


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made of, the innermost first: requests and urllib3 wrap each other."""
    seen: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or one in seen:
            continue
        seen.append(one)
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    yield from reversed(seen)
