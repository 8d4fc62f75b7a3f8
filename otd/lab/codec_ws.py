"""The WebSocket of a simulated Cisco codec: JSON-RPC 2.0 over /ws, with commands, status, settings and feedback.

Methods, error codes and the two ways to sign in as Cisco's own JavaScript and Python clients use them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from otd.lab.codec_commands import Result, run, texts
from otd.lab.codec_log import Log, Logged
from otd.lab.codec_state import Event, State, User
from otd.lab.codec_xml import Invocation, as_json, value_at
from otd.lab.server import Receive, Scope, Send

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, BAD_PARAMS = -32700, -32600, -32601, -32602
NOT_PERMITTED, TOO_MANY, COMMAND_ERROR, NO_PATH, BAD_ARGUMENTS = -31999, -31998, 1, 3, 4


class _Fault(Exception):
    """An answer with an error in it."""

    def __init__(self, code: int, message: str, **data: str) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


@dataclass(slots=True, kw_only=True)
class _Subscription:
    id: int
    query: tuple[str | int, ...]
    last: str = ""  # of a status: what was sent last


class Socket:
    """The WebSocket side of one codec."""

    def __init__(self, state: State, log: Log) -> None:
        self._state, self._log = state, log
        self._open: set[_Connection] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        await socket.receive()
        name, password, offered = _credentials(socket)
        status, user = await self._admitted(socket.url.path, name, password)
        entry = self._log.arrived(Logged(method="GET", path=socket.url.path, user=name if user else ""))
        self._log.answered(entry, status=status, ids=None, commands=())
        if user is None:
            await socket.send_denial_response(PlainTextResponse(f"{status}\n", status_code=status))
            return
        await socket.accept(subprotocol=offered)
        connection = _Connection(self._state, self._log, socket, name, user)
        self._open.add(connection)
        try:
            await connection.talk()
        finally:
            self._open.discard(connection)

    async def _admitted(self, path: str, name: str, password: str) -> tuple[int, User | None]:
        """101 and the user, or the status of the refusal."""
        faults = self._state.faults.take(path)
        await asyncio.sleep(faults.slow.total_seconds())
        if faults.status:
            return faults.status, None
        if self._state.is_down:
            return 502, None
        if path.rstrip("/") != "/ws" or self._state.settings.get("NetworkServices Websocket", "Off") == "Off":
            return 404, None
        user = self._state.authenticate(name, password)
        return (101, user) if user is not None else (403, None)

    def hang_up(self) -> None:
        """End every connection."""
        for connection in tuple(self._open):
            connection.hang_up()


class _Connection:
    def __init__(self, state: State, log: Log, socket: WebSocket, name: str, user: User) -> None:
        self._state, self._log, self._socket, self._name, self._user = state, log, socket, name, user
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._numbers = itertools.count()
        self._subscriptions: dict[int, _Subscription] = {}
        self._methods: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "xGet": self._get,
            "xSet": self._set,
            "xQuery": self._query,
            "xFeedback/Subscribe": self._subscribe,
            "xFeedback/Unsubscribe": self._unsubscribe,
        }

    async def talk(self) -> None:
        """Answer until either side ends it."""
        self._state.listeners.append(self._heard)
        announcing = asyncio.ensure_future(self._announce())
        try:
            while (text := await self._heard_text()) is not None:
                answer = self._answer(text)
                await self._tell(*([answer] if answer is not None else []), *self._status_notices())
        finally:
            self._state.listeners.remove(self._heard)
            announcing.cancel()
            await asyncio.gather(announcing, return_exceptions=True)

    async def _heard_text(self) -> str | None:
        """The next message; None when the connection has ended, or when it was binary, which ends it."""
        message: Mapping[str, Any] = {}
        with contextlib.suppress(RuntimeError):  # we closed it ourselves
            message = await self._socket.receive()
        return message.get("text")

    async def _tell(self, *messages: Any) -> None:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # ended meanwhile
            for message in messages:
                await self._socket.send_text(json.dumps(message))

    def hang_up(self) -> None:
        self._wake(None)

    def _heard(self, event: Event) -> None:
        self._wake(event)

    def _wake(self, event: Event | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def _announce(self) -> None:
        """Send events as they come; when the next one is due by the clock, let it happen."""
        while True:
            coming = self._state.next_due()
            patience = None if coming is None else coming.total_seconds() + 0.001
            try:
                event = await asyncio.wait_for(self._events.get(), patience)
            except TimeoutError:
                self._state.tick()
                continue
            if event is None:
                with contextlib.suppress(RuntimeError):  # the other side was faster
                    await self._socket.close(1001)
                return
            await self._tell(*self._event_notices(event), *self._status_notices())

    def _event_notices(self, event: Event) -> Iterator[Any]:
        path = ("Event", *event.path)
        for each in tuple(self._subscriptions.values()):
            if _covers(each.query, path):
                yield _notice(each.id, _wrapped(path, {"id": 1, **event.fields}))

    def _status_notices(self) -> Iterator[Any]:
        for each in tuple(self._subscriptions.values()):
            if each.query[0] != "Status":
                continue
            value = value_at(self._state.documents(), each.query)
            if value is not None and (now := json.dumps(value)) != each.last:
                each.last = now
                yield _notice(each.id, _wrapped(each.query, as_json(value)))

    # calls --------------------------------------------------------------------------------------------------------

    def _answer(self, text: str) -> Any:
        """The answer to a call; None for a call without an id, which wants none."""
        call: Mapping[str, Any] = {"id": None}
        try:
            call = _call(text)
            answer = {"result": self._result(call)}
        except _Fault as fault:
            data = {"data": fault.data} if fault.data else {}
            answer = {"error": {"code": fault.code, "message": fault.message, **data}}
        return {"jsonrpc": "2.0", "id": call["id"], **answer} if "id" in call else None

    def _result(self, call: Mapping[str, Any]) -> Any:
        method, params = call["method"], call.get("params", {})
        entry = self._log.arrived(Logged(method="WS", path="/ws", user=self._name))
        status, ids = 200, None
        try:
            if not isinstance(params, dict):
                raise _Fault(BAD_PARAMS, "Invalid params")
            if method.startswith("xCommand/"):
                result = self._command(method, params)
                ids = result.wrote
                return {"status": "OK"} | as_json(result.tree)
            if method not in self._methods:
                raise _Fault(NO_METHOD, "Method not found")
            return self._methods[method](params)
        except _Fault as fault:
            status = fault.code
            raise
        finally:
            self._log.answered(entry, status=status, ids=ids, commands=(method,))

    def _command(self, method: str, params: Mapping[str, Any]) -> Result:
        path = tuple(method.split("/")[1:])
        body = params.get("body")
        if body is not None and not isinstance(body, str):
            raise _Fault(BAD_PARAMS, "Invalid params")
        arguments = texts({name: value for name, value in params.items() if name != "body"})
        result = run(self._state, Invocation(path=path, arguments=arguments, body=body, marked=True), self._user)
        match result.status:
            case "OK":
                return result
            case "Unknown":
                raise _Fault(NO_PATH, "Unknown command", xpath="/" + "/".join(path))
            case "NotPermitted":
                raise _Fault(NOT_PERMITTED, result.reason)
            case "ParameterError":
                raise _Fault(BAD_ARGUMENTS, f"Invalid or missing parameters: {result.reason}")
            case _:
                raise _Fault(COMMAND_ERROR, result.reason)

    def _get(self, params: Mapping[str, Any]) -> Any:
        path = _path(params, "Path")
        value = value_at(self._state.documents(), path)
        if value is None:
            raise _Fault(NO_PATH, "No match on address expression", xpath="/".join(map(str, path)))
        return as_json(value)

    def _set(self, params: Mapping[str, Any]) -> Any:
        path, value = _path(params, "Path"), params.get("Value")
        name = " ".join(map(str, path[1:]))
        if "Admin" not in self._user.roles:
            raise _Fault(NOT_PERMITTED, "Permission denied")
        if path[0] != "Configuration" or name not in self._state.settings or not isinstance(value, str | int):
            raise _Fault(NO_PATH, "No match on address expression", xpath="/".join(map(str, path)))
        self._state.settings[name] = str(value)
        return True

    def _query(self, params: Mapping[str, Any]) -> Any:
        return as_json(_kept(self._state.documents(), _path(params, "Query")) or {})

    def _subscribe(self, params: Mapping[str, Any]) -> Any:
        query = _path(params, "Query")
        if len(self._subscriptions) >= self._state.profile.feedback_expressions:
            raise _Fault(TOO_MANY, "Subscriber count exceeded")
        subscription = _Subscription(id=next(self._numbers), query=query)
        if not params.get("NotifyCurrentValue", False):
            subscription.last = json.dumps(value_at(self._state.documents(), query))
        self._subscriptions[subscription.id] = subscription
        return {"Id": subscription.id}

    def _unsubscribe(self, params: Mapping[str, Any]) -> Any:
        number = params.get("Id")
        if not isinstance(number, int) or self._subscriptions.pop(number, None) is None:
            raise _Fault(BAD_PARAMS, "Invalid params")
        return True


def _call(text: str) -> Mapping[str, Any]:
    try:
        call = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Fault(PARSE_ERROR, "Parse error") from error
    if not isinstance(call, dict) or call.get("jsonrpc") != "2.0" or not isinstance(call.get("method"), str):
        raise _Fault(INVALID_REQUEST, "Invalid request")
    return call


def _path(params: Mapping[str, Any], key: str) -> tuple[str | int, ...]:
    path = params.get(key)
    if not isinstance(path, list) or not path or not all(isinstance(step, str | int) for step in path):
        raise _Fault(BAD_PARAMS, "Invalid params")
    return tuple(path)


def _covers(query: tuple[str | int, ...], path: tuple[str, ...]) -> bool:
    if not query:
        return True
    if query[0] == "**":
        return any(_covers(query[1:], path[at:]) for at in range(len(path) + 1))
    return bool(path) and query[0] == path[0] and _covers(query[1:], path[1:])


def _kept(tree: Any, query: tuple[str | int, ...]) -> Any:
    """What of the tree the query covers, ancestors included; "**" stands for any number of steps."""
    if not query:
        return tree
    if isinstance(tree, list):
        return [kept for each in tree if (kept := _kept(each, query))] or None
    if not isinstance(tree, dict):
        return None
    found: dict[str, Any] = {}
    for name, inside in tree.items():
        anywhere = query[0] == "**"
        rest = query[1:] if anywhere else query
        if not rest:
            found[name] = inside
        elif (rest[0] == name and (kept := _kept(inside, rest[1:])) is not None) or (
            anywhere and (kept := _kept(inside, query))
        ):
            found[name] = kept
    return found or None


def _notice(subscription: int, content: Mapping[str, Any]) -> Any:
    return {"jsonrpc": "2.0", "method": "xFeedback/Event", "params": {**content, "Id": subscription}}


def _wrapped(path: Sequence[str | int], value: Any) -> dict[str, Any]:
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [{"id": step, **value}]
    return dict(value)


def _credentials(socket: WebSocket) -> tuple[str, str, str | None]:
    """Name, password, and the subprotocol that has to be echoed; from the header or from "auth-..."."""
    for offered in socket.scope.get("subprotocols", ()):
        if offered.startswith("auth-"):
            name, password = _decoded(offered.removeprefix("auth-"))
            return name, password, offered
    kind, _, value = socket.headers.get("authorization", "").partition(" ")
    name, password = _decoded(value) if kind.lower() == "basic" else ("", "")
    return name, password, None


def _decoded(value: str) -> tuple[str, str]:
    padded = value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4)
    try:
        name, _, password = base64.b64decode(padded, validate=True).decode("utf-8").partition(":")
    except ValueError:
        return "", ""
    return name, password
