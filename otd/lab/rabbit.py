"""Virtual hosts and users of their own on a RabbitMQ node, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from otd.bus.amqp import RECEIPTS, permissions_of
from otd.bus.broker import Broker
from otd.bus.identity import user_of
from otd.errors import Unreachable


@dataclass
class Node:
    """Where a node is, and how rabbitmqctl finds it."""

    port: int = 5672  # without TLS
    tls: int = 0  # with it; 0: it does not speak it
    ca_file: str = ""
    environment: Mapping[str, str] | None = None
    program: str = "rabbitmqctl"

    def control(self, *arguments: str) -> str:
        command = [self.program, "-q", *arguments]
        environment = {**os.environ, **(self.environment or {})}
        try:
            done = subprocess.run(  # noqa: S603 - what it is given is ours
                command, check=True, capture_output=True, timeout=60, env=environment, text=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", "") or error).strip().splitlines()[:1]
            mend = "start RabbitMQ on this machine, and run this as a user that rabbitmqctl obeys"
            raise Unreachable("rabbitmqctl", " ".join(said)[:200], mend) from None
        return done.stdout

    def evaluate(self, *expressions: str) -> None:
        """Erlang, in one go: starting rabbitmqctl takes longer than what it does."""
        self.control("eval", ", ".join(expressions) + ".")


MACHINE = Node()
_BY = '<<"otd lab">>'  # who does it, for the broker's log


def _b(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'<<"{escaped}">>'


@contextlib.contextmanager
def vhost(node: Node = MACHINE) -> Iterator[str]:
    """A virtual host that guest may do everything in."""
    name = f"otd-{secrets.token_hex(4)}"
    everything = ", ".join([_b(".*")] * 3)
    node.evaluate(
        f"rabbit_vhost:add({_b(name)}, {_BY})",
        f"rabbit_auth_backend_internal:set_permissions({_b('guest')}, {_b(name)}, {everything}, {_BY})",
    )
    try:
        yield name
    finally:
        node.control("delete_vhost", name)


def centre(name: str, node: Node = MACHINE) -> Broker:
    """The broker as the centre enters it."""
    return Broker(
        host="127.0.0.1",
        port=node.tls or node.port,
        vhost=name,
        user="guest",
        password="guest",  # noqa: S106 - RabbitMQ's own default, which works on the loopback only
        tls=bool(node.tls),
        ca_file=node.ca_file,
    )


@contextlib.contextmanager
def relay_user(vhost: str, relay: str, pool: str, node: Node = MACHINE) -> Iterator[Broker]:
    """The broker as this relay enters it, with just the permissions that a relay has."""
    user, password, may = user_of(vhost, relay), secrets.token_urlsafe(16), permissions_of(pool, relay)
    users = "rabbit_auth_backend_internal"
    rights = f"{_b(may['configure'])}, {_b(may['write'])}, {_b(may['read'])}"
    node.evaluate(  # what rabbitmqctl add_user, set_permissions, set_topic_permissions and set_user_limits do, at once
        f"{users}:add_user({_b(user)}, {_b(password)}, {_BY})",
        f"{users}:set_permissions({_b(user)}, {_b(vhost)}, {rights}, {_BY})",
        f"{users}:set_topic_permissions({_b(user)}, {_b(vhost)}, {_b(RECEIPTS)}, {_b(may['topic'])}, {_b('^$')},"
        f" {_BY})",
        f"{users}:set_user_limits({_b(user)}, #{{{_b('max-connections')} => 4, {_b('max-channels')} => 8}}, {_BY})",
    )
    try:
        yield Broker(
            host="127.0.0.1",
            port=node.tls or node.port,
            vhost=vhost,
            user=user,
            password=password,
            tls=bool(node.tls),
            ca_file=node.ca_file,
        )
    finally:
        node.control("delete_user", user)
