"""An Exchange Server in the lab over TLS, and a calendar that reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from otd.calendars.access import EwsAccess
from otd.calendars.ews import EwsCalendar
from otd.lab.ews import Ews
from otd.lab.faults import Fault
from otd.lab.mailboxes import Mailboxes
from otd.lab.server import Server
from tests.adapters.mailboxes import SecretsOf, lay
from tests.adapters.reading import ROOM
from tests.adapters.recorder import Asked, Recorder
from tests.contracts.calendar import FixedClock, Planned

ACCOUNT = r"CONTOSO\svc-otd"
PASSWORD = "tür-öffner-€"


@dataclass
class Lab:
    """An Exchange Server over TLS, everything that it is asked, and a way in."""

    exchange: Ews
    recorder: Recorder
    server: Server
    ca_file: str

    def access(self, **overrides: Any) -> EwsAccess:
        usual = EwsAccess(
            url=f"{self.server.url}/EWS/Exchange.asmx",
            username=ACCOUNT,
            password="ews-password",
            auth="basic",
            ca_file=self.ca_file,
        )
        return replace(usual, **overrides)

    def calendar(self, **overrides: Any) -> EwsCalendar:
        secrets = overrides.pop("secrets", SecretsOf({"ews-password": PASSWORD}))
        return EwsCalendar("contract", self.access(**overrides), secrets=secrets, clock=FixedClock())

    def lay(self, *plans: Planned, mailbox: str = ROOM.mailbox) -> None:
        lay(self.exchange.mailboxes, mailbox, *plans)

    def fault(self, fault: Fault, **where: Any) -> None:
        self.exchange.faults.put(fault, **where)

    def operations(self) -> list[str]:
        return [asked.operation for asked in self.exchange.requests.last()]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    exchange = Ews(Mailboxes())
    exchange.account(ACCOUNT, PASSWORD)
    recorder = Recorder(exchange)
    with Server(recorder, tls=True) as server:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_text(server.certificate)
        yield Lab(exchange, recorder, server, str(ca_file))


@pytest.fixture
def calendar(lab: Lab) -> Iterator[EwsCalendar]:
    made = lab.calendar()
    yield made
    made.close()


def operation(asked: Asked) -> str:
    found = re.search(rb"<m:(FindItem|GetItem)\b", asked.body)
    return found[1].decode() if found else ""
