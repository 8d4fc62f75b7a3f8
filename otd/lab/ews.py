"""A simulated Exchange Server: EWS for calendars, strict enough that what works here has a right to work there.

    rooms = Mailboxes()
    exchange = Ews(rooms)
    exchange.account("CONTOSO\\\\svc-otd", "password")
    with Server(exchange, tls=True) as server:
        ...  # f"{server.url}/EWS/Exchange.asmx"

FindItem with a CalendarView, GetItem, GetFolder, ConvertId and ResolveNames, for mailboxes that the account may
impersonate; by Basic authentication or none, by NTLM with otd.lab.ntlm before it, by OAuth with a tenant. What Exchange
could do and the lab cannot is ErrorInvalidRequest.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from otd.lab.entra import Tenant
from otd.lab.ews_operations import Asked, answer
from otd.lab.ews_request import Envelope, read
from otd.lab.ews_soap import EwsError, SoapFault, busy, fault
from otd.lab.ews_streaming import Subscriptions
from otd.lab.faults import WIRE, Fault, Faults, Kind, Requests, on_the_wire
from otd.lab.mailboxes import Mailbox, Mailboxes
from otd.lab.server import Receive, Scope, Send
from otd.lab.web import Answer, Call, login, maintenance

KNOWN: frozenset[Kind] = WIRE | {
    "status",
    "busy",
    "code",
    "message",
    "html",
    "login",
    "halved",
    "truncated",
    "doubled",
    "swapped",
    "mixed",
    "shuffled",
    "zone",
}
ENDPOINT = "/ews/exchange.asmx"
XML = "text/xml; charset=utf-8"
NOBODY = "no authentication"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A service account and what it may do. None: for every mailbox."""

    name: str
    password: str
    impersonates: frozenset[str] | None = None
    full_access: frozenset[str] | None = frozenset()

    def may(self, rooms: frozenset[str] | None, mailbox: Mailbox) -> bool:
        return rooms is None or mailbox.address.casefold() in {room.casefold() for room in rooms}


