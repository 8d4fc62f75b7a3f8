"""A relay as a process of its own at a site whose proxy asks for credentials, with a CA of its own, on port 443 only:
paired, at work, cut off, renewed and shut out, with a real broker and its management interface."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otd.cli.init import starter
from otd.lab.codec import Codec
from otd.lab.rabbit import vhost
from tests.adapters.authority import Authority
from tests.adapters.cli import KEY
from tests.adapters.connect_proxy import ConnectProxy
from tests.cluster.node import OwnNode, free_port, own_node

pytestmark = pytest.mark.cluster
CENTRE, BUS = ("otd.example.com", 443), ("bus.example.com", 443)
PATIENCE = 60.0  # seconds, on a busy machine
SETTINGS = """\
[run]
refresh = "1s"
log = "json"
[calendars.post]
kind = "files"
folder = "rooms"
[pools.hq]
[rooms.board]
calendar = "post"
[endpoints.board-codec]
kind = "cisco"
address = "{codec}"
pool = "hq"
rooms = ["board"]
credential = "codec"
[cas]
corp = "corp.pem"
[serve]
address = "127.0.0.1:{serve}"
certificate = "serve.pem"
[bus]
broker = "broker"
ca = "corp"
work_vhost = "{work}"
relays_vhost = "{relays}"
relays_address = "bus.example.com:443"
management = "management"
"""


@dataclass
class Running:
    """An `otd` process, and what it says."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def follow(self) -> Running:
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.said.append(line.rstrip())

    def line(self, part: str) -> str:
        until(lambda: any(part in line for line in self.said), f"{part!r} in {self.said}")
        return next(line for line in self.said if part in line)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(PATIENCE)


def until(is_so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.1)


class Installation:
    """The centre and a site, in folders of their own."""

    def __init__(self, folder: Path, node: OwnNode, corp: Authority, vhosts: tuple[str, str], codec: Codec) -> None:
        self.centre, self.site, self.codec, self.node = folder / "centre", folder / "site", codec, node
        self.relays_vhost = vhosts[1]
        self.proxy = ConnectProxy(credentials="relay:s3cret")
        self._processes: list[Running] = []
        serve = free_port()
        self.proxy.allowed = {CENTRE: ("127.0.0.1", serve), BUS: ("127.0.0.1", node.tls)}
        (self.centre / "rooms" / "board").mkdir(parents=True)
        (self.centre / "rooms" / "board" / ".otd-calendar").touch()
        self.site.mkdir()
        names = {"codec": codec.address, "serve": serve, "work": vhosts[0], "relays": vhosts[1]}
        (self.centre / "otd.toml").write_text(SETTINGS.format(**names))
        (self.centre / "serve.pem").write_text(corp.server("otd.example.com"))
        for place in (self.centre, self.site):
            (place / "corp.pem").write_text(corp.pem)
        broker = f"amqps://guest:guest@localhost:{node.tls}"
        _private(
            self.centre / "secrets.toml",
            f'database-key = "{KEY}"\nbroker = "{broker}"\nmanagement = "{node.management_url}"\ncodec = "x:y"\n',
        )
        _private(self.site / "secrets.toml", 'proxy-password = "s3cret"\ncodec = "admin:admin"\n')

    def otd(self, where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "otd", *arguments]
        return subprocess.run(command, cwd=where, env=_environment(), capture_output=True, text=True, check=False)

    def start(self, where: Path, *arguments: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", "otd", *arguments],
            cwd=where,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._processes.append(Running(process).follow())
        return self._processes[-1]

    def stop(self) -> None:
        for running in self._processes:
            running.end(signal.SIGKILL)

    def check(self) -> dict[str, Any]:
        done = self.otd(self.site, "relay", "check", "--json")
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def book(self, uid: str) -> None:
        """Put an invitation into the room's folder, in place of the others."""
        text = starter(datetime.now(UTC))["invitation.ics"]
        folder = self.centre / "rooms" / "board"
        for old in folder.glob("*.ics"):
            old.unlink()
        (folder / f"{uid}.ics").write_text(text.replace("UID:", f"UID:{uid}-"), newline="")

    def shown(self) -> list[str]:
        return sorted(booking.id for booking in self.codec.bookings)


def _private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OTD_")}


@pytest.fixture(scope="module")
def corp() -> Authority:
    return Authority("Example Corp CA")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, corp: Authority) -> Iterator[OwnNode]:
    certificate = corp.server("bus.example.com", "localhost")
    with own_node(tmp_path_factory.mktemp("node"), certificate) as node:
        yield node


