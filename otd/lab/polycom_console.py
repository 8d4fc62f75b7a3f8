"""The port on which a simulated Polycom endpoint takes commands, a line each, after a password."""

from __future__ import annotations

import asyncio
import hmac

from otd.lab.polycom_commands import Session, answer
from otd.lab.polycom_state import State
from otd.lab.server import Listener

_LONGEST_LINE = 4096
_TRIES = 3


class Console(Listener):
    """Listens on a loopback port, in the clear as the real one. An empty password asks for none."""

    def __init__(self, state: State, *, password: str = "", port: int = 0) -> None:
        super().__init__(port=port)
        self.state, self.password = state, password
        self._open: set[_Connection] = set()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def _protocol(self) -> asyncio.Protocol:
        return _Connection(self, self._open)

    async def _hang_up(self) -> None:
        for connection in tuple(self._open):
            connection.abort()


class _Connection(asyncio.Protocol):
    def __init__(self, console: Console, open: set[_Connection]) -> None:
        self._console, self._open = console, open
        self._session: Session | None = None
        self._left = _TRIES
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - streams have no other
        self._transport = transport
        self._open.add(self)
        if self._console.password:
            transport.write(b"Password: ")
        else:
            self._greet()

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) > _LONGEST_LINE and b"\n" not in self._pending:
            self.abort()
            return
        while b"\n" in self._pending and self._transport is not None and not self._transport.is_closing():
            line, _, self._pending = self._pending.partition(b"\n")
            self._take(line.decode("utf-8", "replace").strip("\r\0 "))

    def _take(self, line: str) -> None:
        if self._session is None:
            self._sign_in(line)
        elif line in ("exit", "quit"):
            self._say("bye")
            if self._transport is not None:
                self._transport.close()
        else:
            self._say(*answer(line, self._console.state, self._session))

    def _sign_in(self, line: str) -> None:
        if hmac.compare_digest(line.encode(), self._console.password.encode()):
            self._greet()
            return
        self._left -= 1
        self._say("Password failed")
        if self._transport is None:
            return
        if self._left:
            self._transport.write(b"Password: ")
        else:
            self._transport.close()

    def _greet(self) -> None:
        self._session = Session()
        state = self._console.state
        self._say(
            f"Welcome to {state.name}", f"Model: {state.profile.model}", f"Software Version: {state.profile.software}"
        )

    def _say(self, *lines: str) -> None:
        end = "\r\r\n" if self._console.state.habits.odd_line_ends else "\r\n"
        if self._transport is not None:
            self._transport.write("".join(line + end for line in lines).encode())
