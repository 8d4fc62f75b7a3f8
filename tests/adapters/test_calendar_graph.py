"""Exchange Online through Microsoft Graph, against the lab's Graph over TLS."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from otd.calendars.access import CLOUDS, GraphAccess
from otd.calendars.graph import PAGES, SELECT, GraphCalendar
from otd.errors import (
    BadSetting,
    Busy,
    Denied,
    Garbled,
    Missing,
    OtdError,
    Truncated,
    Unreachable,
    Unsupported,
    Untrusted,
)
from otd.formats.hidden import HIDDEN
from otd.lab import faults
from otd.lab.entra import Tenant
from otd.lab.faults import Fault
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailboxes
from otd.lab.server import Server
from otd.model import Complete, Empty, Failed, Window
from tests.adapters.graph_lab import APP, SECRET, Lab, calendar, lab
from tests.adapters.mailboxes import SecretsOf, as_meeting
from tests.adapters.reading import ROOM, error, many, meetings, read
from tests.adapters.recorder import Asked, Instead, Recorder
from tests.contracts.calendar import DAY, HOUR, T0, CalendarContract, FixedClock, Planned, a_room, planned

__all__ = ["calendar", "lab"]


class TestGraphCalendar(CalendarContract):
    @pytest.fixture(autouse=True)
    def _lab(self, lab: Lab) -> None:
        self.lab = lab

    def make(self) -> GraphCalendar:
        return self.lab.calendar()

    def lay(self, mailbox: str, *meetings: Planned) -> None:
        self.lab.lay(*meetings, mailbox=mailbox)

    def break_down(self, mailbox: str) -> None:
        self.lab.fault(faults.status(500), mailbox=mailbox)


# --- what is asked ------------------------------------------------------------------------------------------------


def views(recorder: Recorder) -> list[Asked]:
    return [asked for asked in recorder.asked if "calendarView" in asked.url]


def answering(body: Any, status: int = 200, **headers: str) -> Callable[[Asked], Instead | None]:
    """This in place of every calendarView."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    instead = Instead(raw, status, tuple((name.replace("_", "-"), value) for name, value in headers.items()))
    return lambda asked: instead if "calendarView" in asked.url else None


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[tuple[Recorder, Lab]]:
    graph = Graph(Mailboxes())
    graph.tenant.register(APP, secret=SECRET)
    recorder = Recorder(graph)
    with Server(recorder, tls=True) as server:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_text(server.certificate)
        yield recorder, Lab(graph, server, str(ca_file))


def test_one_request_asks_for_the_window_in_utc_with_html_bodies_immutable_ids_and_hidden_properties(
    recorder: tuple[Recorder, Lab],
) -> None:
    before, lab = recorder
    lab.lay(planned())
    calendar = lab.calendar()
    meetings(calendar, Window(start=T0, end=T0 + HOUR + timedelta(microseconds=1)))
    calendar.close()
    (asked,) = views(before)
    path, _, query = unquote(asked.url).partition("?")
    assert path == "/v1.0/users/room1@example.com/calendarView"
    assert "startDateTime=2026-11-24T09:00:00Z&endDateTime=2026-11-24T10:00:01Z&$top=100" in query
    assert "$orderby=start/dateTime" in query
    assert "uid" not in SELECT.split(",")
    assert all(f"Name {name}'" in query for name in HIDDEN)
    assert asked.headers["prefer"] == 'outlook.timezone="UTC", outlook.body-content-type="html", IdType="ImmutableId"'
    assert asked.headers["authorization"].startswith("Bearer ")
    assert asked.headers["client-request-id"]


def test_nothing_is_asked_before_the_first_read(recorder: tuple[Recorder, Lab]) -> None:
    before, lab = recorder
    lab.calendar().close()
    assert before.asked == []


