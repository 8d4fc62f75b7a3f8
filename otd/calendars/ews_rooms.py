"""The rooms that an Exchange Server knows: those in its room lists (EWS, GetRoomLists and GetRooms)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lxml import etree

from otd.calendars.access import EwsAccess
from otd.calendars.ews_lines import Line, Lines
from otd.calendars.ews_soap import GetRoomLists, GetRooms, room_lists_payload, rooms_payload
from otd.errors import Garbled, Missing, Unreachable
from otd.formats.ews_item import TYPES
from otd.model import FoundRoom
from otd.outbound import Deadline
from otd.ports import Clock, Secrets

_NO_LISTS = "make one: New-DistributionGroup -Name Rooms -RoomList, then Add-DistributionGroupMember for each room"


@dataclass(frozen=True, slots=True)
class EwsRooms:
    """See otd.ports.Directory."""

    name: str
    access: EwsAccess
    secrets: Secrets
    clock: Clock

    def rooms(self, *, within: timedelta) -> tuple[FoundRoom, ...]:
        where, deadline = f"{self.name}: room lists", Deadline.after(within)
        lines = Lines(self.access, secrets=self.secrets, clock=self.clock, where=self.name)
        try:
            with lines.one(deadline, where) as line:
                found = {room.mailbox.casefold(): room for room in _rooms(line, where, deadline)}
        except TimeoutError:
            raise Unreachable(where, f"no whole answer within {within.total_seconds():g} s") from None
        finally:
            lines.close()
        return tuple(found.values())


def _rooms(line: Line, where: str, deadline: Deadline) -> Iterator[FoundRoom]:
    def ask(service: type[Any], payload: etree._Element) -> list[Any]:
        return line.ask(service, payload, mailbox="", where=where, deadline=deadline)

    lists = [_address(one, where) for one in ask(GetRoomLists, room_lists_payload())]
    if not lists:
        raise Missing(where, "the server has no room lists", _NO_LISTS)
    for address, _ in lists:
        for room in ask(GetRooms, rooms_payload(address)):
            mailbox, label = _address(room.find(f"{{{TYPES}}}Id"), where)
            yield FoundRoom(mailbox=mailbox, label=label)


def _address(element: Any, where: str) -> tuple[str, str]:
    """The address and the name."""
    address = None if element is None else element.findtext(f"{{{TYPES}}}EmailAddress")
    if not address:
        raise Garbled(where, "the answer holds something that is no room")
    return address, element.findtext(f"{{{TYPES}}}Name") or ""
