"""A client that knows nothing of the face: it speaks in bytes, and checks every reply against what endpoints need.

The sequence of a calendar item is that of the EWS types schema (ItemType, then CalendarItemType), written down here on
its own, so that the face cannot be right by agreeing with itself.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lxml import etree

from otd.model import Delivery, DialString, Endpoint
from otd.relay.face.app import Face, FaceSettings, Fetch
from otd.relay.face.credentials import hashed
from otd.relay.lists import Lists
from tests.values import HOUR, T0, FixedClock, a_booking, a_delivery, an_endpoint

_SEQUENCE = (
    "ItemId ParentFolderId ItemClass Subject Sensitivity Body DateTimeReceived Size Categories Importance IsDraft "
    "DateTimeSent DateTimeCreated ReminderIsSet ReminderMinutesBeforeStart DisplayCc DisplayTo HasAttachments "
    "ExtendedProperty LastModifiedTime TextBody UID RecurrenceId DateTimeStamp Start End OriginalStart IsAllDayEvent "
    "LegacyFreeBusyStatus Location When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent IsResponseRequested "
    "CalendarItemType MyResponseType Organizer RequiredAttendees OptionalAttendees Resources Duration TimeZone "
    "AppointmentSequenceNumber AppointmentState ConferenceType AllowNewTimeProposal IsOnlineMeeting "
    "MeetingWorkspaceUrl NetShowUrl StartTimeZoneId EndTimeZoneId JoinOnlineMeetingUrl OnlineMeetingSettings "
    "IsOrganizer"
)
_ALWAYS = (
    "ItemId ItemClass Subject Sensitivity Start End IsAllDayEvent LegacyFreeBusyStatus Location IsMeeting IsCancelled "
    "IsRecurring CalendarItemType MyResponseType Organizer Duration UID"
)
_FROM_2013 = "TextBody JoinOnlineMeetingUrl OnlineMeetingSettings IsOrganizer StartTimeZoneId EndTimeZoneId"
SEQUENCE, ALWAYS, FROM_2013 = (tuple(names.split()) for names in (_SEQUENCE, _ALWAYS, _FROM_2013))
NS = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "h": "http://schemas.microsoft.com/exchange/services/2006/types",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
}
QUICK = FaceSettings(hold_back=timedelta(0))
PASSWORD = "k7m2p9qrstuvwx34"
KEY = b"a key of at least sixteen bytes!"


def a_polycom(**overrides: Any) -> Endpoint:
    usual = {
        "name": "poly1",
        "kind": "polycom",
        "model": "gs",
        "label": "Blue Room",
        "mailbox": "blue@example.com",
        "domain": "OTD",
        "username": "poly1",
        "password_hash": hashed(PASSWORD, b"sixteen of salt!"),
    }
    return an_endpoint(**{**usual, **overrides})


THREE = (
    a_booking(),
    a_booking(
        id="b2",
        title="Private meeting",
        private=True,
        organizer="",
        start=T0 + 3 * HOUR,
        end=T0 + 4 * HOUR + HOUR / 2,
        dial=DialString(protocol="sip", uri="7522222@video.example.com"),
    ),
    a_booking(id="b3", title="Tea & <cake>", start=T0 + 30 * HOUR, end=T0 + 31 * HOUR, dial=None, reason="no_join"),
)


def a_list(**overrides: Any) -> Delivery:
    return a_delivery(**{"endpoint": a_polycom(), "bookings": THREE, **overrides})


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def xml(self) -> etree._Element:
        return etree.fromstring(self.body)

    def all(self, path: str) -> list[etree._Element]:
        return list(self.xml().iterfind(f".//{path}", NS))

    def texts(self, path: str) -> list[str]:
        return [element.text or "" for element in self.all(path)]

    @property
    def codes(self) -> list[str]:
        return self.texts("m:ResponseCode") + self.texts("e:ResponseCode")


class Endpointish:
    """Speaks to a face in the process, without a network; one per test."""

    def __init__(self, *deliveries: Delivery, settings: FaceSettings | None = None, lists: Lists | None = None) -> None:
        self.lists = lists or Lists(None, KEY)
        for delivery in deliveries:
            self.lists.put(delivery)
        self.clock = FixedClock()
        self.fetches: list[Fetch] = []
        self.face = Face(self.lists, on_fetch=self.fetches.append, clock=self.clock, settings=settings or QUICK)

    def send(
        self,
        body: bytes | Iterable[bytes] = b"",
        *,
        method: str = "POST",
        path: str = "/EWS/Exchange.asmx",
        user: str = "poly1",
        password: str = PASSWORD,
        headers: MutableMapping[str, str] | None = None,
        address: str = "192.0.2.7",
    ) -> Reply:
        usual = {"host": "otd.example.com", "content-type": "text/xml; charset=utf-8", "user-agent": "Polycom/1.0"}
        if user:
            usual["authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        chunks = [body] if isinstance(body, bytes) else list(body)
        return asyncio.run(self._call(chunks, method, path, {**usual, **(headers or {})}, address))

    async def _call(self, chunks: list[bytes], method: str, path: str, headers: dict[str, str], address: str) -> Reply:
        sent: list[Any] = []
        left = list(chunks)

        async def receive() -> MutableMapping[str, Any]:
            if not left:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": (address, 50000),
        }
        await self.face(scope, receive, send)
        return Reply(
            status=sent[0]["status"],
            headers={name.decode(): value.decode() for name, value in sent[0]["headers"]},
            body=b"".join(message.get("body", b"") for message in sent[1:]),
        )

    def ask(self, operation: str, *, version: str = "", **how: Any) -> Reply:
        """The operation's XML in an envelope; the reply is checked before it is given back."""
        reply = self.send(envelope(operation, version), **how)
        if reply.status in (200, 500):
            check(reply, version, with_item_checks="<m:GetItem" in operation)
        return reply


