"""What a request to calendarView asks for, read as strictly as Microsoft Graph reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from urllib.parse import parse_qsl

from otd.lab.zones import zone
from otd.model import Window

PAGE = 10  # without $top
TOP_LIMIT = 1000
LONGEST = timedelta(days=1825)

_ORDERS = ("start/dateTime", "end/dateTime", "subject", "createdDateTime", "lastModifiedDateTime")
_KNOWN_OPTIONS = ("$top", "$skip", "$select", "$orderby", "$expand", "$count")
_NOT_SIMULATED = ("$filter", "$search", "$format", "$levels", "$compute", "$apply", "$skiptoken", "$deltatoken")
_EXTENDED = re.compile(r"singleValueExtendedProperties\(\$filter=(?P<filter>.*)\)", re.IGNORECASE | re.DOTALL)
_CONDITION = re.compile(r"id eq '((?:[^']|'')*)'", re.IGNORECASE)
_NAMED = re.compile(r"(?P<type>String) \{(?P<guid>[0-9a-f-]{36})\} Name (?P<name>.+)", re.IGNORECASE)
_NUMBERED = re.compile(r"[A-Za-z]+ (\{[0-9a-f-]{36}\} Id )?0x[0-9a-f]+", re.IGNORECASE)
_PUBLIC_STRINGS = "00020329-0000-0000-c000-000000000046"
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,7}))?)?\s*(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE | re.ASCII
)


class Refusal(Exception):
    """An error that Graph answers with; `retry_after` in seconds when it says how long to wait."""

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The properties to write, and the extended ones as (how Graph repeats the id's head, the name)."""

    properties: tuple[str, ...]
    extended: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What the Prefer header asks for, and `applied`, what the answer says of it."""

    zone_name: str = "UTC"
    zone: tzinfo = UTC
    text_body: bool = False
    immutable: bool = False
    page_size: int | None = None
    applied: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A calendarView request."""

    window: Window
    selection: Selection
    top: int
    skip: int = 0
    order: str = ""
    descending: bool = False
    count: bool = False


def query(raw: str, preferences: Preferences, known: tuple[str, ...]) -> Query:
    """`known` are the properties of an event. Raises Refusal for whatever Graph would not take."""
    options = _options(raw)
    return Query(
        window=_window(options),
        selection=Selection(
            properties=_selected(options.get("$select"), known), extended=_expanded(options.get("$expand"))
        ),
        top=_number(options, "$top", 1, TOP_LIMIT) or preferences.page_size or PAGE,
        skip=_number(options, "$skip", 0, 2**31) or 0,
        order=_order(options.get("$orderby", ""))[0],
        descending=_order(options.get("$orderby", ""))[1],
        count=options.get("$count", "").casefold() == "true",
    )


