"""Both Exchange servers of an organisation over sockets, and an installation that knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otd.lab.certificates import self_signed
from otd.lab.ews import Ews
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailboxes
from otd.lab.server import Server
from otd.model import Meeting, Person
from tests.adapters.cli import SETTINGS, an_installation

LAB = """
[cas]
lab = "ca.pem"

[calendars.server]
kind = "ews"
url = "{ews}/EWS/Exchange.asmx"
username = "svc"
password = "exchange"
auth = "basic"
ca = "lab"

[calendars.online]
kind = "graph"
tenant = "contoso.example"
client_id = "an-app"
secret = "graph"
authority = "{graph}"
root = "{graph}"
ca = "lab"

[rooms.atrium]
calendar = "server"
mailbox = "atrium@contoso.example"

[rooms.lobby]
calendar = "online"
mailbox = "lobby@contoso.example"
"""


@dataclass
class Exchange:
    """Both servers of an organisation, and an installation that knows them."""

    ews: Ews
    graph: Graph
    folder: Path

    def book(self, room: str, **overrides: Any) -> None:
        start = datetime.now(UTC) + timedelta(hours=1)
        meeting = Meeting(
            id="",
            uid="",
            start=start,
            end=start + timedelta(hours=1),
            subject="Very private",
            body="Join: 1@t.plcm.vc",
            organizer=Person(name="Ann Example", address="ann@contoso.example"),
        )
        self.ews.mailboxes[f"{room}@contoso.example"].add(replace(meeting, **overrides))

    def secret(self, name: str, value: str) -> None:
        path = self.folder / "secrets.toml"
        kept = [line for line in path.read_text().splitlines() if not line.startswith(f"{name} ")]
        path.write_text("\n".join([*kept, f'{name} = "{value}"', ""]))


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    mailboxes = Mailboxes()
    ews, graph = Ews(mailboxes), Graph(mailboxes)
    ews.account("svc", "pw")
    graph.tenant.register("an-app", secret="pw")
    for room in ("atrium", "lobby"):
        mailboxes.add(f"{room}@contoso.example")
    certificate = self_signed("exchange")
    with (
        Server(ews, tls=True, certificate=certificate) as one,
        Server(graph, tls=True, certificate=certificate) as other,
    ):
        (tmp_path / "ca.pem").write_text(certificate.pem)
        an_installation(tmp_path, SETTINGS + LAB.format(ews=one.url, graph=other.url))
        made = Exchange(ews, graph, tmp_path)
        made.secret("exchange", "pw")
        made.secret("graph", "pw")
        yield made
