"""Commands about endpoints, over sockets against simulated ones, with the database between them and the relays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otd import wiring
from otd.lab.certificates import self_signed
from otd.lab.codec import Call, Codec, Held, User
from otd.model import Booking, BookingList, DialString, EndpointState, Window
from otd.settings import load
from otd.store.sql import SqlStore
from tests.adapters.cli import KEY, Otd, otd

__all__ = ["otd"]

NOON = (datetime.now(UTC) + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
HOUR = timedelta(hours=1)


@pytest.fixture
def codec() -> Iterator[Codec]:
    with Codec(
        profile="roomos11", users={"otd": "secret", "reader": User(password="r", roles=frozenset({"User"}))}
    ) as c:
        c.speed = None
        yield c


@pytest.fixture
def store(tmp_path: Path, codec: Codec) -> Iterator[SqlStore]:
    """The database as a running `otd run` keeps it, with the settings adopted and the board room's list computed."""
    write_settings(tmp_path, codec)
    settings = load(tmp_path / "otd.toml", {})
    store = wiring.store(settings)
    lanes = {"post": 4, "hq": 4, "house": 4}
    store.adopt(settings.rooms.values(), settings.endpoints.values(), lanes, "settings")
    store.put_desired(wanted(a_booking("b1")), "d1")
    yield store
    store.close()


def write_settings(folder: Path, codec: Codec, credential: str = "codec", pool: str = "") -> None:
    (folder / "rooms" / "board").mkdir(parents=True, exist_ok=True)
    (folder / "otd.toml").write_text(f"""
[calendars.post]
kind = "files"
folder = "rooms"
[pools.hq]
{pool}
[relays.hq-1]
pool = "hq"
[rooms.board]
calendar = "post"
[endpoints.board-codec]
kind = "cisco"
address = "{codec.address}"
pool = "hq"
rooms = ["board"]
credential = "{credential}"
""")
    secrets = folder / "secrets.toml"
    secrets.write_text(f'database-key = "{KEY}"\ncodec = "otd:secret"\nreader = "reader:r"\nwrong = "otd:not this"\n')
    secrets.chmod(0o600)


def a_booking(id: str, start: datetime = NOON, number: str = "1@example.com") -> Booking:
    dial = DialString(protocol="sip", uri=number) if number else None
    return Booking(id=id, room="board", title="Numbers", start=start, end=start + HOUR, dial=dial)


def wanted(*bookings: Booking) -> BookingList:
    return BookingList(
        endpoint="board-codec", window=Window(start=NOON - 24 * HOUR, end=NOON + HOUR), bookings=bookings
    )


def held(id: str, start: datetime = NOON, number: str = "1@example.com") -> Held:
    calls = (Call(number=number, protocol="SIP"),) if number else ()
    return Held(id=id, title="Numbers", start=start, end=start + HOUR, calls=calls)


def answer(store: SqlStore, outcome: Any, **more: Any) -> EndpointState:
    from tests.values import a_receipt

    state = store.endpoint("board-codec")
    sequence = store.sending("board-codec", "put", state.revision, "")
    receipt = {"endpoint": "board-codec", "pool": "hq", "relay": "hq-1", "revision": state.revision}
    assert store.apply(a_receipt(**receipt, sequence=sequence, outcome=outcome, at=store.now(), **more))
    return store.endpoint("board-codec")


# --- probe --------------------------------------------------------------------------------------------------------


def test_a_probe_says_what_the_endpoint_is_and_can_do(otd: Otd, tmp_path: Path, codec: Codec) -> None:
    write_settings(tmp_path, codec)
    said = otd("endpoints", "probe", "board-codec", "--json")
    found = json.loads(said.out)
    assert said.code == 0
    assert found["product"] == codec.profile.product
    assert found["software"] == codec.profile.version
    assert (found["role"], found["can"], found["lacks"]) == ("admin", ["list bookings", "take bookings"], [])
    assert found["certificate"] == codec.fingerprint
    assert codec.puts == ()
    assert codec.sessions == ()


def test_a_probe_names_what_stands_in_the_way_with_its_mend(otd: Otd, tmp_path: Path, codec: Codec) -> None:
    write_settings(tmp_path, codec, credential="reader")
    codec.state.settings["UserInterface Bookings Visibility Title"] = "Hidden"
    codec.clock_offset = timedelta(minutes=5)
    said = otd("endpoints", "probe", "board-codec")
    assert said.code == 1
    assert "its user has not the role Admin" in said.out
    assert "hide the titles" in said.out
    assert "s fast" in said.out


