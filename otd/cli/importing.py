"""The plan of an import of rooms and endpoints, how it is shown, and how it is written."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from otd.cli.output import coloured, plain, print_table
from otd.errors import BadSetting
from otd.settings import BadSettings, FilesAccess, Mistake, Settings, read
from otd.settings.documents import beside, read_files
from otd.settings.imports import Change, Imported, Tables, as_toml, on_its_line, planned, read_table

FILE = "imported.toml"
_COLOURS = {"added": "green", "changed": "yellow", "removed": "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import would change: in the file of imports, and which folders of rooms it would make."""

    target: Path
    text: str
    held: str
    changes: tuple[Change, ...]
    folders: tuple[Path, ...]
    warnings: tuple[Mistake, ...]

    @property
    def has_work(self) -> bool:
        return self.text != self.held or bool(self.folders)

    def as_json(self, *, written: bool) -> dict[str, Any]:
        return {
            "file": str(self.target),
            "written": written,
            "changes": [
                {
                    "section": change.section,
                    "name": change.name,
                    "what": change.what,
                    "differences": {key: {"before": a, "after": b} for key, a, b in change.differences},
                }
                for change in self.changes
            ],
            "folders": [str(folder) for folder in self.folders],
            "warnings": [str(warning) for warning in self.warnings],
        }


def plan(table: Path, config: Path, defaults: Mapping[str, str], *, prune: bool) -> Plan:
    """What importing the table would change. Raises BadSettings with every mistake in it, by its line, at once."""
    try:
        content = table.read_bytes()
    except OSError as error:
        raise BadSetting(str(table), f"it cannot be read: {error.strerror}", "name a CSV file") from None
    target = beside(config) / FILE
    held = target.read_text("utf-8") if target.exists() else ""
    imported = read_table(table.name, content, defaults)
    _leave_what_is_written_by_hand(imported, config)
    after, changes = planned(imported, _tables(held, target), prune=prune)
    text = as_toml(after)
    found = read(config, os.environ, {FILE: text})
    mistakes = list(imported.mistakes)
    mistakes += [on_its_line(mistake, imported) for mistake in found.mistakes if not mistake.warning]
    if mistakes or found.settings is None:
        raise BadSettings(sorted(dict.fromkeys(mistakes), key=_by_line))
    return Plan(
        target=target,
        text=text if any(change.what not in ("unchanged", "kept") for change in changes) else held,
        held=held,
        changes=changes,
        folders=_missing_folders(found.settings, imported),
        warnings=tuple(on_its_line(mistake, imported) for mistake in found.mistakes),
    )


def _by_line(mistake: Mistake) -> tuple[str, int]:
    file, _, line = mistake.where.rpartition(" line ")
    return file, int(line) if line.isdigit() else 0


def _tables(held: str, target: Path) -> Tables:
    try:
        return tomllib.loads(held)
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(str(target), f"it is not TOML any more: {error}", "mend it, or remove it") from None


def _leave_what_is_written_by_hand(imported: Imported, config: Path) -> None:
    """What stands in otd.toml or another file already is not imported again; if it differs, that is a mistake."""
    merged = read_files(config.absolute(), {FILE: ""})
    for section in ("rooms", "endpoints"):
        there = merged.tables.get(section, {})
        for name in sorted(imported.tables[section].keys() & there.keys()):
            said = imported.tables[section].pop(name)
            if any(there[name].get(key) != value for key, value in said.items()):
                home = merged.homes.get((section, name), merged.main)
                imported.mistake(
                    imported.lines[section, name],
                    "room" if section == "rooms" else "endpoint",
                    f"{section.removesuffix('s')} {name} stands in {home.name if home else ''}, and differs there",
                    "change it there, or remove it there to import it",
                )


def _missing_folders(settings: Settings, imported: Imported) -> tuple[Path, ...]:
    """The folders of imported rooms on calendars of files that are not there, or not marked yet."""
    from otd.calendars.files import MARKER

    folders = []
    for room in (settings.rooms[name] for name in imported.tables["rooms"]):
        access = settings.calendars[room.calendar].access
        if isinstance(access, FilesAccess) and not (access.folder / room.mailbox / MARKER).exists():
            folders.append(access.folder / room.mailbox)
    return tuple(folders)


def print_plan(found: Plan) -> None:
    """The plan for a person: what changes, one a line; what does not, as a number."""
    rows = [
        (
            change.what,
            change.section.removesuffix("s"),
            change.name,
            ", ".join(
                f"{key}: {before or '(none)'} -> {after or '(none)'}" for key, before, after in change.differences
            ),
        )
        for change in found.changes
        if change.what not in ("unchanged", "kept")
    ]
    if rows:
        print_table(("what", "", "name", "difference"), rows)
    for folder in found.folders:
        click.echo(coloured("new  ", "green") + plain(f"folder {folder}"))
    for what, more in (("unchanged", ""), ("kept", ", not in the file (--prune removes them)")):
        if count := sum(change.what == what for change in found.changes):
            click.echo(f"{count} {what}{more}")
    for warning in found.warnings:
        click.echo(coloured("warn ", "yellow") + plain(str(warning)))
    if not found.has_work:
        click.echo("nothing to change")


def apply(found: Plan) -> None:
    """Write it: the file of imports whole or not at all, then the folders."""
    from otd.calendars.files import write_marker

    try:
        found.target.parent.mkdir(parents=True, exist_ok=True)
        new = found.target.with_suffix(".toml.tmp")
        new.write_text(found.text, "utf-8")
        new.replace(found.target)
        for folder in found.folders:
            write_marker(folder)
    except OSError as error:
        raise BadSetting(str(error.filename or found.target), f"it cannot be written: {error.strerror}") from None
