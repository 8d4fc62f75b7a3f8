"""A RabbitMQ node of a test's own, with TLS and the management interface: the machine's stays as it is."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from otd.lab.certificates import self_signed
from tests.cluster.rabbit import Node

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the real ones; those on the path change to another user
CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
PATIENCE = 90.0  # seconds in which a node has started, on a busy machine
CONF = """\
listeners.tcp.1 = 127.0.0.1:{plain}
listeners.ssl.1 = 127.0.0.1:{tls}
ssl_options.certfile = {folder}/node.pem
ssl_options.keyfile = {folder}/node.key
ssl_options.versions.1 = tlsv1.2
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
loopback_users = none
log.console = false
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 1MB
"""


@dataclass(frozen=True)
class OwnNode(Node):
    """Where this node is: `port` without TLS, `tls` with, `management` by HTTP."""

    tls: int = 0
    management: int = 0
    pid: int = 0

    @property
    def management_url(self) -> str:
        return f"http://guest:guest@127.0.0.1:{self.management}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def own_node(folder: Path) -> Iterator[OwnNode]:
    """Started in this folder, and gone with all that it knew."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = self_signed("localhost")
    (folder / "node.pem").write_text(shown.pem)
    (folder / "node.key").write_text(shown.key)
    plain, tls, management = free_port(), free_port(), free_port()
    text = CONF.format(folder=folder, plain=plain, tls=tls, management=management)
    (folder / "rabbitmq.conf").write_text(text)
    (folder / "plugins").write_text("[rabbitmq_management].\n")
    cookie = folder / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(10))
    cookie.chmod(0o400)
    environment = {
        "RABBITMQ_NODENAME": f"otd-{secrets.token_hex(4)}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        "HOME": str(folder),
    }
    process = subprocess.Popen(
        [SERVER],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(process, (plain, tls, management), folder)
        yield OwnNode(
            port=plain,
            environment=environment,
            program=CONTROL,
            tls=tls,
            management=management,
            ca=shown.pem,
            pid=process.pid,
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], ports: tuple[int, ...], folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    for port in ports:
        while True:
            assert process.poll() is None, f"the node ended; its log is in {folder / 'log'}"
            assert time.monotonic() < end, "the node did not start"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.2)
