"""An invitation made ready for the readers of the platforms: its passages with links unwrapped and addresses found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from string import ascii_letters, digits
from typing import NamedTuple, TypeVar

from otd.invites import text as texts
from otd.invites.links import Link, unwrap
from otd.invites.site import Site, end_of
from otd.model import Evidence, JoinInfo, Meeting

# How far a place is trusted; the lower wins. Quoting adds QUOTED for each level.
PROPERTY, CONFERENCE, MORE_INFO, ADDRESS_BLOCK, LOCATION, BODY_LINK = range(6)
BODY_TEXT = 1_000  # a plain address is the last resort, however deep the rest is quoted
QUOTED = 10
# No invitation needs as many; what comes after them is not looked at, so that no text takes long, and the invitation is
# said to be cut.
MOST_MEETINGS = 3  # of one platform
_MOST_LINKS = 12  # that point to a platform
_MOST_LOOKED_AT = 40  # links, and wrappers around them; in a short body fewer, see _room
_MOST_OTHERS = 24  # links that are not http(s)
_MOST_ADDRESSES = 32
_MOST_ANY = 12  # addresses in one passage; for so many characters more only those that people do not have
_MORE_TEXT = 300
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


class Other(NamedTuple):
    """A link that is not http(s) (sip:, tel:, h323: ...), as written."""

    address: str
    at: int


class Passage(NamedTuple):
    """A piece of an invitation that belongs together; positions count from the start of its `text`."""

    source: str  # body, location, conference, property:NAME
    text: str
    links: tuple[Link, ...]
    others: tuple[Other, ...]
    addresses: tuple[Address, ...]
    depth: int = 0
    at: int = 0

    def part(self, start: int, end: int) -> Passage:
        """The same passage from start to end."""
        return Passage(
            self.source,
            self.text[start:end],
            tuple([Link(a.url, a.at - start, a.wrappers, a.guess) for a in self.links if start <= a.at < end]),
            tuple([Other(a.address, a.at - start) for a in self.others if start <= a.at < end]),
            tuple(
                [Address(a.user, a.domain, a.at - start, a.end - start) for a in self.addresses if start <= a.at < end]
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


def evidence_of(places: Iterable[tuple[Passage, str, str, tuple[str, ...]]]) -> tuple[Evidence, ...]:
    """The evidence for several things found, as `Passage.evidence` gives it, each different one once."""
    different = dict.fromkeys(
        [(in_body if one.source == "body" else one.source, detail, wraps) for one, in_body, detail, wraps in places]
    )
    return tuple([Evidence(source=source, detail=detail, wrappers=wraps) for source, detail, wraps in different])


class Signs(NamedTuple):
    """What points to a platform: the table of platforms, turned round for looking things up."""

    domains: Mapping[str, frozenset[str]]  # a domain, for itself and all below it -> names of platforms
    properties: Mapping[str, frozenset[str]]  # in lower case
    paths: re.Pattern[str]  # pieces of links on any host; the groups are named by platform
    schemes: Mapping[str, str]  # of links that are not http(s)
    marks: Mapping[str, str]  # pieces of text
    addresses: re.Pattern[str]  # the @ of addresses that people do not have: with a number, or at a known domain
    begins: tuple[str, ...]  # how a block of a platform can begin
    ends: frozenset[str]  # the last two labels of every domain that matters, wrappers' included

    def of_host(self, host: str) -> frozenset[str]:
        """The platforms that a host points to, by the longest domain that it lies under."""
        if host in self.domains:
            return self.domains[host]
        rest = host if end_of(host) in self.ends else ""
        while rest:
            rest = rest.partition(".")[2]
            if rest in self.domains:
                return self.domains[rest]
        return _NOTHING


class Invitation(NamedTuple):
    """What the readers of the platforms look at. `properties` have their names in lower case, the first value each.

    `platforms` are the names of those that anything in it points to. Links that point nowhere are left out. `cuts` says
    of what there is more than is looked at; whoever stops before the end of something adds to it.
    """

    meeting: Meeting
    site: Site
    passages: tuple[Passage, ...]
    properties: dict[str, tuple[str, str]]  # lower case name -> (name, value)
    platforms: frozenset[str]
    cuts: list[str]
    empty: bool

    @property
    def cut(self) -> bool:
        """Whether there is more in it than was looked at."""
        return bool(self.cuts)

    def prop(self, name: str) -> str:
        """A property's value by its name in lower case, "" when there is none."""
        return self.properties.get(name, ("", ""))[1]

    def people(self) -> Iterator[str]:
        """The addresses of the organiser and the attendees, in lower case: never something to dial."""
        yield self.meeting.organizer.address.lower()
        for person in self.meeting.attendees:
            yield person.address.lower()


