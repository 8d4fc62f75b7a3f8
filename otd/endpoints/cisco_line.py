"""The requests of one call to one Cisco endpoint: signed in, spaced as the endpoint asks, under one deadline.

With a password in each request an endpoint serves one request a second and queues thirty; with a session fifteen a
second (Cisco's HTTP API guide). Sessions never end by themselves and there are twenty of them, so each is ended by the
call that began it, whatever became of that call; one that could not be ended is ended by the next call.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from otd.endpoints import cisco_documents as documents
from otd.endpoints import cisco_facts as facts
from otd.errors import BadSetting, Denied, Garbled, OtdError, Unreachable
from otd.model import Endpoint
from otd.outbound import Answer, Deadline, Http, Trust
from otd.ports import Secrets, never

SPACING = timedelta(seconds=1)
STALE = timedelta(seconds=60)  # a session that is older belongs to no call any more: none takes that long
_END_WITHIN = timedelta(seconds=5)
_LOOK = 0.05  # seconds: so often it is seen, while a turn is awaited, whether it is still wanted
_LIMIT = 8 * 1024 * 1024  # bytes of an answer
_COOKIES = ("SecureSessionId", "SessionId")
_NO_SESSIONS = frozenset({302, 303, 307, 404, 405})  # answers of software that has none (TC)


class Accounts:
    """With which credentials endpoints are signed in to. A secret NAME may have a successor, the secret NAME-next:
    after a refusal that one is tried once, and the one that was taken comes first from then on."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._taken: dict[str, str] = {}  # by endpoint

    def of(self, endpoint: Endpoint) -> list[str]:
        """The values of the header Authorization, in the order in which to try them. Raises BadSetting."""
        known = [_basic(endpoint.credential, self._secrets.get(endpoint.credential))]
        following = f"{endpoint.credential}-next"
        with contextlib.suppress(BadSetting):  # most have none
            known.append(_basic(following, self._secrets.get(following)))
        first = self._taken.get(endpoint.name)
        return sorted(dict.fromkeys(known), key=lambda one: one != first)

    def taken(self, endpoint: Endpoint, authorization: str) -> None:
        self._taken[endpoint.name] = authorization


def _basic(name: str, secret: str) -> str:
    if ":" not in secret:
        raise BadSetting(f"secret {name}", "it is not of the form user:password", "write user:password")
    return "Basic " + base64.b64encode(secret.encode()).decode()


class Paces:
    """When the next request to an address may go out."""

    def __init__(self, spacing: timedelta) -> None:
        self._gaps = {False: spacing.total_seconds(), True: (spacing / 15).total_seconds()}
        self._guard = threading.Lock()
        self._free_at: dict[str, float] = {}  # monotonic

    def turn(self, address: str, *, session: bool) -> float:
        """When a request may go out, by the monotonic clock; the turn is taken."""
        with self._guard:
            at = max(time.monotonic(), self._free_at.get(address, 0.0))
            self._free_at[address] = at + self._gaps[session]
            return at

    def give_back(self, address: str, at: float, *, session: bool) -> None:
        """Nothing went out in this turn: it is the next one's, unless a later one was taken meanwhile."""
        with self._guard:
            if self._free_at.get(address) == at + self._gaps[session]:
                self._free_at[address] = at


class Sessions:
    """What is left to be tidied up at endpoints: sessions that could not be ended, and answers that were lost.

    What a former process left open, which died in the middle of a call, nobody knows: so at every endpoint something
    counts as lost from the start.
    """

    def __init__(self, stale: timedelta = STALE) -> None:
        self.stale = stale
        self._guard = threading.Lock()
        self._began = time.monotonic()
        self._open: dict[str, list[str]] = {}  # cookies by endpoint
        self._lost: dict[str, float | None] = {}  # by endpoint: when a session was lost, monotonic; None: none since

    def left_open(self, endpoint: str, cookie: str) -> None:
        with self._guard:
            self._open.setdefault(endpoint, []).append(cookie)

    def take_open(self, endpoint: str) -> list[str]:
        with self._guard:
            return self._open.pop(endpoint, [])

    def lost(self, endpoint: str) -> None:
        with self._guard:
            self._lost[endpoint] = time.monotonic()

    def found(self, endpoint: str) -> None:
        with self._guard:
            self._lost[endpoint] = None

    def has_stale(self, endpoint: str) -> bool:
        """Whether a session was lost so long ago that it can be told from one in use."""
        with self._guard:
            at = self._lost.get(endpoint, self._began)
        return at is not None and time.monotonic() - at > self.stale.total_seconds()


