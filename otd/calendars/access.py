"""How to reach a calendar system, as plain values that the settings fill in. Secrets are named here, never held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from urllib.parse import urlsplit

Cloud = Literal["global", "gcc-high", "dod", "china"]

# Authority and Graph root of each cloud (Microsoft Graph documentation, "National cloud deployments"). The authority
# of the cloud in China has an older name, login.chinacloudapi.cn, which Microsoft is phasing out.
CLOUDS: dict[Cloud, tuple[str, str]] = {
    "global": ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    "gcc-high": ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    "dod": ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    "china": ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphAccess:
    """An application registered in Entra ID, and the cloud that its tenant lives in.

    Exactly one of `secret`, `certificate` and `pfx` is given. `secret` names a client secret; `certificate` names a
    secret that holds a PEM text with the private key and the certificate; `pfx` is the path of a PFX file. `passphrase`
    names the secret that opens the key or the PFX, "" when it is open.
    """

    tenant: str  # a tenant's id or one of its domains
    client_id: str
    secret: str = ""
    certificate: str = ""
    pfx: str = ""
    passphrase: str = ""
    secret_expires: date | None = None  # the last day of the client secret, which does not say so itself
    cloud: Cloud = "global"
    authority: str = ""  # instead of the cloud's, for a laboratory: https://HOST[:PORT]
    root: str = ""  # instead of the cloud's, for a laboratory: https://HOST[:PORT]
    ca_file: str = ""  # a PEM file of CAs to trust instead of the system's
    page_size: int = 100
    gather: timedelta = timedelta(milliseconds=5)  # how long the first request of a batch waits for others

    def addresses(self) -> tuple[str, str]:
        """Authority and Graph root, without a slash at the end."""
        authority, root = CLOUDS[self.cloud]
        return (self.authority or authority).rstrip("/"), (self.root or root).rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class EwsAccess:
    """A service account on an Exchange Server, or an application.

    `url` is the whole address, as in https://mail.example.com/EWS/Exchange.asmx; nothing is discovered. `right` says
    how the account may read the rooms: by impersonation (role ApplicationImpersonation) or as a delegate (access to
    each calendar). `build` is the server's version as far as the schema goes: 15.2 is Exchange Server 2019 and SE, 15.1
    is 2016, 15.0 is 2013.

    By NTLM and Basic it signs in as `username`, DOMAIN\\name or name@example.com, with the secret that `password`
    names; by Kerberos with the ticket of the process; by OAuth as an application, with what GraphAccess says of those.
    """

    url: str
    username: str = ""
    password: str = ""
    auth: Literal["ntlm", "basic", "kerberos", "oauth"] = "ntlm"
    tenant: str = ""
    client_id: str = ""
    secret: str = ""
    certificate: str = ""
    pfx: str = ""
    passphrase: str = ""
    secret_expires: date | None = None
    authority: str = ""  # of a national cloud or a laboratory, in place of https://login.microsoftonline.com
    right: Literal["impersonation", "delegate"] = "impersonation"
    build: str = "15.2"
    ca_file: str = ""  # a PEM file of CAs to trust instead of the system's
    connections: int = 4  # at once, for all rooms of this calendar
    streams: int = 3  # connections of `otd watch`; Exchange's HangingConnectionLimit for an account, unless raised
    view_size: int = 1000  # meetings asked for in one look; a look that is full is repeated in halves
    chunk: int = 50  # meetings whose bodies are asked for in one request
    answer_limit: int = 64 * 1024 * 1024  # bytes of one answer

    def addresses(self) -> tuple[str, str]:
        """Authority, and the resource that tokens are for: the server. Without a slash at the end."""
        parts = urlsplit(self.url)
        return (self.authority or CLOUDS["global"][0]).rstrip("/"), f"{parts.scheme}://{parts.netloc}"
