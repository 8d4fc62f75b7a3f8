"""exchangelib, as a client that is independent of the face, reads a calendar from it over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from exchangelib import BASIC, DELEGATE, UTC, Account, Configuration, Credentials, EWSDateTime
from exchangelib.autodiscover import AutodiscoverProtocol, autodiscover_cache
from exchangelib.errors import (
    ErrorAccessDenied,
    ErrorItemNotFound,
    ErrorServerBusy,
    UnauthorizedError,
)
from exchangelib.items import CalendarItem
from exchangelib.protocol import CachingProtocol
from exchangelib.version import Version

from otd.inbound import Server, serve
from otd.relay.face.app import Face
from otd.relay.lists import Lists
from tests.adapters.face_client import KEY, PASSWORD, QUICK, a_list
from tests.values import HOUR, T0, FixedClock

WINDOW = {"start": EWSDateTime(2026, 1, 5, tzinfo=UTC), "end": EWSDateTime(2026, 1, 12, tzinfo=UTC)}


class Site:
    """A face with a server of its own on loopback."""

    def __init__(self) -> None:
        self.lists, self.clock = Lists(None, KEY), FixedClock()
        self.lists.put(a_list())
        self.face = Face(self.lists, on_fetch=lambda fetch: None, clock=self.clock, settings=QUICK)
        self.server: Server = serve(self.face, name="face", address="127.0.0.1", port=0, certificate=None)

    @property
    def url(self) -> str:
        return f"{self.server.url}/EWS/Exchange.asmx"

    def account(self, version: Version | None = None, password: str = PASSWORD, mailbox: str = "") -> Account:
        config = Configuration(
            service_endpoint=self.url,
            credentials=Credentials("OTD\\poly1", password),
            auth_type=BASIC if version else None,
            version=version,
        )
        return Account(mailbox or "blue@example.com", config=config, access_type=DELEGATE)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    for protocol, _ in tuple(CachingProtocol._protocol_cache.values()):
        protocol.close()
    CachingProtocol.clear_cache()
    autodiscover_cache.clear()
    site.server.stop()


def seen(account: Account) -> list[tuple[str, EWSDateTime, EWSDateTime, str]]:
    return [(item.subject, item.start, item.end, item.location) for item in account.calendar.view(**WINDOW)]


EXPECTED = [
    ("Standup", T0 + HOUR, T0 + 2 * HOUR, "Blue Room"),
    ("Private meeting", T0 + 3 * HOUR, T0 + 4.5 * HOUR, "Blue Room"),
    ("Tea & <cake>", T0 + 30 * HOUR, T0 + 31 * HOUR, "Blue Room"),
]


def test_it_finds_out_by_itself_how_to_log_in_and_which_version_to_speak(site: Site) -> None:
    assert seen(site.account()) == EXPECTED


@pytest.mark.parametrize("version", Version.all_versions(), ids=lambda version: version.fullname.replace(" ", "-"))
def test_it_reads_the_calendar_in_every_version_of_the_schema(site: Site, version: Version) -> None:
    account = site.account(version)
    assert seen(account) == EXPECTED
    assert {s.version for s in site.face.sightings.all()} == {version.api_version}
    first, *_ = account.calendar.view(**WINDOW)
    assert first.body.splitlines()[1] == "Join: sip:123456789.0123456@t.plcm.vc"
    assert (first.organizer.name, first.uid, first.duration) == ("Ann Example", "b1", "PT1H")
    assert (first.is_meeting, first.is_cancelled, first.my_response_type) == (True, False, "Accept")


def test_it_is_set_up_by_autodiscover(site: Site) -> None:
    credentials = Credentials("poly1@OTD", PASSWORD)
    known = AutodiscoverProtocol(
        config=Configuration(
            service_endpoint=f"{site.server.url}/autodiscover/autodiscover.svc", credentials=credentials
        )
    )
    settings = known.get_user_settings(user="blue@example.com")
    assert settings.autodiscover_smtp_address == "blue@example.com"
    assert settings.ews_url == site.url.replace("http:", "https:")
    known.close()
    account = site.account(settings.version)
    assert seen(account) == EXPECTED


def test_it_synchronises_and_gets_single_items(site: Site) -> None:
    account = site.account()
    changes = list(account.calendar.sync_items())
    assert [(kind, item.subject) for kind, item in changes] == [("create", subject) for subject, *_ in EXPECTED]
    state = account.calendar.item_sync_state
    site.lists.put(a_list(revision=11, bookings=()))
    assert [kind for kind, _ in account.calendar.sync_items(sync_state=state)] == ["delete"] * 3
    (gone,) = account.fetch(ids=[changes[0][1]])
    assert isinstance(gone, ErrorItemNotFound)


def test_it_asks_when_the_room_is_busy(site: Site) -> None:
    account = site.account()
    info = account.protocol.get_free_busy_info(accounts=[(account, "Organizer", False)], **WINDOW)
    events = next(iter(info)).calendar_events
    assert [(event.start, event.end, event.busy_type) for event in events] == [
        (start, end, "Busy") for _, start, end, _ in EXPECTED
    ]


def test_it_filters_and_orders_where_the_server_does_that(site: Site) -> None:
    account = site.account()
    later = account.calendar.filter(start__gt=EWSDateTime(2026, 1, 5, 11, tzinfo=UTC)).order_by("-start")
    assert [item.subject for item in later.only("subject", "start")] == ["Tea & <cake>", "Private meeting"]


def test_it_can_write_nothing(site: Site) -> None:
    account = site.account()
    start = WINDOW["start"]
    with pytest.raises(ErrorAccessDenied):
        CalendarItem(
            account=account, folder=account.calendar, subject="x", start=start, end=start + timedelta(hours=1)
        ).save()
    with pytest.raises(ErrorAccessDenied):
        next(iter(account.calendar.view(**WINDOW))).delete()


def test_it_is_told_of_wrong_passwords_of_other_mailboxes_and_of_lists_that_ran_out(site: Site) -> None:
    version = Version.all_versions()[0]
    with pytest.raises(UnauthorizedError):
        seen(site.account(version, password="wrong"))
    with pytest.raises(ErrorAccessDenied):
        seen(site.account(version, mailbox="red@example.com"))
    site.clock.time = T0 + 12 * HOUR
    with pytest.raises(ErrorServerBusy, match="ErrorInternalServerTransientError"):
        seen(site.account(version))
