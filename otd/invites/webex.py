"""Webex: meeting numbers, personal rooms, and the address for video systems that the invitation states.

A link with an MTID alone holds no number: the number stands only on the page behind it, which is never fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from otd.invites.invitation import (
    ADDRESS_BLOCK,
    BODY_LINK,
    MOST_MEETINGS,
    Address,
    Found,
    Invitation,
    Passage,
    evidence_of,
    gathered,
    joining,
)
from otd.invites.links import Link, new
from otd.invites.site import under
from otd.invites.text import BEYOND, closing_numbers

DOMAINS = ("webex.com", "webexgov.us")
_NOT_SITES = frozenset(
    ("www", "help", "collaborationhelp", "lync", "m", "m-us", "cart", "status", "blog", "apphub", "developer", "web")
)
_PERSONAL = re.compile(r"/(?:meet|join)/([\w.+-]{1,100})/?")
_MEETING = re.compile(
    r"/(?:[\w.-]{1,60}/)?(?:j|e|g)\.php|/webappng/sites/[\w.-]{1,60}/meeting/.{1,300}|/m/[0-9a-f-]{20,40}"
    r"|/wbxmjs/joinservice/.{1,300}|/[\w.-]{1,60}/m\.php",
    re.I,
)
_KEY = re.compile("(?:mk|meetingkey)=", re.I)
_NUMBER = re.compile(r"[0-9]{9,11}")
# Old numbers have nine digits, later ones ten with a 1 in front, today's eleven with a 2: telephone numbers differ, but
# for those of nine digits in some countries.
_PRINTED, _TODAYS = re.compile("[1-9][0-9]{8}|1[0-9]{9}|2[0-9]{10}"), 11
_NEAR = 600  # characters between a link and the number that belongs to it
# The number as it closes a line: 3-3-3, 3-3-4 or 4-3-4.
_NUMBER_LINE = re.compile(r"[0-9]{3,4} ?[0-9]{3} ?[0-9]{3,4}")
# Password: abCD12 (12345678 from phones and video systems), in any language: digits first inside the brackets.
_NUMERIC_PASSWORD = re.compile(r":[ \n]?[^\s()]{4,40} ?[(]([0-9]{4,20}) [^)\n]{3,80}[)]")
_IPS = ("173.243.2.68", "207.182.190.20", "62.109.219.4")


class _Join(NamedTuple):
    """What a link or an address says."""

    site: str
    number: str = ""
    user: str = ""
    url: str = ""
    sip: str = ""
    at: int = 0
    wrappers: tuple[str, ...] = ()


class _Piece(NamedTuple):
    passage: Passage
    join: _Join
    passcode: str
    ip: str

    @property
    def trust(self) -> int:
        if self.join.user and self.passage.source == "body":
            # Somebody's room, perhaps from a signature: it comes after any meeting that stands beside it.
            return self.passage.trust(BODY_LINK) + (1 if self.join.sip else 2)
        return self.passage.trust(ADDRESS_BLOCK if self.join.sip or self.join.number else BODY_LINK)


def is_site(host: str) -> bool:
    """Whether a host is a Webex site, not one of Webex's own pages."""
    return under(host, DOMAINS) and host not in DOMAINS and host.partition(".")[0] not in _NOT_SITES


def _of_link(link: Link) -> _Join | None:
    """The meeting or the personal room that a link to a Webex site leads to."""
    url, at, wrappers, _ = link
    text, host, path, query, _ = url
    if personal := _PERSONAL.fullmatch(path):
        return _Join(host, "", personal[1], text, "", at, wrappers)
    if not _MEETING.fullmatch(path):
        return None
    number = url.param("mk") or url.param("meetingkey") if _KEY.search(query) else ""
    return _Join(host, number if _NUMBER.fullmatch(number) else "", "", text, "", at, wrappers)


def _of_address(address: Address) -> _Join | None:
    """An address for video systems: number or owner at the site, or one of the older forms of it."""
    user, domain, at, _ = address
    sip = f"{user}@{domain}"
    if domain == "lync.webex.com":
        name, _, site = user.rpartition(".")
        return _Join(f"{site}.webex.com", "", name, "", sip, at) if name and site else None
    if domain == "webex.com":
        number, _, site = user.partition(".")
        if not _NUMBER.fullmatch(number) or not site:
            return None
        return _Join(f"{site}.webex.com", number, "", "", sip, at)
    if not is_site(domain):
        return None
    if _NUMBER.fullmatch(user):
        return _Join(domain, user, "", "", sip, at)
    return _Join(domain, "", user, "", sip, at)