def _options(raw: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(raw, keep_blank_values=True):
        name = name.casefold()
        if name in _NOT_SIMULATED:
            raise Refusal(501, "notImplemented", f"The lab does not simulate the query option {name}.")
        if name.startswith("$") and name not in _KNOWN_OPTIONS:
            raise Refusal(400, "BadRequest", f"The query parameter '{name}' is not supported.")
        if name in options:
            raise Refusal(400, "BadRequest", f"Query option '{name}' was specified more than once.")
        options[name] = value
    return options


def _window(options: Mapping[str, str]) -> Window:
    if not options.get("startdatetime") or not options.get("enddatetime"):
        raise Refusal(
            400, "ErrorInvalidParameter", "A time window is required: query parameters StartDateTime and EndDateTime."
        )
    start, end = _instant("StartDateTime", options["startdatetime"]), _instant("EndDateTime", options["enddatetime"])
    if end < start:
        raise Refusal(400, "ErrorInvalidParameter", "StartDateTime is later than EndDateTime.")
    if end - start > LONGEST:
        raise Refusal(400, "ErrorInvalidParameter", "The time window is longer than 1825 days.")
    return Window(start=start, end=max(end, start + timedelta(microseconds=1)))


def _instant(name: str, text: str) -> datetime:
    """A time with its own offset, UTC without one. A plus sign that was not quoted has become a blank: refused."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise Refusal(400, "ErrorInvalidParameter", f"The parameter '{name}' is not a valid date and time.")
    day, clock, fraction, offset = found.groups()
    try:
        moment = datetime.fromisoformat(
            f"{day}T{clock or '00:00:00'}"
            + (f".{fraction[:6]:0<6}" if fraction and (clock or "").count(":") == 2 else "")
        )
        shift = datetime.fromisoformat(f"2000-01-01T00:00:00{(offset or 'Z').upper()}").tzinfo
        return moment.replace(tzinfo=shift).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refusal(400, "ErrorInvalidParameter", f"The parameter '{name}' is not a valid date and time.") from error


def _selected(text: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Every property without $select. With it those named, but for two that calendarView then leaves out."""
    if text is None:
        return known
    names = {name.casefold(): name for name in ("id", *known)}
    wanted = set()
    for name in text.split(","):
        if name.strip().casefold() not in names:
            raise Refusal(
                400,
                "BadRequest",
                "Parsing OData Select and Expand failed: Could not find a property named "
                f"'{name.strip()}' on type 'microsoft.graph.event'.",
            )
        wanted.add(names[name.strip().casefold()])
    return tuple(name for name in known if name in wanted - {"createdDateTime", "lastModifiedDateTime"})


def _expanded(text: str | None) -> tuple[tuple[str, str], ...]:
    if text is None:
        return ()
    found = _EXTENDED.fullmatch(text.strip())
    if found is None:
        raise Refusal(400, "BadRequest", "Parsing OData Select and Expand failed.")
    conditions = re.split(r"\s+or\s+(?=id eq ')", found["filter"].strip(), flags=re.IGNORECASE)
    return tuple(extended for condition in conditions if (extended := _extended(condition)))


def _extended(condition: str) -> tuple[str, str] | None:
    matched = _CONDITION.fullmatch(condition.strip())
    if matched is None:
        raise Refusal(400, "BadRequest", "Parsing OData Select and Expand failed.")
    wanted = matched[1].replace("''", "'")
    named = _NAMED.fullmatch(wanted)
    if named is None:
        if _NUMBERED.fullmatch(wanted):
            return None  # a property that no meeting of the lab has
        raise Refusal(400, "ErrorInvalidProperty", f"The extended property id '{wanted}' is not valid.")
    if named["guid"].casefold() != _PUBLIC_STRINGS:
        return None
    return f"String {{{_PUBLIC_STRINGS}}} Name ", named["name"]


def _number(options: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
        raise Refusal(400, "BadRequest", f"The value '{text}' of the query option {name} is not valid.")
    return int(text)


def _order(text: str) -> tuple[str, bool]:
    if not text:
        return "", False
    name, _, direction = text.strip().partition(" ")
    known = {order.casefold(): order for order in _ORDERS}
    if name.casefold() not in known or direction.strip().casefold() not in ("", "asc", "desc"):
        raise Refusal(400, "BadRequest", f"Could not parse the $orderby expression '{text}'.")
    return known[name.casefold()], direction.strip().casefold() == "desc"


def preferences(header: str) -> Preferences:
    """Reads a Prefer header; what Graph does not know in it is passed over, as HTTP wants."""
    asked: dict[str, str] = {}
    for part in re.findall(r'(?:[^,"]|"[^"]*")+', header):
        name, _, value = part.strip().partition("=")
        asked.setdefault(name.strip().casefold(), value.strip().strip('"'))
    zone_name = asked.get("outlook.timezone", "UTC")
    found = zone(zone_name)
    if found is None:
        raise Refusal(400, "TimeZoneNotSupportedException", f"The time zone '{zone_name}' is not supported.")
    kind = asked.get("outlook.body-content-type", "").casefold()
    size = asked.get("odata.maxpagesize", "")
    applied = {
        "IdType=ImmutableId": asked.get("idtype", "").casefold() == "immutableid",
        f'outlook.timezone="{zone_name}"': "outlook.timezone" in asked,
        f'outlook.body-content-type="{kind}"': kind in ("html", "text"),
        f"odata.maxpagesize={size}": size.isdecimal(),
    }
    return Preferences(
        zone_name=zone_name,
        zone=UTC if zone_name == "UTC" else found,
        text_body=kind == "text",
        immutable=applied["IdType=ImmutableId"],
        page_size=min(max(int(size), 1), TOP_LIMIT) if size.isdecimal() else None,
        applied=", ".join(text for text, is_applied in applied.items() if is_applied),
    )
