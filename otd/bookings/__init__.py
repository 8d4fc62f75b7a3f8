"""From a room's meetings to the list of bookings that an endpoint should hold. Pure: no clock, no order of arrival.

part = of_room(room, endpoint, reading.meetings, plan, site, policy, window)
wanted = union(endpoint.name, window, [part, ...])    # an endpoint may show several rooms
if digest(wanted) != digest(held): ...
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from hashlib import sha256

from otd import invites
from otd.bookings.titles import UNTITLED, clean, cut, is_forwarded, without_prefix
from otd.dialplan import DialPlan, dial
from otd.invites.site import Site
from otd.model import Booking, BookingList, Dialled, Endpoint, JoinInfo, Meeting, NoJoin, Policy, Room, Window

Read = Callable[[Meeting, Site], JoinInfo | NoJoin]
"""How an invitation is read."""

_OURS = "otd-"  # how the ids of our bookings begin
SHORTEST = timedelta(minutes=1)  # a meeting of no length is shown for so long


def of_room(
    room: Room,
    endpoint: Endpoint,
    meetings: Iterable[Meeting],
    plan: DialPlan,
    site: Site,
    policy: Policy,
    window: Window,
    *,
    read: Read = invites.read,
) -> tuple[Booking, ...]:
    """What the endpoint should show of this room in the window, by start, end and id; each meeting once.

    The same meetings in any order give the same bookings. A booking never carries a dial string that is not allowed.
    `read` may be one that remembers what it has read.
    """
    best: dict[str, tuple[Meeting, Booking]] = {}
    for meeting in meetings:
        if not is_listed(meeting, policy) or not window.overlaps(meeting.start, meeting.end):
            continue
        join = read(meeting, site)
        dialled = dial_for(join, meeting, plan, policy, room=room.name, endpoint=endpoint.name)
        booking = _booking(room, meeting, join, dialled, policy)
        other = best.get(booking.id)
        if other is None or _rank(meeting, booking) < _rank(*other):
            best[booking.id] = (meeting, booking)
    found = (booking for _, booking in best.values() if booking.dial or policy.without_video)
    return tuple(sorted(found, key=_order))


def is_listed(meeting: Meeting, policy: Policy) -> bool:
    """Whether a meeting belongs on a screen at all, with Join or without."""
    if meeting.kind == "series" or meeting.cancelled or meeting.response == "declined":
        return False
    if meeting.all_day and not policy.all_day:
        return False
    if meeting.show_as == "free" and not policy.free:
        return False
    tentative = meeting.show_as == "tentative" or meeting.response in ("tentative", "unanswered")
    return policy.tentative or not tentative


def dial_for(
    join: JoinInfo | NoJoin, meeting: Meeting, plan: DialPlan, policy: Policy, *, room: str = "", endpoint: str = ""
) -> Dialled:
    """What the dial plan gives, unless the meeting itself forbids it: one that is cancelled or kept private."""
    if meeting.cancelled:
        return Dialled(dial=None, reason="cancelled")
    dialled = dial(join, meeting, plan, room=room, endpoint=endpoint)
    if dialled.dial is not None and meeting.private and not policy.private_dial:
        return Dialled(dial=None, rule=dialled.rule, reason="private")
    return dialled


def title_of(meeting: Meeting, policy: Policy) -> str:
    """The title as it is shown: of a private meeting never its own."""
    if meeting.private:
        return cut(clean(policy.private_title)) or UNTITLED
    subject = clean(meeting.subject)
    if not policy.keep_prefix:
        subject = without_prefix(subject)
    first, second = (
        (organizer_of(meeting), subject) if policy.title == "organizer" else (subject, organizer_of(meeting))
    )
    return cut(first or second or UNTITLED)


def organizer_of(meeting: Meeting) -> str:
    """Who booked it, as it is shown; of a private meeting nobody."""
    if meeting.private:
        return ""
    return cut(clean(meeting.organizer.name) or clean(meeting.organizer.address))


def booking_id(room: str, uid: str, original_start: datetime | None) -> str:
    """The id of a booking, in 36 ASCII characters: the same wherever the meeting is moved to and wherever it is kept.

    `uid` is that of the series and `original_start` that of the occurrence in it, None for a single meeting.
    """
    text = json.dumps([room, uid, original_start.isoformat() if original_start else ""])
    return f"{_OURS}{sha256(text.encode()).hexdigest()[:32]}"


def is_ours(id: str) -> bool:
    """Whether a booking on an endpoint was put there by OTD."""
    return id.startswith(_OURS)


def id_of(room: Room, meeting: Meeting) -> str:
    """The id of the booking that this meeting makes."""
    return booking_id(room.name, meeting.uid or meeting.id, _place_in_series(meeting))


def union(endpoint: str, window: Window, parts: Iterable[tuple[Booking, ...]]) -> BookingList:
    """The list of an endpoint that shows these rooms. What was booked in several of them at once is shown once."""
    found = sorted({b.id: b for part in parts for b in part if window.overlaps(b.start, b.end)}.values(), key=_order)
    seen: dict[tuple[object, ...], str] = {}
    kept = []
    for booking in found:
        if seen.setdefault(_shown(booking), booking.room) == booking.room:
            kept.append(booking)
    return BookingList(endpoint=endpoint, window=window, bookings=tuple(kept))


def digest(bookings: BookingList) -> str:
    """A hash over what the endpoint is to show: equal lists have equal ones, whatever their window or rules."""
    shown = [[b.id, *_shown(b)] for b in bookings.bookings]
    return sha256(json.dumps(shown, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def _booking(room: Room, meeting: Meeting, join: JoinInfo | NoJoin, dialled: Dialled, policy: Policy) -> Booking:
    return Booking(
        id=id_of(room, meeting),
        room=room.name,
        title=title_of(meeting, policy),
        start=meeting.start,
        end=max(meeting.end, meeting.start + SHORTEST),
        start_buffer=policy.start_buffer,
        end_buffer=policy.end_buffer,
        private=meeting.private,
        organizer=organizer_of(meeting),
        dial=dialled.dial if dialled.allowed else None,
        platform=join.platform if isinstance(join, JoinInfo) else "",
        rule=dialled.rule,
        reason=dialled.reason,
    )


def _place_in_series(meeting: Meeting) -> datetime | None:
    """Which occurrence it is. One whose calendar does not say is known by its start: better moved than lost."""
    if meeting.original_start is None and meeting.kind in ("occurrence", "exception"):
        return meeting.start
    return meeting.original_start


def _rank(meeting: Meeting, booking: Booking) -> tuple[object, ...]:
    """Of two copies of one meeting (sent directly and forwarded, say) the lower is shown; equal bookings rank alike."""
    return (
        not booking.private,
        booking.dial is None,
        is_forwarded(meeting.subject),
        meeting.response not in ("accepted", "organizer"),
        meeting.id,
        meeting.change_key,
        *(str(part) for part in (*_shown(booking), booking.rule, booking.reason)),
    )


def _order(booking: Booking) -> tuple[datetime, datetime, str]:
    return (booking.start, booking.end, booking.id)


def _shown(booking: Booking) -> tuple[object, ...]:
    """All of a booking that an endpoint is given, but for its id."""
    dialled = (booking.dial.protocol, booking.dial.uri) if booking.dial else None
    return (
        *(booking.start.isoformat(), booking.end.isoformat(), booking.title, booking.organizer, booking.private),
        *(booking.start_buffer.total_seconds(), booking.end_buffer.total_seconds(), dialled, booking.platform),
    )


__all__ = [
    "Read",
    "booking_id",
    "dial_for",
    "digest",
    "id_of",
    "is_listed",
    "is_ours",
    "of_room",
    "organizer_of",
    "title_of",
    "union",
]
