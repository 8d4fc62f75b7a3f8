"""What a simulated Polycom endpoint holds, and what happened to it."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from otd.lab.polycom_dialling import Number
from otd.lab.polycom_profiles import Habits, Profile, Registration
from otd.ports import Clock

Outcome = Literal[
    "ok",
    "unreachable",  # no connection, or no whole answer
    "untrusted",  # the server's certificate
    "denied",  # 401, or no way of signing in
    "refused",  # another HTTP status, a SOAP fault, an error in the response
    "garbled",  # an answer that cannot be read
]
PRIVATE = "private meeting"
_KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A meeting in the endpoint's list."""

    id: str
    change_key: str
    uid: str = ""
    subject: str = field(repr=False)
    start: datetime
    end: datetime
    private: bool = False
    organizer: str = field(default="", repr=False)
    location: str = field(default="", repr=False)
    body: str = field(default="", repr=False)
    numbers: tuple[Number, ...] = field(default=(), repr=False)
    password: str = field(default="", repr=False)
    required: tuple[str, ...] = field(default=(), repr=False)
    optional: tuple[str, ...] = field(default=(), repr=False)
    all_day: bool = False
    cancelled: bool = False
    recurring: bool = False

    @property
    def dialable(self) -> bool:
        """Whether there is a Join button: a video number."""
        return any(number.media == "video" for number in self.numbers)

    @property
    def dials(self) -> str:
        """The first video number, "" when there is none."""
        return next((number.address for number in self.numbers if number.media == "video"), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One look at the calendar. `code` is the server's, such as ErrorServerBusy or an HTTP status."""

    at: datetime
    url: str
    outcome: Outcome
    why: str = ""
    code: str = ""
    found: int = 0  # items in the view
    fetched: int = 0  # items that were asked for one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that the endpoint sent, and the status of its answer (0: there was none)."""

    operation: str
    url: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """A call that was begun."""

    address: str = field(repr=False)
    protocol: str = ""  # sip, h323, "" for what fits
    meeting: str = ""  # the id of the meeting that was joined


class State:
    """Safe from any thread; `changed` is notified of every change."""

    def __init__(
        self, *, profile: Profile, name: str, registration: Registration, habits: Habits, clock: Clock, zone: str
    ) -> None:
        self.changed = threading.Condition()
        self.profile, self.name, self.habits = profile, name, habits
        self.registration = registration
        self.zone = ZoneInfo(zone)
        self.clock_offset = timedelta(0)  # how far its clock is ahead
        self.server = ""  # the last URL that was polled
        self.last_good: datetime | None = None
        self.polls: deque[Poll] = deque(maxlen=_KEPT)
        self.asked: deque[Asked] = deque(maxlen=_KEPT)
        self.counts: Counter[str] = Counter()
        self.complaints: dict[str, int] = {}  # what -> how often
        self.call: Dialled | None = None
        self.dialled: list[Dialled] = []
        self._clock = clock
        self._meetings: dict[str, Held] = {}
        self.up_since = self.now()

    def now(self) -> datetime:
        """By its own clock."""
        return self._clock.now() + self.clock_offset

    def local(self, time: datetime) -> datetime:
        return time.astimezone(self.zone)

    @property
    def meetings(self) -> tuple[Held, ...]:
        with self.changed:
            return tuple(sorted(self._meetings.values(), key=lambda held: (held.start, held.end, held.id)))

    def meeting(self, id: str) -> Held | None:
        with self.changed:
            return self._meetings.get(id)

    @property
    def last_poll(self) -> Poll | None:
        with self.changed:
            return self.polls[-1] if self.polls else None

    @property
    def established(self) -> bool:
        """Whether the calendar service is: after a good poll, until one that is not."""
        last = self.last_poll
        return self.registration.enabled and last is not None and last.outcome == "ok"

    @property
    def status(self) -> str:
        """As the REST interface says it."""
        last = self.last_poll
        if not self.registration.enabled:
            return "DISABLED"
        if last is None:
            return "CONNECTING"
        names: Mapping[Outcome, str] = {"ok": "ONLINE", "denied": "ERR_AUTHENTICATION", "unreachable": "OFFLINE"}
        return names.get(last.outcome, "ERR_UNKNOWN")

    def complain(self, what: str) -> None:
        """Note that something is not as it should be."""
        with self.changed:
            self.complaints[what] = self.complaints.get(what, 0) + 1
            self.changed.notify_all()

    def note(self, operation: str, url: str, status: int) -> None:
        with self.changed:
            self.counts[operation] += 1
            self.asked.append(Asked(operation=operation, url=url, status=status))
            self.changed.notify_all()

    def polled(self, poll: Poll, meetings: Iterable[Held] | None) -> None:
        """A poll is over; with None the list stays, unless habits say that a failure empties it."""
        with self.changed:
            self.polls.append(poll)
            if meetings is not None:
                self._meetings = {held.id: held for held in meetings}
                self.last_good = poll.at
            elif not self.habits.keep_on_error:
                self._meetings = {}
            self.changed.notify_all()

    def forget_meetings(self) -> None:
        with self.changed:
            self._meetings = {}
            self.polls.clear()
            self.changed.notify_all()

    def dial(self, address: str, protocol: str = "", meeting: str = "") -> None:
        with self.changed:
            self.call = Dialled(address=address, protocol=protocol, meeting=meeting)
            self.dialled.append(self.call)
            self.changed.notify_all()

    def hang_up(self) -> None:
        with self.changed:
            self.call = None
            self.changed.notify_all()

    def restart(self) -> None:
        """What a restart costs: the list, the call, the time that it is up."""
        with self.changed:
            self.up_since = self.now()
            self.call = None
            self.forget_meetings()

    def subject(self, held: Held) -> str:
        """What the screen and its interfaces show."""
        return PRIVATE if held.private and not self.habits.show_private else held.subject
