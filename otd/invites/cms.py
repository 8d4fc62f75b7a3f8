"""Cisco Meeting Server (once Acano): an id in the web address; its SIP domain stands in the text or in the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otd.invites.hits import Hit, by_user, ids_of, together
from otd.invites.invitation import Found, Invitation, Passage, gathered
from otd.invites.links import Url

PATHS = "secret="
_MEETING = re.compile(r"/(?:[a-z]{2}-[A-Z]{2}/)?meeting/([0-9]{3,16})/?")
_QUERY_PATHS = ("/invited.sf", "/index.html", "/guest.html", "/")
_ID = re.compile(r"[0-9]{3,16}")


def read(invitation: Invitation) -> list[Found]:
    """The meetings of an invitation on any Cisco Meeting Server, one for each id."""
    servers = dict(invitation.site.cms_hosts)
    hits = gathered(invitation, lambda passage: _hits(passage, servers))
    return together("cms", invitation, hits, lambda ids, _: "" if "domain" in ids else "link_only")


def _id_of(url: Url) -> str:
    """The id in a web address: both forms carry a secret beside it, which other sites' addresses do not."""
    if not url.param("secret"):
        return ""
    if found := _MEETING.fullmatch(url.path):
        return found[1]
    number = url.param("id") if url.path in _QUERY_PATHS else ""
    return number if _ID.fullmatch(number) else ""


def _hits(passage: Passage, servers: dict[str, str]) -> Iterator[Hit]:
    stated = by_user(passage.addresses)
    for link in passage.links:
        number = _id_of(link.url)
        if not number:
            continue
        ids = ids_of(meeting_id=number, site=link.url.host, domain=servers.get(link.url.host))
        yield Hit(passage, link.at, number, ids, link.url.text, wrappers=link.wrappers, detail=link.url.host)
        for one in stated.get(number, ()):
            ids = ids_of(meeting_id=number, domain=one.domain)
            yield Hit(passage, one.at, number, ids, sip=f"{one.user}@{one.domain}", detail=one.domain)
