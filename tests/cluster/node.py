"""A RabbitMQ node of the tests' own, with TLS and the management interface: the machine's stays as it is."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from otd.lab.certificates import self_signed
from otd.lab.rabbit import Node

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the real ones; those on the path change to another user
CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
PATIENCE = 90.0  # seconds in which a node has started, on a busy machine
DISK = "1MB"  # that must be free
CONF = """\
listeners.tcp.1 = 127.0.0.1:{plain}
listeners.ssl.1 = 127.0.0.1:{tls}
ssl_options.certfile = {folder}/node.pem
ssl_options.keyfile = {folder}/node.pem
ssl_options.versions.1 = tlsv1.2
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
loopback_users = none
log.console = false
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = {disk}
"""


class OwnNode(Node):
    """Where this node is: `port` without TLS, `tls` with, `management` by HTTP."""

    def __init__(self, folder: Path, certificate: str = "") -> None:
        """Everything that it knows is in this folder. `certificate` is a PEM text with its key, which it shows; a
        self-signed one unless given."""
        folder.mkdir(parents=True, exist_ok=True)
        shown = self_signed("localhost")
        (folder / "node.pem").write_text(certificate or shown.key + shown.pem)
        (folder / "ca.pem").write_text(shown.pem)
        plain, tls, management = free_port(), free_port(), free_port()
        text = CONF.format(folder=folder, plain=plain, tls=tls, management=management, disk=DISK)
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
        super().__init__(port=plain, tls=tls, ca_file=str(folder / "ca.pem"), environment=environment, program=CONTROL)
        self.management, self.ca = management, shown.pem
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def management_url(self) -> str:
        return f"http://guest:guest@127.0.0.1:{self.management}"

    def start(self) -> None:
        """Returns when it takes connections."""
        self._process = subprocess.Popen(
            [SERVER],
            env={**os.environ, **(self.environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _wait(self._process, (self.port, self.tls, self.management), self._folder)

    def stop(self) -> None:
        """As an administrator does."""
        self.control("shutdown")
        if self._process is not None:
            self._process.wait(timeout=60)

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=60)

    def alarm(self, kind: str, *, on: bool) -> None:
        """Have its memory or its disk run out, as far as it knows."""
        if kind == "memory":
            self.control("set_vm_memory_high_watermark", "absolute", "1MB" if on else "512MB")
        else:
            self.control("set_disk_free_limit", "1000000GB" if on else DISK)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def own_node(folder: Path, certificate: str = "") -> Iterator[OwnNode]:
    """Started in this folder, and gone with all that it knew."""
    node = OwnNode(folder, certificate)
    try:
        node.start()
        yield node
    finally:
        node.kill()


def _wait(process: subprocess.Popen[bytes], ports: tuple[int, ...], folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    for port in ports:
        while True:
            assert process.poll() is None, f"the node ended; its log is in {folder / 'log'}"
            assert time.monotonic() < end, "the node did not start"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.2)
