"""Documents on the bus: what is written is read back, what is broken is refused without repeating what it held."""

from __future__ import annotations

import json
from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd import wire
from otd.errors import Garbled
from otd.model import Booking, DialString, Difference, Hello
from tests.values import T0, a_booking, a_delivery, a_receipt, an_endpoint

times = st.datetimes(min_value=T0.replace(tzinfo=None), timezones=st.just(UTC))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@st.composite
def bookings(draw: st.DrawFn) -> Booking:
    start = draw(times)
    return a_booking(
        id=draw(st.text("abc123", min_size=1, max_size=8)),
        title=draw(texts),
        start=start,
        end=start + draw(st.timedeltas(timedelta(seconds=1), timedelta(days=3))),
        private=draw(st.booleans()),
        dial=draw(st.none() | st.builds(DialString, protocol=st.sampled_from(["sip", "h323"]), uri=texts)),
    )


@given(st.lists(bookings(), max_size=5), st.integers(0, 2**53))
def test_a_delivery_comes_back_as_it_was(listed: list[Booking], revision: int) -> None:
    sent = a_delivery(bookings=tuple(listed), revision=revision)
    assert wire.read(wire.write(sent)) == sent


@given(texts, st.integers(0, 5))
def test_a_receipt_comes_back_as_it_was(detail: str, counter: int) -> None:
    sent = a_receipt(
        detail=detail,
        counter=counter,
        outcome="differs",
        differences=(Difference(id="b1", fields=("title", "number")),),
        retry_after=timedelta(seconds=3),
    )
    assert wire.read(wire.write(sent)) == sent


def test_pins_come_back_and_are_not_missed_by_either_side_of_an_upgrade() -> None:
    """A side that does not know them passes them over; one that does not hear of them goes without."""
    known = a_delivery(endpoint=an_endpoint(pin="sha256:aa"))
    found = a_receipt(outcome="untrusted", pin="sha256:aa", shown="sha256:bb")
    assert (wire.read(wire.write(known)), wire.read(wire.write(found))) == (known, found)
    order, receipt = json.loads(wire.write(known)), json.loads(wire.write(found))
    del order["body"]["endpoint"]["pin"], receipt["body"]["pin"], receipt["body"]["shown"]
    assert wire.read(json.dumps(order).encode()) == a_delivery()
    assert wire.read(json.dumps(receipt).encode()) == a_receipt(outcome="untrusted")


def test_what_is_asked_and_answered_comes_back_and_is_not_missed_by_either_side_of_an_upgrade() -> None:
    asked = a_delivery(verb="read", ask="key", anew=True)
    answered = a_receipt(verb="read", answer="sealed 4711")
    assert (wire.read(wire.write(asked)), wire.read(wire.write(answered))) == (asked, answered)
    assert "4711" not in repr(answered)
    order, receipt = json.loads(wire.write(asked)), json.loads(wire.write(answered))
    del order["body"]["ask"], order["body"]["anew"], receipt["body"]["answer"]
    assert wire.read(json.dumps(order).encode()) == a_delivery(verb="read")
    assert wire.read(json.dumps(receipt).encode()) == a_receipt(verb="read")


def test_a_hello_comes_back_as_it_was() -> None:
    sent = Hello(relay="r1", pool="hq", version="1", started_at=T0, at=T0, clock_offset=timedelta(seconds=-7))
    assert wire.read(wire.write(sent)) == sent


def test_what_a_later_version_adds_is_passed_over() -> None:
    document = json.loads(wire.write(a_delivery()))
    document["body"]["urgency"] = "high"
    document["body"]["endpoint"]["colour"] = "green"
    assert wire.read(json.dumps(document).encode()) == a_delivery()


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(Garbled):
        wire.read(data)


@pytest.mark.parametrize("broken", ["v", "type", "body"])
def test_a_document_without_one_of_its_parts_is_refused(broken: str) -> None:
    document = json.loads(wire.write(a_delivery()))
    del document[broken]
    with pytest.raises(Garbled):
        wire.read(json.dumps(document).encode())


def test_another_major_version_is_refused() -> None:
    document = json.loads(wire.write(a_delivery())) | {"v": 2}
    with pytest.raises(Garbled, match="version 1"):
        wire.read(json.dumps(document).encode())


def test_a_refusal_names_the_field_and_never_its_value() -> None:
    document = json.loads(wire.write(a_delivery()))
    document["body"]["bookings"][0]["start"] = "secret 4711"
    with pytest.raises(Garbled, match=r"bookings\.0\.start") as raised:
        wire.read(json.dumps(document).encode())
    assert "4711" not in str(raised.value)


def test_a_document_that_is_too_large_is_not_even_parsed() -> None:
    with pytest.raises(Garbled, match="larger than"):
        wire.read(b" " * (wire.LIMIT + 1))
