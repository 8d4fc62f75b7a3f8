"""What is said to Exchange Web Services and how the answer is taken apart: FindItem with a CalendarView, then GetItem.

exchangelib makes the envelope, signs in and knows the response codes. Its item models are left out: they ask for two
folders first, turn all-day items by the process's own time zone, warn of every zone they do not know, and page through
a CalendarView for ever. Its forgiving parser is left out too: an answer that was cut off must not look like a short
one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from exchangelib import UTC as EWS_UTC
from exchangelib.account import Identity
from exchangelib.credentials import DELEGATE, IMPERSONATION
from exchangelib.errors import SOAPError
from exchangelib.services.common import EWSAccountService
from exchangelib.util import MNS, SOAPNS
from exchangelib.version import Version
from lxml import etree

from otd.formats.ews_item import TYPES
from otd.formats.hidden import HIDDEN
from otd.model import Window

_NAMESPACES = {"m": MNS, "t": TYPES}
M, T = f"{{{MNS}}}", f"{{{TYPES}}}"

SEEN = ("calendar:Start", "calendar:End")
FIELDS = (
    "item:Subject",
    "item:Sensitivity",
    "item:Body",
    "item:IsDraft",
    "calendar:Start",
    "calendar:End",
    "calendar:OriginalStart",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
    "calendar:Location",
    "calendar:IsCancelled",
    "calendar:CalendarItemType",
    "calendar:MyResponseType",
    "calendar:Organizer",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
    "calendar:Resources",
    "calendar:AppointmentState",
    "calendar:UID",
    "calendar:RecurrenceId",
    "calendar:StartTimeZone",
    "calendar:EndTimeZone",
    "calendar:JoinOnlineMeetingUrl",
)

# What a body may hold that XML may not: Exchange writes it down all the same, as references or as it is.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_PAIR = re.compile(rb"&#x(?P<high>[dD][89abAB][0-9a-fA-F]{2});&#x(?P<low>[dD][c-fC-F][0-9a-fA-F]{2});")
_REFERENCE = re.compile(rb"&#(?:x(?P<hex>[0-9a-fA-F]{1,8})|(?P<decimal>[0-9]{1,10}));")


class CutOffError(SOAPError):  # type: ignore[misc]
    """An answer that stops in the middle."""


@dataclass(slots=True)
class Account:
    """What exchangelib's services ask of an account: whose mailbox, through which connection, by which right."""

    protocol: Any
    version: Version
    access_type: str
    identity: Identity
    primary_smtp_address: str
    default_timezone: Any = EWS_UTC
    affinity_cookie: None = None


def account(protocol: Any, mailbox: str, right: str) -> Account:
    """`mailbox` "" for what is asked of the server and not of a mailbox."""
    return Account(
        protocol=protocol,
        version=protocol.config.version.copy(),
        access_type=IMPERSONATION if mailbox and right == "impersonation" else DELEGATE,
        identity=Identity(primary_smtp_address=mailbox),
        primary_smtp_address=mailbox,
    )


class _Call(EWSAccountService):  # type: ignore[misc]
    """One request, one answer: with the version we were told, parsed strictly."""

    def call(self, payload: etree._Element) -> list[Any]:
        """The elements of the answer, and exceptions in place of those that could not be had."""
        return list(self._get_elements(payload=payload))

    def _api_versions_to_try(self) -> tuple[str, ...]:
        return (self.account.version.api_version,)

    def _update_api_version(self, api_version: str, header: Any) -> None:
        """What the server says of itself changes nothing."""

    @classmethod
    def _get_soap_parts(cls, response: Any) -> tuple[etree._Element | None, etree._Element]:
        return parts(response.content)


class FindItem(_Call):
    """Gives the one RootFolder element."""

    SERVICE_NAME = "FindItem"
    element_container_name = f"{M}RootFolder"

    @classmethod
    def _get_elements_in_container(cls, container: etree._Element) -> list[etree._Element]:
        return [container]


class GetItem(_Call):
    """Gives the items, in the order of their ids."""

    SERVICE_NAME = "GetItem"
    element_container_name = f"{M}Items"


class GetRoomLists(_Call):
    """Gives an Address for each room list."""

    SERVICE_NAME = "GetRoomLists"
    element_container_name = f"{M}RoomLists"


class GetRooms(_Call):
    """Gives the Rooms of a list."""

    SERVICE_NAME = "GetRooms"
    element_container_name = f"{M}Rooms"


