"""How the Cisco driver signs in: passwords that change, sessions that are always ended, old TLS, plain HTTP.

And what it learns of an endpoint."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from otd.endpoints.cisco import CiscoDriver
from otd.endpoints.cisco_line import Paces
from otd.errors import Denied, OtdError, Unreachable, Unsupported
from otd.lab.codec import Codec, User
from otd.model import Facts
from otd.outbound import Http, pinned_trust
from otd.relay.memory import Memory
from otd.relay.service import compare
from tests.adapters.test_cisco_driver import NamedSecrets, a_codec, a_driver, endpoint_of
from tests.contracts.driver import THREE, WITHIN
from tests.values import T0

HOUR = timedelta(hours=1)


@pytest.fixture
def codec() -> Iterator[Codec]:
    with a_codec("roomos11") as codec:
        yield codec


# --- passwords ----------------------------------------------------------------------------------------------------


def test_where_a_password_is_refused_the_one_that_follows_it_is_tried_once(codec: Codec) -> None:
    driver = a_driver(codec="otd:old", **{"codec-next": "otd:correct horse"})
    driver.put(endpoint_of(codec), THREE, within=WITHIN)
    assert [entry.status for entry in codec.log].count(401) == 1
    driver.put(endpoint_of(codec), THREE, within=WITHIN)
    assert [entry.status for entry in codec.log].count(401) == 1, "what was taken once comes first from then on"


def test_two_wrong_passwords_are_two_tries_and_no_more(codec: Codec) -> None:
    driver = a_driver(codec="otd:wrong", **{"codec-next": "otd:wrong too"})
    with pytest.raises(Denied, match="refused the user name or password") as raised:
        driver.put(endpoint_of(codec), THREE, within=WITHIN)
    assert (len(codec.log), raised.value.reason) == (2, "password")
    assert "not tried again" in raised.value.mend


def test_a_fleet_changes_its_password_without_a_window(codec: Codec) -> None:
    driver = a_driver(**{"codec-next": "otd:new"})
    driver.put(endpoint_of(codec), THREE, within=WITHIN)
    codec.change_password("otd", "new")
    driver.put(endpoint_of(codec), THREE[:1], within=WITHIN)
    assert codec.ids == ("b1",)


@pytest.mark.parametrize("interface", ["put", "bookingsputxml"])
def test_a_user_without_the_role_is_told_from_a_wrong_password(interface: str) -> None:
    users = {"otd": User(password="correct horse", roles=frozenset({"User"}))}
    with Codec(profile="roomos11", users=users, speed=None) as codec:
        with pytest.raises(Denied) as raised:
            a_driver().put(endpoint_of(codec, interface=interface), THREE, within=WITHIN)
        assert raised.value.reason == "role"
        assert "Admin" in raised.value.mend
        assert a_driver().facts(endpoint_of(codec), within=WITHIN).role == "user"


def test_a_teams_room_takes_no_bookings_and_is_not_written_another_way(codec: Codec) -> None:
    codec.state.teams = True
    with pytest.raises(Unsupported, match="Microsoft Teams Room") as raised:
        a_driver().put(endpoint_of(codec), THREE, within=WITHIN)
    assert raised.value.reason == "teams"
    assert all(entry.path != "/bookingsputxml" for entry in codec.log)
    assert a_driver().facts(endpoint_of(codec), within=WITHIN).mode == "teams"


# --- sessions -----------------------------------------------------------------------------------------------------


def test_a_session_is_begun_and_ended_around_each_call(codec: Codec) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec, session=True)
    driver.put(endpoint, THREE, within=WITHIN)
    paths = [entry.path for entry in codec.log]
    assert (paths[0], paths[-1]) == ("/xmlapi/session/begin", "/xmlapi/session/end")
    assert all(entry.cookie for entry in codec.log[1:])
    assert codec.sessions == ()


SPOILT: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 503},
    {"truncate": True},
    {"reset": True},
    {"cut": True},
    {"huge": 9_000_000},
    {"empty_command": True},
    {"slow": timedelta(seconds=5)},
    {"drip_body": timedelta(milliseconds=50)},
]


@pytest.mark.parametrize("fault", SPOILT, ids=[next(iter(fault)) for fault in SPOILT])
def test_a_session_is_ended_whatever_becomes_of_the_call(codec: Codec, fault: dict[str, Any]) -> None:
    codec.faults.only = ("/putxml",)
    for name, value in fault.items():
        setattr(codec.faults, name, value)
    takes_long = {"slow", "drip_body"} & fault.keys()
    with pytest.raises(OtdError):
        a_driver().read(endpoint_of(codec, session=True), within=timedelta(seconds=2) if takes_long else WITHIN)
    assert codec.wait_until(lambda: codec.sessions == (), WITHIN)


def test_a_session_that_could_not_be_ended_is_ended_by_the_next_call(codec: Codec) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec, session=True)
    codec.faults.only, codec.faults.reset = ("/xmlapi/session/end",), True
    driver.put(endpoint, THREE, within=WITHIN)
    assert len(codec.sessions) == 1
    codec.faults.clear()
    driver.read(endpoint, within=WITHIN)
    assert codec.sessions == ()


def test_a_session_whose_answer_was_lost_is_ended_when_nobody_can_be_using_it_any_more(codec: Codec) -> None:
    driver = CiscoDriver(
        secrets=NamedSecrets(codec="otd:correct horse"), pins=Memory(), spacing=timedelta(0), stale=timedelta(0)
    )
    endpoint = endpoint_of(codec, session=True)
    codec.faults.only, codec.faults.late = ("/xmlapi/session/begin",), timedelta(seconds=1)
    with pytest.raises(Unreachable):
        driver.read(endpoint, within=timedelta(milliseconds=400))
    assert codec.wait_until(lambda: len(codec.sessions) == 1, WITHIN)
    codec.faults.clear()
    codec.advance(HOUR)
    driver.read(endpoint, within=WITHIN)
    assert codec.sessions == ()


def test_a_session_that_a_former_process_left_open_is_ended_by_the_next_one(codec: Codec) -> None:
    endpoint = endpoint_of(codec, session=True)
    codec.faults.only, codec.faults.reset = ("/xmlapi/session/end",), True
    a_driver().put(endpoint, THREE, within=WITHIN)  # and that process dies
    codec.faults.clear()
    codec.advance(HOUR)
    another = CiscoDriver(
        secrets=NamedSecrets(codec="otd:correct horse"), pins=Memory(), spacing=timedelta(0), stale=timedelta(0)
    )
    another.read(endpoint, within=WITHIN)
    assert codec.sessions == ()


@pytest.mark.parametrize("answer", [{"status": 401}, {"status": 404}, {"redirect": "https://127.0.0.1:1"}])
def test_an_answer_that_is_no_end_of_a_session_is_not_taken_for_one(codec: Codec, answer: dict[str, Any]) -> None:
    driver = CiscoDriver(
        secrets=NamedSecrets(codec="otd:correct horse"), pins=Memory(), spacing=timedelta(0), stale=timedelta(0)
    )
    endpoint = endpoint_of(codec, session=True)
    codec.faults.only = ("/xmlapi/session/end",)
    for name, value in answer.items():
        setattr(codec.faults, name, value)
    driver.put(endpoint, THREE, within=WITHIN)
    assert len(codec.sessions) == 1
    codec.faults.clear()
    codec.advance(HOUR)
    driver.read(endpoint, within=WITHIN)
    assert codec.sessions == ()


def test_software_without_sessions_is_asked_with_a_password() -> None:
    with a_codec("tc7") as codec:
        driver, endpoint = a_driver(), endpoint_of(codec, session=True)
        driver.put(endpoint, THREE, within=WITHIN)
        assert compare(driver.seen(endpoint, THREE), driver.read(endpoint, within=WITHIN), T0) == ()


def test_a_session_that_the_endpoint_ended_is_no_refused_password(codec: Codec) -> None:
    codec.faults.only, codec.faults.status = ("/putxml",), 401
    with pytest.raises(Unreachable, match="ended our session"):
        a_driver().read(endpoint_of(codec, session=True), within=WITHIN)


def test_a_wrong_password_begins_no_session(codec: Codec) -> None:
    with pytest.raises(Denied):
        a_driver(codec="otd:wrong").put(endpoint_of(codec, session=True), THREE, within=WITHIN)
    assert (len(codec.log), codec.sessions) == (1, ())


# --- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def old() -> Iterator[Codec]:
    versions = (ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1)
    with Codec(profile="ce9.6", users={"otd": "correct horse"}, speed=None, tls_versions=versions) as codec:
        yield codec


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_old_endpoint_is_reached_with_the_legacy_profile_only(old: Codec, codec: Codec) -> None:
    driver = a_driver()
    with pytest.raises(Unreachable, match="TLS"):
        driver.put(endpoint_of(old), THREE, within=WITHIN)
    driver.put(endpoint_of(old, tls="legacy"), THREE, within=WITHIN)
    with pytest.raises(Unreachable, match="TLS"):  # it weakened nobody else
        driver.put(endpoint_of(old), THREE, within=WITHIN)
    legacy, usual = pinned_trust(lambda _: None, legacy=True), pinned_trust(lambda _: None)
    assert legacy.context.minimum_version < usual.context.minimum_version
    Http(trust=legacy).close()


def test_plain_http_is_spoken_only_when_the_setting_says_so() -> None:
    with Codec(profile="roomos11", users={"otd": "correct horse"}, speed=None, tls=False) as codec:
        with pytest.raises(OtdError):
            a_driver().put(endpoint_of(codec), THREE, within=WITHIN)
        assert codec.log == (), "no password went out in clear"
        a_driver().put(endpoint_of(codec, trust="plaintext-http"), THREE, within=WITHIN)
        assert codec.ids == ("b1", "b2", "b3")


# --- facts --------------------------------------------------------------------------------------------------------


def test_an_endpoint_says_what_it_is(codec: Codec) -> None:
    codec.state.settings["UserInterface Bookings Visibility Title"] = "Hidden"
    codec.state.settings["Provisioning Mode"] = "TMS"
    codec.clock_offset = timedelta(minutes=3)
    codec.advance(HOUR)
    facts = a_driver().facts(endpoint_of(codec), within=WITHIN)
    assert facts.uptime is not None
    assert facts.clock_offset is not None
    assert abs(facts.clock_offset - HOUR - timedelta(minutes=3)) < timedelta(seconds=3)
    assert facts.uptime >= HOUR
    assert facts == Facts(
        software=codec.profile.version,
        product=codec.profile.product,
        serial=codec.state.serial,
        role="admin",
        uptime=facts.uptime,
        clock_offset=facts.clock_offset,
        provisioning="TMS",
        hides=("Title",),
        certificate_until=x509.load_pem_x509_certificate(codec.certificate.encode()).not_valid_after_utc,
    )


@pytest.mark.parametrize("profile", ["tc7", "ce9.6", "ce9.15", "roomos10", "roomos11", "roomos26"])
def test_every_software_line_says_what_it_can(profile: str) -> None:
    with a_codec(profile) as codec:
        facts = a_driver().facts(endpoint_of(codec), within=WITHIN)
        assert (facts.software, facts.mode, facts.hides) == (codec.profile.version, "", ())
        assert facts.role == ("" if profile == "tc7" else "admin")  # TC7 has no sessions to list


@pytest.mark.parametrize("session", [True, False])
def test_an_endpoint_is_asked_no_further_once_a_list_waits_for_it(codec: Codec, session: bool) -> None:
    driver, endpoint = a_driver(), replace(endpoint_of(codec), session=session)
    driver.read(endpoint, within=WITHIN)
    codec.forget_log()

    def asked() -> int:
        return sum("getxml" in request.path for request in codec.log)

    with pytest.raises(TimeoutError):
        driver.facts(endpoint, within=WITHIN, unless=lambda: asked() >= 2)
    assert asked() == 2
    assert codec.sessions == ()
    assert driver.facts(endpoint, within=WITHIN).role == "admin"


def test_a_turn_that_nothing_was_asked_in_is_the_next_ones() -> None:
    paces = Paces(HOUR)
    paces.turn("192.0.2.1", session=False)
    second = paces.turn("192.0.2.1", session=False)
    paces.give_back("192.0.2.1", second, session=False)
    assert paces.turn("192.0.2.1", session=False) == second
    third = paces.turn("192.0.2.1", session=False)
    paces.give_back("192.0.2.1", second, session=False)  # too late: another turn follows it
    assert paces.turn("192.0.2.1", session=False) > third


def test_what_seldom_changes_is_asked_for_again_only_after_a_restart_or_a_failure(codec: Codec) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec)
    codec.advance(HOUR)
    codec.clock_offset = -HOUR  # it has been up for an hour, and its clock is right
    driver.facts(endpoint, within=WITHIN)
    codec.forget_log()
    driver.facts(endpoint, within=WITHIN)
    assert len(codec.log) == 1
    codec.reboot()
    codec.forget_log()
    facts = driver.facts(endpoint, within=WITHIN)
    assert len(codec.log) > 1
    assert facts.uptime == timedelta(0)
    codec.faults.times, codec.faults.status = 1, 500
    with pytest.raises(Unreachable):
        driver.read(endpoint, within=WITHIN)
    codec.forget_log()
    driver.facts(endpoint, within=WITHIN)
    assert len(codec.log) > 1


def test_what_is_amiss_is_asked_for_at_each_look_until_it_is_mended(codec: Codec) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec)
    codec.clock_offset = HOUR
    first = driver.facts(endpoint, within=WITHIN).clock_offset
    assert first is not None
    assert first > HOUR / 2
    codec.clock_offset = timedelta(0)
    second = driver.facts(endpoint, within=WITHIN).clock_offset
    assert second is not None
    assert abs(second) < HOUR / 2
    codec.forget_log()
    driver.facts(endpoint, within=WITHIN)
    assert len(codec.log) == 1
