"""A simulated Cisco codec, written from what is publicly known of the real ones and independent of OTD's driver.

    with Codec(profile="roomos11", name="Atrium", users={"otd": "secret"}) as codec:
        ...  # codec.url, codec.bookings, codec.faults.slow = timedelta(seconds=5), codec.log, codec.reboot()

It speaks /getxml, /putxml, /bookingsputxml, /xmlapi/session and JSON-RPC over /ws. `otd.lab.codec_profiles` says what
differs between software versions, `otd.lab.codec_faults` what can go wrong and what is not established.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from otd.lab.certificates import Certificate, self_signed
from otd.lab.codec_bookings import Call, Held
from otd.lab.codec_faults import NO_TIME, Faults, Habits
from otd.lab.codec_feedback import Poster
from otd.lab.codec_http import Web
from otd.lab.codec_log import Log, Logged
from otd.lab.codec_profiles import PROFILES, Profile
from otd.lab.codec_state import Event, Session, State, SystemClock, User
from otd.lab.codec_tls import limited
from otd.lab.codec_ws import Socket
from otd.lab.server import LOOPBACK, Receive, Scope, Send, Server
from otd.ports import Clock

__all__ = ["Call", "Codec", "Event", "Faults", "Habits", "Held", "Logged", "Session", "User"]


class Codec:
    """One codec on a loopback port. It keeps its port, certificate and list when it is stopped and started again."""

    def __init__(
        self,
        *,
        profile: str | Profile = "roomos11",
        name: str = "codec",
        users: Mapping[str, str | User] | None = None,
        tls: bool = True,
        port: int = 0,
        speed: float | None = 1.0,
        clock: Clock | None = None,
        zone: str = "UTC",
        certificate: Certificate | None = None,
        tls_versions: tuple[ssl.TLSVersion, ssl.TLSVersion] | None = None,
    ) -> None:
        """`users` are passwords (of admins) or Users by name. `speed` scales the rate limits: 1 request a second with
        a password, 15 with a session; None switches them off. `tls_versions` are the lowest and the highest that it
        speaks. `zone` is where it stands: DayOffset counts from midnight there."""
        self.profile = profile if isinstance(profile, Profile) else PROFILES[profile]
        self.name = name
        self.faults, self.habits = Faults(), Habits()
        known = {"admin": ""} if users is None else users
        self.state = State(
            profile=self.profile,
            name=name,
            users={who: User(password=u) if isinstance(u, str) else u for who, u in known.items()},
            faults=self.faults,
            habits=self.habits,
            clock=clock or SystemClock(),
            zone=zone,
        )
        self._log = Log(self.state.changed)
        self._web = Web(self.state, self._log)
        self._web.speed = speed
        self._socket = Socket(self.state, self._log)
        self._poster = Poster(self.state)
        self._tls_versions = tls_versions
        self._server = self._new_server(port, certificate or (self_signed(name) if tls else None))

    def _new_server(self, port: int, certificate: Certificate | None) -> Server:
        if certificate is not None and self._tls_versions is not None:
            certificate = limited(certificate, *self._tls_versions)
        return Server(self.app, port=port, certificate=certificate, websockets=bool(self.profile.websocket))

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The codec as an ASGI app."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._web(scope, receive, send)

    # where it is --------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def address(self) -> str:
        """host:port, as an Endpoint has it."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def fingerprint(self) -> str:
        """ "sha256:HEX" of the certificate, "" without TLS."""
        return self._server.fingerprint

    @property
    def certificate(self) -> str:
        """The certificate as PEM, "" without TLS."""
        return self._server.certificate

    def start(self) -> None:
        self._server.start()
        self._poster.resume()

    def stop(self) -> None:
        """Connections are refused from now on, and those that are open break off."""
        self._poster.stop()
        self._server.stop()

    def __enter__(self) -> Codec:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def change_certificate(self, certificate: Certificate | None = None) -> None:
        """Show another certificate on the same port, as after a factory reset, or when somebody else answers there."""
        running, port = self._server.running, self._server.port
        self._server.stop()
        self._server = self._new_server(port, certificate or self_signed(self.name))
        if running:
            self._server.start()

    # what it holds ------------------------------------------------------------------------------------------------

    @property
    def bookings(self) -> tuple[Held, ...]:
        """The list as it is now, by start."""
        return self.state.bookings

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(b.id for b in self.bookings)

    @property
    def last_updated(self) -> datetime | None:
        return self.state.last_updated

    @property
    def events(self) -> tuple[Event, ...]:
        """What it announced, oldest first."""
        with self.state.changed:
            self.state.tick()
            return tuple(self.state.events)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Who is signed in."""
        with self.state.changed:
            return tuple(self.state.sessions.values())

    # what was asked -----------------------------------------------------------------------------------------------

    @property
    def log(self) -> tuple[Logged, ...]:
        """Every request since the beginning, or since `forget_log`."""
        return self._log.entries

    @property
    def puts(self) -> tuple[Logged, ...]:
        """The requests that put a list (or cleared it), with the ids that were in it."""
        return tuple(entry for entry in self.log if entry.ids is not None)

    @property
    def most_at_once(self) -> int:
        """How many requests were being answered at the same time, at most."""
        return self._log.most_at_once

    @property
    def refused(self) -> int:
        """How many requests it turned away because there were too many of them."""
        return self._web.refused

    def forget_log(self) -> None:
        self._log.clear()

    def wait_until(self, predicate: Callable[[], bool], within: timedelta) -> bool:
        """Whether it came true in time. It is asked again after every request, write and event."""
        deadline = time.monotonic() + within.total_seconds()
        with self.state.changed:
            while True:
                self.state.tick()
                if predicate():
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                coming = self.state.next_due()
                self.state.changed.wait(left if coming is None else min(left, coming.total_seconds() + 0.001))

    # what happens to it -------------------------------------------------------------------------------------------

    @property
    def speed(self) -> float | None:
        """How much faster than a real codec the rate limits are; None: there are none."""
        return self._web.speed

    @speed.setter
    def speed(self, speed: float | None) -> None:
        self._web.speed = speed

    def advance(self, by: timedelta) -> None:
        """Let time pass at once; meetings begin and end meanwhile."""
        self.state.advance(by)

    @property
    def clock_offset(self) -> timedelta:
        """How far the codec's clock is ahead of the true time."""
        return self.state.clock_offset

    @clock_offset.setter
    def clock_offset(self, offset: timedelta) -> None:
        self.state.clock_offset = offset

    def reboot(self, takes: timedelta = NO_TIME) -> None:
        """Restart: 502 for so long; the list (unless habits.persist_across_reboot) and all sessions are gone."""
        self.state.reboot(takes)
        self._socket.hang_up()

    def drop_list(self) -> None:
        """Lose the list, without a word and without an event."""
        self.state.lose()

    def overwrite(self, bookings: Iterable[Held] | None = None) -> None:
        """Another system puts its own list."""
        if bookings is None:
            self.state.overwrite()
        else:
            self.state.replace(bookings)

    def change_password(self, user: str, password: str) -> None:
        """Basic with the old one gets 401 from now on; the user's sessions end."""
        with self.state.changed:
            known = self.state.users.get(user)
            self.state.users[user] = User(password=password, **({"roles": known.roles} if known else {}))
            for session in tuple(self.state.sessions.values()):
                if session.user == user:
                    self.state.sign_out(session.token)

    def set_time(self, now: datetime) -> None:
        """Set the codec's own clock, right or wrong."""
        self.state.clock_offset = now.astimezone(UTC) - self.state.true_now()
