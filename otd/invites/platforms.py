"""The table of platforms. Its order is the precedence among meetings that are trusted alike and stand at one place.

A reader is called only when something in the invitation points to its platform: the domain of a link or of an address,
a hidden property, or a path that links on any host may have. A new platform is one file and one row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from otd.invites import (
    bluejeans,
    chime,
    cms,
    goto,
    interop,
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
from otd.invites.invitation import BODY_LINK, NAMED_FIRST, NO_MEETINGS, Found, Invitation, Signs, joining
from otd.invites.links import WRAPPING


class Platform(NamedTuple):
    """One row. `domains` stand for themselves and all below; where `meetings` are given, their links lead to a meeting
    only if their paths begin so. `paths` is a pattern over what follows a slash or the sign before a parameter in links
    on any host, `schemes` are those of other links, `marks` pieces of text, `begins` how blocks of text can begin."""

    name: str
    read: Callable[[Invitation], list[Found]]
    domains: tuple[str, ...] = ()
    meetings: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    paths: str = ""


PLATFORMS: tuple[Platform, ...] = (
    Platform(
        "teams",
        teams.read,
        domains=(*interop.TEAMS_HOSTS, *(domain for domain, _ in interop.PARTNERS), "www.webex.com", "pexip.me"),
        properties=(
            "skypeteamsmeetingurl",
            "skypeteamsproperties",
            "schedulingserviceupdateurl",
            "onlinemeetingconflink",
        ),
        paths=r"teams/?\?",
    ),
    Platform(
        "skype",
        skype.read,
        domains=(skype.ONLINE,),
        properties=(
            *("onlinemeetingconflink", "onlinemeetingexternallink", "onlinemeetinginternallink"),
            *("ucopenedconferenceid", "onlinemeeting.provider"),
        ),
        marks=(skype.BLOCK_END,),
        begins=(skype.DOTTED,),
        paths=r"sl=1|[mM]eet/|[A-Za-z0-9_.+-]++/[A-Z0-9]{8}(?:\?|$)",
    ),
    Platform(
        "zoom",
        zoom.read,
        domains=(*zoom.HOSTS, *zoom.CONNECTORS),
        meetings=zoom.MEETINGS,  # its recordings and pages with telephone numbers may be many
        schemes=("zoommtg",),
    ),
    Platform("webex", webex.read, domains=webex.DOMAINS),
    Platform("meet", meet.read, domains=meet.DOMAINS),
    Platform("goto", goto.read, domains=goto.DOMAINS),
    Platform("bluejeans", bluejeans.read, domains=bluejeans.DOMAINS),
    Platform("lifesize", lifesize.read, domains=lifesize.DOMAINS),
    Platform("starleaf", starleaf.read, domains=starleaf.DOMAINS),
    Platform("chime", chime.read, domains=chime.DOMAINS),
    Platform("cms", cms.read, paths=cms.PATHS),
    Platform("pexip", pexip.read, schemes=("pexip",), paths=pexip.PATHS),
    *(Platform(kind.name, linkonly.reader(kind), domains=kind.domains) for kind in linkonly.KINDS),
)
LAST_RESORT = Platform("sip", plain.read)


def _links(leading: list[str]) -> re.Pattern[str]:
    """What a link that may point to a platform looks like behind its scheme: by the domain, by how the host begins, or
    by a piece of the path; none of those that never lead to a meeting."""
    never = "|".join(re.escape(one.removeprefix("https")) for one in NO_MEETINGS if one.startswith("https:"))
    paths = "|".join(row.paths for row in PLATFORMS if row.paths)
    piece, hosts = r"[^\s<>\"/?&]*+[/?&]", "|".join(map(re.escape, NAMED_FIRST))
    return re.compile(
        rf"(?!{never})://(?:(?:[A-Za-z0-9-]++\.){{0,6}}?(?:{'|'.join(leading)}|google\.)|{hosts}|(?:{piece}(?!{paths}))*+{piece}"
        r"|(?<![tT][pP]://)(?<![tT][pP][sS]://))"
    )


def _signs() -> Signs:
    domains: dict[str, set[str]] = {}
    properties: dict[str, set[str]] = {}
    leading = [re.escape(domain) for domain in WRAPPING]
    for platform in PLATFORMS:
        begin = f"(?:{'|'.join(map(re.escape, platform.meetings))})" if platform.meetings else ""
        for domain in platform.domains:
            domains.setdefault(domain, set()).add(platform.name)
            leading.append(re.escape(domain) + begin)
        for name in platform.properties:
            properties.setdefault(name, set()).add(platform.name)
    return Signs(
        domains={domain: frozenset(names) for domain, names in domains.items()},
        properties={name: frozenset(names) for name, names in properties.items()},
        paths=re.compile(f"[/?&](?:{'|'.join(f'(?P<{row.name}>{row.paths})' for row in PLATFORMS if row.paths)})"),
        links=_links(leading),
        schemes={scheme: row.name for row in PLATFORMS for scheme in row.schemes},
        marks={mark: row.name for row in PLATFORMS for mark in row.marks},
        addresses=re.compile(
            rf"@(?:(?<=[0-9]{{5}}@)|(?<=teams@)|{plain.ROOM_SIGN}"
            rf"|(?=(?:[a-z0-9-]+\.){{0,6}}?(?:{'|'.join(map(re.escape, domains))})))"
        ),
        marked=plain.MARKED,
        begins=tuple(begin for row in PLATFORMS for begin in row.begins),
        known=tuple(domains),
        meetings={frozenset((row.name,)): row.meetings for row in PLATFORMS if row.meetings},
    )


SIGNS = _signs()
_ROWS = {platform.name: row for row, platform in enumerate(PLATFORMS)}


def read(invitation: Invitation) -> list[Found]:
    """Every meeting that any platform's reader finds, in the order of the table."""
    found: list[Found] = []
    for row in sorted([_ROWS[name] for name in invitation.platforms]):
        found += PLATFORMS[row].read(invitation)
    found += _opaque(invitation, found)
    found += LAST_RESORT.read(invitation)
    return found


def _opaque(invitation: Invitation, known: list[Found]) -> list[Found]:
    """Links whose wrapper cannot be undone but names the host: the platform is known then, and nothing else."""
    found: list[Found] = []
    for passage in invitation.passages:
        for link in passage.links:
            if not link.guess:
                continue
            name = min(SIGNS.of_host(link.guess), default="")
            if name and not any(one.join.platform == name for one in (*known, *found)):
                evidence = passage.evidence("body_link", link.guess, link.wrappers)
                join = joining(name, (), (evidence,), "wrapped_opaque", url=link.url.text)
                found.append(Found(join, passage.trust(BODY_LINK), passage.at + link.at, link.url.text))
    return found
