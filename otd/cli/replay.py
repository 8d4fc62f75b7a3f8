"""`otd replay`: stored readings through today's rules, beside what the endpoints were told then."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from otd.model import Booking
    from otd.refresh import Rulebook
    from otd.replay import Change, Replay, Replayed
    from otd.settings import Settings
    from otd.store.sql import SqlStore


@dataclass(slots=True)
class Count:
    """What a replay gave so far."""

    readings: int = 0
    meetings: int = 0
    unknown: int = 0
    last: str = ""  # the id of the last reading
    effects: Counter[str] = field(default_factory=Counter)
    affected: dict[str, set[str]] = field(default_factory=dict)  # endpoint -> the rooms it differs in

    def add(self, one: Replayed) -> None:
        self.readings, self.meetings, self.last = self.readings + 1, self.meetings + one.meetings, one.id
        self.unknown += one.unknown
        self.effects["same"] += one.same
        for change in one.changes:
            self.effects[change.effect] += 1
            self.affected.setdefault(change.endpoint, set()).add(one.room)


@click.command(
    epilog=examples(
        "otd replay boardroom",
        "otd replay --all --rules new.toml",
        'otd replay boardroom --since "tue 08:00" --until "tue 12:00"',
        'otd replay --failed --deliver --why "the gateway is back"',
        "otd replay --file boardroom.json",
    )
)
@click.argument("room", required=False)
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
def replay(room: str | None, config: str, as_json: bool, **given: Any) -> int:
    """Run the stored readings of ROOM through today's code and rules, and print what would be told otherwise.

    Booking by booking, what each endpoint was told then beside what it would be told now, with the names of the rules.
    Nothing is changed by it, and it may run beside a working installation, as often as you like. With --deliver the
    rooms of the endpoints that differ are read anew and their lists delivered, as after a change: the brake holds there
    too. The exit code is 1 when something differs.
    """
    settings = settings_of(config)
    _check(room, given)
    if given["file"]:
        return _replay_file(settings, config, as_json, given)
    from otd.cli.reaching import opened_store

    with opened_store(settings) as store:
        rules = _rules(settings, store, config, given["rules"])
        return _replay(settings, store, rules, room, as_json, given)


def _check(room: str | None, given: dict[str, Any]) -> None:
    chosen = [bool(room), given["everything"], given["failed"], bool(given["file"])]
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
    room: str | None,
    as_json: bool,
    given: dict[str, Any],
) -> int:
    from zoneinfo import ZoneInfo

    from otd.cli.output import named, progress
    from otd.replay import Replay

    failing = _failing(store) if given["failed"] else set()
    if room is not None:
        names, zone = [named("room", room, settings.rooms).name], ZoneInfo(settings.rooms[room].timezone)
    else:
        zone = ZoneInfo("UTC")
        names = [name for name in settings.rooms if not given["failed"] or name in _rooms_of(settings, failing)]
    since, until = _span(given, store.now(), zone)
    by = Replay(store=store, rooms=settings.rooms, endpoints=settings.endpoints, rules=rules)
    count = Count()
    with progress(lambda: f"{count.readings} readings, {count.meetings} meetings, now {count.last}"):
        stopped = _go(by, names, since, until, count, as_json, given, settings)
    affected = dict(count.affected)
    for endpoint in failing & settings.endpoints.keys():
        affected.setdefault(endpoint, set(settings.endpoints[endpoint].rooms))
    delivered = []
    if given["deliver"] and not stopped:
        delivered = deliver(store, affected, failing, given["why"] or "replay")
    _end(count, as_json, delivered, given["deliver"], stopped)
    if room is not None and not count.readings and not given["behind"]:
        click.echo(f"otd: no reading of {room} is kept of that time", err=True)
    return 130 if stopped else 1 if count.affected else 0


def _go(
    by: Replay,
    names: list[str],
    since: datetime | None,
    until: datetime | None,
    count: Count,
    as_json: bool,
    given: dict[str, Any],
    settings: Settings,
) -> bool:
    """Replay one reading after the other, and print each that differs; True when a person stopped it."""
    from zoneinfo import ZoneInfo

    with _document(as_json) as put:
        try:
            for mark in by.marks(names, since, until, given["behind"]):
                one = by.reading(mark)
                if one.changes and as_json:
                    put(_plain(one, given["passcodes"]))
                elif one.changes:
                    print_replayed(one, ZoneInfo(settings.rooms[one.room].timezone), given["passcodes"])
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
    from zoneinfo import ZoneInfo

    from otd.cli.reading_files import load
    from otd.replay import Rerun

    exported = load(given["file"])
    by = Rerun(_rules(settings, None, config, given["rules"]))
    one = by.reading(exported.room, exported.reading, exported.endpoints, dict(exported.told), id=given["file"])
    count = Count()
    count.add(one)
    with _document(as_json) as put:
        if as_json and one.changes:
            put(_plain(one, given["passcodes"]))
        elif one.changes:
            print_replayed(one, ZoneInfo(exported.room.timezone), given["passcodes"])
    _end(count, as_json, [], False, False)
    return 1 if count.affected else 0


# --- what is printed ----------------------------------------------------------------------------------------------


@contextmanager
def _document(as_json: bool) -> Iterator[Any]:
    """One JSON document, written as its readings come, so that nothing has to be remembered. `_end` closes it."""
    first = True

    def put(value: Any) -> None:
        nonlocal first
        click.echo(("" if first else ",\n") + json.dumps(value, ensure_ascii=True), nl=False)
        first = False

    if as_json:
        click.echo('{"readings": [')
    yield put


def _end(count: Count, as_json: bool, delivered: list[str], asked: bool, stopped: bool) -> None:
    from otd.replay import EFFECTS

    if as_json:
        end = {
            "counts": {one: count.effects[one] for one in EFFECTS} | {"unknown": count.unknown},
            "replayed": {"readings": count.readings, "meetings": count.meetings},
            "last": count.last,
            "stopped": stopped,
            "delivered": delivered,
        }
        click.echo(f"\n], {json.dumps(end)[1:]}")
        return
    said = {"gain": "would gain a dial string", "lose": "would lose theirs", "change": "would change it"}
    said |= {"appear": "would appear", "vanish": "would vanish", "other": "would be shown otherwise"}
    found = [f"{count.effects[one]} {words}" for one, words in said.items() if count.effects[one]]
    found += [f"{count.effects['same']} would stay as they are"]
    found += [f"{count.unknown} cannot be told, since a body or a list is not kept"] if count.unknown else []
    many = "reading" if count.readings == 1 else "readings"
    click.echo(f"{count.readings} {many}, {count.meetings} meetings in all; bookings: {', '.join(found)}.")
    if stopped:
        click.echo(f"Stopped. The same with --after {count.last} goes on from here.")
    elif asked:
        click.echo(f"Told anew: {', '.join(delivered)}" if delivered else "Nothing has to be delivered.")


def print_replayed(one: Replayed, zone: tzinfo, passcodes: bool) -> None:
    """The bookings of one reading that differ."""
    from otd.cli.output import plain

    click.echo(f"{one.room}, read at {one.at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}")
    for change in one.changes:
        booking = change.booking
        when = f"{booking.start.astimezone(zone):%a %d %H:%M}"
        click.echo(f"  {change.effect:<7} {change.endpoint}, {when} “{plain(booking.title)}”")
        click.echo(f"          then  {plain(_side(change.before, passcodes))}")
        click.echo(f"          now   {plain(_side(change.after, passcodes))}")


def _side(booking: Booking | None, passcodes: bool) -> str:
    if booking is None:
        return "not on the list"
    rule = f" ({booking.rule})" if booking.rule else ""
    if booking.dial is None:
        return f"no Join, {booking.reason}{rule}"
    return f"{booking.dial.protocol}:{_dial(booking.dial.uri, passcodes)}{rule}"


def _dial(uri: str, passcodes: bool) -> str:
    from otd.cli.masking import masked

    return uri if passcodes else masked(uri)


def _plain(one: Replayed, passcodes: bool) -> dict[str, Any]:
    return {
        "id": one.id,
        "room": one.room,
        "at": one.at.isoformat(timespec="milliseconds"),
        "changes": [_plain_change(change, passcodes) for change in one.changes],
        "same": one.same,
        "unknown": one.unknown,
    }


def _plain_change(change: Change, passcodes: bool) -> dict[str, Any]:
    booking = change.booking
    return {
        "endpoint": change.endpoint,
        "id": change.id,
        "effect": change.effect,
        "title": booking.title,
        "start": booking.start.isoformat(),
        "end": booking.end.isoformat(),
        "before": _plain_side(change.before, passcodes),
        "after": _plain_side(change.after, passcodes),
    }


def _plain_side(booking: Booking | None, passcodes: bool) -> dict[str, Any] | None:
    if booking is None:
        return None
    dial = booking.dial
    shown = {"protocol": dial.protocol, "uri": _dial(dial.uri, passcodes)} if dial else None
    return {"rule": booking.rule, "dial": shown, "reason": booking.reason}
