"""A day in the lab with everything going wrong, and nothing private in anything that people or machines get to see.

Unique strings stand in passwords, subjects, bodies, attendees and passcodes. They must reach the screens, or the test
would prove nothing; and they must not reach logs, metrics, alerts, receipts, the audit, the bundle of a relay, or the
database in clear.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import sqlite3
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from otd import cli
from otd.bus import seal
from otd.bus.broker import Broker
from otd.bus.identity import Identity, save
from otd.cli.logs import configure
from otd.deliveries import condition
from otd.lab import faults
from otd.lab.certificates import self_signed
from otd.lab.scene import BOOKED, Scene, as_ics
from otd.model import HOUSE, Meeting, Person, Receipt
from otd.serve.metrics import StoreCollector, registry, text
from otd.settings import load
from otd.store import records
from otd.wiring import Centre
from tests.adapters.post import PostOffice, Receiver, receiver
from tests.waiting import until

SOON = timedelta(seconds=120)
SUBJECT, BODY, ATTENDEE, ORGANIZER = "canarysubject", "canarybody", "canaryattendee", "canaryorganizer"
PASSCODE = "9041772638"  # as Zoom has them; it is part of what is dialled
SITE = """\
# canarycomment
[relay]
centre = "https://localhost:1"
state = "relay-state"
[reach]
lab = true
[proxy]
url = "http://127.0.0.1:1"
username = "canaryuser"
password = "canaryproxy"
"""
FOLDERS = {"online": "boardroom", "server": "atrium"}


class Day:
    """OTD on the lab with something private in every meeting, and all that it says kept."""

    def __init__(self, stack: ExitStack, folder: Path, log: io.StringIO) -> None:
        self.log = log
        self.scene = stack.enter_context(Scene(folder / "lab"))
        self.site_state = self.scene.folder / "site" / "relay-state"
        self.mail_certificate = self_signed("otd-lab-mail")
        self.office = stack.enter_context(PostOffice(certificate=self.mail_certificate, login=("otd", "canarylogin")))
        self.hook: Receiver = stack.enter_context(receiver())
        self.receipts: list[Receipt] = []
        self._settings()
        self.items = {room: self._book(room) for room in FOLDERS.values()}
        self._drop("library")
        self.centre = Centre(load(self.scene.config, {}))
        self.centre.start()
        stack.callback(self.centre.stop)

    def _settings(self) -> None:
        scene = self.scene
        secrets = scene.folder / "secrets.toml"
        secrets.write_text(secrets.read_text() + 'hook = "canarytoken"\nsmtp = "otd:canarylogin"\n')
        (scene.folder / "mail-ca.pem").write_text(self.mail_certificate.pem)
        scene.config.write_text(
            scene.config.read_text().replace("[cas]", '[cas]\nmail = "mail-ca.pem"')
            + f'\n[alerts]\npatience = "1s"\nmail_server = "{self.office.address}"\nmail_ca = "mail"\n'
            + 'mail_login = "smtp"\n'
            + 'mail_from = "otd@contoso.example"\nmail_to = ["av@contoso.example"]\n'
            + f'webhook = "{self.hook.url}"\nwebhook_token = "hook"\n'
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be nowhere."""
        private = (SUBJECT, BODY, ATTENDEE, ORGANIZER, PASSCODE, "canarytoken", "canarylogin")
        private += ("canarybroker", "canarycomment", "canaryuser", "canaryproxypassword")
        return (*private, *self.scene.passwords.values())

    def bundle(self) -> dict[str, bytes]:
        """What `otd relay bundle` packs where a relay of this day ran: with what it remembers, what was logged, and the
        secrets of the endpoints beside it."""
        site, state = self.scene.folder / "site", self.site_state
        (site / "relay.toml").write_text(SITE)
        secrets = site / "secrets.toml"
        shutil.copy(self.scene.folder / "secrets.toml", secrets)
        secrets.write_text(secrets.read_text() + 'canaryproxy = "canaryproxypassword"\n')
        with (
            contextlib.closing(sqlite3.connect(self.scene.folder / "state" / "relay-a.db")) as there,
            contextlib.closing(sqlite3.connect(state / "relay.db")) as here,
        ):
            there.backup(here)
        broker = Broker(
            host="localhost", port=1, vhost="otd-relays", user="otd-relays.relay-a", password="canarybroker"
        )
        keys = {"signing": seal.new_key(), "sealing": seal.new_key()}
        centre = seal.public_signing(seal.new_key())
        save(Identity(relay="relay-a", pool="hq", broker=broker, centre=centre, **keys), state / "identity.json")
        out = site / "bundle.zip"
        assert cli.call(["relay", "bundle", str(out), "--config", str(site / "relay.toml")]) == 0
        with zipfile.ZipFile(out) as archive:
            return {f"bundle/{name}": archive.read(name) for name in archive.namelist()}

    def meeting(self, room: str) -> Meeting:
        zoom = self.scene.meeting(next(b for b in BOOKED if b.body == "zoom.txt"))
        return replace(
            zoom,
            uid=f"{room}@contoso.example",
            subject=f"{SUBJECT} of {room}",
            body=f"{BODY}\n{zoom.body}".replace("604418", PASSCODE),
            start=self.scene.now + timedelta(minutes=8),
            end=self.scene.now + timedelta(minutes=50),
            organizer=Person(name=ORGANIZER, address=f"{ORGANIZER}@contoso.example"),
            attendees=(Person(name=ATTENDEE, address=f"{ATTENDEE}@contoso.example"),),
        )

    def _book(self, room: str) -> str:
        return self.scene.mailbox(room).add(self.meeting(room))

    def _drop(self, room: str) -> None:
        """The same into a folder, and a file of which nothing can be read."""
        folder = self.scene.room_folder(room)
        (folder / "one.ics").write_bytes(as_ics(self.meeting(room)))
        (folder / f"{SUBJECT}.ics").write_text(f"BEGIN:VCALENDAR\nSUMMARY:{BODY}\n")

    def look(self) -> None:
        """Have everything looked at again now."""
        store = self.centre.store
        for state in store.rooms():
            store.unpark("refresh", state.room.name)
        for endpoint in store.endpoints():
            store.unpark("deliver", endpoint.endpoint.name)
        store.hint("guard", HOUSE)
        self.centre.executor.wake()

    def confirmed(self) -> bool:
        return all(condition(state) == "confirmed" for state in self.centre.store.endpoints())

    def cause(self, cause: str) -> bool:
        """Whether the alert stands or stood."""
        self.centre.store.hint("guard", HOUSE)
        self.centre.executor.wake()
        return any(state.alert.cause == cause for state in self.centre.store.alerts(cleared=True))

    def found(self, endpoint: str, outcome: str) -> bool:
        receipt = self.centre.store.endpoint(endpoint).receipt
        if receipt is not None and receipt not in self.receipts:
            self.receipts.append(receipt)
        return receipt is not None and receipt.outcome == outcome

    def files(self) -> dict[str, bytes]:
        """Every file that OTD wrote: the database with its journal, what relays remember."""
        folder = self.scene.folder
        written = [*folder.glob("otd.db*"), *(folder / "state").rglob("*")]
        return {str(path.relative_to(folder)): path.read_bytes() for path in written if path.is_file()}


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers.clear()
    configure("json", tmp_path / "lab" / "site" / "relay-state" / "relay.log")
    structlog.configure(cache_logger_on_first_use=False)  # or what is logged after this test goes to its ear
    with ExitStack() as stack:
        yield Day(stack, tmp_path, log)
    root.handlers[:] = before
    structlog.reset_defaults()


