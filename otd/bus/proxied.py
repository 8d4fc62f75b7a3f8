"""AMQPS through an HTTP proxy: TLS is end to end within the tunnel, so the proxy sees addresses and sizes only."""

from __future__ import annotations

import socket
from typing import Any

from amqp.transport import SSLTransport, TCPTransport
from kombu.transport.pyamqp import Connection as KombuConnection
from kombu.transport.pyamqp import Transport as KombuTransport

from otd.outbound import Deadline
from otd.tunnel import Proxy, connect


class _Tunnelled:
    """Opens its socket through the proxy; py-amqp itself knows no proxies."""

    proxy: Proxy
    sock: socket.socket | None

    def _connect(self, host: str, port: int, timeout: float | None) -> None:
        self.sock = connect(host, port, left=Deadline.in_seconds(timeout or 10.0).remaining, proxy=self.proxy)

    def _get_tcp_socket_defaults(self, sock: socket.socket) -> dict[Any, Any]:
        # py-amqp sets again what it read; TCP_MAXSEG cannot be set any more once bytes have flowed
        found = super()._get_tcp_socket_defaults(sock)  # type: ignore[misc]
        return {name: value for name, value in found.items() if name != socket.TCP_MAXSEG}


class _Tls(_Tunnelled, SSLTransport):  # type: ignore[misc]
    pass


class _Plain(_Tunnelled, TCPTransport):  # type: ignore[misc]
    pass


class _Connection(KombuConnection):
    def __init__(self, *arguments: Any, proxy: Proxy, **named: Any) -> None:
        self._proxy = proxy
        super().__init__(*arguments, **named)

    def Transport(
        self, host: str, connect_timeout: float, ssl: Any, read_timeout: float, write_timeout: float, **named: Any
    ) -> Any:
        named |= {"connect_timeout": connect_timeout, "read_timeout": read_timeout, "write_timeout": write_timeout}
        made: Any = (_Tls if ssl else _Plain)(host, ssl=ssl, **named)
        made.proxy = self._proxy
        return made


class ProxiedTransport(KombuTransport):
    """kombu's AMQP transport, with the option `proxy`."""

    Connection = _Connection
