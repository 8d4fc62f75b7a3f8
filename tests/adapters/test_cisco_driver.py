"""The Cisco driver keeps the driver's contract against simulated endpoints of each software line, and says what is
wrong with those that misbehave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from otd.endpoints.cisco import CiscoDriver
from otd.errors import BadSetting, Denied, Unreachable, Untrusted
from otd.lab.codec import Codec
from otd.model import Endpoint
from otd.ports import EndpointDriver
from otd.relay.memory import Memory
from otd.relay.service import compare
from tests.contracts.driver import THREE, WITHIN, DriverContract
from tests.values import T0, an_endpoint

PASSWORD = "correct horse"


class NamedSecrets:
    def __init__(self, **values: str) -> None:
        self.values = values

    def get(self, name: str) -> str:
        if name not in self.values:
            raise BadSetting(f"secret {name}", "it was not found")
        return self.values[name]


def a_codec(profile: str) -> Codec:
    return Codec(profile=profile, users={"otd": PASSWORD}, speed=None)


def a_driver(**secrets: str) -> CiscoDriver:
    return CiscoDriver(
        secrets=NamedSecrets(**{"codec": f"otd:{PASSWORD}", **secrets}), pins=Memory(), spacing=timedelta(0)
    )


def endpoint_of(codec: Codec, **overrides: object) -> Endpoint:
    return an_endpoint(**{"kind": "cisco", "address": codec.address, "credential": "codec", **overrides})


@pytest.fixture
def codec() -> Iterator[Codec]:
    with a_codec("roomos11") as codec:
        yield codec


class TestCiscoDriver(DriverContract):
    @pytest.fixture(params=["tc7", "ce9.6", "ce9.15", "roomos10", "roomos11", "roomos26"])
    def reached(self, request: pytest.FixtureRequest) -> Iterator[tuple[EndpointDriver, Endpoint]]:
        with a_codec(request.param) as codec:
            yield a_driver(), endpoint_of(codec)


@pytest.mark.parametrize(("profile", "path"), [("ce9.6", "/bookingsputxml"), ("roomos11", "/putxml")])
def test_each_software_line_is_written_through_its_own_interface(profile: str, path: str) -> None:
    with a_codec(profile) as codec:
        a_driver().put(endpoint_of(codec), THREE[:2], within=WITHIN)
        (put,) = [entry for entry in codec.log if entry.method == "POST"]
        assert put.path == path
        assert [booking.id for booking in codec.bookings] == ["b1", "b2"]


def test_the_setting_decides_over_what_was_detected(codec: Codec) -> None:
    a_driver().put(endpoint_of(codec, interface="bookingsputxml"), THREE, within=WITHIN)
    assert [entry.path for entry in codec.log] == ["/bookingsputxml"]


def test_the_software_is_asked_for_once(codec: Codec) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec)
    for _ in range(3):
        driver.put(endpoint, THREE[:2], within=WITHIN)
    assert [entry.method for entry in codec.log].count("GET") == 1


def test_a_wrong_password_is_denied_and_tried_once_only(codec: Codec) -> None:
    with pytest.raises(Denied, match="refused the user name or password") as raised:
        a_driver(codec="otd:wrong").put(endpoint_of(codec), THREE, within=WITHIN)
    assert len(list(codec.log)) == 1
    assert "wrong" not in str(raised.value)


def test_a_credential_that_this_relay_does_not_have_is_a_setting(codec: Codec) -> None:
    with pytest.raises(BadSetting, match="secret other"):
        a_driver().put(endpoint_of(codec, credential="other"), THREE, within=WITHIN)


def test_an_endpoint_with_another_certificate_gets_nothing(codec: Codec) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec)
    driver.put(endpoint, THREE, within=WITHIN)
    requests = len(list(codec.log))
    codec.change_certificate()
    with pytest.raises(Untrusted, match="another certificate"):
        driver.put(endpoint, (), within=WITHIN)
    assert len(list(codec.log)) == requests


def test_a_fingerprint_in_the_settings_is_the_only_one_accepted(codec: Codec) -> None:
    a_driver().put(endpoint_of(codec, trust=codec.fingerprint), THREE, within=WITHIN)
    with pytest.raises(Untrusted):
        a_driver().put(endpoint_of(codec, trust="sha256:" + "0" * 64), THREE, within=WITHIN)


def test_without_a_ca_for_it_a_self_signed_certificate_is_not_trusted(codec: Codec) -> None:
    with pytest.raises(Untrusted):
        a_driver().put(endpoint_of(codec, trust="ca"), THREE, within=WITHIN)
    with pytest.raises(BadSetting, match="no CA file named house"):
        a_driver().put(endpoint_of(codec, trust="ca:house"), THREE, within=WITHIN)


def test_nobody_answering_is_unreachable() -> None:
    codec = a_codec("roomos11")
    codec.start()
    endpoint = endpoint_of(codec)
    codec.stop()
    with pytest.raises(Unreachable):
        a_driver().put(endpoint, THREE, within=WITHIN)


def test_requests_to_one_endpoint_are_kept_apart(codec: Codec) -> None:
    driver = CiscoDriver(
        secrets=NamedSecrets(codec=f"otd:{PASSWORD}"), pins=Memory(), spacing=timedelta(milliseconds=100)
    )
    began = time.monotonic()
    driver.put(endpoint_of(codec), THREE[:2], within=WITHIN)
    driver.read(endpoint_of(codec), within=WITHIN)
    assert len(codec.log) == 3
    assert time.monotonic() - began >= 0.2
    with pytest.raises(Unreachable):  # no time left to wait for its turn
        driver.read(endpoint_of(codec), within=timedelta(milliseconds=10))


def test_an_endpoint_that_does_not_know_the_command_is_written_the_old_way(codec: Codec) -> None:
    codec.faults.only = ("/putxml",)
    codec.faults.times = 1
    codec.faults.empty_command = True
    a_driver().put(endpoint_of(codec), THREE, within=WITHIN)
    assert [put.path for put in codec.puts if put.ids][-1] == "/bookingsputxml"


def test_a_meeting_without_number_that_is_refused_goes_the_old_way(codec: Codec) -> None:
    codec.habits.empty_number = False
    driver, endpoint = a_driver(), endpoint_of(codec)
    driver.put(endpoint, THREE, within=WITHIN)
    assert compare(driver.seen(endpoint, THREE), driver.read(endpoint, within=WITHIN), T0) == ()
    assert codec.ids == ("b1", "b2", "b3")


@pytest.mark.parametrize("fault", ["ignore_put", "lose_put"])
def test_an_endpoint_that_says_yes_and_does_nothing_is_found_out(codec: Codec, fault: str) -> None:
    driver, endpoint = a_driver(), endpoint_of(codec)
    setattr(codec.faults, fault, True)
    driver.put(endpoint, THREE, within=WITHIN)
    differences = compare(driver.seen(endpoint, THREE), driver.read(endpoint, within=WITHIN), T0)
    assert {difference.fields for difference in differences} == {("missing",)}
