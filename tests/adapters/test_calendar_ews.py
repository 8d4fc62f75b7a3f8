"""Exchange Server through Exchange Web Services, against the lab's Exchange over TLS."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from exchangelib.protocol import CachingProtocol
from lxml import etree

from otd.calendars.ews import LOOKS, EwsCalendar
from otd.errors import Busy, Denied, Garbled, Missing, OtdError, Truncated, Unreachable, Unsupported
from otd.formats.hidden import HIDDEN
from otd.lab import faults
from otd.lab.faults import Fault
from otd.model import Complete, Empty
from tests.adapters.ews_lab import ACCOUNT, PASSWORD, Lab, calendar, lab, operation
from tests.adapters.mailboxes import as_meeting
from tests.adapters.reading import ROOM, error, many, meetings, read
from tests.adapters.recorder import Asked, Instead
from tests.contracts.calendar import HOUR, T0, CalendarContract, Planned, a_room, planned

__all__ = ["calendar", "lab"]
XML = (("content-type", "text/xml; charset=utf-8"),)


class TestEwsCalendar(CalendarContract):
    @pytest.fixture(autouse=True)
    def _lab(self, lab: Lab) -> None:
        self.lab = lab

    def make(self) -> EwsCalendar:
        return self.lab.calendar()

    def lay(self, mailbox: str, *meetings: Planned) -> None:
        self.lab.lay(*meetings, mailbox=mailbox)

    def break_down(self, mailbox: str) -> None:
        self.lab.fault(faults.status(500), mailbox=mailbox)


# --- what is asked ------------------------------------------------------------------------------------------------


def test_a_read_is_one_look_and_one_fetch_and_nothing_besides(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(planned(), planned("m2", start=T0 + HOUR, end=T0 + 2 * HOUR))
    meetings(calendar)
    assert lab.operations() == ["FindItem", "GetItem"]


def test_the_request_states_version_zone_and_the_impersonated_mailbox(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(planned())
    meetings(calendar)
    for asked in lab.recorder.asked:
        body = asked.body.decode()
        assert '<t:RequestServerVersion Version="Exchange2016"/>' in body
        assert '<t:TimeZoneDefinition Id="UTC"/>' in body
        assert "<t:PrimarySmtpAddress>room1@example.com</t:PrimarySmtpAddress>" in body
        assert asked.headers["x-anchormailbox"] == "room1@example.com"
    look, fetch = (asked.body.decode() for asked in lab.recorder.asked)
    assert 'MaxEntriesReturned="1000"' in look
    assert 'StartDate="2026-11-24T08:00:00Z" EndDate="2026-11-26T09:00:00Z"' in look
    assert "<t:BodyType>HTML</t:BodyType>" in fetch
    assert all(f'PropertyName="{name}"' in fetch for name in HIDDEN)


def test_a_delegate_reads_the_calendar_without_impersonation(lab: Lab) -> None:
    lab.exchange.account(ACCOUNT, PASSWORD, impersonates=frozenset(), full_access=None)
    lab.lay(planned())
    calendar = lab.calendar(right="delegate")
    assert len(meetings(calendar)) == 1
    assert all(b"ExchangeImpersonation" not in asked.body for asked in lab.recorder.asked)
    calendar.close()


def test_a_reading_says_how_many_requests_it_took(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(planned())
    assert [reading.requests for reading in (read(calendar), read(calendar)) if isinstance(reading, Complete)] == [2, 1]
    lab.fault(faults.status(500), operation="FindItem")
    assert error(calendar).requests == 1


def test_nothing_is_asked_before_the_first_read(lab: Lab) -> None:
    lab.calendar().close()
    assert lab.recorder.asked == []


def test_hidden_properties_and_the_join_url_arrive(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay()
    stated = (
        ("SkypeTeamsMeetingUrl", "https://teams.example.com/l/meetup-join/1"),
        ("OnlineMeetingConfLink", "conf:sip:ann@example.com;gruu;opaque=app:conf:focus:id:ABC"),
    )
    lab.exchange.mailboxes[ROOM.mailbox].add(replace(as_meeting(planned()), properties=stated))
    (meeting,) = meetings(calendar)
    assert [meeting.prop(name) for name, _ in stated] == [value for _, value in stated]


def test_drafts_are_left_out(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay()
    lab.exchange.mailboxes[ROOM.mailbox].add(as_meeting(planned()), draft=True)
    assert isinstance(read(calendar), Empty)


def test_an_older_server_is_spoken_to_in_its_own_version(lab: Lab) -> None:
    lab.lay(planned())
    calendar = lab.calendar(build="15.0")
    assert isinstance(read(calendar), Complete)
    assert b'Version="Exchange2013"' in lab.recorder.asked[0].body
    calendar.close()


def test_nothing_grows_with_the_number_of_rooms_and_calendars(lab: Lab) -> None:
    for n in range(10):
        lab.lay(planned(), mailbox=f"room{n}@example.com")
    for _ in range(3):
        calendar = lab.calendar()
        for n in range(10):
            assert isinstance(read(calendar, a_room(f"room{n}@example.com")), Complete)
        calendar.close()
    assert CachingProtocol._protocol_cache == {}


def test_what_is_asked_is_well_formed_whatever_the_mailbox_is_called(lab: Lab, calendar: EwsCalendar) -> None:
    hostile = "room&<1>'\"@example.com"
    lab.lay(planned(), mailbox=hostile)
    assert isinstance(read(calendar, a_room(hostile)), Complete)
    for asked in lab.recorder.asked:
        etree.fromstring(asked.body)


# --- an unchanged room costs one look -------------------------------------------------------------------------------


def test_what_did_not_change_is_not_fetched_again(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(planned(daily=3), planned("m2"))
    first = meetings(calendar)
    assert meetings(calendar) == first
    assert lab.operations() == ["FindItem", "GetItem", "FindItem"]


def test_only_what_changed_is_fetched(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(planned("m1"), planned("m2", start=T0 + HOUR, end=T0 + 2 * HOUR))
    first, second = sorted(meetings(calendar), key=lambda m: m.start)
    lab.exchange.mailboxes[ROOM.mailbox].change(second.id, subject="Renamed", body="<p>New</p>")
    assert {m.subject for m in meetings(calendar)} == {"Weekly review", "Renamed"}
    asked = lab.recorder.asked[-1].body.decode()
    assert f'Id="{second.id}"' in asked
    assert first.id not in asked


def test_a_failed_fetch_is_not_remembered_as_done(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(planned())
    lab.fault(faults.status(500), operation="GetItem", times=1)
    assert isinstance(error(calendar), Unreachable)
    assert len(meetings(calendar)) == 1


def test_rooms_in_other_zones_do_not_share_what_is_remembered(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(planned(all_day=True, start=T0.replace(hour=0), end=T0.replace(hour=0) + timedelta(days=1)))
    (utc,) = meetings(calendar)
    reading = read(calendar, replace(ROOM, timezone="Asia/Tokyo"))
    assert isinstance(reading, Complete)
    assert reading.meetings[0].start == utc.start - 9 * HOUR


# --- a view that is not whole ---------------------------------------------------------------------------------------


def test_a_full_view_is_repeated_in_halves_until_all_is_seen(lab: Lab) -> None:
    lab.lay(*many(30))
    calendar = lab.calendar(view_size=20)
    assert sorted(m.subject for m in meetings(calendar)) == sorted(f"No {n}" for n in range(30))
    calendar.close()


def test_a_view_that_is_exactly_full_is_not_believed(lab: Lab) -> None:
    lab.lay(*many(20))
    calendar = lab.calendar(view_size=20)
    assert len(meetings(calendar)) == 20
    assert lab.operations().count("FindItem") > 1
    calendar.close()


def test_a_server_that_never_shows_the_whole_view_is_not_asked_for_ever(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(*many(40))
    lab.fault(faults.truncated())
    assert isinstance(error(calendar), Truncated)
    assert lab.operations().count("FindItem") <= LOOKS
    assert "GetItem" not in lab.operations()


def test_a_calendar_that_would_take_very_many_looks_is_given_up(lab: Lab) -> None:
    half = timedelta(minutes=30)
    starts = [T0 + n * half for n in range(80)]
    lab.lay(*(planned(f"m{n}", start=start, end=start + half / 2) for n, start in enumerate(starts)))
    calendar = lab.calendar(view_size=2)
    assert isinstance(error(calendar), Truncated)
    assert lab.operations() == ["FindItem"] * LOOKS
    calendar.close()


def test_more_meetings_at_once_than_a_view_holds_are_a_failed_read(lab: Lab) -> None:
    lab.lay(*(planned(f"m{n}") for n in range(5)))
    calendar = lab.calendar(view_size=4)
    assert isinstance(error(calendar), Truncated)
    calendar.close()


def test_items_that_come_twice_count_once(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(*many(5))
    lab.fault(faults.doubled())
    assert len(meetings(calendar)) == 5


def test_a_room_that_is_answered_with_another_rooms_meetings_is_found_out(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(planned(), mailbox="room2@example.com")
    lab.lay(planned())
    assert isinstance(read(calendar, a_room("room2@example.com")), Complete)
    lab.fault(faults.swapped("room2@example.com"), mailbox=ROOM.mailbox)
    failed = error(calendar)
    assert isinstance(failed, Garbled)
    assert "room2@example.com" in failed.why
    lab.exchange.faults.clear()
    assert isinstance(read(calendar), Complete)


# --- answers made by hand -------------------------------------------------------------------------------------------

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"


def envelope(operation: str, *messages: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<s:Body><m:{operation}Response xmlns:m="{MESSAGES}" xmlns:t="{TYPES}"><m:ResponseMessages>'
        f"{''.join(messages)}</m:ResponseMessages></m:{operation}Response></s:Body></s:Envelope>"
    ).encode()


def success(operation: str, inside: str) -> str:
    return (
        f'<m:{operation}ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{inside}'
        f"</m:{operation}ResponseMessage>"
    )


def failure(operation: str, code: str) -> str:
    return (
        f'<m:{operation}ResponseMessage ResponseClass="Error"><m:MessageText>Very private text</m:MessageText>'
        f"<m:ResponseCode>{code}</m:ResponseCode></m:{operation}ResponseMessage>"
    )


def key(identity: str, change_key: str = "K1") -> str:
    return f'<t:ItemId Id="{identity}" ChangeKey="{change_key}"/>'


TIMES = "<t:Start>2026-11-24T09:00:00Z</t:Start><t:End>2026-11-24T10:00:00Z</t:End>"


def view(*items: str, total: int | None = None, last: str = "true") -> bytes:
    count = len(items) if total is None else total
    listed = "".join(f"<t:CalendarItem>{item}{TIMES}</t:CalendarItem>" for item in items)
    inside = (
        f'<m:RootFolder TotalItemsInView="{count}" IncludesLastItemInRange="{last}"><t:Items>{listed}</t:Items>'
        "</m:RootFolder>"
    )
    return envelope("FindItem", success("FindItem", inside))


def item(identity: str = "A", rest: str = "", change_key: str = "K1") -> str:
    inside = f"<t:CalendarItem>{key(identity, change_key)}{TIMES}{rest}</t:CalendarItem>"
    return success("GetItem", f"<m:Items>{inside}</m:Items>")


def answering(look: bytes, fetch: bytes = b"") -> Callable[[Asked], Instead]:
    return lambda asked: Instead(look if operation(asked) == "FindItem" else fetch, headers=XML)


def test_a_view_that_counts_more_than_it_holds_is_not_complete(lab: Lab, calendar: EwsCalendar) -> None:
    lab.recorder.instead = answering(view(key("A"), total=2), envelope("GetItem", item()))
    assert isinstance(error(calendar), Truncated)
    assert len(lab.recorder.asked) <= LOOKS


def test_a_view_without_items_that_is_not_the_last_is_not_empty(lab: Lab, calendar: EwsCalendar) -> None:
    lab.recorder.instead = answering(view(last="false"))
    assert isinstance(error(calendar), Truncated)


def test_a_view_that_does_not_say_whether_it_is_whole_is_not(lab: Lab, calendar: EwsCalendar) -> None:
    lab.recorder.instead = answering(view().replace(b' IncludesLastItemInRange="true"', b""))
    assert isinstance(error(calendar), Truncated)


@pytest.mark.parametrize(
    ("fetched", "kind"),
    [
        (envelope("GetItem", item("A")), Truncated),  # one of two
        (envelope("GetItem", item("A"), item("C")), Truncated),
        (envelope("GetItem", item("A"), failure("GetItem", "ErrorItemNotFound")), Truncated),
        (envelope("GetItem", item("A"), failure("GetItem", "ErrorAccessDenied")), Denied),
        (envelope("GetItem", item("A"), failure("GetItem", "ErrorCorruptData")), Unreachable),
        (envelope("GetItem", item("A"), failure("GetItem", "ErrorOfNoName")), Unreachable),
        (envelope("GetItem", item("A"), success("GetItem", "<m:Items><t:Message/></m:Items>")), Garbled),
        (envelope("GetItem", item("A"), success("GetItem", "")), Garbled),
        (envelope("GetItem", item("A"), item("B", "<t:AppointmentState>secret</t:AppointmentState>")), Garbled),
        (envelope("GetItem"), Truncated),
    ],
)
def test_an_item_that_cannot_be_had_fails_the_read(
    lab: Lab, calendar: EwsCalendar, fetched: bytes, kind: type[OtdError]
) -> None:
    lab.recorder.instead = answering(view(key("A"), key("B")), fetched)
    failed = error(calendar)
    assert type(failed) is kind
    assert "private" not in str(failed)
    assert "secret" not in str(failed)


def test_a_mailbox_that_changes_between_two_looks_fails_the_read(lab: Lab) -> None:
    change_keys = iter("12345678")
    looks = iter([view(key("A"), key("B"))])

    def changing(asked: Asked) -> Instead:
        return Instead(next(looks, None) or view(key("A", next(change_keys))), headers=XML)

    lab.recorder.instead = changing
    calendar = lab.calendar(view_size=2)
    assert isinstance(error(calendar), Truncated)
    calendar.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html><body>Very private</body></html>",
        b"not XML, very private",
        b"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'/>",
        envelope("GetItem", item()),
        envelope("FindItem", success("FindItem", "")),
        envelope("FindItem"),
        view(key("A").replace("Id=", "No=")),
        view().replace(b"?>", b"?><!DOCTYPE a [<!ENTITY b 'c'>]>", 1),
        view().decode().replace("utf-8", "utf-16").replace("?>", "?><!DOCTYPE a []>", 1).encode("utf-16"),
        b"<a>" * 100_000,
    ],
)
def test_what_is_no_answer_of_exchange_is_a_failed_read_and_is_not_quoted(
    lab: Lab, calendar: EwsCalendar, answer: bytes
) -> None:
    lab.recorder.instead = answering(answer)
    failed = error(calendar)
    assert type(failed) is Garbled
    assert "private" not in str(failed)


def test_an_answer_that_was_cut_off_is_not_a_short_one(lab: Lab, calendar: EwsCalendar) -> None:
    whole = view(key("A"), key("B"))
    lab.recorder.instead = answering(whole[: whole.index(b"</t:Items>")], envelope("GetItem", item()))
    assert type(error(calendar)) is Truncated


def test_characters_that_xml_forbids_do_not_lose_the_meeting(lab: Lab, calendar: EwsCalendar) -> None:
    body = '<t:Body BodyType="HTML">a&#x1;b\x0bc&#xD83D;&#xDE00;&#31;d&amp;&#10;</t:Body>'
    lab.recorder.instead = answering(view(key("A")), envelope("GetItem", item("A", body)))
    assert [m.body for m in meetings(calendar)] == ["abc\N{GRINNING FACE}d&\n"]


def test_time_zones_that_nobody_knows_warn_nobody(
    lab: Lab, calendar: EwsCalendar, recwarn: pytest.WarningsRecorder
) -> None:
    zone = '<t:StartTimeZone Id="Customized Time Zone"/><t:EndTimeZone Id="tzone://Microsoft/Custom"/>'
    lab.recorder.instead = answering(view(key("A")), envelope("GetItem", item("A", zone)))
    assert [m.start for m in meetings(calendar)] == [T0]
    assert not recwarn.list


# --- failing is not nothing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (faults.status(401), Denied, "Extended Protection"),
        (faults.status(403), Denied, "calendar of kind graph"),
        (faults.status(404), Missing, "url"),
        (faults.status(429), Busy, ""),
        (faults.status(500), Unreachable, ""),
        (faults.status(503), Unreachable, ""),
        (faults.status(400), Unsupported, ""),
        (faults.html(), Garbled, "sign-in page"),
        (faults.login(), Garbled, "sign-in page"),
        (faults.halved(), Truncated, ""),
        (faults.cut(), Garbled, ""),
        (faults.busy(), Busy, ""),
        (faults.code("ErrorNonExistentMailbox"), Missing, "Exchange Online"),
        (faults.code("ErrorImpersonateUserDenied"), Denied, "ApplicationImpersonation"),
        (faults.code("ErrorAccessDenied"), Denied, "ApplicationImpersonation"),
        (faults.code("ErrorFolderNotFound"), Missing, "calendar"),
        (faults.code("ErrorMailboxMoveInProgress"), Unreachable, ""),
        (faults.code("ErrorMailboxStoreUnavailable"), Unreachable, ""),
        (faults.code("ErrorInternalServerTransientError"), Unreachable, ""),
        (faults.code("ErrorTimeoutExpired"), Unreachable, ""),
        (faults.code("ErrorExceededConnectionCount"), Busy, "connections"),
        (faults.code("ErrorTooManyObjectsOpened"), Busy, "connections"),
        (faults.code("ErrorInvalidServerVersion"), Unsupported, "build"),
        (faults.code("ErrorPasswordExpired"), Denied, "password"),
    ],
)
def test_a_fault_is_a_failed_read_that_says_what_to_do(
    lab: Lab, calendar: EwsCalendar, fault: Fault, kind: type[OtdError], said: str
) -> None:
    lab.lay(planned(subject="Very private"))
    lab.fault(fault)
    began = time.monotonic()
    failed = error(calendar)
    assert type(failed) is kind
    assert said in failed.mend
    assert "private" not in str(failed)
    assert failed.where == "contract: room1@example.com"
    assert len(lab.recorder.asked) == 1  # tried once, not again under other versions
    assert time.monotonic() - began < 1  # nobody slept


def test_the_retirement_of_ews_is_told_with_its_date(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(planned())
    lab.fault(faults.status(403))
    assert "1 April 2027" in error(calendar).why


@pytest.mark.parametrize(
    ("fault", "meant"),
    [
        (faults.status(503, retry_after=37), 37),
        (faults.status(429, retry_after=37), 37),
        (faults.busy(back_off=297), 297),
        (faults.busy(back_off=1_000_000), 3600),
    ],
)
def test_the_server_says_how_long_to_wait_and_nobody_sleeps(
    lab: Lab, calendar: EwsCalendar, fault: Fault, meant: int
) -> None:
    lab.lay(planned())
    lab.fault(fault)
    began = time.monotonic()
    failed = error(calendar)
    assert isinstance(failed, Busy)
    assert failed.retry_after == timedelta(seconds=meant)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("operation", ["FindItem", "GetItem"])
@pytest.mark.parametrize("fault", [faults.silent(), faults.drip(0.01), faults.slow(30)])
def test_the_time_for_a_read_holds_for_the_whole_of_it(
    lab: Lab, calendar: EwsCalendar, fault: Fault, operation: str
) -> None:
    lab.lay(planned())
    lab.fault(fault, operation=operation)
    began = time.monotonic()
    assert isinstance(error(calendar, seconds=0.4), Unreachable)
    assert time.monotonic() - began < 1.5
    lab.exchange.faults.clear()
    assert isinstance(read(calendar), Complete)


def test_a_server_that_takes_connections_and_says_nothing_does_not_hold_us(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        calendar = lab.calendar(url=f"https://127.0.0.1:{mute.getsockname()[1]}/EWS/Exchange.asmx")
        began = time.monotonic()
        assert isinstance(error(calendar, seconds=0.4), Unreachable)
        assert time.monotonic() - began < 1.5
        calendar.close()


def test_a_server_that_is_gone_and_comes_back_is_read_again(lab: Lab) -> None:
    lab.lay(planned())
    calendar = lab.calendar(connections=1)
    assert isinstance(read(calendar), Complete)
    lab.server.stop()
    for _ in range(3):
        assert isinstance(error(calendar, seconds=2), Unreachable)
    lab.server.start()
    assert isinstance(read(calendar, seconds=2), Complete)
    calendar.close()


def test_an_idle_connection_that_the_server_closed_costs_no_read(lab: Lab) -> None:
    lab.lay(planned())
    calendar = lab.calendar(connections=1)
    assert isinstance(read(calendar), Complete)
    lab.server.stop()
    lab.server.start()
    assert isinstance(read(calendar), Complete)
    calendar.close()


def test_a_read_that_finds_all_connections_taken_waits_no_longer_than_it_may(lab: Lab) -> None:
    lab.lay(planned())
    lab.lay(planned(), mailbox="room2@example.com")
    lab.fault(faults.slow(2), mailbox="room2@example.com")
    calendar = lab.calendar(connections=1)
    other = threading.Thread(target=read, args=(calendar, a_room("room2@example.com")), kwargs={"seconds": 1.0})
    other.start()
    while not lab.recorder.asked:
        threading.Event().wait(0.01)
    began = time.monotonic()
    assert isinstance(error(calendar, seconds=0.3), Unreachable)
    assert time.monotonic() - began < 0.8
    other.join()
    assert isinstance(read(calendar), Complete)
    calendar.close()


# --- size -----------------------------------------------------------------------------------------------------------


def test_an_answer_that_is_too_large_is_a_failed_read(lab: Lab) -> None:
    lab.lay(*many(30))
    calendar = lab.calendar(answer_limit=4000)
    failed = error(calendar)
    assert isinstance(failed, Garbled)
    assert "4000 bytes" in failed.why
    calendar.close()


def test_an_answer_that_grows_when_it_is_unpacked_is_too_large(lab: Lab) -> None:
    packed = Instead(gzip.compress(bytes(20_000_000)), headers=(*XML, ("content-encoding", "gzip")))
    lab.recorder.instead = lambda _: packed
    calendar = lab.calendar(answer_limit=1_000_000)
    assert isinstance(error(calendar), Garbled)
    calendar.close()


def test_large_bodies_are_fetched_fewer_at_a_time(lab: Lab) -> None:
    lab.lay(*(replace(plan, body="x" * 30_000) for plan in many(10)))
    calendar = lab.calendar(answer_limit=100_000)
    assert len(meetings(calendar)) == 10
    assert lab.operations().count("GetItem") > 1
    calendar.close()


def test_a_large_answer_is_not_read_byte_by_byte(lab: Lab, calendar: EwsCalendar) -> None:
    fetched = envelope("GetItem", item("A", f"<t:Body>{'x' * 4_000_000}</t:Body>"))
    lab.recorder.instead = answering(view(key("A")), fetched)
    began = time.thread_time()
    assert len(meetings(calendar)) == 1
    assert time.thread_time() - began < 1.0  # a byte at a time takes more than two seconds


# --- what the process, the order and the neighbours must not decide ---------------------------------------------------


@pytest.mark.parametrize("process", ["America/Los_Angeles", "Asia/Tokyo"])
def test_the_zone_of_the_process_moves_no_all_day_meeting(
    lab: Lab, calendar: EwsCalendar, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start, end = datetime(2026, 11, 25, tzinfo=berlin), datetime(2026, 11, 26, tzinfo=berlin)
    lab.lay(planned(all_day=True, zone="Europe/Berlin", start=start.astimezone(UTC), end=end.astimezone(UTC)))
    lab.fault(faults.zone("Customized Time Zone"))
    with monkeypatch.context() as patched:
        patched.setenv("TZ", process)
        time.tzset()
        reading = read(calendar, replace(ROOM, timezone="Europe/Berlin"))
    time.tzset()
    assert isinstance(reading, Complete), reading
    assert [(m.start, m.end) for m in reading.meetings] == [(start, end)]


@pytest.mark.parametrize("zone", ["tzone://Microsoft/Custom", "Heure d’Europe centrale", ""])
def test_a_zone_that_nobody_knows_changes_no_time(
    lab: Lab, calendar: EwsCalendar, recwarn: pytest.WarningsRecorder, zone: str
) -> None:
    lab.lay(planned(zone="Europe/Berlin"))
    lab.fault(faults.zone(zone))
    assert [(m.start, m.end) for m in meetings(calendar)] == [(T0, T0 + HOUR)]
    assert not recwarn.list


def test_the_order_of_what_comes_does_not_matter(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(*many(7))
    first = set(meetings(calendar))
    lab.lay(*many(7), planned("new", subject="New"))
    lab.fault(faults.shuffled())
    assert {m.subject for m in meetings(calendar)} == {m.subject for m in first} | {"New"}


def test_one_meeting_of_another_room_among_ones_own_is_found_out(lab: Lab, calendar: EwsCalendar) -> None:
    lab.lay(planned("theirs", subject="Theirs"), mailbox="room2@example.com")
    lab.lay(*many(3))
    assert isinstance(read(calendar, a_room("room2@example.com")), Complete)
    lab.fault(faults.mixed("room2@example.com"), mailbox=ROOM.mailbox, operation="FindItem")
    failed = error(calendar)
    assert isinstance(failed, OtdError)
    lab.exchange.faults.clear()
    assert len(meetings(calendar)) == 3


def test_what_happened_while_the_server_failed_shows_in_the_next_complete_reading(
    lab: Lab, calendar: EwsCalendar
) -> None:
    lab.lay(planned("m1", subject="Stays"), planned("m2", subject="Goes", start=T0 + HOUR, end=T0 + 2 * HOUR))
    stays, goes = sorted(meetings(calendar), key=lambda m: m.start)
    mailbox = lab.exchange.mailboxes[ROOM.mailbox]
    lab.fault(faults.halved(), operation="GetItem", times=1)
    mailbox.remove(goes.id)
    mailbox.add(as_meeting(planned("m3", subject="Comes")))
    assert isinstance(error(calendar), Truncated)
    assert sorted(m.subject for m in meetings(calendar)) == ["Comes", "Stays"]
    assert stays.id not in lab.recorder.asked[-1].body.decode()  # what is known of it holds
