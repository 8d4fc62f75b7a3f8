"""What a site adds to what every installation knows about platforms and partners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The hosts and domains that belong to this organisation; everything in lower case, no trailing dots.

    A domain stands for itself and everything below it. Tuples of pairs, so that the value can be hashed.
    """

    own_domains: tuple[str, ...] = ()
    allowed_domains: tuple[str, ...] = ()  # others' domains that the site dials: their hosts are believed too
    partner_domains: tuple[tuple[str, str], ...] = ()  # domain -> partner, e.g. ("video.example.com", "poly")
    skype_hosts: tuple[str, ...] = ()  # hosts of Skype for Business simple URLs, beside meet.lync.com
    pexip_hosts: tuple[str, ...] = ()  # conferencing nodes: web app and "more info" addresses
    cms_hosts: tuple[tuple[str, str], ...] = ()  # Cisco Meeting Server: web host -> SIP domain
    meet_domain: str = ""  # where a SIP gateway for Google Meet answers

    def believes(self, host: str) -> bool:
        """Whether a host is the site's own, or one that it has opened by name."""
        partners = [domain for domain, _ in self.partner_domains]
        return host in self.pexip_hosts or under(host, (*self.own_domains, *self.allowed_domains, *partners))


def under(host: str, domains: Sequence[str]) -> bool:
    """Whether a host is one of these domains or lies below one."""
    for domain in domains:  # noqa: SIM110, a generator takes longer than all that it compares
        if host.endswith(domain) and (host == domain or host.endswith("." + domain)):
            return True
    return False
