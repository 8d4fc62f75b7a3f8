"""`otd calendars`: listing, and what administrators type to let OTD in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from otd import wiring
from otd.lab import faults
from otd.lab.certificates import self_signed
from otd.settings import load
from tests.adapters.cli import SETTINGS, Otd, Said, an_installation, otd
from tests.adapters.exchange import Exchange, exchange
from tests.adapters.test_cli_rooms_lint import EXCHANGE

__all__ = ["exchange", "otd"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    an_installation(tmp_path, SETTINGS + EXCHANGE)
    return tmp_path


def test_calendars_are_listed_with_where_they_are_read(otd: Otd, here: Path) -> None:
    found = {one["name"]: one for one in json.loads(otd("calendars", "list", "--json").out)}
    assert found["server"]["where"] == "https://mail.contoso.example/EWS/Exchange.asmx"
    assert (found["online"]["kind"], found["online"]["rooms"]) == ("graph", 2)
    assert otd("calendars", "list").out.splitlines()[0].split() == ["calendar", "kind", "where", "rooms", "label"]


def test_the_lines_are_for_the_names_of_this_installation(otd: Otd, here: Path) -> None:
    said = otd("calendars", "setup", "online")
    assert said.code == 0
    assert "New-ServicePrincipal -AppId 'an-app' -ObjectId $otd.Id" in said.out
    assert "-Member 'lobby@contoso.example'" in said.out
    assert "-Member 'cellar@contoso.example'" in said.out
    assert "atrium" not in said.out


def test_only_for_the_rooms_that_are_named(otd: Otd, here: Path) -> None:
    said = otd("calendars", "setup", "online", "lobby", "--json").out
    assert "cellar" not in said
    assert [step["title"] for step in json.loads(said)][-1] == "What the rooms do with invitations"


def test_on_exchange_server_the_account_of_the_settings_is_let_in(otd: Otd, here: Path) -> None:
    said = otd("calendars", "setup", "server", "--script").out
    assert "-Role ApplicationImpersonation -User 'CONTOSO\\svc-otd'" in said
    assert "New-ADUser -Name 'svc-otd'" in said
    assert "-Member 'o''atrium@contoso.example'" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("onlin",), "did you mean online?"),
        (("post",), "it is a folder of files"),
        (("online", "atrium"), "it is on calendar server"),
        (("online", "loby"), "did you mean lobby?"),
        (("online", "--script", "--json"), "--script or --json, not both"),
    ],
)
def test_mistakes_are_told(otd: Otd, here: Path, arguments: tuple[str, ...], said: str) -> None:
    answer = otd("calendars", "setup", *arguments)
    assert answer.code != 0
    assert said in answer.err


def test_a_calendar_without_rooms_says_so(otd: Otd, here: Path) -> None:
    settings = here / "otd.toml"
    settings.write_text(settings.read_text().partition("[rooms.atrium]")[0])
    assert "it has no rooms yet" in otd("calendars", "setup", "server").err


# --- test -------------------------------------------------------------------------------------------------------------


def steps(said: Said) -> dict[str, bool | None]:
    return {step["step"]: step["ok"] for step in json.loads(said.out)}


@pytest.mark.parametrize(("calendar", "room"), [("server", "atrium"), ("online", "lobby")])
def test_a_room_that_can_be_read_passes_every_step(otd: Otd, exchange: Exchange, calendar: str, room: str) -> None:
    exchange.book(room)
    said = otd("calendars", "test", calendar)
    assert said.code == 0, said
    assert "1 of 1 invitations have text" in said.out
    assert "private" not in said.out
    assert set(steps(otd("calendars", "test", calendar, room, "--json")).values()) == {True}


@pytest.mark.parametrize(
    ("calendar", "breaking", "step"),
    [
        ("server", lambda e: e.secret("exchange", "tippfehler"), "sign-in"),
        ("online", lambda e: e.secret("graph", "tippfehler"), "sign-in"),
        ("server", lambda e: e.ews.account("svc", "pw", impersonates=frozenset()), "scope"),
        ("online", lambda e: setattr(e.graph, "permitted", frozenset()), "scope"),
        ("server", lambda e: setattr(e.ews.mailboxes["atrium@contoso.example"], "here", False), "mailbox"),
        ("online", lambda e: setattr(e.graph.mailboxes["lobby@contoso.example"], "here", False), "mailbox"),
        ("server", lambda e: e.ews.faults.put(faults.truncated()), "window"),
        ("server", lambda e: e.ews.faults.put(faults.status(404)), "way"),
        ("online", lambda e: e.graph.faults.put(faults.status(503)), "way"),
        ("server", lambda e: (e.folder / "ca.pem").write_text(self_signed("other").pem), "way"),
        ("server", lambda e: (e.folder / "ca.pem").write_text("no certificate"), "settings"),
    ],
)
def test_the_step_that_fails_is_named_with_its_mend(
    otd: Otd, exchange: Exchange, calendar: str, breaking: Callable[[Exchange], object], step: str
) -> None:
    exchange.book("atrium")
    exchange.book("lobby")
    breaking(exchange)
    said = otd("calendars", "test", calendar, "--json")
    assert said.code == 1
    found = steps(said)
    assert [name for name, ok in found.items() if ok is False] == [step]
    names = list(found)
    assert set(list(found.values())[: names.index(step)]) <= {True}
    assert "tippfehler" not in said.out


def test_a_mailbox_that_deletes_text_fails_at_the_text(otd: Otd, exchange: Exchange) -> None:
    exchange.book("atrium", body="")
    said = otd("calendars", "test", "server")
    assert said.code == 1
    assert "otd rooms lint" in said.out


def test_a_room_without_invitations_says_what_to_do(otd: Otd, exchange: Exchange) -> None:
    said = otd("calendars", "test", "server")
    assert said.code == 0
    assert "invite the room to a meeting" in said.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("servr",), "did you mean server?"),
        (("server", "atrum"), "did you mean atrium?"),
        (("server", "board"), "it is on calendar post"),
    ],
)
def test_what_cannot_be_tested_is_told(otd: Otd, exchange: Exchange, arguments: tuple[str, ...], said: str) -> None:
    answer = otd("calendars", "test", *arguments)
    assert answer.code == 2
    assert said in answer.err


# --- otd watch --------------------------------------------------------------------------------------------------------


def test_without_a_room_on_exchange_server_there_is_nothing_to_watch(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path)
    wiring.store(load(tmp_path / "otd.toml", {})).close()
    said = otd("watch")
    assert said.code == 2
    assert "no room is on a calendar of kind ews" in said.err


def test_without_a_database_watching_says_what_to_do_first(otd: Otd, exchange: Exchange) -> None:
    assert "start `otd run` once" in otd("watch").err
