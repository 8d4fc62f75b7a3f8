"""The way to Microsoft Graph: a token with every request, refusals in OTD's words, each request counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import Any
from uuid import uuid4

from otd.calendars.access import GraphAccess
from otd.calendars.graph_errors import refusal
from otd.calendars.graph_token import Tokens
from otd.calendars.trust import must_be_https, trust
from otd.errors import Garbled, OtdError, Truncated, Unreachable
from otd.outbound import Answer, Deadline, Http
from otd.ports import Clock, Secrets

STRANGE = "look for a proxy or a sign-in page on the way to Graph"


@dataclass(slots=True)
class Call:
    """One thing that is wanted of one room, on its way."""

    where: str
    deadline: Deadline
    requests: int = 0  # to Graph; each counts against the calendar's budget

    def late(self, within: timedelta) -> OtdError:
        return Unreachable(self.where, f"no whole answer within {within.total_seconds():g} s")


class GraphLine:
    """The connections of one calendar to Graph. Nothing is opened before the first request."""

    def __init__(
        self, name: str, access: GraphAccess, *, secrets: Secrets, clock: Clock, prefer: str, limit: int
    ) -> None:
        """`prefer` goes with every request; no answer may be larger than `limit` bytes."""
        self._name, self._access, self._secrets, self._clock = name, access, secrets, clock
        self.prefer, self._limit = prefer, limit
        self.root = access.addresses()[1]
        self._lock = Lock()
        self._opened: tuple[Http, Tokens] | None = None

    def get(self, url: str, call: Call) -> bytes:
        """What is there. Raises OtdError and TimeoutError."""
        return self._good("GET", url, call, None).body

    def send(self, method: str, path: str, document: Mapping[str, Any], call: Call) -> dict[str, Any]:
        """The answer to a document. Raises OtdError and TimeoutError."""
        answer = self._good(method, f"{self.root}{path}", call, json.dumps(document).encode())
        try:
            stated = json.loads(answer.body)
        except (ValueError, RecursionError):
            stated = None
        if not isinstance(stated, dict):
            raise Garbled(call.where, "Graph's answer is not a document", "look for a proxy on the way to Graph")
        return stated

    def remove(self, path: str, call: Call) -> None:
        """Remove what is there. Raises OtdError and TimeoutError."""
        self._good("DELETE", f"{self.root}{path}", call, None)

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened[0].close()

    def _good(self, method: str, url: str, call: Call, content: bytes | None) -> Answer:
        http, tokens = self._open()
        token = tokens.get(call.deadline)
        answer = self._ask(http, method, url, token, call, content)
        if answer.status == 401:  # run out or revoked; a fresh one once, never in a loop
            answer = self._ask(http, method, url, tokens.renew(token, call.deadline), call, content)
        if not 200 <= answer.status < 300:
            raise refusal(answer, where=call.where, now=self._clock.now())
        return answer

    def _ask(self, http: Http, method: str, url: str, token: str, call: Call, content: bytes | None) -> Answer:
        call.requests += 1
        headers = {
            "Authorization": f"Bearer {token}",
            "Prefer": self.prefer,
            "Accept": "application/json",
            "client-request-id": str(uuid4()),
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        return http.request(
            method, url, where=call.where, within=call.deadline.left(), headers=headers, content=content
        )

    def _open(self) -> tuple[Http, Tokens]:
        """Made at the first request, so that a CA file that is no good fails the reads and not the start."""
        with self._lock:
            if self._opened is None:
                for address in self._access.addresses():
                    must_be_https(address, self._name)
                http = Http(trust=trust(self._access.ca_file, self._name), limit=self._limit)
                where = f"{self._name}: Entra ID"
                tokens = Tokens(self._access, secrets=self._secrets, http=http, clock=self._clock, where=where)
                self._opened = http, tokens
            return self._opened


def decoded(body: bytes, where: str) -> Any:
    """What an answer says in JSON. Raises Truncated when it stops in the middle, Garbled when it is not from Graph."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        if body.lstrip()[:1] == b"{":
            raise Truncated(where, "Graph's answer stops in the middle") from None
        raise Garbled(where, "the answer is not JSON", STRANGE) from None