_T = TypeVar("_T")


def few(pieces: Iterable[_T], most: int, invitation: Invitation) -> list[_T]:
    """At most so many of them; the invitation is cut where there are more."""
    found: list[_T] = []
    for piece in pieces:
        if len(found) == most:
            invitation.cuts.append("meetings")
            break
        found.append(piece)
    return found


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
_NO_MEETINGS = (  # links that Teams and Skype put into every invitation
    "https://www.microsoft.com/",
    "https://dialin.teams.microsoft.com/",
    "https://teams.microsoft.com/meetingOptions",
    "https://aka.ms/",
    "https://o15.officeredir.microsoft.com/",
    "tel:",
)


def prepare(meeting: Meeting, site: Site, signs: Signs) -> Invitation:
    """Read the text of every place in which join details may stand. What is trusted more comes first, so that no flood
    in a body keeps it from being read."""
    preparing = _Preparing(site, signs, len(meeting.body))
    places = [place for place in dict.fromkeys((meeting.location, *meeting.locations[:20])) if _may_lead(place)]
    passages: list[Passage] = []
    properties: dict[str, tuple[str, str]] = {}
    for name, value in meeting.properties[:200]:
        lower = name.lower()
        properties.setdefault(lower, (name, value[:_MAX_FIELD]))
        preparing.names |= signs.properties.get(lower, _NOTHING)
        if lower in _PLACES:
            passages += preparing.field(_PLACES[lower] or f"property:{name}", value)
    for place in places:
        passages += preparing.field("location", place)
    # How deeply a part of the body is quoted counts against the location; else only against the rest of the body.
    whole, html = bool(places), meeting.body_type == "html"
    body = texts.read(meeting.body, html=html, wanted=preparing.wants, whole=whole, most=preparing.most)
    if body.cut:
        preparing.cuts.append("body")
    passages += [preparing.passage("body", block) for block in body.blocks if _may_matter(block, signs)]
    return Invitation(
        meeting=meeting,
        site=site,
        passages=tuple(passages),
        properties=properties,
        platforms=frozenset(preparing.names),
        cuts=preparing.cuts,
        empty=body.empty,
    )


def _may_matter(block: texts.Block, signs: Signs) -> bool:
    """Whether a reader of any platform can find something in a block."""
    text = block.text
    return (
        bool(block.links)
        or "@" in text
        or texts.holds(text, "##")
        or texts.holds(text, "323:")
        or text.startswith(signs.begins)
        or any(texts.holds(text, mark) for mark in signs.marks)
    )


def _may_lead(value: str) -> bool:
    """Whether a field can hold an address to join at."""
    return ":" in value or "@" in value or "##" in value


