"""Lines to an Exchange Server: each is one signed-in connection, used by one thread at a time.

A line is an exchangelib Protocol of its own with a pool of one session, made without that class's process-wide cache.
So nothing grows with the number of rooms, no call waits for a session that will never come back, and an error costs a
line and nothing else: the next call makes a new one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from queue import Empty, LifoQueue
from threading import Lock
from typing import Any

from exchangelib.configuration import Configuration
from exchangelib.credentials import Credentials
from exchangelib.protocol import FailFast, Protocol
from exchangelib.version import Build, Version
from lxml import etree
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar

from otd.calendars.access import EwsAccess
from otd.calendars.ews_errors import refusal, translated
from otd.calendars.ews_login import AUTH_TYPES, Bearer, login
from otd.calendars.ews_soap import GetStreamingEvents, account, parts
from otd.calendars.ews_transport import Adapter, holding, tls_context
from otd.calendars.graph_token import Tokens
from otd.calendars.lockout import PAUSE, Lockout
from otd.calendars.trust import must_be_https, trust
from otd.calendars.waits import REFUSED
from otd.errors import BadSetting, Denied, Unreachable
from otd.outbound import Deadline, Http
from otd.ports import Clock, Secrets

REFUSED_TOKEN = "token"  # noqa: S105 - a reason of Denied
TOKEN_LIMIT = 1024 * 1024
_END_OF_ENVELOPE = re.compile(rb"</(?:[A-Za-z0-9]+:)?Envelope\s*>")
SOON = timedelta(minutes=1)  # until a room is tried again whose account was refused once
_APPLICATION = (
    "let the application in: the role Application EWS.AccessAsApp over a scope that holds the rooms, and OAuth "
    "switched on for Exchange Web Services; check tenant and client_id"
)
_log = logging.getLogger("exchangelib")


class _Policy(FailFast):  # type: ignore[misc]
    """Turns an HTTP status into our error at once, and never sleeps."""

    def __init__(self, adapter: Adapter, clock: Clock) -> None:
        self._adapter, self._clock = adapter, clock

    def raise_response_errors(self, response: Any) -> None:
        if response.status_code == 200:
            return
        body: bytes = response.content
        if response.status_code == 500 and body.lstrip()[:1] == b"<" and b"Envelope" in body[:1000]:
            return  # a SOAP fault
        raise refusal(response.status_code, response.headers, body, where=self._adapter.where, now=self._clock.now())


class _Protocol(Protocol):  # type: ignore[misc]
    """exchangelib's, with our adapter under its one session."""

    USERAGENT = "OTD"

    def __init__(self, config: Configuration, adapter: Adapter, login: AuthBase | None, cookies: Any) -> None:
        super().__init__(config=config)
        self._adapter, self._login, self._cookies = adapter, login, cookies

    def create_session(self) -> Any:
        session = super().create_session()
        session.trust_env = False  # neither proxies nor passwords nor CAs from the environment
        session.cookies = self._cookies
        session.mount(self.service_endpoint, self._adapter)
        session.auth = self._login or session.auth
        return session


class _NoCookies(RequestsCookieJar):
    """A front-end's cookie steers to one mailbox's server; the next call is for another mailbox."""

    def set_cookie(self, *_: Any, **__: Any) -> None:
        """Forget it."""


