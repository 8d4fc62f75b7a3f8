"""A campus behind a simulated Graph and Exchange Server in a process of their own: what is measured is not them.

    with CampusProcess(rooms=10_000, seed=7, latency=0.2) as campus:
        ...  # campus.graph_url, campus.certificate, campus.book(41, "Review", start, end)

The child says in a line of JSON where it listens, obeys lines of JSON on its standard input (`{"do": "book", ...}`),
each answered by one, and stops at the end of the input.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from otd.lab.campus import Campus
    from otd.lab.ews import Ews
    from otd.lab.graph import Graph

CLIENT_ID = "0c9e6b1e-3f57-4f0a-9b7c-2d1a5e8f4c66"
SERVICE_ACCOUNT = "CAMPUS\\svc-otd"


class CampusProcess:
    """The parent's side: starts the child, and ends it."""

    def __init__(self, *, rooms: int, seed: int = 1, latency: float = 0.0, at_once: int = 0) -> None:
        """`latency` is how many seconds every answer takes; `at_once` how many requests Graph answers at once before it
        says that there are too many, 0 for any number."""
        asked = {"rooms": rooms, "seed": seed, "latency": latency, "at_once": at_once}
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "otd.lab.campus_process", json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stated = self._answer()
        self.graph_url: str = stated["graph_url"]
        self.ews_url: str = stated["ews_url"]
        self.certificate: str = stated["certificate"]  # PEM, of both; it is its own CA
        self.tenant: str = stated["tenant"]
        self.client_id: str = CLIENT_ID
        self.account: str = SERVICE_ACCOUNT
        self.secret: str = stated["secret"]  # the application's, and the account's password

    def book(self, room: int, subject: str, start: datetime, end: datetime, body: str = "") -> str:
        """Put a meeting into a room's mailbox; returns its id."""
        times = {"start": start.isoformat(), "end": end.isoformat()}
        return str(self._tell(do="book", room=room, subject=subject, body=body, **times))

    def remove(self, room: int, meeting: str) -> None:
        """Take it out again."""
        self._tell(do="remove", room=room, meeting=meeting)

    def latency(self, seconds: float) -> None:
        """How long every answer takes from now on."""
        self._tell(do="latency", seconds=seconds)

    def asked(self) -> dict[str, int]:
        """How many requests there were, by operation: calendarView, batch, token, FindItem, GetItem ..."""
        found: dict[str, int] = self._tell(do="asked")
        return found

    def processor_time(self) -> float:
        """Seconds that the child has used."""
        return float(self._tell(do="time"))

    def _tell(self, **order: Any) -> Any:
        if self._child.stdin is None:
            raise RuntimeError("the campus has no standard input")
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        line = self._child.stdout.readline() if self._child.stdout is not None else ""
        if not line:
            raise RuntimeError("the process of the campus ended")
        return json.loads(line)

    def close(self) -> None:
        """End the child."""
        self._child.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Served:
    """The child's side."""

    campus: Campus
    graph: Graph
    ews: Ews

    def obey(self, order: Mapping[str, Any]) -> Any:
        do = order["do"]
        if do == "time":
            return time.process_time()
        if do == "asked":
            return self.graph.requests.by_operation() | self.ews.requests.by_operation()
        if do == "latency":
            self.graph.latency = self.ews.latency = order["seconds"]
            return None
        mailbox = self.campus[self.campus.room(order["room"]).address]
        if do == "remove":
            return mailbox.remove(order["meeting"])
        start, end = (datetime.fromisoformat(order[name]) for name in ("start", "end"))
        return mailbox.add(_meeting(order["subject"], order["body"], start, end))


def _meeting(subject: str, body: str, start: datetime, end: datetime) -> Any:
    from otd.model import Meeting, Person

    organizer = Person(name="Ann Example", address="ann@campus.example")
    return Meeting(
        id="", uid="", subject=subject, start=start, end=end, organizer=organizer, body=body, body_type="html"
    )


def main(asked: Mapping[str, Any]) -> None:
    """Serve until the input ends."""
    from otd.lab.campus import Campus
    from otd.lab.certificates import self_signed
    from otd.lab.ews import Ews
    from otd.lab.graph import Graph
    from otd.lab.server import Server

    campus = Campus(rooms=asked["rooms"], seed=asked["seed"])
    served = _Served(campus, Graph(campus), Ews(campus))
    served.graph.latency = served.ews.latency = asked["latency"]
    served.graph.tenant_at_once = asked["at_once"]
    secret, certificate = secrets.token_urlsafe(24), self_signed("otd-lab-campus")
    served.graph.tenant.register(CLIENT_ID, secret=secret)
    served.ews.account(SERVICE_ACCOUNT, secret)
    with ExitStack() as stack:
        graph = stack.enter_context(Server(served.graph, tls=True, certificate=certificate))
        ews = stack.enter_context(Server(served.ews, tls=True, certificate=certificate))
        _say(
            {
                "graph_url": graph.url,
                "ews_url": f"{ews.url}/EWS/Exchange.asmx",
                "certificate": certificate.pem,
                "tenant": served.graph.tenant.id,
                "secret": secret,
            }
        )
        for line in sys.stdin:
            _say(served.obey(json.loads(line)))


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
