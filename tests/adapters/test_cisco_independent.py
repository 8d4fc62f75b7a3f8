"""What the driver puts is what others see there: Cisco's own client for Python over a WebSocket; and what senders like
TMS put is the same, however they write it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from otd.endpoints import cisco_documents
from otd.lab.codec import Codec
from otd.lab.codec_profiles import PROFILES
from otd.relay.service import compare
from tests.adapters.codec_client import Curl
from tests.adapters.test_cisco_driver import PASSWORD, a_codec, a_driver, endpoint_of
from tests.adapters.test_lab_codec_ws import Heard, pytestmark, talk
from tests.contracts.driver import THREE, WITHIN
from tests.values import HOUR, T0, a_booking

__all__ = ["pytestmark"]


@pytest.fixture(params=["roomos10", "roomos11", "roomos26"])
def codec(request: pytest.FixtureRequest) -> Iterator[Codec]:
    with a_codec(request.param) as codec:
        yield codec


@pytest.mark.parametrize("interface", ["put", "bookingsputxml"])
def test_another_client_lists_exactly_what_the_driver_put_and_hears_of_it(codec: Codec, interface: str) -> None:
    async def conversation(client: Any) -> tuple[Any, Any]:
        heard = Heard()
        await client.subscribe(["Event", "Bookings", "Updated"], heard)
        endpoint = endpoint_of(codec, interface=interface)
        await asyncio.to_thread(a_driver().put, endpoint, THREE, within=WITHIN)
        return await client.xCommand(["Bookings", "List"]), await heard.next()

    listed, event = talk(codec, conversation, password=PASSWORD)
    assert event[1] == {"Event": {"Bookings": {"Updated": {"id": 1}}}}
    assert listed["ResultInfo"]["TotalRows"] == len(THREE)
    rows = {row["Id"]: row for row in listed["Booking"]}
    for booking in THREE:
        row = rows.pop(booking.id)
        assert row["Title"] == booking.title
        assert row["Privacy"] == ("Private" if booking.private else "Public")
        assert row["Time"]["StartTime"] == f"{booking.start:%Y-%m-%dT%H:%M:%SZ}"
        assert row["Time"]["EndTime"] == f"{booking.end:%Y-%m-%dT%H:%M:%SZ}"
        assert (row["Time"]["StartTimeBuffer"], row["Time"]["EndTimeBuffer"]) == (300, 0)
        numbers = [call["Number"] for call in row["DialInfo"]["Calls"].get("Call", []) if call["Number"]]
        assert numbers == ([booking.dial.uri] if booking.dial else [])
    assert rows == {}


WRITTEN = {
    "with items and a status, as TMS prints its lists": """<?xml version='1.0'?>
<Bookings item="1" status="OK"><Booking item="1"><Id item="1">b1</Id><Title item="1">Standup</Title>
<Agenda item="1"></Agenda><Privacy item="1">Public</Privacy><Organizer item="1"><FirstName item="1">Ann</FirstName>
<LastName item="1">Example</LastName><Email item="1"></Email></Organizer><Time item="1">
<StartTime item="1">2026-01-05T10:00:00Z</StartTime><StartTimeBuffer item="1">300</StartTimeBuffer>
<EndTime item="1">2026-01-05T11:00:00Z</EndTime><EndTimeBuffer item="1">0</EndTimeBuffer></Time>
<MaximumMeetingExtension item="1">5</MaximumMeetingExtension><BookingStatus item="1">OK</BookingStatus>
<BookingStatusMessage item="1"></BookingStatusMessage><Webex item="1"><Enabled item="1">False</Enabled>
<MeetingNumber item="1"></MeetingNumber><Password item="1"></Password></Webex>
<Encryption item="1">BestEffort</Encryption><Role item="1">Master</Role><Recording item="1">Disabled</Recording>
<DialInfo item="1"><Calls item="1"><Call item="1"><Number item="1">123456789.0123456@t.plcm.vc</Number>
<Protocol item="1">SIP</Protocol><CallRate item="1">6000</CallRate><CallType item="1">Video</CallType></Call></Calls>
<ConnectMode item="1">OBTP</ConnectMode></DialInfo></Booking></Bookings>""",
    "without attributes and with what nobody needs": """<?xml version='1.0'?>
<Bookings><Booking><Id>b1</Id><Title>Standup</Title><Time><StartTime>2026-01-05T10:00:00Z</StartTime>
<StartTimeBuffer>300</StartTimeBuffer><EndTime>2026-01-05T11:00:00Z</EndTime><EndTimeBuffer>0</EndTimeBuffer></Time>
<Spark><MeetingType>Scheduled</MeetingType></Spark><DialInfo><Calls><Call>
<Number>123456789.0123456@t.plcm.vc</Number><Protocol>SIP</Protocol></Call></Calls><ConnectMode>OBTP</ConnectMode>
</DialInfo></Booking></Bookings>""",
    "in the namespace of provisioning, with a count before it": """<?xml version='1.0'?>
<Bookings xmlns="http://www.cisco.com/TelePresence/Bookings/1.0"><ResultInfo><TotalRows>1</TotalRows></ResultInfo>
<LastUpdated>2026-01-05T08:00:00Z</LastUpdated><Booking><Id>b1</Id><Title>Standup</Title><Time>
<StartTime>2026-01-05T10:00:00Z</StartTime><StartTimeBuffer>300</StartTimeBuffer>
<EndTime>2026-01-05T11:00:00Z</EndTime></Time><DialInfo><Calls><Call>
<Number>123456789.0123456@t.plcm.vc</Number></Call></Calls><ConnectMode>OBTP</ConnectMode></DialInfo></Booking>
</Bookings>""",
}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("document", WRITTEN.values(), ids=WRITTEN.keys())
def test_what_senders_like_tms_put_is_read_as_the_same_bookings(profile: str, document: str) -> None:
    with a_codec(profile) as codec:
        driver, endpoint = a_driver(), endpoint_of(codec)
        driver.put(endpoint, (a_booking(),), within=WITHIN)
        ours = driver.read(endpoint, within=WITHIN)
        assert Curl(codec=codec, password=PASSWORD).post("/bookingsputxml", document).status == 200
        theirs = driver.read(endpoint, within=WITHIN)
        assert compare(ours, theirs, T0) == ()
        assert theirs == ours
        clear = '<?xml version="1.0"?><Bookings><Clear command="True"></Clear></Bookings>'
        assert Curl(codec=codec, password=PASSWORD).post("/bookingsputxml", clear).status == 200
        assert driver.read(endpoint, within=WITHIN) == ()


def test_what_the_driver_sends_is_what_is_printed_back() -> None:
    booking = a_booking(start=T0 + HOUR, end=T0 + 2 * HOUR)
    (seen,) = cisco_documents.seen_in(cisco_documents.bookings_xml((booking,)), "codec1")
    assert seen == cisco_documents.seen(booking)
