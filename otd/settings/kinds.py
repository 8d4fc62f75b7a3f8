"""The kinds of values that otd.toml holds, each with its check and a mend in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Strict
from pydantic_core import PydanticCustomError

from otd.causes import CAUSES
from otd.reach import reach_of

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,62}))*\.?\Z")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9]([a-z0-9-]{0,62}))+\Z")
_MAILBOX = re.compile(r"[^@\s<>\"(),:;\\\x00-\x1f]{1,64}@[^@\s<>\"(),:;\\\x00-\x1f]{1,253}\Z")
_SPAN = re.compile(r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?(?:([0-9]{1,9})ms)?\Z")


def wrong(why: str, mend: str) -> PydanticCustomError:
    """The error that a check raises."""
    return PydanticCustomError("otd", "{why}", {"why": why, "mend": mend})


def name_mistake(name: str) -> tuple[str, str] | None:
    """Why this cannot be a name, and the mend; None when it can."""
    if NAME.match(name):
        return None
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    better = re.sub(r"[^a-z0-9]+", "-", folded).strip("-")[:63].strip("-")
    use = f"call it {better} and put the free text into label" if better else "put the free text into label"
    return f"{name!r} cannot be a name: a-z, 0-9 and hyphens, at most 63", use


def _name(text: str) -> str:
    if found := name_mistake(text):
        raise wrong(*found)
    return text


def _secret_name(text: str) -> str:
    if not NAME.match(text):  # the text is not repeated: it may be the secret itself
        raise wrong(
            "this is not the name of a secret (a-z, 0-9 and hyphens)",
            "put the secret into the secrets file and write its name here",
        )
    return text


def _label(text: str) -> str:
    if len(text) > 200 or any(unicodedata.category(ch) in ("Cc", "Cs", "Zl", "Zp") for ch in text):
        raise wrong("a label is one line of at most 200 characters", "shorten it, and leave out line ends and tabs")
    return text


def span(text: str) -> timedelta:
    """The timedelta of "30s", "5m", "7d" or "1h30m". Raises ValueError."""
    found = _SPAN.match(text)
    if not found or not any(found.groups()):
        raise ValueError(f"{text!r} is not a span of time")
    days, hours, minutes, seconds, millis = (int(part or 0) for part in found.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=millis)
    except OverflowError:
        raise ValueError(f"{text!r} is too long") from None


def span_text(value: timedelta) -> str:
    """The shortest way to write it, such as "90s" or "7d"."""
    millis = value // timedelta(milliseconds=1)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if millis and millis % size == 0:
            return f"{millis // size}{unit}"
    return f"{millis}ms" if millis else "0s"


def between(least: str, most: str) -> Callable[[object], timedelta]:
    """A check for spans from `least` to `most`, both allowed."""

    def check(value: object) -> timedelta:
        try:
            if not isinstance(value, str):
                raise ValueError(f"{value!r} is not a span of time")
            length = span(value)
        except ValueError as error:
            raise wrong(str(error), 'write it like "30s", "5m", "2h" or "7d", in quotes') from None
        if not span(least) <= length <= span(most):
            raise wrong(f"{value} is not between {least} and {most}", "choose a span in between")
        return length

    return check


def dated(value: object) -> date:
    """A day, as TOML writes it."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise wrong("a day is needed", "write it like 2027-03-31, without quotes")


def listed(value: object) -> tuple[object, ...]:
    """A TOML list as a tuple."""
    if not isinstance(value, list):
        raise wrong("a list is needed", 'write it in brackets: ["one", "two"]')
    return tuple(value)


def zone_mistake(text: str) -> tuple[str, str] | None:
    """Why this is not a time zone, and the mend; None when it is one."""
    try:
        ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        return f"there is no time zone {text!r}", _zone_mend(text)
    return None


def _zone_mend(text: str) -> str:
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    near = WINDOWS_TO_OLSON.get(text) or next(iter(get_close_matches(text, available_timezones(), n=1, cutoff=0.8)), "")
    return f"did you mean {near}?" if near else 'use an IANA name such as "Europe/Berlin"'


def _zone(text: str) -> str:
    if said := zone_mistake(text):
        raise wrong(*said)
    return text


def mailbox_mistake(text: str) -> tuple[str, str] | None:
    """Why this cannot be a mailbox in Exchange, and the mend; None when it can."""
    return None if _MAILBOX.match(text) else (f"{text!r} is not a mailbox address", 'write it like "room1@example.com"')


def folder_mistake(text: str) -> tuple[str, str] | None:
    """Why this cannot be a room's folder in a calendar of files, and the mend; None when it can."""
    if text and text == text.strip() and not text.startswith(".") and not re.search(r"[\\/:\x00-\x1f]", text):
        return None
    return (
        f"{text!r} is not the name of a folder",
        "write its name only, without a path; it lies in the calendar's folder",
    )


