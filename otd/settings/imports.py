"""Rooms and endpoints from a table (CSV), and the plan of what its import would change.

One row is a room, an endpoint, or a room with its endpoint. Columns, in any order:

    room, calendar, mailbox, label, timezone              of the room
    endpoint, kind, address, pool, credential,            of the endpoint that shows it; a row with an address,
    trust, tls, interface, device, model, mode,           device or model and no endpoint calls it like the room, with
    endpoint_label                                        -codec
    rooms                                                 of an endpoint that has a row without a room: names, spaced

An endpoint that stands in several rows shows the rooms of all of them. `name` and `label` alone mean the room's, or
the endpoint's in a table that has no column of rooms. A column that is missing leaves what was imported before; an
empty cell takes it away. Separators are commas, semicolons, tabs or bars, as the first row has them; UTF-8, UTF-16 and
Windows-1252 are read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from otd.quoting import csv_text, toml_string
from otd.settings.kinds import NAME
from otd.settings.mistakes import Mistake, did_you_mean
from otd.settings.tables import EndpointTable, RoomTable

ROOM = ("calendar", "mailbox", "label", "timezone")
ENDPOINT = (
    *("kind", "address", "pool", "credential", "trust", "tls", "interface", "device", "model", "mode"),
    "endpoint_label",
)
NAMELESS = ("address", "device", "model")
"""Columns that say that a row has an endpoint, though it has no name of its own."""
COLUMNS = ("room", *ROOM, "endpoint", *ENDPOINT, "rooms")
LARGEST = 16 * 1024 * 1024
HEAD = "# Written by `otd rooms import`: the next import of the same names changes them here.\n"

Tables = dict[str, dict[str, dict[str, Any]]]
Section = Literal["rooms", "endpoints"]
What = Literal["added", "changed", "unchanged", "removed", "kept"]


@dataclass(slots=True)
class Imported:
    """What a table says: tables by section and name, the line where each began, and what is wrong with it."""

    file: str
    columns: frozenset[str] = frozenset()
    tables: Tables = field(default_factory=lambda: {"rooms": {}, "endpoints": {}})
    lines: dict[tuple[str, str], int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def mistake(self, line: int, key: str, why: str, mend: str) -> None:
        self.mistakes.append(Mistake(where=f"{self.file} line {line}", key=key, why=why, mend=mend))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one room or endpoint; `differences` are (key, before, after)."""

    section: Section
    name: str
    what: What
    differences: tuple[tuple[str, str, str], ...] = ()


# --- reading a table ----------------------------------------------------------------------------------------------


def read_table(file: str, content: bytes, defaults: Mapping[str, str]) -> Imported:
    """What the table says. `defaults` fill empty and missing cells: by column, such as calendar or pool."""
    found = Imported(file=file)
    if len(content) > LARGEST:
        found.mistake(1, "", "the file is larger than 16 MiB", "is it the right file?")
        return found
    rows = _rows(found, _text(content))
    columns = _columns(found, *next(rows, (1, [])))
    for line, row in rows:
        if len(row) > len(columns) and any(cell.strip() for cell in row[len(columns) :]):
            found.mistake(
                line, "", f"{len(row)} cells under {len(columns)} columns", "put texts with separators in quotes"
            )
        elif any(cell.strip() for cell in row) and not row[0].startswith("#"):
            cells = {
                column: csv_text(cell.strip()).strip() for column, cell in zip(columns, row, strict=False) if column
            }
            _row(found, line, cells)
    _fill(found, defaults)
    return found


