"""GoTo Meeting: nine digits. The address for room systems stands in the invitations of customers who have it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otd.invites.hits import Hit, ids_of, together
from otd.invites.invitation import Found, Invitation, Passage, gathered
from otd.invites.site import under

DOMAINS = ("gotomeeting.com", "meet.goto.com", "app.goto.com", "gotomeet.me")
_PATH = re.compile(r"/(?:join/|meeting/|[a-z]{2}/)?([0-9]{9})/?")
_NAME = re.compile(r"/[A-Za-z][\w.-]{1,60}/?")
_DIALLED = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){3})##([0-9]{9})(?![0-9])")
# "Access Code: 119-227-189" in any language: alone behind a label.
_CODE = re.compile(r": ?([0-9]{3}-[0-9]{3}-[0-9]{3}) *(?:\n|$)")


def read(invitation: Invitation) -> list[Found]:
    """The GoTo meetings of an invitation, one for each number."""
    hits = gathered(invitation, _hits)
    named = [hit for hit in hits if hit.key]
    return together("goto", invitation, named or hits, lambda ids, _: "" if "meeting_id" in ids else "link_only")


def _hits(passage: Passage) -> Iterator[Hit]:
    known = set()
    for link in passage.links:
        if not under(link.url.host, DOMAINS):
            continue
        number = _PATH.fullmatch(link.url.path)
        meeting_id = number[1] if number else ""
        if not number:
            if link.url.host != "gotomeet.me" or not _NAME.fullmatch(link.url.path):
                continue
            codes = {found[1].replace("-", "") for found in _CODE.finditer(passage.text)}
            meeting_id = codes.pop() if len(codes) == 1 else ""
        known.add(meeting_id)
        ids = ids_of(meeting_id=meeting_id)
        yield Hit(passage, link.at, meeting_id, ids, link.url.text, wrappers=link.wrappers, detail=link.url.host)
    for one in passage.addresses:
        if one.user in known:
            ids = ids_of(meeting_id=one.user, ip=one.domain)
            yield Hit(passage, one.at, one.user, ids, sip=f"{one.user}@{one.domain}")
    for found in _DIALLED.finditer(passage.text) if known and "##" in passage.text else ():
        if found[2] in known:
            ids = ids_of(meeting_id=found[2], ip=found[1])
            yield Hit(passage, found.start(), found[2], ids, h323=found[0])
