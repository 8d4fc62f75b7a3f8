"""Invitations as bytes -> Meetings, whatever they were saved as. Pure: no file is opened here, no address fetched.

    bytes --detection--> ical | mail | graph_json | ews_xml | page --> Document of Entries
    Entries --itip--> Standings (what holds after all messages) --recurrence--> Meetings in a window

Everything is as hostile as anybody who can send a mail to a room: sizes are capped, time is bounded, and nothing but
an OtdError is raised. What a client of Exchange already has in hand goes straight to graph_event or ews_item.

How the same invitation differs from format to format, and cannot help it:

- `id` and `change_key` are the source's own.
- iCalendar states the body as the sender wrote it; Exchange may give it as HTML of its own making.
- In .ics and .eml a series is one record with its exceptions beside it; Graph and EWS may give its occurrences.
- `response` in iCalendar is the answer of the one attendee that is a room, "none" when there is none such.
- Where iCalendar has CONFERENCE, X-GOOGLE-CONFERENCE and the like, Graph has `onlineMeeting.joinUrl`.
- Attendees come in the source's own order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, tzinfo

from otd.errors import Garbled
from otd.formats.document import SIZE_LIMIT, Document, Entry
from otd.model import Meeting, Window

__all__ = ["SIZE_LIMIT", "Document", "Entry", "occurrences", "parse", "read"]


def read(data: bytes, name: str = "", zone: tzinfo = UTC) -> tuple[Meeting, ...]:
    """Every meeting as written, past ones too: a series is one record, its exceptions are records of their own.

    `name` is a file name that helps to tell what the bytes are, `zone` the room's, in which all-day meetings are
    dates. Raises Garbled, in words that quote nothing of the content, when it cannot be read.
    """
    return tuple(entry.meeting for entry in parse(data, name, zone).entries)


def parse(data: bytes, name: str = "", zone: tzinfo = UTC) -> Document:
    """The same with everything that is known of each meeting's state, and with notes on what was left out."""
    where = name or "the input"
    if len(data) > SIZE_LIMIT:
        raise Garbled(where, f"is larger than {SIZE_LIMIT // 2**20} MiB", "save the invitation alone as .ics")
    if not data.strip(b"\0 \t\r\n"):
        raise Garbled(where, "is empty")
    try:
        return _parse(data, name, zone)
    except Garbled as error:
        raise Garbled(where, f"{error.where} {error.why}", error.mend) from None


def occurrences(entries: Iterable[Entry], window: Window) -> tuple[tuple[Meeting, ...], tuple[str, ...]]:
    """What the entries come to in the window, by start and id: recurrences expanded, exceptions and cancellations in
    their places, the newest message about each winning. Second, what is wrong with series that were not followed.
    """
    from otd.formats import recurrence
    from otd.formats.itip import standing

    found = [recurrence.occurrences(one, window) for one in standing(entries)]
    meetings = sorted((m for one in found for m in one.meetings if m.kind != "series"), key=lambda m: (m.start, m.id))
    return tuple(meetings), tuple(dict.fromkeys(problem for one in found for problem in one.problems))


def _parse(data: bytes, name: str, zone: tzinfo) -> Document:
    from otd.formats.detection import calendar_text, kind_of

    kind = kind_of(data, name)
    if kind == "ical":
        from otd.formats import ical

        return ical.read(calendar_text(data), zone)
    if kind == "mail":
        from otd.formats import mail

        return mail.read(data, zone)
    if kind == "json":
        from otd.formats import graph_json

        return graph_json.read(data, zone)
    if kind == "xml":
        from otd.formats import ews_xml

        return ews_xml.read(data, zone)
    from otd.formats import page

    return page.read(data, html=kind == "html")
