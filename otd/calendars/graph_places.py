"""The rooms that a tenant knows (Microsoft Graph v1.0, /places/microsoft.graph.room; permission Place.Read.All)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from otd.calendars.access import GraphAccess
from otd.calendars.graph_line import Call, GraphLine
from otd.errors import Denied, Garbled, Truncated
from otd.model import FoundRoom
from otd.outbound import Deadline
from otd.ports import Clock, Secrets

PAGES = 1000  # of a hundred rooms each
PAGE_LIMIT = 8 * 1024 * 1024
_PERMISSION = (
    "give the application the permission Place.Read.All in Entra ID (it opens no mailbox), or write rooms.csv yourself"
)


@dataclass(frozen=True, slots=True)
class GraphPlaces:
    """See otd.ports.Directory."""

    name: str
    access: GraphAccess
    secrets: Secrets
    clock: Clock

    def rooms(self, *, within: timedelta) -> tuple[FoundRoom, ...]:
        line = GraphLine(self.name, self.access, secrets=self.secrets, clock=self.clock, prefer="", limit=PAGE_LIMIT)
        try:
            return tuple(self._pages(line, Call(f"{self.name}: places", Deadline.after(within))).values())
        except Denied as error:
            raise Denied(error.where, error.why, _PERMISSION if not error.everywhere else error.mend) from None
        finally:
            line.close()

    def _pages(self, line: GraphLine, call: Call) -> dict[str, FoundRoom]:
        found: dict[str, FoundRoom] = {}
        followed: set[str] = set()
        url = f"{line.root}/v1.0/places/microsoft.graph.room?$top=100"
        while url:
            if url in followed or len(followed) >= PAGES:
                raise Truncated(call.where, "Graph's pages do not end")
            if not url.startswith(f"{line.root}/"):
                raise Garbled(call.where, "Graph's next page is on another host, which is not asked")
            followed.add(url)
            page = _page(line.get(url, call), call.where)
            for one in page["value"]:
                room = _room(one)
                if room is not None:
                    found.setdefault(room.mailbox.casefold(), room)
            url = page.get("@odata.nextLink") or ""
        return found


def _page(body: bytes, where: str) -> dict[str, Any]:
    try:
        stated = json.loads(body)
    except (ValueError, RecursionError):
        raise Garbled(where, "the answer is not JSON", "look for a proxy on the way to Graph") from None
    link = stated.get("@odata.nextLink", "") if isinstance(stated, dict) else None
    if not isinstance(link, str) or not isinstance(stated.get("value"), list):
        raise Garbled(where, "Graph's answer is not a list of rooms", "look for a proxy on the way to Graph")
    return stated  # type: ignore[no-any-return]


def _room(stated: Any) -> FoundRoom | None:
    """None for a room without a mailbox."""
    if not isinstance(stated, Mapping) or not isinstance(address := stated.get("emailAddress"), str) or not address:
        return None
    name = stated.get("displayName")
    return FoundRoom(mailbox=address, label=name if isinstance(name, str) else "")