@pytest.fixture
def installation(tmp_path: Path, node: OwnNode, corp: Authority) -> Iterator[Installation]:
    with contextlib.ExitStack() as stack:
        vhosts = stack.enter_context(vhost(node)), stack.enter_context(vhost(node))
        codec = stack.enter_context(Codec(users={"admin": "admin"}, speed=None))
        found = Installation(tmp_path, node, corp, vhosts, codec)
        stack.enter_context(found.proxy)
        stack.callback(found.stop)
        yield found


def paired(installation: Installation) -> None:
    """Both ends walked through, as two people do."""
    asking = installation.start(
        installation.site,
        "relay",
        "pair",
        "https://otd.example.com",
        "--ca",
        "corp.pem",
        "--proxy",
        f"http://relay@127.0.0.1:{installation.proxy.port}",
    )
    code = asking.line("registration code:").split()[2]
    add = ("relays", "add", code, "--name", "relay1", "--pool", "hq")
    looked = installation.otd(installation.centre, *add)
    assert looked.returncode == 1, looked.stderr
    fingerprint = asking.line("fingerprint:").split()[1]
    assert fingerprint in looked.stdout
    added = installation.otd(installation.centre, *add, "--yes", "--fingerprint", fingerprint)
    assert added.returncode == 0, added.stderr
    assert asking.process.wait(PATIENCE) == 0, asking.said
    settings = installation.site / "relay.toml"
    settings.write_text(settings.read_text().replace("#lab = false", "lab = true"))


def test_a_relay_is_paired_works_and_is_shut_out(installation: Installation) -> None:
    serve = installation.start(installation.centre, "serve")
    serve.line(" at https://")
    installation.start(installation.centre, "run").line("running with 1 rooms")
    paired(installation)

    found = installation.check()
    assert found["ok"], found
    assert any(line["step"] == "AMQPS" and line["result"] == "ok" for line in found["lines"])

    relay = installation.start(installation.site, "relay", "run")
    installation.book("first")
    until(lambda: len(installation.shown()) == 1, "the booking on the codec")
    first = installation.shown()
    until(lambda: "green" in installation.otd(installation.centre, "relays", "list").stdout, "a green relay")

    installation.proxy.cut()
    installation.book("second")
    until(lambda: len(installation.shown()) == 1 and installation.shown() != first, "the list after a cut")

    rules = dict(installation.proxy.allowed or {})
    installation.proxy.allowed = {CENTRE: rules[CENTRE]}
    installation.proxy.cut()
    found = installation.check()
    broken = next(line for line in found["lines"] if line["result"] == "FAIL")
    assert (broken["way"], broken["step"], found["ok"]) == ("broker", "proxy", False)
    assert "allow CONNECT from this machine to bus.example.com:443" in broken["mend"]
    second = installation.shown()
    installation.book("third")
    installation.proxy.allowed = rules
    until(lambda: len(installation.shown()) == 1 and installation.shown() != second, "the list after the rule is back")

    revoked = installation.otd(installation.centre, "relays", "revoke", "relay1", "--yes")
    assert "it could have known the secret codec: of board-codec" in revoked.stdout
    user = f"{installation.relays_vhost}.relay1"
    until(lambda: user not in installation.node.control("list_users"), "no user at the broker any more")
    until(lambda: not installation.check()["ok"], "a relay that is shut out")
    assert relay.end() == 0
    assert not [line for running in (relay, serve) for line in running.said if "Traceback" in line]


def test_a_password_is_renewed_at_a_reconnect_past_thirty_days(installation: Installation) -> None:
    installation.start(installation.centre, "serve").line(" at https://")
    installation.start(installation.centre, "run").line("running with 1 rooms")
    paired(installation)
    identity = installation.site / "state" / "identity.json"
    before = json.loads(identity.read_text())["broker"]["password"]
    old = time.time() - timedelta(days=31).total_seconds()
    os.utime(identity, (old, old))
    installation.start(installation.site, "relay", "run").line("identity renewed")
    assert json.loads(identity.read_text())["broker"]["password"] != before
    installation.book("first")
    until(lambda: len(installation.shown()) == 1, "the booking on the codec")
    assert installation.check()["ok"]
