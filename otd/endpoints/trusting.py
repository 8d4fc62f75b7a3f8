"""Which certificates an endpoint may show, by its setting `trust`; and when those that it showed run out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from cryptography.x509 import load_der_x509_certificate

from otd.errors import BadSetting, Untrusted
from otd.model import Endpoint
from otd.outbound import Trust, fingerprint, pinned_trust, public_trust
from otd.ports import Pins

PLAINTEXT = "plaintext-http"  # the only `trust` that speaks without TLS


class Trusting:
    """`ca_files` are the CAs that `trust = "ca:NAME"` may name."""

    def __init__(self, pins: Pins, ca_files: Mapping[str, str]) -> None:
        self._pins, self._ca_files = pins, ca_files
        self._ends: dict[str, datetime] = {}

    def of(self, endpoint: Endpoint) -> Trust | None:
        """As the endpoint's `trust` says: "pin", "sha256:HEX", "ca", "ca:NAME"; None for "plaintext-http"."""
        legacy = endpoint.tls == "legacy"
        if endpoint.trust == PLAINTEXT:
            return None
        if endpoint.trust == "ca":
            return self._noting(endpoint, public_trust(legacy=legacy))
        if endpoint.trust.startswith("ca:"):
            name = endpoint.trust.removeprefix("ca:")
            if name not in self._ca_files:
                raise BadSetting(f"endpoint {endpoint.name}", f"no CA file named {name}", "add it to this relay")
            return self._noting(endpoint, public_trust(self._ca_files[name], legacy=legacy))
        return pinned_trust(lambda der: self._check_pin(endpoint, der), legacy=legacy)

    def until(self, endpoint: str) -> datetime | None:
        """When the certificate that was last trusted runs out, None when that is not known."""
        return self._ends.get(endpoint)

    def _noting(self, endpoint: Endpoint, trust: Trust) -> Trust:
        return replace(trust, accept=lambda der: self._note_end(endpoint.name, der))

    def _note_end(self, endpoint: str, der: bytes) -> None:
        with suppress(ValueError):  # old endpoints show what no library reads; it is trusted all the same
            self._ends[endpoint] = load_der_x509_certificate(der).not_valid_after_utc

    def _check_pin(self, endpoint: Endpoint, der: bytes) -> None:
        found = fingerprint(der)
        if endpoint.trust == "pin":
            wanted = self._pins.pin(endpoint.name, found)
            mend = f"if it was replaced or reset, `otd endpoints pin {endpoint.name}`"
        else:
            wanted = endpoint.trust.lower()
            mend = f'if it was replaced or reset, set trust = "{found}"'
        if found != wanted:
            why = f"it shows another certificate ({found}) than the pinned one ({wanted})"
            raise Untrusted(endpoint.name, why, f"{mend}; if not, somebody may be in between", shown=found)
        self._note_end(endpoint.name, der)
