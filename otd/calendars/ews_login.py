"""How a line to an Exchange Server signs in. Nothing here goes over the network when a session is made: that is where
exchangelib loses sessions for good (its issue 1373), and where an expired token is renewed without end.
"""

from __future__ import annotations

from typing import Any

from exchangelib.transport import NOAUTH, NTLM
from requests.auth import AuthBase, HTTPBasicAuth

from otd.calendars.access import EwsAccess
from otd.errors import BadSetting

AUTH_TYPES = {"ntlm": NTLM, "basic": NOAUTH, "kerberos": NOAUTH, "oauth": NOAUTH}
"""What exchangelib is told: NTLM is its own; for all others the session gets what `login` gives."""


class Bearer(AuthBase):
    """The token that its line put there before the call."""

    def __init__(self) -> None:
        self.token = ""

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def login(access: EwsAccess, password: str, bearer: Bearer, where: str) -> AuthBase | None:
    """What signs each request; None where exchangelib does it. Raises BadSetting."""
    if access.auth == "basic":  # RFC 7617: names and passwords beyond Latin-1
        return HTTPBasicAuth(access.username.encode(), password.encode())
    if access.auth == "oauth":
        return bearer
    return _kerberos(where) if access.auth == "kerberos" else None


def _kerberos(where: str) -> AuthBase:
    """By the ticket of the account that this process runs as, or of its keytab (KRB5_CLIENT_KTNAME), bound to the
    channel. The ticket is fetched by the system's Kerberos library, which knows no deadline of ours."""
    try:
        from requests_gssapi import DISABLED, HTTPSPNEGOAuth
    except ImportError:
        mend = "pip install 'one-touch-dial[kerberos]'; it needs the system's Kerberos 5 library"
        raise BadSetting(where, "the library for Kerberos is not installed", mend) from None
    made: AuthBase = HTTPSPNEGOAuth(mutual_authentication=DISABLED, channel_bindings="tls-server-end-point")
    return made
