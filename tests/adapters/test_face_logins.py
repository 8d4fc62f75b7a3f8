"""Who may read a calendar of the face, what everybody else is told, and what is told when the list is not there."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from otd.relay.face.app import FaceSettings
from otd.relay.face.credentials import Failures, hashed
from otd.relay.lists import Lists
from tests.adapters.face_client import (
    GET_FOLDER,
    KEY,
    PASSWORD,
    THREE,
    Endpointish,
    a_list,
    a_polycom,
    envelope,
    find_item,
    get_item,
)
from tests.values import HOUR, MINUTE, SECOND, T0


@pytest.fixture
def endpoint() -> Endpointish:
    return Endpointish(a_list())


# --- logins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["poly1", "POLY1", "OTD\\poly1", "otd\\Poly1", "poly1@OTD", "Poly1@otd", "\\poly1"])
def test_an_endpoint_logs_in_by_any_form_of_its_name(endpoint: Endpointish, user: str) -> None:
    assert endpoint.send(envelope(GET_FOLDER), user=user).status == 200


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("poly1", PASSWORD.upper()),
        ("poly1", PASSWORD[:-1]),
        ("poly1", ""),
        ("other\\poly1", PASSWORD),
        ("poly2", PASSWORD),
        ("blue@example.com", PASSWORD),
    ],
)
def test_another_name_or_password_is_refused(endpoint: Endpointish, user: str, password: str) -> None:
    reply = endpoint.send(envelope(GET_FOLDER), user=user, password=password)
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == 'Basic realm="otd.example.com"'


@pytest.mark.parametrize(
    "header", ["", "NTLM TlRMTVNTUAABAAAA", "Negotiate YII", "Bearer x", "Basic", "Basic !", "Basic eA=="]
)
def test_anything_but_basic_is_offered_basic_only_and_not_held_back(endpoint: Endpointish, header: str) -> None:
    reply = endpoint.send(envelope(GET_FOLDER), user="", headers={"authorization": header} if header else {})
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == 'Basic realm="otd.example.com"'


def test_an_endpoint_without_a_password_set_lets_nobody_in() -> None:
    for kept in ("", "sha256:", "sha256::", "plain:x:y", "sha256:zz:00"):
        endpoint = Endpointish(a_list(endpoint=a_polycom(password_hash=kept)))
        assert endpoint.send(envelope(GET_FOLDER), password="").status == 401


def test_a_password_that_was_replaced_is_refused_at_once_though_it_was_remembered(endpoint: Endpointish) -> None:
    assert endpoint.send(envelope(GET_FOLDER)).status == 200
    renewed = a_polycom(password_hash=hashed("another password", b"salt"))
    endpoint.lists.put(a_list(revision=11, endpoint=renewed))
    assert endpoint.send(envelope(GET_FOLDER)).status == 401
    assert endpoint.send(envelope(GET_FOLDER), password="another password").status == 200


def test_two_endpoints_of_one_name_are_told_apart_by_their_passwords(endpoint: Endpointish) -> None:
    red = a_polycom(name="poly2", domain="", mailbox="red@example.com", password_hash=hashed("red", b"salt"))
    endpoint.lists.put(a_list(endpoint=red, bookings=()))
    assert endpoint.ask(GET_FOLDER).texts("t:TotalCount") == ["3"]
    assert endpoint.ask(GET_FOLDER, password="red").texts("t:TotalCount") == ["0"]


def test_a_password_that_is_not_utf8_is_refused_like_any_other(endpoint: Endpointish) -> None:
    assert endpoint.send(envelope(GET_FOLDER), user="", headers={"authorization": "Basic cG9seTE6/w=="}).status == 401


def test_the_longer_somebody_tries_the_longer_a_refusal_takes() -> None:
    failures = Failures(SECOND / 4)
    delays = [failures.delay("192.0.2.7", "poly1", T0) for _ in range(8)]
    assert [delay / SECOND for delay in delays] == [0.25, 0.5, 1, 2, 4, 8, 8, 8]
    assert failures.delay("192.0.2.8", "poly1", T0) == SECOND / 4
    assert failures.delay("192.0.2.7", "poly1", T0 + 16 * MINUTE) == SECOND / 4


def test_a_right_password_is_not_held_back_by_wrong_ones_of_the_same_pair() -> None:
    endpoint = Endpointish(a_list(), settings=FaceSettings(hold_back=MINUTE))

    async def both() -> tuple[int, int]:
        usual = {"host": "otd.example.com"}

        def header(password: str) -> dict[str, str]:
            return {**usual, "authorization": "Basic " + base64.b64encode(f"poly1:{password}".encode()).decode()}

        body = [envelope(GET_FOLDER)]
        wrong = [
            asyncio.create_task(endpoint._call(body, "POST", "/EWS/Exchange.asmx", header("x"), "192.0.2.7"))
            for _ in range(6)
        ]
        await asyncio.sleep(0)
        right = await endpoint._call(body, "POST", "/EWS/Exchange.asmx", header(PASSWORD), "192.0.2.7")
        waiting = sum(not task.done() for task in wrong)
        for task in wrong:
            task.cancel()
        await asyncio.gather(*wrong, return_exceptions=True)
        return right.status, waiting

    began = time.monotonic()
    assert asyncio.run(both()) == (200, 6)
    assert time.monotonic() - began < 2


# --- when the list is not there ---------------------------------------------------------------------------------------

ASKED = [GET_FOLDER, find_item(), get_item("x"), '<m:GetServerTimeZones ReturnFullTimeZoneData="false"/>']


@pytest.mark.parametrize("asked", ASKED)
def test_a_list_that_is_no_longer_valid_is_an_error_and_never_empty(endpoint: Endpointish, asked: str) -> None:
    endpoint.clock.time = T0 + 12 * HOUR - SECOND
    assert endpoint.ask(asked).status == 200
    endpoint.clock.time = T0 + 12 * HOUR
    reply = endpoint.ask(asked)
    assert (reply.status, reply.codes) == (500, ["ErrorInternalServerTransientError"])
    assert endpoint.send(method="GET", path="/ready", user="").status == 503


def test_a_relay_that_holds_nothing_yet_says_later_and_not_wrong_password() -> None:
    empty = Endpointish()
    reply = empty.send(envelope(find_item()))
    assert (reply.status, reply.headers["retry-after"]) == (503, "10")
    assert empty.send(method="GET", path="/ready", user="").status == 503
    assert empty.send(method="GET", path="/health", user="").status == 200


def test_while_lists_are_missing_unknown_endpoints_wait_and_present_ones_are_served(endpoint: Endpointish) -> None:
    endpoint.lists.begin_fill({"poly1": 10, "poly2": 1})
    ready = endpoint.send(method="GET", path="/ready", user="")
    assert (ready.status, json.loads(ready.text)) == (503, {"ready": False, "lists": 1, "missing": 1})
    assert endpoint.send(envelope(find_item())).status == 200
    assert endpoint.send(envelope(find_item()), user="poly2").status == 503
    assert endpoint.send(envelope(find_item()), password="wrong").status == 401
    second = a_polycom(name="poly2", username="poly2", mailbox="red@example.com")
    endpoint.lists.put(a_list(endpoint=second, bookings=()))
    assert endpoint.send(method="GET", path="/ready", user="").status == 200
    reply = endpoint.ask(find_item(), user="poly2")
    assert (reply.codes, reply.all("t:CalendarItem")) == (["NoError"], []), "the calendar said: no meetings"


def test_an_older_list_than_the_centre_has_is_not_served(endpoint: Endpointish) -> None:
    endpoint.lists.begin_fill({"poly1": 12})
    assert endpoint.send(envelope(find_item())).status == 503
    endpoint.lists.put(a_list(revision=11))
    assert endpoint.send(envelope(find_item())).status == 503
    endpoint.lists.put(a_list(revision=12, bookings=THREE[:1]))
    assert endpoint.ask(find_item()).texts("t:Subject") == ["Standup"]


def test_what_a_relay_forgets_or_no_longer_has_is_nobodys_login(endpoint: Endpointish) -> None:
    endpoint.lists.begin_fill({})
    assert endpoint.send(envelope(find_item())).status == 401
    endpoint.lists.put(a_list())
    assert endpoint.send(envelope(find_item())).status == 200
    endpoint.lists.forget("poly1")
    assert endpoint.send(envelope(find_item())).status == 401


def test_a_relay_goes_on_serving_after_a_restart_while_the_centre_is_away(tmp_path: Path) -> None:
    lists = Lists(tmp_path / "lists.db", KEY)
    before = Endpointish(a_list(), lists=lists)
    asked = before.ask(find_item()).body
    lists.close()
    again = Lists(tmp_path / "lists.db", KEY)
    after = Endpointish(lists=again)
    assert after.ask(find_item()).body == asked
    assert after.send(method="GET", path="/ready", user="").status == 200
    again.close()


# --- two relays -------------------------------------------------------------------------------------------------------


def test_two_relays_answer_byte_for_byte_alike_whatever_they_held_before(tmp_path: Path) -> None:
    first = Endpointish(a_list())
    lists = Lists(tmp_path / "other.db", KEY[::-1])
    second = Endpointish(a_list(revision=4, bookings=THREE[:1]), a_list(bookings=THREE[::-1]), lists=lists)
    ids = [element.get("Id", "") for element in first.ask(find_item()).all("t:ItemId")]
    for asked in (GET_FOLDER, find_item(), get_item(*ids), "<m:CreateItem/>", "<m:Nonsense/>"):
        for version in ("", "Exchange2007_SP1", "Exchange2010_SP2", "Exchange2013", "Exchange2016"):
            one, other = first.send(envelope(asked, version)), second.send(envelope(asked, version))
            assert (one.status, one.headers, one.body) == (other.status, other.headers, other.body)
    lists.close()


def test_a_change_key_changes_with_what_is_shown_and_with_nothing_else(endpoint: Endpointish) -> None:
    def keys() -> list[str]:
        return [element.get("ChangeKey", "") for element in endpoint.ask(find_item()).all("t:CalendarItem/t:ItemId")]

    before = keys()
    endpoint.lists.put(a_list(revision=11, bookings=(replace(THREE[0], rule="another rule"), *THREE[1:])))
    assert keys() == before
    endpoint.lists.put(a_list(revision=12, bookings=(replace(THREE[0], title="Other"), *THREE[1:])))
    assert keys()[0] != before[0]
    assert keys()[1:] == before[1:]


# --- autodiscover -----------------------------------------------------------------------------------------------------

POX = (
    b'<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/'
    b'requestschema/2006"><Request><EMailAddress>%s</EMailAddress><AcceptableResponseSchema>http://schemas.microsoft.'
    b"com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"
)
OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
PLAIN = "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}"


@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"])
def test_autodiscover_names_the_face_itself(endpoint: Endpointish, path: str) -> None:
    reply = endpoint.send(POX % b"Blue@Example.com", path=path)
    assert reply.status == 200
    root = reply.xml()
    assert [e.text for e in root.iter(f"{OUTLOOK}Type")] == ["EXCH", "EXPR"]
    assert {e.text for e in root.iter(f"{OUTLOOK}EwsUrl")} == {"https://otd.example.com/EWS/Exchange.asmx"}
    assert [e.text for e in root.iter(f"{OUTLOOK}AutoDiscoverSMTPAddress")] == ["blue@example.com"]
    assert endpoint.send(POX % b"blue@example.com", path=path, user="").status == 401


@pytest.mark.parametrize(("body", "code"), [(POX % b"red@example.com", "500"), (POX % b"", "600"), (b"<x", "600")])
def test_autodiscover_of_another_mailbox_or_nonsense_is_an_error(endpoint: Endpointish, body: bytes, code: str) -> None:
    reply = endpoint.send(body, path="/autodiscover/autodiscover.xml")
    assert [e.text for e in reply.xml().iter(f"{PLAIN}ErrorCode")] == [code]


def test_autodiscover_goes_by_the_configured_name_and_not_by_what_a_client_says() -> None:
    named = Endpointish(a_list(), settings=FaceSettings(host="face.example.net:8443"))
    reply = named.send(POX % b"blue@example.com", path="/autodiscover/autodiscover.xml", headers={"host": "evil.test"})
    assert "https://face.example.net:8443/EWS/Exchange.asmx" in reply.text
    assert "evil" not in reply.text
    crooked = Endpointish(a_list()).send(user="", headers={"host": 'x"><y'})
    assert crooked.headers["www-authenticate"] == 'Basic realm="localhost"'
