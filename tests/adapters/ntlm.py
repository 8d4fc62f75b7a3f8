"""NTLM before a simulated server: it authenticates the connection and not the request, and may insist on the channel
binding that Exchange's Extended Protection wants (RFC 5929, tls-server-end-point)."""

from __future__ import annotations

import base64
import hashlib
import ssl
from typing import Any
from weakref import WeakKeyDictionary

import spnego
from spnego.channel_bindings import GssChannelBindings

from otd.lab.server import TRANSPORT, App, Receive, Scope, Send

BASIC = b"Basic "


class Ntlm:
    """Lets the one account of NTLM_USER_FILE through to the app, as `basic` (name:password) there."""

    def __init__(self, app: App, *, basic: str, certificate: str) -> None:
        self.app = app
        self.basic = base64.b64encode(basic.encode())
        der = ssl.PEM_cert_to_DER_cert(certificate) if certificate else b""
        self.bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + hashlib.sha256(der).digest())
        self.handshakes = 0
        self._contexts: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stated = dict(scope["headers"]).get(b"authorization", b"")
        connection = scope[TRANSPORT]
        context = self._contexts.get(connection)
        if stated:
            context = await self._step(connection, stated, receive, send)
            if context is None:
                return
        if context is None or not context.complete:
            await _read(receive)
            await _challenge(send, b"NTLM")
            return
        kept = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        await self.app({**scope, "headers": [*kept, (b"authorization", BASIC + self.basic)]}, receive, send)

    async def _step(self, connection: Any, stated: bytes, receive: Receive, send: Send) -> Any:
        """The context when it is complete; otherwise the answer is given here."""
        token = base64.b64decode(stated.partition(b" ")[2])
        if token[8:9] == b"\x01":
            options = spnego.NegotiateOptions.use_ntlm
            self._contexts[connection] = spnego.server(protocol="ntlm", options=options, channel_bindings=self.bindings)
        context = self._contexts[connection]
        try:
            answer = context.step(token)
        except spnego.exceptions.SpnegoError:
            answer = None
        if context.complete:
            self.handshakes += 1
            return context
        await _read(receive)
        await _challenge(send, b"NTLM " + base64.b64encode(answer) if answer else b"NTLM")
        return None


async def _read(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _challenge(send: Send, value: bytes) -> None:
    headers = [(b"www-authenticate", value), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
