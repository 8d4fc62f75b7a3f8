"""Values come back from the database as they were written, whatever hostile invitations put into them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.errors import BadSetting
from otd.model import Booking, BookingList, DialString, Difference, Endpoint, Receipt, Room, Window
from otd.store import records
from otd.store.vault import Vault

TEXT = st.text(st.characters(), max_size=20)  # lone surrogates too
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis asks so
SPANS = st.timedeltas(timedelta(0), timedelta(days=400))
DIALS = st.none() | st.builds(DialString, protocol=st.sampled_from(["sip", "h323"]), uri=TEXT)


@st.composite
def bookings(draw: st.DrawFn) -> Booking:
    start = draw(TIMES)
    return Booking(
        id=draw(TEXT),
        room="room1",
        title=draw(TEXT),
        start=start,
        end=start + draw(st.timedeltas(timedelta(microseconds=1), timedelta(days=400))),
        start_buffer=draw(SPANS),
        private=draw(st.booleans()),
        organizer=draw(TEXT),
        dial=draw(DIALS),
    )


@given(st.lists(bookings(), max_size=3))
def test_bookings_come_back_as_they_were(some: list[Booking]) -> None:
    assert records.load_tuple(Booking, records.dump(tuple(some))) == tuple(some)


@given(st.lists(bookings(), max_size=3), TIMES)
def test_a_list_comes_back_as_it_was(some: list[Booking], start: datetime) -> None:
    window = Window(start=start, end=start + timedelta(days=7))
    wanted = BookingList(endpoint="codec1", window=window, bookings=tuple(some))
    assert records.load(BookingList, records.dump(wanted)) == wanted


@given(TEXT, TIMES, st.none() | SPANS, st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=3)), max_size=3))
def test_a_receipt_comes_back_as_it_was(
    detail: str, at: datetime, retry_after: timedelta | None, differing: list[tuple[str, list[str]]]
) -> None:
    receipt = Receipt(
        endpoint="codec1",
        pool="hq",
        relay="relay1",
        verb="put",
        revision=2**50,
        sequence=2**50,
        counter=1,
        outcome="differs",
        at=at,
        detail=detail,
        retry_after=retry_after,
        differences=tuple(Difference(id=one, fields=tuple(names)) for one, names in differing),
    )
    assert records.load(Receipt, records.dump(receipt)) == receipt


def test_what_is_configured_comes_back_as_it_was() -> None:
    room = Room(name="room1", calendar="office", mailbox="room1@example.com", label="Größer", timezone="Europe/Oslo")
    endpoint = Endpoint(name="codec1", kind="cisco", address="192.0.2.1", pool="hq", rooms=("room1", "room2"))
    assert records.load(Room, records.dump(room)) == room
    assert records.load(Endpoint, records.dump(endpoint)) == endpoint


def test_a_row_of_the_version_before_or_after_this_one_can_be_read() -> None:
    plain = json.loads(records.dump(Room(name="room1", calendar="office", mailbox="room1@example.com")))
    del plain["timezone"]
    plain["floor"] = 3
    assert records.load(Room, json.dumps(plain)).timezone == "UTC"


def test_what_is_sealed_opens_only_at_its_place_and_with_its_key() -> None:
    vault = Vault(b"k" * 32)
    sealed = vault.seal("endpoints/codec1/desired", "words")
    assert vault.open("endpoints/codec1/desired", sealed) == "words"
    for other, place, value in (
        (vault, "endpoints/codec2/desired", sealed),
        (Vault(b"K" * 32), "endpoints/codec1/desired", sealed),
        (vault, "endpoints/codec1/desired", sealed[:-1]),
        (vault, "endpoints/codec1/desired", b"\x02" + sealed[1:]),
        (vault, "endpoints/codec1/desired", b""),
    ):
        with pytest.raises(BadSetting) as refused:
            other.open(place, value)
        assert "words" not in str(refused.value)


def test_the_same_words_are_sealed_differently_each_time() -> None:
    vault = Vault(b"k" * 32)
    assert vault.seal("place", "words") != vault.seal("place", "words")
