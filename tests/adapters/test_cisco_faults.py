"""The Cisco driver against endpoints of every software line that misbehave, and that do otherwise what nobody outside
Cisco knows for sure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otd.errors import Busy, Denied, Garbled, Missing, OtdError, Retryable, Unreachable
from otd.lab.codec import Codec, User
from otd.lab.codec_profiles import PROFILES
from otd.relay.service import compare
from tests.adapters.test_cisco_driver import PASSWORD, a_codec, a_driver, endpoint_of
from tests.contracts.driver import THREE, WITHIN
from tests.values import T0

SHORT = timedelta(milliseconds=400)
LONG = timedelta(seconds=30)
BYTE = timedelta(milliseconds=50)


@pytest.fixture(params=PROFILES)
def codec(request: pytest.FixtureRequest) -> Iterator[Codec]:
    with a_codec(request.param) as codec:
        yield codec


FAULTS: dict[str, tuple[dict[str, Any], type[OtdError]]] = {
    "an answer that comes too late": ({"slow": LONG}, Unreachable),
    "work that is done and an answer that comes too late": ({"late": LONG}, Unreachable),
    "a head that drips": ({"drip_head": BYTE}, Unreachable),
    "a body that drips": ({"drip_body": BYTE}, Unreachable),
    "silence": ({"silent": True}, Unreachable),
    "no answer": ({"reset": True}, Retryable),
    "half an answer": ({"cut": True}, Garbled),
    "a server error": ({"status": 500}, Unreachable),
    "a reboot": ({"status": 502}, Unreachable),
    "too many requests": ({"status": 503}, Busy),
    "a password that is refused": ({"status": 401}, Denied),
    "a role that may not": ({"status": 403}, Denied),
    "an interface that is not there": ({"status": 404}, Missing),
    "a redirect to another host": ({"redirect": "https://127.0.0.1:1"}, Garbled),
    "the sign-in page": ({"sign_in_page": True}, Denied),
    "XML that ends in the middle": ({"truncate": True}, Garbled),
    "an empty Command": ({"empty_command": True}, Garbled),
    "an answer of more than 8 MB": ({"huge": 8 * 1024 * 1024 + 1}, Garbled),
}


@pytest.mark.parametrize(("fault", "kind"), FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_is_named_rightly_and_healed_when_it_is_gone(
    codec: Codec, fault: dict[str, Any], kind: type[OtdError]
) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec)
    driver.put(endpoint, THREE, within=WITHIN)
    for name, value in fault.items():
        setattr(codec.faults, name, value)
    takes_long = {"slow", "late", "silent", "drip_head", "drip_body"} & fault.keys()
    with pytest.raises(kind):
        driver.read(endpoint, within=SHORT if takes_long else WITHIN)
    codec.faults.clear()
    driver.put(endpoint, THREE[:1], within=WITHIN)
    assert compare(driver.seen(endpoint, THREE[:1]), driver.read(endpoint, within=WITHIN), T0) == ()


def test_an_answer_of_nearly_8_mb_is_read(codec: Codec) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec)
    driver.put(endpoint, THREE, within=WITHIN)
    codec.faults.huge = 8 * 1024 * 1024
    assert compare(driver.seen(endpoint, THREE), driver.read(endpoint, within=WITHIN), T0) == ()


def test_control_bytes_in_the_answer_do_no_harm(codec: Codec) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec)
    codec.faults.control_bytes = True
    driver.put(endpoint, THREE, within=WITHIN)
    assert compare(driver.seen(endpoint, THREE), driver.read(endpoint, within=WITHIN), T0) == ()


HABITS: dict[str, dict[str, Any]] = {
    "answers a put with nothing": {"bookingsputxml_answer": b""},
    "answers a put with a page of words": {"bookingsputxml_answer": b"OK, thank you"},
    "calls the result of a put otherwise": {"put_result": "PutResult"},
    "insists on the command attribute": {"command_attribute": True},
    "takes no fields that it does not know": {"unknown_keys": False},
    "would keep the first of two ids": {"duplicates": "keep-first"},
    "would keep the last of two ids": {"duplicates": "keep-last"},
    "takes no titles beyond 128 characters": {"longest_title": 128},
    "refuses empty numbers": {"empty_number": False},
    "does not split the organiser's name": {"split_organizer": False},
    "reads Manual back": {"put_connect_mode": "Manual"},
    "counts the rows of a page": {"total_rows": "page"},
    "sends both cookies": {"session_cookies": ("SecureSessionId", "SessionId")},
}


@pytest.mark.parametrize("session", [False, True], ids=["with a password", "with a session"])
@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS.keys())
def test_what_is_not_established_may_go_either_way(codec: Codec, habit: dict[str, Any], session: bool) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec, session=session)
    for name, value in habit.items():
        setattr(codec.habits, name, value)
    driver.put(endpoint, THREE, within=WITHIN)
    assert compare(driver.seen(endpoint, THREE), driver.read(endpoint, within=WITHIN), T0) == ()
    assert codec.sessions == ()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("form", ["result", "action", "empty"])
def test_however_it_says_that_it_does_not_know_a_command_it_is_written_the_other_way(profile: str, form: Any) -> None:
    known = {name: each for name, each in PROFILES[profile].commands.items() if name != "Bookings Put"}
    with Codec(profile=replace(PROFILES[profile], commands=known), users={"otd": PASSWORD}, speed=None) as codec:
        codec.habits.unknown_command = form
        driver, endpoint = a_driver(), endpoint_of(codec)
        driver.put(endpoint, THREE, within=WITHIN)
        assert compare(driver.seen(endpoint, THREE), driver.read(endpoint, within=WITHIN), T0) == ()


def test_a_command_without_the_role_may_be_answered_with_403(codec: Codec) -> None:
    codec.habits.not_permitted = "forbidden"
    codec.state.users["otd"] = User(password="correct horse", roles=frozenset({"User"}))
    with pytest.raises(Denied) as refused:
        a_driver().put(endpoint_of(codec), THREE, within=WITHIN)
    assert refused.value.reason == "role"


def test_what_a_software_refuses_is_unsupported_with_a_mend(codec: Codec) -> None:
    codec.habits.most_bookings = 2
    with pytest.raises(OtdError) as refused:
        a_driver().put(endpoint_of(codec), THREE, within=WITHIN)
    assert refused.value.code == "unsupported"
    assert refused.value.mend
