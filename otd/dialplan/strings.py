"""What may be a dial string, and where it leads. Strict: what is not surely a dial string is none.

A dial string is bare: `user@host`, `host##id` (H.323, also with `#pin` after it) or an alias without a host, which the
site's own call control has to know. No scheme, one @ at most, at most 128 characters of ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address

from otd.model import Protocol

LONGEST = 128

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"(?:{_LABEL}\.)+{_LABEL}"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.!~*+=$&-]*"
# Cisco Meeting Server's Lync simplejoin takes the whole join address as the user part.
_JOIN_ADDRESS = rf"https://{_HOST}(?:/[A-Za-z0-9_.~-]+)+"
_ADDRESS = re.compile(rf"(?:{_USER}|{_JOIN_ADDRESS})@(?P<host>{_HOST})(?::[1-9][0-9]{{0,4}})?")
_AT_GATEWAY = re.compile(rf"(?P<host>{_HOST})(?:##[A-Za-z0-9]+(?:#[A-Za-z0-9]*)*)?")
_ALIAS = re.compile(r"[A-Za-z0-9*][A-Za-z0-9_.*#-]*")
_IP = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_END = re.compile(r"[;?>\s]")
_SCHEME = re.compile(r"(?:sips?|h323|s4b|lync|callto|tel):(?://)?", re.IGNORECASE)


def bare(address: str) -> str:
    """An address as it may be dialled: without scheme, parameters and headers, the host in lower case."""
    address = address.strip()
    if scheme := _SCHEME.match(address):
        address = address[scheme.end() :]
    user, at, host = address.rpartition("@")
    host = _END.split(host, maxsplit=1)[0].rstrip(".")
    return f"{user}@{host.lower()}" if at else host


def host_of(uri: str, protocol: Protocol) -> str | None:
    """The host that a dial string leads to: "" when it names none (an alias), None when it is not a dial string.

    A telephone number (`+...`) is never one: what can cost money by the minute is not dialled from an invitation.
    """
    if len(uri) > LONGEST or not uri.isascii():
        return None
    found = _ADDRESS.fullmatch(uri) or (_AT_GATEWAY.fullmatch(uri) if protocol == "h323" else None)
    if found is None:
        return "" if "@" not in uri and "##" not in uri and _ALIAS.fullmatch(uri) else None
    host = found["host"]
    if is_number(host):
        return host if is_ip(host) else None
    return host if len(host) <= 253 else None


def is_number(host: str) -> bool:
    """Whether a host looks like an address of numbers, right or wrong: its last label is all digits."""
    return host.rpartition(".")[2].isdigit()


def is_ip(host: str) -> bool:
    """Whether it is an IPv4 address."""
    if not _IP.fullmatch(host):
        return False
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True


def domain(text: str) -> str:
    """A domain as it is compared: lower case, punycode, without `*.` or a dot at either end; "" when it is none.

    A single label ("com", "local") is none: it would open half the world.
    """
    text = text.strip().lower().removeprefix("*").strip(".")
    if not text.isascii():
        try:
            text = text.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return text if re.fullmatch(_HOST, text) and (not is_number(text) or is_ip(text)) else ""


def domains(texts: Iterable[str]) -> frozenset[str]:
    """The domains among the texts, as they are compared."""
    return frozenset(found for text in texts if (found := domain(text)))


def within(host: str, allowed: frozenset[str]) -> bool:
    """Whether the host is one of the domains or below one of them. An IP address has nothing below it."""
    if host in allowed:
        return True
    if is_number(host):
        return False
    dot = host.find(".")
    while dot >= 0:
        host = host[dot + 1 :]
        if host in allowed and "." in host:
            return True
        dot = host.find(".")
    return False
