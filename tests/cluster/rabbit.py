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


@dataclass(frozen=True)
class Node:
    """Where a node is, and how rabbitmqctl finds it."""

    port: int = 5672
    ca_file: str = ""  # with it the node speaks TLS
    environment: Mapping[str, str] | None = None
    program: str = "rabbitmqctl"

    def control(self, *arguments: str) -> str:
        environment = {**os.environ, **(self.environment or {})}
        done = subprocess.run(
            [self.program, "-q", *arguments], check=True, capture_output=True, timeout=60, env=environment, text=True
        )
        return done.stdout

    def evaluate(self, *expressions: str) -> None:
        """Erlang, in one go: starting rabbitmqctl takes longer than what it does."""
        self.control("eval", ", ".join(expressions) + ".")


MACHINE = Node()


def _b(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'<<"{escaped}">>'


@contextlib.contextmanager
def vhost(node: Node = MACHINE) -> Iterator[str]:
    """A virtual host that guest may do everything in."""
    name = f"otd-{secrets.token_hex(4)}"
    everything = ", ".join([_b(".*")] * 3)
    node.evaluate(
        f"rabbit_vhost:add({_b(name)}, {_b('tests')})",
        f"rabbit_auth_backend_internal:set_permissions({_b('guest')}, {_b(name)}, {everything}, {_b('tests')})",
    )
    try:
        yield name
    finally:
        node.control("delete_vhost", name)


def centre(name: str, node: Node = MACHINE) -> Broker:
    """The broker as the centre enters it."""
    return Broker(
        host="127.0.0.1",
        port=node.port,
        vhost=name,
        user="guest",
        password="guest",
        tls=bool(node.ca_file),
        ca_file=node.ca_file,
    )


@contextlib.contextmanager
def relay_user(vhost: str, relay: str, pool: str, node: Node = MACHINE) -> Iterator[Broker]:
    """The broker as this relay enters it, with just the permissions that a relay has."""
    user, password, may = user_of(vhost, relay), secrets.token_urlsafe(16), permissions_of(pool, relay)
    users = "rabbit_auth_backend_internal"
    rights = f"{_b(may['configure'])}, {_b(may['write'])}, {_b(may['read'])}"
    node.evaluate(  # what rabbitmqctl add_user, set_permissions, set_topic_permissions and set_user_limits do, at once
        f"{users}:add_user({_b(user)}, {_b(password)}, {_b('tests')})",
        f"{users}:set_permissions({_b(user)}, {_b(vhost)}, {rights}, {_b('tests')})",
        f"{users}:set_topic_permissions({_b(user)}, {_b(vhost)}, {_b(RECEIPTS)}, {_b(may['topic'])}, {_b('^$')},"
        f" {_b('tests')})",
        f"{users}:set_user_limits({_b(user)}, #{{{_b('max-connections')} => 4, {_b('max-channels')} => 8}},"
        f" {_b('tests')})",
    )
    try:
        yield Broker(
            host="127.0.0.1",
            port=node.port,
            vhost=vhost,
            user=user,
            password=password,
            tls=bool(node.ca_file),
            ca_file=node.ca_file,
        )
    finally:
        node.control("delete_user", user)
