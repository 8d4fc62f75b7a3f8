"""What the simulated Cisco codecs take, what they refuse, and what they give back: the folders of fixtures/cisco."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from otd.lab.codec import Codec, Held
from otd.lab.codec_profiles import PROFILES
from tests.adapters.codec_client import T0, Curl, a_booking_xml, a_codec, a_list_xml
from tests.values import FixedClock

CISCO = Path(__file__).parents[2] / "fixtures" / "cisco"
BEFORE = Held(id="before", title="Before", start=T0, end=T0 + timedelta(hours=1))


@pytest.fixture(scope="module")
def codec() -> Iterator[Codec]:
    with a_codec("roomos11") as codec:
        yield codec


def folders(kind: str) -> list[Path]:
    return sorted(path.parent for path in (CISCO / kind).glob("*/expected.json"))


def held(booking: Held) -> dict[str, Any]:
    return {
        "id": booking.id,
        "title": booking.title,
        "start": f"{booking.start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{booking.end:%Y-%m-%dT%H:%M:%SZ}",
        "start_buffer": booking.start_buffer.total_seconds(),
        "end_buffer": booking.end_buffer.total_seconds(),
        "private": booking.private,
        "number": booking.number,
        "protocol": booking.protocol,
        "connect_mode": booking.connect_mode,
    }


@pytest.mark.parametrize("folder", folders("bookingsputxml"), ids=lambda path: path.name)
def test_a_document_for_bookingsputxml_is_taken_whole_or_not_at_all(folder: Path, codec: Codec) -> None:
    codec.overwrite([BEFORE])
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    answer = Curl(codec=codec).post("/bookingsputxml", f"@{folder / 'request.xml'}")
    if expected["taken"]:
        assert answer.status == 200
        assert [held(booking) for booking in codec.bookings] == expected["bookings"]
    else:
        assert answer.status == 400
        assert codec.bookings == (BEFORE,)


@pytest.mark.parametrize("folder", folders("bookings-put"), ids=lambda path: path.name)
def test_a_body_of_bookings_put_is_taken_whole_or_not_at_all(folder: Path, codec: Codec) -> None:
    codec.overwrite([BEFORE])
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    body = escape((folder / "request.json").read_text(encoding="utf-8"))
    answer = Curl(codec=codec).putxml(
        f'<Command><Bookings><Put command="True"><body>{body}</body></Put></Bookings></Command>'
    )
    assert answer.status == 200
    if expected["taken"]:
        assert answer.xml.BookingsPutResult["status"] == "OK"
        assert [held(booking) for booking in codec.bookings] == expected["bookings"]
    else:
        assert answer.xml.BookingsPutResult["status"] == "Error"
        assert answer.xml.BookingsPutResult.Error.text
        assert codec.bookings == (BEFORE,)


def read_back(profile: str) -> str:
    with a_codec(profile, clock=FixedClock()) as codec:
        curl = Curl(codec=codec)
        assert curl.post("/bookingsputxml", f"@{CISCO / 'bookingsputxml/management-system/request.xml'}").status == 200
        return curl.list().body


@pytest.mark.parametrize("profile", PROFILES)
def test_each_version_gives_the_list_back_in_its_own_form(profile: str) -> None:
    assert read_back(profile) == (CISCO / "read-back" / f"{profile}.xml").read_text(encoding="utf-8")


def test_roomos_11_gives_back_what_a_real_one_was_seen_to_give_back() -> None:
    lines = (CISCO / "captured/roomos11.txt").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"\*r BookingsListResult (.+?): ?\"?(.*?)\"?", line) for line in lines]
    seen = [(re.sub(r" \d+\b", "", m[1]).replace(" ", "/"), m[2]) for m in found if m and "(" not in m[1]]
    shown = [(path, text) for path, text in _leaves(read_back("roomos11")) if not path.endswith("DialInNumbers")]
    assert [pair for pair in shown if pair[0] != "LastUpdated"] == [pair for pair in seen if pair[0] != "LastUpdated"]


def test_roomos_10_gives_back_what_a_real_one_was_seen_to_give_back() -> None:
    captured = _leaves((CISCO / "captured/roomos10-webex.xml").read_text(encoding="utf-8"))
    seen = [path for path, _ in captured if "Spark/" not in path]  # of Webex's own meetings only
    shown = [path for path, _ in _leaves(read_back("roomos10"))]
    added = {"Booking/MeetingPlatform", "Booking/DialInfo/Calls/Call/CallType"}  # in the schema, not in that list
    assert [path for path in shown if path not in added] == [path for path in seen if not path.endswith("Protocol")]


def _leaves(answer: str) -> list[tuple[str, str]]:
    root = etree.fromstring(answer.encode())
    leaves = [element for element in root[0].iter() if not len(element)]
    tree = root.getroottree()
    return [(re.sub(r"\[\d+\]", "", tree.getpath(leaf)).split("/", 3)[3], leaf.text or "") for leaf in leaves]


@pytest.mark.parametrize(
    ("profile", "calls"),
    [("ce9.6", None), ("roomos11", "<Calls/>")],
)
def test_a_meeting_without_a_number_is_manual(profile: str, calls: str | None) -> None:
    with a_codec(profile) as codec:
        curl = Curl(codec=codec)
        curl.post("/bookingsputxml", a_list_xml(a_booking_xml(number="")))
        answer = curl.list()
        assert answer.xml.ConnectMode.text == "Manual"
        assert answer.xml.find("Call") is None
        assert ("<Calls/>" in answer.body) == (calls is not None)


def test_an_organizer_is_split_at_the_first_space_unless_that_is_switched_off(codec: Codec) -> None:
    body = (CISCO / "bookings-put/smallest/request.json").read_text(encoding="utf-8")
    put = f'<Command><Bookings><Put command="True"><body>{escape(body)}</body></Put></Bookings></Command>'
    curl = Curl(codec=codec)
    curl.putxml(put)
    assert (codec.bookings[0].first_name, codec.bookings[0].last_name) == ("Ann", "Ex Ample")
    codec.habits.split_organizer = False
    try:
        curl.putxml(put)
    finally:
        codec.habits.clear()
    assert (codec.bookings[0].first_name, codec.bookings[0].last_name) == ("Ann Ex Ample", "")


def test_markup_in_a_title_comes_back_as_text(codec: Codec) -> None:
    curl = Curl(codec=codec)
    title = "a < b && c > d"
    curl.post("/bookingsputxml", a_list_xml(a_booking_xml(title=escape(title))))
    assert curl.list().xml.Title.text == title


@pytest.mark.parametrize(
    ("arguments", "ids", "rows"),
    [
        ("", ["yesterday", "now", "tomorrow", "next-week"], 4),
        ("<DayOffset>0</DayOffset>", ["now", "tomorrow", "next-week"], 3),
        ("<Days>1</Days>", ["now"], 1),
        ("<Days>2</Days>", ["now", "tomorrow"], 2),
        ("<DayOffset>1</DayOffset><Days>1</Days>", ["tomorrow"], 1),
        ("<Limit>2</Limit>", ["yesterday", "now"], 4),
        ("<Offset>3</Offset>", ["next-week"], 4),
        ("<Offset>1</Offset><Limit>1</Limit>", ["now"], 4),
    ],
)
def test_a_list_is_cut_by_days_and_rows(arguments: str, ids: list[str], rows: int) -> None:
    days = {"yesterday": -1, "now": 0, "tomorrow": 1, "next-week": 7}
    with a_codec(clock=FixedClock()) as codec:
        codec.overwrite(
            [Held(id=id, title="", start=T0 + timedelta(days=n), end=T0 + timedelta(days=n, hours=1))
             for id, n in days.items()]
        )  # fmt: skip
        answer = Curl(codec=codec).putxml(
            f'<Command><Bookings><List command="True">{arguments}</List></Bookings></Command>'
        )
        assert [each.text for each in answer.xml.find_all("Id") if each.parent.name == "Booking"] == ids
        assert answer.xml.TotalRows.text == str(rows)


def test_days_begin_at_midnight_where_the_codec_stands() -> None:
    night = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)  # already the sixth in Amsterdam
    with a_codec(clock=FixedClock(night), zone="Europe/Amsterdam") as codec:
        codec.overwrite([Held(id="noon", title="", start=T0, end=T0 + timedelta(hours=3))])
        answer = Curl(codec=codec).putxml(
            '<Command><Bookings><List command="True"><DayOffset>0</DayOffset></List></Bookings></Command>'
        )
        assert answer.xml.TotalRows.text == "0"
