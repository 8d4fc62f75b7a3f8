"""NTLM before a simulated server, in real handshakes: it authenticates the connection and not the request, and insists
on the channel binding that Exchange's Extended Protection wants (RFC 5929, tls-server-end-point).

    exchange = Ews(rooms)
    exchange.account("CONTOSO\\\\svc-otd", "password")
    certificate = self_signed("exchange")
    with Server(Ntlm(exchange, {"CONTOSO\\\\svc-otd": "password"}, certificate.pem), certificate=certificate) as server:
        ...
"""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import spnego
from spnego.channel_bindings import GssChannelBindings

from otd.lab.server import TRANSPORT, App, Receive, Scope, Send

_NAMING = threading.Lock()  # pyspnego takes the accounts from a file that the environment names


class Ntlm:
    """Lets these accounts (DOMAIN\\name -> password, without a colon) through to the app, which sees them sign in with
    Basic. `certificate` is the PEM of the one that the server shows, "" without TLS."""

    def __init__(self, app: App, accounts: Mapping[str, str], certificate: str) -> None:
        self.app = app
        self.handshakes = 0
        self._passwords = {name.casefold(): password for name, password in accounts.items()}
        self._accounts = "".join(f"{d}:{name}:{pw}\n" for (d, _, name), pw in _parted(accounts))
        self._bindings: GssChannelBindings | None = None
        if certificate:
            digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest()
            self._bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + digest)
        self._contexts: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stated = dict(scope["headers"]).get(b"authorization", b"")
        connection = scope[TRANSPORT]
        if stated:
            answer = self._step(connection, stated)
            if answer is not None:
                await _read(receive)
                await _challenge(send, answer)
                return
        context = self._contexts.get(connection)
        if context is None or not context.complete:
            await _read(receive)
            await _challenge(send, b"NTLM")
            return
        kept = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        await self.app({**scope, "headers": [*kept, (b"authorization", self._basic(context))]}, receive, send)

    def _basic(self, context: Any) -> bytes:
        name = str(context.client_principal)
        password = self._passwords.get(name.casefold(), "")
        return b"Basic " + base64.b64encode(f"{name}:{password}".encode())

    def _step(self, connection: Any, stated: bytes) -> bytes | None:
        """What to answer with; None when the connection is signed in."""
        scheme, _, text = stated.partition(b" ")
        try:
            token = base64.b64decode(text, validate=True)
        except ValueError:
            return b"NTLM"
        if scheme.upper() != b"NTLM" or not token.startswith(b"NTLMSSP\0"):
            return b"NTLM"
        with self._named():
            if token[8:9] == b"\x01":
                options = spnego.NegotiateOptions.use_ntlm
                self._contexts[connection] = spnego.server(
                    protocol="ntlm", options=options, channel_bindings=self._bindings
                )
            context = self._contexts.get(connection)
            if context is None:
                return b"NTLM"
            try:
                answer = context.step(token)
            except spnego.exceptions.SpnegoError:
                answer = None
        if context.complete:
            self.handshakes += 1
            return None
        return b"NTLM " + base64.b64encode(answer) if answer else b"NTLM"

    @contextmanager
    def _named(self) -> Iterator[None]:
        """The accounts are where pyspnego looks for them."""
        with _NAMING, tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".ntlm") as file:
            file.write(self._accounts)
            file.flush()
            before = os.environ.get("NTLM_USER_FILE")
            os.environ["NTLM_USER_FILE"] = file.name
            try:
                yield
            finally:
                if before is None:
                    del os.environ["NTLM_USER_FILE"]
                else:
                    os.environ["NTLM_USER_FILE"] = before


def _parted(accounts: Mapping[str, str]) -> Iterator[tuple[tuple[str, str, str], str]]:
    for name, password in accounts.items():
        yield (name.partition("\\") if "\\" in name else ("", "", name)), password


async def _read(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _challenge(send: Send, value: bytes) -> None:
    headers = [(b"www-authenticate", value), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
