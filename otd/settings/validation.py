"""The tables of otd.toml, each checked by its form in `tables`; what pydantic says becomes a Mistake in plain words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from otd.dialplan import Rule, read_rules
from otd.settings.documents import Merged
from otd.settings.kinds import name_mistake
from otd.settings.lines import Path as KeyPath
from otd.settings.mistakes import Mistake, did_you_mean
from otd.settings.tables import (
    CALENDARS,
    NAMED,
    SINGLE,
    AlertsTable,
    AuditTable,
    BusTable,
    DialplanTable,
    EndpointTable,
    EwsTable,
    FilesTable,
    GraphTable,
    MetricsTable,
    PolicyTable,
    PoolTable,
    ReadingsTable,
    RelayTable,
    RoomTable,
    RunTable,
    SecretsTable,
    ServeTable,
    SiteTable,
)

Table = TypeVar("Table")

ENVIRONMENT = {
    "OTD_DATABASE": ("run", "database"),
    "OTD_STATE": ("run", "state"),
    "OTD_LOG": ("run", "log"),
    "OTD_METRICS": ("metrics", "listen"),
    "OTD_SECRETS_FILE": ("secrets", "file"),
    "OTD_SECRETS_FOLDER": ("secrets", "folder"),
}
"""What the environment overrides: the few things that differ from container to container."""
OTHERS = ("OTD_CONFIG", "OTD_RELAY_CONFIG")
"""What else the environment may say; and OTD_SECRET_NAME for every secret."""

UNKNOWN = "\0"
"""Stands in a table for a value that is wrong or missing and reported so; what refers to it is not looked at."""


@dataclass(slots=True)
class Tables:
    """Every table in its form; what is wrong or missing in one is UNKNOWN in it."""

    calendars: dict[str, GraphTable | EwsTable | FilesTable] = field(default_factory=dict)
    pools: dict[str, PoolTable] = field(default_factory=dict)
    relays: dict[str, RelayTable] = field(default_factory=dict)
    rooms: dict[str, RoomTable] = field(default_factory=dict)
    endpoints: dict[str, EndpointTable] = field(default_factory=dict)
    dialplan: DialplanTable = field(default_factory=DialplanTable)
    rules: tuple[Rule, ...] = ()
    site: SiteTable = field(default_factory=SiteTable)
    policy: PolicyTable = field(default_factory=PolicyTable)
    run: RunTable = field(default_factory=RunTable)
    bus: BusTable = field(default_factory=BusTable)
    readings: ReadingsTable = field(default_factory=ReadingsTable)
    audit: AuditTable = field(default_factory=AuditTable)
    secrets: SecretsTable = field(default_factory=SecretsTable)
    alerts: AlertsTable = field(default_factory=AlertsTable)
    metrics: MetricsTable = field(default_factory=MetricsTable)
    serve: ServeTable = field(default_factory=ServeTable)
    cas: dict[str, str] = field(default_factory=dict)


def validated(merged: Merged, environment: Mapping[str, str]) -> Tables:
    """Every table, checked by itself. Mistakes go to `merged`."""
    tables = Tables()
    for name, raw in _named(merged, "calendars"):
        if (shape := _calendar_shape(merged, name, raw)) and (
            calendar := checked_table(merged, ("calendars", name), raw, shape)
        ):
            tables.calendars[name] = calendar
    for section, shape in NAMED.items():
        for name, raw in _named(merged, section):
            if (table := checked_table(merged, (section, name), raw, shape)) is not None:
                getattr(tables, section)[name] = table
    for section, shape in SINGLE.items():
        raw = merged.tables.get(section, {})
        if (table := checked_table(merged, (section,), raw, shape)) is not None:
            setattr(tables, section, _overridden(merged, section, table, environment))
    _dialplan(merged, tables)
    tables.cas = checked_cas(merged)
    _misspelt(merged, environment)
    return tables


def _misspelt(merged: Merged, environment: Mapping[str, str]) -> None:
    known = (*ENVIRONMENT, *OTHERS)
    for variable in sorted(environment):
        if variable.startswith("OTD_") and not variable.startswith("OTD_SECRET_") and variable not in known:
            where = f"environment variable {variable}"
            mend = did_you_mean(variable, known)
            merged.mistakes.append(Mistake(where=where, key="", why="it means nothing", mend=mend, warning=True))


def _named(merged: Merged, section: str) -> list[tuple[str, Any]]:
    found = []
    for name, raw in merged.tables[section].items():
        if said := name_mistake(name):
            merged.mistake((section, name), *said)
        found.append((name, raw))
    return found


def _calendar_shape(merged: Merged, name: str, raw: Any) -> type[GraphTable | EwsTable | FilesTable] | None:
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if isinstance(kind, str) and kind in CALENDARS:
        return CALENDARS[kind]
    if not isinstance(raw, dict):
        merged.mistake(("calendars", name), "a calendar is a table", f"write [calendars.{name}]")
    elif kind is None:
        merged.mistake(("calendars", name), "the key kind is missing", f'add kind = "{" or ".join(CALENDARS)}"')
    else:
        mend = did_you_mean(str(kind), CALENDARS)
        merged.mistake(("calendars", name, "kind"), f"there is no kind of calendar {kind!r}", mend)
    return None


def checked_table(merged: Merged, path: KeyPath, raw: Any, shape: type[Table]) -> Table | None:
    """The table in its form; with a mistake in it, what is left of it, so that the rest of it can be looked at too."""
    if not isinstance(raw, dict):
        merged.mistake(path, f"{path[-1]} is a table", f"write [{'.'.join(map(str, path))}]")
        return None
    try:
        return cast(Table, _adapter(cast(Hashable, shape)).validate_python(raw))
    except ValidationError as errors:
        details = errors.errors(include_url=False, include_input=False)
    for error in details:
        merged.mistake((*path, *_place(error)), *_in_words(error, shape))
    return _salvaged(raw, shape, details)


def _salvaged(raw: dict[str, Any], shape: type[Table], details: list[ErrorDetails]) -> Table:
    """The table with UNKNOWN for what is wrong or missing in it."""
    bad = {error["loc"] for error in details}
    values: dict[str, Any] = {str(error["loc"][0]): UNKNOWN for error in details if error["type"] == "missing"}
    for key in (known.name for known in fields(cast(Any, shape)) if known.name in raw):
        value = raw[key]
        if isinstance(value, list):
            kept = tuple(one for index, one in enumerate(value) if (key, index) not in bad)
            value = kept if len(kept) == len(value) else (*kept, UNKNOWN)
        values[key] = value if not any(loc == (key,) for loc in bad) else UNKNOWN
    return shape(**values)


def _place(error: ErrorDetails) -> KeyPath:
    """Where in the table: without the key when it is missing, and without pydantic's marks for keys of a table."""
    loc = tuple(part for part in error["loc"] if part != "[key]")
    return loc[:-1] if error["type"] == "missing" else loc