def envelope(operation: str, version: str = "") -> bytes:
    header = f'<s:Header><t:RequestServerVersion Version="{version}"/></s:Header>' if version else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<s:Envelope xmlns:s="{NS["s"]}" xmlns:m="{NS["m"]}" xmlns:t="{NS["t"]}">'
        f"{header}<s:Body>{operation}</s:Body></s:Envelope>"
    ).encode()


def check(reply: Reply, version: str = "", *, with_item_checks: bool = True) -> None:
    """What must hold of every SOAP reply. Raises AssertionError."""
    assert reply.headers["content-type"] == "text/xml; charset=utf-8"
    assert reply.text.startswith('<?xml version="1.0" encoding="utf-8"?><s:Envelope ')
    root = reply.xml()
    for element in root.iter():
        assert element.prefix in ("s", "m", "t", "h", "e") or element.tag in ("faultcode", "faultstring", "detail")
        if element.prefix:
            assert element.nsmap[element.prefix] == NS[element.prefix]
    (info,) = root.iterfind("s:Header/h:ServerVersionInfo", NS)
    assert set(info.attrib) >= {"MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber", "Version"}
    assert (reply.status == 500) == bool(reply.all("s:Fault"))
    for item in root.iterfind(".//t:CalendarItem", NS):
        check_item(item, version, complete=with_item_checks)


def check_item(item: etree._Element, version: str, *, complete: bool) -> None:
    names = [etree.QName(child).localname for child in item]
    places = [SEQUENCE.index(name) for name in names]
    assert places == sorted(places), f"not in the order of the schema: {names}"
    assert len(set(places)) == len(places)
    id = item.find("t:ItemId", NS)
    assert id is not None
    assert re.fullmatch(r"[A-Za-z0-9+/=]{1,170}", id.get("Id", ""))
    assert id.get("ChangeKey")
    if not version or "2007" in version or "2010" in version:
        assert not set(names) & set(FROM_2013)
    if complete:
        assert set(ALWAYS) <= set(names)
        for path in ("t:ItemClass", "t:Subject", "t:UID", "t:Start", "t:End", "t:MyResponseType"):
            assert (item.findtext(path, namespaces=NS) or "").strip(), path
        assert (item.findtext("t:Organizer/t:Mailbox/t:Name", namespaces=NS) or "").strip()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", item.findtext("t:Start", namespaces=NS) or "")
        assert (item.findtext("t:End", namespaces=NS) or "") > (item.findtext("t:Start", namespaces=NS) or "")


# --- requests as an endpoint would send them --------------------------------------------------------------------------

CALENDAR = '<t:DistinguishedFolderId Id="calendar"/>'
GET_FOLDER = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
    f"<m:FolderIds>{CALENDAR}</m:FolderIds></m:GetFolder>"
)


def folder_of(mailbox: str) -> str:
    inner = f"<t:Mailbox><t:EmailAddress>{mailbox}</t:EmailAddress></t:Mailbox>"
    return f'<t:DistinguishedFolderId Id="calendar">{inner}</t:DistinguishedFolderId>'


def find_item(
    start: str = "2026-01-05T00:00:00Z",
    end: str = "2026-01-12T00:00:00Z",
    *,
    shape: str = "<t:BaseShape>AllProperties</t:BaseShape>",
    view: str | None = None,
    folder: str = CALENDAR,
    extra: str = "",
) -> str:
    view = f'<m:CalendarView StartDate="{start}" EndDate="{end}"/>' if view is None else view
    return (
        f'<m:FindItem Traversal="Shallow"><m:ItemShape>{shape}</m:ItemShape>{view}{extra}'
        f"<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>"
    )


def get_item(*ids: str, shape: str = "<t:BaseShape>AllProperties</t:BaseShape>") -> str:
    listed = "".join(f'<t:ItemId Id="{id}"/>' for id in ids)
    return f"<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds>{listed}</m:ItemIds></m:GetItem>"
