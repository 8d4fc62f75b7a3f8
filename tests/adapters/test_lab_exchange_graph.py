"""The simulated Microsoft Graph, asked by msal and httpx: what it gives, and what it refuses as Graph refuses it."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from otd.lab import faults
from otd.lab.entra import Tenant
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailbox, Mailboxes
from otd.lab.server import Server
from otd.model import Meeting, Person, Window

T0 = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = Window(start=T0, end=T0 + 7 * DAY)
ROOM = "room1@contoso.example"
VIEW = f"/v1.0/users/{ROOM}/calendarView"
WINDOW = {"startDateTime": "2026-11-24T00:00:00Z", "endDateTime": "2026-12-01T00:00:00Z"}
PREFER = {"Prefer": 'outlook.timezone="UTC", outlook.body-content-type="html", IdType="ImmutableId"'}
STRINGS = "String {00020329-0000-0000-C000-000000000046} Name "
APP, SECRET = "8f0c6f0e-3d0b-4f6e-9a51-0d8c6e1f2a34", "a-secret"


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class Lab:
    """A Graph with one room, and a client that has a token for it."""

    def __init__(self, graph: Graph, server: Server, clock: Clock) -> None:
        self.graph, self.server, self.clock = graph, server, clock
        verify = ssl.create_default_context(cadata=server.certificate)
        self.http = httpx.Client(base_url=server.url, verify=verify, trust_env=False, timeout=5)
        self.http.headers["Authorization"] = f"Bearer {self.token()['access_token']}"

    @property
    def room(self) -> Mailbox:
        return self.graph.mailboxes[ROOM]

    def token(self, **overrides: str) -> dict[str, Any]:
        form = {
            "grant_type": "client_credentials",
            "client_id": APP,
            "client_secret": SECRET,
            "scope": f"{self.server.url}/.default",
        }
        path = f"/{overrides.pop('tenant', self.graph.tenant.id)}/oauth2/v2.0/token"
        filled = {name: value for name, value in {**form, **overrides}.items() if value}
        answer: dict[str, Any] = self.http.post(path, data=filled).json()
        return answer

    def get(self, path: str = VIEW, *, headers: dict[str, str] = PREFER, **options: str) -> httpx.Response:
        named = {name.replace("_", "$"): value for name, value in options.items()}
        return self.http.get(path, params={**WINDOW, **named}, headers=headers)

    def events(self, **options: str) -> list[dict[str, Any]]:
        answer = self.get(**options)
        assert answer.status_code == 200, answer.text
        value: list[dict[str, Any]] = answer.json()["value"]
        return value

    def refusal(self, path: str = VIEW, **options: str) -> tuple[int, str]:
        answer = self.get(path, **options)
        return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def lab() -> Iterator[Lab]:
    clock = Clock()
    rooms = Mailboxes()
    rooms.add(ROOM, name="Room 1", timezone="Europe/Berlin")
    rooms.add("room2@contoso.example", name="Room 2")
    graph = Graph(rooms, tenant=Tenant(clock=clock))
    graph.tenant.register(APP, secret=SECRET)
    with Server(graph, tls=True) as server:
        lab = Lab(graph, server, clock)
        yield lab
        lab.http.close()


def a_meeting(start: datetime = T0, **overrides: Any) -> Meeting:
    usual = {"id": "", "uid": "", "start": start, "end": start + HOUR, "subject": "Planning"}
    return Meeting(**{**usual, **overrides})


# --- tokens -------------------------------------------------------------------------------------------------------


class Requests:
    """msal's way to the network."""

    def __init__(self, ca: Path) -> None:
        self._session = requests.Session()
        self._session.trust_env, self._session.verify = False, str(ca)

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._session.get(url, timeout=5, **options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._session.post(url, timeout=5, **options)

    def close(self) -> None:
        self._session.close()


def by_msal(lab: Lab, folder: Path, credential: Any) -> dict[str, Any]:
    ca = folder / "lab.pem"
    ca.write_text(lab.server.certificate)
    network = Requests(ca)
    try:
        application = msal.ConfidentialClientApplication(
            APP,
            authority=f"{lab.server.url}/{lab.graph.tenant.domain}",
            client_credential=credential,
            instance_discovery=False,
            http_client=network,
        )
        answer: dict[str, Any] = application.acquire_token_for_client([f"{lab.server.url}/.default"])
        return answer
    finally:
        network.close()


def a_certificate() -> tuple[str, str, str]:
    """Key, certificate, SHA-1 thumbprint."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "otd")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + DAY)
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return private.decode(), pem.decode(), certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 (msal asks for it)


def test_msal_gets_a_token_by_secret_that_opens_the_calendar(lab: Lab, tmp_path: Path) -> None:
    token = by_msal(lab, tmp_path, SECRET)
    answer = lab.get(headers={"Authorization": f"Bearer {token['access_token']}"})
    assert (answer.status_code, token["expires_in"]) == (200, 3599)


def test_msal_gets_a_token_by_certificate(lab: Lab, tmp_path: Path) -> None:
    key, certificate, thumbprint = a_certificate()
    lab.graph.tenant.register(APP, certificate=certificate)
    for credential in (
        {"private_key": key, "public_certificate": certificate},
        {"private_key": key, "thumbprint": thumbprint},
    ):
        assert "access_token" in by_msal(lab, tmp_path, credential)


def test_a_certificate_that_is_not_registered_is_refused(lab: Lab, tmp_path: Path) -> None:
    (key, certificate, _), (_, registered, _) = a_certificate(), a_certificate()
    lab.graph.tenant.register(APP, certificate=registered)
    answer = by_msal(lab, tmp_path, {"private_key": key, "public_certificate": certificate})
    assert answer["error_codes"] == [700027]


def test_an_assertion_signed_with_another_key_is_refused(lab: Lab, tmp_path: Path) -> None:
    (key, _, _), (_, registered, _) = a_certificate(), a_certificate()
    lab.graph.tenant.register(APP, certificate=registered)
    answer = by_msal(lab, tmp_path, {"private_key": key, "public_certificate": registered})
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700027])


def test_an_assertion_from_a_clock_that_is_wrong_is_refused(lab: Lab, tmp_path: Path) -> None:
    key, certificate, _ = a_certificate()
    lab.graph.tenant.register(APP, certificate=certificate)
    lab.clock.now += HOUR
    answer = by_msal(lab, tmp_path, {"private_key": key, "public_certificate": certificate})
    assert answer["error_codes"] == [700024]


@pytest.mark.parametrize(
    ("change", "error", "number"),
    [
        ({"client_secret": "wrong"}, "invalid_client", 7000215),
        ({"client_secret": ""}, "invalid_client", 7000218),
        ({"client_id": "nobody"}, "unauthorized_client", 700016),
        ({"tenant": "elsewhere.example"}, "invalid_tenant", 90002),
        ({"scope": "https://graph.microsoft.com/Calendars.Read"}, "invalid_scope", 1002012),
        ({"scope": "https://other.example/.default"}, "invalid_resource", 500011),
        ({"scope": ""}, "invalid_scope", 1002012),
        ({"grant_type": "password"}, "unsupported_grant_type", 70003),
        ({"grant_type": ""}, "invalid_request", 900144),
    ],
)
def test_what_entra_refuses_has_its_number(lab: Lab, change: dict[str, str], error: str, number: int) -> None:
    answer = lab.token(**change)
    assert (answer["error"], answer["error_codes"]) == (error, [number])
    assert answer["error_description"].startswith(f"AADSTS{number}: ")
    assert SECRET not in json.dumps(answer)


def test_an_expired_secret_is_refused(lab: Lab) -> None:
    lab.graph.tenant.register(APP, secret="old", secret_until=lab.clock.now - DAY)
    assert lab.token(client_secret="old")["error_codes"] == [7000222]


def test_a_token_expires_and_a_revoked_one_is_refused_at_once(lab: Lab) -> None:
    assert lab.get().status_code == 200
    lab.clock.now += HOUR
    assert lab.refusal() == (401, "InvalidAuthenticationToken")
    lab.http.headers["Authorization"] = f"Bearer {lab.token()['access_token']}"
    assert lab.get().status_code == 200
    lab.graph.tenant.revoke_tokens()
    assert lab.refusal() == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer made-up", "Basic dXNlcjpwYXNz"])
def test_without_a_token_of_this_tenant_nothing_is_said(lab: Lab, header: str) -> None:
    lab.http.headers["Authorization"] = header
    answer = lab.get()
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert answer.headers["www-authenticate"].startswith("Bearer")


# --- what a view gives --------------------------------------------------------------------------------------------


def test_an_event_is_as_graph_writes_it(lab: Lab) -> None:
    url = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x"
    lab.room.add(
        a_meeting(
            body="<p>Join</p>",
            body_type="html",
            location="Room 1",
            organizer=Person(name="Ann Example", address="ann@contoso.example"),
            attendees=(Person(name="Bo Sample", address="bo@contoso.example"),),
            show_as="elsewhere",
            response="tentative",
            properties=(("onlineMeeting.joinUrl", url),),
        )
    )
    (event,) = lab.events()
    assert event["start"] == {"dateTime": "2026-11-24T09:00:00.0000000", "timeZone": "UTC"}
    assert event["body"]["contentType"] == "html"
    assert "<p>Join</p>" in event["body"]["content"]
    assert event["organizer"]["emailAddress"] == {"name": "Ann Example", "address": "ann@contoso.example"}
    assert [person["type"] for person in event["attendees"]] == ["required", "resource"]
    assert (event["showAs"], event["responseStatus"]["response"]) == ("workingElsewhere", "tentativelyAccepted")
    assert (event["onlineMeeting"], event["onlineMeetingUrl"]) == ({"joinUrl": url}, None)
    assert (event["isOnlineMeeting"], event["onlineMeetingProvider"]) == (True, "teamsForBusiness")
    assert (event["type"], event["seriesMasterId"], event["sensitivity"]) == ("singleInstance", None, "normal")
    assert event["originalStartTimeZone"] == "W. Europe Standard Time"
    assert event["@odata.etag"] == f'W/"{event["changeKey"]}"'
    assert "originalStart" not in event
    assert "singleValueExtendedProperties" not in event


def test_occurrences_are_expanded_with_uids_of_their_own(lab: Lab) -> None:
    series = lab.room.add(a_meeting(), rule="FREQ=DAILY;COUNT=3")
    lab.room.move(lab.room.view(WEEK)[1].meeting.id, T0 + 4 * DAY)
    events = lab.events(_orderby="start/dateTime")
    assert [event["type"] for event in events] == ["occurrence", "occurrence", "exception"]
    assert [event["iCalUId"][32:40] for event in events] == ["07EA0B18", "07EA0B1A", "07EA0B19"]
    assert [event["originalStart"] for event in events][-1] == "2026-11-25T09:00:00Z"
    assert len({event["seriesMasterId"] for event in events}) == 1
    assert series not in {event["id"] for event in events}
    assert len({event["changeKey"] for event in events}) == 1


def test_all_day_meetings_float_at_midnight_in_whatever_zone_is_asked_for(lab: Lab) -> None:
    midnight = datetime(2026, 11, 24, 23, tzinfo=UTC)  # in Berlin
    lab.room.add(a_meeting(midnight, end=midnight + DAY, all_day=True))
    for zone in ("UTC", "Pacific Standard Time"):
        (event,) = lab.events(headers={"Prefer": f'outlook.timezone="{zone}"'})  # type: ignore[arg-type]
        assert event["start"] == {"dateTime": "2026-11-25T00:00:00.0000000", "timeZone": zone}
        assert event["end"]["dateTime"] == "2026-11-26T00:00:00.0000000"


def test_preferences_are_applied_and_said_to_be(lab: Lab) -> None:
    lab.room.add(a_meeting(body="<p>Join <a href='https://x.example/'>here</a></p>", body_type="html"))
    plain = lab.get(headers={})
    assert "preference-applied" not in plain.headers
    asked = 'outlook.timezone="W. Europe Standard Time", outlook.body-content-type="text", IdType="ImmutableId"'
    wished = lab.get(headers={"Prefer": asked})
    assert set(wished.headers["preference-applied"].split(", ")) == {
        'outlook.timezone="W. Europe Standard Time"',
        'outlook.body-content-type="text"',
        "IdType=ImmutableId",
    }
    (before,), (after,) = plain.json()["value"], wished.json()["value"]
    assert after["start"] == {"dateTime": "2026-11-24T10:00:00.0000000", "timeZone": "W. Europe Standard Time"}
    assert after["body"] == {"contentType": "text", "content": "Join here<https://x.example/>"}
    assert before["body"]["contentType"] == "html"
    assert before["id"] != after["id"]


def test_an_unknown_time_zone_is_refused(lab: Lab) -> None:
    answer = lab.get(headers={"Prefer": 'outlook.timezone="Middle Earth"'})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "TimeZoneNotSupportedException")


def test_only_what_is_selected_comes_but_always_id_and_etag(lab: Lab) -> None:
    lab.room.add(a_meeting())
    (event,) = lab.events(_select="subject,Start,lastModifiedDateTime")
    assert set(event) == {"@odata.etag", "id", "subject", "start"}


def test_hidden_properties_come_when_they_are_asked_for_and_set(lab: Lab) -> None:
    lab.room.add(a_meeting(properties=(("SkypeTeamsMeetingUrl", "https://teams.example/1"),)))
    lab.room.add(a_meeting(T0 + HOUR))
    wanted = " or ".join(f"id eq '{STRINGS}{name}'" for name in ("OnlineMeetingConfLink", "SkypeTeamsMeetingUrl"))
    with_it, without = lab.events(
        _expand=f"singleValueExtendedProperties($filter={wanted})", _select="id", _orderby="start/dateTime"
    )
    lower = "String {00020329-0000-0000-c000-000000000046} Name SkypeTeamsMeetingUrl"
    assert with_it["singleValueExtendedProperties"] == [{"id": lower, "value": "https://teams.example/1"}]
    assert "singleValueExtendedProperties" not in without


def test_pages_follow_their_link_to_the_end(lab: Lab) -> None:
    for number in range(25):
        lab.room.add(a_meeting(T0 + number * HOUR, subject=str(number)))
    seen: list[str] = []
    answer = lab.get(_orderby="start/dateTime", _select="subject")
    while True:
        seen += [event["subject"] for event in answer.json()["value"]]
        link = answer.json().get("@odata.nextLink")
        if link is None:
            break
        assert link.startswith(f"{lab.server.url}/v1.0/users/")
        answer = lab.http.get(link, headers=PREFER)
    assert seen == [str(number) for number in range(25)]
    assert lab.graph.requests.count(mailbox=ROOM) == 3


def test_the_order_is_not_promised_unless_it_is_asked_for(lab: Lab) -> None:
    for number in range(3):
        lab.room.add(a_meeting(T0 + number * HOUR, subject=str(number)))
    assert [event["subject"] for event in lab.events()] != ["0", "1", "2"]
    assert [event["subject"] for event in lab.events(_orderby="start/dateTime desc")] == ["2", "1", "0"]


def test_window_bounds_use_their_own_offset(lab: Lab) -> None:
    lab.room.add(a_meeting())
    early = {"startDateTime": "2026-11-24T12:00:00+02:00", "endDateTime": "2026-11-24T13:00:00+02:00"}
    late = {"startDateTime": "2026-11-24T09:30:00.0000000", "endDateTime": "2026-11-24T09:31:00"}
    assert lab.events(**early) == []
    assert len(lab.events(**late)) == 1


def test_answers_carry_request_ids_and_the_clients_own(lab: Lab) -> None:
    ours = "0a4f1f2c-6e54-4f0e-8a52-f3b7a9e3c111"
    answer = lab.get(headers={"client-request-id": ours})
    assert answer.headers["client-request-id"] == ours
    assert answer.headers["request-id"] not in ("", ours)
    refused = lab.get("/v1.0/users/nobody@contoso.example/calendarView")
    assert refused.json()["error"]["innerError"]["request-id"] == refused.headers["request-id"]


# --- what it refuses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"startDateTime": ""}, 400, "ErrorInvalidParameter"),
        ({"endDateTime": "tomorrow"}, 400, "ErrorInvalidParameter"),
        ({"endDateTime": "2026-13-01T00:00:00Z"}, 400, "ErrorInvalidParameter"),
        ({"endDateTime": "2026-11-01T00:00:00Z"}, 400, "ErrorInvalidParameter"),
        ({"endDateTime": "2036-11-01T00:00:00Z"}, 400, "ErrorInvalidParameter"),
        ({"_select": "subject,uid"}, 400, "BadRequest"),
        ({"_select": "subject,body/content"}, 400, "BadRequest"),
        ({"_top": "0"}, 400, "BadRequest"),
        ({"_top": "1001"}, 400, "BadRequest"),
        ({"_top": "many"}, 400, "BadRequest"),
        ({"_orderby": "start"}, 400, "BadRequest"),
        ({"_expand": "singleValueExtendedProperties"}, 400, "BadRequest"),
        (
            {"_expand": "singleValueExtendedProperties($filter=id eq 'SkypeTeamsMeetingUrl')"},
            400,
            "ErrorInvalidProperty",
        ),
        ({"_expand": f"singleValueExtendedProperties($filter=id eq {STRINGS}X)"}, 400, "BadRequest"),
        ({"_wish": "1"}, 400, "BadRequest"),
        ({"_filter": "isCancelled eq false"}, 501, "notImplemented"),
    ],
)
def test_a_query_that_graph_refuses_is_refused(lab: Lab, options: dict[str, str], status: int, code: str) -> None:
    assert lab.refusal(**options) == (status, code)


def test_a_plus_sign_that_was_not_quoted_is_refused(lab: Lab) -> None:
    raw = "startDateTime=2026-11-24T00:00:00+01:00&endDateTime=2026-11-25T00:00:00Z"
    assert lab.http.get(f"{VIEW}?{raw}").status_code == 400


def test_an_option_given_twice_is_refused(lab: Lab) -> None:
    assert lab.http.get(f"{VIEW}?{httpx.QueryParams(WINDOW)}&$top=5&$top=6").status_code == 400


def test_mailboxes_that_cannot_be_read_say_why(lab: Lab) -> None:
    lab.graph.mailboxes.add("onprem@contoso.example", here=False)
    assert lab.refusal("/v1.0/users/nobody@contoso.example/calendarView") == (404, "ErrorInvalidUser")
    assert lab.refusal("/v1.0/users/onprem@contoso.example/calendarView") == (404, "MailboxNotEnabledForRESTAPI")
    lab.graph.permitted = frozenset(("Room2@contoso.example",))
    assert lab.refusal() == (403, "ErrorAccessDenied")
    assert lab.get("/v1.0/users/room2@contoso.example/calendarView").status_code == 200


def test_what_the_lab_cannot_do_is_said_to_be_so(lab: Lab) -> None:
    assert lab.refusal("/v1.0/me/calendarView") == (501, "notImplemented")
    assert lab.http.post(VIEW, json={}).status_code == 405


def test_more_than_four_at_once_for_a_mailbox_are_throttled(lab: Lab) -> None:
    lab.graph.latency = 0.3
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: lab.get(), range(8)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 4
    assert refused[0].json()["error"]["code"] == "ApplicationThrottled"
    assert refused[0].headers["retry-after"] == "1"


# --- $batch -------------------------------------------------------------------------------------------------------


def a_step(number: int, url: str = f"/users/{ROOM}/calendarView") -> dict[str, Any]:
    query = httpx.QueryParams({**WINDOW, "$select": "subject"})
    return {"id": str(number), "method": "GET", "url": f"{url}?{query}", "headers": {"Prefer": PREFER["Prefer"]}}


def test_a_batch_answers_each_request_by_itself(lab: Lab) -> None:
    lab.room.add(a_meeting())
    lab.graph.faults.put(faults.status(429, retry_after=7), mailbox="room2@contoso.example")
    steps = [a_step(1), a_step(2, "/users/room2@contoso.example/calendarView"), a_step(3, "/users/no/calendarView")]
    answer = lab.http.post("/v1.0/$batch", json={"requests": steps})
    by_id = {one["id"]: one for one in answer.json()["responses"]}
    assert answer.status_code == 200
    assert {name: one["status"] for name, one in by_id.items()} == {"1": 200, "2": 429, "3": 404}
    assert by_id["1"]["body"]["value"][0]["subject"] == "Planning"
    assert by_id["2"]["headers"]["Retry-After"] == "7"
    assert [one["id"] for one in answer.json()["responses"]] != ["1", "2", "3"]


def test_a_batch_of_twenty_for_one_mailbox_is_not_throttled_by_itself(lab: Lab) -> None:
    lab.graph.latency = 0.01
    answer = lab.http.post("/v1.0/$batch", json={"requests": [a_step(number) for number in range(20)]})
    assert [one["status"] for one in answer.json()["responses"]] == [200] * 20


@pytest.mark.parametrize(
    "requests_of",
    [
        [],
        [a_step(number) for number in range(21)],
        [a_step(1), a_step(1)],
        [{"id": "1", "method": "GET"}],
        [a_step(1, "https://graph.microsoft.com/v1.0/users/x/calendarView")],
    ],
)
def test_a_batch_that_graph_refuses_is_refused(lab: Lab, requests_of: list[Any]) -> None:
    assert lab.http.post("/v1.0/$batch", json={"requests": requests_of}).status_code == 400


# --- faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503, 504])
def test_a_status_can_be_had_for_one_mailbox(lab: Lab, status: int) -> None:
    lab.graph.faults.put(faults.status(status), mailbox=ROOM)
    answer = lab.get()
    assert answer.status_code == status
    assert answer.json()["error"]["code"]
    assert "retry-after" not in answer.headers
    assert lab.get("/v1.0/users/room2@contoso.example/calendarView").status_code == 200
    lab.graph.faults.clear()
    assert lab.get().status_code == 200


def test_a_fault_can_hold_for_so_many_requests(lab: Lab) -> None:
    lab.graph.faults.put(faults.status(503, retry_after=5), times=2)
    answers = [lab.get() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "5"


def test_pages_can_go_wrong_in_every_way(lab: Lab) -> None:
    for number in range(4):
        lab.room.add(a_meeting(T0 + number * HOUR, subject=str(number)))
    lab.graph.mailboxes["room2@contoso.example"].add(a_meeting(subject="of another room"))

    def page(fault: faults.Fault, **options: str) -> dict[str, Any]:
        lab.graph.faults.clear()
        lab.graph.faults.put(fault)
        answer: dict[str, Any] = lab.get(_top="2", _orderby="start/dateTime", **options).json()
        return answer

    repeated = page(faults.repeat())
    lab.graph.faults.put(faults.repeat())
    assert lab.http.get(repeated["@odata.nextLink"], headers=PREFER).json()["value"] == repeated["value"]
    assert page(faults.elsewhere("https://evil.example"))["@odata.nextLink"].startswith("https://evil.example/v1.0/")
    assert [e["subject"] for e in page(faults.doubled(), _skip="2")["value"]] == ["1", "2"]
    assert [e["subject"] for e in page(faults.swapped("room2@contoso.example"))["value"]] == ["of another room"]


def test_answers_can_be_anything_but_json(lab: Lab) -> None:
    lab.room.add(a_meeting())
    lab.graph.faults.put(faults.html(), times=1)
    assert lab.get().headers["content-type"].startswith("text/html")
    lab.graph.faults.put(faults.login(), times=1)
    moved = lab.get()
    assert (moved.status_code, moved.headers["location"]) == (302, f"{lab.server.url}/owa/auth/logon.aspx")
    lab.graph.faults.put(faults.halved(), times=1)
    half = lab.get()
    assert half.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        half.json()
    lab.graph.faults.put(faults.cut(), times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        lab.get()


def test_answers_can_be_late_or_never_come(lab: Lab) -> None:
    lab.graph.faults.put(faults.slow(0.2), times=1)
    before = time.monotonic()
    assert lab.get().status_code == 200
    assert time.monotonic() - before >= 0.2
    lab.graph.faults.put(faults.silent(), times=1)
    with pytest.raises(httpx.ReadTimeout):
        lab.http.get(VIEW, params=WINDOW, timeout=0.1)


def test_the_token_endpoint_fails_only_when_it_is_named(lab: Lab) -> None:
    lab.graph.faults.put(faults.status(500))
    assert "access_token" in lab.token()
    lab.graph.faults.put(faults.status(503), operation="token")
    assert "error" in lab.token()


def test_a_fault_that_graph_does_not_have_is_a_mistake_in_the_test(lab: Lab) -> None:
    with pytest.raises(ValueError, match="busy"):
        lab.graph.faults.put(faults.busy())


def test_requests_are_counted_by_mailbox_and_operation(lab: Lab) -> None:
    lab.get()
    lab.get()
    lab.get("/v1.0/users/Room2@contoso.example/calendarView")
    counted = lab.graph.requests
    assert counted.count(mailbox=ROOM) == 2
    assert counted.count(mailbox="room2@contoso.example", operation="calendarView") == 1
    assert (counted.count(operation="token"), counted.count()) == (1, 4)
    assert counted.last()[-1].detail == PREFER["Prefer"]