def test_hidden_properties_and_the_online_meeting_arrive(lab: Lab, calendar: GraphCalendar) -> None:
    lab.lay()
    stated = (
        ("SkypeTeamsMeetingUrl", "https://teams.example.com/l/meetup-join/1"),
        ("OnlineMeetingConfLink", "conf:sip:ann@example.com;gruu;opaque=app:conf:focus:id:ABC"),
        ("onlineMeeting.joinUrl", "https://teams.example.com/l/meetup-join/1"),
    )
    lab.graph.mailboxes[ROOM.mailbox].add(replace(as_meeting(planned()), properties=stated))
    (meeting,) = meetings(calendar)
    assert [meeting.prop(name) for name, _ in stated] == [value for _, value in stated]
    assert meeting.prop("onlineMeeting.provider") == "teamsForBusiness"


def test_drafts_are_left_out(lab: Lab, calendar: GraphCalendar) -> None:
    lab.lay()
    lab.graph.mailboxes[ROOM.mailbox].add(as_meeting(planned()), draft=True)
    assert isinstance(read(calendar), Empty)


# --- pages --------------------------------------------------------------------------------------------------------


def test_all_pages_are_read(lab: Lab) -> None:
    lab.lay(*many(23))
    calendar = lab.calendar(page_size=10)
    assert {m.subject for m in meetings(calendar)} == {f"No {n}" for n in range(23)}
    assert lab.graph.requests.count(operation="calendarView") == 5  # each but the last twice
    calendar.close()


def test_a_meeting_that_comes_on_two_pages_counts_once(lab: Lab) -> None:
    lab.lay(*many(23))
    lab.fault(faults.doubled())
    calendar = lab.calendar(page_size=10)
    assert sorted(m.subject for m in meetings(calendar)) == sorted(f"No {n}" for n in range(23))
    calendar.close()


def test_pages_that_lead_in_a_circle_are_not_a_complete_read(lab: Lab) -> None:
    lab.lay(*many(15))
    lab.fault(faults.repeat())
    calendar = lab.calendar(page_size=10)
    assert isinstance(error(calendar), Truncated)
    assert lab.graph.requests.count(operation="calendarView") <= 3
    calendar.close()


def test_pages_that_never_end_are_given_up(recorder: tuple[Recorder, Lab]) -> None:
    before, lab = recorder
    lab.lay()
    pages = iter(range(10_000))

    def endless(asked: Asked) -> Instead | None:
        if "calendarView" not in asked.url:
            return None
        link = f"{lab.server.url}/v1.0/users/x/calendarView?$skip={next(pages)}"
        return Instead(json.dumps({"value": [], "@odata.nextLink": link}).encode())

    before.instead = endless
    calendar = lab.calendar()
    assert isinstance(error(calendar), Truncated)
    assert len(views(before)) == PAGES
    calendar.close()


def test_the_token_is_not_carried_to_another_host(lab: Lab) -> None:
    lab.lay(*many(15))
    other = Recorder(lab.graph)
    with Server(other, tls=True) as elsewhere:
        lab.fault(faults.elsewhere(elsewhere.url))
        calendar = lab.calendar(page_size=10)
        assert isinstance(error(calendar), Garbled)
        calendar.close()
    assert other.asked == []


@pytest.mark.parametrize(
    "trick", ["{root}.evil.example/v1.0/x", "{root}@evil.example/v1.0/x", "//evil.example/x", "/x"]
)
def test_an_address_that_only_looks_like_graphs_is_not_followed(recorder: tuple[Recorder, Lab], trick: str) -> None:
    before, lab = recorder
    lab.lay()
    link = trick.format(root=lab.server.url)
    before.instead = answering({"value": [], "@odata.nextLink": link})
    calendar = lab.calendar()
    assert isinstance(error(calendar), Garbled)
    calendar.close()


def test_an_event_that_changed_between_two_pages_makes_the_read_incomplete(recorder: tuple[Recorder, Lab]) -> None:
    before, lab = recorder
    lab.lay()
    event = {"id": "A", "start": {"dateTime": "2026-11-24T09:00:00", "timeZone": "UTC"}, "changeKey": "1"}
    event["end"] = event["start"]
    second = f"{lab.server.url}/v1.0/second/calendarView"

    def changing(asked: Asked) -> Instead | None:
        if "second" in asked.url:
            return Instead(json.dumps({"value": [event | {"changeKey": "2"}]}).encode())
        return answering({"value": [event], "@odata.nextLink": second})(asked)

    before.instead = changing
    calendar = lab.calendar()
    assert isinstance(error(calendar), Truncated)
    calendar.close()


