"""Having a calendar system tell of changes, room by room: begun, renewed at half its life, begun anew when it is lost.

A notification only makes a reading come sooner. Whatever is lost, comes twice or is never given changes nothing but
time, since every room is read at its period all the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TypeGuard

import structlog

from otd.errors import Missing, Permanent
from otd.model import Hook, Room, Settled, Subscription
from otd.ports import Calendar, Store, Telling

WITHIN = timedelta(seconds=30)  # Graph calls us back before it answers
SOONEST = timedelta(minutes=1)  # until the next look, however little life was given
CHANGES, LIFECYCLE = "/graph/notifications", "/graph/lifecycle"  # where `otd serve` is told of them
log = structlog.get_logger(__name__)


def hook(public_url: str) -> Hook | None:
    """Where the system is to tell of changes, when `otd serve` is reached so; None when it is not to."""
    return Hook(changes=public_url + CHANGES, lifecycle=public_url + LIFECYCLE) if public_url else None


class Subscribing:
    """The use case with what it needs."""

    def __init__(
        self,
        *,
        store: Store,
        calendars: Mapping[str, Calendar],
        rooms: Mapping[str, Room],
        told: Collection[str],
        hook: Hook | None,
    ) -> None:
        """`told` are the rooms of whose changes we want to be told."""
        self._store, self._calendars, self._rooms = store, calendars, rooms
        self._told, self._hook = told, hook

    def room(self, name: str) -> Settled:
        """See that the room has a subscription that holds, or none when it is to have none. Raises OtdError."""
        room = self._rooms.get(name)
        calendar = self._calendars.get(room.calendar) if room else None
        if room is not None and name not in self._told and _tells(calendar):
            return self._end(room, calendar)
        if room is None or self._hook is None or not _tells(calendar):
            raise Missing(f"notifications of {name}", "they are no longer configured")
        now, known = self._store.now(), self._store.subscription(name)
        if known is None or known.expires_at <= now:
            return self._begin(room, calendar, self._hook)
        half = known.since + (known.expires_at - known.since) / 2
        if not known.renew and now < half:
            return Settled(after=max(half - now, SOONEST))
        try:
            renewed = calendar.renew(room, known, within=WITHIN)
        except Missing:  # taken away without a word; what happened since is not known
            log.info("notifications were lost", room=name)
            self._store.drop_subscription(name)
            return self._begin(room, calendar, self._hook)
        self._store.renewed(renewed)
        return self._settled(renewed)

    def _begin(self, room: Room, calendar: Telling, hook: Hook) -> Settled:
        found = calendar.subscribe(room, hook, secrets.token_urlsafe(32), within=WITHIN)
        self._store.put_subscription(found)
        return self._settled(found)

    def _end(self, room: Room, calendar: Telling) -> Settled:
        """Take the subscription back; one that Exchange does not let go of ends by itself within three days."""
        known, requests = self._store.subscription(room.name), 0
        if known is not None and known.expires_at > self._store.now():
            requests = 1
            try:
                calendar.unsubscribe(room, known, within=WITHIN)
            except Missing:
                pass
            except Permanent as error:
                log.info("notifications end by themselves", room=room.name, at=known.expires_at, code=error.code)
        self._store.unsubscribed(room.name)
        return Settled(after=SOONEST, requests=requests)

    def _settled(self, found: Subscription) -> Settled:
        return Settled(after=max((found.expires_at - self._store.now()) / 2, SOONEST), requests=1)


def _tells(calendar: Calendar | None) -> TypeGuard[Telling]:
    return calendar is not None and hasattr(calendar, "subscribe")
