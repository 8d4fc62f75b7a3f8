"""Everything that can die dies, and nothing is lost: fault schedules on a whole installation with a broker (TLS) and a
database of its own. TEST_SEED repeats what chance chose.

After every schedule each endpoint shows exactly what its mailbox holds, the centre has seen it there, and nothing was
written after the `act_by` of the order that it was written for.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kombu import Connection

from otd.errors import OtdError
from otd.lab import rabbit
from otd.lab.scene import PLACES
from tests.cluster.database import OwnDatabase, own_database
from tests.cluster.house import House, house
from tests.cluster.node import OwnNode, own_node
from tests.scenarios.conftest import chance as chance
from tests.scenarios.conftest import everything_shown
from tests.waiting import until

pytestmark = pytest.mark.cluster
SWEEP = timedelta(seconds=120)  # a lease that a dead worker held (90 s), and what is then to be done
ON_TIME = timedelta(seconds=0.5)  # between two looks at the same clock
MOVABLE = (("boardroom", "Quarterly numbers"), ("atrium", "Projekt Nordlicht"))


class Field:
    """The installation, and what the schedules do to it."""

    def __init__(self, house: House, broker: OwnNode, database: OwnDatabase) -> None:
        self.house, self.broker, self.database = house, broker, database
        self._minutes = 5

    def stir(self, moves: int = 1) -> None:
        """Meetings are moved, each time to another start."""
        scene = self.house.scene
        for _ in range(moves):
            for room, subject in MOVABLE:
                self._minutes = self._minutes % 55 + 1
                scene.mailbox(room).move(scene.ids[subject], scene.now + timedelta(minutes=self._minutes))

    def rest(self, seconds: float) -> None:
        """Time passes: for the others to notice what happened, or to do something meanwhile."""
        threading.Event().wait(seconds)

    def settled(self, what: str) -> None:
        """All is as it must be."""
        for process in (*self.house.workers.values(), *self.house.relays.values()):
            assert process.is_running, process.log[-3000:]
        self.house.until_everything_is_shown(f"the lists after {what}", SWEEP)
        until(self._all_confirmed, SWEEP, f"the confirmations after {what}")
        assert everything_shown(self.house.scene)
        self._nothing_was_written_late()

    def _all_confirmed(self) -> bool:
        try:
            states = self.house.store.endpoints()
        except OtdError:  # its connections are those of before
            return False
        return len(states) == len(PLACES) and all(
            state.desired is not None
            and state.receipt is not None
            and (state.receipt.outcome, state.receipt.revision) == ("confirmed", state.desired.revision)
            for state in states
        )

    def _nothing_was_written_late(self) -> None:
        begun: dict[str, list[tuple[float, float]]] = {}
        for relay in self.house.relays.values():
            for line in relay.log.splitlines():
                with contextlib.suppress(ValueError):
                    said = json.loads(line)
                    if said.get("event") == "order begun" and said["verb"] != "read":
                        begun.setdefault(said["endpoint"], []).append((said["begun"], said["act_by"]))
        for endpoint, codec in self.house.scene.codecs.items():
            for put in codec.puts:
                at = put.at.timestamp()
                orders = [span for span in begun.get(endpoint, []) if span[0] <= at + ON_TIME.total_seconds()]
                assert orders, f"{endpoint} was written at {put.at} without an order"
                last = max(orders)  # that was begun before it
                assert at <= last[1] + ON_TIME.total_seconds(), f"{endpoint} was written after its act_by"


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    folder: Path = tmp_path_factory.mktemp("field")
    pools = {"relay-a": "hq", "relay-b": "hq", "relay-c": "branch"}
    with (
        own_node(folder / "broker") as broker,
        own_database() as database,
        house(folder, node=broker, database=database.url, relays=pools) as installation,
    ):
        installation.worker("one")
        installation.worker("two")
        for name, pool in pools.items():
            installation.relay(name, pool)
        found = Field(installation, broker, database)
        found.settled("the start")
        yield found


def a_worker_is_killed(field: Field, chance: random.Random) -> None:
    worker = field.house.workers[chance.choice(["one", "two"])]
    for _ in range(3):
        field.stir()
        field.rest(chance.uniform(0.5, 4))
        worker.end(signal.SIGKILL)
        worker.start()


def a_relay_is_killed(field: Field, chance: random.Random) -> None:
    relay = field.house.relays[chance.choice(["relay-a", "relay-b"])]
    for _ in range(3):
        field.stir()
        field.rest(chance.uniform(0.5, 4))
        relay.end(signal.SIGKILL)
        relay.start()


def a_relay_is_frozen_past_the_act_by_of_what_it_holds(field: Field, chance: random.Random) -> None:
    relay = field.house.relays[chance.choice(["relay-a", "relay-b"])]
    for codec in field.house.scene.codecs.values():
        codec.faults.slow = timedelta(seconds=1)  # so that it is frozen in the middle of a write
    field.stir()
    field.rest(chance.uniform(2, 4))
    relay.send(signal.SIGSTOP)
    for codec in field.house.scene.codecs.values():
        codec.faults.slow = timedelta(0)
    for _ in range(4):
        field.stir()
        field.rest(16)
    relay.send(signal.SIGCONT)


def the_broker_is_stopped(field: Field, chance: random.Random) -> None:
    field.stir()
    field.rest(chance.uniform(0, 3))
    field.broker.stop()
    field.stir()
    field.rest(chance.uniform(0, 6))
    field.broker.start()


def the_broker_is_killed(field: Field, chance: random.Random) -> None:
    field.stir()
    field.rest(chance.uniform(0, 3))
    field.broker.kill()
    field.stir()
    field.rest(chance.uniform(0, 6))
    field.broker.start()


def the_broker_runs_out_of(kind: str) -> Callable[[Field, random.Random], None]:
    def schedule(field: Field, chance: random.Random) -> None:
        field.broker.alarm(kind, on=True)
        field.stir(2)
        field.rest(chance.uniform(8, 15))
        field.broker.alarm(kind, on=False)

    return schedule


def the_database_is_restarted(field: Field, chance: random.Random) -> None:
    field.stir()
    field.rest(chance.uniform(0, 3))
    field.database.stop()
    field.stir()
    field.rest(chance.uniform(0, 6))
    field.database.start()


def the_database_is_set_back(field: Field, chance: random.Random) -> None:
    field.database.keep_copy()
    for _ in range(3):
        field.stir()
        field.rest(chance.uniform(2, 4))
    field.settled("what is to be forgotten")
    field.database.restore()


def a_connection_is_cut_without_a_word(field: Field, chance: random.Random) -> None:
    link = field.house.links[chance.choice(["relay-a", "relay-b"])]
    link.silence()
    for _ in range(3):
        field.stir()
        field.rest(chance.uniform(5, 9))
    link.heal()


def orders_come_twice_and_in_any_order(field: Field, chance: random.Random) -> None:
    relays = [field.house.relays[name] for name in ("relay-a", "relay-b")]
    for relay in relays:
        relay.send(signal.SIGSTOP)
    try:
        for _ in range(3):
            field.stir()
            field.rest(2.5)
        shuffle(field, chance)
    finally:
        for relay in relays:
            relay.send(signal.SIGCONT)


def shuffle(field: Field, chance: random.Random) -> None:
    """Put everything that waits for relays of hq back, twice, in another order."""
    at = rabbit.centre(field.house.relays_vhost, field.broker)
    tls = {"ca_certs": at.ca_file, "server_hostname": "127.0.0.1"}
    with Connection(
        f"amqp://guest:guest@127.0.0.1:{at.port}/{at.vhost}", ssl=tls, transport_options={"confirm_publish": True}
    ) as connection:
        channel = connection.default_channel
        for queue in ("pool.hq", "relay.relay-a", "relay.relay-b"):
            found = []
            while (message := channel.basic_get(queue, no_ack=True)) is not None:
                found += [message, message]
            chance.shuffle(found)
            for message in found:
                channel.basic_publish(message, exchange="otd.deliveries", routing_key=queue)


def the_clock_of_a_relay_is_wrong(field: Field, chance: random.Random) -> None:
    name = chance.choice(["relay-a", "relay-b"])
    field.house.relays[name].end()
    field.house.relay(name, ahead=timedelta(minutes=chance.choice([-10, 10])))
    for _ in range(3):
        field.stir()
        field.rest(3)


def every_relay_of_a_pool_is_gone_and_back(field: Field, chance: random.Random) -> None:
    relays = [field.house.relays[name] for name in ("relay-a", "relay-b")]
    for relay in relays:
        relay.end(chance.choice([signal.SIGKILL, signal.SIGTERM]))
    field.stir()
    field.rest(17)  # until the centre knows
    field.stir()
    assert not any(one.pool == "hq" and is_alive(field, one.name) for one in field.house.store.relays())
    for relay in relays:
        relay.start()


def is_alive(field: Field, relay: str) -> bool:
    from otd import deliveries

    (found,) = (one for one in field.house.store.relays() if one.name == relay)
    return deliveries.is_alive(found, field.house.store.now())


def an_endpoint_is_moved_to_another_pool(field: Field, chance: random.Random) -> None:
    config = field.house.scene.config
    text = config.read_text()
    head, begin, rest = text.partition("[endpoints.boardroom-codec]")
    assert begin
    if "[pools.branch]" not in head:
        head = head.replace("[pools.hq]", "[pools.branch]\n\n[pools.hq]")
    config.write_text(head + begin + rest.replace('pool = "hq"', 'pool = "branch"', 1))
    for name in chance.sample(["one", "two"], 2):
        field.house.workers[name].end()
        field.stir()
        field.house.workers[name].start()


def an_endpoint_loses_its_list(field: Field, chance: random.Random) -> None:
    for codec in field.house.scene.codecs.values():
        codec.drop_list()


SCHEDULES: dict[str, Callable[[Field, random.Random], None]] = {
    "worker-killed": a_worker_is_killed,
    "relay-killed": a_relay_is_killed,
    "relay-frozen": a_relay_is_frozen_past_the_act_by_of_what_it_holds,
    "broker-stopped": the_broker_is_stopped,
    "broker-killed": the_broker_is_killed,
    "memory-alarm": the_broker_runs_out_of("memory"),
    "disk-alarm": the_broker_runs_out_of("disk"),
    "database-restarted": the_database_is_restarted,
    "database-set-back": the_database_is_set_back,
    "connection-cut": a_connection_is_cut_without_a_word,
    "doubled-and-reordered": orders_come_twice_and_in_any_order,
    "wrong-clock": the_clock_of_a_relay_is_wrong,
    "pool-gone": every_relay_of_a_pool_is_gone_and_back,
    "list-lost": an_endpoint_loses_its_list,
    "moved": an_endpoint_is_moved_to_another_pool,
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_nothing_is_lost_and_nothing_stale_stays(field: Field, schedule: str, chance: random.Random) -> None:
    began = datetime.now(UTC)
    SCHEDULES[schedule](field, chance)
    field.settled(schedule)
    assert all(state.confirmed_at is not None for state in field.house.store.endpoints()), began
