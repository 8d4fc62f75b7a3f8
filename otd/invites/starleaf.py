"""StarLeaf: an id at the organisation's domain. A link alone does not say the organisation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otd.invites.hits import Hit, ids_of, together
from otd.invites.invitation import Found, Invitation, Passage, gathered
from otd.invites.site import under

DOMAINS = ("starleaf.com", "call.sl")
_PATH = re.compile(r"/([0-9]{6,12})/?(?:app/?)?")
_USER = re.compile(r"[A-Za-z0-9._-]{3,60}")


def read(invitation: Invitation) -> list[Found]:
    """The StarLeaf meetings of an invitation, one for each id."""
    hits = gathered(invitation, _hits)
    return together("starleaf", invitation, hits, lambda ids, _: "link_only")


def _hits(passage: Passage) -> Iterator[Hit]:
    for link in passage.links:
        found = _PATH.fullmatch(link.url.path) if link.url.host == "meet.starleaf.com" else None
        if found:
            ids = ids_of(meeting_id=found[1])
            yield Hit(passage, link.at, found[1], ids, link.url.text, wrappers=link.wrappers, detail=link.url.host)
    for one in passage.addresses:
        if under(one.domain, ("call.sl",)) and _USER.fullmatch(one.user):
            ids = ids_of(meeting_id=one.user, domain=one.domain)
            yield Hit(passage, one.at, one.user, ids, sip=f"{one.user}@{one.domain}", detail=one.domain)