class Line:
    """The requests of one call: `with Line(...) as line: line.get(...)`. `failed` is told when it ends with an error
    other than a refusal. `unless` ends it before its next request, with TimeoutError."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        trust: Trust | None,
        accounts: Accounts,
        paces: Paces,
        sessions: Sessions,
        within: timedelta,
        failed: Callable[[str], None],
        unless: Callable[[], bool] = never,
    ) -> None:
        self._unless = unless
        self.endpoint = endpoint
        self._accounts, self._paces, self._sessions, self._failed = accounts, paces, sessions, failed
        self._authorizations = accounts.of(endpoint)
        self._cookie = ""
        reserve = min(_END_WITHIN, within / 4) if endpoint.session else timedelta(0)
        self._deadline, self._reserve = Deadline.after(within - reserve), reserve
        self._root = f"{'https' if trust else 'http'}://{endpoint.address}"
        self._http = Http(trust=trust, limit=_LIMIT, connections=1)

    def __enter__(self) -> Line:
        try:
            if self.endpoint.session:
                self._begin()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            self._end()
        finally:
            self._http.close()
        if isinstance(error, OtdError) and not isinstance(error, Denied):
            self._failed(self.endpoint.name)

    def get(self, path: str) -> bytes:
        return self._body("GET", path, None)

    def post(self, path: str, content: bytes) -> bytes:
        return self._body("POST", path, content)

    def _body(self, method: str, path: str, content: bytes | None) -> bytes:
        """The body of the answer. Raises what the status says, and Denied for a sign-in page, after the other
        credential was tried."""
        while True:
            answer = self._send(method, path, content)
            location = answer.headers.get("location", "")
            error = documents.refusal(answer.status, location, answer.body, self.endpoint.name)
            if error is None:
                self._accounts.taken(self.endpoint, self._authorizations[0])
                return answer.body
            if error.reason == "password" and self._cookie:
                raise Unreachable(self.endpoint.name, "it ended our session, as when it restarts")
            if error.reason != "password" or len(self._authorizations) == 1:
                raise error
            del self._authorizations[0]

    def _send(self, method: str, path: str, content: bytes | None) -> Answer:
        name = self.endpoint.name
        sign_in = {"Cookie": self._cookie} if self._cookie else {"Authorization": self._authorizations[0]}
        self._wait_for_turn()
        try:
            return self._http.request(
                method,
                self._root + path,
                where=name,
                within=self._deadline.left(),
                headers={"Content-Type": "text/xml; charset=utf-8", **sign_in},
                content=content,
            )
        except TimeoutError:
            raise Unreachable(name, "there was no time left to ask it") from None

    def _wait_for_turn(self) -> None:
        """Raises Unreachable when there is no time for that, and TimeoutError as soon as `unless` says so."""
        address, session = self.endpoint.address, bool(self._cookie)
        at = self._paces.turn(address, session=session)
        if at - time.monotonic() >= self._deadline.remaining():
            raise Unreachable(self.endpoint.name, "there was no time left to ask it")
        while True:
            if self._unless():
                self._paces.give_back(address, at, session=session)
                raise TimeoutError
            if (left := at - time.monotonic()) <= 0:
                return
            threading.Event().wait(left if self._unless is never else min(left, _LOOK))

    # sessions -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Sign in with a session, or go on with the password where there are none."""
        name = self.endpoint.name
        for cookie in self._sessions.take_open(name):
            self._end_one(cookie, self._deadline.left())
        if self._sessions.has_stale(name):
            self._end_stale()
        try:
            answer = self._signed_in()
        except OtdError as error:
            if error.code in ("unreachable", "garbled"):
                self._sessions.lost(name)  # perhaps it began one, and nobody will ever know its cookie
            raise
        if answer is None:
            return
        pairs = (header.partition(";")[0] for header in answer.headers.get_list("set-cookie"))
        cookies = [pair for pair in pairs if pair.partition("=")[0].strip() in _COOKIES]
        if not cookies:
            raise Garbled(name, "it began a session and did not say which")
        self._cookie = "; ".join(cookies)

    def _signed_in(self) -> Answer | None:
        """The answer that holds the session; None when it has no sessions. Tries the other credential once."""
        while True:
            answer = self._send("POST", "/xmlapi/session/begin", b"")
            if answer.status in _NO_SESSIONS:
                return None
            error = documents.refusal(answer.status, "", answer.body, self.endpoint.name)
            if error is None:
                self._accounts.taken(self.endpoint, self._authorizations[0])
                return answer
            if error.reason != "password" or len(self._authorizations) == 1:
                raise error
            del self._authorizations[0]

    def _end(self) -> None:
        if self._cookie:
            cookie, self._cookie = self._cookie, ""
            self._end_one(cookie, self._reserve)

    def _end_one(self, cookie: str, within: timedelta) -> None:
        """End it, or remember that it has to be: by its cookie, or among all of our user's where the cookie is not
        taken, for perhaps it was not the endpoint that said so."""
        name = self.endpoint.name
        try:
            answer = self._http.request(
                "POST", f"{self._root}/xmlapi/session/end", where=name, within=within, headers={"Cookie": cookie}
            )
        except OtdError:
            self._sessions.left_open(name, cookie)
            return
        if answer.status >= 500:
            self._sessions.left_open(name, cookie)
        elif documents.refusal(answer.status, answer.headers.get("location", ""), answer.body, name) is not None:
            self._sessions.lost(name)

    def _end_stale(self) -> None:
        """End the sessions of our user that no call can be using any more."""
        name = self.endpoint.name
        now = facts.system_time(self.get(facts.TIME_PATH), name)
        user = base64.b64decode(self._authorizations[0].removeprefix("Basic ")).decode().partition(":")[0]
        for session in tuple(facts.sessions(self.post("/putxml", facts.session_list_command()), name)):
            if session.user == user and now is not None and now - session.since > self._sessions.stale:
                self.post("/putxml", facts.session_end_command(session.id))
        self._sessions.found(name)
