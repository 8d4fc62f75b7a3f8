"""A RabbitMQ broker: where it is, a connection to it, and what its errors mean."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from amqp import exceptions as amqp_errors
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from otd.bus.proxied import ProxiedTransport
from otd.errors import BadSetting, Denied, OtdError, Unreachable, Untrusted
from otd.tunnel import PROXY, Proxy

AMQPS, HTTPS = 5671, 443  # a relay whose site lets nothing out to the first takes the second
HEARTBEAT = 5  # seconds; either side drops a peer that was silent for about 2.8 of them (reference/celery.md)
CONNECT_WITHIN = 5.0  # seconds, for each of TCP, TLS and AMQP
WRITE_WITHIN = 10.0  # seconds until a write that the other side does not take counts as a broken connection
BROKEN = (amqp_errors.AMQPError, amqp_errors.MessageNacked, OperationalError, OSError, ssl.SSLError)
"""What a connection raises when it, or a channel of it, cannot be used any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where it is, as whom one enters, and which CA must vouch for it: a file, a PEM text, or the system's.

    `renewal` is asked at each connection for the password of that moment. `other_port` is tried when there is no way to
    `port` (0: none is). Proxy, renewal and the other port belong to one process, and are kept nowhere.
    """

    host: str
    port: int
    vhost: str
    user: str
    password: str = field(repr=False)
    tls: bool = True
    ca_file: str = ""
    ca_pem: str = ""
    proxy: Proxy | None = None
    renewal: Callable[[], str] | None = None
    other_port: int = 0

    @property
    def where(self) -> str:
        """For messages."""
        return f"broker {self.host}:{self.port}"


def broker_at(url: str, *, where: str, vhost: str, ca_file: str = "") -> Broker:
    """The broker of an amqps:// or amqp:// url. Raises BadSetting, never with the url, which holds a password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("amqp", "amqps") or not host or not parts.username or parts.password is None:
        mend = 'write it like "amqps://otd:password@broker.example.com:5671"'
        raise BadSetting(where, "it is not the url of a broker with user and password", mend)
    if parts.scheme == "amqp" and host not in ("127.0.0.1", "::1", "localhost"):
        raise BadSetting(where, "amqp:// sends the password in clear", "use amqps://")
    tls = parts.scheme == "amqps"
    return Broker(
        host=host,
        port=port or (AMQPS if tls else 5672),
        vhost=vhost,
        user=unquote(parts.username),
        password=unquote(parts.password),
        tls=tls,
        ca_file=ca_file,
    )


def connect(broker: Broker) -> Any:
    """An open connection (kombu.Connection). Raises Unreachable, Denied, Untrusted or BadSetting."""
    try:
        return _connected(broker)
    except OtdError as error:
        no_way = isinstance(error, Unreachable) or error.reason == PROXY
        if not (broker.other_port and no_way):
            raise
        try:
            return _connected(replace(broker, port=broker.other_port))
        except OtdError:
            raise error from None  # of the port that it should be


def _connected(broker: Broker) -> Any:
    options: dict[str, Any] = {
        "write_timeout": WRITE_WITHIN,
        "read_timeout": WRITE_WITHIN,
        "confirm_publish": True,
    }
    if broker.proxy is not None and broker.proxy.serves(broker.host, broker.port):
        options["proxy"] = broker.proxy
    connection = Connection(
        hostname=broker.host,
        port=broker.port,
        userid=broker.user,
        password=broker.renewal or broker.password,
        virtual_host=broker.vhost,
        heartbeat=HEARTBEAT,
        connect_timeout=CONNECT_WITHIN,
        transport=ProxiedTransport if "proxy" in options else "pyamqp",
        ssl=tls_options(broker) if broker.tls else False,
        transport_options=options,
    )
    try:
        connection.connect()
    except OtdError:  # the proxy's answer
        drop(connection)
        raise
    except BROKEN as error:
        drop(connection)
        raise meaning(error, broker) from None
    return connection


def drop(connection: Any) -> None:
    """Close a connection without a word, and without waiting for a peer that may be gone."""
    inner = getattr(connection, "_connection", None)
    transport = getattr(inner, "_transport", None)
    sock = getattr(transport, "sock", None)
    if sock is not None:
        with contextlib.suppress(OSError, ValueError):
            sock.settimeout(0.1)
        with contextlib.suppress(OSError, ValueError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
    if inner is not None:
        with contextlib.suppress(*BROKEN, AttributeError, KeyError, ValueError):
            inner.collect()


def meaning(error: Exception, broker: Broker) -> OtdError:
    """What a broken connection says to an administrator; the broker's words hold no password."""
    cause: BaseException = error.__cause__ or error if isinstance(error, OperationalError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        mend = "name its CA in [bus] ca, or for a relay with --ca"
        return Untrusted(broker.where, f"its certificate is not good: {cause.verify_message}", mend)
    if isinstance(cause, amqp_errors.AccessRefused):
        if cause.method_name == "Basic.publish" or "login" not in str(cause.reply_text).lower():
            return Denied(broker.where, f"{cause.reply_text}", f"check the permissions of user {broker.user}")
        return Denied(broker.where, f"it refuses the user {broker.user} or its password", "check the secret")
    if isinstance(cause, amqp_errors.NotAllowed):
        mend = f"make it: rabbitmqctl add_vhost {broker.vhost}, and give the user {broker.user} its permissions"
        return Denied(broker.where, f"it does not let {broker.user} into {broker.vhost}: {cause.reply_text}", mend)
    if isinstance(cause, amqp_errors.NotFound):
        mend = "the centre makes it: is a worker or `otd run` at work there?"
        return Unreachable(broker.where, f"{cause.reply_text}", mend)
    if isinstance(cause, amqp_errors.PreconditionFailed):
        return BadSetting(broker.where, f"{cause.reply_text}", "delete that queue or exchange: it is made anew")
    if isinstance(cause, TimeoutError):
        return Unreachable(broker.where, "it did not answer in time", "has it a memory or disk alarm?")
    words = getattr(cause, "reply_text", None) or getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return Unreachable(broker.where, str(words)[:200], "is it running, and can it be reached from here?")


def tls_options(broker: Broker) -> dict[str, Any]:
    """What kombu wants to know of TLS: verified, always."""
    context: dict[str, Any] = {"check_hostname": True}
    if broker.ca_file:
        context["cafile"] = broker.ca_file
    if broker.ca_pem:
        context["cadata"] = broker.ca_pem
    return {"context": context, "server_hostname": broker.host, "do_handshake_on_connect": False}