def everything_goes_wrong(day: Day) -> None:
    scene = day.scene
    board, atrium = scene.codecs["boardroom-codec"], scene.codecs["atrium-codec"]

    def step(what: str, reached: Callable[[], bool]) -> None:
        day.look()
        until(reached, SOON, what)

    def failing(room: str) -> bool:
        return any(state.room.name == room and state.failing_since for state in day.centre.store.rooms())

    for fault in (faults.status(500), faults.status(403), faults.halved(), faults.html()):
        scene.graph.faults.put(fault, mailbox=scene.address("boardroom"))
        step("a calendar that cannot be read", lambda: failing("boardroom"))
        scene.graph.faults.clear()
        step("its recovery", lambda: not failing("boardroom"))
    scene.ews.faults.put(faults.status(401), mailbox=scene.address("atrium"))
    step("a refused account", lambda: failing("atrium"))
    scene.ews.faults.clear()
    step("its recovery", lambda: not failing("atrium"))

    scene.mailbox("boardroom").move(day.items["boardroom"], scene.now + timedelta(minutes=9))
    board.faults.status = 401
    step("a refused password", lambda: day.found("boardroom-codec", "denied"))
    step("its alert", lambda: day.cause("password_refused"))
    board.faults.clear()
    step("its end", day.confirmed)

    atrium.faults.foreign_after = timedelta(0)
    scene.mailbox("atrium").move(day.items["atrium"], scene.now + timedelta(minutes=9))
    step("another system's bookings", lambda: day.found("atrium-codec", "differs"))
    atrium.faults.clear()
    atrium.change_certificate(self_signed("another"))
    step("another certificate", lambda: day.found("atrium-codec", "untrusted"))
    step("its alert", lambda: day.cause("certificate_changed"))
    day.centre.cut_relay("relay-b")
    scene.mailbox("boardroom").cancel(scene.ids["Supplier call"])
    board.stop()
    step("an endpoint that is gone", lambda: day.found("boardroom-codec", "unreachable"))
    step("its alert", lambda: day.cause("endpoint_unreachable"))
    board.start()


