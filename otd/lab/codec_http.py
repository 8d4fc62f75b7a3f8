"""The web server of a simulated Cisco codec, as an ASGI app: sign-in, rate limits, sessions, XML in and XML out.

Paths, headers, bodies and limits as Cisco's HTTP API guide states them and as people captured them from real codecs.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.cookies import CookieError, SimpleCookie
from typing import Any, cast
from urllib.parse import parse_qs

from starlette.responses import Response

from otd.lab.codec_commands import Result, run
from otd.lab.codec_documents import Refused, bookings_from_xml, local, parse_xml
from otd.lab.codec_faults import Faults
from otd.lab.codec_log import Log, Logged
from otd.lab.codec_state import State, User
from otd.lab.codec_xml import Invocation, document, element, invocations, settings, steps, subtree
from otd.lab.server import TRANSPORT, Receive, Scope, Send
from otd.lab.wire import Cut, Drip, Silence

LARGEST = 8 * 1024 * 1024  # of a request
COOKIES = ("SecureSessionId", "SessionId")
_HEADERS = {
    "Connection": "close",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'",
    "Strict-Transport-Security": "max-age=0",
    "Cache-Control": "no-store, max-age=0",
}
_SIGN_IN = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>"


class Limiter:
    """So many requests a second, so many waiting; the next one is refused. `speed` scales it, None switches it off."""

    def __init__(self, per_second: float, queue: int) -> None:
        self._every, self._queue = 1 / per_second, queue
        self._free_at = 0.0

    def wait(self, now: float, speed: float | None) -> float | None:
        """Seconds until this request's turn; None when the queue is full."""
        if speed is None:
            return 0.0
        every = self._every / speed
        waiting = max(self._free_at - now, 0.0)
        if waiting > self._queue * every + 1e-6:
            return None
        self._free_at = now + waiting + every
        return waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A whole request."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)
    secure: bool
    user: str = ""  # who signed in
    roles: User | None = None
    token: str = ""  # of the session, "" with Basic


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is sent back, and what the log should know of it."""

    status: int
    body: bytes = field(default=b"", repr=False)
    type: str = "text/xml; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = field(default=(), repr=False)
    wrote: tuple[str, ...] | None = None
    commands: tuple[str, ...] = ()


class Web:
    """The HTTP side of one codec."""

    def __init__(self, state: State, log: Log) -> None:
        self._state, self._log = state, log
        self.speed: float | None = 1.0
        self.refused = 0  # requests, because there were too many
        self._basic, self._cookie = Limiter(1, 30), Limiter(15, 90)
        self._routes: Mapping[tuple[str, str], Callable[[Request], Reply]] = {
            ("GET", "/getxml"): self._getxml,
            ("GET", "/status.xml"): lambda _: self._document("Status"),
            ("GET", "/configuration.xml"): lambda _: self._document("Configuration"),
            ("GET", "/command.xml"): lambda _: self._document("Command"),
            ("POST", "/putxml"): self._putxml,
            ("POST", "/bookingsputxml"): self._bookingsputxml,
            ("POST", "/xmlapi/session/begin"): self._session_begin,
            ("POST", "/xmlapi/session/end"): self._session_end,
            ("POST", "/web/signin/open"): self._signin,
            ("GET", "/web/signin/signout"): self._session_end,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _read(scope, receive, refuse_expect=self._state.profile.expects_no_expect)
        if request is None:
            return
        faults = self._state.faults.take(request.path, request.query)
        if faults.reset or faults.silent:
            await self._hit(request, faults, scope, receive, send)
            return
        reply = await self._answer(request, faults)
        await self._send(reply, faults, scope, receive, send)

    async def _hit(self, request: Request, faults: Faults, scope: Scope, receive: Receive, send: Send) -> None:
        """End the connection, or leave it open until the client has enough, without an answer."""
        entry = self._log.arrived(Logged(method=request.method, path=request.path, query=request.query))
        try:
            if faults.reset:
                cast(asyncio.Transport, scope[TRANSPORT]).abort()
            else:
                await Silence()(scope, receive, send)
        finally:
            self._log.answered(entry)

    async def _answer(self, request: Request, faults: Faults) -> Reply:
        request, refusal = self._signed_in(request)
        entry = self._log.arrived(
            Logged(
                method=request.method,
                path=request.path,
                query=request.query,
                user=request.user,
                cookie=bool(request.token),
            )
        )
        reply = Reply(status=0)  # what the log says when the codec is stopped meanwhile
        try:
            reply = await self._turn(request, refusal, faults)
        finally:
            self._log.answered(entry, status=reply.status, ids=reply.wrote, commands=reply.commands)
        return reply

    async def _turn(self, request: Request, refusal: Reply | None, faults: Faults) -> Reply:
        limiter = self._cookie if request.token else self._basic
        wait = limiter.wait(time.monotonic(), self.speed)
        if wait is None:
            self.refused += 1
            return _plain(503, "Service Temporarily Unavailable")
        pause = wait + faults.slow.total_seconds()
        if pause:
            await asyncio.sleep(pause)
        if faulty := _faulty(request, faults):
            return faulty
        if self._state.is_down:
            return _plain(502, "Bad Gateway")
        reply = refusal or self._routed(request, faults)
        await asyncio.sleep(faults.late.total_seconds())
        return reply

    def _routed(self, request: Request, faults: Faults) -> Reply:
        if len(request.body) > LARGEST:
            return _plain(413, "Request Entity Too Large")
        if self._state.profile.expects_no_expect and "expect" in request.headers:
            return _plain(417, "Expectation Failed")
        route = self._routes.get((request.method, request.path))
        if route is None:
            known = any(path == request.path for _, path in self._routes)
            return _plain(405, "Method Not Allowed") if known else _plain(404, "Not Found")
        if faults.empty_command and request.path == "/putxml":
            return _xml("Command", {})
        return route(request)

    # signing in ---------------------------------------------------------------------------------------------------

    def _signed_in(self, request: Request) -> tuple[Request, Reply | None]:
        """The request with its user, or the 401 that it gets."""
        for name in COOKIES if request.secure else COOKIES[1:]:
            token = _cookies(request).get(name, "")
            session = self._state.sessions.get(token)
            user = self._state.users.get(session.user) if session else None
            if session is not None and user is not None:
                return replace(request, user=session.user, roles=user, token=token), None
        name, password = _basic(request.headers.get("authorization", ""))
        if request.path == "/web/signin/open":
            return request, None
        user = self._state.authenticate(name, password) if name else None
        return replace(request, user=name, roles=user), None if user else _not_signed_in()

    def _session_begin(self, request: Request) -> Reply:
        if not self._state.profile.sessions:
            return Reply(status=302, type="text/html", headers={"Location": "/web/signin"})
        return self._new_session(request, request.user, Reply(status=204))

    def _signin(self, request: Request) -> Reply:
        form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        name, password = (form.get(key, [""])[0] for key in ("username", "password"))
        if self._state.authenticate(name, password) is None:
            return Reply(status=302, type="text/html", headers={"Location": "/web/signin"})
        return self._new_session(request, name, Reply(status=302, type="text/html", headers={"Location": "/web"}))

    def _new_session(self, request: Request, name: str, reply: Reply) -> Reply:
        session = self._state.sign_in(name)
        if session is None:
            return _plain(503, "Service Temporarily Unavailable")
        names = self._state.habits.session_cookies or (COOKIES[:1] if request.secure else COOKIES[1:])
        flags = "; Path=/; HttpOnly; SameSite=Strict" + ("; secure" if request.secure else "")
        return replace(reply, cookies=tuple(f"{each}={session.token}{flags}" for each in names))

    def _session_end(self, request: Request) -> Reply:
        if not self._state.profile.sessions and request.path.startswith("/xmlapi"):
            return Reply(status=302, type="text/html", headers={"Location": "/web/signin"})
        if request.token:
            self._state.sign_out(request.token)
        return Reply(status=204)

    # reading ------------------------------------------------------------------------------------------------------

    def _getxml(self, request: Request) -> Reply:
        location = parse_qs(request.query).get("location", [""])[0]
        path = steps(location)
        kept = subtree(self._state.documents(), path) if path else None
        if path is None or not kept:
            reason = {"Reason": "No match on address expression", "XPath": location.strip("/")}
            return _xml("Status", reason, {"status": "Error"})
        return self._document(str(path[0]), kept[path[0]])

    def _document(self, name: str, content: Any = None) -> Reply:
        profile = self._state.profile
        about = {"product": "Cisco Codec", "version": profile.version, "apiVersion": profile.api_version}
        return _xml(name, self._state.documents()[name] if content is None else content, about)

    # writing ------------------------------------------------------------------------------------------------------

    def _bookingsputxml(self, request: Request) -> Reply:
        habits = self._state.habits
        if not habits.bookingsputxml:
            return _plain(404, "Not Found")
        if request.roles is None or "Admin" not in request.roles.roles:
            return _plain(habits.not_admin_status, "Forbidden")
        try:
            bookings = bookings_from_xml(request.body, habits)
        except Refused as error:
            return _xml("Error", {"Reason": str(error)}, status=habits.malformed_status)
        self._state.put(bookings)
        return Reply(status=200, body=habits.bookingsputxml_answer, wrote=tuple(b.id for b in bookings))

    def _putxml(self, request: Request) -> Reply:
        try:
            root = parse_xml(request.body)
        except Refused as error:
            return _xml("Error", {"Reason": str(error)}, status=400)
        if local(root) == "Configuration":
            return self._configure(request, settings(root))
        asked: tuple[Invocation, ...] = ()
        if local(root) == "Command":
            commands = self._state.profile.commands
            asked = invocations(root, commands, only_marked=self._state.habits.command_attribute)
        if not asked:
            return _xml("ActionError", {"Reason": "No action detected in document"})
        assert request.roles is not None  # noqa: S101  nobody gets here without having signed in
        results = tuple(run(self._state, each, request.roles) for each in asked)
        return self._results(asked, results)

    def _results(self, asked: tuple[Invocation, ...], results: tuple[Result, ...]) -> Reply:
        habits, profile = self._state.habits, self._state.profile
        wrote = next((r.wrote for r in reversed(results) if r.wrote is not None), None)
        about = Reply(status=200, wrote=wrote, commands=tuple(each.name for each in asked))
        if habits.not_permitted == "forbidden" and any(r.status == "NotPermitted" for r in results):
            return replace(_plain(403, "Forbidden"), commands=about.commands)
        unknown = habits.unknown_command or profile.unknown
        if unknown == "action" and all(r.status == "Unknown" for r in results):
            return replace(_xml("ActionError", {"Reason": "No action detected in document"}), commands=about.commands)
        parts = [self._result(one, result, unknown) for one, result in zip(asked, results, strict=True)]
        inside = "".join(parts)
        text = f"<Command>\n{inside}</Command>\n" if inside else "<Command/>\n"
        return replace(about, body=('<?xml version="1.0"?>\n' + text).encode("utf-8", "replace"))

    def _result(self, asked: Invocation, result: Result, unknown: str) -> str:
        profile, words = self._state.profile, self._state.habits.error_element
        match result.status:
            case "OK":
                items = profile.items_everywhere
                text = element(result.name, result.tree, items=items, attributes={"status": "OK"})
            case "Unknown" if unknown == "empty":
                return ""
            case "Unknown":
                reason = {"Reason": "Unknown command", "XPath": "/" + "/".join(asked.path)}
                text = element("Result", reason, attributes={"status": "Error"})
            case "ParameterError" if profile.bad_parameters == "empty":
                return ""
            case "ParameterError":
                text = element(result.name, result.tree, attributes={"status": "ParameterError"})
            case _:
                text = element(result.name, {words: result.reason}, attributes={"status": "Error"})
        return "".join(f"  {line}\n" for line in text.split("\n") if line)

    def _configure(self, request: Request, wanted: tuple[tuple[str, str], ...]) -> Reply:
        if request.roles is None or "Admin" not in request.roles.roles:
            return _plain(403, "Forbidden")
        if not wanted or any(name not in self._state.settings for name, _ in wanted):
            return _xml("Configuration", {"Failure": {"Reason": "No match on address expression"}})
        self._state.settings.update(wanted)
        return _xml("Configuration", {"Success": {}})

    # sending ------------------------------------------------------------------------------------------------------

    async def _send(self, reply: Reply, faults: Faults, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._response(reply, _mangled(reply, faults))
        if faults.cut:
            await Cut(response)(scope, receive, send)
        elif faults.drip_head is not None:
            await Drip(response, pause=faults.drip_head.total_seconds())(scope, receive, send)
        elif faults.drip_body is not None:
            await _drip_body(response, faults.drip_body.total_seconds(), send)
        else:
            await response(scope, receive, send)

    def _response(self, reply: Reply, body: bytes) -> Response:
        headers = {"Server": self._state.profile.server, **_HEADERS, **reply.headers}
        response = Response(content=body, status_code=reply.status, headers=headers)
        if reply.status != 204:
            response.headers["Content-Type"] = reply.type
        for cookie in reply.cookies:
            response.headers.append("Set-Cookie", cookie)
        return response


async def _read(scope: Scope, receive: Receive, *, refuse_expect: bool) -> Request | None:
    """The whole request; None when the client went away. Of a body that is too large no more than a byte too many.

    With `refuse_expect`, the body of a request with "Expect: 100-continue" is not waited for.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    body = b""
    while not (refuse_expect and "expect" in headers):
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body = (body + message.get("body", b""))[: LARGEST + 1]
        if not message.get("more_body", False):
            break
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        secure=scope["scheme"] in ("https", "wss"),
    )


