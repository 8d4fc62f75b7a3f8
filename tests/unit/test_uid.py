"""One uid per series, whichever system states it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from otd.formats.uid import OUTLOOK, series_uid

# Class id, date of the occurrence, time of creation, eight reserved bytes, size of the data, the data.
SERIES = (
    OUTLOOK + "00000000" + "00A1B2C3D4E5DC01" + "0000000000000000" + "10000000" + "0123456789ABCDEF0123456789ABCDEF"
)
OF_24_NOVEMBER = SERIES.replace(OUTLOOK + "00000000", OUTLOOK + "07EA0B18")


def wrapped(uid: str, date: str = "00000000") -> str:
    data = b"vCal-Uid\x01\x00\x00\x00" + uid.encode() + b"\0"
    size = len(data).to_bytes(4, "little").hex()
    return (OUTLOOK + date + "00" * 16 + size + data.hex()).upper()


def test_an_occurrence_of_graph_has_the_uid_of_its_series() -> None:
    assert series_uid(OF_24_NOVEMBER) == SERIES


def test_the_uid_of_a_series_stays_as_it_is() -> None:
    assert series_uid(SERIES) == SERIES


def test_capitals_make_no_difference() -> None:
    assert series_uid(OF_24_NOVEMBER.lower()) == SERIES


def test_a_uid_that_another_program_made_is_unwrapped() -> None:
    assert series_uid(wrapped("a1B2-c3@calendar.example.org")) == "a1B2-c3@calendar.example.org"


def test_an_occurrence_with_a_wrapped_uid_is_unwrapped_too() -> None:
    assert series_uid(wrapped("a1B2-c3@calendar.example.org", "07EA0B18")) == "a1B2-c3@calendar.example.org"


def test_a_uid_that_is_not_outlooks_keeps_its_letters() -> None:
    assert series_uid("  Abc-42@example.org\n") == "Abc-42@example.org"


def test_what_begins_like_outlooks_but_is_cut_off_is_left_alone() -> None:
    assert series_uid(OUTLOOK + "07") == OUTLOOK + "07"
    assert series_uid(OUTLOOK + "not hexadecimal") == OUTLOOK + "not hexadecimal"


def test_a_wrapped_uid_that_is_no_text_stays_wrapped() -> None:
    broken = wrapped("x").replace("7800", "FF00")
    assert series_uid(broken) == broken


@settings(deadline=None)  # the machine may be busy
@given(st.binary(min_size=4, max_size=4), st.binary(max_size=80))
def test_whatever_the_date_says_the_series_is_one(date: bytes, rest: bytes) -> None:
    of_a_day = OUTLOOK + date.hex() + rest.hex()
    assert series_uid(of_a_day) == series_uid(OUTLOOK + "00000000" + rest.hex())


@settings(deadline=None)  # the machine may be busy
@given(st.one_of(st.text(max_size=200), st.from_regex(OUTLOOK + "[0-9A-Fa-f]{0,160}", fullmatch=True)))
def test_no_text_makes_it_fail(uid: str) -> None:
    assert isinstance(series_uid(uid), str)