def test_a_probe_of_an_endpoint_that_refuses_says_so(otd: Otd, tmp_path: Path, codec: Codec) -> None:
    write_settings(tmp_path, codec, credential="wrong")
    said = otd("endpoints", "probe", "board-codec")
    assert said.code == 1
    assert "it refused the user name or password" in said.out
    assert "not this" not in said.out + said.err
    assert len(codec.log) == 1


# --- show ---------------------------------------------------------------------------------------------------------


def test_show_puts_what_should_be_beside_what_is(otd: Otd, store: SqlStore, codec: Codec) -> None:
    revision = store.put_desired(
        wanted(a_booking("b1"), a_booking("b2", NOON + HOUR), a_booking("b3", NOON + 2 * HOUR)), "d2"
    )
    codec.overwrite((held("b1"), held("b2", NOON + HOUR, "2@example.com"), held("tms-9", NOON + 3 * HOUR)))
    found = json.loads(otd("endpoints", "show", "board-codec", "--json").out)
    assert revision
    assert [(row["mark"], row["id"], row["differs"]) for row in found["list"]] == [
        ("=", "b1", ""),
        ("~", "b2", "number"),
        ("+", "b3", "missing"),
        ("-", "tms-9", "foreign"),
    ]
    assert found["state"] == "waiting"
    assert codec.puts == ()


def test_show_of_an_endpoint_that_does_not_answer_says_why(otd: Otd, store: SqlStore, codec: Codec) -> None:
    codec.stop()
    said = otd("endpoints", "show", "board-codec")
    assert said.code == 0
    assert "the connection was refused" in said.out


# --- compare and cutover ------------------------------------------------------------------------------------------


def test_compare_judges_every_room_and_counts_over_the_fleet(otd: Otd, store: SqlStore, codec: Codec) -> None:
    store.put_desired(wanted(a_booking("b1"), a_booking("b2", NOON + HOUR)), "d2")
    codec.overwrite((held("tms-1"), held("tms-2", NOON + HOUR, ""), held("tms-3", NOON + 2 * HOUR)))
    said = otd("endpoints", "compare", "--json")
    found = json.loads(said.out)
    assert said.code == 1
    assert found["total"] == {"same": 1, "better": 1, "worse": 1, "other": 0, "unread": 0}
    (room,) = found["rooms"]
    assert (room["room"], room["verdict"]) == ("board", "worse")
    assert "example.com" not in said.out
    assert "Numbers" not in said.out
    assert codec.puts == ()


def test_compare_says_what_it_could_not_read(otd: Otd, store: SqlStore, codec: Codec) -> None:
    codec.stop()
    said = otd("endpoints", "compare")
    assert said.code == 1
    assert "fleet: 0 same, 0 better, 0 worse, 0 other, 1 unread" in said.out


def test_a_pool_is_cut_over_and_back(otd: Otd, store: SqlStore, tmp_path: Path, codec: Codec) -> None:
    write_settings(tmp_path, codec, pool='mode = "observe"')
    settings = load(tmp_path / "otd.toml", {})
    store.adopt(settings.rooms.values(), settings.endpoints.values(), {"post": 4, "hq": 4, "house": 4}, "observing")
    assert store.endpoint("board-codec").mode == "observe"
    said = otd("pools", "cutover", "hq")
    assert said.code == 0
    assert "pool cut over" in said.err
    assert store.endpoint("board-codec").mode == "deliver"
    (pool,) = json.loads(otd("pools", "list", "--json").out)
    assert (pool["mode"], pool["by"]) == ("deliver", "cutover")
    otd("pools", "cutover", "hq", "--back")
    assert store.endpoint("board-codec").mode == "observe"
    assert otd("pools", "cutover", "nowhere").code == 2


# --- push, retry, pin ---------------------------------------------------------------------------------------------


def test_a_push_makes_the_list_due_under_a_new_number(otd: Otd, store: SqlStore) -> None:
    before = answer(store, "confirmed")
    assert otd("endpoints", "push", "board-codec").code == 0
    after = store.endpoint("board-codec")
    assert after.revision > before.revision
    assert any(row.name == "board-codec" and row.due <= store.now() for row in store.work())


def test_a_retry_tries_as_if_for_the_first_time(otd: Otd, store: SqlStore) -> None:
    assert answer(store, "denied", reason="password").failures == 1
    assert otd("endpoints", "retry", "board-codec").code == 0
    assert store.endpoint("board-codec").failures == 0
    assert otd("rooms", "retry", "board").code == 0


