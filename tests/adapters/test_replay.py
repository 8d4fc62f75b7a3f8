"""Replay: what stored readings give today, beside what was told then; and that it changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from otd import dialplan
from otd.cli.reading_files import Exported, dump, load, redacted
from otd.cli.replay import deliver
from otd.dialplan import DialPlan, Rule
from otd.model import Room
from otd.replay import Replay, Replayed, Rerun
from otd.store import SqlStore
from tests.adapters.one_room import ROOM, SITE, TEN, OneRoom, a_meeting
from tests.contracts.store_case import KEY
from tests.values import HOUR, MINUTE, T0

GATEWAY = Rule(name="gateway", template="x{{ sip_user }}@{{ gateway }}", gateway="gw.example.com")
OTHER = dialplan.for_site((GATEWAY,), SITE)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "otd.db"
    SqlStore(f"sqlite:///{path}", KEY).close()
    return path


@pytest.fixture
def house(tmp_path: Path, empty: Path) -> Iterator[OneRoom]:
    house = OneRoom(Path(shutil.copy(empty, tmp_path / "otd.db")))
    yield house
    house.store.close()


def replayed(
    house: OneRoom, plan: DialPlan | None = None, since: datetime | None = None, behind: str = ""
) -> list[Replayed]:
    rules = replace(house.rules, plan=plan) if plan else house.rules
    rooms: dict[str, Room] = {"room1": ROOM}
    by = Replay(store=house.store, rooms=rooms, endpoints={"codec1": house.endpoint}, rules=rules)
    return [by.reading(mark) for mark in by.marks(rooms, since, None, behind)]


def effects(found: list[Replayed]) -> list[list[str]]:
    return [[change.effect for change in one.changes] for one in found]


def test_the_same_rules_give_the_same(house: OneRoom) -> None:
    house.read(a_meeting(), a_meeting(id="m2", uid="m2", body="See you"))
    (found,) = replayed(house)
    assert (found.changes, found.same, found.unknown, found.meetings) == ((), 2, 0, 2)


def test_other_rules_are_told_booking_by_booking_with_their_names(house: OneRoom) -> None:
    house.read(a_meeting(), a_meeting(id="m2", uid="m2", body="See you"))
    (found,) = replayed(house, OTHER)
    (change,) = found.changes
    assert (change.effect, change.endpoint, found.same) == ("change", "codec1", 1)
    assert change.before is not None
    assert change.after is not None
    assert (change.before.rule, change.after.rule) == ("webex-stated", "gateway")
    assert change.after.dial is not None
    assert change.after.dial.uri == "xweekly@gw.example.com"


def test_a_dial_string_can_be_gained_and_lost(house: OneRoom) -> None:
    house.read(a_meeting())
    nothing = replace(OTHER, rules=())
    assert effects(replayed(house, nothing)) == [["lose"]]
    plan, house.rules = house.rules.plan, replace(house.rules, plan=nothing)
    house.wait(MINUTE)
    house.read(a_meeting(subject="Other"))
    house.rules = replace(house.rules, plan=plan)
    assert effects(replayed(house)) == [["gain"]]


def test_each_reading_of_a_span_is_judged_by_the_list_of_its_time(house: OneRoom) -> None:
    for number in range(5):
        house.read(a_meeting(subject=f"version {number}"))
        house.wait(MINUTE)
    assert effects(replayed(house, since=T0)) == [[]] * 5
    found = replayed(house, OTHER, since=T0)
    assert effects(found) == [["change"]] * 5
    assert [one.changes[0].booking.title for one in found] == [f"version {n}" for n in range(5)]


def test_who_stopped_goes_on_behind_the_last_one(house: OneRoom) -> None:
    for number in range(5):
        house.read(a_meeting(subject=f"version {number}"))
        house.wait(MINUTE)
    every = replayed(house, since=T0)
    assert replayed(house, since=T0, behind=every[2].id) == every[3:]
    assert replayed(house, since=T0, behind=every[4].id) == []


def test_what_was_over_then_and_what_is_not_kept_is_not_judged(house: OneRoom) -> None:
    house.read(a_meeting(start=T0 - HOUR / 2, end=T0), a_meeting(id="m2", uid="m2", sensitivity="private"))
    (found,) = replayed(house, OTHER)
    assert (found.changes, found.same, found.unknown) == ((), 0, 1)


def test_a_replay_changes_nothing(house: OneRoom) -> None:
    house.read(a_meeting())
    house.answer()

    def everything() -> object:
        store = house.store
        return store.endpoints(), store.rooms(), store.work(), store.audit(), store.readings("room1", T0, T0 + HOUR)

    before = everything()
    replayed(house, OTHER, since=T0)
    assert everything() == before


def test_what_is_to_be_delivered_is_due_once_and_the_audit_knows_why(house: OneRoom) -> None:
    house.read(a_meeting())
    house.work()
    deliver(house.store, {"codec1": {"room1"}}, set(), "the gateway is back")
    assert {(work.kind, work.name) for work in house.store.claim("w", limit=9, lease=MINUTE)} == {
        ("refresh", "room1"),
        ("deliver", "codec1"),
    }
    (line,) = house.store.audit(("endpoint:codec1",), kinds=("act",))
    assert (line.word, line.why) == ("replay", "the gateway is back")


def test_a_parked_endpoint_is_tried_again_only_when_it_is_asked_for(house: OneRoom) -> None:
    house.read(a_meeting())
    house.answer("denied", reason="password")
    deliver(house.store, {"codec1": {"room1"}}, set(), "replay")
    assert house.store.endpoint("codec1").failures == 1
    deliver(house.store, {"codec1": {"room1"}}, {"codec1"}, "replay")
    assert house.store.endpoint("codec1").failures == 0


# --- as a file ----------------------------------------------------------------------------------------------------


def exported(house: OneRoom) -> Exported:
    kept = house.store.last_reading("room1")
    assert kept is not None
    rooms = {"room1": ROOM}
    by = Replay(store=house.store, rooms=rooms, endpoints={"codec1": house.endpoint}, rules=house.rules)
    told = by.told("room1", kept.at)
    return Exported(room=ROOM, reading=kept, endpoints=(house.endpoint,), told=told, redacted=False)


def again(file: Exported, house: OneRoom, plan: DialPlan) -> Replayed:
    return Rerun(replace(house.rules, plan=plan)).reading(file.room, file.reading, file.endpoints, file.told)


@pytest.mark.parametrize("without", [False, True])
def test_a_file_gives_the_same_elsewhere(house: OneRoom, tmp_path: Path, without: bool) -> None:
    secret = f"Dear Ann,\nthe budget is secret\n{a_meeting().body}"
    house.read(
        a_meeting(body=secret, location="Bob's den"),
        a_meeting(id="m2", uid="m2", body="See you", subject="Layoffs", locations=("The cellar",)),
    )
    file = redacted(exported(house), house.rules)[0] if without else exported(house)
    (tmp_path / "reading.json").write_text(dump(file))
    read = load(str(tmp_path / "reading.json"))
    for plan in (house.rules.plan, OTHER):
        (here,), there = replayed(house, plan), again(read, house, plan)
        assert [(c.effect, c.id, c.after and c.after.dial) for c in there.changes] == [
            (c.effect, c.id, c.after and c.after.dial) for c in here.changes
        ]
        assert (there.same, there.unknown) == (here.same, here.unknown)
    text = (tmp_path / "reading.json").read_text()
    for word in ("Ann", "budget", "Budget", "Layoffs", "den", "cellar", "room1@example.com"):
        assert (word in text) is not without or word == "Ann"


def test_an_endpoints_address_and_credential_stay_at_home(house: OneRoom) -> None:
    house.endpoint = replace(house.endpoint, address="codec.example.com", credential="codec-admin", username="joe")
    house.read(a_meeting())
    text = dump(exported(house))
    assert not any(word in text for word in ("codec.example.com", "codec-admin", "joe"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"form": "otd-reading-1"}', '{"form": "otd-reading-1", "room": 1}'])
def test_a_file_that_is_no_reading_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    from otd.errors import BadSetting

    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BadSetting, match="export"):
        load(str(tmp_path / "x.json"))


def test_a_field_that_is_damaged_is_said_too(house: OneRoom, tmp_path: Path) -> None:
    from otd.errors import BadSetting

    house.read(a_meeting(start=TEN))
    said = json.loads(dump(exported(house)))
    said["reading"]["at"] = "yesterday"
    (tmp_path / "x.json").write_text(json.dumps(said))
    with pytest.raises(BadSetting, match="damaged"):
        load(str(tmp_path / "x.json"))
