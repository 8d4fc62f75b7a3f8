"""What it takes to tell people, as it is configured. Secrets are only named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAccess:
    """A mail server that takes messages from us."""

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    tls: Literal["starttls", "tls", "none"] = "starttls"
    login: str = ""  # the name of a secret `user:password`
    ca_file: str = ""  # "" for the system's CAs


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAccess:
    """A server that takes JSON by POST. One of `url` and `secret_url` (the name of a secret that holds the address)."""

    url: str = ""
    secret_url: str = ""
    token: str = ""  # the name of a secret, sent as a bearer token
    ca_file: str = ""