@cache
def _adapter(shape: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, shape))


_NEEDED = {
    "string_type": ("a text is needed", 'write it in quotes: "text"'),
    "bool_type": ("true or false is needed", "write true or false, without quotes"),
    "int_type": ("a whole number is needed", "write it without quotes"),
    "dict_type": ("a table is needed", 'write it in braces: {"one.example.com" = "two"}'),
}


def _in_words(error: ErrorDetails, shape: type[Any]) -> tuple[str, str]:
    """Why and mend, without the value that was given."""
    context = error.get("ctx", {})
    match error["type"]:
        case "otd":
            return str(context["why"]), str(context["mend"])
        case "missing":
            return f"the key {error['loc'][-1]} is missing", f"add {error['loc'][-1]} = ..."
        case "unexpected_keyword_argument":
            key = str(error["loc"][-1])
            return f"there is no key {key!r} here", did_you_mean(key, (known.name for known in fields(shape)))
        case "literal_error":
            return "this is not one of the choices", f"choose {context['expected']}"
        case "greater_than_equal" | "less_than_equal":
            return "the number is out of range", error["msg"].replace("Input should be", "it should be")
        case kind if kind in _NEEDED:
            return _NEEDED[kind]
        case _:
            return error["msg"], ""


def _overridden(merged: Merged, section: str, table: Table, environment: Mapping[str, str]) -> Table:
    """The table with what the environment says instead. Relative paths there are meant from where the command runs."""
    for variable, (where, key) in ENVIRONMENT.items():
        if where != section or not environment.get(variable):
            continue
        value = environment[variable]
        if key not in ("log", "listen") and "://" not in value:
            value = str(Path(value).absolute())
        try:
            _adapter(cast(Hashable, type(table))).validate_python({key: value})
            table = replace(cast(Any, table), **{key: value})
        except ValidationError as errors:
            why, mend = _in_words(errors.errors()[0], type(table))
            merged.mistakes.append(Mistake(where=f"environment variable {variable}", key="", why=why, mend=mend))
    return table


def _dialplan(merged: Merged, tables: Tables) -> None:
    raw = merged.tables.get("dialplan", {})
    rules = raw.get("rules", []) if isinstance(raw, dict) else []
    if isinstance(raw, dict):
        raw = {key: value for key, value in raw.items() if key != "rules"}
    tables.dialplan = checked_table(merged, ("dialplan",), raw, DialplanTable) or tables.dialplan
    if not isinstance(rules, list):
        merged.mistake(("dialplan", "rules"), "rules are an array of tables", "write [[dialplan.rules]]")
        return
    tables.rules, mistakes = read_rules(cast(list[dict[str, object]], rules))
    for mistake in mistakes:
        number, _, key = mistake.key.removeprefix("[").partition("]")
        path: KeyPath = ("dialplan", "rules", int(number))
        merged.mistake((*path, key.removeprefix(".")) if key else path, mistake.why, mistake.mend)


def checked_cas(merged: Merged) -> dict[str, str]:
    """[cas]: files of certificate authorities by name."""
    raw = merged.tables.get("cas", {})
    found: dict[str, str] = {}
    if not isinstance(raw, dict):
        merged.mistake(("cas",), "cas is a table", 'write [cas] and below it NAME = "file.pem"')
        return found
    for name, file in raw.items():
        if said := name_mistake(name):
            merged.mistake(("cas", name), *said)
        elif not isinstance(file, str) or not file:
            merged.mistake(("cas", name), "the path of a PEM file is needed", f'write {name} = "file.pem"')
        else:
            found[name] = file
    return found
