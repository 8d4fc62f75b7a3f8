"""What a dial string looks like in the text that Polycom endpoints read."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.model import Booking, DialString
from otd.relay.face import body
from otd.relay.face.credentials import ALPHABET, is_right, new_password
from otd.relay.face.items import duration
from tests.values import HOUR, MINUTE, SECOND, a_booking, an_endpoint

SIP = DialString(protocol="sip", uri="1234567@vc.example.com")
# What the Polycom Conferencing Add-in for Outlook's block holds for this address, encoded by other means.
VECTOR = (
    "UE9MWUNPTS1WRVJTSU9OPTENClBPTFlDT00tRElBTElOUFJFRklYPQ0KUE9MWUNPTS1WTVJOVU1CRVI9MTIzNDU2N0B2Yy5leGFtcGxlLmNvbQ0K"
    "UE9MWUNPTS1TSUdOQUxJTkdQUkVGSVg9c2lwDQpQT0xZQ09NLVNJR05BTElOR1BPU1RGSVg9DQpQT0xZQ09NLU1FRVRJTkdQQVNTV09SRD0NClBP"
    "TFlDT00tQ0hBSVJQQVNTV09SRD0NClBPTFlDT00tQ0hBSVJQQVNTV09SRFJFUVVJUkVEPWZhbHNlDQpQT0xZQ09NLVJFQ09SRE1FRVRJTkc9ZmFs"
    "c2UNClBPTFlDT00tU1RSRUFNTUVFVElORz1mYWxzZQ0KUE9MWUNPTS1SU1NWTVJOQU1FPQ0KUE9MWUNPTS1SRUNPUkRJTkdVUkk9DQpQT0xZQ09N"
    "LUlOVklUQVRJT05MQU5HVUFHRT1lbl9VUw0KUE9MWUNPTS1BVURJT05VTUJFUjE9DQpQT0xZQ09NLUFVRElPTlVNQkVSMj0NClBPTFlDT00tTUVF"
    "VElORy1VUkw9"
)


def decoded(text: str) -> dict[str, str]:
    """As an endpoint does it: take tags away, find the markers, take white space away, decode, split."""
    plain = re.sub(r"<[^>]*>", "\n", text)
    inner = plain.partition("--=BEGIN POLYCOM VMR ENCODED TOKEN=--")[2].partition("--=END POLYCOM VMR")[0]
    lines = b64decode("".join(inner.split())).decode().splitlines()
    return {key.removeprefix("POLYCOM-"): value for key, _, value in (line.partition("=") for line in lines)}


def a_body(model: str, dial: DialString | None = SIP, strategy: tuple[str, ...] = ()) -> tuple[str, ...]:
    endpoint = an_endpoint(kind="polycom", model=model, strategy=strategy)
    return body.lines(a_booking(dial=dial), body.strategy(endpoint))


def test_the_block_is_the_one_that_the_outlook_add_in_writes() -> None:
    assert body.token(SIP) == VECTOR


def test_an_hdx_gets_the_block_alone_and_a_group_series_a_sip_line_above_it() -> None:
    assert not any("sip:" in line for line in a_body("hdx"))
    gs = a_body("gs")
    assert gs.index("Join: sip:1234567@vc.example.com") < gs.index("--=BEGIN POLYCOM VMR ENCODED TOKEN=--")
    assert gs[-3:] == ("--=BEGIN POLYCOM VMR ENCODED TOKEN=--", VECTOR, "--=END POLYCOM VMR ENCODED TOKEN=--")
    assert a_body("videoos") == gs
    assert a_body("a model of tomorrow") == gs


def test_a_trio_gets_a_sip_line_and_the_address_as_its_location() -> None:
    assert a_body("trio") == ("", "Join: sip:1234567@vc.example.com")
    trio = an_endpoint(kind="polycom", model="trio", label="Blue Room")
    words = body.strategy(trio)
    assert body.location(a_booking(dial=SIP), trio, words) == "sip:1234567@vc.example.com"
    assert body.location(a_booking(dial=None), trio, words) == "Blue Room"


def test_an_endpoints_own_strategy_goes_before_its_models() -> None:
    assert a_body("hdx", strategy=("sip",)) == ("", "Join: sip:1234567@vc.example.com")


def test_the_location_of_a_divisible_room_is_the_part_that_was_booked() -> None:
    endpoint = an_endpoint(label="Hall", rooms=("hall-1", "hall-2"))
    assert body.location(a_booking(room="hall-2"), endpoint, ("token",)) == "hall-2"


@pytest.mark.parametrize(
    ("uri", "number", "prefix", "postfix"),
    [
        ("7522222@video.example.com", "7522222", "", "video.example.com"),
        ("12.34@video.example.com", "12.34@video.example.com", "sip", ""),
        ("7522222", "7522222", "sip", ""),
    ],
)
def test_number_and_domain_are_told_apart_only_where_there_is_a_number(
    uri: str, number: str, prefix: str, postfix: str
) -> None:
    found = decoded("\n".join(a_body("hdx", DialString(protocol="sip", uri=uri), ("token-split",))))
    assert (found["VMRNUMBER"], found["SIGNALINGPREFIX"], found["SIGNALINGPOSTFIX"]) == (number, prefix, postfix)


def test_an_h323_address_is_given_without_a_sip_prefix() -> None:
    dial = DialString(protocol="h323", uri="192.0.2.9##1234")
    lines = a_body("gs", dial)
    assert "Join: h323:192.0.2.9##1234" in lines
    found = decoded("\n".join(lines))
    assert (found["VMRNUMBER"], found["SIGNALINGPREFIX"]) == ("192.0.2.9##1234", "")


def test_without_a_dial_string_there_is_no_body_at_all() -> None:
    assert a_body("gs", None) == ()
    assert body.text(()) == body.html(()) == ""


@given(st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable() and "\r" not in text))
def test_whatever_is_dialled_comes_out_of_the_block_as_it_went_in(uri: str) -> None:
    lines = body.lines(_dialling(uri), ("token",))
    for text in (body.text(lines), body.html(lines)):
        assert decoded(text)["VMRNUMBER"] == uri


def _dialling(uri: str) -> Booking:
    return replace(a_booking(), dial=DialString(protocol="sip", uri=uri))


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (HOUR, "PT1H"),
        (90 * MINUTE, "PT1H30M"),
        (26 * HOUR, "P1DT2H"),
        (48 * HOUR, "P2D"),
        (MINUTE, "PT1M"),
        (61 * SECOND, "PT1M1S"),
    ],
)
def test_durations_are_written_as_exchange_writes_them(span: object, text: str) -> None:
    assert duration(span) == text  # type: ignore[arg-type]


def test_a_password_can_be_typed_on_a_remote_control_and_is_kept_as_a_hash_only() -> None:
    passwords = [new_password() for _ in range(50)]
    assert len({password.clear for password in passwords}) == 50
    for password in passwords:
        assert re.fullmatch(r"[a-z2-9]{16}", password.clear)
        assert not set(password.clear) & set("lo01")
        assert is_right(password.clear, password.hashed)
        assert not is_right(password.clear + "x", password.hashed)
        assert password.clear not in password.hashed
        assert password.clear not in repr(password)
    assert len(ALPHABET) ** 16 == 2**80
