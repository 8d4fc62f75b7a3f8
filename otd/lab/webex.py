"""A simulated Webex cloud, written from the API's published reference: it hands xAPI commands on to its devices, which
are simulated codecs that need not be reachable in any other way.

    with Webex() as cloud:
        codec = cloud.register("Y2lzY29...", Codec(profile="roomos11"))
        cloud.bot("a token")  # or cloud.app("client", "secret"), which returns a refresh token
        ...  # cloud.address, codec.bookings, cloud.status = 503, cloud.offline.add("Y2lzY29...")

Paths: POST /v1/access_token, POST /v1/xapi/command/NAME, GET /v1/xapi/status.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from otd.lab.certificates import self_signed
from otd.lab.codec import Codec
from otd.lab.codec_commands import Result, run, texts
from otd.lab.codec_state import User
from otd.lab.codec_xml import Invocation, as_json, value_at
from otd.lab.server import LOOPBACK, Receive, Scope, Send, Server

MOST_NAMES = 10  # that one status request may ask for


@dataclass(slots=True)
class App:
    """An integration or service app."""

    secret: str = field(repr=False)
    refresh: str = field(repr=False)
    scopes: frozenset[str]


class Webex:
    """The cloud. Its switches may be set at any time; each request reads them anew."""

    def __init__(self, *, token_life: timedelta = timedelta(days=14), rotates: bool = False, port: int = 0) -> None:
        """`token_life` is that of the access tokens of apps; with `rotates` each refresh gives another refresh token,
        and the former one holds no more."""
        self.token_life, self.rotates = token_life, rotates
        self.status = 0  # this status for everything, with these headers
        self.headers: dict[str, str] = {}
        self.offline: set[str] = set()  # devices that the cloud cannot reach at the moment
        self.requests: list[str] = []  # method and path of each
        self._devices: dict[str, Codec] = {}
        self._apps: dict[str, App] = {}
        self._tokens: dict[str, tuple[frozenset[str], float]] = {}  # scopes, and until when (monotonic)
        self._server = Server(self.answer, port=port, certificate=self_signed("otd-lab-webex"))

    def register(self, device: str, codec: Codec) -> Codec:
        """From now on the cloud knows it; nobody has to reach it on the network."""
        self._devices[device] = codec
        return codec

    def bot(self, token: str) -> None:
        """The token of a bot, which has no end."""
        self._tokens[token] = (_SCOPES, float("inf"))

    def app(self, client: str, secret: str, scopes: frozenset[str] | None = None) -> str:
        """An app that a person authorised; its refresh token."""
        refresh = secrets.token_urlsafe(32)
        self._apps[client] = App(secret=secret, refresh=refresh, scopes=_SCOPES if scopes is None else scopes)
        return refresh

    def revoke_tokens(self) -> None:
        """Every access token given out so far is refused from now on."""
        self._tokens.clear()

    @property
    def devices(self) -> Mapping[str, Codec]:
        """What it knows, by id."""
        return dict(self._devices)

    @property
    def address(self) -> str:
        """host:port of the API."""
        return f"{LOOPBACK}:{self._server.port}"

    @property
    def certificate(self) -> str:
        """As PEM."""
        return self._server.certificate

    def __enter__(self) -> Webex:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    # answering ----------------------------------------------------------------------------------------------------

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The cloud as an ASGI app."""
        request = Request(scope, receive)
        body = await request.body()
        self.requests.append(f"{request.method} {request.url.path}")
        await self._answer(request, body)(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response:
        if self.status:
            return JSONResponse(_message("It does not work."), self.status, headers=self.headers)
        path = request.url.path
        if path == "/v1/access_token" and request.method == "POST":
            return self._give_token(body)
        scopes = self._scopes(request.headers.get("authorization", ""))
        if scopes is None:
            return JSONResponse(_message("The request requires a valid access token set in the Authorization."), 401)
        name = path.removeprefix("/v1/xapi/command/")
        if name != path and request.method == "POST":
            return self._command(name, body) if "spark:xapi_commands" in scopes else _forbidden()
        if path == "/v1/xapi/status" and request.method == "GET":
            return self._asked(request) if "spark:xapi_statuses" in scopes else _forbidden()
        return JSONResponse(_message("The requested resource could not be found."), 404)

    def _scopes(self, header: str) -> frozenset[str] | None:
        scopes, until = self._tokens.get(header.removeprefix("Bearer "), (frozenset(), 0.0))
        return scopes if header.startswith("Bearer ") and time.monotonic() < until else None

    def _give_token(self, body: bytes) -> Response:
        form = {key: values[0] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}
        app = self._apps.get(form.get("client_id", ""))
        if form.get("grant_type") != "refresh_token":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if app is None or form.get("client_secret") != app.secret:
            return JSONResponse({"error": "invalid_client"}, 401)
        if form.get("refresh_token") != app.refresh:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if self.rotates:
            app.refresh = secrets.token_urlsafe(32)
        token, seconds = secrets.token_urlsafe(32), self.token_life.total_seconds()
        self._tokens[token] = (app.scopes, time.monotonic() + seconds)
        return JSONResponse(
            {
                "access_token": token,
                "expires_in": int(seconds),
                "refresh_token": app.refresh,
                "refresh_token_expires_in": 7776000,
                "token_type": "Bearer",
            }
        )

    def _command(self, name: str, body: bytes) -> Response:
        try:
            asked = json.loads(body)
            device, arguments = asked["deviceId"], texts(asked["arguments"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return _bad("Body must hold deviceId and arguments.")
        codec = self._devices.get(device)
        if codec is None:
            return JSONResponse(_message("Device not found."), 404)
        if device in self.offline:
            return _bad("Device is offline or not reachable.")
        given = asked.get("body")
        text = given if isinstance(given, str) or given is None else json.dumps(given)
        call = Invocation(path=tuple(name.split(".")), arguments=arguments, body=text, marked=True)
        result = run(codec.state, call, User(password=""))
        if result.status != "OK":
            return _refused(name, result)
        return JSONResponse({"deviceId": device, "arguments": asked["arguments"], "result": as_json(result.tree)})

    def _asked(self, request: Request) -> Response:
        device = request.query_params.get("deviceId", "")
        names = request.query_params.getlist("name")
        codec = self._devices.get(device)
        if codec is None:
            return JSONResponse(_message("Device not found."), 404)
        if not 1 <= len(names) <= MOST_NAMES:
            return _bad("name must be given, at most 10 times.")
        found: dict[str, Any] = {}
        for name in names:
            path = tuple(name.split("."))
            value = value_at(codec.state.documents(), ("Status", *path))
            if value is not None:
                _merge(found, path, as_json(value))
        return JSONResponse({"deviceId": device, "result": found})


_SCOPES = frozenset({"spark:xapi_commands", "spark:xapi_statuses"})


def _merge(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *above, last = path
    for step in above:
        tree = tree.setdefault(step, {})
    tree[last] = value


def _message(text: str) -> Mapping[str, Any]:
    return {"message": text, "errors": [{"description": text}], "trackingId": f"LAB_{secrets.token_hex(8)}"}


def _bad(text: str) -> Response:
    return JSONResponse(_message(text), 400)


def _forbidden() -> Response:
    return JSONResponse(_message("Missing required scopes, or the device is of another organisation."), 403)


def _refused(name: str, result: Result) -> Response:
    if result.status == "Unknown":
        return _bad(f"[Command '{name}' not supported]")
    return _bad(result.reason)
