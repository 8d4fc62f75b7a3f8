"""Plain addresses, the last resort: sip:, sips: and h323: as the invitation writes them, host##id, name.vmr@host.

A mail address looks like a SIP address, so only what is marked as one counts, and never the organiser's or an
attendee's, nor a name at the domain of their mail: `sip:` in a signature is a person's. When there are several, none is
dialled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from string import ascii_letters, digits
from typing import NamedTuple

from otd.invites.invitation import (
    BODY_TEXT,
    CONFERENCE,
    LOCATION,
    MOST_MEETINGS,
    Address,
    Found,
    Invitation,
    Passage,
    joining,
)
from otd.invites.site import Site
from otd.invites.text import holds

_USER = r"[A-Za-z0-9._+*#-]{1,100}"
_HOST = r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
_SIP = re.compile(rf"(?<![A-Za-z0-9_.:-])sips?: ?({_USER}@{_HOST})(?![A-Za-z0-9@;=])", re.I)
_BEHIND_MARK = re.compile(r"(?<![A-Za-z0-9_.:-])sips?: ?\Z", re.I)
_GOES_ON = re.compile(r"[A-Za-z0-9@;=]")  # a conference URI, not an address
_CALL_TO = re.compile(rf"callto:({_USER}@{_HOST})", re.I)
_H323 = re.compile(
    rf"(?<![A-Za-z0-9_.-])h\.?323: ?((?:{_USER}@)?{_HOST}(?:##[0-9]{{3,20}}(?:#[0-9]{{1,12}})?)?)(?![\w@])", re.I
)
_GATEWAY = re.compile(rf"(?<![\w.@-])({_HOST}##[0-9]{{3,20}}(?:#[0-9]{{1,12}})?)(?![0-9#])")
_SCHEMES = {"sip": _SIP, "sips": _SIP, "callto": _CALL_TO, "h323": _H323}
_HOST_SIGNS = ascii_letters + digits + ".-"
_ROOM = re.compile(r"[A-Za-z0-9_-]{1,60}\.(?:vr|vmr|space|cospace)", re.I)
ROOM_SIGN = r"(?<=\.vr@|vmr@|ace@)"  # the @ behind what may be one
MARKED = re.compile("[sS][iI][pP][sS]?: ?[A-Za-z0-9._+-]{1,64}+@")


class _Address(NamedTuple):
    uri: str
    h323: bool
    at: int
    number: bool = False  # nothing but a number at a domain that the site believes marks it as one to dial


def read(invitation: Invitation) -> list[Found]:
    """The plain addresses of an invitation, each once; one that belongs to a person is not among them."""
    every = ((passage, one) for passage in invitation.passages for one in _addresses(passage, invitation.site))
    first = next(every, None)
    if first is None:
        return []
    people = frozenset(invitation.people())
    domains = frozenset([person.rpartition("@")[2] for person in people])
    found: dict[str, Found] = {}
    for passage, one in chain((first,), every):
        key = one.uri.lower()
        if key not in people and key not in found and not _is_persons(key, one.number, domains):
            found[key] = _found(passage, one)
            if len(found) == MOST_MEETINGS:
                break
    return list(found.values())


def _is_persons(uri: str, number: bool, domains: frozenset[str]) -> bool:
    """Whether an address looks like a person's: letters, or nothing but a number, at a domain where somebody invited
    has mail."""
    user, _, domain = uri.rpartition("@")
    return domain in domains and (number or (user.replace(".", "").isalpha() and not _ROOM.fullmatch(user)))


def _addresses(passage: Passage, site: Site) -> Iterator[_Address]:
    """What is marked as an address to dial, or looks like nothing else."""
    text = passage.text
    for raw in passage.others:
        scheme, _, rest = raw.address.partition(":")
        pattern = _SCHEMES.get(scheme.lower())
        match = pattern.match(f"{scheme}:{rest.partition('?')[0]}") if pattern else None
        if match:
            yield _Address(match[1], pattern is _H323, raw.at)
    for one in passage.addresses:
        marked = _is_marked(text, one) or ("." in one.user and _ROOM.fullmatch(one.user))
        if marked or (one.user.isdigit() and site.believes(one.domain)):
            yield _Address(f"{one.user}@{one.domain}", False, one.at, not marked)
    for at in _places(text, "323:") if holds(text, "323:") else ():
        start = at - 2 if text[at - 1 : at] == "." else at - 1
        if start >= 0 and (match := _H323.match(text, start)):
            yield _Address(match[1], True, match.start())
    for at in _places(text, "##") if holds(text, "##") else ():
        before = text[at - 80 if at > 80 else 0 : at]
        if match := _GATEWAY.match(text, at - len(before) + len(before.rstrip(_HOST_SIGNS))):
            yield _Address(match[1], True, match.start())


def _is_marked(text: str, one: Address) -> bool:
    """Whether `sip:` stands before an address, and the address ends where it seems to."""
    before = text[one.at - 7 if one.at > 7 else 0 : one.at]
    return (
        ":" in before
        and one.end > one.at
        and _BEHIND_MARK.search(before) is not None
        and _GOES_ON.match(text, one.end) is None
    )


def _places(text: str, needle: str) -> Iterator[int]:
    """Where this stands; looking for it is many times faster than a pattern that begins with something looser."""
    at = text.find(needle)
    while at >= 0:
        yield at
        at = text.find(needle, at + 1)


def _found(passage: Passage, one: _Address) -> Found:
    trust = BODY_TEXT
    if passage.source != "body":
        trust += LOCATION if passage.source == "location" else CONFERENCE
    else:
        trust += passage.trust(LOCATION + 1)
    sip, h323 = ("", one.uri) if one.h323 else (one.uri, "")
    join = joining("sip", (("address", one.uri),), (passage.evidence("body_text"),), "", sip=sip, h323=h323)
    return Found(join, trust, passage.at + one.at, one.uri.lower())
