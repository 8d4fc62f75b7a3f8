"""What the commands that look at invitation files share: the files, and the site that looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from otd.dialplan import DialPlan
    from otd.invites import Site
    from otd.model import Dialled, JoinInfo, Meeting, NoJoin, Policy, Room, Window
    from otd.settings import Settings

ENDINGS = (".eml", ".htm", ".html", ".ical", ".ics", ".json", ".txt", ".vcs", ".xml")
"""The files of a folder that are looked at."""

Function = TypeVar("Function", bound=Callable[..., Any])


def with_optional_config(function: Function) -> Function:
    """`--config PATH` as the parameter `config`: None when there is no such file and none was asked for."""
    return click.option(
        "--config",
        metavar="PATH",
        envvar="OTD_CONFIG",
        default=None,
        help="The settings file (also: OTD_CONFIG); otd.toml here, if there is one.",
    )(function)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where an invitation is looked at: the site's dial plan and policy, and a room, if one was named."""

    plan: DialPlan
    site: Site
    policy: Policy
    room: Room | None = None
    settings: Settings | None = None

    @property
    def zone(self) -> tzinfo:
        """In which all-day meetings are dates, and times are shown."""
        from datetime import UTC
        from zoneinfo import ZoneInfo

        return ZoneInfo(self.room.timezone) if self.room else UTC

    def dialled(self, meeting: Meeting, endpoint: str = "") -> tuple[JoinInfo | NoJoin, Dialled]:
        """What the meeting says about joining, and what would be dialled."""
        from otd import bookings, invites

        join = invites.read(meeting, self.site)
        room = self.room.name if self.room else ""
        return join, bookings.dial_for(join, meeting, self.plan, self.policy, room=room, endpoint=endpoint)


def desk(config: str | None, room: str = "") -> Desk:
    """The desk of the settings file, or one of a site that has settled nothing. Raises BadSetting."""
    import os
    from pathlib import Path

    from otd import dialplan
    from otd.errors import BadSetting
    from otd.invites import Site
    from otd.model import Policy

    if config is None and not Path("otd.toml").exists():
        if room:
            mend = "name the settings file with --config, or leave --room out"
            raise BadSetting(f"room {room}", "there is no settings file that could know it", mend)
        return Desk(plan=dialplan.for_site((), Site()), site=Site(), policy=Policy())

    from otd import settings as otd_settings

    found = otd_settings.load(Path(config or "otd.toml"), os.environ)
    if room and room not in found.rooms:
        from otd.settings.mistakes import did_you_mean

        raise BadSetting(f"room {room}", "it is not configured", did_you_mean(room, found.rooms))
    plan = dialplan.for_site(found.rules, found.site)
    chosen = found.rooms[room] if room else None
    return Desk(plan=plan, site=found.site, policy=found.policy, room=chosen, settings=found)


def files_in(named: Iterable[str]) -> Iterator[str]:
    """The files themselves; of a folder every invitation below it, by name. "-" is standard input."""
    from pathlib import Path

    for name in named:
        if name != "-" and Path(name).is_dir():
            yield from (str(path) for path in sorted(Path(name).rglob("*")) if _is_invitation(path))
        else:
            yield name


def _is_invitation(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and path.is_file()


class Reader:
    """Reads invitation files. What cannot be read is said on standard error, and counted in `failed`."""

    def __init__(self, zone: tzinfo, window: Window | None = None) -> None:
        self.zone, self.window = zone, window
        self.failed = 0

    def meetings(self, named: Iterable[str]) -> Iterator[tuple[str, tuple[Meeting, ...]]]:
        """Each file's name and its meetings: as written, or those that take place in the window."""
        from otd.errors import Garbled

        for name in files_in(named):
            try:
                found = self._read(name)
            except Garbled as error:
                self.failed += 1
                self._say(str(error))
            except OSError as error:
                self.failed += 1
                self._say(f"{name}: cannot be read: {(error.strerror or 'no answer').lower()}")
            else:
                yield name, found

    def _read(self, name: str) -> tuple[Meeting, ...]:
        from otd import formats

        data = _bytes(name, formats.SIZE_LIMIT + 1)
        document = formats.parse(data, "" if name == "-" else name, self.zone)
        notes = document.notes
        found = tuple(entry.meeting for entry in document.entries)
        if self.window is not None:
            found, problems = formats.occurrences(document.entries, self.window)
            notes += problems
        for note in notes:
            self._say(f"{name}: note: {note}")
        return found

    def _say(self, line: str) -> None:
        from otd.cli.output import plain

        click.echo(f"otd: {plain(line)}", err=True)


def _bytes(name: str, most: int) -> bytes:
    import sys

    if name == "-":
        return sys.stdin.buffer.read(most)
    with open(name, "rb") as file:
        return file.read(most)