class _Preparing:
    """Turns blocks into passages and gathers on the way which platforms they point to."""

    def __init__(self, site: Site, signs: Signs, size: int) -> None:
        self._site, self._signs = site, signs
        # How many more may come.
        self.most = self._wrappers = _room(_MOST_LOOKED_AT, size)
        self._links = min(_MOST_LINKS, self.most)
        self._others, self._addresses = _MOST_OTHERS, min(_MOST_ADDRESSES, 12 + size // 300)
        self.names: set[str] = set()
        self.cuts: list[str] = []

    def field(self, source: str, value: str) -> Iterator[Passage]:
        if _may_lead(value):
            self._links, self._wrappers = self._links + 1, self._wrappers + 1  # room for a link of its own
            read = texts.read(value[:_MAX_FIELD], html=False, wanted=self.wants, most=self.most)
            if read.cut:
                self.cuts.append("links")
            for block in read.blocks:
                yield self.passage(source, block)

    def wants(self, address: str) -> bool:
        """Whether a link can point to a platform, or be wrapped around one that does. In doubt it is read."""
        if address.startswith(_NO_MEETINGS):
            return False
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
        )

    def passage(self, source: str, block: texts.Block) -> Passage:
        text = block.text
        links: list[Link] = []
        others: list[Other] = []
        addresses = self._addresses_in(text) if "@" in text else []
        marked = False
        for mark, name in self._signs.marks.items():
            if texts.holds(text, mark):
                self.names.add(name)
                marked = True
        for raw, place in block.links:
            if self._links <= 0 or self._wrappers <= 0:
                self.cuts.append("links")
                break
            link = unwrap(raw, place - block.at)
            if link is None:
                others += self._other(raw, place - block.at)
                continue
            self._wrappers -= len(link.wrappers)
            if (names := self._of_link(link)) or marked:
                self._links -= 1
                self.names |= names
                links.append(link)
        if others:
            known = {(one.user, one.domain): one.at for one in addresses}
            linked = [one for other in others if (one := _linked_address(other, known))]
            addresses = sorted(addresses + linked, key=attrgetter("at"))
        for domain in {address.domain for address in addresses}:
            self.names |= self._signs.of_host(domain)
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

    def _other(self, address: str, at: int) -> Iterator[Other]:
        """A link that is not http(s), while there is room for it."""
        if self._others <= 0:
            self.cuts.append("links")
            return
        self._others -= 1
        if name := self._signs.schemes.get(address.partition(":")[0].lower()):
            self.names.add(name)
        yield Other(address, at)

    def _addresses_in(self, text: str) -> list[Address]:
        """The addresses of a passage, while there is room for them."""
        found: list[Address] = []
        if self._addresses <= 0:
            self.cuts.append("addresses")
            return found
        at = text.find("@")
        for _ in range(_MOST_ANY):
            if at < 0:
                break
            if one := _address(text, at):
                found.append(one)
            at = text.find("@", at + 1)
        if at >= 0:
            end = at + _MORE_TEXT
            places = [place.start() for place in self._signs.addresses.finditer(text, at, end)]
            found += [one for place in places if (one := _address(text, place))]
            if text.find("@", end) >= 0:
                self.cuts.append("addresses")
        self._addresses -= len(found)
        return found


def _room(most: int, size: int) -> int:
    """How much of something a body of this size may hold: links are long, so that short bodies hold few."""
    return min(most, 6 + size // 600)


def _address(text: str, at: int) -> Address | None:
    """The address around an @."""
    before = text[at - 64 if at > 64 else 0 : at]
    user = before[len(before.rstrip(_USER_SIGNS)) :].lstrip(".")
    domain = _DOMAIN.match(text, at + 1) if user else None
    return Address(user, domain[0].lower(), at - len(user), domain.end()) if domain else None


def _linked_address(raw: Other, known: dict[tuple[str, str], int]) -> Address | None:
    """The address in a mail or SIP link, unless it stands in the text near the same place as well."""
    scheme, _, rest = raw.address.partition(":")
    if scheme.lower() not in _MAIL:
        return None
    rest = rest.partition("?")[0][:400]
    one = _address(rest, rest.find("@")) if "@" in rest else None
    place = known.get((one.user, one.domain)) if one else None
    if one is None or (place is not None and abs(place - raw.at) < 200):
        return None
    known[one.user, one.domain] = raw.at
    return Address(one.user, one.domain, raw.at, raw.at)
