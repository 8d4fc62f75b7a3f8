"""Cisco endpoints over HTTPS: detect, put, read back.

Endpoints up to CE9 take their list by /bookingsputxml, RoomOS 10 and later by `Bookings Put`, and by /bookingsputxml
where they do not know it or refuse a meeting without a number.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from otd import findings
from otd.endpoints import cisco_documents as documents
from otd.endpoints import cisco_facts as pages
from otd.endpoints import cisco_feedback as feedback
from otd.endpoints.cisco_documents import CiscoSeen, Software
from otd.endpoints.cisco_line import SPACING, STALE, Accounts, Line, Paces, Sessions
from otd.endpoints.trusting import Trusting
from otd.errors import Denied, Missing, OtdError, Unsupported
from otd.model import Booking, Endpoint, Facts
from otd.ports import Hooks, Pins, Secrets, never

_LEARN_EVERY = timedelta(days=1)
_SLACK = timedelta(seconds=5)  # uptimes are whole seconds, and asking takes time


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What was learned of an endpoint; `wholly` with all that is asked for only now and then."""

    software: Software
    facts: Facts
    wholly: bool
    at: float  # when it was learned, monotonic
    booted_at: float | None  # monotonic
    distrusts: bool = False  # it verifies our certificate for HttpFeedback, and that is self-signed


