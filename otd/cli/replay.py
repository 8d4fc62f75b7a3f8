"""`otd replay`: stored readings through today's rules, beside what the endpoints were told then."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import named
from otd.cli.replay_shown import Count, document, plain_of, print_end, print_replayed

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from otd.cli.reading_imports import Imports
    from otd.model import ReadingMark
    from otd.refresh import Rulebook
    from otd.replay import Replay
    from otd.settings import Settings
    from otd.store.sql import SqlStore

READING = re.compile(r"[a-z0-9-]+/[0-9]+")  # an id


@click.command(
    epilog=examples(
        "otd replay boardroom",
        "otd replay --all --rules new.toml",
        'otd replay boardroom --since "tue 08:00" --until "tue 12:00"',
        'otd replay --failed --deliver --why "the gateway is back"',
        "otd replay boardroom/1795888806027",
        "otd replay --file boardroom.json",
    )
)
@click.argument("what", metavar="ROOM|READING", required=False)
@click.option("--all", "everything", is_flag=True, help="Every room.")
@click.option("--failed", is_flag=True, help="The rooms of endpoints whose list could not be delivered, or is parked.")
@click.option("--since", metavar="TIME", help="Every reading that held since then; without it the newest one.")
@click.option("--until", metavar="TIME", help="No later reading than this.")
@click.option("--file", "file", metavar="FILE", help="A reading that `otd readings export` wrote.")
@click.option("--rules", metavar="FILE", help="These rules in place of those in force.")
@click.option("--after", "behind", metavar="ID", default="", help="Go on behind this reading, where a replay stopped.")
@click.option("--deliver", is_flag=True, help="Have the endpoints that differ told anew.")
@click.option("--why", metavar="TEXT", default="", help="The reason, for the audit.")
@click.option("--passcodes", is_flag=True, help="Show dial strings whole, with their passcodes.")
@with_config
@with_json
def replay(what: str | None, config: str, as_json: bool, **given: Any) -> int:
    """Run the stored readings of ROOM, or one READING, through today's code and rules: what would be told otherwise?

    Booking by booking, what each endpoint was told then beside what it would be told now, with the names of the rules.
    Nothing is changed by it, and it may run beside a working installation, as often as you like. With --deliver the
    rooms of the endpoints that differ are read anew and their lists delivered, as after a change: the brake holds there
    too. The exit code is 1 when something differs.

    Of a room of which nothing is stored here, the readings that were imported are replayed (`otd readings import`).
    """
    settings = settings_of(config)
    _check(what, given)
    if given["file"]:
        return _replay_file(settings, config, as_json, given)
    from otd.cli.reaching import opened_store

    with opened_store(settings) as store:
        rules = _rules(settings, store, config, given["rules"])
        return _replay(settings, store, rules, what, as_json, given)


def _check(what: str | None, given: dict[str, Any]) -> None:
    chosen = [bool(what), given["everything"], given["failed"], bool(given["file"])]
    if sum(chosen) != 1:
        raise click.UsageError("name a room, or say one of --all, --failed and --file")
    if given["deliver"] and (given["rules"] or given["file"]):
        other = "--rules" if given["rules"] else "--file"
        raise click.UsageError(
            f"--deliver goes by the rules in force and by what is stored here, so it cannot be said with {other}; "
            "put new rules into the settings instead, and restart"
        )
    if given["why"] and not given["deliver"]:
        raise click.UsageError("--why is the reason for --deliver")
    if given["behind"] and not READING.fullmatch(given["behind"]):
        raise click.UsageError("--after is the id of a reading, such as boardroom/1795888806027")
    alone = ("since", "until", "behind") if given["file"] or "/" in (what or "") else ()
    for name in alone:
        if given[name]:
            option = "--after" if name == "behind" else f"--{name}"
            raise click.UsageError(f"{option} chooses among the readings of a room, and one reading is named already")


def _rules(settings: Settings, store: SqlStore | None, config: str, file: str | None) -> Rulebook:
    from otd.refresh import in_force
    from otd.wiring import rulebook

    own = rulebook(settings)
    if file:
        from otd.cli.invitations import desk
        from otd.cli.rules import plan_of

        return replace(own, plan=plan_of(file, desk(config)))
    return in_force(store, own) if store is not None else own


def _replay(
    settings: Settings,
    store: SqlStore,
    rules: Rulebook,
    what: str | None,
    as_json: bool,
    given: dict[str, Any],
) -> int:
    from otd.cli.output import progress

    failing = _failing(store) if given["failed"] else set()
    by, marks = _chosen(settings, store, rules, what, given, failing)
    count = Count()
    with progress(lambda: f"{count.readings} readings, {count.meetings} meetings, now {count.last}"):
        stopped = _go(by, marks, count, as_json, given["passcodes"])
    affected = dict(count.affected)
    for endpoint in failing & settings.endpoints.keys():
        affected.setdefault(endpoint, set(settings.endpoints[endpoint].rooms))
    delivered = []
    if given["deliver"] and not stopped:
        delivered = deliver(store, affected, failing, given["why"] or "replay")
    print_end(count, as_json, delivered, given["deliver"], stopped)
    if what is not None and not count.readings and not given["behind"]:
        click.echo(f"otd: no reading of {what} is kept of that time", err=True)
    return 130 if stopped else 1 if count.affected else 0


def _chosen(
    settings: Settings,
    store: SqlStore,
    rules: Rulebook,
    what: str | None,
    given: dict[str, Any],
    failing: set[str],
) -> tuple[Replay | Imports, Iterable[ReadingMark]]:
    """Which readings: this installation's own, or, of a room or reading of which none is stored here, imported ones."""
    from otd.cli.reading_imports import Imports
    from otd.replay import Replay

    own = Replay(store=store, rooms=settings.rooms, endpoints=settings.endpoints, rules=rules)
    others = Imports(store, rules)
    by, zone, mark = _whose(settings, own, others, what)
    if by is others and given["deliver"]:
        raise click.UsageError(
            f"{what} was imported: what it says is about endpoints elsewhere, so nothing is delivered"
        )
    if mark is not None:
        return by, [mark]
    names = [what] if what else [n for n in settings.rooms if not given["failed"] or n in _rooms_of(settings, failing)]
    since, until = _span(given, store.now(), ZoneInfo(zone))
    return by, by.marks(names, since, until, given["behind"])


