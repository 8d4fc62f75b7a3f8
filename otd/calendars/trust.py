"""Whose certificates a calendar system may show, and that it shows one at all."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from otd.errors import BadSetting
from otd.outbound import Trust, public_trust


def trust(ca_file: str, where: str) -> Trust:
    """The system's CAs, or those of one PEM file. Raises BadSetting for a file that cannot be used."""
    try:
        return public_trust(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise BadSetting(
            where, f"the CA file {ca_file} cannot be used", "give a PEM file with the certificates of CAs"
        ) from error


def must_be_https(url: str, where: str) -> None:
    """Raises BadSetting for an address to which a password would go in clear; this machine itself may be asked so."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"):
        return
    raise BadSetting(where, f"{url} is not an https address", "give an address that begins with https://")
