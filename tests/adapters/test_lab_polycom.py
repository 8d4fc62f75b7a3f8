"""The simulated Polycom endpoints: polling the simulated Exchange Server, and replies that no Exchange would send."""

from __future__ import annotations

import asyncio
import gc
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.responses import Response

from otd.lab import faults
from otd.lab.certificates import self_signed
from otd.lab.codec_tls import limited
from otd.lab.polycom import Habits
from otd.lab.polycom_profiles import PROFILES
from otd.lab.polycom_wire import Caller
from otd.lab.server import Receive, Scope, Send, Server
from otd.lab.wire import Silence
from otd.model import Person
from tests.adapters.polycom_lab import (
    ALIAS,
    ROOM,
    SOON,
    T0,
    ByHand,
    Clock,
    a_meeting,
    a_registration,
    a_reply,
    a_token,
    an_envelope,
    an_item,
    endpoint_at,
    exchange,
    xml,
)

MODERN = {"version_header": "Exchange2016"}


@pytest.fixture
def by_hand() -> Iterator[tuple[ByHand, str]]:
    app = ByHand(an_item(1), an_item(2))
    with Server(app, tls=True) as server:
        yield app, server.url


# --- against Exchange ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_every_model_shows_a_join_for_what_lies_in_the_calendar(profile: str) -> None:
    with exchange(a_meeting()) as (server, _), endpoint_at(server.url, profile=profile, registration=MODERN) as unit:
        assert not unit.established
        poll = unit.poll()
        assert (poll.outcome, poll.found, poll.fetched) == ("ok", 1, 1)
        (held,) = unit.meetings
        assert (held.subject, held.organizer) == ("Weekly", "Ann Ample")
        assert (held.start, held.end) == (T0 + timedelta(hours=1), T0 + timedelta(hours=2))
        assert held.dials == ALIAS
        assert held.numbers[0].protocols == ("sip",)
        assert unit.established
        assert unit.complaints == ()


@pytest.mark.parametrize("profile", PROFILES)
def test_only_what_changed_is_fetched_again(profile: str) -> None:
    with exchange(a_meeting()) as (server, ews), endpoint_at(server.url, profile=profile) as unit:
        assert unit.poll().fetched == 1
        assert unit.poll().fetched == 0
        mailbox = next(iter(ews.mailboxes))
        mailbox.change(unit.meetings[0].id, subject="Moved to the attic")
        assert unit.poll().fetched == 1
        assert [held.subject for held in unit.meetings] == ["Moved to the attic"]


def test_today_begins_at_midnight_where_the_endpoint_stands() -> None:
    over = a_meeting(subject="Over", start=T0 - timedelta(hours=9, minutes=30), end=T0 - timedelta(hours=9, minutes=15))
    with exchange(over, a_meeting()) as (server, _):
        with endpoint_at(server.url, zone="UTC") as unit:
            unit.poll()
            assert [held.subject for held in unit.meetings] == ["Weekly"]
        with endpoint_at(server.url, zone="Europe/Berlin") as unit:
            unit.poll()
            assert [held.subject for held in unit.meetings] == ["Over", "Weekly"]


def test_a_clock_that_is_days_ahead_asks_for_other_days() -> None:
    with exchange(a_meeting()) as (server, _), endpoint_at(server.url) as unit:
        unit.poll()
        assert len(unit.meetings) == 1
        unit.clock_offset = timedelta(days=2)
        assert unit.poll().outcome == "ok"
        assert unit.meetings == ()


def test_an_error_of_the_server_leaves_the_list_and_an_empty_calendar_empties_it() -> None:
    with exchange(a_meeting()) as (server, ews), endpoint_at(server.url) as unit:
        unit.poll()
        for fault in (faults.busy(), faults.status(503), faults.html(), faults.halved(), faults.cut()):
            ews.faults.put(fault)
            assert unit.poll().outcome != "ok"
            assert len(unit.meetings) == 1
            assert not unit.established
            ews.faults.clear()
        next(iter(ews.mailboxes)).remove(unit.meetings[0].id)
        assert unit.poll().outcome == "ok"
        assert unit.meetings == ()
        assert unit.established


