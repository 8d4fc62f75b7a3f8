"""Which addresses may be connected to on behalf of an endpoint. Where the deliveries of a stolen or deceived centre
could point a relay, its own setting is the limit.

`confined` holds for the calling thread, so that it covers every driver, whatever it opens its connections with, as long
as that is `otd.tunnel.connect`. Addresses are judged after names were resolved, at the moment of connecting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from otd.errors import Denied

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")  # RFC 1918, RFC 4193
_METADATA = tuple(map(ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
_reach: ContextVar[Reach | None] = ContextVar("reach", default=None)


@dataclass(frozen=True, slots=True)
class Reach:
    """These networks; of them never this machine itself, link-local addresses or the metadata services of clouds. In a
    `lab` this machine is where the endpoints are."""

    networks: tuple[IPv4Network | IPv6Network, ...]
    lab: bool = False

    def allows(self, address: str) -> bool:
        """Whether it may be connected to."""
        found = ip_address(address.partition("%")[0])
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        if self.lab and found.is_loopback:
            return True
        if found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast:
            return False
        return found not in _METADATA and any(found in network for network in self.networks)


def reach_of(networks: tuple[str, ...], *, lab: bool = False) -> Reach:
    """From networks as they are written. Raises ValueError."""
    return Reach(tuple(ip_network(network) for network in networks), lab)


@contextmanager
def confined(reach: Reach | None) -> Iterator[None]:
    """While this runs, this thread connects to nothing else; None: to anything."""
    token = _reach.set(reach)
    try:
        yield
    finally:
        _reach.reset(token)


def must_allow(host: str, address: str) -> None:
    """Raises Denied when this thread may not connect to there."""
    reach = _reach.get()
    if reach is not None and not reach.allows(address):
        named = f"{host} ({address})" if host != address else address
        mend = "if it is right, add its network to [reach] networks in this relay's relay.toml"
        raise Denied(named, "it lies outside of what this relay may reach", mend, reason="reach")
