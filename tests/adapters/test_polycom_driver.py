"""A relay looks at what a Polycom endpoint shows of the list that its face serves: from the delivery to the receipt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otd.bus.local import LocalBus
from otd.certificates import CertificateFiles
from otd.endpoints.polycom import PolycomDriver
from otd.errors import Unsupported
from otd.inbound import serve
from otd.lab.certificates import self_signed
from otd.lab.polycom import PolycomEndpoint, Registration
from otd.model import Booking, Delivery, DialString, Endpoint, Receipt
from otd.relay.face.app import Face
from otd.relay.face.credentials import new_password
from otd.relay.face.ids import item_id
from otd.relay.lists import Lists
from otd.relay.memory import Memory
from otd.relay.service import Relay
from otd.wiring import SystemClock
from tests.adapters.test_cisco_driver import NamedSecrets
from tests.values import a_delivery, an_endpoint

SOON = (datetime.now(UTC) + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
HOUR = timedelta(hours=1)
PASSWORD = new_password()


def a_meeting(number: int, **overrides: object) -> Booking:
    usual = Booking(
        id=f"b{number}",
        room="board",
        title=f"Meeting {number}",
        start=SOON + number * HOUR,
        end=SOON + number * HOUR + timedelta(minutes=30),
        organizer="Ann Example",
        dial=DialString(protocol="sip", uri=f"{number}@t.plcm.vc"),
    )
    return replace(usual, **overrides)  # type: ignore[arg-type]


BOOKINGS = (
    a_meeting(0),
    a_meeting(1, private=True, title="Private meeting"),
    a_meeting(2, dial=None),
    a_meeting(60),  # further ahead than is looked at
)


class Site:
    """A relay with its face, and an endpoint that polls it when it is told to."""

    def __init__(self, folder: Path, profile: str, trust: str) -> None:
        certificate = self_signed("otd-face")
        (folder / "face.pem").write_text(certificate.key + certificate.pem)
        self.lists = Lists(None, b"k" * 32)
        face = Face(self.lists, on_fetch=lambda fetch: None, clock=SystemClock())
        files = CertificateFiles(certificate=folder / "face.pem")
        self.server = serve(face, name="face", address="127.0.0.1", port=0, certificate=files)
        registration = Registration(
            urls=(f"https://127.0.0.1:{self.server.port}",), user="poly1", password=PASSWORD.clear, email="board"
        )
        self.unit = PolycomEndpoint(
            profile=profile, registration=registration, interval=timedelta(days=1), password="admin"
        )
        self.unit.start()
        self.bus = LocalBus()
        self.memory = Memory()
        self.secrets = NamedSecrets(poly="admin:admin")
        self.relay = Relay(
            name="relay1",
            pool="hq",
            bus=self.bus.relay("relay1", "hq"),
            drivers={"polycom": PolycomDriver(secrets=self.secrets, pins=self.memory, id_of=item_id)},
            memory=self.memory,
            clock=SystemClock(),
            lists=self.lists,
        )
        address = self.unit.address if trust == "pin" else f"127.0.0.1:{self.unit.command_port}"
        self.endpoint = an_endpoint(
            kind="polycom",
            name="poly1",
            model=profile,
            address=address,
            credential="poly",
            trust=trust,
            username="poly1",
            password_hash=PASSWORD.hashed,
            mailbox="board",
        )

    def order(self, verb: str, *bookings: Booking, sequence: int = 1) -> Receipt:
        now = datetime.now(UTC)
        order: Delivery = a_delivery(
            verb=verb,
            endpoint=self.endpoint,
            sequence=sequence,
            sent_at=now,
            act_by=now + timedelta(minutes=1),
            valid_until=now + 12 * HOUR,
            bookings=bookings,
        )
        return self.relay.carry_out(order)

    def close(self) -> None:
        self.unit.stop()
        self.server.stop()
        self.lists.close()
        self.bus.close()
        self.memory.close()


@pytest.fixture(
    params=[("gs", "pin"), ("videoos", "pin"), ("gs", "plaintext-http"), ("hdx", "plaintext-http")],
    ids=["gs by REST", "videoos by REST", "gs by its command line", "hdx by its command line"],
)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, *request.param)
    yield site
    site.close()


def test_what_it_shows_is_what_the_face_served(site: Site) -> None:
    assert site.order("put", *BOOKINGS).outcome == "placed"
    site.unit.poll()
    receipt = site.order("read", *BOOKINGS, sequence=2)
    assert (receipt.outcome, receipt.verb, receipt.detail) == ("confirmed", "read", "")


def test_what_it_does_not_show_yet_or_no_more_is_told_without_values(site: Site) -> None:
    site.order("put", *BOOKINGS)
    site.unit.poll()
    moved = a_meeting(0, start=SOON + 5 * HOUR, end=SOON + 6 * HOUR)
    receipt = site.order("read", moved, *BOOKINGS[2:], a_meeting(7), sequence=2)
    assert receipt.outcome == "differs"
    assert {difference.fields for difference in receipt.differences} == {("missing",), ("foreign",), ("start", "end")}
    assert "Meeting" not in repr(receipt)


def test_a_refused_password_says_so_and_the_list_stays_placed(site: Site) -> None:
    site.order("put", *BOOKINGS)
    site.secrets.values["poly"] = "admin:wrong"
    receipt = site.order("read", *BOOKINGS, sequence=2)
    assert (receipt.outcome, receipt.reason) == ("denied", "password")
    assert "wrong" not in repr(receipt)
    assert site.lists.get("poly1") is not None


def test_another_certificate_than_the_centre_knows_is_not_even_given_a_password(tmp_path: Path) -> None:
    site, old = Site(tmp_path, "gs", "pin"), self_signed("old").fingerprint
    site.endpoint = replace(site.endpoint, pin=old)
    site.secrets.values["poly"] = "admin:wrong"  # would be denied, were it said
    receipt = site.order("read", *BOOKINGS)
    assert (receipt.outcome, receipt.pin, receipt.shown) == ("untrusted", old, site.unit.fingerprint)
    site.close()


def test_an_endpoint_that_is_off_is_unreachable(site: Site) -> None:
    site.order("put", *BOOKINGS)
    site.unit.stop()
    assert site.order("read", *BOOKINGS, sequence=2).outcome == "unreachable"


def test_it_cannot_be_written_to(site: Site) -> None:
    driver = PolycomDriver(secrets=site.secrets, pins=site.memory, id_of=item_id)
    with pytest.raises(Unsupported, match="fetches its list"):
        driver.put(site.endpoint, BOOKINGS, within=timedelta(seconds=5))


def test_a_trio_does_not_tell(tmp_path: Path) -> None:
    driver = PolycomDriver(secrets=NamedSecrets(poly="admin:admin"), pins=Memory(), id_of=item_id)
    trio: Endpoint = an_endpoint(kind="polycom", model="trio", address="127.0.0.1:1", credential="poly")
    with pytest.raises(Unsupported, match="Trio does not tell"):
        driver.read(trio, within=timedelta(seconds=5))
