"""The store on PostgreSQL: the contract, and what belongs to a server that several processes share."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from otd.errors import BadSetting, Unreachable
from otd.model import Settled
from otd.ports import Clock, Store
from otd.store import SqlStore
from tests.adapters import postgresql
from tests.contracts.store import StoreContract
from tests.contracts.store_case import CAPS, KEY, LEASE, a_list, a_room
from tests.values import an_endpoint

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql.database() as url:
        SqlStore(url, KEY).close()
        yield url


@pytest.fixture
def database(server: str) -> str:
    postgresql.empty(server)
    return server


class TestPostgresql(StoreContract):
    def open(self, database: str, clock: Clock, rng: random.Random) -> Store:
        return SqlStore(database, KEY, actor="ann", clock=clock, rng=rng)


def test_the_clock_is_the_databases(database: str) -> None:
    with contextlib.closing(SqlStore(database, KEY)) as store:
        assert abs(store.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_server_knows_of_many_new_rows_at_once(database: str) -> None:
    with contextlib.closing(SqlStore(database, KEY)) as store, psycopg.connect(database) as other:
        store.adopt([a_room(n) for n in range(500)], [], CAPS, "d")
        counted = other.execute("SELECT reltuples FROM pg_class WHERE relname = 'work'").fetchone()
    assert counted == (500,)


def test_several_processes_share_the_rows_and_the_caps(database: str) -> None:
    stores = [SqlStore(database, KEY) for _ in range(3)]
    stores[0].adopt([a_room(n) for n in range(1, 61)], [], CAPS | {"office": 5}, "d")
    running: set[str] = set()
    done: list[str] = []
    wrong: list[str] = []
    guard = threading.Lock()

    def work_on(number: int) -> None:
        store = stores[number % 3]
        while len(done) < 60:
            for work in store.claim(f"host{number}", limit=4, lease=LEASE):
                with guard:
                    if work.name in running or len(running) >= 5:
                        wrong.append(work.name)
                    running.add(work.name)
                store.hint("refresh", "room1", delay=timedelta(hours=1))
                with guard:
                    running.discard(work.name)
                    done.append(work.name)
                store.finish(work, Settled(after=timedelta(days=1)))

    with ThreadPoolExecutor(6) as threads:
        for future in [threads.submit(work_on, n) for n in range(6)]:
            future.result()
    for store in stores:
        store.close()
    assert wrong == []
    assert sorted(done) == sorted(f"room{n}" for n in range(1, 61))


def test_settings_are_adopted_while_others_work(database: str) -> None:
    stores = [SqlStore(database, KEY) for _ in range(3)]
    rooms, endpoints = [a_room(n) for n in range(1, 11)], [an_endpoint()]
    stores[0].adopt(rooms, endpoints, CAPS | {"office": 20}, "d")

    def work_on(store: SqlStore) -> int:
        done = 0
        for number in range(30):
            for work in store.claim("me", limit=3, lease=LEASE):
                store.begin(work)
                store.put_desired(a_list(f"b{number}"), f"d{number}")
                pause = timedelta(milliseconds=1) if number % 3 == 0 else None
                store.finish(work, Settled(after=timedelta(0), pause_lane=pause))
                done += 1
        return done

    def adopt(number: int) -> None:
        for turn in range(10):
            caps = CAPS | {"office": 10 + turn}
            stores[number].adopt(rooms[: 5 + turn % 5], endpoints, caps, f"{number}{turn}")

    with ThreadPoolExecutor(4) as threads:
        working = [threads.submit(work_on, stores[n % 3]) for n in range(2)]
        adopting = [threads.submit(adopt, n) for n in (1, 2)]
        assert all(future.result() > 0 for future in working)
        for future in adopting:
            future.result()
    for store in stores:
        store.close()


def test_several_processes_may_start_on_an_empty_database_at_once() -> None:
    with postgresql.database() as url, ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(lambda _: SqlStore(url, KEY), range(4)))
        list(threads.map(lambda store: store.adopt([a_room()], [an_endpoint()], CAPS, "d"), stores))
        assert [len(store.work()) for store in stores] == [2, 2, 2, 2]
        for store in stores:
            store.close()


def test_a_database_that_was_restarted_is_unreachable_once_and_then_goes_on(database: str) -> None:
    with contextlib.closing(SqlStore(database, KEY)) as store:
        store.adopt([a_room()], [], CAPS, "d")
        postgresql.cut(database)
        with pytest.raises(Unreachable) as lost:
            store.claim("me", limit=1, lease=LEASE)
        assert "is the server running" in lost.value.mend
        assert len(store.claim("me", limit=1, lease=LEASE)) == 1


def test_a_row_that_another_transaction_writes_is_passed_over(database: str) -> None:
    with contextlib.closing(SqlStore(database, KEY)) as store, psycopg.connect(database) as other:
        store.adopt([a_room(1), a_room(2)], [], CAPS, "d")
        other.execute("UPDATE work SET attempt = 1 WHERE name = 'room1'")
        assert [work.name for work in store.claim("me", limit=9, lease=LEASE)] == ["room2"]
        other.rollback()
        assert [work.name for work in store.claim("me", limit=9, lease=LEASE)] == ["room1"]


def test_a_server_that_is_not_there_is_unreachable_and_says_where() -> None:
    with pytest.raises(Unreachable) as lost:
        SqlStore("postgresql://me:secret@127.0.0.1:1/otd", KEY)
    assert "127.0.0.1:1/otd" in str(lost.value)
    assert "secret" not in str(lost.value)


def test_a_database_that_does_not_exist_is_refused_with_what_to_do(server: str) -> None:
    with pytest.raises(BadSetting, match="createdb"):
        SqlStore(f"{postgresql.SERVER}/otd_test_no_such", KEY)


def test_a_user_that_does_not_exist_is_refused() -> None:
    nobody = postgresql.SERVER.replace("postgres@", "otd_test_nobody@")
    with pytest.raises(BadSetting, match="createuser"):
        SqlStore(f"{nobody}/postgres", KEY)


def test_a_database_of_another_key_is_refused(database: str) -> None:
    with pytest.raises(BadSetting, match="another key"):
        SqlStore(database, b"another key, long enough")
