"""The scene with OTD at work on it, as an administrator would have it: things are made to go wrong there, `otd explain`
is asked, and what it says to do is done."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from otd.errors import Unreachable
from otd.lab.certificates import self_signed
from otd.lab.codec import Codec
from otd.lab.defaults import CODEC_USER
from otd.lab.scene import BOOKED, Scene, as_ics
from otd.model import Facts, Meeting
from otd.settings import load
from otd.wiring import Centre

ENDPOINTS = {
    "boardroom": "boardroom-codec",
    "atrium": "atrium-codec",
    "library": "library-codec",
    "workshop": "workshop-codec",
    "huddle": "huddle-hdx",
}
"""What stands in each room: Cisco endpoints, and in the huddle a Polycom one, which fetches."""
PATIENCE = timedelta(seconds=40)
LOOKS = timedelta(seconds=120)  # endpoints are read back every 30 seconds, and may be too busy to say what they are
LENGTH = timedelta(minutes=30)
SOON = timedelta(seconds=10)  # ahead of now, by the time the command has started


class Took(NamedTuple):
    """How long a command ran, and how much processor time it used meanwhile: on a machine that others use too, the
    second is its own."""

    seconds: float
    processor: float


class Office:
    """One room of each kind, everything of it changeable while it runs. `start` is when the meeting in question begins:
    in a minute, so that its Join should be seen."""

    def __init__(self, folder: Path) -> None:
        self.scene = Scene(folder)
        self.centre: Centre | None = None
        self.start = datetime.now(UTC)
        self._settings = self._secrets = ""
        self._tick = threading.Event()

    def __enter__(self) -> Office:
        self.scene.__enter__()
        self.scene.mailboxes.add(self.scene.address("huddle"), name="Huddle", timezone="Europe/Berlin")
        self._add_huddle()
        self._settings, self._secrets = self.scene.config.read_text(), self._secrets_file.read_text()
        self.run()
        for room in ENDPOINTS:  # nothing goes wrong before all was once in order: what was never met is not known
            self.settle(room)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.scene.__exit__()

    # OTD ----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Start OTD with the settings as they are."""
        self.centre = Centre(load(self.scene.config, {}))
        self.centre.start()

    def stop(self) -> None:
        if self.centre is not None:
            self.centre.stop()
            self.centre = None

    def restart(self) -> None:
        self.stop()
        self.run()

    @property
    def running(self) -> Centre:
        if self.centre is None:
            raise RuntimeError("OTD is stopped")
        return self.centre

    def otd(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command, as a person types it."""
        whole = [sys.executable, "-m", "otd", *arguments, "--config", str(self.scene.config)]
        return subprocess.run(whole, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603

    def do(self, *arguments: str) -> None:
        """A command that has to work."""
        done = self.otd(*arguments)
        if done.returncode:
            raise Unreachable(f"otd {' '.join(arguments)}", (done.stderr or done.stdout).strip()[-300:])

    def explain(self, room: str) -> tuple[dict[str, Any], Took]:
        """What `otd explain` says of the meeting in question, and how long it took, with its start. It is asked as
        people ask: of now, or of what comes, and not of a time before the endpoint was looked at."""
        began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        at = max(self.start + timedelta(seconds=30), datetime.now(UTC) + SOON).isoformat()
        done = self.otd("explain", room, "--at", at, "--json")
        if not done.stdout:
            raise Unreachable("otd explain", done.stderr.strip()[-300:])
        found: dict[str, Any] = json.loads(done.stdout)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        return found, Took(seconds=time.monotonic() - began, processor=processor)

    # settings -----------------------------------------------------------------------------------------------------

    def change(self, old: str, new: str) -> None:
        """Change the settings file, and restart."""
        text = self.scene.config.read_text()
        if old not in text:
            raise ValueError(f"the settings do not hold {old!r}")
        self.scene.config.write_text(text.replace(old, new, 1))
        self.restart()

    def add(self, lines: str) -> None:
        """Add to the settings file, and restart."""
        self.scene.config.write_text(f"{self.scene.config.read_text()}\n{lines}\n")
        self.restart()

    def secret(self, name: str, value: str | None) -> None:
        """Give a secret another value, or none, and restart."""
        lines = [line for line in self._secrets_file.read_text().splitlines() if not line.startswith(f"{name} =")]
        self._secrets_file.write_text("\n".join(lines + ([f'{name} = "{value}"'] if value is not None else [])) + "\n")
        self.restart()

    def settings_as_before(self) -> None:
        """Settings and secrets as at the beginning; a restart when they were not."""
        now = (self.scene.config.read_text(), self._secrets_file.read_text())
        if now != (self._settings, self._secrets):
            self.scene.config.write_text(self._settings)
            self._secrets_file.write_text(self._secrets)
            self.restart()
        elif self.centre is None:
            self.run()

    @property
    def _secrets_file(self) -> Path:
        return self.scene.folder / "secrets.toml"

    def _add_huddle(self) -> None:
        """A room with a Polycom endpoint, and relays that serve it."""
        certificate = self_signed("otd-face")
        (self.scene.folder / "face.pem").write_text(certificate.key + certificate.pem)
        text = self.scene.config.read_text()
        for relay in ("relay-a", "relay-b"):
            face = f'face = "127.0.0.1:{_free_port()}"\nface_certificate = "face.pem"\n'
            text = text.replace(f'[relays.{relay}]\npool = "hq"\n', f'[relays.{relay}]\npool = "hq"\n{face}')
        address = self.scene.address("huddle")
        text += f'\n[rooms.huddle]\ncalendar = "online"\nmailbox = "{address}"\ntimezone = "Europe/Berlin"\n'
        text += '\n[endpoints.huddle-hdx]\nkind = "polycom"\nmodel = "hdx"\npool = "hq"\nrooms = ["huddle"]\n'
        self.scene.config.write_text(text)

    # meetings -----------------------------------------------------------------------------------------------------

    def empty(self, room: str) -> None:
        """Nothing is booked in the room any more."""
        if (folder := self.scene.room_folder(room)).exists():
            for path in folder.glob("*.ics"):
                path.unlink()
        else:
            self.scene.mailbox(room).clear()

    def book(self, room: str, body: str = "teams-poly.html", **fields: Any) -> str:
        """Book the meeting in question, the only one in its room; its id. `body` is a file of the lab's, or a text."""
        self.empty(room)
        meeting = replace(self.meeting(body), **fields)
        if room == "library":
            self.scene.room_folder(room).joinpath("meeting.ics").write_bytes(as_ics(meeting))
            return meeting.uid
        return self.scene.mailbox(room).add(meeting)

    def meeting(self, body: str) -> Meeting:
        """The meeting in question, with this body."""
        usual = self.scene.meeting(BOOKED[0])
        file = resources.files("otd.lab") / "data" / body if "\n" not in body and len(body) < 60 and body else None
        text = file.read_text(encoding="utf-8") if file is not None and file.is_file() else body
        kind: Any = "html" if "<html" in text or "<p" in text else "text"
        end = self.start + LENGTH
        return replace(usual, uid="question@contoso.example", start=self.start, end=end, body=text, body_type=kind)

    def next_question(self) -> None:
        """The next meeting in question begins in a minute."""
        self.start = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)

    # waiting ------------------------------------------------------------------------------------------------------

    def settle(self, room: str) -> None:
        """Have the room read and its list delivered, and wait until that is done or has failed."""
        self._work("refresh", room)
        self._work("deliver", ENDPOINTS[room])
        self.until(lambda: self._answered(ENDPOINTS[room]), "an answer")

    def _work(self, kind: Any, name: str) -> None:
        store = self.running.store
        if self._row(kind, name) is None:
            return
        store.unpark(kind, name)
        self.running.executor.wake()

        def is_done() -> bool:
            row = self._row(kind, name)
            return row is None or (not row.leased and row.due > store.now())

        self.until(is_done, f"{kind} of {name}")

    def due(self, kind: str, name: str) -> datetime:
        """When this work is due, or is done again at the latest when it is under way."""
        row = self._row(kind, name)
        return max(row.due, self.running.store.now()) if row is not None else self.running.store.now()

    def _row(self, kind: str, name: str) -> Any:
        return next((row for row in self.running.store.work() if (row.kind, row.name) == (kind, name)), None)

    def _answered(self, endpoint: str) -> bool:
        """Whether the last delivery was answered, or nothing can be sent."""
        state, row = self.running.store.endpoint(endpoint), self._row("deliver", endpoint)
        if row is not None and (row.parked or row.code in ("no_relay", "not_read", "credential")):
            return True
        if state.endpoint.kind == "polycom":
            return state.desired is not None and all(p.at and p.revision >= state.revision for p in state.placements)
        sent, receipt = state.sent, state.receipt
        if state.desired is None or sent is None or receipt is None or receipt.sequence < sent.sequence:
            return False
        return receipt.revision >= state.desired.revision

    def push(self, room: str) -> None:
        """Have the endpoint's list put again, as `otd endpoints push` does, and wait for what comes of it."""
        store, name = self.running.store, ENDPOINTS[room]
        store.renumber(name, store.endpoint(name).revision)
        self._work("deliver", name)
        self.until(lambda: self._answered(name), "an answer")

    def learn(self, room: str, reached: Callable[[Facts], bool]) -> None:
        """Wait until a look at the endpoint found it so."""

        def is_learned() -> bool:
            facts = self.running.store.endpoint(ENDPOINTS[room]).facts
            return facts is not None and reached(facts)

        self.until(is_learned, "a look at the endpoint", LOOKS)

    def until(self, reached: Callable[[], bool], what: str, within: timedelta = PATIENCE) -> None:
        """Wait for it. Raises Unreachable when it does not come."""
        end = time.monotonic() + within.total_seconds()
        while not reached():
            if time.monotonic() > end:
                raise Unreachable("the office", f"{what} did not come within {within.total_seconds():g} s")
            self._tick.wait(0.02)

    # afterwards ---------------------------------------------------------------------------------------------------

    def codec(self, room: str) -> Codec:
        return self.scene.codecs[ENDPOINTS[room]]

    def as_before(self, room: str) -> None:
        """Everything in order again, whatever was changed."""
        for lab in (self.scene.graph, self.scene.ews):
            lab.faults.clear()
        for codec in self.scene.codecs.values():
            codec.faults.clear()
            codec.habits.clear()
            codec.clock_offset, codec.state.teams = timedelta(0), False
            codec.change_password(CODEC_USER, self.scene.passwords["codec"])
            for name in [key for key in codec.state.settings if "Bookings Visibility" in key]:
                codec.state.settings[name] = "Auto"
            with suppress(RuntimeError):
                codec.start()
        self.settings_as_before()
        self.running.store.release_rules()  # going back may change as much as going there
        for relay, (_, side, _) in list(self.running.relays.items()):
            if side.is_cut:
                self.running.start_relay(relay)
        self.running.store.unpark("deliver", ENDPOINTS[room])


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
