"""Booking a meeting of our own in a room's folder, and taking it back: for `otd probe`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from otd.errors import BadSetting
from otd.model import Booked, Meeting

NAME = "otd-probe.ics"  # always the same, so that what a killed probe left behind is replaced by the next


def book(folder: Path, meeting: Meeting) -> Booked:
    """Write the invitation. Raises BadSetting."""
    path = folder / NAME
    try:
        partial = folder / f"{NAME}.tmp"
        partial.write_bytes(_document(meeting))
        os.replace(partial, path)
    except OSError as error:
        raise BadSetting(str(path), f"it cannot be written: {error.strerror}", "let OTD's user write there") from None
    return Booked(handle=str(path), uid=meeting.uid)


def take_back(booked: Booked) -> None:
    """Remove it again; that it is gone already is no mistake. Raises BadSetting."""
    try:
        Path(booked.handle).unlink(missing_ok=True)
    except OSError as error:
        raise BadSetting(booked.handle, f"it cannot be removed: {error.strerror}", "remove it by hand") from None


def _document(meeting: Meeting) -> bytes:
    from icalendar import Calendar, Event

    event = Event()
    event.add("uid", meeting.uid)
    event.add("dtstamp", datetime.now(UTC))
    event.add("dtstart", meeting.start)
    event.add("dtend", meeting.end)
    event.add("summary", meeting.subject)
    event.add("description", meeting.body)
    calendar = Calendar()
    calendar.add("prodid", "-//One Touch Dial//probe//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "REQUEST")
    calendar.add_component(event)
    return bytes(calendar.to_ical())