def test_an_endpoint_may_go_blank_on_an_error() -> None:
    with exchange(a_meeting()) as (server, ews), endpoint_at(server.url) as unit:
        unit.habits.keep_on_error = False
        unit.poll()
        ews.faults.put(faults.busy())
        assert unit.poll().code == "ErrorServerBusy"
        assert unit.meetings == ()


def test_a_wrong_password_is_said_and_the_right_one_heals_it() -> None:
    with exchange(a_meeting()) as (server, _), endpoint_at(server.url, registration={"password": "wrong"}) as unit:
        assert unit.poll().outcome == "denied"
        assert unit.status == "ERR_AUTHENTICATION"
        unit.register(a_registration(server.url))
        assert unit.status == "CONNECTING"
        assert unit.poll().outcome == "ok"
        assert unit.status == "ONLINE"


def test_a_server_that_is_gone_is_offline_and_one_that_comes_back_is_polled_again() -> None:
    with exchange(a_meeting()) as (server, _), endpoint_at(server.url, interval=timedelta(milliseconds=20)) as unit:
        assert unit.wait_until(lambda: unit.established, within=SOON)
        server.stop()
        assert unit.wait_until(lambda: unit.status == "OFFLINE", within=SOON)
        assert len(unit.meetings) == 1
        server.start()
        assert unit.wait_until(lambda: unit.status == "ONLINE", within=SOON)


def test_attendees_privacy_and_an_undialable_meeting_are_as_the_calendar_says() -> None:
    secret = a_meeting(subject="Board", sensitivity="private", body="Nothing to join", attendees=(Person(name="Bo"),))
    with exchange(secret) as (server, _), endpoint_at(server.url) as unit:
        unit.poll()
        (held,) = unit.meetings
        assert (held.private, held.dialable, held.numbers) == (True, False, ())
        assert "Bo" in held.required


def test_a_skype_link_that_was_passed_through_is_what_a_group_series_would_dial() -> None:
    link = "conf:sip:ann@example.com;gruu;opaque=app:conf:focus:id:ABC"
    meeting = a_meeting(body="no token", properties=(("OnlineMeetingConfLink", link),))
    with exchange(meeting) as (server, _):
        with endpoint_at(server.url, profile="gs") as unit:
            unit.poll()
            assert unit.meetings[0].dials == "ann@example.com;gruu;opaque=app:conf:focus:id:ABC"
        with endpoint_at(server.url, profile="hdx") as unit:
            unit.poll()
            assert not unit.meetings[0].dialable


# --- the wire -----------------------------------------------------------------------------------------------------


def test_the_version_is_left_out_or_named_as_set(by_hand: tuple[ByHand, str]) -> None:
    app, url = by_hand
    with endpoint_at(url, profile="hdx") as unit:
        assert unit.poll().outcome == "ok"
        assert not any("RequestServerVersion" in body for body in app.bodies)
        unit.register(a_registration(url, version_header="Exchange2007_SP1"))
        app.bodies.clear()
        unit.poll()
        assert app.bodies
        assert all('Version="Exchange2007_SP1"' in body for body in app.bodies)


@pytest.mark.parametrize("auth", ["basic", "challenge", "ntlm-first"])
def test_every_way_of_signing_in_ends_in_basic(auth: str, by_hand: tuple[ByHand, str]) -> None:
    app, url = by_hand
    with endpoint_at(url, registration={"auth": auth}) as unit:
        assert unit.poll().outcome == "ok"
        assert unit.connections == 1
        assert unit.complaints == ()
    first = app.headers[0].get("authorization", "")
    assert first.partition(" ")[0] == {"basic": "Basic", "challenge": "", "ntlm-first": "NTLM"}[auth]


