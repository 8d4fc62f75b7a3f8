"""How logs are written by a command that runs for long: for people on a terminal, or one JSON object a line.

What may be private cannot be logged, whoever tries: a field is withheld by its name, and by the kind of its value.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from datetime import datetime, timedelta
from pathlib import Path, PurePath
from typing import Any

WITHHELD = "[withheld]"
LONGEST = 500  # characters of one value
_PRIVATE = re.compile(
    r"(?:^|_)(password|passcode|passphrase|pin|secret|token|authorization|cookie|subject|title|"
    r"body|content|organi[sz]er|attendees?|dial|uri|meeting|invitation)s?(?:$|_)",
    re.I,
)
_COUNTS = (bool, int, float)
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]*@")
_SIP = re.compile(r"\b(sips?|h323|tel):\S+", re.I)


def withheld(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event with what must not be in a log left out of it. Numbers are never private."""
    for key in tuple(event):
        value = event[key]
        if key in ("exc_info", "stack_info", "exception", "stack"):
            event.pop(key)
            event.update(_named(value))
        elif _PRIVATE.search(key) and not isinstance(value, _COUNTS):
            event[key] = WITHHELD
        else:
            event[key] = _plain(value)
    return event


def _plain(value: Any) -> Any:
    """Text, numbers, times, and lists of them; of anything else only what it is."""
    if value is None or isinstance(value, _COUNTS):
        return value
    if isinstance(value, str):
        text = _SIP.sub(rf"\1:{WITHHELD}", _USER_IN_URL.sub("", value))
        return "".join(c if c.isprintable() else " " for c in text)[:LONGEST]
    if isinstance(value, datetime | timedelta | PurePath):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return f"<{type(value).__name__}>"


def _named(value: Any) -> dict[str, str]:
    """Of an error its type and place: its text may hold anything."""
    error = sys.exc_info()[1] if value is True else value[1] if isinstance(value, tuple) else value
    if not isinstance(error, BaseException):
        return {}
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return {"error": type(error).__name__, "place": place}


class _Libraries(logging.Formatter):
    """What libraries complain of: who, and how badly. What they say may hold what they were sent."""

    def format(self, record: logging.LogRecord) -> str:
        named = _named(record.exc_info) if record.exc_info else {}
        place = f"{record.filename}:{record.lineno}"
        return " ".join([record.levelname, record.name, place, *(f"{key}={said}" for key, said in named.items())])


def configure(form: str, copy: Path | None = None) -> None:
    """`form` is "console" or "json"; to standard error, from level info up. Libraries are heard from warning up.
    A `copy` of the events goes to this file, see otd.cli.log_file."""
    import structlog

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        withheld,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if copy is not None:
        from otd.cli.log_file import LogFile

        shared.append(LogFile(copy))
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Libraries())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("exchangelib", "msal", "httpx", "httpcore", "urllib3", "kombu", "amqp"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def silence() -> None:
    """For commands that draw: what would be logged is shown in another form."""
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("otd.lab").setLevel(logging.CRITICAL)  # simulated servers that are stopped while they answer
