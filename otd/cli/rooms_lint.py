"""`otd rooms lint`: what kept readings tell of how the rooms' mailboxes are set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import coloured, named, plain, print_json, progress

if TYPE_CHECKING:
    from otd.lint import Finding, Linted, Observed
    from otd.model import Room
    from otd.settings import Settings
    from otd.store.sql import SqlStore

ABOUT = (
    "From `otd rooms lint --script`: gives the rooms' mailboxes the settings that invitations need.",
    "It acts on invitations that arrive afterwards: organisers of older meetings send an update, or book again.",
    "Run `otd rooms lint` again when new invitations have come: it says which rooms are healed.",
)


@click.command(
    epilog=examples(
        "otd rooms lint", "otd rooms lint atrium", "otd rooms lint --script > rooms.ps1", "otd rooms lint --json"
    )
)
@click.argument("names", nargs=-1, metavar="[ROOM]...")
@click.option("--script", is_flag=True, help="Print one PowerShell script that mends all that is found.")
@with_config
@with_json
def lint(names: tuple[str, ...], script: bool, config: str, as_json: bool) -> int:
    """Say which rooms' mailboxes are probably set wrongly, from what their readings show.

    For each room: the settings, the evidence, what it does to the screen, and the line of PowerShell that mends it. Run
    it again afterwards: a room is healed when what came last is sound; meetings older than the change stay as they are,
    and are listed. It looks into the database only. The exit code is 1 when a room is probably set wrongly.
    """
    from otd.cli.reaching import opened_store

    if script and as_json:
        raise click.UsageError("--script or --json, not both")
    settings = settings_of(config)
    wanted = [named("room", name, settings.rooms) for name in names]
    for room in wanted:
        _on_exchange(settings, room)
    with opened_store(settings) as store:
        found = linted(settings, store)
    if wanted:
        found = tuple(one for one in found if one.room in wanted)
    if script:
        click.echo(script_of(settings, found), nl=False)
    elif as_json:
        print_json([_plain(one) for one in found])
    else:
        _print(found)
    return 1 if any(one.settings for one in found) else 0


def linted(settings: Settings, store: SqlStore) -> tuple[Linted, ...]:
    """All rooms on Exchange; each is judged beside the others."""
    from otd.lint import judge, observed

    rooms = [room for room in settings.rooms.values() if settings.calendars[room.calendar].kind != "files"]
    own = (*settings.policy.own_domains, *(room.mailbox.rpartition("@")[2] for room in rooms))
    now = store.now()
    seen: list[Observed] = []
    with progress(lambda: f"{len(seen)} of {len(rooms)} rooms looked at"):
        for room in rooms:
            seen.append(observed(room, store.sightings(room.name), own, now))
        return judge(seen, now)


def script_of(settings: Settings, found: Iterable[Linted]) -> str:
    """One line for each room that is wrong, by calendar."""
    from otd.exchange_lines import calendar_processing, script, shell_of

    by_calendar: dict[str, list[str]] = {}
    for one in found:
        if one.settings:
            line = calendar_processing(one.room.mailbox, one.settings)
            by_calendar.setdefault(one.room.calendar, []).append(line)
    parts = [
        (f"calendar {name}: in {shell_of(online=settings.calendars[name].is_online)}", lines)
        for name, lines in by_calendar.items()
    ]
    return script(ABOUT, parts or [("there is nothing to set", ())])


def _on_exchange(settings: Settings, room: Room) -> None:
    from otd.errors import Unsupported

    if settings.calendars[room.calendar].kind == "files":
        raise Unsupported(
            f"room {room.name}", "its calendar is a folder of files", "only mailboxes have settings to look for"
        )


def _plain(one: Linted) -> dict[str, Any]:
    return {
        "room": one.room.name,
        "calendar": one.room.calendar,
        "mailbox": one.room.mailbox,
        "invitations": one.invitations,
        "last_invitation": _iso(one.last),
        "findings": [
            {
                "settings": list(finding.settings),
                "state": finding.state,
                "sure": finding.sure,
                "evidence": finding.evidence,
                "effect": finding.effect,
                "line": finding.line,
                "since": _iso(finding.since),
                "stripped": [
                    {"start": _iso(meeting.next), "organizer": meeting.organizer} for meeting in finding.stripped
                ],
            }
            for finding in one.findings
        ],
    }


def _print(found: Sequence[Linted]) -> None:
    quiet = [one for one in found if one.invitations and one.last is None]
    empty = [one for one in found if not one.invitations]
    for one in found:
        for finding in one.findings:
            _print_finding(one, finding)
    wrong = sum(bool(one.settings) for one in found)
    healed = sum(any(finding.state == "healed" for finding in one.findings) for one in found)
    click.echo(f"{len(found)} rooms on Exchange: {wrong} probably set wrongly, {healed} healed.")
    if empty:
        click.echo(f"{len(empty)} have had no invitation in the readings that are kept: {_some(empty)}.")
    if quiet:
        click.echo(f"{len(quiet)} have had none since they are watched, so nothing new can be told: {_some(quiet)}.")
    if wrong:
        click.echo("Next: otd rooms lint --script > rooms.ps1, run it in PowerShell, and lint again a few days later.")


def _print_finding(one: Linted, finding: Finding) -> None:
    what = " and ".join(finding.settings)
    last = f"{one.last:%Y-%m-%d %H:%M} UTC" if one.last else "not seen yet"
    if finding.state == "healed":
        since = f" since {finding.since:%Y-%m-%d %H:%M} UTC" if finding.since else ""
        click.echo(f"{one.room.name}: {coloured('healed', 'green')}{since}: {what}")
        for meeting in finding.stripped:
            click.echo(plain(f"  stays as it is  {_when(meeting.next)}, organised by {meeting.organizer}"))
        if finding.stripped:
            click.echo("  mend            ask these organisers to send an update of their meetings")
    else:
        sure = "probably" if finding.sure == "probable" else "possibly"
        click.echo(f"{one.room.name}: {what} {coloured(f'{sure} wrong', 'red')}")
        click.echo(f"  seen            {finding.evidence}; last invitation: {last}")
        click.echo(f"  on the screen   {finding.effect}")
        click.echo(f"  mend            {plain(finding.line)}")
    click.echo()


def _when(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else "some time"


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None


def _some(rooms: Sequence[Linted]) -> str:
    names = ", ".join(one.room.name for one in rooms[:5])
    return names if len(rooms) <= 5 else f"{names} and {len(rooms) - 5} more"
