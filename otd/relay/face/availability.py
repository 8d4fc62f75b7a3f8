"""GetUserAvailability: when the room is busy, in the time zone that the request describes.

A client sends its zone as Windows has it: a bias in minutes from local time to UTC, and the yearly rules for standard
and daylight time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from otd.relay.face.answers import Answer, Options, some
from otd.relay.face.restrictions import moment
from otd.relay.face.served import Served
from otd.relay.face.soap import EwsError, Fault, Request, bare_response, child, failure, word

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MAILBOXES = 100
_MINUTES = re.compile(r"-?[0-9]{1,4}")


def get_user_availability(served: Served, request: Request, options: Options) -> Answer:
    element = request.element
    zone, view = _zone(child(element, "TimeZone")), child(element, "FreeBusyViewOptions")
    window = child(view, "TimeWindow") if view is not None else None
    if window is None:
        raise Fault("ErrorSchemaValidation")
    start, end = (zone.utc(word(window, name)) for name in ("StartTime", "EndTime"))
    if end <= start:
        raise Fault("ErrorInvalidRequest", "The time window ends before it begins.")
    busy = "".join(
        f"<t:CalendarEvent><t:StartTime>{zone.local(item.start)}</t:StartTime>"
        f"<t:EndTime>{zone.local(item.end)}</t:EndTime><t:BusyType>Busy</t:BusyType></t:CalendarEvent>"
        for item in served.items
        if item.start < end and item.end > start
    )
    answers = [_answer(served, one, busy) for one in some(child(element, "MailboxDataArray"), _MAILBOXES)]
    inner = f"<m:FreeBusyResponseArray>{''.join(answers)}</m:FreeBusyResponseArray>"
    return Answer(xml=bare_response("GetUserAvailability", inner))


def _answer(served: Served, mailbox: etree._Element, busy: str) -> str:
    email = child(mailbox, "Email")
    if email is None or not served.is_own(word(email, "Address")):
        message = failure("", EwsError("ErrorNoFreeBusyAccess"))
        return f"<m:FreeBusyResponse>{message}</m:FreeBusyResponse>"
    events = f"<t:CalendarEventArray>{busy}</t:CalendarEventArray>" if busy else ""
    return (
        '<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"</m:ResponseMessage><m:FreeBusyView><t:FreeBusyViewType>FreeBusy</t:FreeBusyViewType>{events}"
        "</m:FreeBusyView></m:FreeBusyResponse>"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """When in a year a time begins, in the local time before it, and its bias."""

    bias: timedelta
    month: int
    week: int  # 1 to 4; 5 is the last
    day: int  # Monday is 0
    time: timedelta

    def begins(self, year: int) -> datetime:
        first = datetime(year, self.month, 1, tzinfo=UTC)
        day = first + timedelta(days=(self.day - first.weekday()) % 7 + 7 * (self.week - 1))
        while day.month != self.month:
            day -= timedelta(days=7)
        return day + self.time


@dataclass(frozen=True, slots=True, kw_only=True)
class _Zone:
    """A zone as a request describes it; times are told with UTC as their zone until they are right."""

    bias: timedelta
    standard: _Rule | None
    daylight: _Rule | None

    def utc(self, text: str) -> datetime:
        """A time of the request: in this zone, when it names none itself."""
        time = moment(text)
        if datetime.fromisoformat(text.strip()).tzinfo is not None:
            return time
        try:
            return time + self._bias(time)
        except OverflowError:  # at either end of the calendar
            raise Fault("ErrorSchemaValidation", "A time is out of range.") from None

    def local(self, time: datetime) -> str:
        around = time - self.bias
        return (time - self._bias(around)).strftime("%Y-%m-%dT%H:%M:%S")

    def _bias(self, local: datetime) -> timedelta:
        """What must be added to a local time."""
        if self.standard is None or self.daylight is None:
            return self.bias
        summer, winter = self.daylight.begins(local.year), self.standard.begins(local.year)
        is_summer = summer <= local < winter if summer < winter else not winter <= local < summer
        return self.bias + (self.daylight.bias if is_summer else self.standard.bias)


def _zone(element: etree._Element | None) -> _Zone:
    """UTC when none is described. Raises Fault."""
    if element is None:
        return _Zone(bias=timedelta(0), standard=None, daylight=None)
    standard, daylight = (_rule(child(element, name)) for name in ("StandardTime", "DaylightTime"))
    return _Zone(bias=_minutes(element), standard=standard, daylight=daylight)


def _rule(element: etree._Element | None) -> _Rule | None:
    """None for a zone that has one time all year, which is described with month 0 or with nothing."""
    if element is None or word(element, "Month", "0") == "0" or word(element, "DayOrder", "0") == "0":
        return None
    try:
        hours, minutes, seconds = (int(part) for part in word(element, "Time", "00:00:00").split(":"))
        rule = _Rule(
            bias=_minutes(element),
            month=int(word(element, "Month")),
            week=int(word(element, "DayOrder")),
            day=_DAYS.index(word(element, "DayOfWeek")),
            time=timedelta(hours=hours, minutes=minutes, seconds=seconds),
        )
    except ValueError:
        raise Fault("ErrorSchemaValidation", "The time zone cannot be read.") from None
    if not (1 <= rule.month <= 12 and 1 <= rule.week <= 5 and timedelta(0) <= rule.time < timedelta(days=1)):
        raise Fault("ErrorSchemaValidation", "The time zone cannot be read.")
    return rule


def _minutes(element: etree._Element) -> timedelta:
    text = word(element, "Bias", "0")
    if not _MINUTES.fullmatch(text):
        raise Fault("ErrorSchemaValidation", "The time zone cannot be read.")
    return timedelta(minutes=int(text))
