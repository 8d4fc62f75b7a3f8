"""Reads a calendar server's replies as Polycom endpoints do. Pure.

Two readers with one result. The literal one looks for `<t:Subject>` and the like in the text: it does not know what a
namespace is, and what is written with another prefix does not exist for it. The other one parses XML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lxml import etree

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_PREFIXES = {"t": TYPES, "m": MESSAGES, "s": SOAP}
_FIELDS = (
    *("ItemClass", "Subject", "Sensitivity", "Body", "UID", "Start", "End"),
    *("IsAllDayEvent", "Location", "IsCancelled", "IsRecurring", "MyResponseType"),
)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


class Unusable(Exception):
    """The reply as a whole is of no use; the endpoint says that its calendar is unavailable."""

    def __init__(self, why: str, code: str = "") -> None:
        super().__init__(why)
        self.why, self.code = why, code


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A calendar item as it was read; what is absent is "". Times are kept as they were written."""

    id: str = ""
    change_key: str = ""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    html: bool = False
    organizer: str = field(default="", repr=False)
    organizer_address: str = field(default="", repr=False)
    has_mailbox: bool = False
    required: tuple[str, ...] = field(default=(), repr=False)
    optional: tuple[str, ...] = field(default=(), repr=False)
    extended: Mapping[str, str] = field(default_factory=dict, repr=False)

    def get(self, name: str) -> str:
        return self.fields.get(name, "")

    def lacks(self, needed: tuple[str, ...]) -> tuple[str, ...]:
        """Which of these literal names are missing or empty."""
        special = {
            "t:ItemId": self.id,
            "t:Organizer": self.has_mailbox,
            "t:Mailbox": self.has_mailbox,
            "t:Name": self.organizer,
            "t:ExtendedProperty": self.extended,
        }
        return tuple(name for name in needed if not special.get(name, self.get(name.removeprefix("t:"))))

    @property
    def times(self) -> tuple[datetime, datetime] | None:
        """Start and end; None when one of them is no time."""
        start, end = self.get("Start"), self.get("End")
        if not _DATE.fullmatch(start) or not _DATE.fullmatch(end):
            return None
        try:
            return datetime.fromisoformat(start).astimezone(UTC), datetime.fromisoformat(end).astimezone(UTC)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One response message: its code and the items in it, and for a FindItem whether that is all."""

    code: str
    items: tuple[Item, ...] = ()
    folder_id: str = ""
    whole: bool = True


def read(body: bytes, operation: str, *, literal: bool) -> tuple[Message, ...]:
    """The response messages of an operation. Raises Unusable."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unusable("the reply is not UTF-8") from error
    return _literal(text, operation) if literal else _parsed(body, operation)


# --- literally ----------------------------------------------------------------------------------------------------


def _literal(text: str, operation: str) -> tuple[Message, ...]:
    if fault := _inner(text, "s:Fault"):
        code = _inner(fault, "e:ResponseCode") or _inner(fault, "faultcode") or "a fault"
        raise Unusable(f"the server answered {code.rpartition(':')[2]}", code.rpartition(":")[2])
    messages = _each(text, f"m:{operation}ResponseMessage")
    if not messages:
        raise Unusable(f"there is no m:{operation}ResponseMessage in the reply")
    return tuple(_literal_message(message, operation) for message in messages)


def _literal_message(text: str, operation: str) -> Message:
    return Message(
        code=_inner(text, "m:ResponseCode") or "",
        items=tuple(map(_literal_item, _each(text, "t:CalendarItem"))),
        folder_id=_attribute(text, "t:FolderId", "Id"),
        whole=operation != "FindItem" or _attribute(text, "m:RootFolder", "IncludesLastItemInRange") != "false",
    )


def _literal_item(text: str) -> Item:
    organizer = _inner(text, "t:Organizer") or ""
    return Item(
        id=_attribute(text, "t:ItemId", "Id"),
        change_key=_attribute(text, "t:ItemId", "ChangeKey"),
        fields={name: html.unescape(_inner(text, f"t:{name}") or "") for name in _FIELDS},
        html=_attribute(text, "t:Body", "BodyType") == "HTML",
        organizer=html.unescape(_inner(organizer, "t:Name") or ""),
        organizer_address=html.unescape(_inner(organizer, "t:EmailAddress") or ""),
        has_mailbox=bool(_inner(organizer, "t:Mailbox")),
        required=_literal_names(_inner(text, "t:RequiredAttendees")),
        optional=_literal_names(_inner(text, "t:OptionalAttendees")),
        extended={
            _attribute(each, "t:ExtendedFieldURI", "PropertyName"): html.unescape(_inner(each, "t:Value") or "")
            for each in _each(text, "t:ExtendedProperty")
        },
    )


