"""The face polled by simulated Polycom endpoints, which were written without knowledge of it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from otd.certificates import CertificateFiles
from otd.inbound import Server, serve
from otd.lab.certificates import Certificate, self_signed
from otd.lab.polycom import Habits, PolycomEndpoint, Registration
from otd.lab.polycom_profiles import PROFILES
from otd.model import DialString
from otd.relay.face.app import Face
from otd.relay.lists import Lists
from tests.adapters.face_client import KEY, PASSWORD, QUICK, THREE, a_list, a_polycom
from tests.values import HOUR, T0, FixedClock

SIP = "123456789.0123456@t.plcm.vc"


class Relay:
    """The face of one relay, over TLS."""

    def __init__(self, certificate: Certificate, folder: Path) -> None:
        path = folder / "face.pem"
        path.write_text(certificate.key + certificate.pem)
        self.clock, self.lists = FixedClock(), Lists(None, KEY)
        self.face = Face(self.lists, on_fetch=lambda fetch: None, clock=self.clock, settings=QUICK)
        files = CertificateFiles(certificate=path, minimum="1.0")
        self.server: Server = serve(self.face, name="face", address="127.0.0.1", port=0, certificate=files)


class Site:
    """Two relays of a pool, and an endpoint."""

    def __init__(self, folder: Path) -> None:
        self._open = ExitStack()
        self.certificate = self_signed("face")
        self.relays = [Relay(self.certificate, folder) for _ in range(2)]
        for relay in self.relays:
            self._open.callback(relay.server.stop)

    def deliver(self, **how: Any) -> None:
        for relay in self.relays:
            relay.lists.put(a_list(**how))

    def endpoint(self, profile: str, habits: Habits | None = None, **registration: Any) -> PolycomEndpoint:
        usual = Registration(
            urls=tuple(relay.server.url for relay in self.relays),
            user="poly1",
            password=PASSWORD,
            email="blue@example.com",
            domain="OTD",
            ca=self.certificate.pem,
        )
        clock = FixedClock(T0)
        endpoint = PolycomEndpoint(
            profile=profile,
            registration=replace(usual, **registration),
            habits=habits,
            interval=None,
            clock=clock,
        )
        return self._open.enter_context(endpoint)

    def close(self) -> None:
        self._open.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_model_shows_the_list_with_a_join_from_either_relay(site: Site, profile: str) -> None:
    site.deliver(endpoint=a_polycom(model=profile))
    endpoint = site.endpoint(profile)
    first = endpoint.poll()
    assert (first.outcome, first.found, first.fetched) == ("ok", 3, 3)
    assert [held.subject for held in endpoint.meetings] == ["Standup", "Private meeting", "Tea & <cake>"]
    assert [held.dials for held in endpoint.meetings] == [SIP, "7522222@video.example.com", ""]
    assert [(held.start, held.end) for held in endpoint.meetings] == [(b.start, b.end) for b in THREE]
    second = endpoint.poll()  # of the other relay
    assert (second.outcome, second.found, second.fetched) == ("ok", 3, 0), "ids and change keys are the same"
    assert endpoint.complaints == ()
    for relay in site.relays:
        assert relay.face.visits.polls["poly1"].answered


@pytest.mark.parametrize("profile", PROFILES)
def test_only_what_changed_is_fetched_again(site: Site, profile: str) -> None:
    site.deliver(endpoint=a_polycom(model=profile))
    endpoint = site.endpoint(profile)
    endpoint.poll()
    changed = (replace(THREE[0], title="Moved"), THREE[1])
    site.deliver(endpoint=a_polycom(model=profile), revision=11, bookings=changed)
    assert endpoint.poll().fetched == 1
    assert [held.subject for held in endpoint.meetings] == ["Moved", "Private meeting"]
    site.deliver(endpoint=a_polycom(model=profile), revision=12, bookings=())
    assert endpoint.poll().outcome == "ok"
    assert endpoint.meetings == ()
    assert endpoint.complaints == ()


@pytest.mark.parametrize(
    "habits",
    [
        Habits(http10=True),
        Habits(connections="request"),
        Habits(connections="kept"),
        Habits(expect_continue=True),
        Habits(chunked=True, byte_order_mark=True, content_type="", soap_action=False),
        Habits(slow_reader=timedelta(microseconds=100)),
        Habits(dates="bare", folder="name"),
        Habits(most_entries=2),
    ],
    ids=["http10", "each", "kept", "expect", "odd", "slow", "bare", "few"],
)
def test_whatever_its_habits_an_endpoint_gets_its_list(site: Site, habits: Habits) -> None:
    site.deliver()
    endpoint = site.endpoint("gs", habits)
    for _ in range(3):
        assert endpoint.poll().outcome == "ok"
    assert endpoint.meetings[0].dials == SIP
    assert endpoint.complaints == ()


@pytest.mark.parametrize(
    "registration",
    [
        {"auth": "ntlm-first"},
        {"auth": "challenge"},
        {"login": "at"},
        {"login": "bare"},
        {"autodiscover": True},
        {"version_header": "none"},
        {"version_header": "Exchange2007_SP1"},
        {"version_header": "Exchange2016"},
    ],
    ids=str,
)
def test_however_it_was_registered_an_endpoint_gets_its_list(site: Site, registration: dict[str, Any]) -> None:
    site.deliver()
    for profile in ("hdx", "videoos"):
        endpoint = site.endpoint(profile, **registration)
        assert endpoint.poll().outcome == "ok"
        assert endpoint.meetings[0].dials == SIP
        assert endpoint.complaints == ()


def test_an_endpoint_of_old_tls_is_served_where_that_is_set(site: Site) -> None:
    site.deliver()
    endpoint = site.endpoint("hdx", Habits(tls_versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)))
    assert endpoint.poll().outcome == "ok"


def test_number_and_domain_apart_are_put_together_by_the_endpoint(site: Site) -> None:
    site.deliver(endpoint=a_polycom(model="hdx", strategy=("token-split",)))
    endpoint = site.endpoint("hdx")
    endpoint.poll()
    assert [n.address for n in endpoint.meetings[1].numbers] == ["7522222", "7522222@video.example.com"]


def test_an_h323_address_reaches_an_hdx(site: Site) -> None:
    alias = replace(THREE[0], dial=DialString(protocol="h323", uri="7522222"))
    site.deliver(endpoint=a_polycom(model="hdx"), bookings=(alias,))
    endpoint = site.endpoint("hdx")
    endpoint.poll()
    assert endpoint.meetings[0].dials == "7522222"


def test_a_body_in_html_is_read_as_well(site: Site) -> None:
    site.deliver(endpoint=a_polycom(strategy=("token", "sip", "html")))
    for profile in ("gs", "videoos", "hdx"):
        endpoint = site.endpoint(profile)
        endpoint.poll()
        assert endpoint.meetings[0].dials == SIP


def test_a_wrong_password_another_room_and_a_list_that_ran_out_leave_the_screen_as_it_is(site: Site) -> None:
    site.deliver()
    endpoint = site.endpoint("gs")
    endpoint.poll()
    for relay in site.relays:
        relay.clock.time = T0 + 12 * HOUR
    assert endpoint.poll().outcome != "ok"
    assert len(endpoint.meetings) == 3
    assert not endpoint.established
    wrong = site.endpoint("gs", password="wrong")
    assert wrong.poll().outcome != "ok"
    assert wrong.status == "ERR_AUTHENTICATION"
    foreign = site.endpoint("gs", email="red@example.com")
    assert foreign.poll().outcome != "ok"
    assert wrong.meetings == foreign.meetings == ()
