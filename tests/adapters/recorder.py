"""Stands before a simulated server, keeps what was asked, and may answer in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otd.lab.server import App, Receive, Scope, Send


@dataclass(frozen=True)
class Asked:
    """One request."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Instead:
    """An answer in place of the server's."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Recorder:
    """An ASGI app before another one."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.asked: list[Asked] = []
        self.instead: Callable[[Asked], Instead | None] = lambda _: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        asked = Asked(f"{scope['path']}?{scope['query_string'].decode()}", headers, body)
        self.asked.append(asked)
        answer = self.instead(asked)
        if answer is None:
            await self.app(scope, _again(body, receive), send)
            return
        raw = [(k.encode(), v.encode()) for k, v in answer.headers]
        raw.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": answer.body})


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was read already, and after it whatever comes."""
    waiting = [body]

    async def message() -> Any:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return message
