"""iCalendar text for tests, valid by default: a test states only what matters to it."""

from __future__ import annotations

START = "20261124T090000Z"  # a Tuesday
END = "20261124T100000Z"


def vevent(*lines: str, uid: str = "m1@example.com", start: str = START, end: str = END, **properties: object) -> str:
    """One VEVENT. Keywords are properties (recurrence_id is RECURRENCE-ID); `lines` are taken as they are.

    `start` and `end` may begin with parameters: ";TZID=Europe/Oslo:20261124T090000". An empty one is left out.
    """
    usual: dict[str, object] = {"DTSTAMP": "20261101T080000Z", "SUMMARY": "Weekly review", "SEQUENCE": 0}
    usual |= {name.upper().replace("_", "-"): value for name, value in properties.items()}
    times = [_line("DTSTART", start), _line("DTEND", end)]
    stated = [_line(name, str(value)) for name, value in usual.items() if value is not None]
    written = [f"UID:{uid}" if uid else "", *times, *stated, *lines]
    return "\r\n".join(("BEGIN:VEVENT", *filter(None, written), "END:VEVENT"))


def ics(*events: str, method: str = "", head: str = "") -> bytes:
    """A file with these VEVENTs; `head` is put before them."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example.com//test//EN", f"METHOD:{method}" if method else ""]
    return "\r\n".join((*filter(None, lines), *filter(None, (head,)), *events, "END:VCALENDAR", "")).encode()


def folded(text: str, at: int = 75) -> str:
    """The text with its lines folded as RFC 5545 wants it, by characters."""
    return "\r\n".join(_folded(line, at) for line in text.split("\r\n"))


def vtimezone(tzid: str, standard: str = "+0100", daylight: str = "+0200") -> str:
    """A zone with summer time from March to October."""
    return "\r\n".join(
        (
            "BEGIN:VTIMEZONE",
            f"TZID:{tzid}",
            "BEGIN:STANDARD",
            "DTSTART:16010101T030000",
            f"TZOFFSETFROM:{daylight}",
            f"TZOFFSETTO:{standard}",
            "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10",
            "END:STANDARD",
            "BEGIN:DAYLIGHT",
            "DTSTART:16010101T020000",
            f"TZOFFSETFROM:{standard}",
            f"TZOFFSETTO:{daylight}",
            "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3",
            "END:DAYLIGHT",
            "END:VTIMEZONE",
        )
    )


def _line(name: str, value: str) -> str:
    if not value:
        return ""
    return name + (value if value.startswith(";") else f":{value}")


def _folded(line: str, at: int) -> str:
    pieces = [line[:at], *(line[i : i + at - 1] for i in range(at, len(line), at - 1))]
    return "\r\n ".join(pieces)