def _literal_names(text: str | None) -> tuple[str, ...]:
    return tuple(html.unescape(_inner(each, "t:Name") or "") for each in _each(text or "", "t:Attendee"))


def _opening(text: str, name: str, start: int = 0) -> tuple[int, int] | None:
    """Where the next `<name>` or `<name ...>` begins and ends."""
    at = text.find(f"<{name}", start)
    while at >= 0:
        after = at + len(name) + 1
        if text[after : after + 1] in (">", " ", "/", "\r", "\n", "\t"):
            end = text.find(">", after)
            return (at, end + 1) if end >= 0 else None
        at = text.find(f"<{name}", after)
    return None


def _inner(text: str, name: str) -> str | None:
    """What stands between the first `<name>` and its end; "" for `<name/>`, None when there is none."""
    return next(iter(_each(text, name)), None)


def _each(text: str, name: str) -> list[str]:
    found: list[str] = []
    at = 0
    while opening := _opening(text, name, at):
        at = opening[1]
        if text[at - 2] == "/":
            found.append("")
            continue
        end = text.find(f"</{name}>", at)
        if end < 0:
            break
        found.append(text[at:end])
        at = end
    return found


def _attribute(text: str, name: str, attribute: str) -> str:
    opening = _opening(text, name)
    if opening is None:
        return ""
    _, mark, rest = text[opening[0] : opening[1]].partition(f' {attribute}="')
    return html.unescape(rest.partition('"')[0]) if mark else ""


# --- as XML -------------------------------------------------------------------------------------------------------


def parsed(body: bytes) -> etree._Element:
    """The root of a reply. Raises Unusable."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise Unusable("the reply is not well-formed XML") from error


def _parsed(body: bytes, operation: str) -> tuple[Message, ...]:
    root = parsed(body)
    fault = root.find(".//s:Fault", _PREFIXES)
    if fault is not None:
        code = next((e.text or "" for e in fault.iter("{*}ResponseCode")), "") or fault.findtext("faultcode") or ""
        raise Unusable(f"the server answered {code.rpartition(':')[2]}", code.rpartition(":")[2])
    messages = root.findall(f".//m:{operation}ResponseMessage", _PREFIXES)
    if not messages:
        raise Unusable(f"there is no {operation}ResponseMessage in the reply")
    return tuple(_parsed_message(message) for message in messages)


def _parsed_message(message: etree._Element) -> Message:
    root = message.find("m:RootFolder", _PREFIXES)
    folder = message.find(".//t:FolderId", _PREFIXES)
    return Message(
        code=message.findtext("m:ResponseCode", "", _PREFIXES),
        items=tuple(map(_parsed_item, message.iterfind(".//t:CalendarItem", _PREFIXES))),
        folder_id="" if folder is None else str(folder.get("Id", "")),
        whole=root is None or root.get("IncludesLastItemInRange") != "false",
    )


def _parsed_item(item: etree._Element) -> Item:
    identity, body = item.find("t:ItemId", _PREFIXES), item.find("t:Body", _PREFIXES)
    organizer = item.find("t:Organizer/t:Mailbox", _PREFIXES)
    return Item(
        id="" if identity is None else str(identity.get("Id", "")),
        change_key="" if identity is None else str(identity.get("ChangeKey", "")),
        fields={name: item.findtext(f"t:{name}", "", _PREFIXES) for name in _FIELDS},
        html=body is not None and body.get("BodyType") == "HTML",
        organizer="" if organizer is None else organizer.findtext("t:Name", "", _PREFIXES),
        organizer_address="" if organizer is None else organizer.findtext("t:EmailAddress", "", _PREFIXES),
        has_mailbox=organizer is not None,
        required=_parsed_names(item, "RequiredAttendees"),
        optional=_parsed_names(item, "OptionalAttendees"),
        extended={
            str(uri.get("PropertyName", "")): each.findtext("t:Value", "", _PREFIXES)
            for each in item.iterfind("t:ExtendedProperty", _PREFIXES)
            if (uri := each.find("t:ExtendedFieldURI", _PREFIXES)) is not None
        },
    )


def _parsed_names(item: etree._Element, people: str) -> tuple[str, ...]:
    return tuple(
        each.findtext("t:Mailbox/t:Name", "", _PREFIXES) for each in item.iterfind(f"t:{people}/t:Attendee", _PREFIXES)
    )
