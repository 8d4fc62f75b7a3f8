"""The table of platforms. Its order is the precedence among meetings that are trusted alike and stand at one place.

A reader is called only when something in the invitation points to its platform: the domain of a link or of an address,
a hidden property, or a path that any host may have. A new platform is one file and one row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from otd.invites import (
    bluejeans,
    chime,
    cms,
    goto,
    lifesize,
    linkonly,
    meet,
    pexip,
    plain,
    skype,
    starleaf,
    teams,
    webex,
    zoom,
)
from otd.invites.invitation import BODY_LINK, Found, Invitation
from otd.invites.site import Site
from otd.model import JoinInfo


class Platform(NamedTuple):
    """One row. `domains` stand for themselves and all below; `marks` are pieces of text, `paths`
    pieces of any web link, `schemes` beginnings of any other link."""

    name: str
    read: Callable[[Invitation], list[Found]]
    domains: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


PLATFORMS: tuple[Platform, ...] = (
    Platform(
        "teams",
        teams.read,
        domains=(*teams.HOSTS, "plcm.vc", "m.webex.com", "www.webex.com", "pexip.me", "onpexip.com", "teams.bjn.vc"),
        properties=(
            "skypeteamsmeetingurl",
            "skypeteamsproperties",
            "schedulingserviceupdateurl",
            "onlinemeetingconflink",
        ),
        paths=("/teams/?", "/teams?"),
    ),
    Platform(
        "skype",
        skype.read,
        domains=(skype.ONLINE, "plcm.vc"),
        properties=(
            *("onlinemeetingconflink", "onlinemeetingexternallink", "onlinemeetinginternallink"),
            *("ucopenedconferenceid", "onlinemeeting.provider"),
        ),
        marks=("[!OC([",),
        paths=("sl=1", "//meet.", "//join.", "//lync."),
    ),
    Platform("zoom", zoom.read, domains=(*zoom.HOSTS, *zoom.CONNECTORS), schemes=("zoommtg:",)),
    Platform("webex", webex.read, domains=webex.DOMAINS),
    Platform("meet", meet.read, domains=meet.DOMAINS),
    Platform("goto", goto.read, domains=goto.DOMAINS),
    Platform("bluejeans", bluejeans.read, domains=bluejeans.DOMAINS),
    Platform("lifesize", lifesize.read, domains=lifesize.DOMAINS),
    Platform("starleaf", starleaf.read, domains=starleaf.DOMAINS),
    Platform("chime", chime.read, domains=chime.DOMAINS),
    Platform("cms", cms.read, paths=cms.PATHS),
    Platform("pexip", pexip.read, schemes=("pexip:",), paths=pexip.PATHS),
    *(Platform(kind.name, linkonly.reader(kind), domains=kind.domains) for kind in linkonly.KINDS),
)
LAST_RESORT = Platform("sip", plain.read)


def _by_domain() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for platform in PLATFORMS:
        for domain in platform.domains:
            found.setdefault(domain, set()).add(platform.name)
    return {domain: frozenset(names) for domain, names in found.items()}


_BY_DOMAIN = _by_domain()


def _of_host(host: str) -> frozenset[str]:
    """The platforms that a host points to, by the longest domain that it lies under."""
    rest = host
    while rest:
        if rest in _BY_DOMAIN:
            return _BY_DOMAIN[rest]
        rest = rest.partition(".")[2]
    return frozenset()


def _of_site(host: str, site: Site) -> set[str]:
    """The platforms that the site says a host is of."""
    named = {"skype": host in site.skype_hosts}
    return {name for name, is_named in named.items() if is_named}


def pointed_to(invitation: Invitation) -> set[str]:
    """The names of the platforms that anything in the invitation points to."""
    names: set[str] = set()
    hosts = {link.url.host for passage in invitation.passages for link in passage.links}
    hosts.update(one.domain for passage in invitation.passages for one in passage.addresses)
    for host in hosts:
        names |= _of_host(host)
        names |= _of_site(host, invitation.site)
    for platform in PLATFORMS:
        if platform.name not in names and _hints(platform, invitation):
            names.add(platform.name)
    return names


def _hints(platform: Platform, invitation: Invitation) -> bool:
    if any(name in invitation.properties for name in platform.properties):
        return True
    return any(
        any(mark in passage.text for mark in platform.marks)
        or any(path in link.url.text for path in platform.paths for link in passage.links)
        or any(raw.address.startswith(platform.schemes) for raw in passage.others if platform.schemes)
        for passage in invitation.passages
    )


def read(invitation: Invitation) -> list[Found]:
    """Every meeting that any platform's reader finds, in the order of the table."""
    names = pointed_to(invitation)
    found = [one for platform in PLATFORMS if platform.name in names for one in platform.read(invitation)]
    found += _opaque(invitation, {one.join.platform for one in found})
    return found + LAST_RESORT.read(invitation)


def _opaque(invitation: Invitation, known: set[str]) -> list[Found]:
    """Links whose wrapper cannot be undone but names the host: the platform is known then, and nothing else."""
    found: dict[str, Found] = {}
    for passage in invitation.passages:
        for link in passage.links:
            if not link.guess:
                continue
            name = min(_of_host(link.guess), default="")
            if name and name not in known and name not in found:
                evidence = passage.evidence("body_link", link.guess, link.wrappers)
                join = JoinInfo(platform=name, join_url=link.url.text, evidence=(evidence,), reason="wrapped_opaque")
                found[name] = Found(join, passage.trust(BODY_LINK), passage.at + link.at, link.url.text)
    return list(found.values())
