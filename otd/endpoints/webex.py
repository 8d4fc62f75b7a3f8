"""Cisco endpoints that are registered with Webex, reached through the Webex cloud API: put, read back, ask.

A secret is either the access token of a bot, which has no end, or of the form `client:secret:refresh token` (an
integration or service app): its access token is fetched with the refresh token and renewed before it runs out.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from otd.endpoints import cisco_documents, webex_documents
from otd.endpoints.cisco_documents import CiscoSeen
from otd.errors import BadSetting, Denied, Unreachable
from otd.model import Booking, Endpoint, Facts
from otd.outbound import Answer, Deadline, Http, Trust, public_trust
from otd.ports import Secrets, never

_LIMIT = 8 * 1024 * 1024
_MARGIN = timedelta(minutes=10)  # before its end at which a token is renewed


@dataclass(slots=True)
class _Held:
    token: str = field(repr=False)
    good_until: float  # monotonic
    refresh: str = field(repr=False)  # what gets the next one


class WebexDriver:
    """The EndpointDriver for endpoints on Webex. `ca_files` are the CAs that `trust = "ca:NAME"` may name."""

    def __init__(
        self,
        *,
        secrets: Secrets,
        ca_files: dict[str, str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._secrets, self._ca_files, self._now = secrets, ca_files or {}, now
        self._guard = threading.Lock()
        self._clients: dict[str, Http] = {}  # by trust
        self._tokens: dict[str, _Held] = {}  # by secret
        self._fetching: dict[str, threading.Lock] = {}

    def put(self, endpoint: Endpoint, bookings: tuple[Booking, ...], *, within: timedelta) -> None:
        self._ask(endpoint, "POST", webex_documents.PUT, webex_documents.put_body(endpoint.device, bookings), within)

    def read(self, endpoint: Endpoint, *, within: timedelta) -> tuple[CiscoSeen, ...]:
        answer = self._ask(endpoint, "POST", webex_documents.LIST, webex_documents.list_body(endpoint.device), within)
        return webex_documents.seen_in(answer.body, endpoint.name)

    def seen(self, endpoint: Endpoint, bookings: tuple[Booking, ...]) -> tuple[CiscoSeen, ...]:
        return tuple(cisco_documents.seen(booking) for booking in bookings)

    def facts(
        self, endpoint: Endpoint, *, within: timedelta, unless: Callable[[], bool] = never, anew: bool = False
    ) -> Facts:
        if unless():
            raise TimeoutError
        answer = self._ask(endpoint, "GET", webex_documents.status_path(endpoint.device), None, within)
        return webex_documents.facts_in(answer.body, self._now(), endpoint.name)

    def leave(self, endpoint: Endpoint, *, within: timedelta) -> None:
        """Nothing was set up there."""

    def close(self) -> None:
        with self._guard:
            clients = tuple(self._clients.values())
            self._clients.clear()
        for client in clients:
            client.close()

    # asking -------------------------------------------------------------------------------------------------------

    def _ask(self, endpoint: Endpoint, method: str, path: str, content: bytes | None, within: timedelta) -> Answer:
        """The answer, with a token that holds. A token that is refused before its time is renewed once; where the
        credential has a successor, that one is then tried once."""
        deadline = Deadline.after(within)
        names = [endpoint.credential, f"{endpoint.credential}-next"]
        refused: Denied | None = None
        for number, name in enumerate(names):
            try:
                secret = self._secrets.get(name)
            except BadSetting:
                if number == 0:
                    raise
                break
            try:
                return self._ask_with(secret, endpoint, method, path, content, deadline)
            except Denied as error:
                if error.reason != "password":
                    raise
                refused = error
        raise refused or webex_documents.token_refused(endpoint.name)

    def _ask_with(
        self, secret: str, endpoint: Endpoint, method: str, path: str, content: bytes | None, deadline: Deadline
    ) -> Answer:
        token = self._token(secret, endpoint, deadline, refused="")
        answer = self._send(endpoint, method, path, content, deadline, {"Authorization": f"Bearer {token}"})
        if answer.status == 401 and ":" in secret:
            token = self._token(secret, endpoint, deadline, refused=token)
            answer = self._send(endpoint, method, path, content, deadline, {"Authorization": f"Bearer {token}"})
        error = webex_documents.refusal(answer.status, answer.headers, answer.body, endpoint.name)
        if error is not None:
            raise error
        return answer

    def _send(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        content: bytes | None,
        deadline: Deadline,
        headers: dict[str, str],
    ) -> Answer:
        try:
            return self._client(endpoint).request(
                method,
                f"https://{endpoint.address}{path}",
                where=endpoint.name,
                within=deadline.left(),
                headers={"Accept": "application/json", "Content-Type": "application/json", **headers},
                content=content,
            )
        except TimeoutError:
            raise Unreachable(endpoint.name, "there was no time left to ask Webex") from None

    def _client(self, endpoint: Endpoint) -> Http:
        """One pool of connections for all endpoints that trust alike: they are all reached at one host."""
        with self._guard:
            if endpoint.trust not in self._clients:
                self._clients[endpoint.trust] = Http(trust=self._trust(endpoint), limit=_LIMIT)
            return self._clients[endpoint.trust]

    def _trust(self, endpoint: Endpoint) -> Trust:
        name = endpoint.trust.removeprefix("ca:")
        if endpoint.trust == "ca":
            return public_trust()
        if endpoint.trust.startswith("ca:") and name in self._ca_files:
            return public_trust(self._ca_files[name])
        why = f'trust = "{endpoint.trust}" is nothing by which a cloud can be known'
        raise BadSetting(f"endpoint {endpoint.name}", why, 'set trust = "ca", or "ca:NAME" for a proxy\'s own CA')

    # tokens -------------------------------------------------------------------------------------------------------

    def _token(self, secret: str, endpoint: Endpoint, deadline: Deadline, *, refused: str) -> str:
        """A token that holds, and is not the one that was refused. One thread fetches it, the others wait for it."""
        parts = secret.split(":", 2)
        if len(parts) == 1:
            return secret
        if len(parts) == 2 or not all(parts):
            raise BadSetting(
                f"secret {endpoint.credential}",
                "it is neither a bot's token nor of the form client:secret:refresh token",
                "write one of the two",
            )
        with self._guard:
            lock = self._fetching.setdefault(secret, threading.Lock())
        if not lock.acquire(timeout=_remaining(deadline)):
            raise Unreachable(endpoint.name, "no token came from Webex within the time")
        try:
            held = self._tokens.get(secret)
            if held is None or held.token == refused or time.monotonic() >= held.good_until:
                held = self._tokens[secret] = self._fetched(parts, held, endpoint, deadline)
            return held.token
        finally:
            lock.release()

    def _fetched(self, parts: list[str], former: _Held | None, endpoint: Endpoint, deadline: Deadline) -> _Held:
        client, secret, refresh = parts
        if former is not None and former.refresh:
            refresh = former.refresh
        answer = self._send(
            endpoint,
            "POST",
            webex_documents.TOKEN,
            webex_documents.token_body(client, secret, refresh),
            deadline,
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        if answer.status in (400, 401):  # RFC 6749, section 5.2
            raise webex_documents.token_refused(endpoint.name)
        if error := webex_documents.refusal(answer.status, answer.headers, answer.body, endpoint.name):
            raise error
        token, life, following = webex_documents.token_in(answer.body, endpoint.name)
        good_for = life - min(_MARGIN, life / 10)
        return _Held(token, time.monotonic() + good_for.total_seconds(), following or refresh)


def _remaining(deadline: Deadline) -> float:
    with contextlib.suppress(TimeoutError):
        return deadline.remaining()
    return 0.0
