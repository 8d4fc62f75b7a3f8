"""A simulated Polycom endpoint before the simulated Exchange Server, and one before replies written by hand."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from otd.lab.ews import Ews
from otd.lab.mailboxes import Mailboxes
from otd.lab.polycom import Habits, PolycomEndpoint, Registration
from otd.lab.server import Receive, Scope, Send, Server
from otd.model import Meeting, Person

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
SOON = timedelta(seconds=5)
ROOM = "huddle@example.com"
ALIAS = "1234567@vc.example.com"
VERSION_INFO = (
    '<h:ServerVersionInfo MajorVersion="15" MinorVersion="0" MajorBuildNumber="847" MinorBuildNumber="32" '
    'Version="V2_8" xmlns:h="http://schemas.microsoft.com/exchange/services/2006/types"/>'
)
NAMESPACES = (
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)

_ID = re.compile(r'<t:ItemId Id="[^"]*"')


class Clock:
    """Stands still until it is set."""

    def __init__(self, time: datetime = T0) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time


def a_token(**keys: str) -> str:
    """A token block; keys as VMRNUMBER="123"."""
    usual = {"VERSION": "1", "DIALINPREFIX": "", "VMRNUMBER": ALIAS, "SIGNALINGPREFIX": "sip", "SIGNALINGPOSTFIX": ""}
    lines = "\r\n".join(f"POLYCOM-{key}={value}" for key, value in (usual | keys).items())
    packed = base64.b64encode(lines.encode()).decode()
    return f"--=BEGIN POLYCOM VMR ENCODED TOKEN=--\n{packed}\n--=END POLYCOM VMR ENCODED TOKEN=--"


def a_meeting(**overrides: Any) -> Meeting:
    usual = Meeting(
        id="",
        uid="",
        start=T0 + timedelta(hours=1),
        end=T0 + timedelta(hours=2),
        subject="Weekly",
        body=f"Join: sip:{ALIAS}\n\nDo not edit below\n{a_token()}",
        organizer=Person(name="Ann Ample", address="ann@example.com"),
    )
    return replace(usual, **overrides)


def a_registration(*urls: str, **overrides: Any) -> Registration:
    usual = Registration(urls=urls, user="huddle", password="kmw4-xq7r", email=ROOM)
    return replace(usual, **overrides)


@contextmanager
def exchange(*meetings: Meeting) -> Iterator[tuple[Server, Ews]]:
    """A simulated Exchange Server with the room, whose user may open it."""
    rooms = Mailboxes()
    mailbox = rooms.add(ROOM)
    for meeting in meetings:
        mailbox.add(meeting)
    ews = Ews(rooms)
    ews.account("huddle", "kmw4-xq7r", full_access=None)
    with Server(ews, tls=True) as server:
        yield server, ews


@contextmanager
def endpoint_at(
    *urls: str, profile: str = "gs", registration: dict[str, Any] | None = None, **overrides: Any
) -> Iterator[PolycomEndpoint]:
    """One that polls only when it is told to, at nine in the morning; it names the mailbox, as the server asks."""
    settings: dict[str, Any] = {
        "profile": profile,
        "registration": a_registration(*urls, **(registration or {})),
        "habits": Habits(folder="mailbox"),
        "interval": None,
        "clock": Clock(),
        "password": "admin-1",
    }
    with PolycomEndpoint(**(settings | overrides)) as endpoint:
        yield endpoint


# --- replies written by hand --------------------------------------------------------------------------------------


def an_item(n: int = 1, **changes: str) -> str:
    """A CalendarItem in the schema's order; `changes` replace an element's whole text, "" takes it out."""
    start = T0 + timedelta(hours=n)
    parts = {
        "ItemId": f'<t:ItemId Id="AAA{n}=" ChangeKey="CK{n}"/>',
        "ItemClass": "<t:ItemClass>IPM.Appointment</t:ItemClass>",
        "Subject": "<t:Subject>Weekly</t:Subject>",
        "Sensitivity": "<t:Sensitivity>Normal</t:Sensitivity>",
        "Body": f'<t:Body BodyType="Text">{escape(a_token())}</t:Body>',
        "UID": f"<t:UID>0400{n}</t:UID>",
        "Start": f"<t:Start>{start:%Y-%m-%dT%H:%M:%SZ}</t:Start>",
        "End": f"<t:End>{start + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}</t:End>",
        "Location": "<t:Location>Room 1</t:Location>",
        "IsCancelled": "<t:IsCancelled>false</t:IsCancelled>",
        "MyResponseType": "<t:MyResponseType>Accept</t:MyResponseType>",
        "Organizer": "<t:Organizer><t:Mailbox><t:Name>Ann</t:Name><t:EmailAddress>ann@example.com</t:EmailAddress>"
        "<t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:Organizer>",
    }
    return f"<t:CalendarItem>{''.join((parts | changes).values())}</t:CalendarItem>"


def an_envelope(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<s:Header>{VERSION_INFO}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )


def a_reply(operation: str, content: str) -> str:
    messages = f"<m:ResponseMessages>{content}</m:ResponseMessages>"
    return an_envelope(f"<m:{operation}Response {NAMESPACES}>{messages}</m:{operation}Response>")


def a_message(operation: str, content: str) -> str:
    return (
        f'<m:{operation}ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{content}'
        f"</m:{operation}ResponseMessage>"
    )


class ByHand:
    """Answers with items that a test wrote; `instead` has other answers by operation."""

    def __init__(self, *items: str) -> None:
        self.items = items
        self.instead: dict[str, Response] = {}
        self.offers = 'Basic realm="otd"'
        self.bodies: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = (await request.body()).decode("utf-8-sig")
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        await self._answer(request, body)(scope, receive, send)

    def _answer(self, request: Request, body: str) -> Response:
        right = "Basic " + base64.b64encode(b"huddle:kmw4-xq7r").decode()
        if request.headers.get("authorization") != right:
            return Response(status_code=401, headers={"WWW-Authenticate": self.offers})
        operation = next(name for name in ("Autodiscover", "GetFolder", "FindItem", "GetItem") if f"{name}" in body)
        if operation in self.instead:
            return self.instead[operation]
        return xml(getattr(self, f"_{operation.lower()}")(body))

    def _autodiscover(self, body: str) -> str:
        return ""

    def _getfolder(self, body: str) -> str:
        folder = '<m:Folders><t:CalendarFolder><t:FolderId Id="FFF=" ChangeKey="F"/></t:CalendarFolder></m:Folders>'
        return a_reply("GetFolder", a_message("GetFolder", folder))

    def _finditem(self, body: str) -> str:
        view = (
            f'<m:RootFolder TotalItemsInView="{len(self.items)}" IncludesLastItemInRange="true">'
            f"<t:Items>{''.join(self.items)}</t:Items></m:RootFolder>"
        )
        return a_reply("FindItem", a_message("FindItem", view))

    def _getitem(self, body: str) -> str:
        asked = [item for item in self.items if (found := _ID.search(item)) and found[0] in body]
        return a_reply("GetItem", "".join(a_message("GetItem", f"<m:Items>{item}</m:Items>") for item in asked))


def _item_id(item: str) -> str:
    return item.partition('ItemId Id="')[2].partition('"')[0]


def xml(text: str, status: int = 200) -> Response:
    return Response(text, status, media_type="text/xml; charset=utf-8")
