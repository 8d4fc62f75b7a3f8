"""Amazon Chime: ten digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otd.invites.hits import Hit, ids_of, together
from otd.invites.invitation import Found, Invitation, Passage, gathered
from otd.invites.site import under

DOMAINS = ("chime.aws", "chime.in")
_PATH = re.compile(r"/(?:meetings/)?([0-9]{10})/?")


def read(invitation: Invitation) -> list[Found]:
    """The Chime meetings of an invitation, one for each number; a personal name in the link is no number."""
    hits = gathered(invitation, _hits)
    named = [hit for hit in hits if hit.key]
    return together("chime", invitation, named or hits, lambda ids, _: "" if "meeting_id" in ids else "link_only")


def _hits(passage: Passage) -> Iterator[Hit]:
    for link in passage.links:
        if link.url.host in ("chime.aws", "app.chime.aws") and len(link.url.path) > 3:
            found = _PATH.fullmatch(link.url.path)
            number = found[1] if found else ""
            ids = ids_of(meeting_id=number)
            yield Hit(passage, link.at, number, ids, link.url.text, wrappers=link.wrappers, detail=link.url.host)
    for one in passage.addresses:
        if under(one.domain, ("chime.in",)) and re.fullmatch(r"[0-9]{10}", one.user):
            ids = ids_of(meeting_id=one.user, domain=one.domain)
            yield Hit(passage, one.at, one.user, ids, sip=f"{one.user}@{one.domain}", detail=one.domain)
