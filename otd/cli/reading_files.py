"""A stored reading as a file: to be looked at on another machine, where the same replay gives the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otd.model import NOBODY, Booking, Endpoint, KeptMeeting, KeptReading, Meeting, Person, Room

if TYPE_CHECKING:
    from otd.refresh import Rulebook

FORM, VERSION = "otd-reading", 1
MOST = 64 * 1024 * 1024  # bytes
MEND = "`otd readings export` writes such files"
_TELLS = re.compile(r"[0-9@]|://|teams|skype|zoom|webex|video|join|conference|sip|h\.?323", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A reading with what it takes to replay it: the room, its endpoints (as far as rules ask), and what each was told;
    None for one of which that is not known."""

    room: Room
    reading: KeptReading
    endpoints: tuple[Endpoint, ...]
    told: Mapping[str, tuple[Booking, ...] | None]
    redacted: bool


def dump(exported: Exported) -> str:
    """As JSON text."""
    from otd.store import records

    plain = {
        "form": f"{FORM}-{VERSION}",
        "redacted": exported.redacted,
        "room": json.loads(records.dump(exported.room)),
        "reading": json.loads(records.dump(exported.reading)),
        "endpoints": [{"name": e.name, "kind": e.kind, "rooms": list(e.rooms)} for e in exported.endpoints],
        "told": {
            name: None if part is None else json.loads(records.dump(part)) for name, part in exported.told.items()
        },
    }
    return json.dumps(plain, indent=1)


def load(file: str) -> Exported:
    """The reading in a file. Raises BadSetting for one that is none, is damaged, or is of a newer OTD."""
    from otd.errors import BadSetting

    try:
        with open(file, "rb") as opened:
            data = opened.read(MOST + 1)
    except OSError as error:
        raise BadSetting(file, f"cannot be read: {(error.strerror or 'no answer').lower()}") from None
    if len(data) > MOST:
        raise BadSetting(file, f"it is larger than {MOST // 2**20} MB, and no reading is", MEND)
    return parsed(data, file)


def parsed(data: str | bytes, where: str) -> Exported:
    """The reading in what `dump` wrote. Raises BadSetting as `load` does."""
    from otd.errors import BadSetting

    try:
        said: dict[str, Any] = json.loads(data)
        form, _, version = str(said.get("form", "")).rpartition("-")
        if form != FORM or not version.isdecimal():
            raise BadSetting(where, "it is not a reading that was exported", MEND)
        if int(version) > VERSION:
            why = f"it was written by a newer OTD (form {int(version)}, this one reads {VERSION})"
            raise BadSetting(where, why, "update OTD here, or export it with this version")
        found = _built(said)
        _check(found)
        return found
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        raise BadSetting(where, "it is damaged, or not a reading that was exported", MEND) from None


def _built(said: Mapping[str, Any]) -> Exported:
    from otd.store import records

    return Exported(
        room=records.load(Room, json.dumps(said["room"])),
        reading=records.load(KeptReading, json.dumps(said["reading"])),
        endpoints=tuple(_endpoint(one) for one in said["endpoints"]),
        told={
            str(name): None if part is None else records.load_tuple(Booking, json.dumps(part))
            for name, part in said["told"].items()
        },
        redacted=bool(said["redacted"]),
    )


def _endpoint(said: Mapping[str, Any]) -> Endpoint:
    """An endpoint as far as rules ask for it: its address and its secrets stay at home."""
    return Endpoint(name=said["name"], kind=said["kind"], address="", pool="", rooms=tuple(said["rooms"]))


def _check(found: Exported) -> None:
    """Raises ValueError or TypeError where it is of the right form and cannot be what was exported."""
    from zoneinfo import ZoneInfo

    from otd.settings.kinds import NAME
    from otd.store import records

    values = (found.room, found.reading, *found.endpoints, *(b for part in found.told.values() for b in part or ()))
    for value in values:
        records.check(value)
    ZoneInfo(found.room.timezone)
    names = (found.room.name, found.reading.room, *(endpoint.name for endpoint in found.endpoints))
    if found.room.name != found.reading.room or not all(map(NAME.match, names)):
        raise ValueError("its names do not fit")


# --- redaction ----------------------------------------------------------------------------------------------------


def redacted(exported: Exported, rules: Rulebook) -> tuple[Exported, int]:
    """The same without subjects, people and words that say nothing about joining; and how many meetings had to keep
    their text, since without it they would be read otherwise."""
    kept, whole = [], 0
    for number, one in enumerate(exported.reading.meetings, 1):
        less = _less(one.meeting, number)
        if _gives(less, exported, rules) != _gives(one.meeting, exported, rules):
            less = replace(
                less,
                body=one.meeting.body,
                subject=one.meeting.subject,
                location=one.meeting.location,
                locations=one.meeting.locations,
            )
            whole += 1
        kept.append(KeptMeeting(meeting=less, body_left_out=one.body_left_out))
    titles = _titles(exported, kept, rules)
    told = {name: part and tuple(_known(b, titles) for b in part) for name, part in exported.told.items()}
    reading = replace(exported.reading, meetings=tuple(kept))
    room = replace(exported.room, mailbox="", label="")
    return replace(exported, room=room, reading=reading, told=told, redacted=True), whole


def _less(meeting: Meeting, number: int) -> Meeting:
    host = meeting.organizer.address.rpartition("@")[2]
    return replace(
        meeting,
        subject=f"Meeting {number}",
        organizer=Person(name="Somebody", address=f"somebody@{host}") if host else NOBODY,
        location=_telling(meeting.location),
        locations=tuple(map(_telling, meeting.locations)),
        body=_telling(meeting.body) if meeting.body_type == "text" else _telling_html(meeting.body),
    )


def _telling(text: str) -> str:
    """The lines that may say something about joining."""
    return "\n".join(line if _TELLS.search(line) or not line.strip() else "…" for line in text.split("\n"))


def _telling_html(html: str) -> str:
    """Its tags, and the pieces of text between them that may say something about joining."""
    return re.sub(
        r">([^<>]+)<",
        lambda found: found[0] if _TELLS.search(found[1]) or not found[1].strip() else ">…<",
        html,
    )


def _gives(meeting: Meeting, exported: Exported, rules: Rulebook) -> list[object]:
    """What the meeting gives on each endpoint, but for its title."""
    from otd import bookings

    found: list[object] = []
    for endpoint in exported.endpoints:
        part = bookings.of_room(
            exported.room, endpoint, [meeting], rules.plan, rules.site, rules.policy, exported.reading.window
        )
        found += [(b.id, b.start, b.end, b.dial, b.platform, b.rule, b.reason, b.private) for b in part]
    return found


def _titles(exported: Exported, kept: Iterable[KeptMeeting], rules: Rulebook) -> dict[str, tuple[str, str]]:
    """Booking id -> the title and organiser that it has without subjects and people."""
    from otd import bookings

    return {
        bookings.id_of(exported.room, one.meeting): (
            bookings.title_of(one.meeting, rules.policy),
            bookings.organizer_of(one.meeting),
        )
        for one in kept
    }


def _known(booking: Booking, titles: Mapping[str, tuple[str, str]]) -> Booking:
    title, organizer = titles.get(booking.id, ("Another meeting", ""))
    return replace(booking, title=title, organizer=organizer)


def write(path: Path, text: str) -> None:
    """Readable by its owner only: even without subjects there are links in it."""
    import os

    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