def _text(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _rows(found: Imported, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of its first line; empty ones are left out."""
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip() and not line.startswith("#")), 0)
    separator = max(",;\t|", key=re.sub(r'"[^"]*"', "", lines[first]).count)
    if hint := re.fullmatch(r"sep=(.)\s*", lines[first]):  # as spreadsheets write it
        separator, first = hint[1], first + 1
    reader = csv.reader(io.StringIO("\n".join(lines[first:]), newline=""), delimiter=separator)
    line = first + 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = first + reader.line_num + 1
    except csv.Error as error:
        found.mistake(line, "", f"this is not CSV: {error}", "look at the quotes of this line")


def _columns(found: Imported, line: int, head: Sequence[str]) -> list[str]:
    names = [re.sub(r"[\s-]+", "_", csv_text(cell.strip()).strip().lower()) for cell in head]
    of_endpoints = not {"room", "calendar", "mailbox"} & set(names) and {"endpoint", "address"} & set(names)
    short = {"name": "endpoint", "label": "endpoint_label"} if of_endpoints else {"name": "room"}
    short["time_zone"] = "timezone"
    names = [short.get(name, name) for name in names]
    for name in names:
        if name and name not in COLUMNS:
            found.mistake(line, name, f"there is no column {name!r}", did_you_mean(name, COLUMNS))
        elif name and names.count(name) > 1:
            found.mistake(line, name, f"two columns are called {name}", "remove one")
    if not {"room", "endpoint"} & set(names):
        found.mistake(
            line, "", "the first row must name the columns", f"room and endpoint, and of {', '.join(COLUMNS)}"
        )
    found.columns = frozenset(names)
    return [name if name in COLUMNS else "" for name in names]


def _row(found: Imported, line: int, cells: dict[str, str]) -> None:
    room, endpoint = cells.get("room", ""), cells.get("endpoint", "")
    if not endpoint and room and any(cells.get(key) for key in NAMELESS):
        endpoint = f"{room}-codec"
    if not room and not endpoint:
        found.mistake(line, "room", "neither a room nor an endpoint is named", "fill in room, endpoint or both")
    if room:
        _add(found, line, "rooms", room, {key: cells.get(key, "") for key in ROOM})
    if endpoint:
        table: dict[str, Any] = {key.removeprefix("endpoint_"): cells.get(key, "") for key in ENDPOINT}
        table["rooms"] = [room] if room else cells.get("rooms", "").split()
        _add(found, line, "endpoints", endpoint, table)


def _fill(found: Imported, defaults: Mapping[str, str]) -> None:
    """Put the defaults where no row says anything."""
    for section, keys in (("rooms", ROOM), ("endpoints", ENDPOINT)):
        for table in found.tables[section].values():
            for key in keys:
                if value := defaults.get(key):
                    table.setdefault(key, value)


def _add(found: Imported, line: int, section: str, name: str, table: dict[str, Any]) -> None:
    table = {key: value for key, value in table.items() if value}
    first = found.tables[section].setdefault(name, table)
    began = found.lines.setdefault((section, name), line)
    if began == line:
        return
    for key, value in table.items():
        if key == "rooms":
            first["rooms"] = [*first.get("rooms", ()), *(room for room in value if room not in first.get("rooms", ()))]
        elif first.setdefault(key, value) != value:
            why = f"{section.removesuffix('s')} {name} has another {key} in line {began}"
            found.mistake(line, key, why, "say the same, or leave the cell empty")


# --- the plan -----------------------------------------------------------------------------------------------------


def planned(imported: Imported, before: Tables, *, prune: bool) -> tuple[Tables, tuple[Change, ...]]:
    """The tables of the file of imports after the import, and what changes; `before` is what it holds now."""
    after: Tables = {"rooms": {}, "endpoints": {}}
    changes: list[Change] = []
    forms: dict[Section, type[RoomTable] | type[EndpointTable]] = {"rooms": RoomTable, "endpoints": EndpointTable}
    for section, form in forms.items():
        said, held = imported.tables[section], before.get(section, {})
        for name in sorted(said.keys() | held.keys()):
            if name not in said:
                what: What = "removed" if prune else "kept"
                table = held[name]
            else:
                table = _together(held.get(name, {}), said[name], imported.columns, section)
                what = "added" if name not in held else "unchanged" if table == held[name] else "changed"
            if what != "removed":
                after[section][name] = {known.name: table[known.name] for known in fields(form) if known.name in table}
            differences = _differences(held.get(name, {}), table) if what == "changed" else ()
            changes.append(Change(section=section, name=name, what=what, differences=differences))
    return after, tuple(changes)


def _together(held: dict[str, Any], said: dict[str, Any], columns: frozenset[str], section: str) -> dict[str, Any]:
    """What the table says, and of what it has no column, what was imported before."""

    def has_column(key: str) -> bool:
        if section == "endpoints":
            return (
                bool({"room", "rooms"} & columns)
                if key == "rooms"
                else {"label": "endpoint_label"}.get(key, key) in columns
            )
        return key in columns

    return {key: value for key, value in held.items() if not has_column(key)} | said


def _differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    def shown(value: Any) -> str:
        return " ".join(map(str, value)) if isinstance(value, list) else str(value or "")

    keys = [key for key in dict.fromkeys((*before, *after)) if before.get(key) != after.get(key)]
    return tuple((key, shown(before.get(key)), shown(after.get(key))) for key in keys)


def as_toml(tables: Tables) -> str:
    """The tables as the text of a file; the same tables always give the same text."""
    parts = [HEAD]
    for section in ("rooms", "endpoints"):
        for name, table in sorted(tables[section].items()):
            parts.append(f"\n[{section}.{name if NAME.match(name) else toml_string(name)}]\n")
            parts += [f"{key} = {_written(value)}\n" for key, value in table.items()]
    return "".join(parts)


def _written(value: Any) -> str:
    match value:
        case str():
            return toml_string(value)
        case list():
            return "[" + ", ".join(map(_written, value)) + "]"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def on_its_line(mistake: Mistake, imported: Imported) -> Mistake:
    """A mistake that the settings would have after the import, at the line of the table where it comes from."""
    section, name, *rest = map(str, (*mistake.path, "", ""))
    line = imported.lines.get((section, name))
    if line is None:
        return mistake
    key = next((part for part in rest if part), "")
    column = {"label": "endpoint_label"}.get(key, key) if section == "endpoints" else key
    return Mistake(
        where=f"{imported.file} line {line}", key=column, why=mistake.why, mend=mistake.mend, warning=mistake.warning
    )