def read(invitation: Invitation) -> list[Found]:
    """The Webex meetings of an invitation, one for each number or personal room."""
    people = frozenset(invitation.people())
    pieces = gathered(invitation, lambda passage: _pieces(passage, people))
    pieces.sort(key=lambda piece: (piece.trust, piece.passage.at + piece.join.at))
    found: dict[str, list[_Piece]] = {}
    for piece in pieces:
        key = piece.join.number or piece.join.user.lower()
        if key in found or len(found) < MOST_MEETINGS:
            found.setdefault(key, []).append(piece)
        else:
            invitation.cuts.append(BEYOND)
    bare = found.pop("", [])
    numbered = [mine for mine in found.values() if mine[0].join.number]
    if bare and (mine := _numbered(bare, numbered)) is not None:
        mine.extend(bare)
        bare = []
    return [_found(mine) for mine in (*found.values(), bare) if mine]


def _numbered(bare: list[_Piece], numbered: list[list[_Piece]]) -> list[_Piece] | None:
    """The meeting with a number to which a link without one leads: the only one that stands beside the link, not in an
    older mail; else the only one beside another place where the same link stands."""
    if len(numbered) == 1 and numbered[0][0].passage.depth == bare[0].passage.depth:
        return numbered[0]
    if len({piece.join.url for piece in bare}) > 1:
        return None
    places = [id(piece.passage) for piece in bare]
    beside = [mine for mine in numbered if any([id(piece.passage) in places for piece in mine])]
    return beside[0] if len(beside) == 1 else None


def _joins(passage: Passage, people: frozenset[str]) -> Iterator[_Join]:
    """What the addresses and links of a passage say; an address can be dialled, so that it comes first."""
    for address in passage.addresses:
        join = _of_address(address) if under(address.domain, DOMAINS) else None
        if join and join.sip.lower() not in people:
            yield join
    sites = {host for host in {link.url.host for link in passage.links} if is_site(host)}
    for link in passage.links:
        if link.url.host in sites and (join := _of_link(link)):
            yield join


def _pieces(passage: Passage, people: frozenset[str]) -> list[_Piece]:
    joins = list(_joins(passage, people))
    if not joins:
        return []
    named = {join.number for join in joins if join.number}
    links = [join for join in joins if join.url and not join.user]
    if links and not named:
        numbers = _numbers(passage.text, links)
        if len(numbers) == 1:
            joins = [join._replace(number=min(numbers)) if join in links else join for join in joins]
    password = _NUMERIC_PASSWORD.search(passage.text)
    ip = next((one for one in _IPS if one in passage.text), "")
    return [_Piece(passage, join, password[1] if password else "", ip) for join in joins]


def _numbers(text: str, links: list[_Join]) -> set[str]:
    """The numbers near these links that can be a meeting's; where one has today's form and a label, no others."""
    sure: set[str] = set()
    others: set[str] = set()
    for number, at, end in closing_numbers(text, _NUMBER_LINE):
        if not _PRINTED.fullmatch(number) or not any(abs(at - one.at) < _NEAR for one in links):
            continue
        is_labelled = text[max(at - 4, 0) : at].rstrip(" \n").endswith(":")
        if len(number) == _TODAYS:
            (sure if is_labelled else others).add(number)
        elif is_labelled and " " in text[at:end]:
            others.add(number)
    return sure or others


def _found(pieces: list[_Piece]) -> Found:
    first = pieces[0]
    number = user = url = sip = site = passcode = ip = ""
    places = []
    for passage, one, its_passcode, its_ip in pieces:
        number, user, url = number or one.number, user or one.user, url or one.url
        sip, site = sip or one.sip, site or (one.site if one.sip else "")
        passcode, ip = passcode or its_passcode, ip or its_ip
        source = "address_block" if one.sip or one.number else "body_link"
        places.append((passage, source, one.site, one.wrappers))
    if number:
        user = ""
    ids = (("ip", ip), ("number", number), ("passcode", passcode), ("site", site or first.join.site), ("user", user))
    reason = "" if number or user else "link_only"
    join = joining("webex", ids, evidence_of(places), reason, url=url, sip=sip)
    key = number or user.lower() or first.join.url
    return new(Found, (join, first.trust, first.passage.at + first.join.at, key))
