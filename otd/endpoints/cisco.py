"""Cisco endpoints over HTTPS: detect, put, read back.

Basic authentication; endpoints serve one such request a second and queue thirty, so requests to one endpoint are kept
a second apart. Endpoints up to CE9 take their list by /bookingsputxml, RoomOS 10 and later by `Bookings Put`, and by
/bookingsputxml where they do not know it or refuse a meeting without a number.
"""

from __future__ import annotations

import base64
import threading
import time
from datetime import timedelta

from otd.endpoints import cisco_documents as documents
from otd.endpoints.cisco_documents import CiscoSeen, Software
from otd.errors import BadSetting, Denied, Missing, OtdError, Unreachable, Unsupported, Untrusted
from otd.model import Booking, Endpoint
from otd.outbound import Deadline, Http, Trust, fingerprint, pinned_trust, public_trust
from otd.ports import Pins, Secrets

SPACING = timedelta(seconds=1)
_LIMIT = 8 * 1024 * 1024  # bytes of an answer
_VERSION_PATH = "/getxml?location=/Status/SystemUnit/Software/Version"


class CiscoDriver:
    """The EndpointDriver for Cisco. `ca_files` are the CAs that `trust = "ca:NAME"` may name."""

    def __init__(
        self,
        *,
        secrets: Secrets,
        pins: Pins,
        ca_files: dict[str, str] | None = None,
        spacing: timedelta = SPACING,
    ) -> None:
        self._secrets, self._pins, self._ca_files, self._spacing = secrets, pins, ca_files or {}, spacing
        self._guard = threading.Lock()
        self._free_at: dict[str, float] = {}  # monotonic, by address: the next request may go out then
        self._software: dict[str, Software] = {}
        self._interface: dict[str, str] = {}  # what worked last

    def put(self, endpoint: Endpoint, bookings: tuple[Booking, ...], *, within: timedelta) -> None:
        with _Line(self, endpoint, within) as line:
            interface = self._choose(endpoint, line)
            if interface == "put":
                try:
                    self._put_json(line, bookings)
                except (Missing, Unsupported):
                    if endpoint.interface == "put":
                        raise
                    interface = "bookingsputxml"
            if interface == "bookingsputxml":
                line.post("/bookingsputxml", documents.bookings_xml(bookings))
            self._interface[endpoint.name] = interface

    def read(self, endpoint: Endpoint, *, within: timedelta) -> tuple[CiscoSeen, ...]:
        with _Line(self, endpoint, within) as line:
            return documents.seen_in(line.post("/putxml", documents.list_command()), endpoint.name)

    def seen(self, endpoint: Endpoint, bookings: tuple[Booking, ...]) -> tuple[CiscoSeen, ...]:
        return tuple(documents.seen(booking) for booking in bookings)

    def software(self, endpoint: Endpoint, *, within: timedelta) -> Software:
        """What the endpoint runs, asked anew."""
        with _Line(self, endpoint, within) as line:
            return self._detect(endpoint, line)

    def close(self) -> None:
        """Nothing is kept open between calls."""

    def _choose(self, endpoint: Endpoint, line: _Line) -> str:
        if endpoint.interface != "auto":
            return endpoint.interface
        if endpoint.name in self._interface:
            return self._interface[endpoint.name]
        return "put" if self._detect(endpoint, line).puts_json else "bookingsputxml"

    def _detect(self, endpoint: Endpoint, line: _Line) -> Software:
        found = documents.software_of(line.get(_VERSION_PATH), endpoint.name)
        if self._software.get(endpoint.name) != found:  # new, or upgraded: what worked before proves nothing
            self._interface.pop(endpoint.name, None)
        self._software[endpoint.name] = found
        return found

    def _put_json(self, line: _Line, bookings: tuple[Booking, ...]) -> None:
        software = self._software.get(line.endpoint.name) or self._detect(line.endpoint, line)
        body = documents.bookings_json(bookings, software)
        documents.result(line.post("/putxml", documents.put_command(body)), "BookingsPutResult", line.endpoint.name)

    def forget(self, endpoint: str) -> None:
        """Drop what was learned about an endpoint; the next call detects it anew."""
        for learned in (self._software, self._interface):
            learned.pop(endpoint, None)

    def _trust(self, endpoint: Endpoint) -> Trust:
        """As the endpoint's `trust` says: "pin", "sha256:HEX", "ca" or "ca:NAME"."""
        if endpoint.trust == "ca":
            return public_trust()
        if endpoint.trust.startswith("ca:"):
            name = endpoint.trust.removeprefix("ca:")
            if name not in self._ca_files:
                raise BadSetting(f"endpoint {endpoint.name}", f"no CA file named {name}", "add it to this relay")
            return public_trust(self._ca_files[name])
        return pinned_trust(lambda der: self._check_pin(endpoint, der))

    def _check_pin(self, endpoint: Endpoint, der: bytes) -> None:
        found = fingerprint(der)
        wanted = endpoint.trust if endpoint.trust != "pin" else self._pins.pin(endpoint.name, found)
        if found != wanted.lower():
            raise Untrusted(
                endpoint.name,
                f"it shows another certificate than the pinned one ({wanted})",
                f'if it was replaced or reset, set trust = "{found}"; if not, somebody may be in between',
            )

    def _authorization(self, endpoint: Endpoint) -> str:
        secret = self._secrets.get(endpoint.credential)
        if ":" not in secret:
            raise BadSetting(
                f"secret {endpoint.credential}", "it is not of the form user:password", "write user:password"
            )
        return "Basic " + base64.b64encode(secret.encode()).decode()

    def _turn(self, address: str) -> float:
        """Seconds to wait until a request to this address may go out; the turn is taken."""
        with self._guard:
            now = time.monotonic()
            at = max(now, self._free_at.get(address, 0.0))
            self._free_at[address] = at + self._spacing.total_seconds()
            return at - now


class _Line:
    """The requests of one call to one endpoint, under one deadline."""

    def __init__(self, driver: CiscoDriver, endpoint: Endpoint, within: timedelta) -> None:
        self.endpoint = endpoint
        self._driver = driver
        self._deadline = Deadline.after(within)
        self._headers = {"Authorization": driver._authorization(endpoint), "Content-Type": "text/xml; charset=utf-8"}
        self._http = Http(trust=driver._trust(endpoint), limit=_LIMIT, connections=1)

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._http.close()
        if isinstance(error, OtdError) and not isinstance(error, Denied):
            self._driver.forget(self.endpoint.name)  # it may come back as another software

    def get(self, path: str) -> bytes:
        return self._call("GET", path, None)

    def post(self, path: str, content: bytes) -> bytes:
        return self._call("POST", path, content)

    def _call(self, method: str, path: str, content: bytes | None) -> bytes:
        name = self.endpoint.name
        try:
            self._wait_for_turn()
            answer = self._http.request(
                method,
                f"https://{self.endpoint.address}{path}",
                where=name,
                within=self._deadline.left(),
                headers=self._headers,
                content=content,
            )
        except TimeoutError:
            raise Unreachable(name, "there was no time left to ask it") from None
        if error := documents.status_error(answer.status, name):
            raise error
        return answer.body

    def _wait_for_turn(self) -> None:
        wait = self._driver._turn(self.endpoint.address)
        if wait > 0:
            if wait >= self._deadline.remaining():
                raise TimeoutError
            threading.Event().wait(wait)
