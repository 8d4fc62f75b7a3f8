"""From the kept readings of a room to its invitations, each with the marks that mailbox settings leave. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Literal

from otd.model import Meeting, Room, Sighting
from otd.readings import is_blank

Title = Literal["own", "none", "organizer", "organizer and own"]

_HIDDEN_LINKS = ("SkypeTeamsMeetingUrl", "OnlineMeetingConfLink", "OnlineMeetingExternalLink", "onlineMeeting.joinUrl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What is known of one invitation (a series is one), and of the marks that mailbox settings leave."""

    uid: str
    first: datetime  # when it was first seen
    came: datetime | None  # when it, or its last update, arrived; None when it was there before anybody looked
    next: datetime | None = None  # its next start; None when it is over or was taken out
    organizer: str = field(default="", repr=False)
    text: bool | None = True  # whether its body says anything; None when that was not kept
    link: bool = False  # a hidden property says how to join
    title: Title = "own"
    private: bool = False
    waiting: bool = False  # not answered long after it came
    outside: bool = False  # from another organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the kept readings of one room show."""

    room: Room
    invitations: tuple[Invitation, ...] = ()
    overlaps: int = 0  # pairs of accepted meetings at the same time

    @property
    def last(self) -> datetime | None:
        """When the last invitation was seen to arrive."""
        return max((one.came for one in self.invitations if one.came is not None), default=None)


def observed(room: Room, sightings: Sequence[Sighting], own_domains: Iterable[str], now: datetime) -> Observed:
    """The invitations in a room's kept readings; `own_domains` are the organisation's."""
    own = {domain.casefold() for domain in own_domains} | {room.mailbox.casefold().rpartition("@")[2]}
    newest = max((one.last for one in sightings), default=now)
    by_uid: dict[str, list[Sighting]] = {}
    for one in sightings:
        if _was_sent(one.kept.meeting):
            by_uid.setdefault(one.kept.meeting.uid, []).append(one)
    there = [one.kept.meeting for one in sightings if one.last == newest]
    found = (_invitation(uid, versions, newest, own, now) for uid, versions in by_uid.items())
    return Observed(
        room=room,
        invitations=tuple(sorted(found, key=lambda one: (one.first, one.uid))),
        overlaps=_overlaps(meeting for meeting in there if _was_sent(meeting) and meeting.end > now),
    )


def _was_sent(meeting: Meeting) -> bool:
    """Whether somebody invited the room, so that its settings had a say."""
    return not meeting.is_organizer and not meeting.cancelled and bool(meeting.organizer.address)


def _invitation(uid: str, versions: list[Sighting], newest: datetime, own: set[str], now: datetime) -> Invitation:
    """The invitation as it was last seen."""
    latest = max(versions, key=lambda one: (one.last, one.first))
    meeting, address = latest.kept.meeting, latest.kept.meeting.organizer.address.casefold()
    upcoming = (v.kept.meeting for v in versions if v.last == newest)
    domain = address.rpartition("@")[2] if "@" in address else ""
    return Invitation(
        uid=uid,
        first=min(one.first for one in versions),
        came=max((one.first for one in versions if _came(one)), default=None),
        next=min((m.start for m in upcoming if m.end > now), default=None),
        organizer=meeting.organizer.address,
        text=None if latest.kept.body_left_out or (meeting.private and not meeting.body) else not is_blank(meeting),
        link=any(meeting.prop(name) for name in _HIDDEN_LINKS),
        title=_title(meeting),
        private=meeting.private,
        waiting="tentative" in (meeting.response, meeting.show_as) or meeting.response == "unanswered",
        outside=bool(domain) and not any(domain == one or domain.endswith(f".{one}") for one in own),
    )


def _came(one: Sighting) -> bool:
    """Whether it arrived between two readings: what lies beyond the window before may have been there for long."""
    return one.before is not None and one.kept.meeting.start < one.before


def _title(meeting: Meeting) -> Title:
    subject, name = meeting.subject.strip().casefold(), meeting.organizer.name.strip().casefold()
    if not subject:
        return "none"
    if name and subject == name:
        return "organizer"
    return "organizer and own" if name and subject.startswith(f"{name} ") else "own"


def _overlaps(meetings: Iterable[Meeting]) -> int:
    busy = sorted(
        (m.start, m.end, m.uid) for m in meetings if m.show_as == "busy" and m.response == "accepted" and not m.all_day
    )
    return sum(after[0] < one[1] and after[2] != one[2] for one, after in pairwise(busy))
