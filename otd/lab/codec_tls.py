"""TLS as old codecs speak it: only the versions that they know, with the ciphers of their time."""

from __future__ import annotations

import ssl
import warnings
from dataclasses import dataclass, fields

from otd.lab.certificates import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limited(Certificate):
    lowest: ssl.TLSVersion
    highest: ssl.TLSVersion

    def context(self) -> ssl.SSLContext:
        context = Certificate.context(self)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 and 1.1 are what this is about
            context.set_ciphers("DEFAULT@SECLEVEL=0")
            context.minimum_version, context.maximum_version = self.lowest, self.highest
        return context


def limited(certificate: Certificate, lowest: ssl.TLSVersion, highest: ssl.TLSVersion) -> Certificate:
    """The same certificate, shown over these versions of TLS only."""
    values = {each.name: getattr(certificate, each.name) for each in fields(Certificate)}
    return _Limited(**values, lowest=lowest, highest=highest)
