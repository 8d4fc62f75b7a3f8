"""A whole installation as the field has it: the lab's organisation, a broker, a database, workers and relays, each a
process of its own that can be killed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from otd import settings as otd_settings
from otd import wiring
from otd.bus import identity, seal
from otd.bus.identity import Identity
from otd.lab import rabbit
from otd.lab.link import Link
from otd.lab.scene import Scene
from otd.pairing import Keys
from otd.store.sql import SqlStore
from tests.scenarios.conftest import everything_shown
from tests.waiting import until

SOON = timedelta(seconds=60)


class Process:
    """A process that the test ends as it likes."""

    def __init__(self, arguments: list[str], log: Path, environment: dict[str, str]) -> None:
        self._arguments, self._log, self._environment = arguments, log, environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._arguments, stdout=log, stderr=log, env=self._environment)

    def send(self, what: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(what)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Returns the exit code; 0 for one that did not run."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        if how == signal.SIGKILL:
            process.send_signal(signal.SIGCONT)
        return process.wait(timeout=60)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""


class House:
    """See above; made by `house`."""

    def __init__(self, folder: Path, scene: Scene, node: rabbit.Node, vhosts: tuple[str, str], database: str) -> None:
        self.folder, self.scene, self.node = folder, scene, node
        self.work_vhost, self.relays_vhost = vhosts
        scheme, port = ("amqps", node.tls) if node.tls else ("amqp", node.port)
        broker = f"{scheme}://guest:guest@127.0.0.1:{port}"
        extra = [f'database = "{database}"'] if database else []
        text = re.sub(r"(?m)^\[relays\.[^\n]*\n(?:[^\[\n][^\n]*\n)*\n?", "", scene.config.read_text())
        text = text.replace("[run]\n", "\n".join(["[run]", "threads = 4", *extra, ""]))
        if node.ca_file:
            text = text.replace("[cas]\n", f'[cas]\nbroker = "{node.ca_file}"\n')
        text += "\n".join(
            [
                "[bus]",
                'broker = "broker"',
                *(['ca = "broker"'] if node.ca_file else []),
                f'work_vhost = "{self.work_vhost}"',
                f'relays_vhost = "{self.relays_vhost}"',
                "",
            ]
        )
        scene.config.write_text(text)
        self.environment = {
            **os.environ,
            "OTD_CONFIG": str(scene.config),
            "OTD_LOG": "json",
            "OTD_SECRET_BROKER": broker,
            "OTD_SECRET_CODEC": f"admin:{scene.passwords['codec']}",
        }
        self.settings = otd_settings.load(scene.config, self.environment)
        with self.environment_of_this_process():
            self.store: SqlStore = wiring.store(self.settings)
        self.workers: dict[str, Process] = {}
        self.relays: dict[str, Process] = {}
        self.links: dict[str, Link] = {}
        self.identities: dict[str, Identity] = {}

    @contextlib.contextmanager
    def environment_of_this_process(self) -> Iterator[None]:
        added = {name: value for name, value in self.environment.items() if name.startswith("OTD_SECRET_")}
        os.environ.update(added)
        try:
            yield
        finally:
            for name in added:
                os.environ.pop(name, None)

    def worker(self, name: str) -> Process:
        """`celery worker` with our flags."""
        arguments = [sys.executable, "-m", "otd", "worker", "--config", str(self.scene.config)]
        self.workers[name] = Process(arguments, self.folder / f"{name}.log", self.environment)
        self.workers[name].start()
        return self.workers[name]

    def relay(self, name: str, pool: str = "hq", *, ahead: timedelta = timedelta(0)) -> Process:
        """A relay behind a link of its own, paired by hand when it is first started."""
        if name not in self.identities:
            raise KeyError(f"pair {name} first")
        file = self.folder / f"{name}.json"
        arguments = [sys.executable, "-m", "otd.lab.relay_process", str(file), str(self.folder / "state")]
        seconds = str(ahead.total_seconds())
        self.relays[name] = Process([*arguments, seconds], self.folder / f"{name}.log", self.environment)
        self.relays[name].start()
        return self.relays[name]

    def pair(self, name: str, pool: str, cleaning: contextlib.ExitStack) -> None:
        """The static set-up: a user at the broker, keys at both sides."""
        broker = cleaning.enter_context(rabbit.relay_user(self.relays_vhost, name, pool, self.node))
        link = self.links[name] = Link("127.0.0.1", broker.port)
        cleaning.callback(link.close)
        broker = replace(broker, port=link.port)
        centre = seal.public_signing(wiring.signing_key(self.store))
        me = Identity(
            relay=name, pool=pool, broker=broker, centre=centre, signing=seal.new_key(), sealing=seal.new_key()
        )
        identity.save(me, self.folder / f"{name}.json")
        self.identities[name] = me
        keys = Keys(signing=seal.public_signing(me.signing), sealing=seal.public_sealing(me.sealing))
        self.store.members.adopt(name, pool, keys, administrator="tests")

    def until_everything_is_shown(self, what: str, within: timedelta = SOON) -> None:
        try:
            until(lambda: everything_shown(self.scene), within, what)
        except AssertionError as late:
            tails = [f"--- {name}\n{one.log[-1500:]}" for name, one in (self.workers | self.relays).items()]
            raise AssertionError("\n".join([str(late), *tails])) from None

    def close(self) -> None:
        for process in (*self.relays.values(), *self.workers.values()):
            process.end(signal.SIGKILL)
        self.store.close()


@contextlib.contextmanager
def house(
    folder: Path, *, node: rabbit.Node = rabbit.MACHINE, database: str = "", relays: dict[str, str] | None = None
) -> Iterator[House]:
    """`relays` are those that are paired: name -> pool."""
    with contextlib.ExitStack() as cleaning:
        scene = cleaning.enter_context(Scene(folder / "lab"))
        vhosts = (cleaning.enter_context(rabbit.vhost(node)), cleaning.enter_context(rabbit.vhost(node)))
        house = House(folder, scene, node, vhosts, database)
        for name, pool in (relays or {"relay-a": "hq", "relay-b": "hq"}).items():
            house.pair(name, pool, cleaning)
        cleaning.callback(house.close)
        yield house
