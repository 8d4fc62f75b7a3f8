"""A simulated Polycom endpoint: it polls a calendar server as an Exchange client, and shows what it found.

    registration = Registration(urls=("https://127.0.0.1:8443",), user="huddle", password="secret", email="huddle@…")
    with PolycomEndpoint(profile="gs", registration=registration, interval=timedelta(seconds=30)) as endpoint:
        ...  # endpoint.meetings, endpoint.established, endpoint.complaints, endpoint.habits.http10 = True

Written from what is publicly known of the real ones and independent of OTD's server. `otd.lab.polycom_profiles` says
how the models differ and what can be switched; `complaints` are what a server did that Exchange would not have done, or
that an endpoint cannot use.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from otd.lab.certificates import Certificate, self_signed
from otd.lab.codec_state import SystemClock
from otd.lab.polycom_console import Console
from otd.lab.polycom_dialling import Number
from otd.lab.polycom_poll import Poller
from otd.lab.polycom_profiles import PROFILES, Habits, Profile, Registration
from otd.lab.polycom_rest import Rest, Trio
from otd.lab.polycom_state import Asked, Dialled, Held, Poll, State
from otd.lab.server import LOOPBACK, Server
from otd.ports import Clock

__all__ = ["Asked", "Dialled", "Habits", "Held", "Number", "Poll", "PolycomEndpoint", "Registration"]

T = TypeVar("T")
UNREGISTERED = Registration(urls=(), user="", enabled=False)


class PolycomEndpoint:
    """One endpoint, with its own interfaces on loopback ports."""

    def __init__(
        self,
        *,
        profile: str | Profile = "gs",
        name: str = "polycom",
        registration: Registration = UNREGISTERED,
        habits: Habits | None = None,
        interval: timedelta | None = timedelta(seconds=30),
        user: str = "",
        password: str = "",
        port: int = 0,
        command_port: int = 0,
        clock: Clock | None = None,
        zone: str = "UTC",
        certificate: Certificate | None = None,
    ) -> None:
        """`interval` None: it polls only when told to. `user` and `password` are those of its own interfaces; the
        usual user is admin, on a trio Polycom. `port` is that of REST, over TLS. `zone` is where it stands."""
        self.profile = profile if isinstance(profile, Profile) else PROFILES[profile]
        self.name, self.interval = name, interval
        self.habits = habits or Habits()
        self.state = State(
            profile=self.profile,
            name=name,
            registration=registration,
            habits=self.habits,
            clock=clock or SystemClock(),
            zone=zone,
        )
        self._poller = Poller(self.state)
        self._console = Console(self.state, password=password, port=command_port) if self.profile.commands else None
        self._rest = self._new_rest(user, password)
        self._server = (
            Server(self._rest, port=port, certificate=certificate or self_signed(name)) if self._rest else None
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._wake: asyncio.Event | None = None
        self._polling: asyncio.Lock | None = None

    def _new_rest(self, user: str, password: str) -> Rest | Trio | None:
        if self.profile.rest == "trio":
            return Trio(self.state, user=user or "Polycom", password=password)
        return Rest(self.state, user=user or "admin", password=password) if self.profile.rest else None

    # where it is --------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Of its REST interface, "" when it has none."""
        return self._server.url if self._server else ""

    @property
    def port(self) -> int:
        """Of its REST interface, 0 when it has none."""
        return self._server.port if self._server else 0

    @property
    def command_port(self) -> int:
        """Of the line protocol, 0 when it has none."""
        return self._console.port if self._console else 0

    @property
    def address(self) -> str:
        """host:port, as an Endpoint has it: of REST, or of the line protocol where there is no REST."""
        return f"{LOOPBACK}:{self.port or self.command_port}"

    @property
    def fingerprint(self) -> str:
        """ "sha256:HEX" of the certificate of its REST interface."""
        return self._server.fingerprint if self._server else ""

    @property
    def certificate(self) -> str:
        """That certificate as PEM."""
        return self._server.certificate if self._server else ""

    def start(self) -> None:
        """Answer, and poll if there is an interval: at once, and then again and again."""
        for listener in filter(None, (self._console, self._server)):
            listener.start()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=f"polycom-{self.name}", daemon=True)
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Break off what is under way; the list stays."""
        if self._thread is None:
            return
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._thread = None
        for listener in filter(None, (self._console, self._server)):
            listener.stop()

    def __enter__(self) -> PolycomEndpoint:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # polling ------------------------------------------------------------------------------------------------------

    def _run(self, ready: threading.Event) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        self._loop, self._wake, self._polling = loop, asyncio.Event(), asyncio.Lock()
        polls = loop.create_task(self._poll_for_ever())
        loop.call_soon(ready.set)
        try:
            loop.run_forever()
        finally:
            tasks = {polls, *asyncio.all_tasks(loop)}
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(self._poller.end())
            loop.close()
            self._loop = None

    async def _poll_for_ever(self) -> None:
        if self._wake is None:
            raise RuntimeError("the endpoint was not started")
        while True:
            if self.interval is not None and self.state.registration.enabled:
                await self._poll()
            pause = None if self.interval is None else self.interval.total_seconds()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)
            self._wake.clear()

    async def _poll(self) -> Poll:
        if self._polling is None:
            raise RuntimeError("the endpoint was not started")
        async with self._polling:
            return await self._poller.poll()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("the endpoint was not started")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def poll(self) -> Poll:
        """Look at the calendar now; returns what came of it."""
        return self._call(self._poll())

    def register(self, registration: Registration) -> None:
        """Somebody types in other settings: what was there is forgotten, and it polls at once if it polls at all."""

        async def registered() -> None:
            if self._polling is None or self._wake is None:
                return
            async with self._polling:
                self._poller.forget()
                with self.state.changed:
                    self.state.registration = registration
                    self.state.forget_meetings()
            self._wake.set()

        self._call(registered())

    @property
    def registration(self) -> Registration:
        return self.state.registration

    # what it shows ------------------------------------------------------------------------------------------------

    @property
    def meetings(self) -> tuple[Held, ...]:
        """Its list, by start."""
        return self.state.meetings

    @property
    def established(self) -> bool:
        """Whether its calendar service is, which takes a good poll."""
        return self.state.established

    @property
    def status(self) -> str:
        """DISABLED, CONNECTING, ONLINE, OFFLINE, ERR_AUTHENTICATION or ERR_UNKNOWN."""
        return self.state.status

    @property
    def dialled(self) -> tuple[Dialled, ...]:
        """The calls that were begun on it."""
        with self.state.changed:
            return tuple(self.state.dialled)

    # what happened ------------------------------------------------------------------------------------------------

    @property
    def polls(self) -> tuple[Poll, ...]:
        """The latest, oldest first."""
        with self.state.changed:
            return tuple(self.state.polls)

    @property
    def requests(self) -> tuple[Asked, ...]:
        """What it sent, oldest first."""
        with self.state.changed:
            return tuple(self.state.asked)

    def count(self, operation: str = "") -> int:
        """How many requests it sent: of an operation, or in total."""
        with self.state.changed:
            return self.state.counts[operation] if operation else self.state.counts.total()

    @property
    def connections(self) -> int:
        """How many it opened to calendar servers."""
        return self._poller.connections

    @property
    def complaints(self) -> tuple[str, ...]:
        """What servers did wrong, each thing once, in the order in which it was first seen."""
        with self.state.changed:
            return tuple(self.state.complaints)

    @property
    def sessions(self) -> int:
        """How many are signed in at its REST interface."""
        return len(self._rest.sessions) if isinstance(self._rest, Rest) else 0

    @property
    def locked_up(self) -> bool:
        """Whether too many sessions were left open: it answers nothing until `reboot`."""
        return isinstance(self._rest, Rest) and self._rest.locked_up

    def wait_until(self, predicate: Callable[[], bool], within: timedelta) -> bool:
        """Whether it came true in time. It is asked again after everything that happens here."""
        deadline = time.monotonic() + within.total_seconds()
        with self.state.changed:
            while not predicate():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self.state.changed.wait(left)
            return True

    # what happens to it -------------------------------------------------------------------------------------------

    @property
    def clock_offset(self) -> timedelta:
        """How far its clock is ahead of the true time."""
        return self.state.clock_offset

    @clock_offset.setter
    def clock_offset(self, offset: timedelta) -> None:
        self.state.clock_offset = offset

    def reboot(self) -> None:
        """The list, the sessions and the call are gone; it polls as if for the first time."""

        async def rebooted() -> None:
            if self._polling is None or self._wake is None:
                return
            async with self._polling:
                self._poller.forget()
                self.state.restart()
                if isinstance(self._rest, Rest):
                    self._rest.restart()
            self._wake.set()

        self._call(rebooted())
