"""Google Meet. Nothing can dial it by itself; a SIP gateway takes the 13-digit pin of the meeting, which stands in the
address of the page with the phone numbers. The short PIN that the text shows is for phones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from otd.invites.hits import Hit, ids_of, together
from otd.invites.invitation import Found, Invitation, Passage, gathered

DOMAINS = ("meet.google.com", "tel.meet")
_CODE = re.compile(r"/(?:_meet/)?([a-z]{3}-[a-z]{4}-[a-z]{3})/?")
_LOOKUP = re.compile(r"/lookup/([\w-]{4,80})/?")
_PIN = re.compile(r"[0-9]{13}")


def read(invitation: Invitation) -> list[Found]:
    """The Meet meetings of an invitation, one for each code."""
    gateway = invitation.site.meet_domain
    hits = gathered(invitation, lambda passage: chain(_links(passage, gateway), _addresses(passage)))
    return together(
        "meet", invitation, hits, lambda ids, _: "" if ids.get("pin") and ids.get("domain") else "link_only"
    )


def _code(path: str) -> str:
    found = _CODE.fullmatch(path) or _LOOKUP.fullmatch(path)
    return found[1] if found else ""


def _links(passage: Passage, gateway: str) -> Iterator[Hit]:
    for link in passage.links:
        code = _code(link.url.path) if link.url.host in DOMAINS else ""
        if not code:
            continue
        pin = link.url.param("pin") if link.url.host == "tel.meet" else ""
        ids = ids_of(meeting_id=code, pin=pin, domain=gateway) if _PIN.fullmatch(pin) else ids_of(meeting_id=code)
        url = link.url.text if link.url.host != "tel.meet" else ""
        yield Hit(passage, link.at, code, ids, url, wrappers=link.wrappers, detail=link.url.host)


def _addresses(passage: Passage) -> Iterator[Hit]:
    """The pin at a gateway's domain, as organisations with a gateway write it into their invitations."""
    codes = {code for link in passage.links if link.url.host in DOMAINS and (code := _code(link.url.path))}
    if len(codes) != 1:
        return
    code = codes.pop()
    for one in passage.addresses:
        if _PIN.fullmatch(one.user):
            ids = ids_of(pin=one.user, domain=one.domain)
            yield Hit(passage, one.at, code, ids, sip=f"{one.user}@{one.domain}", detail=one.domain)
