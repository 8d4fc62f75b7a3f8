"""The face: what a Polycom endpoint takes for its Exchange server. An ASGI app.

POST /EWS/Exchange.asmx, POST /Autodiscover/Autodiscover.xml and .svc, in upper or lower case, with Basic authentication
only. GET /ready and /health for a load balancer. A list that is not there is answered with an error, never with an
empty or an older one: an endpoint that is given an empty list shows an empty day.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from otd.ports import Clock
from otd.relay.face import autodiscover, operations, soap
from otd.relay.face.answers import Options
from otd.relay.face.credentials import Door, Failures, basic
from otd.relay.face.served import Served
from otd.relay.face.sightings import Sightings
from otd.relay.face.visits import Poll, Visits
from otd.relay.lists import HeldList, Lists

EWS = "/ews/exchange.asmx"
POX, SOAP = "/autodiscover/autodiscover.xml", "/autodiscover/autodiscover.svc"
XML = "text/xml; charset=utf-8"
_MOST_HELD_BACK = 200  # refusals that wait at once; more are answered at once, so that they cannot pile up
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:]{2,45}\](:\d{1,5})?")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSettings:
    """How the face answers. `host` is the name by which endpoints reach it, "" for the one that they used."""

    host: str = ""
    limit: int = 1024 * 1024  # bytes of a request
    within: timedelta = timedelta(seconds=20)  # for a request to come in
    hold_back: timedelta = timedelta(milliseconds=250)  # the first refusal of a wrong password; later ones longer
    report_every: timedelta = timedelta(minutes=1)
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """An endpoint has been given the list of this revision and digest; `count` such fetches since the last report."""

    endpoint: str
    revision: int
    digest: str
    at: datetime
    operation: str
    user_agent: str
    count: int = 1


class Face:
    """Serves the lists that a relay holds. `on_fetch` is called in the server's thread and must return at once."""

    def __init__(
        self,
        lists: Lists,
        *,
        on_fetch: Callable[[Fetch], None],
        clock: Clock,
        settings: FaceSettings | None = None,
        sightings: Sightings | None = None,
        visits: Visits | None = None,
    ) -> None:
        self._lists, self._on_fetch, self._clock = lists, on_fetch, clock
        self.settings = settings or FaceSettings()
        self.sightings, self.visits = sightings or Sightings(), visits or Visits()
        self._door, self._failures = Door(lists), Failures(self.settings.hold_back)
        self._served: dict[str, Served] = {}
        self._fetched: dict[str, Fetch] = {}
        self._unreported: dict[str, int] = {}
        self._held_back = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            response = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["path"].casefold().rstrip("/")
        if path in ("/ready", "/health") and request.method in ("GET", "HEAD"):
            return self._ready() if path == "/ready" else PlainTextResponse("ok\n")
        try:
            async with asyncio.timeout(self.settings.within.total_seconds()):
                body = await self._body(request)
        except TimeoutError:
            return _closing(408, "The request took too long.")
        if body is None:
            return _closing(413, f"A request has at most {self.settings.limit} bytes.")
        if path not in (EWS, POX, SOAP):
            return PlainTextResponse("There is nothing here.\n", 404)
        header = request.headers.get("authorization", "")
        held = self._door.enter(header, self._clock.now()) if header else None
        if held is None:
            return await self._refuse(request, header)
        if request.method not in ("POST", "GET", "HEAD"):
            return PlainTextResponse("POST is expected.\n", 405, headers={"Allow": "GET, HEAD, POST"})
        if request.method != "POST":
            return PlainTextResponse("This is a calendar service for video endpoints.\n")
        return self._serve(path, held, request, header, body)

    async def _body(self, request: Request) -> bytes | None:
        """All of it, None when it is too large. It is read before anything is answered, so that a connection can be
        kept after a refusal."""
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self.settings.limit:
                return None
            chunks.append(chunk)
        return b"".join(chunks)

    def _ready(self) -> Response:
        now = self._clock.now()
        missing = len(self._lists.missing(now))
        ready = self._lists.is_complete(now)
        return JSONResponse(
            {"ready": ready, "lists": len(self._lists.all()), "missing": missing}, status_code=200 if ready else 503
        )

    # logging in ---------------------------------------------------------------------------------------------------

    async def _refuse(self, request: Request, header: str) -> Response:
        """401 with Basic as the only offer: whoever is offered more picks more. While lists are missing nobody can say
        that a password is wrong, and the answer is: later."""
        now = self._clock.now()
        login = basic(header) if header else None
        if login is not None:
            if not self._lists.is_complete(now) and not self._is_wrong(login.user):
                return PlainTextResponse("Not all calendars are here yet.\n", 503, headers={"Retry-After": "10"})
            endpoint = self._door.endpoint_of(login.user)
            self.visits.refuse(_address(request), endpoint, "password" if endpoint else "unknown", now)
            await self._hold_back(_address(request), login.user, now)
        elif header:
            self.visits.refuse(_address(request), "", "scheme", now)
        realm = self._host(request).partition(":")[0]
        return PlainTextResponse(
            "Log in with Basic authentication.\n", 401, headers={"WWW-Authenticate": f'Basic realm="{realm}"'}
        )

    def _is_wrong(self, user: str) -> bool:
        """Whether the login's endpoint is known and its list the newest, so that its password is, too."""
        return bool(self._door.endpoint_of(user))

    async def _hold_back(self, address: str, user: str, now: datetime) -> None:
        """Slow down whoever keeps trying."""
        delay = self._failures.delay(address, user, now)
        if self._failures.count(address, user) == 1:  # a user that is not known may be a password in the wrong field
            log.warning("face login refused", address=address, endpoint=self._door.endpoint_of(user) or "unknown")
        if self._held_back < _MOST_HELD_BACK:
            self._held_back += 1
            try:
                await asyncio.sleep(delay.total_seconds())
            finally:
                self._held_back -= 1

    # answering ----------------------------------------------------------------------------------------------------

    def _serve(self, path: str, held: HeldList, request: Request, header: str, body: bytes) -> Response:
        now = self._clock.now()
        login = basic(header)
        if login is not None:
            self._failures.clear(_address(request), login.user)
        served = self._served_of(held)
        agent = _UNPRINTABLE.sub("?", request.headers.get("user-agent", ""))[:200]
        if path == EWS:
            status, content, operation, version = self._ews(served, body, agent, now)
        else:
            status, content = self._autodiscover(path, served, body, self._host(request))
            operation, version = "Autodiscover", ""
        self._note(held, operation, agent, version, _address(request), now, answered=status == 200)
        return Response(content, status, media_type=None, headers={"Content-Type": XML})

    def _ews(self, served: Served, body: bytes, agent: str, now: datetime) -> tuple[int, bytes, str, str]:
        """Status, answer, and which operation of which version it was."""
        operation, version = "", ""
        try:
            asked = soap.request(body)
            operation, version = asked.operation[:80], asked.version
            self.sightings.see(asked, body, agent, now, known=operations.is_known(operation))
            if served.held.valid_until <= now:
                raise soap.Fault("ErrorInternalServerTransientError")
            answer = operations.answer(served, asked, self.settings.options)
        except soap.Fault as fault:
            return 500, soap.fault(fault), operation, version
        except Exception as error:  # a mistake of ours: said without a text of theirs, and the others go on
            log.error("request not understood", operation=operation, error=type(error).__name__)
            return 500, soap.fault(soap.Fault("ErrorInternalServerError")), operation, version
        if answer.whole:
            self._fetch(served.held, operation, agent, now)
        return 200, soap.envelope(answer.xml), operation, version

    def _autodiscover(self, path: str, served: Served, body: bytes, host: str) -> tuple[int, bytes]:
        if path == POX:
            return 200, autodiscover.plain(served, body, host)
        try:
            return 200, autodiscover.soap(served, body, host)
        except soap.Fault as fault:
            return 500, autodiscover.soap_fault(fault)

    def _served_of(self, held: HeldList) -> Served:
        """The list made ready, once for as long as it is held."""
        name = held.endpoint.name
        served = self._served.get(name)
        if served is None or served.held is not held:
            if len(self._served) > 2 * len(self._lists.all()):  # endpoints left
                self._served.clear()
            served = self._served[name] = Served(held)
        return served

    def _host(self, request: Request) -> str:
        """The name by which endpoints reach the face."""
        if self.settings.host:
            return self.settings.host
        said = request.headers.get("host", "")
        return said if _HOST.fullmatch(said) else "localhost"

    # reporting ----------------------------------------------------------------------------------------------------

    def _fetch(self, held: HeldList, operation: str, agent: str, now: datetime) -> None:
        """Tell at once when an endpoint was given another list than before, else once in a while."""
        name = held.endpoint.name
        last, count = self._fetched.get(name), self._unreported.get(name, 0) + 1
        is_new = last is None or (last.digest, last.revision) != (held.digest, held.revision)
        if last is not None and not is_new and now - last.at < self.settings.report_every:
            self._unreported[name] = count
            return
        fetch = Fetch(
            endpoint=name,
            revision=held.revision,
            digest=held.digest,
            at=now,
            operation=operation,
            user_agent=agent,
            count=count,
        )
        self._fetched[name], self._unreported[name] = fetch, 0
        self._on_fetch(fetch)

    def _note(
        self, held: HeldList, operation: str, agent: str, version: str, address: str, now: datetime, *, answered: bool
    ) -> None:
        self.visits.came(
            Poll(
                endpoint=held.endpoint.name,
                at=now,
                operation=operation,
                user_agent=agent,
                version=version,
                address=address,
                answered=answered,
            )
        )


def _address(request: Request) -> str:
    client: Any = request.scope.get("client")
    return str(client[0]) if client else ""


def _closing(status: int, text: str) -> Response:
    """An answer to a request that was not read to its end."""
    return PlainTextResponse(text + "\n", status, headers={"Connection": "close"})
