"""An invitation made ready for the readers of the platforms: its passages with links unwrapped and addresses found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from otd.invites import text as texts
from otd.invites.links import Link, unwrap
from otd.invites.site import Site
from otd.model import Evidence, JoinInfo, Meeting

# How far a place is trusted; the lower wins. Quoting adds QUOTED for each level.
PROPERTY, CONFERENCE, MORE_INFO, ADDRESS_BLOCK, LOCATION, BODY_LINK = range(6)
BODY_TEXT = 1_000  # a plain address is the last resort, however deep the rest is quoted
QUOTED = 10
_MAX_ADDRESSES = 1_000
_MAX_FIELD = 20_000

_USER_BACKWARDS = re.compile(r"[A-Za-z0-9._+-]{1,64}")
_DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")


class Address(NamedTuple):
    """user@domain in a passage, domain in lower case."""

    user: str
    domain: str
    at: int
    end: int


class Passage(NamedTuple):
    """A piece of an invitation that belongs together; positions count from the start of its `text`."""

    source: str  # body, location, conference, property:NAME
    text: str
    links: tuple[Link, ...]
    others: tuple[texts.RawLink, ...]  # links that are not http(s): sip:, tel:, h323: ...
    addresses: tuple[Address, ...]
    depth: int = 0
    at: int = 0

    def part(self, start: int, end: int) -> Passage:
        """The same passage from start to end."""
        return Passage(
            self.source,
            self.text[start:end],
            tuple(link._replace(at=link.at - start) for link in self.links if start <= link.at < end),
            tuple(link._replace(at=link.at - start) for link in self.others if start <= link.at < end),
            tuple(
                one._replace(at=one.at - start, end=one.end - start) for one in self.addresses if start <= one.at < end
            ),
            self.depth,
            self.at + start,
        )

    def trust(self, in_body: int) -> int:
        """The trust of something found here, when in the body's own text it would be `in_body`."""
        if self.source == "body":
            return in_body + QUOTED * self.depth
        if self.source == "location":
            return LOCATION
        return CONFERENCE if self.source == "conference" else PROPERTY

    def evidence(self, in_body: str, detail: str = "", wrappers: tuple[str, ...] = ()) -> Evidence:
        """The evidence for something found here, when in the body's own text its source would be `in_body`."""
        return Evidence(source=in_body if self.source == "body" else self.source, detail=detail, wrappers=wrappers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What the readers of the platforms look at. `properties` have their names in lower case, the first value each."""

    meeting: Meeting
    site: Site
    passages: tuple[Passage, ...]
    properties: dict[str, tuple[str, str]]  # lower case name -> (name, value)
    cut: bool
    empty: bool

    def prop(self, name: str) -> str:
        """A property's value by its name in lower case, "" when there is none."""
        return self.properties.get(name, ("", ""))[1]

    def people(self) -> Iterator[str]:
        """The addresses of the organiser and the attendees, in lower case: never something to dial."""
        yield self.meeting.organizer.address.lower()
        for person in self.meeting.attendees:
            yield person.address.lower()


class Found(NamedTuple):
    """A JoinInfo that a reader found, how far it is trusted, where it stood, and which meeting it is about."""

    join: JoinInfo
    trust: int
    at: int
    key: str


# Structured fields that hold an address to join at; what they hold is read like a location, but trusted like a field.
_CONFERENCE = ("conference",)
_ADDRESS_PROPERTIES = (
    "onlinemeeting.joinurl",
    "onlinemeetingurl",
    "x-google-conference",
    "x-google-hangout",
    "x-zoom-meeting-url",
    "x-zoom-joinurl",
)


def prepare(meeting: Meeting, site: Site) -> Invitation:
    """Read the text of every place in which join details may stand."""
    body = texts.read(meeting.body, html=meeting.body_type == "html")
    passages = [_passage("body", block) for block in body.blocks]
    properties: dict[str, tuple[str, str]] = {}
    for name, value in meeting.properties[:200]:
        properties.setdefault(name.lower(), (name, value[:_MAX_FIELD]))
        lower = name.lower()
        if lower in _ADDRESS_PROPERTIES:
            passages += _field(f"property:{name}", value)
        elif lower in _CONFERENCE:
            passages += _field("conference", value)
        elif lower == "url":
            passages += _field("location", value)
    for place in dict.fromkeys((meeting.location, *meeting.locations[:20])):
        passages += _field("location", place)
    return Invitation(
        meeting=meeting,
        site=site,
        passages=tuple(passages),
        properties=properties,
        cut=body.cut,
        empty=body.empty,
    )


def _field(source: str, value: str) -> Iterator[Passage]:
    if value and (":" in value or "@" in value or "##" in value):
        for block in texts.read(value[:_MAX_FIELD], html=False).blocks:
            yield _passage(source, block)


def _passage(source: str, block: texts.Block) -> Passage:
    links: list[Link] = []
    others: list[texts.RawLink] = []
    addresses = list(_addresses(block.text)) if "@" in block.text else []
    for raw in block.links:
        link = unwrap(raw.address, raw.at)
        if link is not None:
            links.append(link)
        else:
            others.append(raw)
            addresses += _linked_address(raw, addresses)
    if others:
        addresses.sort(key=lambda one: one.at)
    return Passage(source, block.text, tuple(links), tuple(others), tuple(addresses), block.depth, block.at)


def _addresses(text: str) -> Iterator[Address]:
    at = text.find("@")
    for _ in range(_MAX_ADDRESSES):
        if at < 0:
            return
        user = _USER_BACKWARDS.match(text[max(0, at - 64) : at][::-1])
        domain = _DOMAIN.match(text, at + 1) if user else None
        if user and domain:
            name = user[0][::-1].lstrip(".")
            yield Address(name, domain[0].lower(), at - len(name), domain.end())
        at = text.find("@", at + 1)


def _linked_address(raw: texts.RawLink, known: list[Address]) -> Iterator[Address]:
    """The address in a mail or SIP link, unless it stands in the text at the same place as well."""
    scheme, _, rest = raw.address.partition(":")
    if scheme.lower() not in ("mailto", "sip", "sips"):
        return
    for one in _addresses(rest.partition("?")[0][:400]):
        if not any(one.user == k.user and one.domain == k.domain and abs(k.at - raw.at) < 200 for k in known):
            yield Address(one.user, one.domain, raw.at, raw.at)
        return
