"""The simulated Cisco codecs, asked by curl."""

from __future__ import annotations

import json
from datetime import timedelta
from xml.sax.saxutils import escape

import pytest

from otd.lab.codec import User
from otd.lab.codec_profiles import PROFILES
from tests.adapters.codec_client import SOON, T0, Curl, a_booking_xml, a_codec, a_list_xml


def a_put(*bookings: dict[str, object]) -> str:
    body = escape(json.dumps({"Bookings": list(bookings)}))
    return f'<Command><Bookings><Put command="True"><body>{body}</body></Put></Bookings></Command>'


def a_json_booking(id: str = "1", **overrides: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "Id": id,
        "Title": "Weekly",
        "Number": "weekly@vc.example.com",
        "Protocol": "SIP",
        "Organizer": {"Name": "Ann Ex Ample", "Email": "ann@example.com"},
        "Time": {"StartTime": "2026-01-05T09:00:00Z", "Duration": 60, "StartTimeBuffer": 300},
    }
    return usual | overrides


@pytest.mark.parametrize("profile", PROFILES)
def test_every_version_takes_a_list_and_gives_it_back(profile: str) -> None:
    with a_codec(profile) as codec:
        curl = Curl(codec=codec)
        late, early = a_booking_xml("b", T0 + timedelta(hours=2)), a_booking_xml("a")
        assert curl.post("/bookingsputxml", a_list_xml(late, early)).status == 200

        answer = curl.list().xml
        assert [b.Id.text for b in answer.find_all("Booking")] == ["a", "b"]
        assert answer.TotalRows.text == "2"
        assert answer.LastUpdated.text.endswith("Z")
        assert answer.Number.text == "weekly@vc.example.com"
        assert codec.bookings[0].start_buffer == timedelta(minutes=5)


def test_a_version_without_bookings_put_says_that_the_command_is_unknown() -> None:
    with a_codec("ce9.6") as codec:
        answer = Curl(codec=codec).putxml(a_put(a_json_booking()))
        assert answer.status == 200
        assert answer.xml.Result["status"] == "Error"
        assert answer.xml.Result.Reason.text == "Unknown command"
        assert codec.bookings == ()


def test_bookings_put_replaces_the_whole_list() -> None:
    with a_codec("roomos11") as codec:
        curl = Curl(codec=codec)
        curl.putxml(a_put(a_json_booking("1"), a_json_booking("2")))
        answer = curl.putxml(a_put(a_json_booking("3")))
        assert answer.xml.BookingsPutResult["status"] == "OK"
        assert codec.ids == ("3",)
        assert [entry.ids for entry in codec.puts] == [("1", "2"), ("3",)]


def test_an_empty_list_clears_the_unit() -> None:
    with a_codec("roomos11") as codec:
        curl = Curl(codec=codec)
        curl.putxml(a_put(a_json_booking("1")))
        curl.putxml(a_put())
        answer = curl.list().xml
        assert codec.ids == ()
        assert answer.TotalRows.text == "0"
        assert answer.find("Booking") is None


def test_wrong_password_is_refused_and_leaves_the_list_alone() -> None:
    with a_codec() as codec:
        answer = Curl(codec=codec, password="wrong").post("/bookingsputxml", a_list_xml(a_booking_xml()))
        assert answer.status == 401
        assert answer.header("WWW-Authenticate") == 'Basic realm="CISCO-Endpoint"'
        assert codec.bookings == ()


@pytest.mark.parametrize("role", ["User", "Integrator", "RoomControl"])
def test_only_an_admin_may_write(role: str) -> None:
    with a_codec(users={"otd": User(password="secret", roles=frozenset({role}))}) as codec:
        curl = Curl(codec=codec)
        assert curl.post("/bookingsputxml", a_list_xml(a_booking_xml())).status == 403
        assert curl.putxml(a_put(a_json_booking())).xml.BookingsPutResult["status"] == "Error"
        assert codec.bookings == ()


def test_the_list_changes_in_front_of_a_waiting_test() -> None:
    with a_codec() as codec:
        codec.state.later(timedelta(milliseconds=50), codec.overwrite)
        assert codec.wait_until(lambda: bool(codec.bookings), within=SOON)
        assert not codec.wait_until(lambda: not codec.bookings, within=timedelta(milliseconds=10))
