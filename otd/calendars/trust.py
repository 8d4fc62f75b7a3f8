"""Whose certificates a calendar system may show."""

from __future__ import annotations

import ssl

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
