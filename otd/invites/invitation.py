"""An invitation made ready for the readers of the platforms: its passages with links unwrapped and addresses found."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_letters, digits
from typing import NamedTuple, Protocol, TypeVar

from otd.invites import text as texts
from otd.invites.links import Link, unwrap
from otd.invites.site import Site, end_of
from otd.model import Evidence, JoinInfo, Meeting

# How far a place is trusted; the lower wins. Quoting adds QUOTED for each level.
PROPERTY, CONFERENCE, MORE_INFO, ADDRESS_BLOCK, LOCATION, BODY_LINK = range(6)
BODY_TEXT = 1_000  # a plain address is the last resort, however deep the rest is quoted
QUOTED = 10
# No invitation needs as many; what comes after them is not looked at, so that no text takes long.
MOST_MEETINGS = 6  # of one platform
_MOST_LINKS = 24  # that point to a platform
_MOST_WRAPPERS = 48  # all links together
_MOST_ADDRESSES = 150
_MAX_FIELD = 20_000

_USER_SIGNS = ascii_letters + digits + "._+-"
_DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")


_NOTHING: frozenset[str] = frozenset()


class Address(NamedTuple):
    """user@domain in a passage, domain in lower case."""

    user: str
    domain: str
    at: int
    end: int


class _Placed(Protocol):
    @property
    def at(self) -> int: ...


_P = TypeVar("_P", bound=_Placed)


def _at(one: _Placed) -> int:
    return one.at


def _between(placed: Sequence[_P], start: int, end: int) -> Sequence[_P]:
    """Those from start to end; they are in order."""
    return placed[bisect_left(placed, start, key=_at) : bisect_left(placed, end, key=_at)]


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
            tuple(link._replace(at=link.at - start) for link in _between(self.links, start, end)),
            tuple(link._replace(at=link.at - start) for link in _between(self.others, start, end)),
            tuple(one._replace(at=one.at - start, end=one.end - start) for one in _between(self.addresses, start, end)),
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
    begins: tuple[str, ...]  # how a block of a platform can begin
    ends: frozenset[str]  # the last two labels of every domain that matters, wrappers' included

    def of_host(self, host: str) -> frozenset[str]:
        """The platforms that a host points to, by the longest domain that it lies under."""
        rest = host if end_of(host) in self.ends else ""
        while rest:
            if rest in self.domains:
                return self.domains[rest]
            rest = rest.partition(".")[2]
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
    places = dict.fromkeys((meeting.location, *meeting.locations[:20]))
    # How deeply a part of the body is quoted counts against the location; else only against the rest of the body.
    whole = any(_may_lead(place) for place in places)
    body = texts.read(meeting.body, html=meeting.body_type == "html", wanted=preparing.wants, whole=whole)
    passages = [preparing.passage("body", block) for block in body.blocks if _may_matter(block, signs)]
    properties: dict[str, tuple[str, str]] = {}
    for name, value in meeting.properties[:200]:
        lower = name.lower()
        properties.setdefault(lower, (name, value[:_MAX_FIELD]))
        preparing.names |= signs.properties.get(lower, _NOTHING)
        if lower in _PLACES:
            passages += preparing.field(_PLACES[lower] or f"property:{name}", value)
    for place in places:
        passages += preparing.field("location", place)
    return Invitation(
        meeting=meeting,
        site=site,
        passages=tuple(passages),
        properties=properties,
        platforms=frozenset(preparing.names),
        cut=body.cut or preparing.cut,
        empty=body.empty,
    )


def _may_matter(block: texts.Block, signs: Signs) -> bool:
    """Whether a reader of any platform can find something in a block."""
    text = block.text
    return (
        bool(block.links)
        or "@" in text
        or "##" in text
        or (":" in text and "323:" in text)
        or text.startswith(signs.begins)
        or any(mark in text for mark in signs.marks)
    )


def _may_lead(value: str) -> bool:
    """Whether a field can hold an address to join at."""
    return ":" in value or "@" in value or "##" in value


class _Preparing:
    """Turns blocks into passages and gathers on the way which platforms they point to."""

    def __init__(self, site: Site, signs: Signs) -> None:
        self._site, self._signs = site, signs
        self._links, self._wrappers = _MOST_LINKS, _MOST_WRAPPERS  # how many more may come
        self._addresses = self._others = _MOST_ADDRESSES
        self.names: set[str] = set()
        self.cut = False

    def field(self, source: str, value: str) -> Iterator[Passage]:
        if _may_lead(value):
            for block in texts.read(value[:_MAX_FIELD], html=False, wanted=self.wants).blocks:
                yield self.passage(source, block)

    def wants(self, address: str) -> bool:
        """Whether a link can point to a platform, or be wrapped around one that does. In doubt it is read."""
        found = _HOST.match(address)
        if found is None:
            return address.partition(":")[0].lower() in _SCHEMES
        host = found[1].lower()
        return (
            end_of(host) in self._signs.ends
            or "google." in host
            or host.startswith(_NAMED_FIRST)
            or host in self._site.skype_hosts
            or self._signs.paths.search(address) is not None
        ) and host not in _NO_MEETINGS

    def passage(self, source: str, block: texts.Block) -> Passage:
        text = block.text
        links: list[Link] = []
        others: list[texts.RawLink] = []
        addresses = _addresses(text, self._addresses) if "@" in text else []
        marked = False
        for mark, name in self._signs.marks.items():
            if mark in text:
                self.names.add(name)
                marked = True
        for raw in block.links:
            if self._links < 0 or self._wrappers < 0:
                self.cut = True
                break
            link = unwrap(raw.address, raw.at - block.at)
            if link is None:
                others += self._other(raw._replace(at=raw.at - block.at))
                continue
            self._wrappers -= len(link.wrappers)
            if (names := self._of_link(link)) or marked:
                self._links -= 1
                self.names |= names
                links.append(link)
        if others:
            known = {(one.user, one.domain): one.at for one in addresses}
            linked = [one for raw in others if (one := _linked_address(raw, known))]
            addresses = sorted(addresses + linked, key=_at)[: self._addresses]
        self._addresses -= len(addresses)
        for address in addresses:
            self.names |= self._signs.of_host(address.domain)
        return Passage(source, text, tuple(links), tuple(others), tuple(addresses), block.depth, block.at)

    def _of_link(self, link: Link) -> frozenset[str]:
        """The platforms that a link points to, by its host or else by its path."""
        host = link.guess or link.url.host
        names = self._signs.of_host(host)
        if names:
            return names
        found = self._signs.paths.search(link.url.text)
        names = frozenset((found.lastgroup,)) if found and found.lastgroup else _NOTHING
        return names | {"skype"} if host in self._site.skype_hosts or host.startswith(_NAMED_FIRST) else names

    def _other(self, raw: texts.RawLink) -> Iterator[texts.RawLink]:
        """A link that is not http(s), while there is room for it."""
        self._others -= 1
        if self._others >= 0:
            if name := self._signs.schemes.get(raw.address.partition(":")[0].lower()):
                self.names.add(name)
            yield raw


def _addresses(text: str, most: int) -> list[Address]:
    found: list[Address] = []
    at = text.find("@")
    while at >= 0 and len(found) < most:
        before = text[at - 64 if at > 64 else 0 : at]
        user = before[len(before.rstrip(_USER_SIGNS)) :].lstrip(".")
        if user and (domain := _DOMAIN.match(text, at + 1)):
            found.append(Address(user, domain[0].lower(), at - len(user), domain.end()))
        at = text.find("@", at + 1)
    return found


def _linked_address(raw: texts.RawLink, known: dict[tuple[str, str], int]) -> Address | None:
    """The address in a mail or SIP link, unless it stands in the text near the same place as well."""
    scheme, _, rest = raw.address.partition(":")
    if scheme.lower() not in _MAIL:
        return None
    for one in _addresses(rest.partition("?")[0][:400], 1):
        place = known.get((one.user, one.domain))
        if place is None or abs(place - raw.at) >= 200:
            known[one.user, one.domain] = raw.at
            return Address(one.user, one.domain, raw.at, raw.at)
    return None
