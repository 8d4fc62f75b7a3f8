"""Anybody can send an invitation to a room: no bytes may raise anything but an OtdError, or take long."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otd import formats
from otd.errors import OtdError
from otd.model import Window
from tests.icalendar_text import ics, vevent, vtimezone
from tests.unit.test_formats_detection import EVENT, ITEM, ews

WINDOW = Window(start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 12, 1, tzinfo=UTC))
CALENDAR = ics(
    vevent(
        "RRULE:FREQ=MONTHLY;BYDAY=-1TU;UNTIL=20271231T000000Z",
        "EXDATE;TZID=Mine:20261126T090000,20261127T090000",
        "RDATE;VALUE=PERIOD:20261128T090000Z/PT1H",
        'ORGANIZER;CN="Doe, Ann":mailto:ann@example.com',
        "ATTENDEE;CUTYPE=ROOM;PARTSTAT=NEEDS-ACTION:mailto:room1@example.com",
        "DURATION:P1DT2H",
        "X-ALT-DESC;FMTTYPE=text/html:<html><body>Hello\\, <b>you</b></body></html>",
        "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE",
        'X-MICROSOFT-LOCATIONS:[{"DisplayName":"x"}]',
        start=";TZID=Mine:20261124T000000",
        end="",
        description="Line\\nline",
    ),
    vevent("RECURRENCE-ID;RANGE=THISANDFUTURE:20261125T090000Z", status="CANCELLED"),
    head=vtimezone("Mine"),
    method="REQUEST",
)


def _mail() -> bytes:
    mail = EmailMessage()
    mail["Subject"] = "Møte"
    mail["From"] = "Ann <ann@example.com>"
    mail["Date"] = "Mon, 23 Nov 2026 10:00:00 +0100"
    mail.set_content("plain")
    mail.add_alternative("<p>html</p>", subtype="html")
    mail.add_alternative(CALENDAR.decode(), subtype="calendar", params={"method": "REQUEST"})
    return mail.as_bytes()


SEEDS = {
    "x.ics": CALENDAR,
    "x.eml": _mail(),
    "x.json": json.dumps({"value": [EVENT]}).encode(),
    "x.xml": ews(ITEM.format(body="&lt;p&gt;Hello&lt;/p&gt;")),
    "x.html": b"<html><title>x</title><body>Join <a href='https://example.com'>here</a></body></html>",
}


def read(data: bytes, name: str) -> None:
    """Read it and expand it; only an OtdError may come out."""
    try:
        document = formats.parse(data, name)
    except OtdError:
        return
    for entry in document.entries:
        meeting = entry.meeting
        " ".join((meeting.subject, meeting.body, meeting.location, meeting.uid, meeting.id)).encode()
    meetings, _ = formats.occurrences(document.entries, WINDOW)
    assert all(WINDOW.overlaps(m.start, m.end) for m in meetings)


NAMES = st.sampled_from(["", "x.ics", "x.eml", "x.json", "x.xml", "x.html", "x.txt", "x"])


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), NAMES)
@example(b"\xff\xfe", "x.ics")
@example(b"BEGIN:VEVENT", "x.ics")
@example(b"\xff\xfe\x00", "x.eml")
def test_random_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    read(data, name)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, str]:
    """A good file after somebody was at it."""
    name = draw(st.sampled_from(sorted(SEEDS)))
    data = bytearray(SEEDS[name])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 4)):
            case 0:
                data[at : at + draw(st.integers(1, 40))] = b""
            case 1:
                data[at:at] = draw(st.binary(min_size=1, max_size=8))
            case 2:
                data[at:at] = draw(st.sampled_from(TOKENS))
            case 3:
                data[at:at] = data[draw(st.integers(0, len(data))) :][: draw(st.integers(1, 200))]
            case _:
                del data[at:]
    return bytes(data), name


TOKENS = [
    *(b"\r\n", b"\n ", b"\r", b"\0", b":", b";", b'"', b"\\", b"=", b"\xc3", b"\xf0\x9f\x98\x80", b"--==="),
    *(b"&#0;", b"<!--", b'"start":', b"\\ud800", b"null", b"1e999", b"Content-Transfer-Encoding: base64\r\n"),
    *(b"BEGIN:VEVENT\r\n", b"END:VEVENT\r\n", b"RRULE:FREQ=SECONDLY\r\n", b"DURATION:P99999999999D\r\n"),
    *(b"DTSTART:00010101T000000\r\n", b"DTEND:99991231T235959Z\r\n", b"TZOFFSETTO:+9999\r\n", b"RDATE:\r\n"),
    *(b"RECURRENCE-ID:20261125\r\n", b"SEQUENCE:-1\r\n"),
]


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_damaged_files_are_read_or_refused(drawn: tuple[bytes, str]) -> None:
    read(*drawn)


PIECE = 256 * 1024
PART = b"Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n"
BIG = {
    "folds": (b"BEGIN:VEVENT\r\nDESCRIPTION:" + b"\r\n a" * (PIECE // 2), "x.ics"),
    "blank lines": (b"BEGIN:VEVENT\n" + b"\n" * 10 * PIECE, "x.ics"),
    "quotes": (b"BEGIN:VEVENT\r\nDTSTART;" + b'X="' * 2 * PIECE + b":20261124T090000Z", "x.ics"),
    "parameters": (b"BEGIN:VEVENT\r\nDTSTART" + b";X=y" * 2 * PIECE + b":20261124T090000Z\r\nEND:VEVENT", "x.ics"),
    "open parameters": (b"BEGIN:VEVENT\r\nDTSTART" + b";X" * 4 * PIECE + b"\r\nEND:VEVENT", "x.ics"),
    "escapes": (ics(vevent(description="\\n" * 4 * PIECE)), "x.ics"),
    "tags": (ics(vevent("X-ALT-DESC:" + "<" * 4 * PIECE, description="<a" * PIECE)), "x.ics"),
    "half tags": (ics(vevent(description="<br " * 2 * PIECE)), "x.ics"),
    "exdates": (ics(vevent("RRULE:FREQ=DAILY", "EXDATE:" + "20261125T090000Z," * 60_000)), "x.ics"),
    "exdate lines": (ics(vevent("RRULE:FREQ=DAILY", *["EXDATE:20261125T090000Z"] * 30_000)), "x.ics"),
    "events": (b"BEGIN:VEVENT\r\n" * 80_000, "x.ics"),
    "zones": (ics(head="\r\n".join(vtimezone(f"Z{n}") for n in range(1_500))), "x.ics"),
    "rule": (ics(vevent("RRULE:FREQ=DAILY;" + "BYDAY=" + "MO," * PIECE)), "x.ics"),
    "exceptions": (
        ics(
            vevent("RRULE:FREQ=DAILY;COUNT=3000", start="20200101T090000Z", end="20200101T100000Z"),
            *(vevent(recurrence_id=f"202{n // 336}{n // 28 % 12 + 1:02}{n % 28 + 1:02}T090000Z") for n in range(600)),
        ),
        "x.ics",
    ),
    "base64": (PART % (b"text/calendar", b"base64") + b"QkVH\r\n" * PIECE, "x.eml"),
    "quoted-printable": (PART % (b"text/html", b"quoted-printable") + b"=3D=\r\n" * (PIECE // 2), "x.eml"),
    "two encodings": (PART % (b"text/calendar", b"x-uuencode") + b"M" * 4 * PIECE, "x.eml"),
    "subject": (b"MIME-Version: 1.0\r\nSubject: " + b"=?utf-8?q?a?= " * PIECE + b"\r\n\r\nhello", "x.eml"),
    "recipients": (b"MIME-Version: 1.0\r\nTo: " + b'"<a@b>,(' * PIECE + b"\r\n\r\nhello", "x.eml"),
    "headers": (b"MIME-Version: 1.0\r\n" + b"X: y\r\n" * 80_000 + b"\r\nhello", "x.eml"),
    "xml": (ews("<t:CalendarItem>" + "<t:Subject/>" * 80_000 + "</t:CalendarItem>"), "x.xml"),
    "references": (ews("&#1;" * PIECE), "x.xml"),
    "json": (b"[" + b'{"start":1,"end":2},' * 50_000 + b"{}]", "x.json"),
    "text": (b"[" * 10 * PIECE, "x.txt"),
}


@pytest.mark.parametrize("name", sorted(BIG))
def test_a_big_file_takes_time_in_proportion_and_no_more(name: str) -> None:
    """Many times what any of these needs, and nothing like what a square of its size would take."""
    data, file = BIG[name]
    before = time.process_time()
    read(data, file)
    assert time.process_time() - before < 1 + 2 * len(data) / (1024 * 1024)