def _ip(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise wrong(f"{text!r} is not an address", 'write it as "192.0.2.7" or "2001:db8::7"') from None


WEBEX = "webexapis.com"  # the host of the Webex API, unless the settings name another


def host_and_port(address: str) -> tuple[str, int | None]:
    """The host (an IPv6 address without its brackets) and the port, None when none is given. Raises ValueError."""
    found = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?|([^:\[\]/@?#\s]+)(?::([0-9]{1,5}))?", address)
    if not found:
        raise ValueError("not host or host:port")
    host, digits = (found[1], found[2]) if found[1] else (found[3], found[4])
    if found[1]:
        IPv6Address(host)
    elif re.fullmatch(r"[\d.]+", host):
        ip_address(host)
    elif not _HOST.match(host):
        raise ValueError("not a host name")
    port = int(digits) if digits else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError("not a port")
    return host, port


def _address(text: str) -> str:
    try:
        host_and_port(text)
    except ValueError:
        mend = 'write it without https:// and path: "codec.example.com", "192.0.2.7:8443" or "[2001:db8::7]"'
        raise wrong(f"{_without_user(text)!r} is not a host or host:port", mend) from None
    return text


def _without_user(text: str) -> str:
    """What may be repeated of an address: people put passwords before the @."""
    return "..." + text[text.rindex("@") :] if "@" in text else text


def _domain(text: str) -> str:
    lower = text.lower()
    if not _DOMAIN.match(lower):
        raise wrong(f"{text!r} is not a domain", 'write it like "example.com", without @, wildcard or path')
    return lower


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
        parts = urlsplit("")
    if not host or parts.username is not None or parts.query or parts.fragment or parts.scheme not in ("http", "https"):
        why = f"{_without_user(text)!r} is not an address of a server"
        raise wrong(why, 'write it like "https://mail.example.com/path", without user and query')
    if parts.scheme == "http" and host not in ("127.0.0.1", "::1", "localhost"):
        raise wrong("http:// sends passwords in clear", "use https://")
    return text.rstrip("/")


def _database(text: str) -> str:
    """The path of a file, or the url of a PostgreSQL server."""
    if "://" not in text:
        return _text(text)
    try:
        parts = urlsplit(text)
        password, host, _ = parts.password, parts.hostname, parts.port
    except ValueError:
        parts, password, host = urlsplit(""), None, None
    if password is not None:
        raise wrong(
            "a password does not belong into this file",
            'leave it out of the url, and write database_password = "NAME" with the name of a secret',
        )
    if parts.scheme not in ("postgresql", "postgres") or not host or len(parts.path) < 2:
        why = f"{_without_user(text)!r} is not a database that OTD knows"
        raise wrong(why, 'write the path of a file, or "postgresql://otd@db.example.com/otd"')
    return text


def _vhost(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", text):
        raise wrong(f"{text!r} is not a name for a virtual host", 'write it like "otd-relays"')
    return text


def _trust(text: str) -> str:
    word, colon, rest = text.partition(":")
    if text in ("pin", "ca", "plaintext-http") or (word == "ca" and colon and NAME.match(rest)):
        return text
    if word == "sha256" and re.fullmatch(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}", rest):
        return "sha256:" + rest.replace(":", "").lower()
    raise wrong(
        f"{text!r} is not a way to trust a certificate",
        '"pin" (the first one seen), "ca", "ca:NAME" with NAME from [cas], "sha256:" and 64 hexadecimal digits; or '
        '"plaintext-http", which sends the password in clear',
    )


def _mailbox(text: str) -> str:
    if said := mailbox_mistake(text):
        raise wrong(*said)
    return text


def _muted(text: str) -> str:
    if text in CAUSES or re.fullmatch(r"(endpoint|room|calendar|pool|relay|channel):.+", text) or text == "rules":
        return text
    near = get_close_matches(text, CAUSES, n=1)
    mend = f"did you mean {near[0]!r}?" if near else 'write a cause as `otd alerts` shows it, or "endpoint:NAME"'
    raise wrong(f"{text!r} is neither a cause nor a thing", mend)


def _text(text: str) -> str:
    if not text.strip():
        raise wrong("it is empty", "give it a value, or leave the key out")
    return text


Name = Annotated[str, AfterValidator(_name)]
SecretName = Annotated[str, AfterValidator(_secret_name)]
Text = Annotated[str, AfterValidator(_text)]
Label = Annotated[str, AfterValidator(_label)]
Zone = Annotated[str, AfterValidator(_zone)]
Address = Annotated[str, AfterValidator(_address)]
Ip = Annotated[str, AfterValidator(_ip)]
Url = Annotated[str, AfterValidator(_url)]
Database = Annotated[str, AfterValidator(_database)]
Vhost = Annotated[str, AfterValidator(_vhost)]
Trust = Annotated[str, AfterValidator(_trust)]
Domain = Annotated[str, AfterValidator(_domain)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
Mailboxes = Annotated[tuple[Mailbox, ...], BeforeValidator(listed)]
Muted = Annotated[tuple[Annotated[str, AfterValidator(_muted)], ...], BeforeValidator(listed)]
Names = Annotated[tuple[Name, ...], BeforeValidator(listed)]
Domains = Annotated[tuple[Domain, ...], BeforeValidator(listed)]
Hosts = Annotated[dict[Domain, Domain], Strict()]
Partners = Annotated[dict[Domain, Name], Strict()]
LogForm = Literal["console", "json"]


def _network(text: str) -> str:
    try:
        reach_of((text,))
    except ValueError:
        raise wrong(f"{text!r} is not a network", 'write it as "10.20.0.0/16", without host bits') from None
    return text


Networks = Annotated[tuple[Annotated[str, BeforeValidator(_network)], ...], BeforeValidator(listed)]
