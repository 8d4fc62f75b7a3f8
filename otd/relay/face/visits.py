"""Who came to the face: the last poll of each endpoint, and logins that were refused. In memory and, with a path, in a
file for `otd endpoints polls`. Names that nobody knows are not kept: they may be passwords in the wrong field."""

from __future__ import annotations

import json
import os
import tempfile
from collections import OrderedDict
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import structlog

Why = Literal["password", "unknown", "scheme"]
WORDS: dict[str, str] = {
    "password": "a wrong password",
    "unknown": "a user name that no endpoint has",
    "scheme": "another way to log in than Basic, and nothing else",
}
MOST = 1000  # refusals that are remembered
EVERY = timedelta(seconds=15)  # from one writing of the file to the next, at least, when nobody new came
KEPT = timedelta(days=7)  # refusals that are older are forgotten
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """The last request of an endpoint that logged in, and how many there were."""

    endpoint: str
    at: datetime
    operation: str
    user_agent: str
    version: str
    address: str
    answered: bool  # False: with an error
    requests: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Logins from one address that were refused for one reason; `endpoint` is "" when nobody knows whose they are."""

    address: str
    endpoint: str
    why: Why
    since: datetime
    at: datetime
    count: int = 1


class Visits:
    """What is remembered, from the start of the process, and of refusals from before it, too."""

    def __init__(self, path: Path | None = None, *, every: timedelta = EVERY) -> None:
        self._path, self._every = path, every
        self._polls: dict[str, Poll] = {}
        self._refused: OrderedDict[tuple[str, str, str], Refused] = OrderedDict()
        self._written: datetime | None = None
        if path is not None:
            for refused in read(path)[1]:
                self._take_refused(refused)

    @property
    def polls(self) -> dict[str, Poll]:
        """The last one of each endpoint, by its name."""
        return dict(self._polls)

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The newest last."""
        return tuple(self._refused.values())

    def came(self, poll: Poll) -> None:
        """An endpoint that logged in asked for something; what was refused to it before is forgotten."""
        former = self._polls.get(poll.endpoint)
        poll = replace(poll, requests=former.requests + 1 if former else 1)
        forgave = self._take_poll(poll)
        self._keep(poll, poll.at, news=former is None or forgave)

    def refuse(self, address: str, endpoint: str, why: Why, now: datetime) -> None:
        """A login was refused."""
        former = self._refused.get((address, endpoint, why))
        if former is None or now - former.at > KEPT:
            former = Refused(address=address, endpoint=endpoint, why=why, since=now, at=now, count=0)
        refused = replace(former, at=now, count=former.count + 1)
        self._take_refused(refused)
        self._keep(refused, now, news=refused.count == 1)

    def _take_poll(self, poll: Poll) -> bool:
        """Whether something is forgiven by it."""
        self._polls[poll.endpoint] = poll
        keys = ((poll.address, poll.endpoint, "password"), (poll.address, "", "scheme"))
        return any([self._refused.pop(key, None) is not None for key in keys])

    def _take_refused(self, refused: Refused) -> None:
        key = (refused.address, refused.endpoint, refused.why)
        self._refused.pop(key, None)
        self._refused[key] = refused
        if len(self._refused) > MOST:
            self._refused.popitem(last=False)

    # the file: a line of JSON for each, the later one holds ---------------------------------------------------------

    def _keep(self, one: Poll | Refused, now: datetime, *, news: bool) -> None:
        """All of it now and then; what is new at once, as one line more."""
        if self._path is None:
            return
        try:
            if self._written is None or now - self._written >= self._every:
                self._written = now
                self._write_all(self._path)
            elif news:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(_line(one))
        except OSError as error:
            log.warning("who came to the face cannot be kept", why=error.strerror)

    def _write_all(self, path: Path) -> None:
        """Whole or not at all, so that a reader never sees half of it."""
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # readable by us alone
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(map(_line, self._polls.values()))
            file.writelines(map(_line, self._refused.values()))
        Path(name).replace(path)


def read(path: Path) -> tuple[tuple[Poll, ...], tuple[Refused, ...]]:
    """What the file of a running or former process says; nothing when there is none. Lines that cannot be read are
    passed over."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return (), ()
    found = Visits()
    for line in lines:
        try:
            values = json.loads(line)
            times = {key: datetime.fromisoformat(values[key]) for key in ("at", "since") if key in values}
            if "why" in values:
                found._take_refused(Refused(**{**values, **times}))
            else:
                found._take_poll(Poll(**{**values, **times}))
        except (ValueError, TypeError, KeyError):
            continue
    return tuple(found.polls.values()), found.refused


def _line(one: Poll | Refused) -> str:
    values = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(one).items()}
    return json.dumps(values) + "\n"
