"""`otd endpoints probe`, `show` and `compare` where the relays are elsewhere: what an administrator sees, and is
told when no answer comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from otd import wiring
from otd.bus.local import LocalBus
from otd.executor import LocalExecutor
from otd.lab.certificates import self_signed
from otd.lab.codec import Codec
from otd.model import Settled
from otd.pipeline import Pipeline
from otd.relay.memory import Memory
from otd.relay.service import Relay
from otd.settings import Settings, load
from otd.store.sql import SqlStore
from tests.adapters.cli import Otd, otd
from tests.adapters.test_cli_endpoints import HOUR, NOON, a_booking, answer, codec, held, wanted, write_settings
from tests.values import SECOND
from tests.waiting import until

__all__ = ["codec", "otd"]

LANES = {"post": 4, "hq": 4, "house": 4}
ELSEWHERE = '[bus]\nbroker = "broker"\nrelays_address = "bus.example.com:443"\n'


@pytest.fixture
def settings(tmp_path: Path, codec: Codec) -> Settings:
    write_settings(tmp_path, codec, pool='mode = "observe"')
    file = tmp_path / "otd.toml"
    file.write_text(file.read_text().replace('[relays.hq-1]\npool = "hq"\n', ELSEWHERE))
    return load(file, {})


@pytest.fixture
def store(settings: Settings) -> Iterator[SqlStore]:
    store = wiring.store(settings)
    store.adopt(settings.rooms.values(), settings.endpoints.values(), LANES, "settings")
    store.put_desired(wanted(a_booking("b1"), a_booking("b2", NOON + HOUR)), "d1")
    yield store
    store.close()


class Elsewhere:
    """A centre at work, and a relay that alone reaches the endpoints."""

    def __init__(self, settings: Settings, store: SqlStore) -> None:
        self.bus, memory = LocalBus(concurrency=2), Memory()
        pipeline = Pipeline(
            store=store,
            calendars={"post": wiring.calendar(settings, "post", wiring.SystemClock())},
            bus=self.bus,
            rooms=settings.rooms,
            endpoints=settings.endpoints,
            rules=wiring.rulebook(settings),
        )
        self.executor = LocalExecutor(store, pipeline.carry_out, threads=2, owner="test")
        self.relay = Relay(
            name="hq-1",
            pool="hq",
            bus=self.bus.relay("hq-1", "hq"),
            drivers=wiring.drivers_with(wiring.secrets(settings), memory, {}),
            memory=memory,
            clock=wiring.SystemClock(),
        )
        self.bus.listen(pipeline.apply_receipt, pipeline.apply_hello)
        self.relay.start()
        self.executor.start()
        until(lambda: store.endpoint("board-codec").receipt is not None, timedelta(seconds=30), "a first look")

    def close(self) -> None:
        self.executor.stop(within=10 * SECOND)
        self.relay.stop()
        self.bus.close()


@pytest.fixture
def elsewhere(settings: Settings, store: SqlStore) -> Iterator[Elsewhere]:
    found = Elsewhere(settings, store)
    yield found
    found.close()


def test_a_probe_says_what_the_endpoint_is_as_a_relay_sees_it(otd: Otd, elsewhere: Elsewhere, codec: Codec) -> None:
    codec.state.settings["UserInterface Bookings Visibility Title"] = "Hidden"
    said = otd("endpoints", "probe", "board-codec", "--json")
    found = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert (found["answers"], found["looked"], found["product"]) == (True, "hq-1", codec.profile.product)
    assert (found["role"], found["can"], found["bookings"]) == ("admin", ["list bookings", "take bookings"], 0)
    assert found["certificate"] == codec.fingerprint
    assert [lack["code"] for lack in found["lacks"]] == ["hidden"]
    assert codec.puts == ()
    assert codec.sessions == ()


def test_show_puts_what_should_be_beside_what_a_relay_sees(
    otd: Otd, store: SqlStore, elsewhere: Elsewhere, codec: Codec
) -> None:
    codec.overwrite((held("b1"), held("tms-9", NOON + 3 * HOUR)))
    found = json.loads(otd("endpoints", "show", "board-codec", "--json").out)
    assert [(row["mark"], row["id"], row["differs"]) for row in found["list"]] == [
        ("=", "b1", ""),
        ("+", "b2", "missing"),
        ("-", "tms-9", "foreign"),
    ]
    assert (found["state"], found["reading_it_now"]) == ("observed", "worked")
    shown = otd("endpoints", "show", "board-codec").out
    assert "Numbers" in shown
    assert "1@example.com" in shown
    assert codec.puts == ()


def test_compare_judges_what_relays_see_and_counts_over_the_fleet(
    otd: Otd, store: SqlStore, elsewhere: Elsewhere, codec: Codec
) -> None:
    codec.overwrite((held("tms-1"), held("tms-2", NOON + HOUR, ""), held("tms-3", NOON + 2 * HOUR)))
    said = otd("endpoints", "compare", "--json")
    found = json.loads(said.out)
    assert said.code == 1
    assert found["total"] == {"same": 1, "better": 1, "worse": 1, "other": 0, "unread": 0}
    assert "Numbers" not in said.out
    assert "example.com" not in said.out
    assert codec.puts == ()


def test_where_nobody_works_each_says_so(otd: Otd, store: SqlStore) -> None:
    probed = otd("endpoints", "probe", "board-codec", "--within", "2s")
    assert probed.code == 1
    assert "nobody works on what is due\n  start `otd run`, or the workers" in probed.out
    shown = otd("endpoints", "show", "board-codec", "--within", "2s")
    assert "reading_it_now  nobody works on what is due (start `otd run`, or the workers" in shown.out
    compared = otd("endpoints", "compare", "--within", "2s")
    assert compared.code == 1
    assert "nobody works on what is due" in compared.out
    assert "fleet: 0 same, 0 better, 0 worse, 0 other, 1 unread" in compared.out
    for said in (probed, shown, compared):
        assert "[relays]" not in said.out + said.err


def test_an_endpoint_that_does_not_answer_the_relay(otd: Otd, elsewhere: Elsewhere, codec: Codec) -> None:
    codec.stop()
    said = otd("endpoints", "probe", "board-codec", "--json")
    (lack,) = json.loads(said.out)["lacks"]
    assert said.code == 1
    assert lack["code"] == "unreachable"
    assert lack["text"].startswith("relay hq-1: the connection was refused")


def test_a_certificate_that_changed(otd: Otd, elsewhere: Elsewhere, store: SqlStore, codec: Codec) -> None:
    codec.change_certificate()
    codec.forget_log()
    said = otd("endpoints", "probe", "board-codec")
    assert said.code == 1
    assert "it shows another certificate" in said.out
    assert "`otd endpoints pin board-codec`" in said.out
    assert codec.log == ()


def test_a_password_that_was_refused_is_not_tried_again(otd: Otd, store: SqlStore, codec: Codec) -> None:
    answer(store, "denied", reason="password", detail="it refused the user name or password", mend="set it")
    (work,) = store.claim("test", limit=1, lease=HOUR, kinds=("deliver",))
    store.finish(work, Settled(after=HOUR, error="it refused the user name or password", code="denied", parked=True))
    said = otd("endpoints", "probe", "board-codec", "--json")
    (lack,) = json.loads(said.out)["lacks"]
    assert (said.code, lack["code"]) == (1, "denied")
    assert "it needs a person first: it refused the user name or password, found by hq-1" in lack["text"]
    assert codec.log == ()


def test_what_the_database_does_not_know_cannot_be_asked_about(otd: Otd, settings: Settings, tmp_path: Path) -> None:
    assert "there is no database yet" in otd("endpoints", "probe", "board-codec").err
    wiring.store(settings).close()
    said = otd("endpoints", "probe", "board-codec")
    assert said.code == 1
    assert "the database does not know it at this address yet\n  start `otd run` or a worker" in said.out


def test_a_polycom_endpoint_that_only_fetches_is_not_asked(
    otd: Otd, settings: Settings, store: SqlStore, tmp_path: Path
) -> None:
    file = tmp_path / "otd.toml"
    text = file.read_text().replace('kind = "cisco"', 'kind = "polycom"\nmodel = "gs"')
    lines = (line for line in text.splitlines(keepends=True) if not line.startswith(("address =", "credential =")))
    file.write_text("".join(lines))
    changed = load(file, {})
    store.adopt(changed.rooms.values(), changed.endpoints.values(), LANES, "polycom")
    assert "it fetches its list, and nothing says how" in otd("endpoints", "probe", "board-codec").out


def test_a_span_that_is_none_is_refused(otd: Otd, settings: Settings) -> None:
    said = otd("endpoints", "probe", "board-codec", "--within", "soon")
    assert said.code == 2
    assert "--within" in said.err


def test_what_needs_a_person_is_told_as_it_was_found(
    otd: Otd, elsewhere: Elsewhere, store: SqlStore, codec: Codec
) -> None:
    store.pin("board-codec", self_signed("other").fingerprint)
    assert "relay hq-1: it shows another certificate" in otd("endpoints", "show", "board-codec").out

    def is_parked() -> bool:
        return any(row.parked for row in store.work() if row.kind == "deliver")

    until(is_parked, timedelta(seconds=30), "that it needs a person")
    said = otd("endpoints", "show", "board-codec")
    assert "it needs a person first: it shows another certificate" in said.out
    assert "`otd endpoints pin board-codec`" in said.out
