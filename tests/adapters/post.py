"""A mail server and a webhook's receiver, over real sockets: what they took can be looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from otd.lab.certificates import Certificate
from otd.lab.server import Receive, Scope, Send, Server
from tests.adapters.recorder import Asked, Recorder


class _AnyPort(Controller):
    """aiosmtpd looks for itself at the port that it was given; this one was given none."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()


class PostOffice:
    """An SMTP server. `answers` are what it says to the next messages instead of taking them."""

    def __init__(self, *, certificate: Certificate | None = None, login: tuple[str, str] | None = None) -> None:
        self.taken: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.answers: list[str] = []
        self.logins: list[str] = []
        self._login = login
        tls: dict[str, Any] = {}
        if certificate is not None:
            tls = {"tls_context": certificate.context(), "require_starttls": True}
        if login is not None:
            tls |= {"authenticator": self._known, "auth_required": True, "auth_require_tls": certificate is not None}
        self._controller = _AnyPort(self, hostname="127.0.0.1", port=0, **tls)

    def __enter__(self) -> PostOffice:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._controller.port}"

    def _known(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        said = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
        self.logins.append(mechanism)
        return AuthResult(success=said == self._login, handled=False)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answers:
            return self.answers.pop(0)
        self.raw.append(envelope.content)
        self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


async def _taken(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Receiver:
    """What a webhook was sent; `recorder.instead` answers otherwise."""

    def __init__(self, server: Server, recorder: Recorder) -> None:
        self.server, self.recorder = server, recorder

    @property
    def url(self) -> str:
        return f"{self.server.url}/alerts"

    @property
    def asked(self) -> list[Asked]:
        return self.recorder.asked

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Every alert in every document that came."""
        return [alert for asked in self.asked for alert in json.loads(asked.body)["alerts"]]


@contextmanager
def receiver(*, certificate: Certificate | None = None) -> Iterator[Receiver]:
    """Listening until the block ends."""
    recorder = Recorder(_taken)
    with Server(recorder, certificate=certificate) as server:
        yield Receiver(server, recorder)
