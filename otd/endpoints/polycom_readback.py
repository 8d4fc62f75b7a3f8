"""Reads the calendar that a Polycom endpoint shows, so that what its relay served can be compared with its screen.

HDX, Group Series and VideoOS tell; a Trio does not. REST goes over TLS; every session is ended, for endpoints lock up
when sessions are left open. The command line sends the password in the clear, so it is used only where the endpoint's
`trust` says so in words.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

from otd.endpoints import polycom_documents as documents
from otd.endpoints.polycom_documents import Interface, PolycomSeen
from otd.endpoints.trusting import PLAINTEXT
from otd.errors import BadSetting, Denied, Garbled, Missing, OtdError, Unreachable, Unsupported
from otd.model import Booking, Endpoint, Window
from otd.outbound import Answer, Deadline, Http, Trust
from otd.ports import Secrets
from otd.tunnel import connect

COMMAND_PORT = 24
_LIMIT = 4 * 1024 * 1024  # bytes of all that it says in one call
_END_WITHIN = timedelta(seconds=5)
_COOKIES = ("session_id", "XSRF-TOKEN")


class PolycomReadback:
    """What endpoints show. `trust` says whose certificate is taken (None where it is "plaintext-http"); secrets are of
    the form user:password, of which the command line uses the password. Safe from several threads."""

    def __init__(self, *, secrets: Secrets, trust: Callable[[Endpoint], Trust | None]) -> None:
        self._secrets, self._trust = secrets, trust
        self._guard = threading.Lock()
        self._open: dict[str, list[dict[str, str]]] = {}  # by endpoint: headers of sessions that could not be ended

    def interface(self, endpoint: Endpoint) -> Interface:
        """Which one is asked. Raises Unsupported for a model that has none, BadSetting where the setting is missing."""
        if endpoint.model == "trio":
            raise Unsupported(endpoint.name, "a Trio does not tell what its calendar shows")
        if endpoint.trust == PLAINTEXT:
            return "commands"
        if endpoint.model == "hdx":
            why = "an HDX tells its calendar only on a line that carries its password in the clear"
            raise BadSetting(endpoint.name, why, f'if that network may see it, set trust = "{PLAINTEXT}"')
        return "rest"

    def read(self, endpoint: Endpoint, window: Window, zone: ZoneInfo, *, within: timedelta) -> tuple[PolycomSeen, ...]:
        """Its meetings in the window, by start; `zone` is where it stands, for the command line tells local times.

        Raises otd.errors: Denied, Unreachable, Garbled, Missing, Untrusted, Unsupported and BadSetting.
        """
        interface = self.interface(endpoint)
        user, colon, password = self._secrets.get(endpoint.credential).partition(":")
        if not colon:
            raise BadSetting(
                f"secret {endpoint.credential}", "it is not of the form user:password", "write user:password"
            )
        if interface == "commands":
            with _Line(endpoint, password, within) as line:
                ids = documents.listed(line.ask(documents.list_command(window.start, window.end, zone)), endpoint.name)
                found = [documents.told(line.ask(documents.info_command(id)), id, zone, endpoint.name) for id in ids]
        else:
            found = list(self._by_rest(endpoint, window, user, password, within))
        return tuple(sorted(found, key=lambda one: (one.fields, one.id)))

    def seen(self, endpoint: Endpoint, booking: Booking, id: str) -> PolycomSeen:
        """What `read` should give for a booking that the endpoint's calendar server shows under this id."""
        return documents.seen(booking, id, self.interface(endpoint))

    # REST ---------------------------------------------------------------------------------------------------------

    def _by_rest(
        self, endpoint: Endpoint, window: Window, user: str, password: str, within: timedelta
    ) -> tuple[PolycomSeen, ...]:
        reserve = min(_END_WITHIN, within / 4)
        deadline = Deadline.after(within - reserve)
        with Http(trust=self._trust(endpoint), limit=_LIMIT, connections=1) as http:
            for left in self._take_open(endpoint.name):
                self._end(http, endpoint, left, reserve)
            session = _login(http, endpoint, user, password, deadline)
            try:
                span = f"start={int(window.start.timestamp())}&end={int(window.end.timestamp())}"
                path = f"/rest/calendar/meetings?number={documents.MOST}&{span}"
                answer = _request(http, endpoint, "GET", path, session, None, deadline)
                return documents.meetings_in(_good(answer, endpoint.name).body, endpoint.name)
            finally:
                self._end(http, endpoint, session, reserve)

    def _end(self, http: Http, endpoint: Endpoint, session: dict[str, str], within: timedelta) -> None:
        """End it, or remember it, so that the next call does."""
        try:
            answer = _request(http, endpoint, "DELETE", "/rest/session", session, None, Deadline.after(within))
            ended = answer.status < 500
        except OtdError:
            ended = False
        if not ended:
            with self._guard:
                self._open.setdefault(endpoint.name, []).append(session)

    def _take_open(self, endpoint: str) -> list[dict[str, str]]:
        with self._guard:
            return self._open.pop(endpoint, [])


