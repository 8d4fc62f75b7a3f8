"""What Polycom endpoints answer when they are asked for their calendar, as pure functions: answers -> bookings.

Two grammars. The command line of HDX and Group Series (Integrator's Reference Manual: calendarmeetings) gives local
times to the minute and the numbers to dial; the REST interface of Group Series 6 and VideoOS gives a start, a length
and whether the meeting can be dialled. Ids are those that the endpoint was given by its calendar server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from otd.errors import Garbled
from otd.model import Booking

Interface = Literal["commands", "rest"]
MOST = 500  # meetings in one answer
_ID = re.compile(r"[A-Za-z0-9+/=_-]{1,512}")
_MILLISECONDS = 10**11  # a startTime above this is none in seconds before the year 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class PolycomSeen:
    """A meeting as this kind of endpoint gives it back. By the command line: start, end, title and first number; by
    REST: start, end, title and whether there is a Join. A private meeting has no title here: how it is called is the
    endpoint's own choice."""

    id: str
    end: datetime
    fields: tuple[tuple[str, str], ...] = field(repr=False)


def seen(booking: Booking, id: str, interface: Interface) -> PolycomSeen:
    """What should come back for a booking that the calendar server shows under this id."""
    if interface == "rest":
        last = ("join", _claim(booking.dial is not None))
    else:
        last = ("number", _bare(booking.dial.uri if booking.dial else ""))
    title = "" if booking.private else booking.title
    return _seen(id, booking.start, booking.end, title, last)


# --- the command line ---------------------------------------------------------------------------------------------


def list_command(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """Those of a span; an endpoint goes no further than 31 days from its start."""
    return f'calendarmeetings list "{_local(start, zone)}" "{_local(end, zone)}"'


def info_command(id: str) -> str:
    return f'calendarmeetings info "{id}"'


def listed(lines: Iterable[str], where: str) -> tuple[str, ...]:
    """The ids in the answer to the list command. Raises Garbled."""
    ids = [line.split("|", 2)[1] for line in lines if line.startswith("meeting|")]
    if len(ids) > MOST or not all(_ID.fullmatch(id) for id in ids):
        raise Garbled(where, "its list of meetings cannot be read")
    return tuple(dict.fromkeys(ids))


def told(lines: Iterable[str], id: str, zone: ZoneInfo, where: str) -> PolycomSeen:
    """The meeting in the answer to the info command. Raises Garbled."""
    parts = [line.split("|") for line in lines]
    subject = next(("|".join(p[1:]) for p in parts if p[0] == "subject"), "")
    numbers = [p[2] for p in parts if p[:2] == ["dialingnumber", "video"] and len(p) > 2]
    times = next((p for p in parts if len(p) == 4 and re.fullmatch(r"\d{4}-\d\d-\d\d:\d\d:\d\d", p[0])), None)
    if times is None:
        raise Garbled(where, "a meeting without times")
    start, end = (_from_local(text, zone, where) for text in times[:2])
    joins = numbers[:1] if times[2] == "dialable" else []
    subject = "" if times[3] == "private" else subject
    return _seen(id, start, end, subject, ("number", _bare("".join(joins))))


def _local(time: datetime, zone: ZoneInfo) -> str:
    return time.astimezone(zone).strftime("%Y-%m-%d:%H:%M")


def _from_local(text: str, zone: ZoneInfo, where: str) -> datetime:
    """In the hour that daylight saving repeats the first one is taken: the endpoint does not say which."""
    try:
        return datetime.strptime(text, "%Y-%m-%d:%H:%M").replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Garbled(where, "a meeting without proper times") from None


# --- REST ---------------------------------------------------------------------------------------------------------


def session_of(body: bytes, where: str) -> bool:
    """Whether the answer to a login says that it was one. Raises Garbled."""
    found = _json(body, where)
    return isinstance(found, dict) and (found.get("success") is True or found.get("verified") is True)


def meetings_in(body: bytes, where: str) -> tuple[PolycomSeen, ...]:
    """The meetings in the answer to GET /rest/calendar/meetings. Raises Garbled."""
    found = _json(body, where)
    if not isinstance(found, list) or len(found) > MOST:
        raise Garbled(where, "its list of meetings cannot be read")
    return tuple(_meeting(each, where) for each in found)


def _meeting(found: Any, where: str) -> PolycomSeen:
    try:
        id, at, minutes = str(found["id"]), int(found["startTime"]), int(found["duration"])
        start = datetime.fromtimestamp(at / 1000 if at > _MILLISECONDS else at, UTC)
        end = start + timedelta(minutes=minutes)
        subject = "" if found.get("privateMeeting") is True else str(found.get("subject") or "")
        joins = found.get("canDial") is True
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError):
        raise Garbled(where, "a meeting without an id or proper times") from None
    return _seen(id, start, end, subject, ("join", _claim(joins)))


def _json(body: bytes, where: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Garbled(where, "the answer is not JSON") from None


# --- both ---------------------------------------------------------------------------------------------------------


def _seen(id: str, start: datetime, end: datetime, title: str, last: tuple[str, str]) -> PolycomSeen:
    """Times to the minute: that is all that the command line says."""
    fields = (("start", _minute(start)), ("end", _minute(end)), ("title", " ".join(title.split())), last)
    return PolycomSeen(id=id, end=end.replace(second=0, microsecond=0), fields=fields)


def _minute(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def _bare(number: str) -> str:
    return re.sub(r"^sips?:", "", number.strip(), flags=re.I).casefold()


def _claim(value: bool) -> str:
    return "yes" if value else "no"