@pytest.mark.parametrize("offer", ["NTLM", "Negotiate", 'NTLM, Basic realm="x"'])
def test_a_server_that_offers_ntlm_gets_no_further(offer: str, by_hand: tuple[ByHand, str]) -> None:
    app, url = by_hand
    app.offers = offer
    with endpoint_at(url, registration={"auth": "ntlm-first"}) as unit:
        assert unit.poll().outcome == "denied"
        assert unit.complaints == ("the server offers NTLM or Negotiate, so endpoints take it",)


def test_an_endpoint_that_insists_on_ntlm_gives_up(by_hand: tuple[ByHand, str]) -> None:
    _, url = by_hand
    with endpoint_at(url, registration={"auth": "ntlm-first"}, habits=Habits(insists_on_ntlm=True)) as unit:
        assert unit.poll().outcome == "denied"


@pytest.mark.parametrize(("domain", "login", "sent"), [("", "backslash", "huddle"), ("ROOMS", "bare", "huddle")])
def test_the_login_has_the_form_that_is_set(domain: str, login: str, sent: str) -> None:
    registration = a_registration("https://otd.example.com", domain=domain, login=login)
    assert registration.login_name == sent
    assert replace(registration, domain="ROOMS", login="backslash").login_name == "ROOMS\\huddle"
    assert replace(registration, domain="ROOMS", login="at").login_name == "huddle@ROOMS"


@pytest.mark.parametrize(
    ("habits", "connections"),
    [
        (Habits(connections="request"), 6),
        (Habits(connections="poll"), 2),
        (Habits(connections="kept"), 1),
        (Habits(http10=True), 6),
        (Habits(expect_continue=True), 2),
        (Habits(chunked=True, byte_order_mark=True), 2),
        (Habits(soap_action=False, content_type=""), 2),
        (Habits(slow_reader=timedelta(milliseconds=1)), 2),
    ],
)
def test_every_way_of_speaking_http_brings_the_list(
    habits: Habits, connections: int, by_hand: tuple[ByHand, str]
) -> None:
    _, url = by_hand
    habits.asks_again = True
    with endpoint_at(url, habits=habits) as unit:
        assert [unit.poll().outcome, unit.poll().outcome] == ["ok", "ok"]
        assert len(unit.meetings) == 2
        assert unit.count() == 6
        assert unit.connections == connections


def test_a_kept_connection_that_the_server_closed_is_opened_again() -> None:
    with Server(ByHand(an_item()), tls=True) as server, endpoint_at(server.url) as unit:
        unit.habits.connections = "kept"
        unit.poll()
        server.stop()
        server.start()
        assert unit.poll().outcome == "ok"
        assert unit.connections == 2


def test_a_validating_endpoint_polls_only_whom_its_ca_vouches_for(by_hand: tuple[ByHand, str]) -> None:
    certificate = self_signed("otd")
    with (
        Server(ByHand(an_item()), certificate=certificate) as server,
        endpoint_at(server.url, registration={"ca": certificate.pem}) as unit,
    ):
        assert unit.poll().outcome == "ok"
        unit.register(a_registration(by_hand[1], ca=certificate.pem))
        assert unit.poll().outcome == "untrusted"


def test_an_old_endpoint_speaks_only_old_tls(by_hand: tuple[ByHand, str]) -> None:
    old = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1)
    server = Server(ByHand(an_item()), certificate=limited(self_signed("otd"), *old))
    with server, endpoint_at(server.url, habits=Habits(tls_versions=old)) as unit:
        assert unit.poll().outcome == "ok"
        unit.register(a_registration(by_hand[1]))
        assert unit.poll().outcome == "unreachable"


def test_a_server_that_never_answers_costs_no_more_than_the_patience() -> None:
    with exchange() as (server, ews), endpoint_at(server.url) as unit:
        unit.habits.patience = timedelta(milliseconds=100)
        ews.faults.put(faults.silent())
        assert unit.poll().why == "no whole answer in time"