def test_ids_that_differ_only_in_capitals_are_two_meetings(recorder: tuple[Recorder, Lab]) -> None:
    before, lab = recorder
    at = {"dateTime": "2026-11-24T09:00:00.0000000", "timeZone": "UTC"}
    page = {"value": [{"id": name, "start": at, "end": at, "iCalUId": name} for name in ("AAMkA=", "AAMka=")]}
    before.instead = answering(page)
    calendar = lab.calendar()
    assert {m.id for m in meetings(calendar)} == {"AAMkA=", "AAMka="}
    calendar.close()


# --- failing is not nothing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (faults.status(403), Denied, "RBAC"),
        (faults.status(404), Missing, "primary SMTP address"),
        (faults.status(410), Truncated, ""),
        (faults.status(429), Busy, ""),
        (faults.status(500), Unreachable, ""),
        (faults.status(503), Unreachable, ""),
        (faults.status(504, retry_after=5), Busy, ""),
        (faults.status(400), Unsupported, "cloud"),
        (faults.html(), Garbled, "proxy"),
        (faults.login(), Garbled, "proxy"),
        (faults.halved(), Truncated, ""),
        (faults.cut(), Garbled, ""),
    ],
)
def test_a_fault_is_a_failed_read_that_says_what_to_do(
    lab: Lab, calendar: GraphCalendar, fault: Fault, kind: type[OtdError], said: str
) -> None:
    lab.lay(planned(subject="Very private"))
    lab.fault(fault)
    failed = error(calendar)
    assert type(failed) is kind
    assert said in failed.mend
    assert "Very private" not in str(failed)
    assert failed.where == "contract: room1@example.com"


@pytest.mark.parametrize("fault", [faults.silent(), faults.drip(0.01), faults.slow(30)])
def test_the_time_for_a_read_holds_for_the_whole_of_it(lab: Lab, calendar: GraphCalendar, fault: Fault) -> None:
    lab.lay(planned())
    assert isinstance(read(calendar), Complete)  # so that the token is there
    lab.fault(fault)
    began = time.monotonic()
    assert isinstance(error(calendar, seconds=0.4), Unreachable)
    assert time.monotonic() - began < 1.5


def test_time_runs_out_over_many_pages_too(lab: Lab) -> None:
    lab.lay(*many(40))
    calendar = lab.calendar(page_size=1)
    assert isinstance(read(calendar), Complete)
    lab.graph.latency = 0.05
    began = time.monotonic()
    assert isinstance(error(calendar, seconds=0.5), Unreachable)
    assert time.monotonic() - began < 1.5
    calendar.close()


def test_a_server_that_is_gone_is_unreachable(lab: Lab, calendar: GraphCalendar) -> None:
    lab.lay(planned())
    assert isinstance(read(calendar), Complete)
    lab.server.stop()
    assert isinstance(error(calendar), Unreachable)


def test_a_mailbox_on_premises_is_said_to_be_there(lab: Lab, calendar: GraphCalendar) -> None:
    lab.graph.mailboxes.add(ROOM.mailbox, here=False)
    failed = error(calendar)
    assert isinstance(failed, Missing)
    assert "MailboxNotEnabledForRESTAPI" in failed.why
    assert "ews" in failed.mend


def test_the_error_carries_the_request_id_that_microsoft_asks_for(lab: Lab, calendar: GraphCalendar) -> None:
    lab.lay()
    lab.fault(faults.status(500))
    assert re.search(r"\(request-id [0-9a-f-]{36}\)", error(calendar).why)


