"""Where endpoints call this relay, for `otd relay check`: whether the port can be listened on, and what the certificate
that they see there lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from otd.cli.relay_look import noted
from otd.cli.relay_ways import Line, Result
from otd.errors import Missing, OtdError

if TYPE_CHECKING:
    from otd.settings.relay import SiteRelay
    from otd.settings.values import FaceAccess, FeedbackAccess

_NEEDED = ("leaf", "key", "order")  # what a certificate has to have to be shown at all


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A port for endpoints. `host` is what they call it by, "" where that is not known; `consequence` follows when they
    refuse the certificate, and `needed` says whether that is more than an inconvenience."""

    name: str
    access: FaceAccess | FeedbackAccess
    host: str
    needed: bool
    consequence: str

    @property
    def where(self) -> str:
        address = self.access.address
        return f"{f'[{address}]' if ':' in address else address}:{self.access.port}"

    def line(self, step: str, result: Result, found: str) -> Line:
        return Line(way=self.name, step=step, result=result, found=found)

    def stops(self, step: str, found: str, mend: str) -> Line:
        """That something keeps the relay from starting at all."""
        line = self.line(step, "FAIL", found)
        return replace(line, works_without=False, consequence="the relay does not start", mend=mend)


def inbound(settings: SiteRelay) -> list[Line]:
    """The lines of the ports that are set."""
    return [line for place in _places(settings) for line in (_port(settings, place), _certificate(settings, place))]


def _places(settings: SiteRelay) -> Iterator[_Place]:
    if settings.face is not None:
        yield _Place(
            name="face",
            access=settings.face,
            host=settings.face.host,
            needed=True,
            consequence="Polycom endpoints that verify it get no list from this relay",
        )
    if settings.feedback is not None:
        yield _Place(
            name="feedback",
            access=settings.feedback,
            host=urlsplit(settings.feedback.root).hostname or "",
            needed=False,
            consequence="endpoints that verify it do not tell: a list lost in a restart is put again at the next look",
        )


def _port(settings: SiteRelay, place: _Place) -> Line:
    from otd.inbound import listening

    if _listens_already(settings, place):
        return place.line("port", "ok", f"the relay that runs here listens on {place.where}")
    try:
        listening(place.name, place.access.address, place.access.port).close()
    except OtdError as error:
        mend = f"end what listens there, or choose another address in [{place.name}]"
        return place.stops("port", f"{place.where}: {error.why}", mend)
    return place.line("port", "ok", f"{place.where} is free to listen on")


def _listens_already(settings: SiteRelay, place: _Place) -> bool:
    """Whether the relay at work on this machine says that it does."""
    try:
        note, runs = noted(settings)
    except Missing:
        return False
    return runs and urlsplit((note.get(place.name) or {}).get("url", "")).port == place.access.port


def _certificate(settings: SiteRelay, place: _Place) -> Line:
    from otd.cli.relay_cert import findings, read

    access, step = place.access, "certificate"
    if access.certificate is None:
        return place.line(step, "skip", "none: plain HTTP is spoken")
    try:
        password = settings.secrets(os.environ).get(access.passphrase) if access.passphrase else ""
        certificates, private = read(access.certificate, access.key, password)
    except OtdError as error:
        return place.stops(step, f"{error.where}: {error.why}", error.mend)
    said = findings(certificates, private, place.host, datetime.now(UTC))
    result, what, found, mend = min(
        said, key=lambda one: ("FAIL", "warn", "ok").index(one[0])
    )  # the first of the worst
    if result == "ok":
        words = {what: found for _, what, found, _ in said}
        return place.line(step, "ok", f"{words['chain']}, {words['expiry']}")
    if result == "FAIL" and what in _NEEDED:
        return place.stops(step, f"{what}: {found}", mend)
    bad: Result = "FAIL" if result == "FAIL" and place.needed else "warn"
    line = place.line(step, bad, f"{what}: {found}")
    return replace(line, works_without=bad == "warn", consequence=place.consequence, mend=mend)
