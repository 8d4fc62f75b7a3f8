"""Skype for Business and Lync, online and on a server: hidden properties, simple URLs, and interop blocks.

The focus id (A1B2C3D4) names the meeting; the digits of "Conference ID" are for phones, and for bridges that take phone
conference ids. A conference link that speaks of focus:id:teams: is not Skype's but Teams'.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from otd.invites import interop
from otd.invites.interop import Interop
from otd.invites.invitation import (
    ADDRESS_BLOCK,
    BODY_LINK,
    MORE_INFO,
    MOST_MEETINGS,
    PROPERTY,
    Found,
    Invitation,
    Passage,
    joining,
)
from otd.invites.links import Link, Url, new, unwrap
from otd.invites.site import under
from otd.invites.text import begins_its_line
from otd.model import Evidence, JoinInfo

ONLINE = "meet.lync.com"
# Outlook's add-in ends the block with the language's code point in hex, and puts it between dotted lines.
BLOCK_END = "[!OC(["
DOTTED = "." * 40

_CONFLINK = re.compile(
    r"conf:sip:([^@;\s]{1,100})@([A-Za-z0-9.-]{3,200});gruu;opaque=app:conf:focus:id:([A-Za-z0-9]{4,64})(?![\w:!])",
    re.I,
)
_ONLINE_PATH = re.compile(r"/([\w.-]{1,100})/([\w.+-]{1,100})/([A-Za-z0-9]{4,64})/?")
_SIMPLE_PATH = re.compile(r"/(?:[Mm]eet/)?([\w.+-]{1,100})/([A-Z0-9]{6,32})/?")
_TEL_URI = re.compile(r",,\s*([0-9]{4,12})\s*#?\s*$")
_NUMBER = re.compile(r": ?([0-9]{5,10})(?![0-9#-])[^\n0-9]*(?=\n|\Z)")  # on a line without other digits
_FIRST_LABELS = ("meet", "join", "lync", "dialin")


class Join(NamedTuple):
    """What a link or a property says about a Skype meeting."""

    conference_id: str = ""
    user: str = ""
    domain: str = ""
    url: str = ""

    def same(self, other: Join) -> bool:
        """Whether both can be about one meeting."""
        mine, theirs = self.conference_id.upper(), other.conference_id.upper()
        return not mine or not theirs or mine == theirs

    def merged(self, other: Join) -> Join:
        return self if other is self else Join(*[mine or theirs for mine, theirs in zip(self, other, strict=True)])


# --- which links are Skype's ----------------------------------------------------------------------------------------


def _is_block(passage: Passage) -> bool:
    return BLOCK_END in passage.text or passage.text.startswith(DOTTED)


def join_of(url: Url, invitation: Invitation, *, trusted: bool) -> Join | None:
    """The meeting that a Skype address leads to. Simple URLs look like many others: away from meet.lync.com they count
    where the site says so or where the place that they stand in is Skype's own (`trusted`)."""
    if url.host == ONLINE:
        path = _ONLINE_PATH.fullmatch(url.path)
        if path is None:
            return None
        domain = path[1].lower() if "." in path[1] else _organizer_domain(path[2], path[1], invitation)
        return Join(path[3], path[2], domain, _plain(url))
    if not trusted and not _is_site_host(url.host, invitation):
        return None
    path = _SIMPLE_PATH.fullmatch(url.path)
    if path is None:
        return None
    label, _, rest = url.host.partition(".")
    domain = rest if label in _FIRST_LABELS and "." in rest else ""
    return Join(path[2], path[1], domain, _plain(url))


def _plain(url: Url) -> str:
    """The address without ?sl=1, which only opens the same meeting in the browser."""
    return url.text.partition("?")[0]


def _organizer_domain(user: str, tenant: str, invitation: Invitation) -> str:
    """The organiser's domain, where the address is that of the user in the link and of the tenant in it."""
    name, _, domain = invitation.meeting.organizer.address.lower().partition("@")
    return domain if name == user.lower() and domain.partition(".")[0] == tenant.lower() else ""


def _is_site_host(host: str, invitation: Invitation) -> bool:
    site = invitation.site
    return host in site.skype_hosts or (host.partition(".")[0] in _FIRST_LABELS[:3] and under(host, site.own_domains))


# --- the hidden properties ------------------------------------------------------------------------------------------


def from_properties(invitation: Invitation) -> tuple[Join, tuple[Evidence, ...]] | None:
    """What the hidden properties say together; None when they do not speak of Skype."""
    if not invitation.properties:
        return None
    join, evidence = Join(), []
    names: tuple[str, ...] = ("onlinemeetingconflink", "onlinemeetingexternallink", "onlinemeetinginternallink")
    if invitation.prop("onlinemeeting.provider").lower().startswith("skype"):
        names += ("onlinemeeting.joinurl", "onlinemeetingurl")
    for name in names:
        original, value = invitation.properties.get(name, ("", ""))
        found = (_from_conflink(value) if "conflink" in name else _from_link(value, invitation)) if value else None
        if found is not None and join.same(found):
            join = join.merged(found)
            evidence.append(Evidence(source=f"property:{original}"))
    if not evidence and invitation.prop("ucopenedconferenceid"):
        evidence.append(Evidence(source="property:UCOpenedConferenceID"))
    return (join, tuple(evidence)) if evidence else None


def _from_conflink(value: str) -> Join | None:
    found = _CONFLINK.search(value.replace("\\;", ";")) if "focus:id:teams:" not in value else None
    return Join(found[3], found[1], found[2].lower()) if found else None


