"""Runs ASGI apps on loopback, all on one event loop in one thread, over HTTP or HTTPS.

    with Server(app, tls=True) as server:
        ...  # server.url, server.port, server.fingerprint, server.certificate

uvicorn's protocol speaks HTTP; accepting, TLS and stopping are done here, so that a dozen servers cost one thread, a
start takes milliseconds, and a stop leaves no thread, socket, file or warning behind. A stopped server can be started
again: it keeps its port and its certificate, as a system that reboots does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from email.utils import formatdate
from typing import Any, TypeVar

from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from otd.inbound import all_closed
from otd.lab.certificates import Certificate, self_signed

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = "127.0.0.1"
TRANSPORT = (
    "otd.lab.transport"  # the key in a request's scope under which an app finds its connection, see otd.lab.wire
)

T = TypeVar("T")


class _Reactor:
    """The one thread with the event loop that all servers of this process share; there only while one of them runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name="otd-lab", daemon=True)
                self._thread.start()

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users or self._loop is None or self._thread is None:
                return
            self.call(_turns())  # connections that were closed by the other side just now
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it on the loop and wait for its result."""
        if self._loop is None:
            raise RuntimeError("the lab's event loop is not running")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _turns() -> None:
    """Let the loop turn: connections learn that they are closed some turns later, with TLS more than without."""
    for _ in range(5):
        await asyncio.sleep(0)


_REACTOR = _Reactor()


class Listener:
    """Accepts connections on a loopback port and hands each to a protocol; the part that servers and proxies share."""

    def __init__(self, *, port: int = 0, certificate: Certificate | None = None) -> None:
        self.port = port
        self._certificate = certificate
        self._tls: ssl.SSLContext | None = certificate.context() if certificate else None
        self._socket: socket.socket | None = None
        self._greeting: set[asyncio.Task[None]] = set()
        self._accepted: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    @property
    def url(self) -> str:
        return f"{'https' if self._certificate else 'http'}://{LOOPBACK}:{self.port}"

    @property
    def certificate(self) -> str:
        """The certificate as PEM, "" without TLS."""
        return self._certificate.pem if self._certificate else ""

    @property
    def fingerprint(self) -> str:
        """ "sha256:HEX" of the certificate's DER form, "" without TLS."""
        return self._certificate.fingerprint if self._certificate else ""

    @property
    def running(self) -> bool:
        return self._socket is not None

    def start(self) -> None:
        """Listen; when this returns, connections are accepted. Raises OSError when the port is taken."""
        if self._socket is not None:
            return
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((LOOPBACK, self.port))
            listening.listen(512)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        self._socket = listening
        _REACTOR.enter()
        _REACTOR.call(self._begin(listening))

    def stop(self) -> None:
        """Refuse new connections, break off those that are open, forget what is being answered."""
        if self._socket is None:
            return
        _REACTOR.call(self._end(self._socket))
        self._socket.close()
        self._socket = None
        _REACTOR.leave()

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    async def _begin(self, listening: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except OSError:  # gone before it was accepted, or out of descriptors: the loop comes back
            return
        self._accepted.add(connection)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        greeting = asyncio.get_running_loop().create_task(self._greet(connection))
        self._greeting.add(greeting)
        greeting.add_done_callback(self._greeting.discard)

    async def _greet(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # the client broke off, or would not have our certificate
            await loop.connect_accepted_socket(self._protocol, connection, ssl=self._tls)

    def _protocol(self) -> asyncio.Protocol:
        raise NotImplementedError

    async def _hang_up(self) -> None:
        """Break off what is open."""
        raise NotImplementedError

    async def _end(self, listening: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(listening)
        await asyncio.sleep(0)  # all have begun by then, and close what they were given
        greeting = tuple(self._greeting)
        for task in greeting:
            task.cancel()
        await asyncio.gather(*greeting, return_exceptions=True)
        await self._hang_up()
        await all_closed(self._accepted)


class _State(ServerState):
    """uvicorn's list of connections and tasks; the Date header is made when it is asked for, so no timer is needed."""

    def __init__(self) -> None:
        self.total_requests = 0
        self.connections = set()
        self.tasks = set()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:  # type: ignore[override]
        return [(b"date", formatdate(usegmt=True).encode("ascii"))]


class _Protocol(H11Protocol):
    """uvicorn's HTTP, logging under the lab's name, and telling an app which connection it answers on."""

    def __init__(self, config: Config, state: _State, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(config=config, server_state=state, app_state={}, _loop=loop)
        self.logger = logging.getLogger("otd.lab")
        self.access_log = False
        app = self.app

        async def answering(scope: Any, receive: Any, send: Any) -> None:
            scope[TRANSPORT] = self.transport
            with contextlib.suppress(asyncio.CancelledError):  # the server is being stopped
                await app(scope, receive, send)

        self.app = answering


class Server(Listener):
    """An ASGI app on a loopback port. `port` 0 takes a free one; with `tls` it shows a self-signed certificate."""

    def __init__(
        self,
        app: App,
        *,
        tls: bool = False,
        port: int = 0,
        name: str = "otd-lab",
        certificate: Certificate | None = None,
        websockets: bool = False,
    ) -> None:
        """`name` is the certificate's common name; `certificate` shows that one instead of a new one."""
        super().__init__(port=port, certificate=certificate or (self_signed(name) if tls else None))
        self._config = Config(
            app,
            http="h11",
            ws="websockets-sansio" if websockets else "none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,
        )
        self._config.load()
        self._state = _State()

    def __enter__(self) -> Server:
        self.start()
        return self

    def _protocol(self) -> asyncio.Protocol:
        return _Protocol(self._config, self._state, asyncio.get_running_loop())

    async def _hang_up(self) -> None:
        for connection in tuple(self._state.connections):
            timer = getattr(connection, "timeout_keep_alive_task", None)
            if timer is not None:
                timer.cancel()
            connection.transport.abort()
        await _turns()
        tasks = tuple(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
