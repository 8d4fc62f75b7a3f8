"""HTTPS for others to call: an ASGI application served on one address and port, in a thread of its own.

uvicorn's protocol speaks HTTP; accepting and TLS are done here, so that a new certificate is shown from the next
connection on, a client that says nothing is let go, and nobody takes all connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import threading
import weakref
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import formatdate
from typing import Any

import structlog
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from otd.certificates import Certificate, CertificateFiles
from otd.errors import BadSetting

_HANDSHAKE = timedelta(seconds=10)
_HEAD = timedelta(seconds=20)  # from the connection, or the first byte, to the end of a request's head
_KEEP_ALIVE = timedelta(seconds=75)
_PAUSE = timedelta(seconds=1)
_STUCK = timedelta(seconds=30)  # a client that takes nothing of an answer for so long is gone
_LOOK = timedelta(seconds=30)  # how often the certificate's files are looked at
_CONNECTIONS = 4000
_CONNECTIONS_OF_ONE = 1000  # from one address: a load balancer has but one
_LONGEST_HEAD = 64 * 1024
_TURNS = 80  # of the loop, in which what was broken off is closed
log = structlog.get_logger(__name__)


class Server:
    """A running server; `stop` ends it. Made by `serve`."""

    def __init__(
        self, app: Any, name: str, address: str, port: int, files: CertificateFiles | None, look: timedelta
    ) -> None:
        self._certificate = Certificate(files) if files is not None else None
        self._look = look
        self._socket = listening(name, address, port)
        self.address, self.port = self._socket.getsockname()[:2]
        self._config = Config(
            app,
            http="h11",
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(_KEEP_ALIVE.total_seconds()),
            h11_max_incomplete_event_size=_LONGEST_HEAD,
        )
        self._config.load()
        self._state = _State()
        self._greeting: set[asyncio.Task[None]] = set()
        self._accepted: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._by_address: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"otd-{name}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'https' if self._certificate else 'http'}://{host}:{self.port}"

    @property
    def expires(self) -> datetime | None:
        """When the certificate that is shown runs out, None without TLS."""
        return self._certificate.expires if self._certificate is not None else None

    @property
    def fingerprint(self) -> str:
        """ "sha256:HEX" of the certificate that is shown, "" without TLS."""
        return self._certificate.fingerprint if self._certificate is not None else ""

    @property
    def self_signed(self) -> bool:
        """Whether the certificate that is shown is vouched for by nobody else."""
        leaf = self._certificate.leaf if self._certificate is not None else None
        return leaf is not None and leaf.issuer == leaf.subject

    def refresh(self) -> bool:
        """Look at the certificate's files now; whether a new one is shown from the next connection on."""
        return self._certificate is not None and self._certificate.refresh()

    def stop(self) -> None:
        """Take no new connections, break off those that are open, leave nothing behind."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # in the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._socket.close()
            self._loop.close()

    async def _serve(self) -> None:
        self._loop.add_reader(self._socket, self._accept)
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._look.total_seconds())
            self.refresh()
        self._loop.remove_reader(self._socket)
        await self._hang_up()

    def _accept(self) -> None:
        for _ in range(64):  # all that wait, so that a burst costs one turn of the loop
            try:
                connection, peer = self._socket.accept()
            except OSError as error:  # none left, or gone before it was accepted: the loop comes back
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._pause()
                return
            address = str(peer[0])
            open_now = len(self._state.connections) + len(self._greeting)
            if open_now >= _CONNECTIONS or self._by_address.get(address, 0) >= _CONNECTIONS_OF_ONE:
                connection.close()
                continue
            self._accepted.add(connection)
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STUCK // timedelta(milliseconds=1))
            self._by_address[address] = self._by_address.get(address, 0) + 1
            greeting = self._loop.create_task(self._greet(connection, address))
            self._greeting.add(greeting)
            greeting.add_done_callback(self._greeting.discard)

    def _pause(self) -> None:
        """Out of descriptors: let some be given back, rather than to turn in circles."""
        self._loop.remove_reader(self._socket)
        self._loop.call_later(_PAUSE.total_seconds(), self._loop.add_reader, self._socket, self._accept)

    async def _greet(self, connection: socket.socket, address: str) -> None:
        protocol = _Protocol(self, address)
        tls = self._certificate.context if self._certificate is not None else None
        limits: dict[str, Any] = {"ssl_handshake_timeout": _HANDSHAKE.total_seconds()} if tls else {}
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls, **limits)
        except OSError:  # the client broke off, or would not have our certificate; ssl.SSLError is an OSError
            pass
        finally:
            if not protocol.made:
                self.leave(address)

    def leave(self, address: str) -> None:
        """A connection from there is gone."""
        left = self._by_address.get(address, 0) - 1
        if left > 0:
            self._by_address[address] = left
        else:
            self._by_address.pop(address, None)

    async def _hang_up(self) -> None:
        await asyncio.sleep(0)  # all have begun by then, and close what they were given
        greeting = tuple(self._greeting)
        for task in greeting:
            task.cancel()
        await asyncio.gather(*greeting, return_exceptions=True)
        for connection in tuple(self._state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        tasks = tuple(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await all_closed(self._accepted)


async def all_closed(connections: Iterable[socket.socket]) -> None:
    """Connections that were broken off are closed some turns of the loop later; one that is not by then, because TLS
    awaits the other side's goodbye, is taken for gone."""
    for turn in range(_TURNS):
        left = [one for one in connections if one.fileno() != -1]
        if not left:
            return
        if turn == _TURNS // 2:
            for one in left:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        await asyncio.sleep(0 if turn < _TURNS // 4 else 0.01)


class _State(ServerState):
    """uvicorn's list of connections and tasks; the Date header is made when it is asked for, so no timer is needed."""

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"date", formatdate(usegmt=True).encode("ascii"))]

    @default_headers.setter
    def default_headers(self, value: list[tuple[bytes, bytes]]) -> None:
        """There are no others."""


class _Protocol(H11Protocol):
    """uvicorn's HTTP, which lets go of a client that does not ask anything."""

    def __init__(self, server: Server, address: str) -> None:
        super().__init__(config=server._config, server_state=server._state, app_state={}, _loop=server._loop)
        self.logger = logging.getLogger("otd.inbound")
        self.access_log = False
        self.made = False
        self._server, self._address = server, address
        self._head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.made = True
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_idle():
            self._await_head()
        elif self._head is not None:
            self._head.cancel()
            self._head = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head is not None:
            self._head.cancel()
        self._unset_keepalive_if_required()
        self._server.leave(self._address)
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(_HEAD.total_seconds(), self._hurry)

    def _hurry(self) -> None:
        self._head = None
        if self._is_idle():
            self.transport.abort()


def listening(name: str, address: str, port: int) -> socket.socket:
    """A socket that takes connections there. Raises BadSetting when that cannot be."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(512)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise BadSetting(
            f"the address of the {name}, {address}:{port}",
            f"it cannot be listened on: {error.strerror}",
            "choose another",
        ) from None
    return listening


def serve(
    app: Any, *, name: str, address: str, port: int, certificate: CertificateFiles | None, look: timedelta = _LOOK
) -> Server:
    """Serve the application; when this returns, connections are accepted. `name` says what it is, in messages.
    `certificate` None is plain HTTP, for a proxy on the same machine. Raises BadSetting when the certificate or the
    address cannot be used."""
    return Server(app, name, address, port, certificate, look)
