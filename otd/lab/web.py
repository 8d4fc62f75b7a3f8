"""A request and an answer as the simulated servers pass them around inside, so that one can be part of another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from otd.lab.faults import Fault

MAINTENANCE_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head>\n"
    "<body><h1>We will be back shortly</h1><p>This service is being worked on.</p></body></html>\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was asked. Header names are in lower case; `path` is decoded, `target` is as it came."""

    method: str
    path: str
    root: str  # scheme and host under which the client reached us
    target: str = ""
    raw_query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered. A `payload` is sent as JSON, `text` as it is; `fault` is for the wire to carry out."""

    status: int = 200
    payload: Any = None
    text: str = ""
    media_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    stream: tuple[str, ...] = ()  # EWS: it goes on for so many minutes, about these subscriptions

    @property
    def body(self) -> bytes:
        if self.payload is None:
            return self.text.encode()
        return json.dumps(self.payload, ensure_ascii=False, separators=(",", ":")).encode()


def maintenance() -> Answer:
    """A web page where something else was expected, as proxies send it: with status 200."""
    return Answer(text=MAINTENANCE_PAGE, media_type="text/html; charset=utf-8")


def login(root: str) -> Answer:
    """A redirect to a login page, as gateways in front of a server send it."""
    page = '<html><head><title>Object moved</title></head><body><a href="/owa/auth/logon.aspx">here</a></body></html>'
    return Answer(
        status=302,
        text=page,
        media_type="text/html; charset=utf-8",
        headers={"Location": f"{root}/owa/auth/logon.aspx"},
    )
