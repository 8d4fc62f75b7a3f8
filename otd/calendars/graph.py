"""Exchange Online through Microsoft Graph v1.0: one calendarView per read, followed to its last page.

Why calendarView and not delta: delta's window is baked into its token and its occurrences come without body and uid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote, urlencode

from otd.calendars import graph_booking
from otd.calendars.access import GraphAccess
from otd.calendars.graph_batch import Batches
from otd.calendars.graph_line import STRANGE, Call, GraphLine, decoded
from otd.calendars.graph_subscriptions import renew, subscribe, unsubscribe
from otd.calendars.memo import Memo
from otd.calendars.owners import Owners
from otd.calendars.turns import Turns
from otd.calendars.zone import zone_of
from otd.errors import Garbled, OtdError, Truncated
from otd.formats.graph_event import is_draft, meeting
from otd.formats.hidden import HIDDEN, PUBLIC_STRINGS
from otd.model import Booked, Complete, Empty, Failed, Hook, Meeting, Reading, Room, Subscription, Window
from otd.outbound import Deadline
from otd.ports import Clock, Secrets

# `uid` is not among them: v1.0 does not know it everywhere, and to select what is not known is an error.
SELECT = (
    "id,iCalUId,changeKey,subject,body,start,end,originalStart,location,locations,organizer,isOrganizer,isCancelled,"
    "isAllDay,isDraft,isOnlineMeeting,onlineMeetingProvider,onlineMeeting,onlineMeetingUrl,sensitivity,showAs,type,"
    "seriesMasterId,responseStatus,attendees"
)
EXPAND = "singleValueExtendedProperties($filter={})".format(
    " or ".join(f"id eq 'String {{{PUBLIC_STRINGS}}} Name {name}'" for name in HIDDEN)
)
PREFER = 'outlook.timezone="UTC", outlook.body-content-type="html", IdType="ImmutableId"'

PAGES = 200  # of one read; at Graph's smallest usual size that is 2,000 meetings
PAGE_LIMIT = 32 * 1024 * 1024
READ_LIMIT = 64 * 1024 * 1024
_OF_MAILBOX = re.compile(r"[#/]users\('(?P<mailbox>(?:[^']|'')*)'\)", re.IGNORECASE)
CHANGED = "the mailbox changed while its pages were read"


@dataclass(frozen=True, slots=True)
class _Kept:
    """The meetings of the last answer, by the digest of its bytes: while those stay, so do the meetings."""

    digest: bytes
    meetings: tuple[Meeting, ...] = field(repr=False)


class GraphCalendar:
    """Room mailboxes in Exchange Online, or in the Exchange of a national cloud."""

    def __init__(self, name: str, access: GraphAccess, *, secrets: Secrets, clock: Clock) -> None:
        self.name = name
        self._access, self._clock = access, clock
        self._root = access.addresses()[1]
        self._line = GraphLine(name, access, secrets=secrets, clock=clock, prefer=PREFER, limit=PAGE_LIMIT)
        self._batches = Batches(self._line, clock, access.gather)
        self._read: set[str] = set()  # mailboxes that were read in this process
        self._memo: Memo[_Kept] = Memo()
        self._owners = Owners()
        self._turns = Turns(f"{name}: the mailbox")

    def read(self, room: Room, window: Window, *, within: timedelta) -> Reading:
        """See otd.ports.Calendar."""
        taken_at = self._clock.now()
        call = Call(f"{self.name}: {room.mailbox}", Deadline.after(within))
        try:
            with self._turns.of(room.mailbox, call.deadline):
                found = self._meetings(room, window, call)
        except (OtdError, TimeoutError) as failure:
            error = failure if isinstance(failure, OtdError) else call.late(within)
            error.requests = call.requests
            return Failed(room=room.name, taken_at=taken_at, error=error)
        meetings = tuple(m for m in found if window.overlaps(m.start, m.end))
        if not meetings:
            return Empty(room=room.name, window=window, taken_at=taken_at, requests=call.requests)
        return Complete(room=room.name, window=window, taken_at=taken_at, meetings=meetings, requests=call.requests)

    def subscribe(self, room: Room, hook: Hook, client_state: str, *, within: timedelta) -> Subscription:
        """See otd.ports.Telling."""
        call = Call(f"{self.name}: {room.mailbox}", Deadline.after(within))
        return subscribe(self._line, room, hook, client_state, call, self._clock.now())

    def renew(self, room: Room, subscription: Subscription, *, within: timedelta) -> Subscription:
        """See otd.ports.Telling."""
        call = Call(f"{self.name}: {room.mailbox}", Deadline.after(within))
        return renew(self._line, subscription, call, self._clock.now())

    def unsubscribe(self, room: Room, subscription: Subscription, *, within: timedelta) -> None:
        """See otd.ports.Telling."""
        call = Call(f"{self.name}: {room.mailbox}", Deadline.after(within))
        unsubscribe(self._line, subscription, call)

    def book(self, room: Room, meeting: Meeting, *, within: timedelta) -> Booked:
        """See otd.ports.Bookable."""
        call = Call(f"{self.name}: {room.mailbox}", Deadline.after(within))
        return graph_booking.book(self._line, room, meeting, call)

    def take_back(self, room: Room, booked: Booked, *, within: timedelta) -> None:
        """See otd.ports.Bookable."""
        call = Call(f"{self.name}: {room.mailbox}", Deadline.after(within))
        graph_booking.take_back(self._line, room, booked, call)

    def close(self) -> None:
        """Give the connections back."""
        self._memo.clear()
        self._line.close()

    def _meetings(self, room: Room, window: Window, call: Call) -> tuple[Meeting, ...]:
        """All that Graph gives for the window, or for a little more. Raises OtdError and TimeoutError."""
        where, zone = call.where, zone_of(room)
        url, key = self._view(room.mailbox, window), (room.mailbox, room.timezone)
        kept, digest, size = self._memo.get(key), b"", 0
        if room.mailbox in self._read:
            body = self._line.get(url, call)
            digest, size = sha256(body).digest(), len(body)
            if kept is not None and kept.digest == digest:
                return kept.meetings
            page = _page(decoded(body, where), room.mailbox, where)
        else:
            stated = self._batches.get(url, call)
            self._read.add(room.mailbox)
            page = _page(stated, room.mailbox, where)
        events = page.events
        if page.link:
            pages, size = self._followed(page, url, size, room, call)
            digest = sha256(json.dumps([page.events for page in pages.values()]).encode()).digest()
            if kept is not None and kept.digest == digest:
                return kept.meetings
            events = self._all_of(pages, room, call)
        meetings = _as_meetings(events, zone, where)
        self._owners.claim(room.mailbox, (m.id for m in meetings), where)
        if digest:
            self._memo.put(key, _Kept(digest, meetings), size)
        return meetings

    def _all_of(self, pages: Mapping[str, _Page], room: Room, call: Call) -> dict[str, Any]:
        """The events of these pages, each read again but the last.

        A page begins after so many events, not after one of them: when one is deleted from a page that was read, the
        first of the next page moves up and is never given. So the pages must be the same twice.
        """
        events: dict[str, Any] = {}
        *before_the_last, last = pages.items()
        for url, page in before_the_last:
            again = _page(decoded(self._line.get(url, call), call.where), room.mailbox, call.where)
            if again.events != page.events:
                raise Truncated(call.where, CHANGED)
        for _, page in (*before_the_last, last):
            for identity, event in page.events.items():
                _merge(events, identity, event, call.where)
        return events

    def _followed(self, page: _Page, url: str, size: int, room: Room, call: Call) -> tuple[dict[str, _Page], int]:
        """This page and all that follow it, by address, and how large they are together."""
        where, followed = call.where, {url: page}
        while page.link:
            if page.link in followed or len(followed) >= PAGES:
                raise Truncated(where, f"Graph's pages do not end ({len(followed)} were read)")
            if not page.link.startswith(f"{self._root}/"):
                raise Garbled(where, "Graph's next page is on another host, which is not asked", STRANGE)
            url = page.link
            body = self._line.get(url, call)
            size += len(body)
            if size > READ_LIMIT:
                raise Garbled(where, f"the pages together are larger than {READ_LIMIT} bytes")
            followed[url] = page = _page(decoded(body, where), room.mailbox, where)
        return followed, size

    def _view(self, mailbox: str, window: Window) -> str:
        query = {
            "startDateTime": _stamp(window.start),
            "endDateTime": _stamp(window.end + timedelta(microseconds=999_999)),
            "$top": str(self._access.page_size),
            "$orderby": "start/dateTime",
            "$select": SELECT,
            "$expand": EXPAND,
        }
        asked = urlencode(query, safe="$", quote_via=quote)
        return f"{self._root}/v1.0/users/{quote(mailbox, safe='@')}/calendarView?{asked}"


@dataclass(frozen=True, slots=True)
class _Page:
    events: dict[str, Any] = field(repr=False)  # by id, in the order of the answer
    link: str


def _page(stated: Any, mailbox: str, where: str) -> _Page:
    """One answer of calendarView. Raises Garbled and Truncated."""
    if not isinstance(stated, dict) or not isinstance(stated.get("value"), list):
        raise Garbled(where, "Graph's answer is not a list of events", STRANGE)
    _same_mailbox(stated.get("@odata.context"), mailbox, where)
    events: dict[str, Any] = {}
    for event in stated["value"]:
        if not isinstance(event, dict) or not isinstance(event.get("id"), str):
            raise Garbled(where, "Graph's answer holds something that is no event", STRANGE)
        _merge(events, event["id"], event, where)
    link = stated.get("@odata.nextLink")
    if link is not None and not isinstance(link, str):
        raise Garbled(where, "Graph's next page has no address", STRANGE)
    return _Page(events, link or "")


def _merge(events: dict[str, Any], identity: str, event: Any, where: str) -> None:
    """An event that moves to another page while the pages are read comes twice; ids keep their letters."""
    known = events.setdefault(identity, event)
    if known is not event and known != event:
        raise Truncated(where, CHANGED)


def _same_mailbox(context: Any, mailbox: str, where: str) -> None:
    """An answer names the mailbox that it is for, as it was asked for; when it is an address, it must be ours."""
    found = _OF_MAILBOX.search(context) if isinstance(context, str) else None
    if found is None:
        return
    stated = unquote(found["mailbox"]).replace("''", "'")
    if "@" in stated and stated.casefold() != mailbox.casefold():
        raise Garbled(
            where,
            "Graph answered for another mailbox",
            "give the room its mailbox's primary SMTP address in the settings",
        )


def _as_meetings(events: dict[str, Any], zone: tzinfo, where: str) -> tuple[Meeting, ...]:
    try:
        return tuple(m for m in (meeting(e, zone) for e in events.values() if not is_draft(e)) if m.kind != "series")
    except ValueError as error:
        raise Garbled(where, str(error)) from error


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