def test_stopping_does_not_wait_for_a_server() -> None:
    asked = threading.Event()

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        asked.set()
        await Silence()(scope, receive, send)

    with Server(silent) as server, endpoint_at(server.url, interval=timedelta(hours=1)) as unit:
        assert asked.wait(SOON.total_seconds())
        began = time.monotonic()
        unit.stop()
        assert time.monotonic() - began < unit.habits.patience.total_seconds() / 2
        assert unit.polls == ()


@pytest.mark.parametrize("moment", range(1, 5))
def test_a_call_that_is_broken_off_just_before_it_goes_on_leaves_no_connection_behind(moment: int) -> None:
    async def broken_off(url: str) -> None:
        caller = Caller(Habits(), note=lambda fault: None)
        call = caller.call("POST", url, a_registration(url), body="", action="", user_agent="")
        task, seen = asyncio.create_task(call), set[int]()
        while len(seen) < moment and not task.done():  # connected, greeted, sent, answered
            await asyncio.sleep(0)
            awaited = task._fut_waiter  # type: ignore[attr-defined]
            if awaited is not None and awaited.done():
                seen.add(id(awaited))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await caller.end()

    with Server(ByHand(an_item()), tls=True) as server:
        asyncio.run(broken_off(server.url))
    gc.collect()  # warnings are errors


def test_autodiscover_leads_to_the_calendar_and_is_asked_again_after_a_failure(by_hand: tuple[ByHand, str]) -> None:
    app, url = by_hand
    answer = (
        '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response '
        'xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"><Account>'
        f"<Protocol><Type>EXCH</Type><EwsUrl>{url}/EWS/Exchange.asmx</EwsUrl></Protocol></Account></Response>"
        "</Autodiscover>"
    )
    app.instead["Autodiscover"] = xml(answer)
    with endpoint_at(url, registration={"autodiscover": True}) as unit:
        unit.poll()
        unit.poll()
        assert unit.count("Autodiscover") == 1
        assert len(unit.meetings) == 2
        app.instead["FindItem"] = Response(status_code=503)
        unit.poll()
        del app.instead["FindItem"]
        assert unit.poll().outcome == "ok"
        assert unit.count("Autodiscover") == 2
        assert ROOM in app.bodies[0]


def test_an_autodiscover_error_is_a_refusal(by_hand: tuple[ByHand, str]) -> None:
    app, url = by_hand
    app.instead["Autodiscover"] = xml(
        "<Autodiscover><Response><Error><ErrorCode>500</ErrorCode></Error></Response></Autodiscover>"
    )
    with endpoint_at(url, registration={"autodiscover": True}) as unit:
        assert (unit.poll().outcome, unit.polls[0].code) == ("refused", "500")


# --- replies that are not right -----------------------------------------------------------------------------------


def test_another_prefix_blanks_a_literal_endpoint_and_not_one_that_parses() -> None:
    body = (
        an_item()
        .replace("t:CalendarItem>", "ns1:CalendarItem>")
        .replace(
            "<ns1:CalendarItem>",
            '<ns1:CalendarItem xmlns:ns1="http://schemas.microsoft.com/exchange/services/2006/types">',
        )
    )
    for profile, shown in (("hdx", 0), ("gs", 0), ("videoos", 1), ("trio", 1)):
        with Server(ByHand(body)) as server, endpoint_at(server.url, profile=profile) as unit:
            assert unit.poll().outcome == "ok"
            assert len(unit.meetings) == shown
            assert "CalendarItem is not written with the prefix t" in unit.complaints


