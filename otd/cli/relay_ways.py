"""A way from this machine to a host and port, opened step by step: name, connection (perhaps through a proxy), TLS."""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from otd.errors import OtdError
from otd.outbound import Deadline
from otd.tunnel import Proxy, connect

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

WITHIN = timedelta(seconds=8)  # for one step
SOON = timedelta(days=14)  # a certificate that ends within is pointed out
Result = Literal["ok", "warn", "FAIL", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step: what was tried, the result; and when it is not ok whether things work without it, what follows from it,
    and what to do, which may be a rule for a firewall or a proxy."""

    way: str  # "centre", "broker", "clock", "face", "feedback", "endpoint NAME"
    step: str  # "DNS", "TCP", ...
    result: Result
    found: str
    works_without: bool = True
    consequence: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to be tried: where to, whether all depends on it, and what follows when it is closed."""

    name: str
    host: str
    port: int
    needed: bool
    consequence: str
    proxy: Proxy | None
    context: ssl.SSLContext = field(repr=False)

    @property
    def through(self) -> Proxy | None:
        """The proxy, when it serves this way."""
        return self.proxy if self.proxy is not None and self.proxy.serves(self.host, self.port) else None

    def line(self, step: str, result: Result, found: str, mend: str = "") -> Line:
        bad = result in ("FAIL", "warn")
        return Line(
            way=self.name,
            step=step,
            result=result,
            found=found,
            works_without=not self.needed,
            consequence=self.consequence if bad else "",
            mend=mend,
        )

    def rule(self, addresses: tuple[str, ...] = ()) -> str:
        """The rule that a firewall is to have."""
        known, here = f" ({', '.join(addresses)})" if addresses else "", own_address(*addresses[:1])
        return f"add a rule to the firewall: allow TCP from {here} to {self.host}:{self.port}{known}"


def opened(way: Way, *, tls: bool = True) -> tuple[list[Line], Certificate | None]:
    """The lines of name, connection (perhaps through the proxy) and TLS; the certificate that is shown, when it is
    trusted."""
    lines: list[Line] = []
    addresses: tuple[str, ...] = ()
    if way.through is None:
        addresses, line = _resolved(way)
        lines.append(line)
        if line.result == "FAIL":
            return lines, None
    else:
        lines.append(way.line("DNS", "skip", f"{way.host} is resolved by the proxy"))
    sock, line = _connected(way, addresses)
    lines.append(line)
    if sock is None:
        return lines, None
    if not tls:
        sock.close()
        mend = "use amqps:// in the secret of [bus] broker"
        lines.append(way.line("TLS", "warn", "not used: only for a laboratory", mend))
        return lines, None
    shown, line = _secured(way, sock)
    return [*lines, line], shown


def _resolved(way: Way) -> tuple[tuple[str, ...], Line]:
    with ThreadPoolExecutor(1) as thread:  # the resolver knows no deadline
        asked = thread.submit(socket.getaddrinfo, way.host, way.port, type=socket.SOCK_STREAM)
        try:
            found = asked.result(timeout=WITHIN.total_seconds())
        except TimeoutError:
            mend = "allow DNS from this machine (UDP and TCP 53), or set the right server"
            return (), way.line("DNS", "FAIL", "the name server does not answer", mend)
        except OSError as error:
            mend = f"does this site know the name? Ask its name server: dig {way.host}"
            return (), way.line("DNS", "FAIL", f"{way.host} cannot be resolved ({error.strerror})", mend)
    addresses = tuple(dict.fromkeys(str(one[4][0]) for one in found))
    return addresses, way.line("DNS", "ok", f"{way.host} is {', '.join(addresses[:4])}")


def _connected(way: Way, addresses: tuple[str, ...]) -> tuple[socket.socket | None, Line]:
    step = "proxy" if way.through else "TCP"
    try:
        sock = connect(way.host, way.port, left=Deadline.after(WITHIN).remaining, proxy=way.proxy)
    except OtdError as error:
        return None, way.line(step, "FAIL", f"{error.where}: {error.why}", error.mend)
    except ConnectionRefusedError:
        why = f"{way.host}:{way.port} refuses connections"
        return None, way.line(step, "FAIL", why, f"is it listening there? Else {way.rule(addresses)}")
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else (error.strerror or "no connection").lower()
        return None, way.line(step, "FAIL", f"{way.host}:{way.port}: {why}", way.rule(addresses))
    proxy = way.through
    found = f"{way.host}:{way.port} through {proxy.where}" if proxy else f"{way.host}:{way.port} is open"
    return sock, way.line(step, "ok", found)


def _secured(way: Way, sock: socket.socket) -> tuple[Certificate | None, Line]:
    from cryptography import x509

    try:
        sock.settimeout(WITHIN.total_seconds())
        with way.context.wrap_socket(sock, server_hostname=way.host) as secured:
            shown = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
            version = secured.version()
    except ssl.SSLCertVerificationError as error:
        return None, _untrusted(way, error.verify_message)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = "TLS is broken off: is something in between, or is this another service?"
        mend = f"except {way.host}:{way.port} from inspection at firewall and proxy"
        reason = getattr(error, "reason", None) or "connection closed"
        return None, way.line("TLS", "FAIL", f"{why} ({reason})", mend)
    finally:
        sock.close()
    left = shown.not_valid_after_utc - datetime.now(UTC)
    found = f"{version}, certificate of {issuer_of(shown.issuer)}, good for {left.days} days"
    if left < SOON:
        return shown, way.line("TLS", "warn", found, "renew the certificate at the centre")
    return shown, way.line("TLS", "ok", found)


def _untrusted(way: Way, why: str) -> Line:
    """Who signed what is shown instead."""
    shown = _shown_anyway(way)
    who = f"; it is signed by {issuer_of(shown.issuer)}" if shown is not None else ""
    mend = (
        "if that is your own CA, name its file in [relay] ca; if it is that of a firewall or proxy, it re-signs TLS: "
    )
    return way.line(
        "TLS", "FAIL", f"its certificate is not trusted ({why}){who}", f"{mend}except {way.host}:{way.port}"
    )


def _shown_anyway(way: Way) -> Certificate | None:
    """The certificate that is shown, whoever vouches for it. Nothing is sent."""
    from cryptography import x509

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        sock = connect(way.host, way.port, left=Deadline.after(WITHIN).remaining, proxy=way.proxy)
        sock.settimeout(WITHIN.total_seconds())
        with sock, context.wrap_socket(sock, server_hostname=way.host) as secured:
            return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
    except (OSError, OtdError, ValueError):
        return None


def trusting(ca_file: str, ca_pem: str = "") -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or None, cadata=ca_pem or None)


def issuer_of(name: object) -> str:
    """A certificate's issuer as people know it: its common name, else all of it."""
    from cryptography.x509 import Name
    from cryptography.x509.oid import NameOID

    if not isinstance(name, Name):
        return "somebody"
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def own_address(towards: str = "") -> str:
    """This machine's address on the way to that one. Nothing is sent."""
    with socket.socket(socket.AF_INET6 if ":" in towards else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((towards, 9))
            return str(sock.getsockname()[0])
        except OSError:
            return "this machine"
