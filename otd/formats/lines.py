"""From the text of an iCalendar file to its components, tolerant of what real programs get wrong.

icalendar reads well-formed files, refuses a whole file for one stray line, and keeps the time zones that a file
defines for the whole process; invitations come from anybody. So the lines are taken apart here, in one pass, and only
values go through icalendar and dateutil.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from otd.formats.document import BODY_LIMIT, ENTRY_LIMIT

# RFC 5545, RFC 7986, RFC 9073 and RFC 9074, besides X- names. Anything else is not a property but text that a program
# broke over several lines.
NAMES = frozenset(
    """ACKNOWLEDGED ACTION ATTACH ATTENDEE BEGIN CALENDAR-ADDRESS CALSCALE CATEGORIES CLASS COLOR COMMENT COMPLETED
    CONFERENCE CONTACT CREATED DESCRIPTION DTEND DTSTAMP DTSTART DUE DURATION END EXDATE EXRULE FREEBUSY GEO IMAGE
    LAST-MODIFIED LOCATION LOCATION-TYPE METHOD NAME ORGANIZER PARTICIPANT-TYPE PERCENT-COMPLETE PRIORITY PRODID
    PROXIMITY RDATE RECURRENCE-ID REFRESH-INTERVAL RELATED-TO REPEAT REQUEST-STATUS RESOURCE-TYPE RESOURCES RRULE
    SEQUENCE SOURCE STATUS STRUCTURED-DATA STYLED-DESCRIPTION SUMMARY TRANSP TRIGGER TZID TZNAME TZOFFSETFROM
    TZOFFSETTO TZUNTIL TZURL UID URL VERSION""".split()  # noqa: SIM905 -- a list reads worse
)
_IGNORED = frozenset(("ATTACH", "IMAGE", "COMMENT", "CATEGORIES", "STRUCTURED-DATA"))  # may be large, never used

_LINE = re.compile(r'(?P<name>[A-Za-z][A-Za-z0-9-]*)(?P<params>(?:;[^:"\n]*(?:"[^"\n]*"[^:"\n]*)*)?):', re.S)
_PARAM = re.compile(r';\s*([A-Za-z0-9-]+)\s*=\s*("[^"]*"|[^;"]*)')
_CARET = re.compile(r"\^([n'^])")
_CARETS = {"n": "\n", "'": '"', "^": "^"}
_ESCAPE = re.compile(r"\\([\\;,:nN\"])")
_FOLDED_AT = range(70, 81)  # programs fold lines at 75 bytes or a little beside it


class Value(NamedTuple):
    """A property as written: parameters and value, both still in the letters of the file."""

    params: str
    text: str

    def param(self, name: str) -> str:
        """A parameter, "" when there is none (RFC 5545 section 3.2, RFC 6868)."""
        for key, value in _PARAM.findall(self.params):
            if key.upper() == name:
                plain = value.strip().strip('"')
                return _CARET.sub(lambda found: _CARETS[found[1]], plain) if "^" in plain else plain
        return ""

    def plain(self) -> str:
        """The text with its escapes undone (RFC 5545 section 3.3.11; Exchange writes both \\n and \\N)."""
        text = self.text[: 3 * BODY_LIMIT]
        if "\\" not in text:
            return text
        return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], text)


NOTHING = Value("", "")


@dataclass(slots=True)
class Component:
    """One VEVENT: its properties by name in capitals, in the order in which each name first comes."""

    values: dict[str, list[Value]] = field(default_factory=dict)

    def put(self, name: str, value: Value) -> None:
        """Add it, unless there are more already than any program writes."""
        found = self.values.get(name)
        if found is None and len(self.values) < 500:
            self.values[name] = [value]
        elif found is not None and len(found) < 5_000:
            found.append(value)

    def get(self, name: str) -> Value:
        """The first property of that name; an empty one when there is none."""
        found = self.values.get(name)
        return found[0] if found else NOTHING

    def all(self, name: str) -> list[Value]:
        return self.values.get(name, [])


@dataclass(slots=True)
class CalendarObject:
    """One VCALENDAR: its own properties, the time zones that it defines, its events."""

    values: dict[str, str] = field(default_factory=dict)
    zones: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    events: list[Component] = field(default_factory=list)


def objects(text: str) -> tuple[list[CalendarObject], bool]:
    """What is in a text whose lines are unfolded, and whether it is whole: everything that begins also ends."""
    reader = _Reader()
    for name, value in _properties(text):
        if name == "BEGIN":
            reader.begin(value.text.strip().upper())
        elif name == "END":
            reader.end(value.text.strip().upper())
        else:
            reader.property(name, value)
    return reader.found, bool(reader.found) and not reader.stack


@dataclass(slots=True)
class _Reader:
    """Where we are in the file."""

    found: list[CalendarObject] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)
    event: Component = field(default_factory=Component)  # the VEVENT that began last
    observances: list[dict[str, str]] = field(default_factory=list)  # of the VTIMEZONE being read

    def begin(self, kind: str) -> None:
        if kind == "VCALENDAR" or not self.found:
            self.found.append(CalendarObject())
        if kind == "VEVENT" and len(self.found[-1].events) <= ENTRY_LIMIT:
            self.event = Component()
            self.found[-1].events.append(self.event)
        elif kind == "VTIMEZONE":
            self.observances = []
        elif kind in ("STANDARD", "DAYLIGHT"):
            self.observances.append({"BEGIN": kind})
        if len(self.stack) < 50:
            self.stack.append(kind)

    def end(self, kind: str) -> None:
        if kind in self.stack:
            while self.stack.pop() != kind:
                pass

    def property(self, name: str, value: Value) -> None:
        if not self.stack or name in _IGNORED:
            return
        where = self.stack[-1]
        if where == "VEVENT":
            self.event.put(name, value)
        elif where == "VCALENDAR":
            self.found[-1].values.setdefault(name, value.plain())
        elif where == "VTIMEZONE" and name == "TZID":
            self.found[-1].zones.setdefault(value.plain(), self.observances)
        elif where in ("STANDARD", "DAYLIGHT") and self.observances:
            before = self.observances[-1].get(name)
            self.observances[-1][name] = f"{before},{value.text}" if before and name == "RDATE" else value.text


def _properties(text: str) -> Iterator[tuple[str, Value]]:
    """The properties in order. A line that is none belongs to the value before it."""
    name, params = "", ""
    pieces: list[str] = []
    before = 0  # the length of the line before
    for found in re.finditer(r"[^\n]+", text):
        line, length = found[0], before
        before = len(line)
        parts = _LINE.match(line)
        if parts is None or not _is_name(parts["name"]):
            pieces.append(line if length in _FOLDED_AT else "\\n" + line)
            continue
        if name:
            yield name, Value(params, "".join(pieces))
        name, params = parts["name"].upper(), parts["params"]
        pieces = [line[parts.end() :]]
    if name:
        yield name, Value(params, "".join(pieces))


def _is_name(name: str) -> bool:
    """Whether a line that begins so is a property. "Location:" is text: programs write names all in capitals."""
    return (name.isupper() or name.islower()) and (name[:2] in ("X-", "x-") or name.upper() in NAMES)