@pytest.mark.parametrize("profile", ["hdx", "gs"])
def test_a_default_namespace_in_place_of_prefixes_is_no_reply_for_a_literal_endpoint(
    profile: str, by_hand: tuple[ByHand, str]
) -> None:
    app, url = by_hand
    messages = "http://schemas.microsoft.com/exchange/services/2006/messages"
    folder = (
        f'<GetFolderResponse xmlns="{messages}"><ResponseMessages><GetFolderResponseMessage ResponseClass="Success">'
        "<ResponseCode>NoError</ResponseCode></GetFolderResponseMessage></ResponseMessages></GetFolderResponse>"
    )
    app.instead["GetFolder"] = xml(an_envelope(folder))
    with endpoint_at(url, profile=profile) as unit:
        assert unit.poll().outcome == "garbled"


@pytest.mark.parametrize("name", ["ItemClass", "Subject", "UID", "Start", "End", "MyResponseType", "Organizer"])
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_an_item_without_what_endpoints_need_is_dropped(name: str, how: str) -> None:
    broken = an_item(1, **{name: "" if how == "missing" else f"<t:{name}></t:{name}>"})
    with Server(ByHand(broken, an_item(2))) as server, endpoint_at(server.url) as unit:
        assert unit.poll().outcome == "ok"
        assert [held.id for held in unit.meetings] == ["AAA2="]
        assert any(said.startswith(f"dropped an item without t:{name}") for said in unit.complaints)


def test_whether_an_endpoint_needs_the_uid_is_a_switch() -> None:
    with Server(ByHand(an_item(1, UID=""))) as server, endpoint_at(server.url) as unit:
        unit.poll()
        assert unit.meetings == ()
        unit.habits.needs = tuple(name for name in unit.habits.needs if name != "t:UID")
        unit.poll()
        assert len(unit.meetings) == 1


def test_elements_in_another_order_are_dropped_or_at_least_noted() -> None:
    wrong = an_item(1, ItemClass="", Subject="<t:Subject>Weekly</t:Subject><t:ItemClass>IPM.Appointment</t:ItemClass>")
    with Server(ByHand(wrong)) as server, endpoint_at(server.url) as unit:
        unit.poll()
        assert unit.meetings == ()
        assert "ItemClass stands after Subject" in unit.complaints
        unit.habits.ordered = False
        unit.poll()
        assert len(unit.meetings) == 1


@pytest.mark.parametrize("end", ["2026-01-05T10:00:00Z", "2026-01-05T09:00:00Z", "soon", "2026-13-05T10:00:00Z"])
def test_an_item_that_does_not_end_after_it_starts_is_dropped(end: str) -> None:
    with Server(ByHand(an_item(1, End=f"<t:End>{end}</t:End>"))) as server, endpoint_at(server.url) as unit:
        assert unit.poll().outcome == "ok"
        assert unit.meetings == ()
        assert any(said.startswith("dropped an item") for said in unit.complaints)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Response("<html><body>Sign in</body></html>", media_type="text/html"), "garbled"),
        (Response("<html><body>Sign in</body></html>", media_type="text/xml"), "garbled"),
        (Response("not XML at all", media_type="text/xml"), "garbled"),
        (Response(b"\xff\xfe", media_type="text/xml"), "garbled"),
        (Response("", media_type="text/xml"), "garbled"),
        (Response(status_code=401, headers={"WWW-Authenticate": "Basic realm=x"}), "denied"),
        (Response(status_code=302, headers={"Location": "https://example.com/"}), "refused"),
        (Response("busy", 503), "refused"),
        (Response("broken", 500, media_type="text/xml"), "refused"),
    ],
)
@pytest.mark.parametrize("profile", ["gs", "videoos"])
def test_what_is_no_list_leaves_the_list(
    answer: Response, outcome: str, profile: str, by_hand: tuple[ByHand, str]
) -> None:
    app, url = by_hand
    with endpoint_at(url, profile=profile) as unit:
        unit.poll()
        app.instead["FindItem"] = answer
        assert unit.poll().outcome == outcome
        assert len(unit.meetings) == 2
        assert not unit.established