def _login(http: Http, endpoint: Endpoint, user: str, password: str, deadline: Deadline) -> dict[str, str]:
    """The headers of a session."""
    content = json.dumps({"user": user, "password": password, "action": "Login"}).encode()
    answer = _good(_request(http, endpoint, "POST", "/rest/session", {}, content, deadline), endpoint.name)
    if not documents.session_of(answer.body, endpoint.name):
        raise _refused(endpoint.name)
    pairs = (header.partition(";")[0].strip() for header in answer.headers.get_list("set-cookie"))
    cookies = dict(pair.split("=", 1) for pair in pairs if pair.partition("=")[0] in _COOKIES and "=" in pair)
    if "session_id" not in cookies:
        raise Garbled(endpoint.name, "it began a session and did not say which")
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    return headers | ({"x-xsrf-token": cookies["XSRF-TOKEN"]} if "XSRF-TOKEN" in cookies else {})


def _request(
    http: Http,
    endpoint: Endpoint,
    method: str,
    path: str,
    headers: dict[str, str],
    content: bytes | None,
    deadline: Deadline,
) -> Answer:
    try:
        return http.request(
            method,
            f"https://{endpoint.address}{path}",
            where=endpoint.name,
            within=deadline.left(),
            headers={"Content-Type": "application/json", "Accept": "application/json", **headers},
            content=content,
        )
    except TimeoutError:
        raise Unreachable(endpoint.name, "there was no time left to ask it") from None


def _good(answer: Answer, where: str) -> Answer:
    """The answer if its status is a good one. Raises what the status says."""
    if answer.status == 200:
        return answer
    if answer.status in (401, 403):
        raise _refused(where)
    if answer.status == 404:
        raise Missing(where, "it does not have this interface", "its software may be too old, or its REST switched off")
    raise Unreachable(where, f"it answered HTTP {answer.status}")


def _refused(where: str) -> Denied:
    mend = f"set the right secret, then `otd endpoints retry {where}`; it is not tried again before, as accounts lock"
    return Denied(where, "its own interface refused the user name or password", mend, reason="password")


class _Line:
    """One connection to the command line, under one deadline and one limit."""

    def __init__(self, endpoint: Endpoint, password: str, within: timedelta) -> None:
        self._where = endpoint.name
        self._deadline, self._left = Deadline.after(within), _LIMIT
        self._rest = self._seen = b""
        host, _, port = endpoint.address.rpartition(":") if ":" in endpoint.address else (endpoint.address, "", "")
        try:
            address = (host.strip("[]"), int(port or COMMAND_PORT))
            self._socket = connect(*address, left=self._deadline.remaining)
        except (OSError, ValueError) as error:
            raise Unreachable(self._where, "no connection to its command line") from error
        try:
            self._sign_in(password)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, command: str) -> list[str]:
        """The lines between `... begin` (or `... start`) and `... end`."""
        self._send(command)
        name = command.partition(' "')[0]
        lines: list[str] | None = None
        while (line := self._line()) != f"{name} end":
            if line in (f"{name} begin", f"{name} start"):
                lines = []
            elif lines is not None:
                lines.append(line)
            elif line.startswith("error:"):  # anything else is an echo, or a notification
                raise Missing(self._where, "its command line does not know its calendar, or not this meeting any more")
        return lines or []

    def _sign_in(self, password: str) -> None:
        """An endpoint without a password greets at once; one that says the word again did not like the first answer."""
        self._until(b"Password:", b"\n")
        if not self._seen.endswith(b"Password:"):
            return
        self._send(password)
        while not self._seen.strip() or self._seen.endswith(b"Password:"):
            self._until(b"\n", b"assword")
            if self._seen.lower().endswith(b"password"):
                raise _refused(self._where)

    def _send(self, line: str) -> None:
        try:
            self._socket.settimeout(self._deadline.remaining())
            self._socket.sendall(line.encode() + b"\r\n")
        except OSError as error:
            raise Unreachable(self._where, "its command line broke off") from error

    def _line(self) -> str:
        self._until(b"\n")
        return self._seen.decode("utf-8", "replace").strip("\r\n\0 ")

    def _until(self, *marks: bytes) -> None:
        """Read up to and with the first of these marks, which is then in `_seen`."""
        while True:
            found = [at + len(mark) for mark in marks if (at := self._rest.find(mark)) >= 0]
            if found:
                self._seen, self._rest = self._rest[: min(found)], self._rest[min(found) :]
                return
            self._read()

    def _read(self) -> None:
        try:
            self._socket.settimeout(self._deadline.remaining())
            more = self._socket.recv(65536)
        except OSError as error:
            raise Unreachable(self._where, "no whole answer from its command line in time") from error
        if not more:
            raise Unreachable(self._where, "its command line broke off")
        self._left -= len(more)
        if self._left < 0:
            raise Garbled(self._where, f"its answers are larger than {_LIMIT} bytes")
        self._rest += more