def test_a_new_certificate_is_accepted_after_both_were_shown(
    otd: Otd, store: SqlStore, tmp_path: Path, codec: Codec
) -> None:
    settings = load(tmp_path / "otd.toml", {})
    old = codec.fingerprint
    memory = wiring.memory(settings, "hq-1")
    memory.pin("board-codec", old)
    codec.change_certificate()
    assert old in otd("endpoints", "probe", "board-codec").out
    said = otd("endpoints", "pin", "board-codec", "--yes")
    assert said.code == 0
    assert old in said.out
    assert codec.fingerprint in said.out
    assert memory.get("board-codec") == codec.fingerprint
    memory.close()
    assert codec.log == (), "nothing was sent to a certificate that nobody had accepted"
    assert otd("endpoints", "probe", "board-codec").code == 0
    assert store.endpoint("board-codec").endpoint.pin == codec.fingerprint
    (act,) = store.audit(("endpoint:board-codec",), kinds=("act",))
    assert (act.word, act.why) == ("pin", f"accepted {codec.fingerprint}")


def test_looks_from_here_go_by_what_the_centre_knows_of_the_certificate(
    otd: Otd, store: SqlStore, codec: Codec
) -> None:
    answer(store, "confirmed", pin=codec.fingerprint)
    codec.change_certificate()
    codec.forget_log()
    assert "another certificate" in otd("endpoints", "probe", "board-codec").out
    assert "another certificate" in otd("endpoints", "show", "board-codec").out
    assert "another certificate" in otd("check").out
    assert codec.log == ()


def test_what_cannot_be_reached_from_here_is_accepted_as_the_relay_was_shown_it(
    otd: Otd, store: SqlStore, codec: Codec
) -> None:
    old, new = codec.fingerprint, self_signed("new").fingerprint
    codec.stop()
    assert otd("endpoints", "pin", "board-codec", "--yes").code == 1
    answer(store, "untrusted", pin=old, shown=new)
    said = otd("endpoints", "pin", "board-codec", "--yes")
    assert said.code == 0
    assert f"known by: {old}" in said.out
    assert f"shown to hq-1 at {store.now():%Y-%m-%d}" in said.out
    assert (store.endpoint("board-codec").endpoint.pin, store.endpoint("board-codec").failures) == (new, 0)


def test_where_all_relays_are_elsewhere_what_they_were_shown_counts(
    otd: Otd, store: SqlStore, tmp_path: Path, codec: Codec
) -> None:
    """At this address there may be something else here."""
    new = self_signed("new").fingerprint
    answer(store, "untrusted", pin=self_signed("old").fingerprint, shown=new)
    settings = tmp_path / "otd.toml"
    elsewhere = '[bus]\nbroker = "broker"\nrelays_address = "bus.example.com:443"\n'
    settings.write_text(settings.read_text().replace('[relays.hq-1]\npool = "hq"\n', elsewhere))
    said = otd("endpoints", "pin", "board-codec", "--yes")
    assert (said.code, said.err) == (0, "")
    assert codec.fingerprint not in said.out
    assert store.endpoint("board-codec").endpoint.pin == new


def test_the_certificate_of_a_polycom_endpoint_that_is_looked_at_is_accepted_too(
    otd: Otd, store: SqlStore, tmp_path: Path, codec: Codec
) -> None:
    file = tmp_path / "otd.toml"
    file.write_text(file.read_text().replace('kind = "cisco"', 'kind = "polycom"\nmodel = "gs"'))
    assert "otd run" in otd("endpoints", "pin", "board-codec", "--yes").err
    settings = load(file, {})
    store.adopt(settings.rooms.values(), settings.endpoints.values(), {"post": 4, "hq": 4, "house": 4}, "polycom")
    assert otd("endpoints", "pin", "board-codec", "--yes").code == 0
    assert store.endpoint("board-codec").endpoint.pin == codec.fingerprint
    file.write_text(file.read_text().replace('credential = "codec"', ""))
    assert otd("endpoints", "pin", "board-codec", "--yes").code == 2


def test_no_certificate_is_accepted_for_what_the_database_does_not_know(
    otd: Otd, store: SqlStore, codec: Codec
) -> None:
    store.adopt((), (), {"hq": 4, "house": 4}, "none")
    refused = otd("endpoints", "pin", "board-codec", "--yes")
    assert refused.code == 1
    assert "otd run" in refused.err
