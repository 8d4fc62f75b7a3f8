"""Links: taken apart, and unwrapped from what mail filters put around them, each step recorded.

The shapes are public: Safe Links, Proofpoint URL Defense v1 to v3, Google's redirect, Barracuda Link Protection,
Cisco Secure Email, Symantec, FireEye and Trellix, Trend Micro, Sophos. Mimecast keeps the address on its own server, so
only the host that it names is known. Nothing is ever fetched.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

_MAX_PASSES = 10
_MAX_LENGTH = 8_192
_PORT = re.compile(r":[0-9]*$")
_ESCAPES = (*tuple((f"%{ord(char):02X}", char) for char in ':/?=&,{}"@|'), ("%3a", ":"), ("%2f", "/"))
new = tuple.__new__
"""Makes a NamedTuple of all its values in half the time that a call of its class takes: a body has a dozen of them."""


class Url(NamedTuple):
    """An http or https address in parts: host in lower case without port, the rest as written."""

    text: str
    host: str
    path: str
    query: str
    fragment: str

    def param(self, name: str) -> str:
        """The first value of a query parameter, decoded; "" when it is not there."""
        return parameter(self.query, name)


class Link(NamedTuple):
    """A link as it was found, after unwrapping. `guess` is the host behind a wrapper that cannot be undone."""

    url: Url
    at: int
    wrappers: tuple[str, ...] = ()
    guess: str = ""


def unquoted(text: str) -> str:
    """Percent-decoded. Addresses within addresses have few kinds of escapes, which are replaced one kind after the
    other in a third of the time; what has others goes the long way."""
    if "%" not in text:
        return text
    found = text
    for escape, char in _ESCAPES:
        found = found.replace(escape, char)
    left = found.count("%")
    if left and found.count("%25") != left:
        return unquote(text)
    return found.replace("%25", "%") if left else found


def parameter(query: str, name: str) -> str:
    """The first value of a parameter in a query string, percent-decoded; names are compared without case."""
    if "&amp;" in query:
        query = query.replace("&amp;", "&")
    for pair in query.split("&", 64)[:64]:
        key, _, value = pair.partition("=")
        if key == name or key.lower() == name:
            return unquoted(value)
    return ""


def url(text: str) -> Url | None:
    """Take an address apart; None when it is not http(s), has a user part (which hides the host) or is too long."""
    if len(text) > _MAX_LENGTH:
        return None
    if text.startswith("https://"):
        rest = text[8:]
    else:
        scheme, _, rest = text.partition(":/")
        if scheme.lower() not in ("https", "http"):
            return None
        rest = rest.removeprefix("/")
    if "\\" in rest:
        rest = rest.partition("\\")[0]
    rest, _, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    host, slash, path = rest.partition("/")
    if not host or "@" in host or len(host) > 260:
        return None
    if ":" in host:
        host = _PORT.sub("", host)
    return new(Url, (text, host.rstrip(".").lower(), slash + path, query, fragment))


def _by(*names: str) -> Callable[[Url], str]:
    """A wrapper that carries the address in one of these parameters."""

    def inner(link: Url) -> str:
        for name in names:
            if (value := parameter(link.query, name))[:4].lower() == "http":
                return value
        return ""

    return inner


def _google(link: Url) -> str:
    return _by("q", "url")(link) if link.path == "/url" else ""


def _teams_safe_links(link: Url) -> str:
    return _by("url")(link) if "safelinks" in link.path else ""


def _cisco(link: Url) -> str:
    return unquote(link.path.rpartition("/")[2])


def _sophos(link: Url) -> str:
    return _base64(link.param("u")).decode("utf-8", "replace")


def _proofpoint(link: Url) -> str:
    if "/v3/__" in link.path:
        return _proofpoint_v3(link.text)
    if link.path.startswith("/v2/"):
        return unquote(link.param("u").replace("-", "%").replace("_", "/"))
    return link.param("u") if link.path.startswith("/v1/") else ""


_RUNS = {c: n + 2 for n, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")}
_V3_TOKEN = re.compile(r"\*(?:\*(.))?")


def _proofpoint_v3(text: str) -> str:
    """Each * stands for one of the characters kept in base64 at the end, **c for a run of them."""
    inner, end, rest = text.partition("/v3/__")[2].rpartition("__;")
    if not end:
        return text.partition("/v3/__")[2].rstrip("_")
    kept = _base64(rest.partition("!")[0]).decode("utf-8", "replace")
    used = 0

    def put_back(token: re.Match[str]) -> str:
        nonlocal used
        run = _RUNS.get(token[1], 1) if token[1] else 1
        piece = kept[used : used + run]
        used += run
        return piece or token[0]

    return re.sub(r"^(https?):/(?!/)", r"\1://", _V3_TOKEN.sub(put_back, inner))


def _base64(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except ValueError:
        return b""


def _teams_launcher(link: Url) -> str:
    """The page that asks "open Teams?" carries the path of the real link."""
    if not link.path.startswith("/dl/launcher/"):
        return ""
    path = link.param("url").replace("/_#/", "/", 1)
    return f"https://{link.host}{path}" if path.startswith("/") else ""


class _Wrapper(NamedTuple):
    name: str
    domain: str  # itself and everything below it
    inner: Callable[[Url], str]


_U = _by("u", "url")
_TABLE = (
    _Wrapper("safelinks", "safelinks.protection.outlook.com", _by("url")),
    _Wrapper("safelinks", "safelinks.protection.office365.us", _by("url")),
    _Wrapper("safelinks", "safelinks.outlook.microsoft.com", _by("url")),
    _Wrapper("safelinks", "statics.teams.cdn.office.net", _teams_safe_links),
    _Wrapper("safelinks", "statics.teams.microsoft.com", _teams_safe_links),
    _Wrapper("proofpoint", "urldefense.com", _proofpoint),
    _Wrapper("proofpoint", "urldefense.us", _proofpoint),
    _Wrapper("proofpoint", "urldefense.proofpoint.com", _proofpoint),
    _Wrapper("barracuda", "linkprotect.cudasvc.com", _by("a")),
    _Wrapper("cisco", "secure-web.cisco.com", _cisco),
    _Wrapper("symantec", "clicktime.symantec.com", _U),
    _Wrapper("symantec", "clicktime.cloud.postoffice.net", _U),
    _Wrapper("fireeye", "fireeye.com", _U),
    _Wrapper("trend", "trendmicro.com", _by("url", "u")),
    _Wrapper("sophos", "protection.sophos.com", _sophos),
    _Wrapper("teams-launcher", "teams.microsoft.com", _teams_launcher),
    _Wrapper("teams-launcher", "teams.live.com", _teams_launcher),
    _Wrapper("teams-launcher", "teams.microsoft.us", _teams_launcher),
    _Wrapper("teams-launcher", "teams.cloud.microsoft", _teams_launcher),
)
_OPAQUE = ("mimecast.com", "mimecastprotect.com")
WRAPPING = (*(wrapper.domain for wrapper in _TABLE), *_OPAQUE)  # every domain whose links have another one inside
_WRAPPERS = {wrapper.domain: wrapper for wrapper in _TABLE}
_GOOGLE = re.compile(r"(?:www\.)?google\.(?:[a-z]{2,3}|com?\.[a-z]{2})")
_GOOGLE_WRAPPER = _Wrapper("google", "", _google)


def _wrapper(host: str) -> _Wrapper | None:
    """The row for a host: the longest domain that it lies under."""
    rest = host if host.endswith(WRAPPING) else ""
    while rest:
        if rest in _WRAPPERS:
            return _WRAPPERS[rest]
        rest = rest.partition(".")[2]
    return _GOOGLE_WRAPPER if "google." in host and _GOOGLE.fullmatch(host) else None


def unwrap(text: str, at: int) -> Link | None:
    """The link inside every wrapper around it, at most ten deep; None when it is no http(s) address at all."""
    if text.startswith("msteams:"):
        text = "https://teams.microsoft.com/" + text[8:].lstrip("/")
    link = url(text)
    if link is None:
        return None
    steps: tuple[str, ...] = ()
    while len(steps) < _MAX_PASSES and (wrapper := _wrapper(link.host)):
        inside = wrapper.inner(link)
        inner = url(inside) if inside and inside != link.text else None
        if inner is None:
            break
        steps += (wrapper.name,)
        link = inner
    if link.host.endswith(_OPAQUE):
        return Link(link, at, (*steps, "mimecast"), link.param("domain").lower() or "?")
    return new(Link, (link, at, steps, ""))
