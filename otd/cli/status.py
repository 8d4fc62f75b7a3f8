"""`otd status`: a fleet at a glance: what is as it should be in numbers, and what is not, since when and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.spans import ago, short, until

if TYPE_CHECKING:
    from otd.settings import Settings

EVERY = 2.0  # seconds between two looks of --watch
LATE = 30.0  # seconds; a lane whose work is later is shown


@click.command(epilog=examples("otd status", "otd status --watch", "otd status --all", "otd status --json"))
@click.option("--all", "whole", is_flag=True, help="Every room, endpoint and lane, however many there are.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@with_config
@with_json
def status(whole: bool, watch: bool, config: str, as_json: bool) -> int:
    """Show rooms, endpoints, relays, what is due, and what fails and since when.

    Of a big fleet it shows numbers, and one by one only what needs a look. Looks into the database only, so it works
    beside a running `otd run` and after it was stopped. The exit code is 1 when an endpoint or a room fails or needs a
    person, when an alert stands, when the brake holds something, or when nobody works on what is due.
    """
    if watch and as_json:
        raise click.UsageError("--watch is for people, --json for machines: choose one")
    settings = settings_of(config)
    if watch:
        return _watch(settings, whole)
    from otd.cli.output import print_json, progress

    with progress("looking at the database"):
        found = _look(settings, whole=whole or as_json)
    if as_json:
        print_json(found)
    else:
        _print(found, whole)
    return _code(found)


def _look(settings: Settings, *, whole: bool) -> dict[str, Any]:
    from otd.cli.reaching import opened_store
    from otd.cli.status_report import credentials, report

    with opened_store(settings) as store:
        return report(store, whole=whole) | {"credentials": credentials(settings)}


def _code(found: dict[str, Any]) -> int:
    failing = any(row["error"] for kind in ("rooms", "endpoints") for row in found[kind])
    return 1 if failing or found["held"] or found["alerts"] or found["idle_since"] else 0


def _watch(settings: Settings, whole: bool) -> int:
    """On a terminal each look takes the place of the one before."""
    import time

    from otd.cli.output import is_drawn

    code = 0
    try:
        while True:
            found = _look(settings, whole=whole)
            code = _code(found)
            if is_drawn():
                click.clear()
            _print(found, whole)
            click.echo(f"\nLooked at {found['at'][11:19]} UTC; Ctrl-C ends it.")
            time.sleep(EVERY)
    except KeyboardInterrupt:
        click.echo()
        return code


# --- printing -----------------------------------------------------------------------------------------------------


def _print(found: dict[str, Any], whole: bool) -> None:
    now = datetime.fromisoformat(found["at"])
    _print_counts(found, now)
    _print_rooms(found, now)
    _print_endpoints(found, now)
    _print_relays(found, now)
    _print_lanes(found, now, whole)
    _print_calendars(found, now)
    _print_alerts(found, now)
    for brake in found["held"]:
        what = "The rules are" if brake["name"] == "rules" else f"{brake['things']} rooms of {brake['name']} are"
        click.echo(f"\n{what} held by the brake since {ago(brake['since'], now)}: {brake['why']}\n  {brake['mend']}")
    _print_mends(found)


def _print_counts(found: dict[str, Any], now: datetime) -> None:
    """One line for each kind: how many there are, and how they are."""
    counts = found["counts"]
    for kind in ("rooms", "endpoints", "relays"):
        states = {state: number for state, number in counts[kind].items() if number}
        said = ", ".join(f"{number} {_word(state)}" for state, number in states.items())
        click.echo(f"{kind:<10} {sum(states.values()):>6}  {said}".rstrip())
    click.echo(f"{'next due':<10} {until(counts['next_due'], now):>6}")
    if found["idle_since"]:
        idle = short(now - datetime.fromisoformat(found["idle_since"]))
        click.echo(f"\nNobody has taken what is due for {idle}: start `otd run`, or the workers.")


def _word(state: str) -> str:
    return {"parked": "need a person"}.get(state, state)


def _print_rooms(found: dict[str, Any], now: datetime) -> None:
    rows = [
        (
            r["name"],
            r["calendar"],
            r["state"],
            r["meetings"],
            ago(r["read_at"], now),
            until(r["due"], now),
            _why(r, now),
        )
        for r in found["rooms"]
    ]
    _table("Rooms", ("Room", "Calendar", "State", "Meetings", "Read", "Next", "Why"), rows, _all(found, "rooms"))


def _print_endpoints(found: dict[str, Any], now: datetime) -> None:
    rows = [
        (
            e["name"],
            " ".join(e["rooms"]),
            e["state"] + (", needs a person" if e["parked"] else ""),
            e["bookings"],
            ago(e["confirmed_at"], now),
            e["relay"] or "-",
            until(e["due"], now),
            _why(e, now),
        )
        for e in found["endpoints"]
    ]
    heads = ("Endpoint", "Rooms", "State", "Bookings", "Confirmed", "Relay", "Next", "Why")
    _table("Endpoints", heads, rows, _all(found, "endpoints"))


def _all(found: dict[str, Any], kind: str) -> int:
    return sum(found["counts"][kind].values())


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[Any, ...]], of: int) -> None:
    """A table; of a big fleet, how many are not in it."""
    from otd.cli.output import print_table

    click.echo()
    if rows or not of:
        more = f" that need a look, {len(rows)} of {of}; --all shows all" if len(rows) < of else ""
        print_table(heads, rows, title=f"{title}{more}")


def _print_relays(found: dict[str, Any], now: datetime) -> None:
    rows = [(r["name"], r["pool"], r["state"], r["version"], ago(r["last_seen"], now)) for r in found["relays"]]
    _table("Relays", ("Relay", "Pool", "State", "Version", "Last seen"), rows, 0)


def _print_lanes(found: dict[str, Any], now: datetime, whole: bool) -> None:
    """Those that are paused or late; with --all all of them."""
    from datetime import timedelta

    late = [lane for lane in found["lanes"] if whole or lane["paused_until"] or lane["late"] > LATE]
    rows = [
        (
            lane["name"],
            f"{lane['running']} of {lane['at_once']}",
            lane["due"],
            short(timedelta(seconds=lane["late"])) if lane["due"] else "-",
            f"{until(lane['paused_until'], now)}: {lane['why']}" if lane["paused_until"] else "-",
        )
        for lane in late
    ]
    if rows:
        _table("Lanes", ("Lane", "Running", "Due", "Late", "Goes on"), rows, 0)


def _print_alerts(found: dict[str, Any], now: datetime) -> None:
    rows = [(a["thing"], ago(a["raised_at"], now), a["cause"], a["sentence"]) for a in found["alerts"]]
    if rows:
        _table("Alerts", ("Thing", "Since", "Cause", "Why"), rows, 0)


def _print_mends(found: dict[str, Any]) -> None:
    for row in (*found["rooms"], *found["endpoints"]):
        if row["mend"]:
            click.echo(f"\n{row['name']}: {row['mend']}")
        for problem in row.get("problems", ()):
            click.echo(f"\n{row['name']}: {problem}")
        for note in row.get("notes", ()):
            click.echo(f"\n{row['name']}: {note['text']} ({note['mend']})")


def _print_calendars(found: dict[str, Any], now: datetime) -> None:
    """What the calendars were asked today, and the credentials that end."""
    from otd.cli.output import print_table

    paced = [lane for lane in found["lanes"] if lane["requests_today"] or lane["requests_per_day"]]
    if paced:
        click.echo()
        print_table(
            ("Calendar", "Running", "At once", "Requests today", "Of", "Tells of changes"),
            [
                (
                    lane["name"],
                    lane["running"],
                    f"{lane['at_once']} (up to {lane['at_once_most']})",
                    lane["requests_today"],
                    lane["requests_per_day"] or "no limit",
                    f"{lane['rooms_told']} of {lane['rooms_to_tell']} rooms" if lane["rooms_to_tell"] else "-",
                )
                for lane in paced
            ],
            title="Calendars",
        )
    for lane in paced:
        if lane["telling_error"]:
            mend = f" ({lane['telling_mend']})" if lane["telling_mend"] else ""
            click.echo(f"\n{lane['name']} does not tell of every change: {lane['telling_error']}{mend}")
    for one in found["credentials"]:
        if one["near"] and one["ends"]:
            ends = f"ends {until(one['ends'], now)}, on {one['ends'][:10]}; make a new one in Entra ID before it does"
            click.echo(f"\nThe {one['what']} of {one['calendar']} {ends}")
        elif one["near"]:
            click.echo(f"\nThe credential of {one['calendar']} cannot be used: {one['why']} (run `otd check`)")


def _why(row: dict[str, Any], now: datetime) -> str:
    since = f", since {ago(row['failing_since'], now)}" if row["failing_since"] else ""
    return f"{row['error']}{since}" if row["error"] else "-"
