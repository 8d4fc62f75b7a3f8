"""`otd failing` and `otd history`: what fails, what happened, and that acts stand in the audit with who and why."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from otd.cli.options import settings_of
from otd.model import Settled
from otd.wiring import store, user
from tests.adapters.cli import Otd, an_installation
from tests.adapters.cli import otd as otd  # a fixture


@pytest.fixture
def installed(otd: Otd, tmp_path: Path) -> Otd:
    """The endpoint needs a person, the room fails."""
    an_installation(tmp_path)
    settings = settings_of("otd.toml")
    database = store(settings)
    database.adopt(settings.rooms.values(), settings.endpoints.values(), {"post": 1, "hq": 1, "house": 1}, "x")
    for work in database.claim("me", limit=9, lease=timedelta(minutes=1)):
        assert database.begin(work)
        parked = work.kind == "deliver"
        why = Settled(after=timedelta(minutes=1), error="refused", code="denied", mend="mend it", parked=parked)
        database.finish(work, why)
    database.close()
    return otd


def rows(otd: Otd) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in json.loads(otd("failing", "--json").out)}


def test_what_fails_is_listed_with_its_mend(installed: Otd) -> None:
    said = installed("failing")
    assert said.code == 1
    for word in ("board-codec", "needs a person", "failing", "refused", "mend it"):
        assert word in said.out
    assert {name: row["parked"] for name, row in rows(installed).items()} == {"board": False, "board-codec": True}


def test_it_is_tried_again_and_the_audit_knows_who_and_why(installed: Otd) -> None:
    assert installed("failing", "retry", "board-codec", "--why", "new password").code == 0
    row = rows(installed)["board-codec"]
    assert (row["parked"], row["tries"]) == (False, 0)
    (line,) = json.loads(installed("history", "board-codec", "--json").out)
    assert (line["word"], line["who"], line["why"]) == ("retry", user(), "new password")


def test_it_is_left_alone_and_comes_back_when_it_is_asked_for(installed: Otd) -> None:
    assert installed("failing", "skip", "board", "--why", "is rebuilt").code == 0
    row = rows(installed)["board"]
    assert (row["parked"], row["code"]) == (True, "skipped")
    assert "is rebuilt" in str(row["error"])
    assert "skipped" in installed("failing").out
    assert installed("rooms", "retry", "board", "--why", "done").code == 0
    assert rows(installed)["board"]["parked"] is False
    words = [line["word"] for line in json.loads(installed("history", "board", "--json").out)]
    assert words == ["skip", "retry"]
    assert "screens were told: otd history board-codec" in installed("history", "board").out


def test_history_without_a_name_is_what_people_did(installed: Otd) -> None:
    installed("failing", "skip", "board")
    installed("pools", "cutover", "hq", "--why", "we take over")
    said = installed("history")
    assert said.code == 0
    for word in ("settings", "room:board", "pool:hq", "cut over to deliver", "we take over", user()):
        assert word in said.out
    assert len(json.loads(installed("history", "--limit", "1", "--json").out)) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("failing", "retry", "bord"), "did you mean board?"),
        (("failing", "skip", "nothing-like-it"), "no work of this name"),
        (("history", "bord"), "did you mean board?"),
        (("history", "nothing-like-it"), "endpoint:nothing-like-it"),
        (("history", "board", "--since", "teatime"), "write it like"),
        (("history", "board", "--limit", "0"), "--limit"),
    ],
)
def test_mistakes_are_said_with_the_mend(installed: Otd, arguments: tuple[str, ...], said: str) -> None:
    found = installed(*arguments)
    assert found.code == 2
    assert said in found.err


def test_of_a_thing_of_which_nothing_is_kept(installed: Otd) -> None:
    said = installed("history", "endpoint:removed-codec")
    assert (said.code, said.out) == (0, "Nothing is kept of it in that time.\n")


def test_when_nothing_fails(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path)
    store(settings_of("otd.toml")).close()
    assert otd("failing") == (0, "Nothing fails.\n", "")
