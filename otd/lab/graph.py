"""A simulated Microsoft Graph v1.0: calendarView, $batch, and the tenant's token endpoint beside them.

    rooms = Mailboxes()
    graph = Graph(rooms)
    graph.tenant.register("an-app-id", secret="...")
    with Server(graph, tls=True) as server:
        ...  # authority f"{server.url}/{graph.tenant.id}", Graph's root server.url

It refuses what Graph refuses. What Graph could do and the lab cannot is answered 501 with a word about it.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from otd.lab.entra import Tenant
from otd.lab.faults import EVERYONE, WIRE, Fault, Faults, Kind, Requests, on_the_wire
from otd.lab.graph_events import PROPERTIES, Source, event
from otd.lab.graph_query import Preferences, Query, Refusal, preferences, query
from otd.lab.graph_subscriptions import PATH as SUBSCRIPTIONS
from otd.lab.graph_subscriptions import Subscriptions
from otd.lab.mailboxes import Item, Mailbox, Mailboxes
from otd.lab.server import Receive, Scope, Send
from otd.lab.web import Answer, Call, login, maintenance
from otd.model import Meeting

KNOWN: frozenset[Kind] = WIRE | {"status", "html", "login", "halved", "repeat", "elsewhere", "doubled", "swapped"}
JSON_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
BATCH_LIMIT = 20
AT_ONCE = 4  # per application and mailbox; also how many requests of a batch run side by side
PLACES = "/v1.0/places/microsoft.graph.room"
_VIEW = re.compile(r"/v1\.0/users/(?P<mailbox>[^/]+)/(?:calendar/)?calendarView", re.IGNORECASE)
_EVENTS = re.compile(r"/v1\.0/users/(?P<mailbox>[^/]+)/events(?:/(?P<id>.+))?", re.IGNORECASE)
_STATUSES = {
    401: ("InvalidAuthenticationToken", "Access token has expired or is not yet valid."),
    403: ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    404: ("ErrorInvalidUser", "The requested user is invalid."),
    410: ("SyncStateNotFound", "The sync state generation is not found."),
    429: ("ApplicationThrottled", "Application is over its MailboxConcurrency limit."),
    503: ("serviceNotAvailable", "The service is temporarily unavailable."),
}


class Graph:
    """The ASGI app. `permitted` holds the addresses that the application may read, None for all (RBAC's scope)."""

    def __init__(
        self, mailboxes: Mailboxes, *, tenant: Tenant | None = None, permitted: frozenset[str] | None = None
    ) -> None:
        self.mailboxes = mailboxes
        self.tenant = tenant or Tenant()
        self.permitted = permitted
        self.may_write = True  # whether the application has Calendars.ReadWrite; OTD itself only ever reads
        self.reads_places = True  # the permission Place.Read.All
        self.latency = 0.0  # seconds that every answer takes in all
        self.largest_page = 0  # how many events a page holds at most, whatever is asked for; 0: as many as that
        self.tenant_at_once = 0  # how many requests of the application run at once before it is throttled; 0: no limit
        self.subscriptions = Subscriptions(mailboxes)
        self.faults = Faults(KNOWN, apart=frozenset(("token",)))
        self.requests = Requests()
        self._running: Counter[str] = Counter()
        self._most: Counter[str] = Counter()
        self._lagging: dict[str, tuple[float, float]] = {}  # by address: since when it is permitted, and the lag

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        call = Call(
            method=request.method,
            path=scope["path"],
            root=f"{scope['scheme']}://{request.headers.get('host', '')}",
            raw_query=scope["query_string"].decode("ascii"),
            headers=dict(request.headers.items()),
            body=await request.body(),
        )
        answer = await self._tenants(call) or await self._graphs(call)
        response = Response(answer.body, answer.status, dict(answer.headers), answer.media_type)
        await on_the_wire(answer.fault, response)(scope, receive, send)

    def most_at_once(self, mailbox: str) -> int:
        """How many requests about this mailbox were ever being answered at the same time."""
        return self._most[mailbox.casefold()]

    async def _tenants(self, call: Call) -> Answer | None:
        answer = self.tenant.answer(call)
        if answer is None:
            return None
        self.requests.note("token" if call.path.endswith("/token") else "openid")
        await asyncio.sleep(self.latency)
        try:
            return await self._spoilt(answer, self.faults.take(EVERYONE, "token"), call)
        except Refusal as refusal:
            return _error(refusal)

    async def _graphs(self, call: Call) -> Answer:
        try:
            if wrong := self.tenant.bearer(call.headers.get("authorization", "")):
                self.requests.note("unauthorized")
                raise Refusal(401, "InvalidAuthenticationToken", wrong)
            if call.path.casefold() == "/v1.0/$batch":
                return _stamped(await self._batch(call), call)
            return _stamped(await self._routed(call), call)
        except Refusal as refusal:
            return _stamped(_error(refusal), call)

    async def _routed(self, call: Call) -> Answer:
        if SUBSCRIPTIONS.fullmatch(call.path):
            return await self._subscribed(call)
        if found := _EVENTS.fullmatch(call.path):
            return await self._booked(call, found["mailbox"], found["id"] or "")
        if call.path == PLACES:
            return await self._places(call)
        found = _VIEW.fullmatch(call.path)
        if found is None:
            raise Refusal(
                501, "notImplemented", "The lab simulates calendarView, places, subscriptions and $batch of v1.0 only."
            )
        if call.method != "GET":
            raise Refusal(405, "Request_BadRequest", f"The HTTP method {call.method} is not allowed here.")
        return await self._room(call, found["mailbox"])

    async def _booked(self, call: Call, address: str, id: str) -> Answer:
        """Create event and Delete event, in a calendar that the application may write."""
        self.requests.note("events", address)
        await asyncio.sleep(self.latency)
        mailbox = self._mailbox(address)
        if not self.may_write:
            raise _status(403)
        if call.method == "POST" and not id:
            made = mailbox.add(_stated(call.body))
            item = mailbox.item(made)
            if item is None:
                raise _status(500)
            payload = {"id": made, "iCalUId": item.meeting.uid, "subject": item.meeting.subject}
            answer = Answer(status=201, payload=payload, media_type=JSON_TYPE)
            return await self._spoilt(answer, self.faults.take(address, "events"), call)
        if call.method == "DELETE" and id:
            if mailbox.item(id) is None:
                raise Refusal(404, "ErrorItemNotFound", "The specified object was not found in the store.")
            mailbox.remove(id)
            return Answer(status=204)
        raise Refusal(405, "Request_BadRequest", f"The HTTP method {call.method} is not allowed here.")

    async def _subscribed(self, call: Call) -> Answer:
        self.requests.note("subscriptions")
        await asyncio.sleep(self.latency)
        fault = self.faults.take(EVERYONE, "subscriptions")
        if fault and fault.kind == "status":
            raise _status(fault.status, retry_after=fault.retry_after)
        answer = await asyncio.get_running_loop().run_in_executor(None, self.subscriptions.answer, call)
        return await self._spoilt(answer, fault, call)

    async def _places(self, call: Call) -> Answer:
        """The rooms of the tenant, those on its Exchange Server too."""
        self.requests.note("places")
        await asyncio.sleep(self.latency)
        fault = self.faults.take(EVERYONE, "places")
        if not self.reads_places:
            raise _status(403)
        query = dict(parse_qsl(call.raw_query))
        skip, top = int(query.get("$skip", 0)), min(int(query.get("$top", 100)), 100)
        rooms = list(islice(self.mailboxes, skip, skip + top + 1))
        payload: dict[str, Any] = {
            "@odata.context": f"{call.root}/v1.0/$metadata#places/microsoft.graph.room",
            "value": [
                {"id": str(room.guid), "displayName": room.name, "emailAddress": room.address, "capacity": None}
                for room in rooms[:top]
            ],
        }
        if len(rooms) > top:
            payload["@odata.nextLink"] = _next_link(call, call.root, skip + top)
        return await self._spoilt(Answer(payload=payload, media_type=JSON_TYPE), fault, call)

    # calendarView -------------------------------------------------------------------------------------------------

    async def _room(self, call: Call, address: str) -> Answer:
        """Counts the request, holds it to how many may run at once, and lets its fault happen."""
        self.requests.note("calendarView", address, call.headers.get("prefer", ""))
        key = address.casefold()
        if self._running[key] >= AT_ONCE or 0 < self.tenant_at_once <= self._running.total():
            raise _status(429, retry_after=1)
        self._running[key] += 1
        self._most[key] = max(self._most[key], self._running[key])
        try:
            began, fault = time.monotonic(), self.faults.take(address, "calendarView")
            if fault and fault.kind == "status":
                await asyncio.sleep(self.latency)
                raise _status(fault.status, retry_after=fault.retry_after)
            answer = self._view(call, address, fault)
            await asyncio.sleep(self.latency - (time.monotonic() - began))  # what it took to make it is part of it
            return await self._spoilt(answer, fault, call)
        finally:
            self._running[key] -= 1

    def _view(self, call: Call, address: str, fault: Fault | None) -> Answer:
        wishes = preferences(call.headers.get("prefer", ""))
        asked = query(call.raw_query, wishes, tuple(PROPERTIES))
        mailbox = self._mailbox(fault.text if fault and fault.kind == "swapped" else address)
        items = _ordered(mailbox.view(asked.window), asked)
        begin = max(asked.skip - 1, 0) if fault and fault.kind == "doubled" else asked.skip
        page = items[begin : begin + min(asked.top, self.largest_page or asked.top)]
        payload: dict[str, Any] = {
            "@odata.context": f"{call.root}/v1.0/$metadata#users('{quote(address)}')/calendarView"
        }
        if asked.count:
            payload["@odata.count"] = len(items)
        payload["value"] = [_event(item, mailbox, asked, wishes) for item in page]
        if fault and fault.kind == "repeat":
            payload["@odata.nextLink"] = _next_link(call, call.root, asked.skip)
        elif begin + len(page) < len(items):
            root = fault.text if fault and fault.kind == "elsewhere" else call.root
            payload["@odata.nextLink"] = _next_link(call, root, begin + len(page))
        applied = {"Preference-Applied": wishes.applied} if wishes.applied else {}
        return Answer(payload=payload, media_type=JSON_TYPE, headers={"OData-Version": "4.0", **applied})

    def _mailbox(self, address: str) -> Mailbox:
        mailbox = self.mailboxes.get(address)
        if mailbox is None:
            raise Refusal(404, "ErrorInvalidUser", f"The requested user '{address}' is invalid.")
        if not mailbox.here:
            raise Refusal(
                404, "MailboxNotEnabledForRESTAPI", "The mailbox is inactive, soft-deleted, or hosted on-premise."
            )
        if not self._is_permitted(mailbox.address.casefold()):
            raise _status(403)
        return mailbox

    def permit(self, address: str, *, lag: float) -> None:
        """Let the application read it from now on. Exchange keeps what it decided for a while, and for longer when it
        is asked meanwhile: a refusal within `lag` seconds begins them anew."""
        self.permitted = frozenset({*(self.permitted or ()), address})
        self._lagging[address.casefold()] = (time.monotonic(), lag)

    def _is_permitted(self, address: str) -> bool:
        if self.permitted is not None and address not in {a.casefold() for a in self.permitted}:
            return False
        since, lag = self._lagging.get(address, (0.0, 0.0))
        if time.monotonic() - since >= lag:
            return True
        self._lagging[address] = (time.monotonic(), lag)
        return False

    # faults -------------------------------------------------------------------------------------------------------

    async def _spoilt(self, answer: Answer, fault: Fault | None, call: Call) -> Answer:
        """The answer as the fault lets it be; faults that concern what is in a page were there when it was made."""
        if fault is None:
            return answer
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "status":
            raise _status(fault.status, retry_after=fault.retry_after)
        elif fault.kind == "html":
            return maintenance()
        elif fault.kind == "login":
            return login(call.root)
        elif fault.kind == "halved":
            text = answer.body.decode()
            return replace(answer, payload=None, text=text[: len(text) // 2])
        elif fault.kind in WIRE:
            return replace(answer, fault=fault)
        return answer

    # $batch -------------------------------------------------------------------------------------------------------

    async def _batch(self, call: Call) -> Answer:
        """All of them, four side by side; answered in another order than they were asked in, as Graph may."""
        self.requests.note("batch")
        if call.method != "POST":
            raise Refusal(405, "Request_BadRequest", "A batch is posted.")
        steps = _steps(call.body)
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(step: Mapping[str, Any]) -> tuple[str, Answer]:
            async with turn:
                return step["id"], await self._step(call, step)

        answers = await asyncio.gather(*(one(step) for step in steps))
        responses = [
            {
                "id": name,
                "status": answer.status,
                "headers": {**answer.headers, "Content-Type": "application/json"},
                "body": answer.text if answer.payload is None else answer.payload,
            }
            for name, answer in reversed(answers)
        ]
        fault = next((answer.fault for _, answer in answers if answer.fault), None)
        return Answer(payload={"responses": responses}, fault=fault)

    async def _step(self, outer: Call, step: Mapping[str, Any]) -> Answer:
        path, _, raw_query = step["url"].partition("?")
        call = Call(
            method=step["method"],
            path="/v1.0/" + unquote(path).lstrip("/"),
            root=outer.root,
            raw_query=raw_query,
            headers={name.casefold(): value for name, value in (step.get("headers") or {}).items()},
        )
        try:
            return await self._routed(call)
        except Refusal as refusal:
            return _error(refusal)


def _stated(body: bytes) -> Meeting:
    """The meeting that a request states. Raises Refusal."""
    try:
        said = json.loads(body)
        start, end = (datetime.fromisoformat(said[key]["dateTime"]).replace(tzinfo=UTC) for key in ("start", "end"))
        body_text, subject = str(said["body"]["content"]), str(said["subject"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(400, "RequestBodyRead", "The event cannot be read.") from error
    return Meeting(id="", uid="", subject=subject, body=body_text, start=start, end=end, is_organizer=True)


def _steps(body: bytes) -> list[Mapping[str, Any]]:
    try:
        steps = json.loads(body)["requests"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(400, "BadRequest", "The batch is not a JSON object with 'requests'.") from error
    if not isinstance(steps, list) or not steps:
        raise Refusal(400, "BadRequest", "The batch has no requests.")
    if len(steps) > BATCH_LIMIT:
        raise Refusal(400, "BadRequest", f"The number of requests in a batch is limited to {BATCH_LIMIT}.")
    for step in steps:
        if not isinstance(step, dict) or not all(isinstance(step.get(key), str) for key in ("id", "method", "url")):
            raise Refusal(400, "BadRequest", "A request of the batch lacks its id, method or url.")
        if "://" in step["url"].partition("?")[0]:
            raise Refusal(400, "BadRequest", "The url of a request in a batch is relative.")
        if step.get("dependsOn"):
            raise Refusal(501, "notImplemented", "The lab does not simulate dependsOn.")
    if len({step["id"] for step in steps}) != len(steps):
        raise Refusal(400, "BadRequest", "The ids of the requests in a batch differ.")
    return steps


def _event(item: Item, mailbox: Mailbox, asked: Query, wishes: Preferences) -> dict[str, Any]:
    return event(Source(item=item, mailbox=mailbox, preferences=wishes), asked.selection)


def _ordered(items: tuple[Item, ...], asked: Query) -> list[Item]:
    """Without $orderby Graph promises no order: the lab gives the newest appointment first."""
    keys = {
        "start/dateTime": lambda item: item.meeting.start,
        "end/dateTime": lambda item: item.meeting.end,
        "subject": lambda item: item.meeting.subject,
        "createdDateTime": lambda item: item.appointment.created,
        "lastModifiedDateTime": lambda item: item.appointment.modified,
    }
    if not asked.order:
        return sorted(items, key=lambda item: -item.appointment.identity.number)
    return sorted(items, key=keys[asked.order], reverse=asked.descending)


def _next_link(call: Call, root: str, skip: int) -> str:
    kept = [(name, value) for name, value in parse_qsl(call.raw_query) if name.casefold() != "$skip"]
    return f"{root}{quote(call.path)}?" + urlencode([*kept, ("$skip", str(skip))], quote_via=quote)


def _status(status: int, *, retry_after: float | None = None) -> Refusal:
    code, message = _STATUSES.get(status, ("UnknownError", "An error occurred while the request was processed."))
    return Refusal(status, code, message, retry_after)


def _error(refusal: Refusal) -> Answer:
    headers = {} if refusal.retry_after is None else {"Retry-After": f"{refusal.retry_after:g}"}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common"'
    inner = {"date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", "request-id": str(uuid4())}
    error = {"code": refusal.code, "message": refusal.message, "innerError": inner}
    return Answer(status=refusal.status, payload={"error": error}, headers=headers)


def _stamped(answer: Answer, call: Call) -> Answer:
    """With the headers by which a request is found again in Microsoft's logs, and in an error's body."""
    request_id = str(uuid4())
    if answer.status >= 400 and answer.payload is not None:
        request_id = answer.payload["error"]["innerError"]["request-id"]
    client_id = call.headers.get("client-request-id", request_id)
    headers = {"request-id": request_id, "client-request-id": client_id, "Cache-Control": "private"}
    return replace(answer, headers={**headers, **answer.headers})
