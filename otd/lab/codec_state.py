"""A simulated Cisco codec without its web server: the list, the clock, the settings, the status and the events."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from otd.lab.codec_bookings import Call, Held, Tree, write_time
from otd.lab.codec_faults import NO_TIME, Faults, Habits
from otd.lab.codec_profiles import Profile
from otd.lab.codec_xml import nested
from otd.ports import Clock

BOOT = "BootEvent"
_WARNING = timedelta(minutes=5)  # TimeRemaining comes so long before the end


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may sign in, and as what: Admin, User, Integrator, RoomControl, Audit."""

    password: str = field(repr=False)
    roles: frozenset[str] = frozenset({"Admin", "User"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that the codec announced: under /Event/Bookings, but for the BootEvent."""

    name: str
    fields: Mapping[str, str | int] = field(default_factory=dict)
    at: datetime

    @property
    def path(self) -> tuple[str, ...]:
        return (self.name,) if self.name == BOOT else ("Bookings", self.name)


@dataclass(slots=True, kw_only=True)
class Slot:
    """A receiver of posts (HttpFeedback)."""

    url: str
    format: str
    expressions: tuple[str, ...]
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who signed in and did not sign out."""

    id: str
    token: str = field(repr=False)
    user: str
    since: datetime


class SystemClock:
    """What time it is."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class State:
    """The state of one codec. Every method may be called from any thread; `changed` is notified of every change."""

    def __init__(
        self,
        *,
        profile: Profile,
        name: str,
        users: Mapping[str, User],
        faults: Faults,
        habits: Habits,
        clock: Clock,
        zone: str,
    ) -> None:
        self.profile, self.faults, self.habits = profile, faults, habits
        self.users = dict(users)
        self.zone = ZoneInfo(zone)
        self.changed = threading.Condition(threading.RLock())
        self.settings = _default_settings(profile, name)
        self._offset = NO_TIME
        self.ntp = "Synced"
        self.teams = False  # runs as a Microsoft Teams Room
        self.serial = f"FLB{secrets.token_hex(4).upper()}"
        self.events: list[Event] = []
        self.listeners: list[Callable[[Event], None]] = []
        self.sessions: dict[str, Session] = {}
        self.slots: dict[int, Slot] = {}
        self.slots_changed: Callable[[], None] = lambda: None
        self.boots = 0
        self._clock, self._advanced = clock, NO_TIME
        self._held: tuple[Held, ...] = ()
        self._updated: datetime | None = None
        self._agenda: list[tuple[datetime, Callable[[], None]]] = []
        self._failed: Counter[str] = Counter()
        self._locked: dict[str, datetime] = {}
        self._booted = self._back = self.true_now()
        self._ticked = self.now()

    # time -------------------------------------------------------------------------------------------------------

    def true_now(self) -> datetime:
        """The lab's time, with what `advance` added."""
        return self._clock.now() + self._advanced

    def now(self) -> datetime:
        """What the codec takes for the time."""
        return self.true_now() + self._offset

    @property
    def clock_offset(self) -> timedelta:
        """How far the codec's clock is ahead. What a jump of the clock leaves out does not happen."""
        return self._offset

    @clock_offset.setter
    def clock_offset(self, offset: timedelta) -> None:
        with self.changed:
            self.tick()
            self._offset = offset
            self._ticked = self.now()
            self.changed.notify_all()

    def advance(self, by: timedelta) -> None:
        """Let time pass; what falls due meanwhile happens."""
        with self.changed:
            self._advanced += by
            self.tick()
            self.changed.notify_all()

    def tick(self) -> None:
        """Let everything happen that is due by now."""
        with self.changed:
            for due in sorted((d for d in self._agenda if d[0] <= self.true_now()), key=lambda d: d[0]):
                self._agenda.remove(due)
                due[1]()
            last, now = self._ticked, self.now()
            self._ticked = now
            for at, name, fields in sorted(self._transitions(), key=lambda t: t[0]):
                if last < at <= now:
                    self.announce(name, fields)
            if not self.habits.keep_past:
                self._held = tuple(b for b in self._held if b.end + b.end_buffer > now)

    def next_due(self) -> timedelta | None:
        """How long until something happens by itself; None when nothing will."""
        with self.changed:
            coming = [at - self.now() for at, _, _ in self._transitions() if at > self._ticked]
            coming += [at - self.true_now() for at, _ in self._agenda]
            return max(min(coming), NO_TIME) if coming else None

    def later(self, after: timedelta, happens: Callable[[], None]) -> None:
        """Let something happen when so much time has passed (and somebody looks, or `tick` is called)."""
        with self.changed:
            self._agenda.append((self.true_now() + after, happens))
            self.tick()
            self.changed.notify_all()

    def _transitions(self) -> Iterator[tuple[datetime, str, Mapping[str, str | int]]]:
        for b in self._held:
            minutes = int((b.end - b.start).total_seconds() // 60)
            times: dict[str, str | int] = {
                "StartTime": write_time(b.start),
                "EndTime": write_time(b.end),
                "ScheduledDuration": minutes,
            }
            yield b.start - b.start_buffer, "StartTimeBuffer", {"Id": b.id}
            yield b.start, "Start", {"Id": b.id}
            if b.end - _WARNING > b.start:
                yield b.end - _WARNING, "TimeRemaining", {"Id": b.id, "Seconds": int(_WARNING.total_seconds())}
            yield b.end, "End", {"Id": b.id, **times}
            if b.end_buffer:
                yield b.end + b.end_buffer, "EndTimeBuffer", {"Id": b.id}

    # the list ---------------------------------------------------------------------------------------------------

    @property
    def bookings(self) -> tuple[Held, ...]:
        """What it holds now, by start."""
        with self.changed:
            self.tick()
            return self._held

    @property
    def last_updated(self) -> datetime | None:
        return self._updated

    def put(self, bookings: tuple[Held, ...]) -> None:
        """Take a list that a client sent, as the faults let it."""
        with self.changed:
            self.tick()
            if not self.faults.ignore_put:
                self.replace(() if self.faults.lose_put else bookings)
            if self.faults.foreign_after is not None:
                self.later(self.faults.foreign_after, self.overwrite)

    def replace(self, bookings: Iterable[Held]) -> None:
        """Hold this list instead, now and whole."""
        with self.changed:
            self._held = tuple(sorted(bookings, key=lambda b: b.start))
            self._updated = self.now().replace(microsecond=0)
            self.announce("Updated")

    def lose(self) -> None:
        """Have no list any more, without an event."""
        with self.changed:
            self._held = ()
            self.changed.notify_all()

    def overwrite(self) -> None:
        """What another management system does: its own list instead of ours."""
        start = self.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        elsewhere = Held(
            id="elsewhere-1",
            title="Put by another system",
            start=start,
            end=start + timedelta(hours=1),
            calls=(Call(number="other@example.net", protocol="SIP"),),
            connect_mode="OBTP",
        )
        self.replace((elsewhere,))

    def delete(self, booking: Held) -> None:
        with self.changed:
            cause = {"Id": booking.id, "Cause": "Deleted", "TimeStamp": write_time(self.now())}
            self.announce("Deleted", cause)
            self.replace(b for b in self._held if b is not booking)

    def current(self) -> Held | None:
        """The booking that is on now."""
        now = self.now()
        return next((b for b in self.bookings if b.start <= now < b.end), None)

    def availability(self) -> Tree:
        now, current = self.now(), self.current()
        if current is not None:
            return {"Status": "BookedUntil", "TimeStamp": write_time(current.end)}
        coming = next((b for b in self.bookings if b.start > now), None)
        if coming is not None:
            return {"Status": "FreeUntil", "TimeStamp": write_time(coming.start)}
        return {"Status": "Free", "TimeStamp": ""}

    def announce(self, name: str, fields: Mapping[str, str | int] | None = None) -> None:
        """Emit an event, if this version has it."""
        with self.changed:
            event = Event(name=name, fields=fields or {}, at=self.now())
            if name in self.profile.events or name == BOOT:
                self.events.append(event)
                for listener in tuple(self.listeners):
                    listener(event)
            self.changed.notify_all()

    # running ----------------------------------------------------------------------------------------------------

    def reboot(self, takes: timedelta = NO_TIME) -> None:
        """Restart: for so long nothing but 502, then without sessions and, as a habit, without the list."""
        with self.changed:
            self.boots += 1
            self.sessions.clear()
            self._back = self._booted = self.true_now() + takes
            if not self.habits.persist_across_reboot:
                self._held, self._updated = (), None
            self.announce(BOOT, {"Action": "Restart"})
            self.announce("SyncRequired")

    @property
    def is_down(self) -> bool:
        """Whether the web server answers but nothing behind it does."""
        return self.true_now() < self._back

    @property
    def uptime(self) -> timedelta:
        return max(self.true_now() - self._booted, NO_TIME)

    # people -----------------------------------------------------------------------------------------------------

    def authenticate(self, name: str, password: str) -> User | None:
        """The user, if name and password are right and the user is not locked out."""
        with self.changed:
            if self._locked.get(name, self.true_now()) > self.true_now():
                return None
            user = self.users.get(name)
            if user is not None and secrets.compare_digest(user.password.encode(), password.encode()):
                self._failed[name] = 0
                return user
            self._failed[name] += 1
            most = int(self.settings["Security Session MaxFailedLogins"])
            if most and self._failed[name] >= most:
                minutes = int(self.settings["Security Session FailedLoginsLockoutTime"])
                self._locked[name] = self.true_now() + timedelta(minutes=minutes)
                self._failed[name] = 0
            return None

    def sign_in(self, name: str) -> Session | None:
        """A new session, which never ends by itself; None when there are too many."""
        with self.changed:
            own = sum(1 for s in self.sessions.values() if s.user == name)
            if own >= int(self.settings["Security Session MaxSessionsPerUser"]):
                return None
            if len(self.sessions) >= int(self.settings["Security Session MaxTotalSessions"]):
                return None
            session = Session(
                id=secrets.token_hex(8), token=secrets.token_hex(32), user=name, since=self.true_now()
            )  # a token of 64 characters
            self.sessions[session.token] = session
            self.changed.notify_all()
            return session

    def sign_out(self, token: str) -> None:
        with self.changed:
            self.sessions.pop(token, None)
            self.changed.notify_all()

    # status -----------------------------------------------------------------------------------------------------

    def status(self) -> Tree:
        """The whole status document."""
        current = self.current()
        bookings: Tree = {"Current": {"Id": current.id if current else ""}}
        if self.profile.availability:
            bookings = {"Availability": self.availability()} | bookings
        return {
            "Bookings": bookings,
            "HttpFeedback": [_shown_slot(self.slots.get(number)) for number in range(1, 5)],
            "Network": [{"IPv4": {"Address": "127.0.0.1"}, "Ethernet": {"MacAddress": "00:00:5E:00:53:01"}}],
            "NetworkServices": {"NTP": {"Status": self.ntp, "Server": [{"Address": "ntp.example.com"}]}},
            "Provisioning": {"Status": "Idle"},
            "SIP": {"Registration": [{"Status": "Registered", "URI": "room@vc.example.com"}]},
            "SystemUnit": self._system_unit(),
            "Time": {"SystemTime": self.now().astimezone(self.zone).strftime("%Y-%m-%dT%H:%M:%S%z")},
            "UserInterface": {"ContactInfo": {"Name": self.settings["SystemUnit Name"]}},
            **({"MicrosoftTeams": {"Software": {"Version": {"TeamsApp": "1449/1.0.96"}}}} if self.teams else {}),
            "Video": {"Output": {"Connector": [{"ConnectedDevice": {"Name": "Example Display"}}]}},
        }

    def documents(self) -> Tree:
        """Status and Configuration, and the names of the commands."""
        return {
            "Status": self.status(),
            "Configuration": nested(self.settings),
            "Command": nested({name: {} for name in self.profile.commands}),
        }

    def _system_unit(self) -> Tree:
        return {
            "Hardware": {"Module": {"SerialNumber": self.serial}},
            "ProductId": self.profile.product,
            "ProductType": "Cisco Codec",
            "Software": {"Name": "s53200", "Version": self.profile.version},
            "Uptime": int(self.uptime.total_seconds()),
        }


def _shown_slot(slot: Slot | None) -> Tree:
    if slot is None:
        return {"URL": "", "Format": "", "Status": "OK"}
    shown: Tree = {"URL": slot.url, "Format": slot.format, "Status": "Failed" if slot.failed else "OK"}
    return shown | {"Expression": list(slot.expressions)}


def _default_settings(profile: Profile, name: str) -> dict[str, str]:
    settings = {
        "Bookings AdhocBooking Enabled": "False",
        "HttpFeedback TlsVerify": "On" if profile.feedback_tls_verify else "Off",
        "NetworkServices HTTP Mode": "HTTPS",
        "NetworkServices NTP Mode": "Auto",
        "Provisioning Mode": "Off",
        "Security Session FailedLoginsLockoutTime": "60",
        "Security Session InactivityTimeout": "0",
        "Security Session MaxFailedLogins": "0",
        "Security Session MaxSessionsPerUser": str(profile.user_sessions),
        "Security Session MaxTotalSessions": str(profile.total_sessions),
        "SystemUnit Name": name,
        "Time Zone": "Etc/UTC",
        "UserInterface Bookings Visibility Title": "Auto",
    }
    hidden = ("Organizer", "TentativeMeetings", "NonJoinableMeetings", "AllDayMeetings") if profile.availability else ()
    settings |= {f"UserInterface Bookings Visibility {name}": "Auto" for name in hidden}
    return settings | ({"NetworkServices Websocket": profile.websocket} if profile.websocket else {})
