"""An organisation with very many rooms, all of it from one seed: nothing is kept of a room until it is asked for.

    campus = Campus(rooms=10_000, seed=7, now=datetime.now(UTC))
    with Server(Graph(campus), tls=True) as server:
        ...  # room-00001@campus.example to room-10000@campus.example have calendars

What room N holds is decided by (seed, N) and the week of `now` alone. Its mailbox is made when somebody looks at it and
is forgotten when many others were looked at since, unless somebody changed it: `campus[address].add(...)` stays.
"""

from __future__ import annotations

import random
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from otd.lab.bench.invitations import bodies
from otd.lab.identities import mailbox_guid
from otd.lab.mailboxes import EXCHANGE_DEFAULTS, Mailbox, Mailboxes, Processing
from otd.model import Meeting, Person, Sensitivity

Habit = Literal["quiet", "normal", "busy"]

DOMAIN = "campus.example"
KEPT = 1000  # mailboxes in memory that nobody changed
WEEKS = 2  # that a room is booked for, from Monday of the week of `now`
PER_DAY: dict[Habit, tuple[int, int]] = {"quiet": (0, 1), "normal": (2, 5), "busy": (6, 9)}  # fewest and most meetings
_HABITS: tuple[Habit, ...] = ("quiet",) * 10 + ("normal",) * 7 + ("busy",) * 3
_SITES = (
    ("Berlin", "Europe/Berlin"),
    ("London", "Europe/London"),
    ("New York", "America/New_York"),
    ("Bengaluru", "Asia/Kolkata"),
    ("Sydney", "Australia/Sydney"),
)
_SIZES = (3_000, 6_000, 16_000)  # characters of a body
_BODIES = 64  # different ones of each size, shared by all rooms
_HALF_HOURS = 20  # of a working day that begins at eight
_SUBJECTS = ("Review", "Stand-up", "Planning", "Interview", "Supplier call", "One to one", "Workshop", "Steering")
_ABOUT = ("Aurora", "budget", "line 4", "migration", "releases", "safety", "the new site", "Kestrel")
_NAMES = ("Ann Example", "Bo Sample", "Cem Muster", "Dee Sample", "Eve Exemple", "Fay Example", "Gül Örnek", "Ivo Uzor")
_ADDRESS = re.compile(rf"room-([0-9]{{5,}})@{re.escape(DOMAIN)}", re.IGNORECASE)
# How rooms treat invitations: most as OTD asks for, some as Exchange does by itself or as somebody left them.
_PROCESSING = (
    *(Processing(),) * 45,
    EXCHANGE_DEFAULTS,
    EXCHANGE_DEFAULTS,
    Processing(delete_comments=True),
    Processing(delete_subject=True, add_organizer_to_subject=True),
    Processing(accepts=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampusRoom:
    """One room of the campus."""

    number: int  # from 1
    label: str
    timezone: str
    habit: Habit
    processing: Processing

    @property
    def name(self) -> str:
        """What it is called in otd.toml."""
        return f"room-{self.number:05}"

    @property
    def address(self) -> str:
        return f"{self.name}@{DOMAIN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampusMeeting:
    """A meeting, or the first of a series, as its organiser sent it."""

    meeting: Meeting
    rule: str = ""  # RFC 5545 section 3.3.10


class Campus(Mailboxes):
    """The directory of its mailboxes; those of `add` are beside them. Safe from several threads."""

    def __init__(self, *, rooms: int, seed: int = 1, now: datetime | None = None, kept: int = KEPT) -> None:
        super().__init__()
        self.rooms, self.seed = rooms, seed
        today = (now or datetime.now(UTC)).date()
        self.monday = today - timedelta(days=today.weekday())
        self._kept = kept
        self._bodies = tuple(text for size in _SIZES for text in bodies(_BODIES, seed, size=size))
        self._made: OrderedDict[int, tuple[Mailbox, int]] = OrderedDict()  # with its version as it was made
        self._numbers: dict[str, int] = {}  # by guid, when one was asked for
        self._lock = threading.RLock()

    def room(self, number: int) -> CampusRoom:
        """What room `number` is. Raises IndexError for one that is not there."""
        if not 1 <= number <= self.rooms:
            raise IndexError(f"the campus has rooms 1 to {self.rooms}")
        chance = self._chance(number, "room")
        site, zone = _SITES[number % len(_SITES)]
        return CampusRoom(
            number=number,
            label=f"{site} {number // 100}.{number % 100:02}",
            timezone=zone,
            habit=chance.choice(_HABITS),
            processing=chance.choice(_PROCESSING),
        )

    def meetings(self, number: int) -> tuple[CampusMeeting, ...]:
        """What people booked in room `number`, the same every time."""
        return tuple(self._booked(self.room(number)))

    # as a directory of mailboxes ----------------------------------------------------------------------------------

    def get(self, address: str) -> Mailbox | None:
        found = _ADDRESS.fullmatch(address)
        number = int(found[1]) if found else self._number(address)
        if number is not None and 1 <= number <= self.rooms:
            return self._mailbox(number)
        return super().get(address)

    def __getitem__(self, address: str) -> Mailbox:
        found = self.get(address)
        if found is None:
            raise KeyError(address)
        return found

    def __iter__(self) -> Iterator[Mailbox]:
        yield from (self._mailbox(number) for number in range(1, self.rooms + 1))
        yield from super().__iter__()

    def __len__(self) -> int:
        return self.rooms + super().__len__()

    def _number(self, guid: str) -> int | None:
        """The room whose mailbox has this id."""
        if "@" in guid:
            return None
        with self._lock:
            if not self._numbers:
                addresses = ((n, f"room-{n:05}@{DOMAIN}") for n in range(1, self.rooms + 1))
                self._numbers = {str(mailbox_guid(address)): n for n, address in addresses}
        return self._numbers.get(guid.casefold())

    def _mailbox(self, number: int) -> Mailbox:
        with self._lock:
            if number in self._made:
                self._made.move_to_end(number)
                return self._made[number][0]
            made = self._filled(self.room(number))
            self._made[number] = made, made.version
            for old in list(self._made)[: max(len(self._made) - self._kept, 0)]:
                mailbox, version = self._made[old]
                if mailbox.version == version:
                    del self._made[old]
            return made

    def _filled(self, room: CampusRoom) -> Mailbox:
        mailbox = Mailbox(room.address, name=room.label, timezone=room.timezone)
        mailbox.processing = room.processing
        booked_at = datetime.combine(self.monday, time(0), UTC)
        for one in self._booked(room):
            mailbox.add(one.meeting, rule=one.rule, booked_at=booked_at)
        return mailbox

    # what is booked -----------------------------------------------------------------------------------------------

    def _chance(self, number: int, what: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.monday}/{number}/{what}")

    def _booked(self, room: CampusRoom) -> Iterator[CampusMeeting]:
        """No two at the same time."""
        chance = self._chance(room.number, "meetings")
        fewest, most = PER_DAY[room.habit]
        series: set[tuple[int, int]] = set()  # weekday and half hour that a weekly meeting takes
        for week in range(WEEKS):
            for weekday in range(5):
                day = self.monday + timedelta(weeks=week, days=weekday)
                starts = sorted(chance.sample(range(_HALF_HOURS), chance.randint(fewest, most)))
                for start, following in pairwise((*starts, _HALF_HOURS)):
                    halves = range(start, start + min(following - start, chance.choice((1, 2, 2, 4))))
                    local = datetime.combine(day, time(8), ZoneInfo(room.timezone)) + timedelta(minutes=30 * start)
                    meeting = self._meeting(chance, local.astimezone(UTC), timedelta(minutes=30 * len(halves)))
                    if week == 0 and chance.random() < 0.05:
                        series |= {(weekday, half) for half in halves}
                        yield CampusMeeting(meeting=meeting, rule=f"FREQ=WEEKLY;COUNT={WEEKS}")
                    elif week == 0 or not series & {(weekday, half) for half in halves}:
                        yield CampusMeeting(meeting=meeting)

    def _meeting(self, chance: random.Random, start: datetime, length: timedelta) -> Meeting:
        outside = chance.random() < 0.08
        name = chance.choice(_NAMES)
        domain = "partner.example" if outside else DOMAIN
        mark, body = chance.random(), chance.random()
        sensitivity: Sensitivity = "private" if mark < 0.03 else "normal"
        meeting = Meeting(
            id="",
            uid="",
            subject=f"{chance.choice(_SUBJECTS)} {chance.choice(_ABOUT)}",
            start=start,
            end=start + length,
            organizer=Person(name=name, address=f"{name.split()[0].casefold()}@{domain}"),
            attendees=tuple(Person(name=n, address=f"{n.split()[0].casefold()}@{DOMAIN}") for n in _NAMES[:3]),
            body=chance.choice(self._bodies) if body < 0.85 else "<p>See you there.</p>",
            body_type="html",
            sensitivity=sensitivity,
        )
        if 0.03 <= mark < 0.06:
            return replace(meeting, cancelled=True, show_as="free", subject=f"Canceled: {meeting.subject}")
        return meeting
