"""Free and busy times in the time zone that a request describes, as Windows describes zones."""

from __future__ import annotations

import pytest

from tests.adapters.face_client import THREE, Endpointish, a_list
from tests.values import HOUR, T0, a_booking

NEW_YORK = """<t:TimeZone><t:Bias>300</t:Bias>
<t:StandardTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>1</t:DayOrder><t:Month>11</t:Month>
<t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>
<t:DaylightTime><t:Bias>-60</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>2</t:DayOrder><t:Month>3</t:Month>
<t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>"""
SYDNEY = """<t:TimeZone><t:Bias>-600</t:Bias>
<t:StandardTime><t:Bias>0</t:Bias><t:Time>03:00:00</t:Time><t:DayOrder>1</t:DayOrder><t:Month>4</t:Month>
<t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>
<t:DaylightTime><t:Bias>-60</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>1</t:DayOrder><t:Month>10</t:Month>
<t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>"""
INDIA = """<t:TimeZone><t:Bias>-330</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time>
<t:DayOrder>0</t:DayOrder><t:Month>0</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>
<t:DaylightTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>0</t:DayOrder><t:Month>0</t:Month>
<t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>"""


def availability(zone: str, start: str, end: str, mailbox: str = "blue@example.com") -> str:
    return f"""<m:GetUserAvailabilityRequest>{zone}<m:MailboxDataArray><t:MailboxData><t:Email>
<t:Address>{mailbox}</t:Address></t:Email><t:AttendeeType>Room</t:AttendeeType></t:MailboxData></m:MailboxDataArray>
<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>{start}</t:StartTime><t:EndTime>{end}</t:EndTime></t:TimeWindow>
<t:MergedFreeBusyIntervalInMinutes>30</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>FreeBusy</t:RequestedView>
</t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>"""


@pytest.mark.parametrize(
    ("zone", "starts"),
    [
        ("", ["2026-01-05T10:00:00", "2026-07-05T10:00:00"]),
        (NEW_YORK, ["2026-01-05T05:00:00", "2026-07-05T06:00:00"]),
        (SYDNEY, ["2026-01-05T21:00:00", "2026-07-05T20:00:00"]),
        (INDIA, ["2026-01-05T15:30:00", "2026-07-05T15:30:00"]),
    ],
)
def test_times_are_told_in_the_zone_of_the_request_summer_and_winter(zone: str, starts: list[str]) -> None:
    summer = a_booking(id="b9", start=T0 + HOUR + 181 * 24 * HOUR, end=T0 + 2 * HOUR + 181 * 24 * HOUR)
    endpoint = Endpointish(a_list(bookings=(THREE[0], summer)))
    reply = endpoint.ask(availability(zone, "2026-01-01T00:00:00", "2026-12-01T00:00:00"))
    assert reply.codes == ["NoError"]
    assert reply.texts("t:CalendarEvent/t:StartTime") == starts
    assert reply.all("t:CalendarEventDetails") == []


def test_the_window_is_in_the_zone_of_the_request_unless_it_names_one() -> None:
    endpoint = Endpointish(a_list())
    assert (
        len(endpoint.ask(availability(NEW_YORK, "2026-01-05T05:59:00", "2026-01-05T06:30:00")).all("t:StartTime")) == 1
    )
    assert endpoint.ask(availability(NEW_YORK, "2026-01-05T06:00:00", "2026-01-05T06:30:00")).all("t:StartTime") == []
    utc = availability(NEW_YORK, "2026-01-05T10:59:00Z", "2026-01-05T11:30:00Z")
    assert len(endpoint.ask(utc).all("t:StartTime")) == 1


def test_nobody_elses_times_are_told() -> None:
    reply = Endpointish(a_list()).ask(availability("", "2026-01-05T00:00:00", "2026-01-06T00:00:00", "red@example.com"))
    assert reply.codes == ["ErrorNoFreeBusyAccess"]
    assert reply.all("t:CalendarEvent") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<t:Month>3</t:Month>", "<t:Month>13</t:Month>"),
        ("<t:Bias>300</t:Bias>", "<t:Bias>x</t:Bias>"),
        ("<t:DayOrder>2</t:DayOrder>", "<t:DayOrder>9</t:DayOrder>"),
        ("<t:DayOfWeek>Sunday</t:DayOfWeek>", "<t:DayOfWeek>Someday</t:DayOfWeek>"),
        ("<t:Time>02:00:00</t:Time>", "<t:Time>noon</t:Time>"),
        ("<t:Bias>300</t:Bias>", "<t:Bias>--30</t:Bias>"),
    ],
)
def test_a_zone_that_cannot_be_is_refused(old: str, new: str) -> None:
    asked = availability(NEW_YORK.replace(old, new), "2026-01-05T00:00:00", "2026-01-06T00:00:00")
    reply = Endpointish(a_list()).ask(asked)
    assert (reply.status, reply.codes) == (500, ["ErrorSchemaValidation"])


@pytest.mark.parametrize(("start", "end"), [("2026-01-06T00:00:00", "2026-01-05T00:00:00"), ("x", "y"), ("", "")])
def test_a_window_that_cannot_be_is_refused(start: str, end: str) -> None:
    assert Endpointish(a_list()).ask(availability("", start, end)).status == 500


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
@pytest.mark.parametrize("zone", [NEW_YORK, SYDNEY])
def test_the_ends_of_time_do_no_harm(zone: str, start: str) -> None:
    reply = Endpointish(a_list()).ask(availability(zone, start, "9999-12-31T23:59:59"))
    assert reply.status in (200, 500)