def test_graph_says_how_long_to_wait_in_seconds(lab: Lab, calendar: GraphCalendar) -> None:
    lab.lay()
    lab.fault(faults.status(429, retry_after=37))
    failed = error(calendar)
    assert isinstance(failed, Busy)
    assert failed.retry_after == timedelta(seconds=37)


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        ("Tue, 24 Nov 2026 09:02:00 GMT", timedelta(minutes=2)),
        ("Tue, 24 Nov 2026 08:00:00 GMT", timedelta(seconds=15)),  # it is over: as if nothing was said
        ("999999999999999999", timedelta(hours=1)),
        ("soon", timedelta(seconds=15)),
    ],
)
def test_graph_says_how_long_to_wait_in_other_ways(
    recorder: tuple[Recorder, Lab], stated: str, meant: timedelta
) -> None:
    before, lab = recorder
    before.instead = answering(b"", 429, Retry_After=stated)
    calendar = lab.calendar()
    failed = error(calendar)
    assert isinstance(failed, Busy)
    assert failed.retry_after == meant
    calendar.close()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"null", Garbled),
        (b"{}", Garbled),
        (b'{"value": {}}', Garbled),
        (b'{"value": [1]}', Garbled),
        (b'{"value": [{"id": 7}]}', Garbled),
        (b'{"value": [{"id": "A", "subject": "Very private"}]}', Garbled),
        (b'{"value": [], "@odata.nextLink": 5}', Garbled),
        (b"[" * 200_000, Garbled),
        (b'{"value":' + b"[" * 200_000, Truncated),
        (b'{"value": [', Truncated),
        (b"\xff\xfe\x00", Garbled),
        (b"", Garbled),
    ],
)
def test_an_answer_that_is_no_list_of_events_is_a_failed_read(
    recorder: tuple[Recorder, Lab], body: bytes, kind: type[OtdError]
) -> None:
    before, lab = recorder
    before.instead = answering(body)
    calendar = lab.calendar()
    failed = error(calendar)
    assert type(failed) is kind
    assert "private" not in str(failed)
    calendar.close()


def test_an_answer_that_names_another_mailbox_is_a_failed_read(recorder: tuple[Recorder, Lab]) -> None:
    before, lab = recorder
    context = f"{lab.server.url}/v1.0/$metadata#users('room2%40example.com')/calendarView"
    before.instead = answering({"@odata.context": context, "value": []})
    calendar = lab.calendar()
    failed = error(calendar)
    assert isinstance(failed, Garbled)
    assert "another mailbox" in failed.why
    calendar.close()


def test_a_room_that_is_answered_with_another_rooms_meetings_is_found_out(lab: Lab, calendar: GraphCalendar) -> None:
    lab.lay(planned(), mailbox="room2@example.com")
    lab.lay(planned())
    assert isinstance(read(calendar, a_room("room2@example.com")), Complete)
    lab.fault(faults.swapped("room2@example.com"), mailbox=ROOM.mailbox)
    failed = error(calendar)
    assert isinstance(failed, Garbled)
    assert "room2@example.com" in failed.why
    lab.graph.faults.clear()
    assert isinstance(read(calendar), Complete)


def test_a_time_zone_that_nobody_knows_is_a_wrong_setting(lab: Lab, calendar: GraphCalendar) -> None:
    lab.lay(planned())
    reading = read(calendar, replace(ROOM, timezone="Europe/Nowhere"))
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, BadSetting)


# --- the way in ---------------------------------------------------------------------------------------------------


def test_one_token_serves_all_reads(lab: Lab, calendar: GraphCalendar) -> None:
    lab.lay(planned())
    for _ in range(3):
        read(calendar)
    assert lab.graph.requests.count(operation="token") == 1


def test_a_token_that_was_revoked_is_replaced_once(lab: Lab, calendar: GraphCalendar) -> None:
    lab.lay(planned())
    read(calendar)
    lab.graph.tenant.revoke_tokens()
    assert isinstance(read(calendar), Complete)
    assert lab.graph.requests.count(operation="token") == 2