class CiscoDriver:
    """The EndpointDriver for Cisco. `ca_files` are the CAs that `trust = "ca:NAME"` may name."""

    def __init__(
        self,
        *,
        secrets: Secrets,
        pins: Pins,
        ca_files: dict[str, str] | None = None,
        hooks: Hooks | None = None,
        spacing: timedelta = SPACING,
        stale: timedelta = STALE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`hooks` are the addresses at which endpoints may say that they restarted; without, none is asked to.
        `spacing` keeps requests with a password apart, `stale` is the age of a session that nobody uses any more,
        `now` is what the endpoint's clock is measured by."""
        self._trusting, self._now, self._hooks = Trusting(pins, ca_files or {}), now, hooks
        self._accounts, self._paces, self._sessions = Accounts(secrets), Paces(spacing), Sessions(stale)
        self._guard = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._interface: dict[str, str] = {}  # what worked last

    def put(self, endpoint: Endpoint, bookings: tuple[Booking, ...], *, within: timedelta) -> None:
        with self._line(endpoint, within) as line:
            interface = self._choose(endpoint, line)
            if interface == "put":
                interface = self._put_json(line, bookings)
            if interface == "bookingsputxml":
                line.post("/bookingsputxml", documents.bookings_xml(bookings))
            self._interface[endpoint.name] = interface

    def read(self, endpoint: Endpoint, *, within: timedelta) -> tuple[CiscoSeen, ...]:
        with self._line(endpoint, within) as line:
            return documents.seen_in(line.post("/putxml", documents.list_command()), endpoint.name)

    def seen(self, endpoint: Endpoint, bookings: tuple[Booking, ...]) -> tuple[CiscoSeen, ...]:
        return tuple(documents.seen(booking) for booking in bookings)

    def facts(
        self, endpoint: Endpoint, *, within: timedelta, unless: Callable[[], bool] = never, anew: bool = False
    ) -> Facts:
        """One request tells whether it restarted; only then, after a failure, once a day, and while something is to be
        mended there, the rest is asked for."""
        with self._line(endpoint, within, unless) as line:
            software, unit = pages.unit(line.get(pages.UNIT_PATH), endpoint.name)
            known = self._known.get(endpoint.name)
            if anew or known is None or not known.wholly or _restarted(known, software, unit) or _is_old(known):
                distrusts = self._distrusts(line)
                known = self._learned(endpoint, software, self._rest(line, unit), wholly=True, distrusts=distrusts)
            interface = self._interface.get(endpoint.name, "")
            until = self._trusting.until(endpoint.name)
            facts = replace(known.facts, uptime=unit.uptime, interface=interface, certificate_until=until)
            return replace(facts, feedback=self._feedback(line, known))

    def leave(self, endpoint: Endpoint, *, within: timedelta) -> None:
        hooks = self._hooks
        if hooks is None or endpoint.mode != "deliver":
            return
        if hooks.url(endpoint.name) or hooks.is_hooked(endpoint.name):
            with self._line(endpoint, within) as line:
                feedback.take_back(line, hooks, all_of_pool=True)

    def close(self) -> None:
        """Nothing is kept open between calls."""

    def forget(self, endpoint: str) -> None:
        """Drop what was learned about an endpoint; the next call detects it anew."""
        with self._guard:
            self._known.pop(endpoint, None)
            self._interface.pop(endpoint, None)

    def _line(self, endpoint: Endpoint, within: timedelta, unless: Callable[[], bool] = never) -> Line:
        return Line(
            endpoint,
            trust=self._trusting.of(endpoint),
            accounts=self._accounts,
            paces=self._paces,
            sessions=self._sessions,
            within=within,
            failed=self.forget,
            unless=unless,
        )

    # writing ------------------------------------------------------------------------------------------------------

    def _choose(self, endpoint: Endpoint, line: Line) -> str:
        if endpoint.interface != "auto":
            return endpoint.interface
        if endpoint.name in self._interface:
            return self._interface[endpoint.name]
        return "put" if self._software(line).puts_json else "bookingsputxml"

    def _put_json(self, line: Line, bookings: tuple[Booking, ...]) -> str:
        """Put by `Bookings Put`; which interface is to be used, another one when this one is not to be had."""
        body = documents.bookings_json(bookings, self._software(line))
        try:
            answer = line.post("/putxml", documents.put_command(body))
            documents.result(answer, "BookingsPutResult", line.endpoint.name)
        except (Missing, Unsupported) as error:
            if line.endpoint.interface == "put" or error.reason == "teams":
                raise
            return "bookingsputxml"
        return "put"

    # learning -----------------------------------------------------------------------------------------------------

    def _software(self, line: Line) -> Software:
        known = self._known.get(line.endpoint.name)
        if known is not None:
            return known.software
        software, unit = pages.unit(line.get(pages.UNIT_PATH), line.endpoint.name)
        self._learned(line.endpoint, software, unit, wholly=False)
        return software

    def _learned(
        self, endpoint: Endpoint, software: Software, facts: Facts, *, wholly: bool, distrusts: bool = False
    ) -> _Known:
        now, booted_at = time.monotonic(), _booted_at(facts, time.monotonic())
        known = _Known(software=software, facts=facts, wholly=wholly, at=now, booted_at=booted_at, distrusts=distrusts)
        with self._guard:
            before = self._known.get(endpoint.name)
            if before is not None and before.software != software:  # upgraded: what worked before proves nothing
                self._interface.pop(endpoint.name, None)
            self._known[endpoint.name] = known
        return known

    def _distrusts(self, line: Line) -> bool:
        name, hooks = line.endpoint.name, self._hooks
        asked = hooks is not None and hooks.self_signed and hooks.url(name) and line.endpoint.mode == "deliver"
        return bool(asked) and feedback.verifies(line.get(feedback.VERIFY_PATH), name)

    def _feedback(self, line: Line, known: _Known) -> feedback.Why:
        """Have it tell us of restarts, where it may be written to at all."""
        if self._hooks is None or line.endpoint.mode != "deliver":
            return ""
        found = feedback.see_to(line, known.software, self._hooks)
        return "untrusted" if known.distrusts and found in ("", "failed") else found

    def _rest(self, line: Line, unit: Facts) -> Facts:
        """All that is asked for now and then. What this software does not know stays unknown."""
        name = line.endpoint.name
        clock = pages.system_time(line.get(pages.TIME_PATH), name)
        return replace(
            unit,
            clock_offset=clock - self._now().replace(microsecond=0) if clock else None,
            mode="teams" if pages.is_teams_room(line.get(pages.TEAMS_PATH), name) else "",
            provisioning=pages.provisioning(line.get(pages.PROVISIONING_PATH), name),
            hides=pages.hides(line.get(pages.BOOKINGS_PATH), name),
            role=_role(line),
        )


def _role(line: Line) -> Literal["", "admin", "user"]:
    """Whether the account may write, asked without writing: only an Admin may list the sessions."""
    try:
        for _ in pages.sessions(line.post("/putxml", pages.session_list_command()), line.endpoint.name):
            pass
    except Denied as error:
        if error.reason != "role":
            raise
        return "user"
    except OtdError as error:
        if not pages.says_no_more(error):
            raise
        return ""
    return "admin"


def _restarted(known: _Known, software: Software, unit: Facts) -> bool:
    """Whether it has other software, or has been up for less long than it would be without a restart."""
    if software != known.software:
        return True
    booted_at = _booted_at(unit, time.monotonic())
    return (
        booted_at is not None and known.booted_at is not None and booted_at > known.booted_at + _SLACK.total_seconds()
    )


def _booted_at(facts: Facts, now: float) -> float | None:
    return None if facts.uptime is None else now - facts.uptime.total_seconds()


def _is_old(known: _Known) -> bool:
    """Or something was wrong with it: whoever mends that wants to see it mended at the next look."""
    is_amiss = known.distrusts or findings.is_amiss(known.facts)
    return is_amiss or time.monotonic() - known.at > _LEARN_EVERY.total_seconds()