def _from_link(value: str, invitation: Invitation) -> Join | None:
    link = unwrap(value.strip(), 0)
    if link is None or under(link.url.host, interop.TEAMS_HOSTS):
        return None
    return join_of(link.url, invitation, trusted=True)


def _number_from_properties(invitation: Invitation) -> str:
    """The phone conference id, which stands behind the commas of the telephone URI."""
    found = _TEL_URI.search(invitation.prop("conferenceteluri").replace("\\,", ","))
    if found:
        return found[1]
    number = invitation.prop("onlinemeetingconferenceid").strip()
    return number if re.fullmatch(r"[0-9]{4,12}", number) else ""


def claims(passage: Passage, invitation: Invitation) -> bool:
    """Whether interop coordinates in a passage without a Teams link belong to a Skype meeting."""
    if _is_block(passage) or any(link.url.host == ONLINE for link in passage.links):
        return True
    if any(under(link.url.host, interop.TEAMS_HOSTS) for link in passage.links):
        return False
    return "skypeteamsmeetingurl" not in invitation.properties and from_properties(invitation) is not None


# --- together -------------------------------------------------------------------------------------------------------


class _Piece(NamedTuple):
    """What one passage says about one Skype meeting."""

    passage: Passage
    join: Join
    wrappers: tuple[str, ...]
    interops: Sequence[Interop]
    number: str
    is_block: bool

    @property
    def trust(self) -> int:
        for one in self.interops:
            if not one.reason:
                return self.passage.trust(MORE_INFO if one.from_info else ADDRESS_BLOCK)
        return self.passage.trust(ADDRESS_BLOCK if self.is_block else BODY_LINK)

    @property
    def rank(self) -> tuple[int, int]:
        """The lower, the sooner it is believed."""
        return self.trust, self.passage.at


_RANK = attrgetter("rank")


def _pieces(invitation: Invitation, hidden: Join | None) -> list[_Piece]:
    pieces: list[_Piece] = []
    for passage in invitation.passages:
        if len(pieces) >= MOST_MEETINGS:
            invitation.cuts.append(passage.depth)
            break
        is_block = _is_block(passage)
        trusted = is_block or any("sl=1" in link.url.query for link in passage.links)
        joins: list[tuple[Join, Link]] = []
        for link in passage.links:
            same = bool(hidden and hidden.url and hidden.url == _plain(link.url))
            join = join_of(link.url, invitation, trusted=trusted or same)
            if join and len(joins) < MOST_MEETINGS and join not in [known for known, _ in joins]:
                joins.append((join, link))
        if joins or claims(passage, invitation):
            interops = interop.find(passage, invitation, anchored=bool(joins))
            number = _number(passage.text) if joins or is_block else ""
            if not joins and (interops or number):
                pieces.append(_Piece(passage, Join(), (), interops, number, is_block))
            pieces += [_Piece(passage, join, link.wrappers, interops, number, is_block) for join, link in joins]
    return pieces


def _number(text: str) -> str:
    found = {match[1] for match in _NUMBER.finditer(text) if begins_its_line(text, match.start(1))}
    return found.pop() if len(found) == 1 else ""


def read(invitation: Invitation) -> list[Found]:
    """The Skype meetings of an invitation; the one that the hidden properties name is trusted most."""
    hidden = from_properties(invitation)
    pieces = sorted(_pieces(invitation, hidden[0] if hidden else None), key=_RANK)
    found: list[Found] = []
    if hidden is not None:
        mine, pieces = _split(hidden[0], pieces)
        found.append(_found(hidden[0], mine, hidden[1], PROPERTY, invitation))
    while pieces:
        first = pieces[0]
        mine, pieces = _split(first.join, pieces)
        if any([piece.join.conference_id or piece.interops for piece in mine]):
            found.append(_found(first.join, mine, (), first.trust, invitation))
    return found


def _split(join: Join, pieces: list[_Piece]) -> tuple[list[_Piece], list[_Piece]]:
    """The pieces that can be about this meeting, and the others."""
    mine: list[_Piece] = []
    others: list[_Piece] = []
    for one in pieces:
        (mine if join.same(one.join) else others).append(one)
    return mine, others


def _found(
    join: Join, pieces: list[_Piece], evidence: tuple[Evidence, ...], trust: int, invitation: Invitation
) -> Found:
    """One meeting out of the properties and of the pieces of text that are about it, the most trusted first."""
    number = _number_from_properties(invitation) if trust == PROPERTY else ""
    for piece in pieces:
        join, number = join.merged(piece.join), number or piece.number
    chosen = interop.choose([(piece.passage, one) for piece in pieces for one in piece.interops])
    if chosen.best is not None:
        evidence += (chosen.best.evidence,)
    elif pieces:
        first = pieces[0]
        place = "address_block" if first.is_block else "body_link"
        evidence += (first.passage.evidence(place, "", first.wrappers),)
    reason = chosen.reason or ("" if chosen.best else interop.why_none(invitation))
    info = _info(join, number, chosen.best, evidence, reason)
    if chosen.lost:
        lost = interop.alternatives(chosen, lambda one: _info(join, number, one, (one.evidence,), one.reason))
        info = info._replace(alternatives=lost)
    at = min([piece.passage.at for piece in pieces], default=0)
    return new(Found, (info, trust, at, join.conference_id.upper() or join.url))


def _info(join: Join, number: str, best: Interop | None, evidence: tuple[Evidence, ...], reason: str) -> JoinInfo:
    if best is not None:
        ids = [("number", number), *best.ids.items()]
        return joining("skype", ids, evidence, reason, partner=best.partner, url=join.url)
    ids = [("number", number), ("conference_id", join.conference_id), ("user", join.user), ("domain", join.domain)]
    return joining("skype", ids, evidence, reason, url=join.url)
