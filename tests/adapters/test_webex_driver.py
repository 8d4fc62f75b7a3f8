"""The driver for endpoints on Webex keeps the driver's contract against a simulated cloud, and signs in as apps do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from otd.endpoints.webex import WebexDriver
from otd.errors import BadSetting, Busy, Denied, Garbled, Missing, OtdError, Unreachable, Unsupported, Untrusted
from otd.lab.codec import Codec
from otd.lab.codec_profiles import PROFILES
from otd.lab.webex import Webex
from otd.model import Endpoint
from otd.ports import EndpointDriver
from otd.relay.service import compare
from tests.adapters.test_cisco_driver import NamedSecrets
from tests.contracts.driver import THREE, WITHIN, DriverContract
from tests.values import T0, an_endpoint

DEVICE = "Y2lzY29zcGFyazovL3VzL0RFVklDRS8x"
BOT = "a-bots-token"


@pytest.fixture
def cloud() -> Iterator[Webex]:
    with Webex() as cloud:
        cloud.register(DEVICE, Codec(profile="roomos11"))
        cloud.bot(BOT)
        yield cloud


@pytest.fixture
def endpoint(cloud: Webex) -> Endpoint:
    return an_endpoint(kind="webex", address=cloud.address, device=DEVICE, credential="webex", trust="ca:lab")


def a_driver(cloud: Webex, folder: Path, secret: str = BOT, **more: str) -> WebexDriver:
    path = folder / "lab.pem"
    path.write_text(cloud.certificate)
    return WebexDriver(secrets=NamedSecrets(webex=secret, **more), ca_files={"lab": str(path)})


@pytest.fixture
def driver(cloud: Webex, tmp_path: Path) -> Iterator[WebexDriver]:
    driver = a_driver(cloud, tmp_path)
    yield driver
    driver.close()


class TestWebexDriver(DriverContract):
    @pytest.fixture(params=["roomos10", "roomos11", "roomos26"])
    def reached(
        self, request: pytest.FixtureRequest, cloud: Webex, driver: WebexDriver, endpoint: Endpoint
    ) -> tuple[EndpointDriver, Endpoint]:
        cloud.register(DEVICE, Codec(profile=request.param))
        return driver, endpoint


def test_it_says_what_the_endpoint_is(driver: WebexDriver, endpoint: Endpoint) -> None:
    facts = driver.facts(endpoint, within=WITHIN)
    assert facts.software == PROFILES["roomos11"].version
    assert facts.product == PROFILES["roomos11"].product
    assert facts.uptime is not None
    assert facts.clock_offset is not None
    assert abs(facts.clock_offset) < timedelta(seconds=30)


# --- tokens -------------------------------------------------------------------------------------------------------


def an_app(cloud: Webex) -> str:
    return f"client:a secret:{cloud.app('client', 'a secret')}"


def test_an_apps_token_is_fetched_once_and_kept(cloud: Webex, endpoint: Endpoint, tmp_path: Path) -> None:
    driver = a_driver(cloud, tmp_path, an_app(cloud))
    for _ in range(3):
        driver.put(endpoint, THREE, within=WITHIN)
    assert cloud.requests.count("POST /v1/access_token") == 1
    driver.close()


def test_a_token_that_ran_out_is_renewed_before_it_is_refused(cloud: Webex, endpoint: Endpoint, tmp_path: Path) -> None:
    cloud.token_life = timedelta(seconds=0)
    driver = a_driver(cloud, tmp_path, an_app(cloud))
    with pytest.raises(Denied):  # a token without a life is refused
        driver.put(endpoint, THREE, within=WITHIN)
    cloud.token_life = timedelta(days=14)
    driver.put(endpoint, THREE, within=WITHIN)
    driver.close()


@pytest.mark.parametrize("rotates", [False, True])
def test_a_token_that_was_revoked_is_renewed_once_with_the_newest_refresh_token(
    cloud: Webex, endpoint: Endpoint, tmp_path: Path, rotates: bool
) -> None:
    cloud.rotates = rotates
    driver = a_driver(cloud, tmp_path, an_app(cloud))
    for _ in range(3):
        cloud.revoke_tokens()
        driver.put(endpoint, THREE[:1], within=WITHIN)
    assert cloud.requests.count("POST /v1/access_token") == 3
    driver.close()


def test_a_token_that_is_refused_is_denied_after_one_try(cloud: Webex, endpoint: Endpoint, tmp_path: Path) -> None:
    driver = a_driver(cloud, tmp_path, "another token")
    with pytest.raises(Denied, match="refused the token") as refused:
        driver.put(endpoint, THREE, within=WITHIN)
    assert refused.value.reason == "password"
    assert "another token" not in str(refused.value)
    assert len(cloud.requests) == 1
    driver.close()


@pytest.mark.parametrize("wrong", ["client:not it:REFRESH", "client:a secret:not it", "nobody:a secret:REFRESH"])
def test_an_app_that_is_refused_is_denied(cloud: Webex, endpoint: Endpoint, tmp_path: Path, wrong: str) -> None:
    refresh = cloud.app("client", "a secret")
    driver = a_driver(cloud, tmp_path, wrong.replace("REFRESH", refresh))
    with pytest.raises(Denied) as refused:
        driver.put(endpoint, THREE, within=WITHIN)
    assert refresh not in str(refused.value)
    assert len(cloud.requests) == 1
    driver.close()


def test_where_a_token_is_refused_the_one_that_follows_it_is_tried_once(
    cloud: Webex, endpoint: Endpoint, tmp_path: Path
) -> None:
    driver = a_driver(cloud, tmp_path, "the old token", **{"webex-next": BOT})
    driver.put(endpoint, THREE, within=WITHIN)
    assert len(cloud.requests) == 2
    driver.close()


def test_an_app_without_the_scope_is_told_from_a_refused_token(
    cloud: Webex, endpoint: Endpoint, tmp_path: Path
) -> None:
    refresh = cloud.app("client", "a secret", frozenset({"spark:xapi_statuses"}))
    driver = a_driver(cloud, tmp_path, f"client:a secret:{refresh}")
    with pytest.raises(Denied, match="may not reach this device") as refused:
        driver.put(endpoint, THREE, within=WITHIN)
    assert refused.value.reason == "role"
    assert "spark:xapi_commands" in refused.value.mend
    driver.close()


def test_a_secret_of_another_form_is_a_setting(cloud: Webex, endpoint: Endpoint, tmp_path: Path) -> None:
    driver = a_driver(cloud, tmp_path, "client:secret")
    with pytest.raises(BadSetting, match="neither a bot's token nor"):
        driver.put(endpoint, THREE, within=WITHIN)
    assert cloud.requests == []
    driver.close()


# --- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, Busy), (423, Busy), (500, Unreachable), (502, Unreachable), (302, Garbled), (404, Missing), (200, Garbled)],
)
def test_every_refusal_is_named_rightly_and_over_when_it_is_over(
    cloud: Webex, driver: WebexDriver, endpoint: Endpoint, status: int, kind: type[OtdError]
) -> None:
    cloud.status = status
    with pytest.raises(kind):
        driver.read(endpoint, within=WITHIN)
    cloud.status = 0
    driver.put(endpoint, THREE, within=WITHIN)
    assert compare(driver.seen(endpoint, THREE), driver.read(endpoint, within=WITHIN), T0) == ()


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("", 30), ("soon", 30), ("999999", 900)])
def test_the_cloud_is_left_alone_for_as_long_as_it_asks(
    cloud: Webex, driver: WebexDriver, endpoint: Endpoint, said: str, seconds: int
) -> None:
    cloud.status, cloud.headers = 429, {"Retry-After": said} if said else {}
    with pytest.raises(Busy) as busy:
        driver.put(endpoint, THREE, within=WITHIN)
    assert busy.value.retry_after == timedelta(seconds=seconds)


def test_a_device_that_the_cloud_cannot_reach_is_tried_again(
    cloud: Webex, driver: WebexDriver, endpoint: Endpoint
) -> None:
    cloud.offline.add(DEVICE)
    with pytest.raises(Unreachable, match="cannot reach the device"):
        driver.put(endpoint, THREE, within=WITHIN)
    cloud.offline.clear()
    driver.put(endpoint, THREE, within=WITHIN)


def test_a_device_that_nobody_knows_is_missing(driver: WebexDriver, endpoint: Endpoint) -> None:
    with pytest.raises(Missing, match="does not know this device"):
        driver.put(replace(endpoint, device="another"), THREE, within=WITHIN)


def test_a_teams_room_and_old_software_take_no_bookings(cloud: Webex, driver: WebexDriver, endpoint: Endpoint) -> None:
    cloud.register(DEVICE, Codec(profile="roomos26")).state.teams = True
    with pytest.raises(Unsupported, match="Teams Room") as refused:
        driver.put(endpoint, THREE, within=WITHIN)
    assert refused.value.reason == "teams"
    cloud.register(DEVICE, Codec(profile="ce9.6"))
    with pytest.raises(Unsupported, match="does not know Bookings"):
        driver.put(endpoint, THREE, within=WITHIN)


def test_a_cloud_that_no_ca_vouches_for_gets_nothing(cloud: Webex, driver: WebexDriver, endpoint: Endpoint) -> None:
    with pytest.raises(Untrusted):
        driver.put(replace(endpoint, trust="ca"), THREE, within=WITHIN)
    with pytest.raises(BadSetting, match="nothing by which a cloud can be known"):
        driver.put(replace(endpoint, trust="pin"), THREE, within=WITHIN)
    assert cloud.requests == []
