"""`otd calendars test`: the way to one room's calendar, step by step, and what is missing on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import coloured, named, print_json, print_table, progress

if TYPE_CHECKING:
    from otd.errors import OtdError
    from otd.model import Complete, Empty, Reading, Room
    from otd.ports import Calendar, Clock
    from otd.settings import Settings

WITHIN = timedelta(seconds=45)
AHEAD = timedelta(days=7)
STEPS = ("settings", "way", "sign-in", "scope", "mailbox", "window", "text", "hidden properties")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: `ok` is None for one that was not reached, or where nothing can be said."""

    name: str
    ok: bool | None
    said: str = ""
    mend: str = ""


@click.command(
    "test",
    epilog=examples("otd calendars test online", "otd calendars test server atrium", "otd calendars test x --json"),
)
@click.argument("name")
@click.argument("room", required=False)
@with_config
@with_json
def test(name: str, room: str | None, config: str, as_json: bool) -> int:
    """Walk the way to a room's mailbox on the calendar NAME, and say what is missing.

    The settings and secrets, the way to the server and its certificate, the sign-in, the right to read this mailbox,
    the mailbox, its window of seven days, the text of its meetings, and their hidden properties. Without ROOM, the
    first room of the calendar. The exit code is 1 when a step fails.
    """
    from otd import wiring

    settings = settings_of(config)
    wanted = _room(settings, name, room)
    calendar, clock = wiring.calendar(settings, name), wiring.SystemClock()
    try:
        with progress(f"reading {wanted.mailbox} on {name}"):
            found = walk(calendar, wanted, clock)
    finally:
        calendar.close()
    if as_json:
        print_json([{"step": s.name, "ok": s.ok, "said": s.said, "mend": s.mend} for s in found])
    else:
        _print(name, wanted, found)
    return 1 if any(step.ok is False for step in found) else 0


def walk(calendar: Calendar, room: Room, clock: Clock) -> tuple[Step, ...]:
    """One reading, taken apart into steps."""
    from otd.model import Failed, Window

    now = clock.now()
    reading: Reading = calendar.read(room, Window(start=now - timedelta(hours=1), end=now + AHEAD), within=WITHIN)
    if not isinstance(reading, Failed):
        return (*(Step(name=name, ok=True) for name in STEPS[:5]), *_what_came(reading))
    at = STEPS.index(_broken(reading.error))
    failed = Step(name=STEPS[at], ok=False, said=reading.error.why, mend=reading.error.mend)
    return (
        *(Step(name=name, ok=True) for name in STEPS[:at]),
        failed,
        *(Step(name=name, ok=None, said="not reached") for name in STEPS[at + 1 :]),
    )


def _broken(error: OtdError) -> str:
    """The step at which it went wrong."""
    from otd.errors import BadSetting, Busy, Denied, Garbled, Missing, Truncated, Unsupported

    match error:
        case BadSetting():
            return "settings"
        case Denied():
            return "sign-in" if error.everywhere or error.reason == "account" else "scope"
        case Missing():
            return "mailbox" if error.reason else "way"
        case Garbled() | Truncated() | Unsupported() | Busy():
            return "window"
        case _:
            return "way"


def _what_came(reading: Complete | Empty) -> tuple[Step, ...]:
    """The window, the text of invitations, and their hidden properties."""
    from otd.readings import is_blank

    sent = [m for m in reading.meetings if m.organizer.address and not m.is_organizer and not m.cancelled]
    window = Step(name="window", ok=True, said=f"complete: {len(reading.meetings)} meetings in seven days")
    if not sent:
        said = "no invitation to look at: invite the room to a meeting in the next days"
        return (window, *(Step(name=name, ok=None, said=said) for name in STEPS[6:]))
    text, hidden = sum(not is_blank(m) for m in sent), sum(bool(m.properties) for m in sent)
    return (
        window,
        Step(
            name="text",
            ok=text > 0,
            said=f"{text} of {len(sent)} invitations have text",
            mend="" if text else "the mailbox deletes it: `otd rooms lint` prints the line that mends it",
        ),
        Step(name="hidden properties", ok=True, said=f"{hidden} of {len(sent)} invitations have some"),
    )


def _room(settings: Settings, calendar: str, room: str | None) -> Room:
    from otd.errors import BadSetting

    kind = named("calendar", calendar, settings.calendars).kind
    if room is None:
        first = next((one for one in settings.rooms.values() if one.calendar == calendar), None)
        if first is None:
            raise BadSetting(f"calendar {calendar}", "it has no rooms yet", "add one to otd.toml, or name one here")
        return first
    found = named("room", room, settings.rooms)
    if (kind == "files") != (settings.calendars[found.calendar].kind == "files"):
        raise BadSetting(f"room {room}", f"it is on calendar {found.calendar}", f"name a room that {calendar} can hold")
    return found


def _print(name: str, room: Room, found: Sequence[Step]) -> None:
    words = {True: coloured("ok", "green"), False: coloured("FAILED", "red"), None: "-"}
    print_table(
        ("step", "result", "what was found"),
        [(step.name, words[step.ok], step.said) for step in found],
        title=f"{room.mailbox} on {name}",
    )
    for step in found:
        if step.mend:
            click.echo(f"\n{step.name}: {step.mend}")
