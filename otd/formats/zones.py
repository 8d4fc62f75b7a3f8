"""Time zones of iCalendar: by IANA name, by Windows name, by what a VTIMEZONE defines (RFC 5545 section 3.6.5).

A definition counts for its own file only: "Customized Time Zone" means something else in every mail. Known names win
over definitions, since programs write definitions that are out of date or wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from io import StringIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

Observance = Mapping[str, str]  # the properties of a STANDARD or DAYLIGHT by name; "BEGIN" says which of the two

_ALSO = {"tzone://Microsoft/Utc": "UTC", "Coordinated Universal Time": "UTC", "Z": "UTC"}
# What is no name of a zone is not looked for: its dots would be modules of Python, one in the other.
_OLSON = re.compile(r"[A-Za-z0-9_+-]{1,40}(?:/[A-Za-z0-9_+-]{1,40}){0,2}")
_OFFSET_IN_NAME = re.compile(r"\((?:UTC|GMT)(?:(?P<sign>[+-])(?P<hours>\d\d)[:.](?P<minutes>\d\d))?\)")
_OFFSET = re.compile(r"[+-](?:0\d|1[0-5])[0-5]\d(?:[0-5]\d)?")
_LOCAL = re.compile(
    r"(?:1[5-9]|2[01])\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:T(?:[01]\d|2[0-3])[0-5]\d[0-5]\d)?"
)
# The yearly rules that real definitions are made of. A rule that never comes true would be searched to the year 9999.
_YEARLY = re.compile(
    r"FREQ=YEARLY(?:;(?:INTERVAL=1|WKST=[A-Z]{2}|BYMONTH=(?:1[0-2]|0?[1-9])|BYDAY=[+-]?[1-5]?(?:MO|TU|WE|TH|FR|SA|SU)|"
    r"BYMONTHDAY=(?:[12]\d|0?[1-9])(?:,(?:[12]\d|0?[1-9])){0,30}|UNTIL=\d{8}(?:T\d{6}Z?)?))+"
)


class Zones:
    """The zones that one file may name; `default` is meant where it names none."""

    def __init__(self, default: tzinfo, definitions: Mapping[str, Sequence[Observance]] | None = None) -> None:
        self.default = default
        self._definitions = definitions or {}
        self._known: dict[str, tzinfo | None] = {"": default}

    def get(self, name: str) -> tzinfo | None:
        """The zone of that name, None when nobody knows it."""
        if name not in self._known:
            self._known[name] = named(name) or defined(self._definitions.get(name, ())) or stated(name)
        return self._known[name]


@lru_cache(maxsize=512)
def named(name: str) -> tzinfo | None:
    """A zone by its IANA or Windows name, also behind a vendor's prefix ("/example.org/2026/Europe/Oslo")."""
    wanted = _ALSO.get(name, name).strip().strip("/")
    parts = wanted.split("/")
    tails = ("/".join(parts[at:]) for at in range(max(0, len(parts) - 3), len(parts))) if len(parts) > 2 else ()
    for candidate in (wanted, *tails):
        olson = WINDOWS_TO_OLSON.get(candidate, candidate)
        if _OLSON.fullmatch(olson):
            with suppress(ZoneInfoNotFoundError, ValueError, OSError):
                return ZoneInfo(olson)
    return None


def stated(name: str) -> tzinfo | None:
    """The fixed offset that a display name such as "(UTC+01:00) Amsterdam, Berlin" begins with."""
    found = _OFFSET_IN_NAME.match(name)
    if not found:
        return None
    offset = timedelta(hours=int(found["hours"] or 0), minutes=int(found["minutes"] or 0))
    return timezone(-offset if found["sign"] == "-" else offset) if offset < timedelta(hours=16) else None


def defined(observances: Sequence[Observance]) -> tzinfo | None:
    """The zone that a VTIMEZONE defines, None when it defines none that can be used."""
    from dateutil.tz import tzical

    parts = [lines for one in observances[:40] if (lines := list(_observance(one)))]
    if not parts:
        return None
    if not any(lines[0] == "BEGIN:STANDARD" for lines in parts):
        parts[0] = ["BEGIN:STANDARD", *parts[0][1:-1], "END:STANDARD"]  # dateutil needs one to fall back on
    text = "\n".join(line for lines in parts for line in lines)
    try:
        zone = tzical(StringIO(f"BEGIN:VTIMEZONE\nTZID:X\n{text}\nEND:VTIMEZONE\n")).get()
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        return None
    return zone if isinstance(zone, tzinfo) else None


def _observance(one: Observance) -> Iterator[str]:
    """Its lines, cleaned of what is not needed; none when they cannot be used."""
    start, before, after = (one.get(name, "").strip() for name in ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO"))
    if not (_LOCAL.fullmatch(start) and _OFFSET.fullmatch(before) and _OFFSET.fullmatch(after)):
        return
    kind = "DAYLIGHT" if one.get("BEGIN") == "DAYLIGHT" else "STANDARD"
    yield f"BEGIN:{kind}"
    yield f"DTSTART:{start if 'T' in start else start + 'T000000'}"
    yield f"TZOFFSETFROM:{before}"
    yield f"TZOFFSETTO:{after}"
    rule = one.get("RRULE", "").strip().upper()
    if _YEARLY.fullmatch(rule):
        yield f"RRULE:{rule}"
    dates = [d for d in one.get("RDATE", "").split(",", 200)[:200] if _LOCAL.fullmatch(d) and "T" in d]
    if dates:
        yield f"RDATE:{','.join(dates)}"
    yield f"END:{kind}"
