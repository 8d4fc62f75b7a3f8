"""`otd explain`: why a screen shows what it shows, or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from otd.causes import Found
    from otd.explain import Explained, Explanation
    from otd.explaining import Step
    from otd.model import Room
    from otd.settings import Settings

MARKS = {"ok": "yes", "stop": "NO", "note": "note"}


@click.command(
    epilog=examples(
        "otd explain boardroom",
        'otd explain boardroom --at "tue 09:58"',
        "otd explain --causes",
        "otd explain atrium --json",
    )
)
@click.argument("room", required=False)
@click.option("--at", metavar="TIME", help="The time in question, in the room's zone; without it, now.")
@click.option("--passcodes", is_flag=True, help="Show dial strings whole, with their passcodes.")
@click.option("--causes", is_flag=True, help="List every cause that there is.")
@with_config
@with_json
def explain(room: str | None, at: str | None, passcodes: bool, causes: bool, config: str, as_json: bool) -> int:
    """Say why the screen of ROOM shows what it shows, or does not show what it should.

    Follows the meeting from the room's calendar to the endpoint, step by step, and ends with one sentence that names
    the cause and one that names the mend. Without --at it is about the meeting that is on, or comes next; with it about
    the meetings at that time, by what was known then, as far back as readings and the audit are kept. Looks into the
    database only. The exit code is 1 when something is wrong.
    """
    if causes:
        _print_causes(as_json)
        return 0
    if room is None:
        raise click.UsageError("name a room, such as: otd explain boardroom")
    from zoneinfo import ZoneInfo

    from otd.cli.output import print_json, progress
    from otd.cli.reaching import opened_store
    from otd.cli.times import understood
    from otd.explain import Explain
    from otd.wiring import rulebook

    settings = settings_of(config)
    zone = ZoneInfo(_room(settings, room).timezone)
    with opened_store(settings) as store:
        asked = understood(at, "--at", store.now(), zone) if at else None
        by = Explain(store=store, rooms=settings.rooms, endpoints=settings.endpoints, rules=rulebook(settings))
        with progress(f"looking at {room}"):
            found = by.room(room, asked)
    if as_json:
        print_json(_plain(found, passcodes))
    else:
        _print(found, zone, passcodes)
    return 0 if found.found.code in ("nothing_wrong", "join_later") else 1


def _room(settings: Settings, name: str) -> Room:
    """The room of this name. Raises BadSetting, which says what was probably meant."""
    from otd.cli.output import named
    from otd.errors import BadSetting

    endpoint = settings.endpoints.get(name)
    if name not in settings.rooms and endpoint is not None:
        mend = " or ".join(f"`otd explain {room}`" for room in endpoint.rooms)
        raise BadSetting(f"room {name}", "it is an endpoint; what is explained is a room that it shows", mend)
    return named("room", name, settings.rooms)


def _print_causes(as_json: bool) -> None:
    from otd.causes import CAUSES
    from otd.cli.output import print_json, print_table

    if as_json:
        print_json(
            [{"code": c.code, "stage": c.stage, "sentence": c.sentence, "mend": c.mend} for c in CAUSES.values()]
        )
        return
    print_table(
        ("cause", "stage", "what it means", "mend"), [(c.code, c.stage, c.sentence, c.mend) for c in CAUSES.values()]
    )


# --- for machines -------------------------------------------------------------------------------------------------


def _plain(found: Explanation, passcodes: bool) -> dict[str, Any]:
    return {
        "room": found.room.name,
        "at": found.asked.isoformat(timespec="seconds"),
        "as_of": found.as_of.isoformat(timespec="seconds"),
        "read_at": found.read_at.isoformat(timespec="seconds") if found.read_at else None,
        "meetings": [_plain_meeting(one, passcodes) for one in found.meetings],
        **_cause(found.found),
    }


def _plain_meeting(one: Explained, passcodes: bool) -> dict[str, Any]:
    span = one.meeting or one.booking
    return {
        "subject": _title(one),
        "start": span.start.isoformat() if span else None,
        "end": span.end.isoformat() if span else None,
        "steps": [_plain_step(step, passcodes) for step in one.steps],
        "endpoints": [
            {
                "name": on.endpoint,
                "shows": on.shows,
                "steps": [_plain_step(step, passcodes) for step in on.steps],
                **_cause(on.found),
            }
            for on in one.on
        ],
        **_cause(one.found),
    }


def _plain_step(step: Step, passcodes: bool) -> dict[str, str]:
    dial = {"dial": _dial(step.dial, passcodes)} if step.dial else {}
    return {"name": step.name, "mark": step.mark, "said": step.said, **dial}


def _cause(found: Found) -> dict[str, str]:
    cause = found.cause
    return {
        "cause": found.code,
        "stage": cause.stage,
        "sentence": cause.sentence,
        "detail": found.detail,
        "mend": found.mend or cause.mend,
    }


def _dial(dial: str, passcodes: bool) -> str:
    from otd.cli.masking import masked

    return dial if passcodes else masked(dial)


def _title(one: Explained) -> str:
    if one.meeting is not None:
        return one.meeting.subject
    return one.booking.title if one.booking else ""


# --- for people ---------------------------------------------------------------------------------------------------


def _print(found: Explanation, zone: tzinfo, passcodes: bool) -> None:
    from otd.cli.output import plain

    label = f"{plain(found.room.label)} ({found.room.name})" if found.room.label else found.room.name
    click.echo(f"{label}, {_time(found.asked, zone)}")
    if found.asked > found.as_of:
        click.echo("That time is ahead: said as things stand now.")
    for one in found.meetings:
        click.echo()
        _print_meeting(one, zone, passcodes)
    cause = found.found
    click.echo(
        f"\nCause: {cause.cause.sentence} [{cause.code}]" + (f" ({plain(cause.detail)})" if cause.detail else "")
    )
    click.echo(f"Mend:  {plain(cause.mend or cause.cause.mend)}")


def _print_meeting(one: Explained, zone: tzinfo, passcodes: bool) -> None:
    from otd.cli.output import plain

    span = one.meeting or one.booking
    if span is None:
        click.echo("No meeting at that time.")
    else:
        title = plain(_title(one)) or "(no subject)"
        click.echo(f"“{title}”, {_time(span.start, zone)} to {span.end.astimezone(zone):%H:%M}")
    for step in one.steps:
        _print_step(step, passcodes)
    for on in one.on:
        click.echo(f"  on {on.endpoint}, which shows {'it with Join' if on.shows == 'join' else on.shows}:")
        for step in on.steps:
            _print_step(step, passcodes)
        if len(one.on) > 1:
            click.echo(f"    -> {on.found.cause.sentence} [{on.found.code}]")


def _print_step(step: Step, passcodes: bool) -> None:
    from otd.cli.output import coloured, plain

    colour = {"ok": "green", "stop": "red", "note": "yellow"}[step.mark]
    dial = f" -> {_dial(step.dial, passcodes)}" if step.dial else ""
    click.echo(f"    {step.name:<10} {coloured(f'{MARKS[step.mark]:<5}', colour)} {plain(step.said + dial)}")


def _time(time: datetime, zone: tzinfo) -> str:
    return f"{time.astimezone(zone):%A %Y-%m-%d %H:%M %Z}"
