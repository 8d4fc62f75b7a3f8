"""`otd cluster check`: the broker, the database, and what stands between them, each tried once."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import print_json, progress

if TYPE_CHECKING:
    from otd.bus.broker import Broker
    from otd.cli.checks import Check, Line
    from otd.settings import Settings
    from otd.store.sql import SqlStore

CLOCK = timedelta(seconds=2)  # between this host and the database; leases and due times go by the database's
RELAY_CLOCK = timedelta(seconds=10)  # of a relay: reported as a fault of its own
OVERDUE = timedelta(minutes=2)  # work that waits for longer is not carried out


@click.command(epilog=examples("otd cluster check", "otd cluster check --config /etc/otd/otd.toml --json"))
@with_config
@with_json
def check(config: str, as_json: bool) -> int:
    """Check broker, database, queues, permissions, clocks and alarms.

    A line each says what was tried, the result, the consequence and what to do. Nothing is changed: a queue and an
    exchange of its own are made and removed. The exit code is 0 when all is well, 1 when something does not work.
    """
    from otd.cli.check import show
    from otd.cli.checks import run_all

    settings = settings_of(config)
    lines: list[Line] = []
    checks = everything(settings)
    with progress(lambda: f"checked {len(lines)} of {len(checks)}"):
        lines.extend(run_all(checks))
    code = 0 if all(line.ok for line in lines) else 1
    if as_json:
        print_json({"ok": code == 0, "checks": [asdict(line) for line in lines]})
    else:
        for line in lines:
            show(line)
    return code


def everything(settings: Settings) -> list[Check]:
    """All lines, in the order in which a person reads them. Raises BadSetting without [bus]."""
    from otd import wiring
    from otd.bus.amqp import RECEIPTS, declare_exchanges, declare_orders, pool_queue
    from workers.app import QUEUES

    work, relays = wiring.work_broker(settings), wiring.relays_broker(settings)
    checks: list[Check] = []
    for broker, who in ((work, "workers"), (relays, "relays")):
        checks += [partial(_enters, broker, who), partial(_works, broker, who)]
    nobody = "start a worker for this queue: `otd worker`"
    for name in QUEUES.values():
        checks.append(partial(_queue, work, name, nobody))
    checks.append(partial(_dead_letters, work))
    checks.append(partial(_queue, relays, RECEIPTS, "start a worker or `otd run`", declare_exchanges))
    for pool in settings.pools:
        name = pool_queue(pool)
        checks.append(partial(_queue, relays, name, f"start a relay of pool {pool}", declare_orders(name)))
    return [*checks, partial(_database, settings), partial(_clock, settings), partial(_relays, settings)]


def _enters(broker: Broker, who: str) -> Line:
    from otd.bus.checking import version
    from otd.cli.checks import Line, failed
    from otd.errors import OtdError

    tried = f"entered {broker.vhost} as {broker.user}, {'TLS' if broker.tls else 'without TLS'}"
    consequence = f"nothing reaches {who}"
    try:
        return Line(kind="broker", name=who, tried=tried, ok=True, result=version(broker))
    except OtdError as error:
        return failed("broker", who, tried, error, consequence)


def _works(broker: Broker, who: str) -> Line:
    from otd.bus.checking import may_everything
    from otd.cli.checks import Line, failed
    from otd.errors import OtdError

    tried = "permissions and alarms: made a queue, sent a message through it"
    try:
        may_everything(broker)
    except OtdError as error:
        return failed("broker", who, tried, error, f"no queue can be made or no message is taken for {who}")
    return Line(kind="broker", name=who, tried=tried, ok=True, result="everything is allowed, messages are taken")


def _queue(broker: Broker, name: str, nobody: str, declare: object = None) -> Line:
    from otd.bus.checking import queue
    from otd.cli.checks import Line, failed
    from otd.errors import OtdError

    tried = "looked at it"
    try:
        waiting, takers = queue(broker, name, declare)  # type: ignore[arg-type]
    except OtdError as error:
        return failed("queue", name, tried, error, "what goes through it waits")
    result = f"{waiting} wait, {takers} take from it"
    if takers:
        return Line(kind="queue", name=name, tried=tried, ok=True, result=result)
    return Line(
        kind="queue",
        name=name,
        tried=tried,
        ok=False,
        result=result,
        consequence="what goes through it waits",
        mend=nobody,
    )


def _dead_letters(broker: Broker) -> Line:
    from otd.bus.checking import queue
    from otd.cli.checks import Line, failed
    from otd.errors import OtdError

    tried = "looked for tasks that were set aside"
    try:
        waiting, _ = queue(broker, "otd.dead")
    except OtdError as error:
        return failed("queue", "otd.dead", tried, error, "tasks that were handed out too often are dropped")
    mend = "look at the workers' logs for what killed them; the rows were claimed anew; then purge the queue"
    return Line(
        kind="queue",
        name="otd.dead",
        tried=tried,
        ok=not waiting,
        result=f"{waiting} were handed out too often" if waiting else "none",
        consequence="some work ends the workers that take it up" if waiting else "",
        mend=mend if waiting else "",
    )


def _opened(settings: Settings) -> SqlStore:
    """The database as it is: not brought up to date."""
    from otd import wiring

    return wiring.store(settings, migrate=False)


def _database(settings: Settings) -> Line:
    from otd.cli.checks import Line, failed
    from otd.errors import OtdError

    name, tried = settings.run.database.rpartition("@")[2], "opened it, looked at its tables and at what is due"
    try:
        store = _opened(settings)
        try:
            now = store.now()
            overdue = [row for row in store.work() if not row.parked and row.due < now - OVERDUE]
        finally:
            store.close()
    except OtdError as error:
        return failed("database", name, tried, error, "nothing works without it")
    shared = "" if settings.run.database_file is None else "; a file: workers must all be on this host"
    if overdue:
        longest = min(overdue, key=lambda row: row.due)
        late = (now - longest.due) // timedelta(seconds=1)
        return Line(
            kind="database",
            name=name,
            tried=tried,
            ok=False,
            result=f"its tables are right; {len(overdue)} rows overdue, {longest.kind} {longest.name} for {late} s",
            consequence="calendars are read and endpoints served late",
            mend="start more workers, and look at what `otd status` says of these",
        )
    result = f"its tables are right; nothing is overdue{shared}"
    return Line(kind="database", name=name, tried=tried, ok=True, result=result)


def _clock(settings: Settings) -> Line:
    from otd.cli.checks import Line, failed
    from otd.errors import OtdError

    tried = "compared this host's with the database's"
    try:
        store = _opened(settings)
        try:
            before = datetime.now(UTC)
            there = store.now()
            after = datetime.now(UTC)
        finally:
            store.close()
    except OtdError as error:
        return failed("clock", "this host", tried, error, "nobody knows what time it is")
    ahead = before + (after - before) / 2 - there
    seconds = f"{ahead.total_seconds():+.1f} s"
    if abs(ahead) <= CLOCK + (after - before):
        return Line(kind="clock", name="this host", tried=tried, ok=True, result=seconds)
    consequence = "logs of this host tell wrong times; leases and due times go by the database's clock and are right"
    mend = "synchronise it: chronyc tracking, or timedatectl"
    return Line(
        kind="clock", name="this host", tried=tried, ok=False, result=seconds, consequence=consequence, mend=mend
    )


def _relays(settings: Settings) -> Line:
    from otd.cli.checks import Line, failed
    from otd.deliveries import is_alive
    from otd.errors import OtdError

    tried = "looked at what they last said"
    try:
        store = _opened(settings)
        try:
            now, members, states = store.now(), store.members.all(), store.relays()
        finally:
            store.close()
    except OtdError as error:
        return failed("relays", "all", tried, error, "nobody knows how they are")
    alive = {state.name for state in states if is_alive(state, now)}
    wanted = [member.relay for member in members if member.revoked_at is None]
    gone = [name for name in wanted if name not in alive]
    wrong = [state.name for state in states if state.name in alive and abs(state.clock_offset) > RELAY_CLOCK]
    problems = [f"gone: {', '.join(gone)}"] * bool(gone) + [f"clock wrong: {', '.join(wrong)}"] * bool(wrong)
    if not wanted:
        problems = ["none was let in"]
    return Line(
        kind="relays",
        name="all",
        tried=tried,
        ok=not problems,
        result="; ".join(problems) or f"{len(wanted)} are there",
        consequence="their siblings do their work, if they have any" if problems else "",
        mend="look at each with `otd relay check` on its machine, `otd relays add` lets one in" if problems else "",
    )
