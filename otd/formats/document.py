"""What was read from the bytes of an invitation: one Entry per meeting as written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from otd.model import EPOCH, Meeting, Person

SIZE_LIMIT = 40 * 1024 * 1024  # bytes of a file; a mail of 25 MB is 35 MB when its attachments are in base64
LINE_LIMIT = 1_000_000
ENTRY_LIMIT = 20_000
BODY_LIMIT = 1_100_000  # characters; more than otd.invites reads of a body, so that it still sees that one is cut
TEXT_LIMIT = 1_000  # characters of a subject or a place
VALUE_LIMIT = 16_000  # characters of a property
PROPERTY_LIMIT = 100
PEOPLE_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """When a series takes place: the first occurrence, in the zone that its rules are meant in.

    `rules` are RRULE values as written, `added` and `left_out` the values of RDATE and EXDATE (an EXDATE that is a
    date leaves out that whole day).
    """

    start: datetime
    end: datetime
    rules: tuple[str, ...] = ()
    added: tuple[datetime, ...] = ()
    left_out: tuple[datetime | date, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One meeting as written, with what iCalendar says about the state of it (RFC 5545, RFC 5546).

    `instance` is the RECURRENCE-ID: None for a series or a single meeting; a date when only a day is stated. `dated`
    is False when the entry states no start of its own, as a cancellation may and a mere text does; the meeting's is a
    stand-in then.
    """

    meeting: Meeting
    method: str = ""  # in capitals
    sequence: int = 0
    stamp: datetime = EPOCH
    instance: datetime | date | None = None
    following: bool = False  # the instance and all after it (RANGE=THISANDFUTURE)
    dated: bool = True
    recurrence: Recurrence | None = None
    source: str = ""  # the file it was read from, where several are read together


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Everything in a file. `notes` are what was left out or guessed, in words that quote nothing of the content.

    `whole` is False when the file breaks off in the middle: what was read of it may not be all. `lost` is how many
    meetings (or parts of a mail that may hold some) are in it but could not be read.
    """

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    whole: bool = True
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds for one uid after all messages about it: the series or single meeting, and its exceptions."""

    uid: str
    master: Entry | None = None
    exceptions: tuple[Entry, ...] = ()


@dataclass(slots=True)
class Notes:
    """Collects what is worth saying about a file, each thing once."""

    said: dict[str, None] = field(default_factory=dict)

    def add(self, note: str) -> None:
        if len(self.said) < 50:
            self.said[note] = None

    def all(self) -> tuple[str, ...]:
        return tuple(self.said)


def entry_of(meeting: Meeting) -> Entry:
    """An Entry of what Exchange states: an occurrence stands by itself there."""
    return Entry(meeting=meeting, instance=meeting.original_start)


def trimmed(meeting: Meeting, notes: Notes) -> Meeting:
    """The meeting within the limits above and without characters that cannot be written down in UTF-8."""
    if len(meeting.body) > BODY_LIMIT:
        notes.add(f"a body is longer than {BODY_LIMIT} characters and was cut")
    return replace(
        meeting,
        id=sound(meeting.id[:VALUE_LIMIT]),
        uid=sound(meeting.uid[:VALUE_LIMIT]),
        change_key=sound(meeting.change_key[:TEXT_LIMIT]),
        subject=line(meeting.subject),
        body=sound(meeting.body[:BODY_LIMIT]),
        location=line(meeting.location),
        locations=tuple(line(place) for place in meeting.locations[:PROPERTY_LIMIT]),
        properties=tuple((line(n), sound(v[:VALUE_LIMIT])) for n, v in meeting.properties[:PROPERTY_LIMIT]),
        organizer=_person(meeting.organizer),
        attendees=tuple(_person(one) for one in meeting.attendees[:PEOPLE_LIMIT]),
    )


def line(text: str) -> str:
    """The text on one line, within the limit of subjects and places."""
    return " ".join(sound(text[: 4 * TEXT_LIMIT]).split())[:TEXT_LIMIT]


def sound(text: str) -> str:
    """The text without NUL and without halves of surrogate pairs."""
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def utc(time: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for one that no calendar holds."""
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a date that is out of range") from error


def _person(person: Person) -> Person:
    if len(person.name) + len(person.address) < 300 and (person.name + person.address).isascii():
        return person
    return Person(name=line(person.name)[:300], address=line(person.address)[:320])