def _whose(
    settings: Settings, own: Replay, others: Imports, what: str | None
) -> tuple[Replay | Imports, str, ReadingMark | None]:
    """Whose they are, the room's zone, and the reading itself where one was named."""
    if what is None:
        return own, "UTC", None
    if "/" in what:
        mark = own.mark(what)
        return (others, "UTC", others.mark(what)) if mark is None else (own, "UTC", mark)
    has_own = what in settings.rooms and any(own.marks([what]))
    imported = None if has_own else next(others.marks([what]), None)
    if imported is not None:
        return others, others.exported(imported.id).room.timezone, None
    return own, named("room", what, settings.rooms).timezone, None


def _go(by: Replay | Imports, marks: Iterable[ReadingMark], count: Count, as_json: bool, passcodes: bool) -> bool:
    """Replay one reading after the other, and print each that differs; True when a person stopped it."""
    with document(as_json) as put:
        try:
            for mark in marks:
                one = by.reading(mark)
                if one.changes and as_json:
                    put(plain_of(one, passcodes))
                elif one.changes:
                    print_replayed(one, passcodes)
                count.add(one)
        except KeyboardInterrupt:
            return True
    return False


def deliver(store: SqlStore, affected: dict[str, set[str]], failing: set[str], why: str) -> list[str]:
    """Have these endpoints told anew: their rooms are read, and their lists computed as after any change. One that
    failed is tried as if for the first time."""
    for endpoint, rooms in sorted(affected.items()):
        for room in sorted(rooms):
            store.hint("refresh", room)
        if endpoint in failing:
            store.unpark("deliver", endpoint, why=why)
        else:
            store.note_act(f"endpoint:{endpoint}", "replay", why=why)
            store.hint("deliver", endpoint)
    return sorted(affected)


def _failing(store: SqlStore) -> set[str]:
    return {row.name for row in store.work() if row.kind == "deliver" and (row.parked or row.error)}


def _rooms_of(settings: Settings, endpoints: set[str]) -> set[str]:
    return {room for name in endpoints & settings.endpoints.keys() for room in settings.endpoints[name].rooms}


def _span(given: dict[str, Any], now: datetime, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    from otd.cli.times import understood
    from otd.errors import BadSetting

    since = understood(given["since"], "--since", now, zone) if given["since"] else None
    until = understood(given["until"], "--until", now, zone) if given["until"] else None
    if since is not None and since > (until or now):
        raise BadSetting("--since", "it lies behind the end of the span", "give an earlier time, or a later --until")
    return since, until


# --- a file -------------------------------------------------------------------------------------------------------


def _replay_file(settings: Settings, config: str, as_json: bool, given: dict[str, Any]) -> int:
    from otd.cli.reading_files import load
    from otd.replay import Rerun

    exported = load(given["file"])
    by = Rerun(_rules(settings, None, config, given["rules"]))
    one = by.reading(exported.room, exported.reading, exported.endpoints, dict(exported.told), id=given["file"])
    count = Count()
    count.add(one)
    with document(as_json) as put:
        if as_json and one.changes:
            put(plain_of(one, given["passcodes"]))
        elif one.changes:
            print_replayed(one, given["passcodes"])
    print_end(count, as_json, [], False, False)
    return 1 if count.affected else 0