def _faulty(request: Request, faults: Faults) -> Reply | None:
    if faults.status:
        return replace(_plain(faults.status, "It does not work"), headers=faults.headers)
    if faults.redirect:
        return Reply(status=302, type="text/html", headers={"Location": faults.redirect.rstrip("/") + request.path})
    if faults.sign_in_page:
        return Reply(status=200, body=_SIGN_IN, type="text/html; charset=UTF-8")
    return None


def _mangled(reply: Reply, faults: Faults) -> bytes:
    body = reply.body
    if not reply.type.startswith("text/xml") or not body:
        return body
    if faults.control_bytes:
        body = body.replace(b"</", b"\x03\x05</", 1)
    if faults.truncate:
        body = body[: len(body) * 2 // 3]
    return body + b" " * (faults.huge - len(body))


async def _drip_body(response: Response, pause: float, send: Send) -> None:
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    for byte in bytes(response.body):
        await send({"type": "http.response.body", "body": bytes((byte,)), "more_body": True})
        await asyncio.sleep(pause)
    await send({"type": "http.response.body", "body": b""})


def _basic(header: str) -> tuple[str, str]:
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def _cookies(request: Request) -> Mapping[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(request.headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _xml(name: str, content: Any, attributes: Mapping[str, str] | None = None, *, status: int = 200) -> Reply:
    return Reply(status=status, body=document(name, content, attributes=attributes))


def _plain(status: int, words: str) -> Reply:
    return Reply(status=status, body=f"{status} {words}\n".encode(), type="text/plain; charset=UTF-8")


def _not_signed_in() -> Reply:
    return replace(_plain(401, "Unauthorized"), headers={"WWW-Authenticate": 'Basic realm="CISCO-Endpoint"'})
