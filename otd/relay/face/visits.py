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
from typing import Any, Literal

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
        for refused in read(path)[1] if path is not None else ():
            self._refused[refused.address, refused.endpoint, refused.why] = refused

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
        self._polls[poll.endpoint] = replace(poll, requests=former.requests + 1 if former else 1)
        forgiven = ((poll.address, poll.endpoint, "password"), (poll.address, "", "scheme"))
        forgotten = [key for key in forgiven if self._refused.pop(key, None) is not None]
        self._write(poll.at, news=former is None or bool(forgotten))

    def refuse(self, address: str, endpoint: str, why: Why, now: datetime) -> None:
        """A login was refused."""
        key = (address, endpoint, why)
        former = self._refused.pop(key, None)
        if former is None or now - former.at > KEPT:
            former = Refused(address=address, endpoint=endpoint, why=why, since=now, at=now, count=0)
        self._refused[key] = replace(former, at=now, count=former.count + 1)
        if len(self._refused) > MOST:
            self._refused.popitem(last=False)
        self._write(now, news=former is None)

    def _write(self, now: datetime, *, news: bool) -> None:
        """At once when there is news, else now and then; whole, so that a reader never sees half of it."""
        recent = self._written is not None and now - self._written < self._every
        if self._path is None or (recent and not news):
            return
        self._written = now
        whole = {
            "at": now.isoformat(),
            "polls": [_plain(asdict(poll)) for poll in self._polls.values()],
            "refused": [_plain(asdict(one)) for one in self._refused.values()],
        }
        try:
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)  # readable by us alone
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(whole, file)
            Path(name).replace(self._path)
        except OSError as error:
            log.warning("who came to the face cannot be kept", why=error.strerror)


def read(path: Path) -> tuple[tuple[Poll, ...], tuple[Refused, ...]]:
    """What the file of a running or former process says; nothing when there is none, or it cannot be read."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        polls = tuple(Poll(**_timed(one)) for one in whole["polls"])
        return polls, tuple(Refused(**_timed(one)) for one in whole["refused"])
    except (OSError, ValueError, TypeError, KeyError):
        return (), ()


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}


def _timed(values: dict[str, Any]) -> dict[str, Any]:
    times: dict[str, Any] = {key: datetime.fromisoformat(values[key]) for key in ("at", "since") if key in values}
    return {**values, **times}
