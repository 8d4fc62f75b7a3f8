"""An invitation made ready for the readers of the platforms: its passages with links unwrapped and addresses found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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


_NOTHING: frozenset[str] = frozenset()


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


class Signs(NamedTuple):
    """What points to a platform: the table of platforms, turned round for looking things up."""

    domains: Mapping[str, frozenset[str]]  # a domain, for itself and all below it -> names of platforms
    properties: Mapping[str, frozenset[str]]  # in lower case
    paths: re.Pattern[str]  # pieces of links on any host; the groups are named by platform
    schemes: Mapping[str, str]  # of links that are not http(s)
    marks: Mapping[str, str]  # pieces of text
    ends: frozenset[str]  # the last two labels of every domain that matters, wrappers' included
    inside: tuple[str, ...]  # the domains with a dot before them

    def of_host(self, host: str) -> frozenset[str]:
        """The platforms that a host points to, by the longest domain that it lies under."""
        if host in self.domains:
            return self.domains[host]
        rest = host if host.endswith(self.inside) else ""
        while rest:
            rest = rest.partition(".")[2]
            if rest in self.domains:
                return self.domains[rest]
        return _NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What the readers of the platforms look at. `properties` have their names in lower case, the first value each.

    `platforms` are the names of those that anything in it points to. Links that point nowhere are left out.
    """

    meeting: Meeting
    site: Site
    passages: tuple[Passage, ...]
    properties: dict[str, tuple[str, str]]  # lower case name -> (name, value)
    platforms: frozenset[str]
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


# Fields that hold an address to join at, and what the evidence calls them: "" is the property itself.
_PLACES = {
    "conference": "conference",
    "url": "location",
    "onlinemeeting.joinurl": "",
    "onlinemeetingurl": "",
    "x-google-conference": "",
    "x-google-hangout": "",
    "x-zoom-meeting-url": "",
    "x-zoom-joinurl": "",
}
_HOST = re.compile(r"https?://?([^/?#\\:]*)", re.I)
_NAMED_FIRST = ("meet.", "join.", "lync.")  # hosts of simple URLs of Skype for Business
_MAIL = frozenset(("mailto", "sip", "sips"))
_SCHEMES = _MAIL | {"h323", "callto", "msteams", "zoommtg", "pexip"}
_NO_MEETINGS = frozenset(("dialin.teams.microsoft.com", "www.microsoft.com", "o15.officeredir.microsoft.com"))


def prepare(meeting: Meeting, site: Site, signs: Signs) -> Invitation:
    """Read the text of every place in which join details may stand."""
    preparing = _Preparing(site, signs)
    body = texts.read(meeting.body, html=meeting.body_type == "html", wanted=preparing.wants)
    passages = [preparing.passage("body", block) for block in body.blocks]
    properties: dict[str, tuple[str, str]] = {}
    for name, value in meeting.properties[:200]:
        lower = name.lower()
        properties.setdefault(lower, (name, value[:_MAX_FIELD]))
        preparing.names |= signs.properties.get(lower, _NOTHING)
        if lower in _PLACES:
            passages += preparing.field(_PLACES[lower] or f"property:{name}", value)
    for place in dict.fromkeys((meeting.location, *meeting.locations[:20])):
        passages += preparing.field("location", place)
    return Invitation(
        meeting=meeting,
        site=site,
        passages=tuple(passages),
        properties=properties,
        platforms=frozenset(preparing.names),
        cut=body.cut,
        empty=body.empty,
    )


class _Preparing:
    """Turns blocks into passages and gathers on the way which platforms they point to."""

    def __init__(self, site: Site, signs: Signs) -> None:
        self._site, self._signs = site, signs
        self.names: set[str] = set()

    def field(self, source: str, value: str) -> Iterator[Passage]:
        if value and (":" in value or "@" in value or "##" in value):
            for block in texts.read(value[:_MAX_FIELD], html=False, wanted=self.wants).blocks:
                yield self.passage(source, block)

    def wants(self, address: str) -> bool:
        """Whether a link can point to a platform, or be wrapped around one that does. In doubt it is read."""
        found = _HOST.match(address)
        if found is None:
            return address.partition(":")[0].lower() in _SCHEMES
        host = found[1].lower()
        return (
            ".".join(host.rsplit(".", 2)[-2:]) in self._signs.ends
            or "google." in host
            or host.startswith(_NAMED_FIRST)
            or host in self._site.skype_hosts
            or self._signs.paths.search(address) is not None
        ) and host not in _NO_MEETINGS

    def passage(self, source: str, block: texts.Block) -> Passage:
        links: list[Link] = []
        others: list[texts.RawLink] = []
        addresses = _addresses(block.text) if "@" in block.text else []
        for mark, name in self._signs.marks.items():
            if mark in block.text:
                self.names.add(name)
        for raw in block.links:
            link = unwrap(raw.address, raw.at)
            if link is None:
                self._other(raw, others, addresses)
            else:
                self.names |= self._of_link(link)
                links.append(link)
        if others:
            addresses.sort(key=_at)
        for address in addresses:
            self.names |= self._signs.of_host(address.domain)
        return Passage(source, block.text, tuple(links), tuple(others), tuple(addresses), block.depth, block.at)

    def _of_link(self, link: Link) -> frozenset[str]:
        """The platforms that a link points to, by its host or else by its path."""
        host = link.guess or link.url.host
        names = self._signs.of_host(host)
        if names:
            return names
        found = self._signs.paths.search(link.url.text)
        names = frozenset((found.lastgroup,)) if found and found.lastgroup else _NOTHING
        return names | {"skype"} if host in self._site.skype_hosts or host.startswith(_NAMED_FIRST) else names

    def _other(self, raw: texts.RawLink, others: list[texts.RawLink], addresses: list[Address]) -> None:
        scheme = raw.address.partition(":")[0].lower()
        if scheme in _MAIL:
            addresses += _linked_address(raw, addresses)
        elif name := self._signs.schemes.get(scheme):
            self.names.add(name)
        others.append(raw)


def _addresses(text: str) -> list[Address]:
    found: list[Address] = []
    at = text.find("@")
    while at >= 0 and len(found) < _MAX_ADDRESSES:
        user = _USER_BACKWARDS.match(text[at - 64 if at > 64 else 0 : at][::-1])
        domain = _DOMAIN.match(text, at + 1) if user else None
        if user and domain:
            name = user[0][::-1].lstrip(".")
            found.append(Address(name, domain[0].lower(), at - len(name), domain.end()))
        at = text.find("@", at + 1)
    return found


def _at(address: Address) -> int:
    return address.at


def _linked_address(raw: texts.RawLink, known: list[Address]) -> list[Address]:
    """The address in a mail or SIP link, unless it stands in the text at the same place as well."""
    found = _addresses(raw.address.partition(":")[2].partition("?")[0][:400])[:1]
    return [
        Address(one.user, one.domain, raw.at, raw.at)
        for one in found
        if not any(one.user == k.user and one.domain == k.domain and abs(k.at - raw.at) < 200 for k in known)
    ]
