"""What a simulated Polycom endpoint finds to dial in a meeting."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otd.lab.polycom_dialling import BEGIN, END, NoToken, Text, dialling, plain, token, token_numbers
from otd.lab.polycom_profiles import PROFILES, Habits
from tests.adapters.polycom_lab import ALIAS, a_token

VECTOR = (
    "UE9MWUNPTS1WRVJTSU9OPTENClBPTFlDT00tRElBTElOUFJFRklYPQ0KUE9MWUNPTS1WTVJOVU1CRVI9MTIzNDU2N0B2Yy5leGFtcGxlLmNvbQ0K"
    "UE9MWUNPTS1TSUdOQUxJTkdQUkVGSVg9c2lwDQpQT0xZQ09NLVNJR05BTElOR1BPU1RGSVg9DQpQT0xZQ09NLU1FRVRJTkdQQVNTV09SRD0NClBP"
    "TFlDT00tQ0hBSVJQQVNTV09SRD0NClBPTFlDT00tQ0hBSVJQQVNTV09SRFJFUVVJUkVEPWZhbHNlDQpQT0xZQ09NLVJFQ09SRE1FRVRJTkc9ZmFs"
    "c2UNClBPTFlDT00tU1RSRUFNTUVFVElORz1mYWxzZQ0KUE9MWUNPTS1SU1NWTVJOQU1FPQ0KUE9MWUNPTS1SRUNPUkRJTkdVUkk9DQpQT0xZQ09N"
    "LUlOVklUQVRJT05MQU5HVUFHRT1lbl9VUw0KUE9MWUNPTS1BVURJT05VTUJFUjE9DQpQT0xZQ09NLUFVRElPTlVNQkVSMj0NClBPTFlDT00tTUVF"
    "VElORy1VUkw9"
)


def found(profile: str, text: Text, habits: Habits | None = None) -> list[str]:
    return [number.address for number in dialling(text, PROFILES[profile].reads, habits or Habits()).numbers]


def test_a_token_as_the_add_in_for_outlook_writes_it_is_read() -> None:
    keys = token(f"Agenda\n{BEGIN}\n{VECTOR}\n{END}\n")
    assert keys is not None
    assert keys["POLYCOM-VMRNUMBER"] == ALIAS
    assert keys["POLYCOM-INVITATIONLANGUAGE"] == "en_US"
    (number,) = token_numbers(keys)
    assert (number.address, number.protocols) == (ALIAS, ("sip",))


@pytest.mark.parametrize("mangle", [lambda s: s, lambda s: "\n ".join(s[at : at + 60] for at in range(0, len(s), 60))])
def test_a_token_may_be_folded_and_stand_in_html(mangle: object) -> None:
    packed = mangle(VECTOR)  # type: ignore[operator]
    body = f"<html><body><p>Hello</p>{BEGIN}<br>{packed}<br>{END}</body></html>"
    assert found("gs", Text(body=body, html=True)) == [ALIAS]


@pytest.mark.parametrize("signalling", ["sip", "sip:"])
def test_a_number_with_prefix_and_domain_is_put_together(signalling: str) -> None:
    block = a_token(DIALINPREFIX="75", VMRNUMBER="22222", SIGNALINGPREFIX=signalling, SIGNALINGPOSTFIX="example.com")
    assert found("hdx", Text(body=block)) == ["7522222", "7522222@example.com"]


def test_audio_numbers_alone_make_no_join() -> None:
    block = a_token(VMRNUMBER="", AUDIONUMBER1="+1 (800) 555-0100")
    result = dialling(Text(body=block), ("token",), Habits())
    assert [(n.media, n.address) for n in result.numbers] == [("audio", "+18005550100")]
    assert not result.dialable


def test_the_meeting_password_is_kept() -> None:
    assert dialling(Text(body=a_token(MEETINGPASSWORD="4242")), ("token",), Habits()).password == "4242"


@pytest.mark.parametrize(
    "block",
    [
        f"{BEGIN}\n{VECTOR}",  # without an end
        f"{BEGIN}\n!!!\n{END}",
        f"{BEGIN}\n/w==\n{END}",  # no UTF-8
        a_token(VERSION="2"),
    ],
)
def test_a_block_that_cannot_be_read_gives_no_join_and_says_so(block: str) -> None:
    with pytest.raises(NoToken):
        token(block)
    result = dialling(Text(body=block), ("token",), Habits())
    assert result.numbers == ()
    assert result.problems[0].startswith("token: ")


def test_a_number_that_the_command_interface_cannot_give_back_is_not_dialled() -> None:
    result = dialling(Text(body=a_token(VMRNUMBER="a|b@example.com")), ("token",), Habits())
    assert (result.numbers, result.problems) == ((), ("a number has characters that cannot be dialled",))


def test_a_body_without_anything_is_no_problem() -> None:
    for profile in PROFILES:
        assert found(profile, Text(body="See you there")) == []


@pytest.mark.parametrize(("profile", "shown"), [("hdx", []), ("gs", []), ("videoos", [ALIAS]), ("trio", [ALIAS])])
def test_a_sip_line_alone_is_not_enough_for_those_that_read_tokens(profile: str, shown: list[str]) -> None:
    assert found(profile, Text(body=f"Join: sip:{ALIAS}")) == shown


@pytest.mark.parametrize("location", [ALIAS, f"sip:{ALIAS}", f"Room 1; sip:{ALIAS}"])
def test_an_address_in_the_location_is_dialled_by_videoos(location: str) -> None:
    assert found("videoos", Text(location=location)) == [ALIAS]
    assert found("videoos", Text(location="ask ann@example.com")) == []


def test_a_trio_takes_bare_addresses_only_when_it_is_told_to() -> None:
    text = Text(body="Write to ann@example.com or call 1234@zoomcrc.com")
    assert found("trio", text) == []
    assert found("trio", text, Habits(parse_emails_as_sip=True)) == ["ann@example.com", "1234@zoomcrc.com"]
    allowed = Habits(parse_emails_as_sip=True, allowed_sip_domains=("zoomcrc.com",))
    assert found("trio", text, allowed) == ["1234@zoomcrc.com"]


def test_where_a_trio_looks_is_a_parameter() -> None:
    text = Text(body="sip:body@example.com", subject="sip:subject@example.com", location="sip:place@example.com")
    first = {"All": 3, "Location": 1, "LocationAndSubject": 2, "Description": 1}
    for option, count in first.items():
        assert len(found("trio", text, Habits(parse_option=option))) == count  # type: ignore[arg-type]
    assert found("trio", text, Habits(parse_when="Never")) == []


def test_a_trio_leaves_skype_meetings_alone_unless_told_otherwise() -> None:
    text = Text(body=f"sip:{ALIAS}", conflink="conf:sip:ann@example.com;gruu")
    assert found("trio", text) == []
    assert found("trio", text, Habits(parse_when="Always")) == [ALIAS]


def test_a_trio_dials_phone_numbers_of_the_pattern_that_is_set() -> None:
    assert found("trio", Text(body="Call 5550100, not 55501001"), Habits(phone_pattern="555xxxx")) == ["5550100"]


def test_html_becomes_the_lines_that_a_person_sees() -> None:
    body = "<style>p{}</style><p>One &amp; two</p><div>three<br/>four</div><!-- five -->"
    assert plain(body).split("\n") == ["One & two", "three", "four", ""]


@settings(max_examples=50)
@given(st.text() | st.text(alphabet=BEGIN + "AB=\n ").map(lambda inner: f"{BEGIN}{inner}{END}"))
def test_no_text_makes_an_endpoint_stumble(text: str) -> None:
    for profile in PROFILES.values():
        dialling(Text(body=text, html=True, location=text, subject=text), profile.reads, Habits())