def test_a_day_with_faults_leaves_nothing_private_anywhere(day: Day) -> None:
    until(day.confirmed, SOON, "the first lists")
    everything_goes_wrong(day)
    until(lambda: bool(day.office.taken and day.hook.asked), SOON, "mail and webhook")

    shown = day.scene.codecs["library-codec"].bookings
    assert any(SUBJECT in booking.title for booking in shown), "the canaries were on the screens"
    assert any(PASSCODE in booking.number for booking in shown)

    store = day.centre.store
    audit = store.audit(limit=10_000)
    assert {line.kind for line in audit} >= {"list", "sent", "receipt", "reading"}
    said: dict[str, bytes] = {
        "metrics": text(day.centre.metrics.registry, registry(StoreCollector(store))),
        "commands": asked(day, ("failing",), ("history", "boardroom-codec"), ("alerts", "list", "--all")),
        "log": day.log.getvalue().encode(),
        "audit": records.dump(audit).encode(),
        "receipts": records.dump(tuple(day.receipts)).encode(),
        "alerts": records.dump(store.alerts(cleared=True)).encode(),
        "webhook": b"\n".join(asked.body for asked in day.hook.asked),
        "mail": b"\n".join(day.office.raw),
        "work": records.dump(store.work()).encode(),
        **day.files(),
        **day.bundle(),
    }
    assert len(day.receipts) >= 4
    assert b'otd_receipts_total{outcome="denied",verb="put"}' in said["metrics"]
    assert "otd.db" in said
    assert b"delivery handled" in said["bundle/log.json"]
    assert b"boardroom-codec" in said["bundle/endpoints.json"]
    for name, content in said.items():
        assert content, name
        for secret in day.secrets:
            assert secret.encode() not in content, f"{secret} stands in {name}"
    a_list_can_be_followed(day)


def asked(day: Day, *commands: tuple[str, ...]) -> bytes:
    """What these commands say to machines."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for command in commands:
            assert cli.call([*command, "--json", "--config", str(day.scene.config)]) in (0, 1)
    return said.getvalue().encode()


def a_list_can_be_followed(day: Day) -> None:
    """In the log, from the reading that changed it to the receipt that confirms it."""
    lines = [json.loads(line) for line in day.log.getvalue().splitlines() if line.startswith("{")]
    by_list: dict[str, list[str]] = {}
    for line in lines:
        if "list" in line:
            by_list.setdefault(line["list"], []).append(line["event"])
    whole = ["list changed", "delivery sent", "delivery handled", "receipt applied"]
    assert whole in [events[:4] for events in by_list.values()]
    assert all(line["event"] and line["level"] and line["timestamp"] for line in lines)