def test_a_fresh_token_that_is_refused_is_a_matter_for_a_person(lab: Lab, calendar: GraphCalendar) -> None:
    lab.lay(planned())
    lab.fault(faults.status(401))
    assert isinstance(error(calendar), Denied)
    assert lab.graph.requests.count(operation="token") == 2


def test_a_token_is_renewed_before_graph_refuses_it(lab: Lab) -> None:
    brief = timedelta(milliseconds=900)  # stated as no second at all, and good for as long as the tenant's clock stands
    lab.graph.tenant = Tenant(clock=lambda: T0, token_life=brief)
    lab.graph.tenant.register(APP, secret=SECRET)
    lab.lay(planned())
    calendar = lab.calendar()
    read(calendar)
    assert isinstance(read(calendar), Complete)
    assert lab.graph.requests.count(operation="token") == 2
    assert lab.graph.requests.count(operation="calendarView") == 2
    calendar.close()


def test_a_wrong_secret_is_said_to_be_wrong_and_is_not_quoted(lab: Lab) -> None:
    lab.lay(planned())
    calendar = lab.calendar(secrets={"graph-secret": "tippfehler"})
    failed = error(calendar)
    assert isinstance(failed, Denied)
    assert "AADSTS7000215" in failed.why
    assert "value, not its id" in failed.mend
    assert "tippfehler" not in str(failed)
    calendar.close()


def test_a_secret_that_was_corrected_is_used_at_the_next_read(lab: Lab) -> None:
    lab.lay(planned())
    values = {"graph-secret": "tippfehler"}
    calendar = GraphCalendar("contract", lab.access(), secrets=SecretsOf(values), clock=FixedClock())
    assert isinstance(error(calendar), Denied)
    values["graph-secret"] = SECRET
    assert isinstance(read(calendar), Complete)
    calendar.close()


def test_a_secret_that_has_expired_is_said_to_have(lab: Lab) -> None:
    lab.graph.tenant.forget_secrets(APP)
    lab.graph.tenant.register(APP, secret=SECRET, secret_until=datetime(2026, 1, 1, tzinfo=UTC))
    calendar = lab.calendar()
    assert "has expired" in error(calendar).why
    calendar.close()


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        ({"tenant": "fabrikam.example"}, BadSetting, "tenant"),
        ({"client_id": "no-such-app"}, Denied, "client_id"),
        ({"root": "https://127.0.0.1:1"}, Denied, "cloud"),
        ({"secret": "not-stored"}, BadSetting, "store it"),
        ({"secret": ""}, BadSetting, "setting"),
        ({"certificate": "graph-secret"}, BadSetting, "setting"),
        ({"secret": "", "certificate": "graph-secret"}, BadSetting, "PEM"),
        ({"secret": "", "pfx": "/no/such/file.pfx"}, BadSetting, "file"),
        ({"authority": "http://127.0.0.1:1"}, BadSetting, "authority"),
        ({"ca_file": "/no/such/ca.pem"}, BadSetting, "PEM"),
    ],
)
def test_a_wrong_setting_is_named(lab: Lab, wrong: dict[str, str], kind: type[OtdError], said: str) -> None:
    lab.lay(planned())
    calendar = lab.calendar(**wrong)
    failed = error(calendar)
    assert type(failed) is kind
    assert said in failed.mend
    assert SECRET not in str(failed)
    calendar.close()


def test_a_certificate_that_no_ca_vouches_for_is_not_trusted(lab: Lab) -> None:
    lab.lay(planned())
    calendar = lab.calendar(ca_file="")
    assert isinstance(error(calendar), Untrusted)
    assert lab.graph.requests.count() == 0
    calendar.close()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.status(500), Unreachable),
        (faults.status(503, retry_after=5), Busy),
        (faults.status(429), Busy),
        (faults.html(), Garbled),
        (faults.login(), Garbled),
        (faults.halved(), Garbled),
    ],
)
def test_entra_id_in_trouble_is_a_failed_read_that_heals(
    lab: Lab, calendar: GraphCalendar, fault: Fault, kind: type[OtdError]
) -> None:
    lab.lay(planned())
    lab.fault(fault, operation="token")
    assert type(error(calendar)) is kind
    lab.graph.faults.clear()
    assert isinstance(read(calendar), Complete)


