"""Booking a meeting of our own by Graph, and taking it back: for `otd probe`, with Calendars.ReadWrite for the room.

Microsoft Graph v1.0, "Create event" (POST /users/{id}/events) and "Delete event". OTD itself only ever reads.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from otd.calendars.graph_line import Call, GraphLine
from otd.errors import Denied, Garbled, Missing
from otd.model import Booked, Meeting, Room

_MAY_NOT = (
    "to probe by this calendar the application needs Calendars.ReadWrite for the room; without it, `otd probe` a room "
    "whose calendar is a folder"
)


def book(line: GraphLine, room: Room, meeting: Meeting, call: Call) -> Booked:
    """Put it into the room's own calendar; nobody is invited. Raises OtdError and TimeoutError."""
    document = {
        "subject": meeting.subject,
        "start": _time(meeting.start),
        "end": _time(meeting.end),
        "body": {"contentType": "text", "content": meeting.body},
        "isReminderOn": False,
        "showAs": "busy",
    }
    try:
        made = line.send("POST", _events(room), document, call)
    except Denied as error:
        raise Denied(error.where, error.why, _MAY_NOT) from error
    id, uid = made.get("id"), made.get("iCalUId")
    if not isinstance(id, str) or not isinstance(uid, str) or not id or not uid:
        raise Garbled(call.where, "Graph does not say what it booked", "look into the room's calendar")
    return Booked(handle=id, uid=uid)


def take_back(line: GraphLine, room: Room, booked: Booked, call: Call) -> None:
    """Remove it again; that it is gone already is no mistake. Raises OtdError and TimeoutError."""
    try:
        line.remove(f"{_events(room)}/{quote(booked.handle, safe='')}", call)
    except Missing:
        return


def _events(room: Room) -> str:
    return f"/v1.0/users/{quote(room.mailbox, safe='')}/events"


def _time(time: datetime) -> dict[str, str]:
    return {"dateTime": time.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"}