class Ews:
    """The ASGI app. With `authenticated` False nobody has to say who he is, and everybody may impersonate."""

    def __init__(self, mailboxes: Mailboxes, *, authenticated: bool = True, tenant: Tenant | None = None) -> None:
        """With a `tenant`, its applications come in with a token, and may impersonate `open_to_applications`."""
        self.mailboxes = mailboxes
        self.tenant = tenant
        self.open_to_applications: frozenset[str] | None = None  # None for every mailbox
        self.authenticated = authenticated
        self.latency = 0.0  # seconds that every answer takes
        self.faults = Faults(KNOWN)
        self.requests = Requests()
        self.subscriptions = Subscriptions()
        self.seconds_a_minute = 60.0  # how long a minute of a streaming connection takes; tests have less time
        self.streams = 0  # connections that notifications go out on
        self._accounts: dict[str, Account] = {}

    def account(
        self,
        name: str,
        password: str,
        *,
        impersonates: frozenset[str] | None = None,
        full_access: frozenset[str] | None = frozenset(),
    ) -> None:
        """Add an account, or give it another password and other rights. Names are compared without case."""
        self._accounts[name.casefold()] = Account(
            name=name, password=password, impersonates=impersonates, full_access=full_access
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        call = Call(
            method=request.method,
            path=scope["path"],
            root=f"{scope['scheme']}://{request.headers.get('host', '')}",
            headers=dict(request.headers.items()),
            body=await request.body(),
        )
        answered = (self.tenant.answer(call) if self.tenant else None) or await self._answered(call)
        headers = {"request-id": str(uuid4()), "X-FEServer": "LAB-EX01", "Cache-Control": "private", **answered.headers}
        if answered.stream:
            await self._stream(answered.stream, headers)(scope, receive, send)
            return
        response = Response(answered.body, answered.status, headers, answered.media_type)
        await on_the_wire(answered.fault, response)(scope, receive, send)

    def _stream(self, stream: tuple[str, ...], headers: Mapping[str, str]) -> StreamingResponse:
        minutes, *wanted = stream

        async def envelopes() -> AsyncIterator[str]:
            self.streams += 1
            try:
                async for one in self.subscriptions.stream(wanted, float(minutes) * self.seconds_a_minute):
                    yield one
            finally:
                self.streams -= 1

        return StreamingResponse(envelopes(), headers=dict(headers), media_type=XML)

    async def _answered(self, call: Call) -> Answer:
        if call.path.casefold() != ENDPOINT:
            return Answer(status=404, media_type="text/html; charset=utf-8")
        account = self._account(call.headers.get("authorization", ""))
        if account is None:
            self.requests.note("unauthorized")
            return _unauthorized()
        if call.method != "POST":
            text = "<html><body><h1>Service</h1><p>You have created a service.</p></body></html>"
            return Answer(status=200 if call.method == "GET" else 405, text=text, media_type="text/html; charset=utf-8")
        if call.headers.get("content-type", "").partition(";")[0].strip().casefold() != "text/xml":
            return Answer(status=415, media_type=XML)
        return await self._soap(call, account)

    def _account(self, authorization: str) -> Account | None:
        if not self.authenticated:
            return Account(name=NOBODY, password="", full_access=None)
        scheme, _, credentials = authorization.partition(" ")
        if scheme.casefold() == "bearer" and self.tenant is not None and not self.tenant.bearer(authorization):
            return Account(name="an application", password="", impersonates=self.open_to_applications)
        try:
            name, _, password = _text(base64.b64decode(credentials, validate=True)).partition(":")
        except ValueError:
            return None
        account = self._accounts.get(name.casefold())
        if scheme.casefold() != "basic" or account is None:
            return None
        return account if hmac.compare_digest(account.password.encode(), password.encode()) else None

    async def _soap(self, call: Call, account: Account) -> Answer:
        try:
            envelope = read(call.body)
        except SoapFault as error:
            self.requests.note("unreadable")
            return _faulty(error)
        self.requests.note(envelope.operation, envelope.address)
        await asyncio.sleep(self.latency)
        found = self.faults.take(envelope.address, envelope.operation)
        if found and (instead := await self._instead(found, call)):
            return instead
        try:
            asked = self._asked(envelope, account, found)
            if envelope.operation == "GetStreamingEvents":
                ids = (one.text or "" for one in envelope.body[0])
                return Answer(stream=(envelope.body[1].text or "1", *ids))
            text = answer(asked)
        except EwsError as error:
            return _faulty(error)
        if found and found.kind == "halved":
            text = text[: len(text) // 2]
        return Answer(text=text, media_type=XML, fault=found if found and found.kind in WIRE else None)

    async def _instead(self, found: Fault, call: Call) -> Answer | None:
        """What this fault answers in place of the right answer."""
        if found.kind == "slow":
            await asyncio.sleep(found.seconds)
        elif found.kind == "status":
            return _status(found)
        elif found.kind == "busy":
            return _faulty(busy(None if found.retry_after is None else int(found.retry_after * 1000)))
        elif found.kind == "code":
            return _faulty(SoapFault(found.text))
        elif found.kind == "html":
            return maintenance()
        elif found.kind == "login":
            return login(call.root)
        return None

    def _asked(self, envelope: Envelope, account: Account, found: Fault | None) -> Asked:
        """The request with whose mailbox it is about. Raises SoapFault when the account may not act for that one."""
        other = self.mailboxes.get(found.text) if found and found.kind in ("swapped", "mixed") else None
        swapped, mixed = (other, None) if found and found.kind == "swapped" else (None, other)
        acting = self._impersonated(envelope.impersonated, account) if envelope.impersonated else None
        return Asked(
            envelope=envelope,
            mailboxes=self.mailboxes,
            acting=acting,
            subscriptions=self.subscriptions,
            full_access=lambda mailbox: account.may(account.full_access, mailbox),
            swapped=swapped,
            mixed=mixed,
            fault=found,
        )

    def _impersonated(self, address: str, account: Account) -> Mailbox:
        mailbox = self.mailboxes.get(address)
        if mailbox is None or not mailbox.here:
            raise SoapFault("ErrorNonExistentMailbox")
        if not account.may(account.impersonates, mailbox):
            raise SoapFault("ErrorImpersonateUserDenied")
        return mailbox


def _text(credentials: bytes) -> str:
    """In UTF-8 as newer clients send them, or in Latin-1 as older ones do: IIS understands both."""
    try:
        return credentials.decode()
    except UnicodeDecodeError:
        return credentials.decode("latin-1")


def _faulty(error: EwsError) -> Answer:
    return Answer(status=500, text=fault(error), media_type=XML)


def _unauthorized() -> Answer:
    return Answer(
        status=401,
        text="",
        media_type="text/html; charset=utf-8",
        headers={"WWW-Authenticate": 'Basic realm="exchange.contoso.example"'},
    )


def _status(found: Fault) -> Answer:
    """As IIS in front of Exchange says it, without SOAP."""
    if found.status == 401:
        return _unauthorized()
    page = f"<html><head><title>{found.status}</title></head><body><h2>{found.status}</h2></body></html>"
    headers = {} if found.retry_after is None else {"Retry-After": f"{found.retry_after:g}"}
    answered = Answer(status=found.status, text=page, media_type="text/html; charset=utf-8")
    return replace(answered, headers=headers)