class Line:
    """One connection with what it takes to sign in again."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._protocol: Any = None
        self._password = ""
        self._bearer = Bearer()

    def ask(
        self, service: Callable[..., Any], payload: etree._Element, *, mailbox: str, where: str, deadline: Deadline
    ) -> list[Any]:
        """What `service` gives for the payload, in this mailbox. Raises OtdError only; then the line is made anew."""
        tokens = self._lines.tokens
        if tokens is None:
            return self._ask(service, payload, mailbox, where, deadline)
        self._bearer.token = tokens.get(deadline)
        try:
            return self._ask(service, payload, mailbox, where, deadline)
        except Denied as error:
            if error.reason != REFUSED_TOKEN:
                raise
        self._bearer.token = tokens.renew(self._bearer.token, deadline)  # run out or revoked; once, never in a loop
        return self._ask(service, payload, mailbox, where, deadline)

    def _ask(
        self, service: Callable[..., Any], payload: etree._Element, mailbox: str, where: str, deadline: Deadline
    ) -> list[Any]:
        protocol = self._open(where)
        protocol._adapter.where = where
        try:
            with holding(deadline):
                left = max(int(deadline.remaining()), 1)
                made = service(account=account(protocol, mailbox, self._lines.access.right), timeout=left)
                found: list[Any] = made.call(payload)
        except Exception as error:  # exchangelib, requests, urllib3, spnego and lxml raise what they like
            self.close()
            failed = translated(error, where=where)
            if isinstance(failed, Denied) and protocol._adapter.status == 401:
                failed = self._refused(failed)
            raise failed from None
        self._lines.lockout.accepted()
        return found

    def listen(
        self, payload: etree._Element, *, mailbox: str, where: str, quiet: timedelta
    ) -> Iterator[etree._Element]:
        """The bodies of the envelopes that come of GetStreamingEvents, each as it comes, until the server ends it; then
        the line is made anew. Raises OtdError only, Unreachable when nothing comes for `quiet`."""
        tokens = self._lines.tokens
        if tokens is not None:
            self._bearer.token = tokens.get(Deadline.after(quiet))
        protocol = self._open(where)
        protocol._adapter.where = where
        try:
            with holding(Deadline.after(quiet)):
                asked = account(protocol, mailbox, self._lines.access.right)
                service = GetStreamingEvents(account=asked, anchor=mailbox)  # when it goes, it closes the answer
                came = service.begin(payload).iter_content()
            waiting = b""
            while True:
                with holding(Deadline.after(quiet)):
                    waiting += (part := next(came, b""))
                while end := _END_OF_ENVELOPE.search(waiting):
                    yield parts(waiting[: end.end()])[1]
                    waiting = waiting[end.end() :]
                if not part:
                    return
        except Exception as error:  # as in `_ask`
            raise translated(error, where=where) from None
        finally:
            self.close()

    def _refused(self, error: Denied) -> Denied:
        """What a refused password or token means: once may be a server in trouble, again and again is not."""
        if self._lines.tokens is not None:
            return Denied(error.where, error.why, _APPLICATION, reason=REFUSED_TOKEN, rest=REFUSED, everywhere=True)
        if self._lines.lockout.refused(self._password):
            return Denied(error.where, error.why, error.mend, rest=PAUSE, everywhere=True)
        return Denied(error.where, error.why, error.mend, reason="account", rest=SOON)

    def close(self) -> None:
        """Hang up."""
        if self._protocol is not None:
            self._protocol.close()
            self._protocol = None

    def _open(self, where: str) -> Any:
        if self._protocol is None:
            self._password = self._lines.password()
            self._lines.lockout.check(self._password, where)
            self._protocol = self._lines.protocol(self._password, self._bearer)
        return self._protocol


class Lines:
    """At most so many lines as the calendar may have connections."""

    def __init__(
        self, access: EwsAccess, *, secrets: Secrets, clock: Clock, where: str, affinity: bool = False
    ) -> None:
        """With `affinity`, cookies are kept: all that is said has to reach the same server behind a front-end."""
        self._affinity = affinity
        self.access, self.lockout = access, Lockout()
        self._secrets, self._clock, self._where = secrets, clock, where
        self._free: LifoQueue[Line] = LifoQueue()
        self._lock = Lock()
        self._tokens: Tokens | None = None
        self._http: Http | None = None
        for _ in range(access.connections):
            self._free.put(Line(self))
        _log.setLevel(logging.CRITICAL + 1)  # it logs whole requests and answers, with bodies and passwords

    @contextmanager
    def one(self, deadline: Deadline, where: str) -> Iterator[Line]:
        """A line for as long as the block runs. Raises Unreachable when none becomes free within the time."""
        try:
            line = self._free.get(timeout=deadline.remaining())
        except Empty:
            raise Unreachable(where, "no connection of this calendar became free within the time") from None
        try:
            yield line
        finally:
            self._free.put(line)

    @property
    def tokens(self) -> Tokens | None:
        """Where tokens come from, None when the account signs in with something else. Raises BadSetting."""
        if self.access.auth != "oauth":
            return None
        with self._lock:
            if self._tokens is None:
                for address in self.access.addresses():
                    must_be_https(address, self._where)
                self._http = Http(trust=trust(self.access.ca_file, self._where), limit=TOKEN_LIMIT)
                self._tokens = Tokens(
                    self.access,
                    secrets=self._secrets,
                    http=self._http,
                    clock=self._clock,
                    where=f"{self._where}: Entra ID",
                )
            return self._tokens

    def password(self) -> str:
        return self._secrets.get(self.access.password) if self.access.auth in ("ntlm", "basic") else ""

    def protocol(self, password: str, bearer: Bearer) -> Any:
        """A connection that is not signed in yet. Raises BadSetting."""
        must_be_https(self.access.url, self._where)
        context = tls_context(trust(self.access.ca_file, self._where).context)
        adapter = Adapter(context, self._where, self.access.answer_limit)
        try:
            major, minor = map(int, self.access.build.split("."))
            version = Version(Build(major, minor))
        except ValueError as error:
            raise BadSetting(
                self._where, f"{self.access.build} is no build of Exchange", "give 15.0, 15.1 or 15.2"
            ) from error
        ntlm = self.access.auth == "ntlm"
        config = Configuration(
            service_endpoint=self.access.url,
            credentials=Credentials(self.access.username, password) if ntlm else None,
            auth_type=AUTH_TYPES[self.access.auth],
            version=version,
            retry_policy=_Policy(adapter, self._clock),
            max_connections=1,
        )
        # not through the caching metaclass
        return type.__call__(
            _Protocol,
            config=config,
            adapter=adapter,
            login=login(self.access, password, bearer, self._where),
            cookies=RequestsCookieJar() if self._affinity else _NoCookies(),
        )

    def close(self) -> None:
        """Hang up on all lines that are free."""
        if self._http is not None:
            self._http.close()
        with suppress(Empty):
            while True:
                self._free.get_nowait().close()