class _Anchored(_Call):
    """For what must reach the server that holds this mailbox, whomever else it is about."""

    def __init__(self, *args: Any, anchor: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._anchor = anchor

    def _extra_headers(self) -> dict[str, str]:
        stated: dict[str, str] = super()._extra_headers()
        return stated | {"X-AnchorMailbox": self._anchor, "X-PreferServerAffinity": "true"}


class Subscribe(_Anchored):
    """Gives the one SubscriptionId element."""

    SERVICE_NAME = "Subscribe"
    element_container_name = f"{M}SubscriptionId"

    @classmethod
    def _get_elements_in_container(cls, container: etree._Element) -> list[etree._Element]:
        return [container]


class GetStreamingEvents(_Anchored):
    """An answer that goes on: its raw response is read as it comes."""

    SERVICE_NAME = "GetStreamingEvents"

    def begin(self, payload: etree._Element) -> Any:
        self.streaming = True
        return self._get_response(payload=payload, api_version=self.account.version.api_version)

    def _extra_headers(self) -> dict[str, str]:
        return super()._extra_headers() | {"Accept-Encoding": "identity"}  # packed, it would come late


def subscribe_payload(mailbox: str) -> etree._Element:
    """Whatever happens in the calendar of this mailbox."""
    folder = _of(f"{T}DistinguishedFolderId", _of(f"{T}Mailbox", _of(f"{T}EmailAddress", mailbox)), Id="calendar")
    events = ("CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent")
    request = _of(
        f"{M}StreamingSubscriptionRequest",
        _of(f"{T}FolderIds", folder),
        _of(f"{T}EventTypes", *(_of(f"{T}EventType", event) for event in events)),
    )
    return _of(f"{M}Subscribe", request)


def streaming_payload(subscriptions: Iterable[str], lasts: timedelta) -> etree._Element:
    """What is told of these subscriptions; whole minutes, 1 to 30."""
    minutes = max(min(round(lasts / timedelta(minutes=1)), 30), 1)
    return _of(
        f"{M}GetStreamingEvents",
        _of(f"{M}SubscriptionIds", *(_of(f"{T}SubscriptionId", one) for one in subscriptions)),
        _of(f"{M}ConnectionTimeout", str(minutes)),
    )


def room_lists_payload() -> etree._Element:
    return _of(f"{M}GetRoomLists")


def rooms_payload(address: str) -> etree._Element:
    return _of(f"{M}GetRooms", _of(f"{M}RoomList", _of(f"{T}EmailAddress", address)))


def find_payload(mailbox: str, window: Window, limit: int) -> etree._Element:
    """Ids, change keys and times of what overlaps the window, recurrences expanded; at most `limit` of them.

    The calendar folder is named, not looked up.
    """
    view = {
        "MaxEntriesReturned": str(limit),
        "StartDate": _stamp(window.start),
        "EndDate": _stamp(window.end + timedelta(microseconds=999_999)),
    }
    folder = _of(f"{T}DistinguishedFolderId", _of(f"{T}Mailbox", _of(f"{T}EmailAddress", mailbox)), Id="calendar")
    return _of(
        f"{M}FindItem",
        _of(f"{M}ItemShape", _of(f"{T}BaseShape", "IdOnly"), _of(f"{T}AdditionalProperties", *_fields(SEEN))),
        _of(f"{M}CalendarView", **view),
        _of(f"{M}ParentFolderIds", folder),
        Traversal="Shallow",
    )


def get_payload(keys: Iterable[tuple[str, str]]) -> etree._Element:
    """All that a Meeting is made of, for these (id, change key)s. Bodies as HTML: links in a text body are mangled."""
    hidden = (
        _of(
            f"{T}ExtendedFieldURI", DistinguishedPropertySetId="PublicStrings", PropertyName=name, PropertyType="String"
        )
        for name in HIDDEN
    )
    shape = _of(
        f"{M}ItemShape",
        _of(f"{T}BaseShape", "IdOnly"),
        _of(f"{T}BodyType", "HTML"),
        _of(f"{T}AdditionalProperties", *_fields(FIELDS), *hidden),
    )
    ids = (_of(f"{T}ItemId", Id=identity, ChangeKey=change_key) for identity, change_key in keys)
    return _of(f"{M}GetItem", shape, _of(f"{M}ItemIds", *ids))


def _of(tag: str, *inside: etree._Element | str, **attributes: str) -> etree._Element:
    element = etree.Element(tag, attributes, nsmap=_NAMESPACES)
    for part in inside:
        if isinstance(part, str):
            element.text = part
        else:
            element.append(part)
    return element


def _fields(names: Iterable[str]) -> Iterator[etree._Element]:
    return (_of(f"{T}FieldURI", FieldURI=name) for name in names)


def parts(content: bytes) -> tuple[etree._Element | None, etree._Element]:
    """Header and body of an envelope. Raises CutOffError and SOAPError, which quote nothing of it."""
    root = _parsed(content)
    body = root.find(f"{{{SOAPNS}}}Body") if root.tag == f"{{{SOAPNS}}}Envelope" else None
    if body is None:
        raise SOAPError("not an envelope")
    return root.find(f"{{{SOAPNS}}}Header"), body


def _parsed(content: bytes) -> etree._Element:
    if b"<!DOCTYPE" in content:
        raise SOAPError("an envelope has no document type")
    try:
        return _root(content)
    except etree.XMLSyntaxError:
        pass
    try:
        return _root(cleaned(content))
    except etree.XMLSyntaxError as error:
        is_envelope = b"Envelope" in content[:1000]
        ends = content.rstrip().endswith(b"Envelope>")
        raise (CutOffError("cut off") if is_envelope and not ends else SOAPError("not XML")) from error


def _root(content: bytes) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the answer says of itself: it must not hide a document type from us
        resolve_entities=False,
        no_network=True,
        huge_tree=True,  # bodies of more than ten million characters; the size of the answer is capped
        recover=False,
    )
    return etree.fromstring(content, parser)


def cleaned(content: bytes) -> bytes:
    """Without the characters that XML cannot hold; two halves of a surrogate pair become the character they mean."""
    whole = _PAIR.sub(lambda found: b"&#x%x;" % _joined(int(found["high"], 16), int(found["low"], 16)), content)
    return _CONTROL.sub(b"", _REFERENCE.sub(lambda found: found[0] if _is_legal(found) else b"", whole))


def _joined(high: int, low: int) -> int:
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)


def _is_legal(found: re.Match[bytes]) -> bool:
    code = int(found["hex"], 16) if found["hex"] else int(found["decimal"])
    return code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
