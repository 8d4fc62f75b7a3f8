"""Rules of recurrence (RRULE, RFC 5545 section 3.3.10) made fit for dateutil, or refused.

An invitation may state any rule, and dateutil follows a rule that never comes true to the year 9999 and one that comes
true every second through every second. What is let through is what calendars write: daily to yearly, with parts that
bound the work, and only if the rule comes true at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

_INTEGER = r"[+-]?\d{1,3}"
_PARTS = {
    "INTERVAL": re.compile(r"0*[1-9]\d{0,3}"),
    "COUNT": re.compile(r"-?\d{1,5}"),
    "UNTIL": re.compile(r"\d{8}(?:T\d{6}Z?)?", re.I),
    "WKST": re.compile(r"MO|TU|WE|TH|FR|SA|SU"),
    "BYMONTH": re.compile(r"(?:1[0-2]|0?[1-9])(?:,(?:1[0-2]|0?[1-9])){0,11}"),
    "BYMONTHDAY": re.compile(rf"{_INTEGER}(?:,{_INTEGER}){{0,30}}"),
    "BYYEARDAY": re.compile(rf"{_INTEGER}(?:,{_INTEGER}){{0,50}}"),
    "BYWEEKNO": re.compile(rf"{_INTEGER}(?:,{_INTEGER}){{0,52}}"),
    "BYDAY": re.compile(r"[+-]?\d{0,2}(?:MO|TU|WE|TH|FR|SA|SU)(?:,[+-]?\d{0,2}(?:MO|TU|WE|TH|FR|SA|SU)){0,20}"),
    "BYSETPOS": re.compile(rf"{_INTEGER}(?:,{_INTEGER}){{0,10}}"),
    # Several times a day are not written by calendars; a single hour, minute or second repeats what the start says.
    "BYHOUR": re.compile(r"\d{1,2}(?:,\d{1,2}){0,3}"),
    "BYMINUTE": re.compile(r"\d{1,2}(?:,\d{1,2}){0,3}"),
    "BYSECOND": re.compile(r"0{1,2}"),
}
_FREQUENCIES = {"DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1), "MONTHLY": None, "YEARLY": None}
_BY_DAY_OF_YEAR = frozenset(("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"))
COUNT_LIMIT = 5_000
# From 1901 to 2099 the calendar repeats after 28 years: weekdays and leap years fall on the same dates again. So a
# rule does near the end of dateutil's world what it does now, and a search that finds nothing is soon at its end.
_CYCLE = 28
_NEAR_THE_END = range(9944, 9944 + _CYCLE)


class RefusedError(ValueError):
    """The rule cannot be followed; the text says why."""


def fit(text: str, start: datetime) -> str:
    """The rule in a form that dateutil follows in bounded time from the wall clock time of `start`.

    UNTIL comes out as wall clock time of the same zone. Raises RefusedError.
    """
    parts = _taken_apart(text)
    if parts["FREQ"] in ("DAILY", "WEEKLY") and not _BY_DAY_OF_YEAR.isdisjoint(parts):
        raise RefusedError("combines days in a way that no calendar writes")
    if int(parts.get("COUNT", "1")) < 1:
        del parts["COUNT"]  # some programs write COUNT=-1 for a series without end
    if int(parts.get("COUNT", "1")) > COUNT_LIMIT:
        raise RefusedError(f"has more than {COUNT_LIMIT} occurrences")
    if "UNTIL" in parts:
        parts["UNTIL"] = _until(parts["UNTIL"], start)
        parts.pop("COUNT", None)
    if not _comes_true(parts, start):
        raise RefusedError("never comes true")
    return ";".join(f"{name}={value}" for name, value in parts.items())


def brought_near(rules: Sequence[str], start: datetime, before: datetime) -> datetime:
    """A later start from which the rules give the same occurrences from `before` on, to save walking through the past.

    `start` itself unless there is one rule, daily or weekly, that does not count its occurrences.
    """
    parts = _taken_apart(rules[0]) if len(rules) == 1 else {"FREQ": "", "COUNT": ""}
    unit = _FREQUENCIES.get(parts["FREQ"])
    if unit is None or "COUNT" in parts or start >= before:
        return start
    step = unit * int(parts.get("INTERVAL", "1"))
    return start + step * ((before - start) // step)


def _taken_apart(text: str) -> dict[str, str]:
    """The parts, FREQ first."""
    parts: dict[str, str] = {}
    for part in text.upper()[:1000].replace(" ", "").strip(";").split(";"):
        name, _, value = part.partition("=")
        if name == "FREQ":
            if value not in _FREQUENCIES:
                raise RefusedError("repeats more often than daily")
            parts[name] = value
        elif name in _PARTS and value:
            if not _PARTS[name].fullmatch(value):
                raise RefusedError("has a part that no calendar writes")
            parts[name] = value
        elif not name.startswith("X-") and value:
            raise RefusedError("has a part that is not in RFC 5545")
    if "FREQ" not in parts:
        raise RefusedError("does not say how often")
    return {"FREQ": parts.pop("FREQ"), **parts}


def _until(text: str, start: datetime) -> str:
    """UNTIL on the wall clock of the start. A date means that whole day, a time without Z is meant there already."""
    try:
        if text.endswith("Z"):
            last = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(start.tzinfo)
        elif "T" in text:
            last = datetime.strptime(text, "%Y%m%dT%H%M%S")  # noqa: DTZ007 -- it is wall clock time
        else:
            last = datetime.strptime(text, "%Y%m%d").replace(hour=23, minute=59, second=59)  # noqa: DTZ007
        return last.strftime("%Y%m%dT%H%M%S")
    except (ValueError, OverflowError):
        raise RefusedError("has an end that is not a time") from None


def _comes_true(parts: dict[str, str], start: datetime) -> bool:
    """Whether there is any occurrence in the next 28 years."""
    from dateutil.rrule import rrulestr

    year = next(y for y in _NEAR_THE_END if (y - start.year) % _CYCLE == 0)
    endless = ";".join(f"{name}={value}" for name, value in parts.items() if name not in ("UNTIL", "COUNT"))
    try:
        rule: Any = rrulestr(endless, dtstart=start.replace(year=year, tzinfo=None))
        return next(iter(rule), None) is not None
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        raise RefusedError("has a part that is not in RFC 5545") from None