def test_an_error_in_the_response_is_not_an_empty_list(by_hand: tuple[ByHand, str]) -> None:
    app, url = by_hand
    message = (
        '<m:FindItemResponseMessage ResponseClass="Error"><m:MessageText>Later</m:MessageText>'
        "<m:ResponseCode>ErrorInternalServerTransientError</m:ResponseCode></m:FindItemResponseMessage>"
    )
    with endpoint_at(url) as unit:
        unit.poll()
        app.instead["FindItem"] = xml(a_reply("FindItem", message))
        assert unit.poll().code == "ErrorInternalServerTransientError"
        assert len(unit.meetings) == 2


def test_an_item_that_cannot_be_fetched_stays_as_it_was(by_hand: tuple[ByHand, str]) -> None:
    app, url = by_hand
    with endpoint_at(url) as unit:
        unit.poll()
        app.items = (an_item(1, ItemId='<t:ItemId Id="AAA1=" ChangeKey="new"/>'), an_item(2))
        error = (
            '<m:GetItemResponseMessage ResponseClass="Error"><m:ResponseCode>ErrorItemNotFound</m:ResponseCode>'
            "<m:Items/></m:GetItemResponseMessage>"
        )
        app.instead["GetItem"] = xml(a_reply("GetItem", error))
        unit.poll()
        assert [held.change_key for held in unit.meetings] == ["CK1", "CK2"]
        assert "GetItem: ErrorItemNotFound" in unit.complaints


def test_a_body_that_is_too_long_loses_the_token_at_its_end() -> None:
    long = an_item(1, Body=f'<t:Body BodyType="Text">{"x" * 500}\n{a_token()}</t:Body>')
    with Server(ByHand(long)) as server, endpoint_at(server.url, habits=Habits(longest_body=400)) as unit:
        unit.poll()
        assert not unit.meetings[0].dialable
        unit.habits.longest_body = None
        unit.habits.asks_again = True
        unit.poll()
        assert unit.meetings[0].dials == ALIAS


# --- two servers --------------------------------------------------------------------------------------------------


def test_two_servers_that_say_the_same_are_one_to_an_endpoint() -> None:
    one, other = Server(ByHand(an_item())), Server(ByHand(an_item()))
    with one, other, endpoint_at(one.url, other.url) as unit:
        assert [unit.poll().url for _ in range(4)] == [one.url, other.url, one.url, other.url]
        assert unit.count("GetItem") == 1
        assert unit.complaints == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ItemId": '<t:ItemId Id="BBB=" ChangeKey="CK1"/>'}, "a meeting got another id"),
        (
            {"ItemId": '<t:ItemId Id="AAA1=" ChangeKey="other"/>'},
            "a meeting got another change key without a change",
        ),
        ({"Subject": "<t:Subject>Monthly</t:Subject>"}, "a meeting changed without another change key"),
    ],
)
def test_servers_that_disagree_are_found_out(changes: dict[str, str], said: str) -> None:
    one, other = Server(ByHand(an_item())), Server(ByHand(an_item(1, **changes)))
    with one, other, endpoint_at(one.url, other.url) as unit:
        unit.poll()
        unit.poll()
        assert said in unit.complaints


def test_a_change_with_another_change_key_is_no_disagreement(by_hand: tuple[ByHand, str]) -> None:
    app, url = by_hand
    with endpoint_at(url) as unit:
        unit.poll()
        identity = '<t:ItemId Id="AAA1=" ChangeKey="new"/>'
        app.items = (an_item(1, ItemId=identity, Subject="<t:Subject>Monthly</t:Subject>"), an_item(2))
        unit.poll()
        assert unit.complaints == ()


def test_a_restart_costs_the_list_until_the_next_poll(by_hand: tuple[ByHand, str]) -> None:
    with endpoint_at(by_hand[1], clock=Clock()) as unit:
        unit.poll()
        unit.reboot()
        assert (unit.meetings, unit.status) == ((), "CONNECTING")
        assert unit.poll().fetched == 2
