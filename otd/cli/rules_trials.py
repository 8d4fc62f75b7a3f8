"""`otd rules try` and `otd rules domains`: what rules make of meetings in files or kept readings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from otd.cli.invitations import Desk, Reader, desk, with_optional_config
from otd.cli.masking import masked
from otd.cli.options import examples, with_json

if TYPE_CHECKING:
    from otd.dialplan.trial import Trial
    from otd.model import Dialled, JoinInfo, Meeting, NoJoin


Show = Callable[[str], str]
"""How a dial string is shown."""


class Look(NamedTuple):
    """A meeting as it is looked at: where it was found (a file, a room), and by which desk for which endpoint."""

    place: str
    meeting: Meeting
    at: Desk
    endpoint: str = ""

    def dialled(self) -> tuple[JoinInfo | NoJoin, Dialled]:
        return self.at.dialled(self.meeting, self.endpoint)


class Meetings:
    """The meetings that a command is about; what could not be looked at is counted."""

    def __init__(self, files: tuple[str, ...], at: Desk) -> None:
        """Raises BadSetting when no file is named and there is no settings file that knows the rooms."""
        self._files, self._at = files, at
        self._reader = Reader(at.zone)
        self.rooms = 0  # with a kept reading
        self.unknown = 0  # meetings whose text was not kept
        if not files and at.settings is None:
            from otd.errors import BadSetting

            mend = "name files or folders, or the settings file with --config"
            raise BadSetting("kept readings", "there is no settings file that says whose they are", mend)

    @property
    def failed(self) -> int:
        return self._reader.failed

    @property
    def source(self) -> str:
        """What they were read from, in words."""
        if self._files:
            return ""
        left_out = f"; of {self.unknown} more the text was not kept, so nothing is known" if self.unknown else ""
        return f"From the last kept reading of {self.rooms} room{'' if self.rooms == 1 else 's'}{left_out}."

    def __iter__(self) -> Iterator[Look]:
        if not self._files:
            yield from self._kept()
            return
        for name, meetings in self._reader.meetings(self._files):
            for meeting in meetings:
                yield Look(name, meeting, self._at)

    def _kept(self) -> Iterator[Look]:
        """Those of the last kept reading of every room, once for each endpoint that shows it."""
        from otd.cli.reaching import opened_store

        settings = self._at.settings
        if settings is None:  # refused at construction
            return
        rooms = [self._at.room] if self._at.room else list(settings.rooms.values())
        with opened_store(settings) as store:
            for room in rooms:
                reading = store.last_reading(room.name)
                if reading is None:
                    continue
                self.rooms += 1
                at = replace(self._at, room=room)
                shown_on = [one.name for one in settings.endpoints.values() if room.name in one.rooms] or [""]
                for kept in reading.meetings:
                    if kept.body_left_out:
                        self.unknown += 1
                        continue
                    for endpoint in shown_on:
                        yield Look(room.name, kept.meeting, at, endpoint)


# --- try ------------------------------------------------------------------------------------------------------------


@click.command(
    "try",
    epilog=examples(
        "otd rules try --rules new.toml",
        "otd rules try --rules new.toml --room boardroom",
        "otd rules try --rules new.toml invitations/ extra.eml",
    ),
)
@click.option("--rules", "file", metavar="FILE", required=True, help="The rules to try in place of the site's own.")
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--room", metavar="NAME", default="", help="This room alone; with files: its zone, the rules for it.")
@click.option("--passcodes", is_flag=True, help="Show the dial strings of kept readings whole, with their passcodes.")
@with_optional_config
@with_json
def try_rules(file: str, files: tuple[str, ...], room: str, passcodes: bool, config: str | None, as_json: bool) -> int:
    """Say what other rules would do to meetings, before they are saved.

    Counts the meetings that would gain, lose or change what is dialled, and lists each of them with both rules' names:
    those in FILE... (files or folders, as for `otd parse`), or without any those of each room's last kept reading.
    Nothing is changed by it. The exit code is 2 when a file could not be read.
    """
    from otd.cli.output import print_json, progress

    found = desk(config, room)
    meetings = Meetings(files, found)
    show = str if files or passcodes else masked
    with progress("reading meetings"):
        rows = list(_trials(meetings, file, found))
    counts: Counter[str] = Counter(one.effect for _, one in rows)
    changed = [row for row in rows if row[1].effect != "same"]
    if as_json:
        order = ("gain", "lose", "change", "same")
        answer: dict[str, Any] = {
            "counts": {one: counts[one] for one in order},
            "meetings": [_trial(*row, show) for row in changed],
        }
        print_json(answer | ({} if files else {"rooms": meetings.rooms, "unknown": meetings.unknown}))
    else:
        _print_trials(changed, counts, meetings.source, show)
    return 2 if meetings.failed else 0


def _trials(meetings: Meetings, file: str, at: Desk) -> Iterator[tuple[Look, Trial]]:
    """Each meeting once with what would become of it; once for each endpoint where it would not be the same."""
    from otd import bookings
    from otd.cli.rules import plan_of
    from otd.dialplan.trial import Trial

    after = plan_of(file, at)
    known: set[tuple[str, str, Dialled, Dialled]] = set()
    for look in meetings:
        join, before = look.dialled()
        room = look.at.room.name if look.at.room else ""
        dialled = bookings.dial_for(join, look.meeting, after, at.policy, room=room, endpoint=look.endpoint)
        one = (look.place, look.meeting.id, before, dialled)
        if look.endpoint and one in known:
            continue
        known.add(one)
        yield look, Trial(before=before, after=dialled)


def _trial(look: Look, one: Trial, show: Show) -> dict[str, Any]:
    where = {"room": look.place, "endpoint": look.endpoint} if look.endpoint or look.at.room else {"file": look.place}
    return {
        **where,
        "uid": look.meeting.uid,
        "subject": look.meeting.subject,
        "effect": one.effect,
        "before": _side(one.before, show),
        "after": _side(one.after, show),
    }


def _side(dialled: Dialled, show: Show) -> dict[str, Any]:
    dial = (
        {"protocol": dialled.dial.protocol, "uri": show(dialled.dial.uri), "allowed": dialled.allowed}
        if dialled.dial
        else None
    )
    return {"rule": dialled.rule, "dial": dial, "reason": dialled.reason}


def _print_trials(changed: list[tuple[Look, Trial]], counts: Counter[str], source: str, show: Show) -> None:
    from otd.cli.output import print_table

    if changed:
        rows = [
            (
                one.effect,
                look.place,
                look.meeting.subject or "(no subject)",
                _briefly(one.before, show),
                _briefly(one.after, show),
            )
            for look, one in changed
        ]
        print_table(("", "room" if source else "file", "meeting", "now", "then"), rows)
        click.echo()
    click.echo(
        f"{counts['gain']} would gain a dial string, {counts['lose']} would lose theirs, {counts['change']} would "
        f"change it; {counts['same']} would stay as they are."
    )
    if source:
        click.echo(source)


def _briefly(dialled: Dialled, show: Show) -> str:
    rule = f" ({dialled.rule})" if dialled.rule else ""
    if dialled.dial is None or not dialled.allowed:
        return f"none, {dialled.reason}{rule}"
    return f"{dialled.dial.protocol}:{show(dialled.dial.uri)}{rule}"


# --- domains --------------------------------------------------------------------------------------------------------


@click.command(epilog=examples("otd rules domains", "otd rules domains invitations/"))
@click.argument("files", nargs=-1, metavar="[FILE...]")
@with_optional_config
@with_json
def domains(files: tuple[str, ...], config: str | None, as_json: bool) -> int:
    """List the domains that meetings would need opened, with the line for otd.toml.

    The meetings are those in FILE... (files or folders), or without any those of each room's last kept reading. Open a
    domain only when you know whose it is: whoever may invite a room may then have it dial there. The exit code is 2
    when a file could not be read.
    """
    from otd.cli.output import print_json, print_table, progress

    found = desk(config)
    meetings = Meetings(files, found)
    with progress("reading meetings"):
        needed = _needed(meetings)
    rows = sorted(needed.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    if as_json:
        print_json(
            [{"domain": host, "meetings": sum(by.values()), "by": dict(sorted(by.items()))} for host, by in rows]
        )
        return 2 if meetings.failed else 0
    if rows:
        from otd.quoting import toml_string

        table = [
            (host, sum(by.values()), ", ".join(f"{name} {count}" for name, count in sorted(by.items())))
            for host, by in rows
        ]
        print_table(("domain", "meetings", "by rule"), table)
        known = found.policy.allowed_domains
        listed = ", ".join(toml_string(host) for host in (*known, *(host for host, _ in rows)))
        click.echo(f"\nTo open them all, in otd.toml:\n\n[dialplan]\nallowed_domains = [{listed}]")
    elif not meetings.failed:
        click.echo("No meeting in it leads outside the domains that may be dialled.")
    if meetings.source:
        click.echo(meetings.source)
    return 2 if meetings.failed else 0


def _needed(meetings: Meetings) -> dict[str, Counter[str]]:
    """Each host that may not be dialled -> how many meetings lead there, by rule."""
    from otd.dialplan import host_of

    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    known: set[tuple[str, str, str]] = set()
    for look in meetings:
        _, dialled = look.dialled()
        if dialled.dial is None or dialled.allowed:
            continue
        host = host_of(dialled.dial.uri, dialled.dial.protocol) or ""
        one = (look.place, look.meeting.id, host)
        if not look.endpoint or one not in known:
            known.add(one)
            found[host][dialled.rule] += 1
    return found
