"""Lifesize: an extension at its cloud."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otd.invites.hits import Hit, ids_of, together
from otd.invites.invitation import Found, Invitation, Passage, gathered
from otd.invites.site import under

DOMAINS = ("lifesizecloud.com", "lifesize.com")
_PATH = re.compile(r"/([0-9]{4,12})/?")
_USER = re.compile(r"[0-9]{4,12}(?:#[0-9]{1,12})?")


def read(invitation: Invitation) -> list[Found]:
    """The Lifesize meetings of an invitation, one for each extension."""
    return together("lifesize", invitation, gathered(invitation, _hits), lambda ids, _: "")


def _hits(passage: Passage) -> Iterator[Hit]:
    for link in passage.links:
        found = (
            _PATH.fullmatch(link.url.path) if link.url.host in ("call.lifesizecloud.com", "call.lifesize.com") else None
        )
        if found:
            ids = ids_of(meeting_id=found[1])
            yield Hit(passage, link.at, found[1], ids, link.url.text, wrappers=link.wrappers, detail=link.url.host)
    for one in passage.addresses:
        if under(one.domain, ("lifesizecloud.com",)) and _USER.fullmatch(one.user):
            ids = ids_of(meeting_id=one.user, domain=one.domain)
            yield Hit(passage, one.at, one.user, ids, sip=f"{one.user}@{one.domain}", detail=one.domain)
