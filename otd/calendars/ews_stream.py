"""Streaming notifications of an Exchange Server (EWS, Subscribe and GetStreamingEvents): hints, and nothing more.

One connection carries up to two hundred rooms. What happens while it is down is not told afterwards, so every room is
named once whenever it is up again. A worker is the wrong place for it: it waits for minutes, and so has a process of
its own (`otd watch`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial

from lxml import etree

from otd.calendars.access import EwsAccess
from otd.calendars.ews_lines import Line, Lines
from otd.calendars.ews_soap import M, Subscribe, T, streaming_payload, subscribe_payload
from otd.errors import Denied, Garbled, Missing, OtdError
from otd.model import Room
from otd.outbound import Deadline
from otd.ports import Clock, Secrets

ROOMS = 200  # of one connection (Exchange's limit on the subscriptions of one request)
LASTS = timedelta(minutes=30)  # a connection, at most; Exchange's longest
QUIET = timedelta(minutes=3)  # without a sign of life it is down; Exchange gives one about every minute
WITHIN = timedelta(seconds=30)  # for one subscription


class EwsStream:
    """One connection for these rooms of one calendar."""

    def __init__(self, name: str, access: EwsAccess, rooms: Sequence[Room], *, secrets: Secrets, clock: Clock) -> None:
        self.rooms = tuple(rooms[:ROOMS])
        self._where = f"{name}: notifications"
        self._access = access
        self._lines = Lines(access, secrets=secrets, clock=clock, where=name, affinity=True)

    def follow(self, told: Callable[[str], None], *, lasts: timedelta = LASTS, quiet: timedelta = QUIET) -> None:
        """Name a room to `told` whenever something happened in its mailbox, and each once at the beginning. Returns
        when the server ends the connection. Raises OtdError."""
        with self._lines.one(Deadline.after(WITHIN), self._where) as line:
            subscribed = dict(self._subscribed(line))
            if not subscribed:
                raise Missing(self._where, "no room can be watched", "`otd status` says why they cannot be read")
            for name in subscribed.values():
                told(name)
            anchor = self.rooms[0].mailbox
            payload = streaming_payload(subscribed, lasts)
            for body in line.listen(payload, mailbox=anchor, where=self._where, quiet=quiet):
                for identity in _named(body, self._where):
                    if identity in subscribed:
                        told(subscribed[identity])

    def close(self) -> None:
        self._lines.close()

    def _subscribed(self, line: Line) -> Iterator[tuple[str, str]]:
        """Each room's subscription and name. A room that cannot be watched is left to its refreshes."""
        service = partial(Subscribe, anchor=self.rooms[0].mailbox)
        for room in self.rooms:
            deadline = Deadline.after(WITHIN)
            try:
                found = line.ask(
                    service, subscribe_payload(room.mailbox), mailbox=room.mailbox, where=self._where, deadline=deadline
                )
            except OtdError as error:
                of_this_room = isinstance(error, Missing) or (isinstance(error, Denied) and not error.reason)
                if error.everywhere or not of_this_room:
                    raise
                continue
            identity = found[0].text if found and isinstance(found[0], etree._Element) else None
            if identity:
                yield identity, room.name


def _named(body: etree._Element, where: str) -> Iterator[str]:
    """The subscriptions that one message is about. Raises Garbled when the server does not know them any more."""
    for code in body.iterfind(f".//{M}ResponseCode"):
        if code.text != "NoError":
            raise Garbled(where, "the server ended the subscriptions")
    for one in body.iterfind(f".//{M}Notification/{T}SubscriptionId"):
        yield one.text or ""
