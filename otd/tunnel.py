"""TCP connections, straight or through an HTTP proxy (CONNECT, RFC 9110 section 9.3.6), with one deadline.

What a proxy answers is told apart: it wants credentials, refuses them, does not let anyone through to that address, or
cannot reach it itself. Those errors have the reason "proxy".
"""

from __future__ import annotations

import re
import socket
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from otd.errors import BadSetting, Denied, Garbled, OtdError, Unreachable, Unsupported
from otd.reach import must_allow

PROXY = "proxy"  # the reason of errors that are the proxy's
_LONGEST_HEAD = 16 * 1024
Left = Callable[[], float]
"""How many seconds are left of the call. Raises TimeoutError when there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy, and the hosts that are reached without it: names with all that is below them, addresses, networks,
    each perhaps with a port; "*" for all."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    bypass: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """For messages."""
        return f"proxy {self.host}:{self.port}"

    def serves(self, host: str, port: int) -> bool:
        """Whether a connection to there goes through it."""
        return not any(_matches(entry, host.rstrip(".").casefold(), port) for entry in self.bypass)


def proxy_at(url: str, *, where: str, bypass: str = "") -> Proxy:
    """The proxy of a url like http://proxy.example.com:3128, perhaps with user:password@. Raises BadSetting, never with
    the url, which may hold a password. `bypass` is written as in NO_PROXY, with commas or blanks between."""
    mend = "write it like http://proxy.example.com:3128"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadSetting(where, "it is not the url of a proxy", mend) from None
    if parts.scheme != "http":
        raise BadSetting(where, f"a proxy is spoken to by http, not by {parts.scheme[:20]}", mend)
    if not host or parts.path not in ("", "/"):
        raise BadSetting(where, "it is not the url of a proxy", mend)
    return Proxy(
        host=host,
        port=port or 3128,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        bypass=tuple(filter(None, re.split(r"[,\s]+", bypass.casefold()))),
    )


def connect(host: str, port: int, *, left: Left, proxy: Proxy | None = None) -> socket.socket:
    """A TCP connection to there. Raises OSError as the socket does, or what the proxy answers as an OtdError."""
    if proxy is None or not proxy.serves(host, port):
        return _dial(host, port, left)
    try:
        sock = _dial(proxy.host, proxy.port, left)
    except TimeoutError:
        raise Unreachable(proxy.where, "it does not answer in time", _MEND, reason=PROXY) from None
    except OSError as error:
        raise Unreachable(proxy.where, _in_words(error), _MEND, reason=PROXY) from None
    try:
        _ask(sock, host, port, proxy, left)
    except BaseException:
        sock.close()
        raise
    return sock


_MEND = "is its address right, and may this machine reach it?"


def _dial(host: str, port: int, left: Left) -> socket.socket:
    failure: OSError = OSError("no address")
    for family, kind, number, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        must_allow(host, str(address[0]))
        sock = socket.socket(family, kind, number)
        try:
            sock.settimeout(left())
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            failure = error
            if isinstance(error, TimeoutError):
                break
    raise failure


def _ask(sock: socket.socket, host: str, port: int, proxy: Proxy, left: Left) -> None:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.username:
        said = b64encode(f"{proxy.username}:{proxy.password}".encode()).decode("ascii")
        lines.append(f"Proxy-Authorization: Basic {said}")
    try:
        sock.settimeout(left())
        sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        head = _head(sock, proxy, left)
    except TimeoutError:
        raise Unreachable(proxy.where, f"no answer in time to CONNECT {target}", reason=PROXY) from None
    except OSError:
        raise Unreachable(proxy.where, f"it cut the connection at CONNECT {target}", reason=PROXY) from None
    found = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if found is None:
        raise Garbled(proxy.where, "its answer is not HTTP", "is this the address of a proxy?", reason=PROXY)
    if not 200 <= int(found[1]) < 300:
        raise _refusal(int(found[1]), head, target, proxy)


def _head(sock: socket.socket, proxy: Proxy, left: Left) -> bytes:
    """The answer's head, and not a byte more: what follows belongs to whoever is behind the proxy."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        sock.settimeout(left())
        byte = sock.recv(1)
        if not byte:
            raise ConnectionResetError
        head += byte
        if len(head) > _LONGEST_HEAD:
            raise Garbled(proxy.where, "its answer has no end", reason=PROXY)
    return bytes(head)


def _refusal(status: int, head: bytes, target: str, proxy: Proxy) -> OtdError:
    kind: type[OtdError] = Denied
    if status == 407:
        offered = {
            one.lower().decode("ascii") for one in re.findall(rb"(?im)^proxy-authenticate:\s*([a-z0-9-]+)", head)
        }
        mend = "set username and password under [proxy]"
        why = f"it refuses the credentials of {proxy.username}" if proxy.username else "it asks for credentials"
        if offered and "basic" not in offered:
            kind, why = Unsupported, f"it wants credentials by {', '.join(sorted(offered))}, and only Basic is spoken"
            mend = f"let it accept Basic from this machine, or allow {target} without credentials"
    elif status in (502, 503, 504):
        kind, why = Unreachable, f"it cannot reach {target}"
        mend = f"can the proxy itself reach {target}? Does it know the name?"
    else:
        why = f"it does not let anyone through to {target}"
        mend = f"add a rule to the proxy: allow CONNECT from this machine to {target}"
    return kind(proxy.where, f"{why} ({status})", mend, reason=PROXY)


def _in_words(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, ConnectionRefusedError):
        return "it refuses connections"
    return (error.strerror or "it cannot be reached").lower()


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, _, its_port = entry.rpartition(":") if re.search(r"[^:]:\d+$", entry) else (entry, "", "")
    if its_port and int(its_port) != port:
        return False
    name = name.strip("[]")
    try:
        return ip_address(host.strip("[]")) in ip_network(name, strict=False)
    except ValueError:
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
