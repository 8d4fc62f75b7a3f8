"""The REST interface of Group Series 6 and VideoOS, and that of Trio, over HTTPS.

Sessions have to be closed: real endpoints were reported to lock up when they are not, and so does this one, which then
answers nothing until it is restarted.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from otd.lab.polycom_state import Held, State
from otd.lab.server import Receive, Scope, Send
from otd.lab.wire import Silence

_COOKIE, _XSRF = "session_id", "XSRF-TOKEN"
_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Session:
    """Someone who is signed in."""

    id: str = field(default_factory=lambda: "PS" + secrets.token_hex(12), repr=False)
    xsrf: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


class _Answered(Exception):
    """An answer that ends the matter."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _refuse(status: int, reason: str) -> _Answered:
    return _Answered(JSONResponse({"success": False, "reason": reason}, status))


class Rest:
    """The ASGI app of gs and videoos."""

    def __init__(self, state: State, *, user: str, password: str) -> None:
        self.state = state
        self.user, self.password = user, password
        self.sessions: dict[str, Session] = {}
        self.locked_up = False
        self.requests = 0

    def restart(self) -> None:
        self.sessions.clear()
        self.locked_up = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        with self.state.changed:
            self.requests += 1
            self.state.changed.notify_all()
        body = await request.body()
        if self.locked_up:
            await Silence()(scope, receive, send)
            return
        try:
            response: Any = self._answer(request, body)
        except _Answered as answered:
            response = answered.response
        if self.locked_up:
            response = Silence()
        await response(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response:
        path, method = request.scope["path"], request.method
        if path in ("/rest/session", "/rest/current/session"):
            return self._session(request, body)
        session = self._signed_in(request)
        if session is None:
            raise _refuse(403, "NotLoggedIn")
        if not hmac.compare_digest(request.headers.get("x-xsrf-token", ""), session.xsrf):
            raise _refuse(403, "XsrfTokenMismatch")
        route = f"{method} {path}"
        if path.startswith("/rest/calendar/meetings/"):
            return self._meeting(method, path.removeprefix("/rest/calendar/meetings/"))
        if path.startswith("/rest/conferences/") and method == "DELETE":
            self.state.hang_up()
            return JSONResponse({"success": True})
        answers = {
            "GET /rest/calendar": self._calendar,
            "GET /rest/calendar/meetings": self._meetings,
            "POST /rest/calendar/discover": self._discover,
            "GET /rest/conferences": self._conferences,
            "POST /rest/conferences": self._dial,
            "GET /rest/system": self._system,
            "GET /rest/system/status": self._system_status,
            "POST /rest/config": self._config,
        }
        if route not in answers:
            raise _refuse(404, "NotFound")
        return answers[route](request, _object(body) if method == "POST" else {})

    # sessions -----------------------------------------------------------------------------------------------------

    def _signed_in(self, request: Request) -> Session | None:
        return self.sessions.get(request.cookies.get(_COOKIE, ""))

    def _session(self, request: Request, body: bytes) -> Response:
        session = self._signed_in(request)
        if request.method == "DELETE":
            return self._sign_out(session)
        if request.method != "POST":
            return JSONResponse({"success": session is not None})
        asked = _object(body)
        if asked.get("action") == "Logout":
            return self._sign_out(session)
        if asked.get("action") != "Login":
            raise _refuse(400, "InvalidAction")
        if session is not None:
            raise _refuse(400, "SessionAlreadyActive")
        right = hmac.compare_digest(
            f"{asked.get('user')}\0{asked.get('password')}".encode(), f"{self.user}\0{self.password}".encode()
        )
        if not right:
            raise _refuse(403, "AuthenticationFailed")
        with self.state.changed:
            session = Session()
            self.sessions[session.id] = session
            self.locked_up = len(self.sessions) > self.state.habits.most_sessions
            self.state.changed.notify_all()
        response = JSONResponse({"success": True, "reason": "", "session": {"sessionId": session.id}})
        response.set_cookie(_COOKIE, session.id, secure=True, httponly=True)
        response.set_cookie(_XSRF, session.xsrf, secure=True)
        return response

    def _sign_out(self, session: Session | None) -> Response:
        if session is None:
            raise _refuse(403, "NotLoggedIn")
        with self.state.changed:
            self.sessions.pop(session.id, None)
            self.state.changed.notify_all()
        return JSONResponse({"success": True})

    # the calendar -------------------------------------------------------------------------------------------------

    def _calendar(self, request: Request, asked: Mapping[str, Any]) -> Response:
        return JSONResponse({self.state.habits.status_key: self.state.status})

    def _meetings(self, request: Request, asked: Mapping[str, Any]) -> Response:
        try:
            number = int(request.query_params.get("number", "1000"))
            start = int(request.query_params.get("start", "0"))
            end = int(request.query_params.get("end", str(2**53)))
        except ValueError as error:
            raise _refuse(400, "InvalidParameter") from error
        found = [m for m in self.state.meetings if m.start.timestamp() < end and m.end.timestamp() > start]
        return JSONResponse([self._written(held) for held in found[: max(number, 0)]])

    def _meeting(self, method: str, id: str) -> Response:
        held = self.state.meeting(id)
        if held is None:
            raise _refuse(404, "NotFound")
        if method == "GET":
            return JSONResponse(self._written(held))
        if method != "POST":
            raise _refuse(405, "MethodNotAllowed")
        if not held.dialable:
            raise _refuse(400, "NotDialable")
        number = next(n for n in held.numbers if n.media == "video")
        self.state.dial(number.address, number.protocols[0] if number.protocols else "", held.id)
        return JSONResponse({"success": True})

    def _written(self, held: Held) -> dict[str, Any]:
        state = self.state
        hidden = held.private and not state.habits.show_private
        unit = 1 if state.habits.rest_times == "seconds" else 1000
        return {
            "id": held.id,
            "subject": state.subject(held),
            "startTime": int(held.start.timestamp() * unit),
            "duration": int((held.end - held.start) / timedelta(minutes=1)),
            "location": "" if hidden else held.location,
            "organizer": "" if hidden else held.organizer,
            "requiredAttendees": [] if hidden else list(held.required),
            "optionalAttendees": [] if hidden else list(held.optional),
            "body": "" if hidden else held.body,
            "privateMeeting": held.private,
            "recurring": held.recurring,
            "canceled": held.cancelled,
            "canDial": held.dialable,
            "inCall": state.call is not None and state.call.meeting == held.id,
            "actions": ["JOIN"] if held.dialable else [],
            "lastSyncTime": int(state.last_good.timestamp() * unit) if state.last_good else 0,
        }

    def _discover(self, request: Request, asked: Mapping[str, Any]) -> Response:
        if not {"domain", "email", "username", "password", "userdomain"} <= asked.keys():
            raise _refuse(400, "InvalidParameter")
        return JSONResponse({"success": True})

    # the rest of it -----------------------------------------------------------------------------------------------

    def _conferences(self, request: Request, asked: Mapping[str, Any]) -> Response:
        call = self.state.call
        return JSONResponse([{"conferenceIndex": 0, "connections": [{"address": call.address}]}] if call else [])

    def _dial(self, request: Request, asked: Mapping[str, Any]) -> Response:
        address = asked.get("address")
        if not isinstance(address, str) or not address:
            raise _refuse(400, "InvalidParameter")
        kind = str(asked.get("dialType", "AUTO")).lower()
        self.state.dial(address, kind if kind in ("sip", "h323") else "")
        return JSONResponse([{"href": f"/rest/conferences/0/connections/{len(self.state.dialled)}"}])

    def _system(self, request: Request, asked: Mapping[str, Any]) -> Response:
        state = self.state
        return JSONResponse(
            {
                "model": state.profile.model,
                "softwareVersion": state.profile.software,
                "serialNumber": "8L00000000LAB0",
                "systemName": state.name,
                "state": "READY",
                "uptime": int((state.now() - state.up_since).total_seconds()),
            }
        )

    def _system_status(self, request: Request, asked: Mapping[str, Any]) -> Response:
        return JSONResponse([{"langtag": "CALENDAR_STATUS", "stateList": [self.state.status]}])

    def _config(self, request: Request, asked: Mapping[str, Any]) -> Response:
        values = _parameters(self.state)
        if isinstance(names := asked.get("names"), list):
            return JSONResponse({"vars": [{"name": n, "value": values[n]} for n in map(str, names) if n in values]})
        raise _refuse(400, "InvalidParameter")


class Trio:
    """The ASGI app of trio, which has no calendar in it."""

    def __init__(self, state: State, *, user: str, password: str) -> None:
        self.state = state
        self.user, self.password = user, password
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        with self.state.changed:
            self.requests += 1
            self.state.changed.notify_all()
        await self._answer(request, await request.body())(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response:
        basic = "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()
        if not hmac.compare_digest(request.headers.get("authorization", ""), basic):
            return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="RestApi"'})
        try:
            data = _object(body).get("data", {}) if request.method == "POST" else {}
        except _Answered:
            return _trio("4000")
        route = f"{request.method} {request.scope['path']}"
        if route == "POST /api/v1/callctrl/dial":
            return self._dial(data)
        if route == "POST /api/v1/callctrl/endCall":
            return self._end()
        if route == "GET /api/v2/webCallControl/callStatus":
            call = self.state.call
            return _trio("2000", [{"RemotePartyNumber": call.address, "CallState": "Connected"}] if call else [])
        if route == "GET /api/v2/mgmt/device/info":
            profile = self.state.profile
            return _trio("2000", {"ModelNumber": profile.model, "Firmware": {"Application": profile.software}})
        if route == "POST /api/v1/mgmt/config/get" and isinstance(data, list):
            known = _parameters(self.state)
            return _trio("2000", {name: {"Value": known[name], "Source": "Web"} for name in data if name in known})
        return Response(status_code=404)

    def _dial(self, data: Any) -> Response:
        if not isinstance(data, dict) or not isinstance(data.get("Dest"), str) or not data["Dest"]:
            return _trio("4000")
        if self.state.call is not None:
            return _trio("4001")
        self.state.dial(data["Dest"], "sip")
        return _trio("2000")

    def _end(self) -> Response:
        if self.state.call is None:
            return _trio("4007")
        self.state.hang_up()
        return _trio("2000")


def _trio(status: str, data: Any = None) -> Response:
    return JSONResponse({"Status": status} | ({} if data is None else {"data": data}))


def _parameters(state: State) -> dict[str, str]:
    """The calendar's settings under the names that the endpoint's configuration has; the password never."""
    registration = state.registration
    return {
        "exchange.enable": str(registration.enabled),
        "feature.exchangeCalendar.enabled": str(int(registration.enabled)),
        "exchange.server.url": registration.urls[0] if registration.urls else "",
        "exchange.auth.email": registration.email,
        "exchange.auth.domain": registration.domain,
        "exchange.auth.userName": registration.user,
        "exchange.meeting.reminderInterval": str(int(state.habits.reminder / timedelta(minutes=1))),
        "exchange.showPrivateMeeting": str(state.habits.show_private),
        "exchange.meeting.parseWhen": state.habits.parse_when,
        "exchange.meeting.parseOption": state.habits.parse_option,
        "exchange.meeting.parseEmailsAsSipUris": str(int(state.habits.parse_emails_as_sip)),
        "exchange.meeting.parseAllowedSipUriDomains": ",".join(state.habits.allowed_sip_domains),
    }


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}") if len(body) <= _LIMIT else None
    except ValueError as error:
        raise _refuse(400, "InvalidJson") from error
    if not isinstance(found, dict):
        raise _refuse(400, "InvalidJson")
    return found
