"""A tenant in the lab with Exchange Online over TLS, and a calendar that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from otd.calendars.access import GraphAccess
from otd.calendars.graph import GraphCalendar
from otd.lab.faults import Fault
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailboxes
from otd.lab.server import Server
from tests.adapters.mailboxes import SecretsOf, lay
from tests.adapters.reading import ROOM
from tests.contracts.calendar import FixedClock, Planned

APP = "5f1b2c3d-0000-4000-8000-0123456789ab"
SECRET = "the-client-secret"


@dataclass
class Lab:
    """A tenant with Exchange Online, its TLS server, and a way in."""

    graph: Graph
    server: Server
    ca_file: str

    def access(self, **overrides: Any) -> GraphAccess:
        usual = GraphAccess(
            tenant=self.graph.tenant.domain,
            client_id=APP,
            secret="graph-secret",
            authority=self.server.url,
            root=self.server.url,
            ca_file=self.ca_file,
        )
        return replace(usual, **overrides)

    def calendar(self, **overrides: Any) -> GraphCalendar:
        secrets = SecretsOf({"graph-secret": SECRET} | overrides.pop("secrets", {}))
        clock = overrides.pop("clock", None) or FixedClock()
        return GraphCalendar("contract", self.access(**overrides), secrets=secrets, clock=clock)

    def lay(self, *plans: Planned, mailbox: str = ROOM.mailbox) -> None:
        lay(self.graph.mailboxes, mailbox, *plans)

    def fault(self, fault: Fault, **where: Any) -> None:
        self.graph.faults.put(fault, **where)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    graph = Graph(Mailboxes())
    graph.tenant.register(APP, secret=SECRET)
    with Server(graph, tls=True) as server:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_text(server.certificate)
        yield Lab(graph, server, str(ca_file))


@pytest.fixture
def calendar(lab: Lab) -> Iterator[GraphCalendar]:
    made = lab.calendar()
    yield made
    made.close()
