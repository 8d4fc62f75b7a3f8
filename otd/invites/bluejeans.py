"""BlueJeans: a number and perhaps a passcode, in the link or at its domain. The service has ended."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otd.invites.hits import Hit, ids_of, together
from otd.invites.invitation import Found, Invitation, Passage, gathered
from otd.invites.site import under

DOMAINS = ("bluejeans.com", "bjn.vc")
_PATH = re.compile(r"/([0-9]{7,12})(?:[/.]([0-9]{4,6}))?(?:/(?:browser|webrtc))?/?")
_USER = re.compile(r"([0-9]{7,12})(?:\.([0-9]{4,6}))?")


def read(invitation: Invitation) -> list[Found]:
    """The BlueJeans meetings of an invitation, one for each number."""
    hits = gathered(invitation, _hits)
    return together("bluejeans", invitation, hits, lambda ids, _: "")


def _hits(passage: Passage) -> Iterator[Hit]:
    for link in passage.links:
        found = _PATH.fullmatch(link.url.path) if under(link.url.host, ("bluejeans.com",)) else None
        if found:
            ids = ids_of(meeting_id=found[1], passcode=found[2])
            yield Hit(passage, link.at, found[1], ids, link.url.text, wrappers=link.wrappers, detail=link.url.host)
    for one in passage.addresses:
        found = _USER.fullmatch(one.user) if one.domain in ("bjn.vc", "sip.bjn.vc") else None
        if found:
            ids = ids_of(meeting_id=found[1], passcode=found[2], domain=one.domain)
            sip = f"{one.user}@{one.domain}" if found[2] else ""
            yield Hit(passage, one.at, found[1], ids, sip=sip, detail=one.domain)
