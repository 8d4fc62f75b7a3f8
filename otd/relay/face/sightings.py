"""What endpoints really send: the first sight of each (operation, user agent, shape), as structure without text.

Nobody outside has written down the requests of video endpoints; this is how they become known. Kept are element and
attribute names, and values that the schema itself names (fields, shapes, versions); never a text, an id or an address.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

import structlog
from lxml import etree

from otd.relay.face.soap import Request, local

MOST_A_DAY = 100
_MOST_BYTES = 4 * 1024 * 1024  # of the file; it is a notebook, not a log
_LATEST = 10_000  # requests that are known again by their bytes
_LONGEST = 4000  # characters of one structure
_FIELD = re.compile(r"[a-z]{1,30}:[A-Za-z]{1,60}")
_TERM = re.compile(
    r"[A-Z][A-Za-z]{1,40}|(Exchange|V)20[0-9_A-Z]{2,10}|calendar|inbox|root|msgfolderroot|true|false|\d{1,4}"
)
_NAMED = {"FieldURI", "Version", "Traversal", "Order", "BasePoint", "PropertyType", "DistinguishedPropertySetId"}
_WORDED = {"BaseShape", "BodyType", "IncludeMimeContent", "MaxChangesReturned"}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One kind of request."""

    at: str
    operation: str
    user_agent: str
    version: str
    known: bool  # the face answers it
    structure: str


class Sightings:
    """First sights, in memory and, with a path, in a file of JSON lines that outlives the process."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._seen: dict[tuple[str, str, str], Sighting] = {}
        self._latest: set[int] = set()
        self._day, self._today = date.min, 0
        for line in _lines(path):
            try:
                sighting = Sighting(**json.loads(line))
            except (ValueError, TypeError):
                continue
            self._seen[sighting.operation, sighting.user_agent, sighting.structure] = sighting

    def all(self) -> tuple[Sighting, ...]:
        return tuple(self._seen.values())

    def see(self, request: Request, body: bytes, user_agent: str, now: datetime, *, known: bool) -> None:
        """Keep it, if it is the first of its kind and there were not too many today. `body` is what it was read from:
        the same bytes again, which is what endpoints mostly send, are not looked at."""
        again = hash((body, user_agent))
        if again in self._latest:
            return
        if len(self._latest) >= _LATEST:
            self._latest.clear()
        self._latest.add(again)
        self._keep(request, user_agent, now, known)

    def _keep(self, request: Request, user_agent: str, now: datetime, known: bool) -> None:
        shape = structure(request.element)
        kind = (request.operation, user_agent, shape)
        if kind in self._seen:
            return
        if now.date() != self._day:
            self._day, self._today = now.date(), 0
        if self._today >= MOST_A_DAY or len(self._seen) >= 100 * MOST_A_DAY:
            return
        self._today += 1
        sighting = Sighting(
            at=now.isoformat(timespec="seconds"),
            operation=request.operation,
            user_agent=user_agent,
            version=request.version,
            known=known,
            structure=shape,
        )
        self._seen[kind] = sighting
        self._write(sighting)

    def _write(self, sighting: Sighting) -> None:
        if self._path is None:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                if file.tell() < _MOST_BYTES:
                    file.write(json.dumps(asdict(sighting)) + "\n")
        except OSError as error:
            log.warning("first sight of a request cannot be kept", why=error.strerror)


def structure(element: etree._Element) -> str:
    """The request's elements, in order: Name[attributes](children), repetitions counted once."""
    text = _structure(element)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _structure(element: etree._Element) -> str:
    attributes = ",".join(_attribute(str(name), str(value)) for name, value in sorted(element.attrib.items()))
    parts = list(dict.fromkeys(_structure(child) for child in element))
    name = local(element)[:80]
    text = (element.text or "").strip()
    value = f"={text}" if name in _WORDED and _TERM.fullmatch(text) else ""
    return f"{name}{f'[{attributes}]' if attributes else ''}{value}{'(' + ' '.join(parts) + ')' if parts else ''}"


def _attribute(name: str, value: str) -> str:
    name = name.rpartition("}")[2][:80]
    is_term = name in _NAMED and (_FIELD.fullmatch(value) or _TERM.fullmatch(value))
    return f"{name}={value}" if is_term or (name == "Id" and value in ("calendar", "root", "inbox")) else name


def _lines(path: Path | None) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines() if path is not None else []
    except OSError:
        return []