@pytest.mark.parametrize("fault", [faults.silent(), faults.drip(0.01)])
def test_the_time_for_a_read_holds_while_the_token_is_fetched(lab: Lab, calendar: GraphCalendar, fault: Fault) -> None:
    lab.lay(planned())
    lab.fault(fault, operation="token")
    began = time.monotonic()
    assert isinstance(error(calendar, seconds=0.5), Unreachable)
    assert time.monotonic() - began < 1.5


def a_certificate() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "otd")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - DAY).not_valid_after(now + DAY)
    return key, made.sign(key, hashes.SHA256())


def test_a_certificate_lets_the_application_in_as_pem_and_as_pfx(lab: Lab, tmp_path: Path) -> None:
    key, certificate = a_certificate()
    shown = certificate.public_bytes(serialization.Encoding.PEM).decode()
    lab.graph.tenant.forget_secrets(APP)
    lab.graph.tenant.register(APP, certificate=shown)
    lab.lay(planned())
    locked = serialization.BestAvailableEncryption(b"sesame")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked).decode() + shown
    pfx = tmp_path / "otd.pfx"
    pfx.write_bytes(serialization.pkcs12.serialize_key_and_certificates(b"otd", key, certificate, None, locked))
    secrets = {"pem": pem, "phrase": "sesame", "wrong": "open"}
    for way in ({"certificate": "pem"}, {"pfx": str(pfx)}):
        calendar = lab.calendar(secret="", passphrase="phrase", secrets=secrets, **way)
        assert isinstance(read(calendar), Complete)
        calendar.close()
        calendar = lab.calendar(secret="", passphrase="wrong", secrets=secrets, **way)
        failed = error(calendar)
        assert isinstance(failed, BadSetting)
        assert "passphrase" in failed.mend
        calendar.close()


def test_a_certificate_that_was_not_uploaded_is_refused(lab: Lab) -> None:
    key, certificate = a_certificate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    calendar = lab.calendar(secret="", certificate="pem", secrets={"pem": pem.decode()})
    assert "upload" in error(calendar).mend
    calendar.close()


def test_a_secret_goes_to_the_configured_authority_only(recorder: tuple[Recorder, Lab]) -> None:
    before, lab = recorder
    lab.lay(planned())
    other = Recorder(lab.graph)
    with Server(other, tls=True) as elsewhere:
        stated = {name: f"{elsewhere.url}/t/oauth2/v2.0/token" for name in ("token_endpoint", "authorization_endpoint")}
        before.instead = lambda asked: Instead(json.dumps(stated).encode()) if "openid" in asked.url else None
        calendar = lab.calendar()
        failed = error(calendar)
        calendar.close()
    assert isinstance(failed, Garbled)
    assert "another host" in failed.why
    assert other.asked == []


def test_every_cloud_has_its_own_authority_and_root() -> None:
    assert len({root for _, root in CLOUDS.values()}) == len(CLOUDS) == 4
    access = GraphAccess(tenant="t", client_id="c", secret="s", cloud="gcc-high")
    assert access.addresses() == ("https://login.microsoftonline.us", "https://graph.microsoft.us")


def test_no_secret_token_subject_or_body_is_printed_or_logged(
    lab: Lab, calendar: GraphCalendar, caplog: pytest.LogCaptureFixture
) -> None:
    lab.lay(planned(subject="Very private", body="<p>Most secret</p>"))
    with caplog.at_level(logging.DEBUG):
        reading = read(calendar)
    assert isinstance(reading, Complete)
    (token,) = lab.graph.tenant._tokens
    printed = caplog.text + repr(reading) + repr(vars(calendar)) + repr(vars(calendar._line._open()[1]))
    for hidden in (SECRET, token, "Very private", "Most secret"):
        assert hidden not in printed
