"""An invitation made ready for the readers of the platforms: its passages with links unwrapped and addresses found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter
from string import ascii_letters, digits
from typing import NamedTuple, TypeVar

from otd.invites import text as texts
from otd.invites.links import WRAPPING, Link, new, unwrap
from otd.invites.site import Site
from otd.model import Evidence, JoinInfo, Meeting

# How far a place is trusted; the lower wins. Quoting adds QUOTED for each level.
PROPERTY, CONFERENCE, MORE_INFO, ADDRESS_BLOCK, LOCATION, BODY_LINK = range(6)
BODY_TEXT = 1_000  # a plain address is the last resort, however deep the rest is quoted
QUOTED = 10
# No invitation needs as many; what comes after them is not looked at, so that no text takes long, and the invitation is
# said to be cut.
MOST_MEETINGS = 3  # of one platform
_MOST_LINKS = 8  # that point to a platform; in a short body fewer
_MOST_LOOKED_AT = 40  # links that may point to one; in a short body fewer
_MOST_WRAPPERS = 60  # around links; in a short body fewer
_MOST_OTHERS = 24  # links that are not http(s)
_MOST_ADDRESSES = 10  # that people do not have, and as many once more; in a short body fewer
_MOST_PEOPLE = 24  # other addresses
_MOST_IN_ONE = 8  # of both kinds in one passage; beyond, and in the next so many characters, only the first kind
_MORE_TEXT = 4_000  # and a twentieth of the body's
_MOST_BLOCKS = 40  # in which anything stands; in a short body fewer
_MAX_FIELD = 20_000

_USER_SIGNS = ascii_letters + digits + "._+-"
_DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,8}+")


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
        links = [
            new(Link, (url, at - start, wrappers, guess))
            for url, at, wrappers, guess in self.links
            if start <= at < end
        ]
        others = [new(Other, (one, at - start)) for one, at in self.others if start <= at < end]
        addresses = [
            new(Address, (user, domain, at - start, stop - start))
            for user, domain, at, stop in self.addresses
            if start <= at < end
        ]
        text = self.text[start:end]
        return new(
            Passage,
            (self.source, text, tuple(links), tuple(others), tuple(addresses), self.depth, self.at + start),
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
        return new(Evidence, (in_body if self.source == "body" else self.source, detail, wrappers))


def evidence_of(places: Iterable[tuple[Passage, str, str, tuple[str, ...]]]) -> tuple[Evidence, ...]:
    """The evidence for several things found, as `Passage.evidence` gives it, each different one once."""
    every = [one.evidence(in_body, detail, wrappers) for one, in_body, detail, wrappers in places]
    return tuple(dict.fromkeys(every))


class Signs(NamedTuple):
    """What points to a platform: the table of platforms, turned round for looking things up."""

    domains: Mapping[str, frozenset[str]]  # a domain, for itself and all below it -> names of platforms
    properties: Mapping[str, frozenset[str]]  # in lower case
    paths: re.Pattern[str]  # pieces of links on any host; the groups are named by platform
    schemes: Mapping[str, str]  # of links that are not http(s)
    marks: Mapping[str, str]  # pieces of text
    addresses: re.Pattern[str]  # the @ of addresses that people do not have: with a number, or at a known domain
    marked: re.Pattern[str]  # what stands before an address that is marked as one to dial, with its user and its @
    begins: tuple[str, ...]  # how a block of a platform can begin
    known: tuple[str, ...]  # the domains, for str.endswith
    links: re.Pattern[str]  # the :// of links that may point to a platform, in ordinary letters
    meetings: Mapping[frozenset[str], tuple[str, ...]]  # platforms -> how the paths of their links to meetings begin

    def of_host(self, host: str) -> frozenset[str]:
        """The platforms that a host points to, by the longest domain that it lies under."""
        if host in self.domains:
            return self.domains[host]
        rest = host if host.endswith(self.known) else ""
        while rest:
            rest = rest.partition(".")[2]
            if rest in self.domains:
                return self.domains[rest]
        return _NOTHING


class Invitation(NamedTuple):
    """What the readers of the platforms look at. `properties` have their names in lower case, the first value each.

    `platforms` are the names of those that anything in it points to. Links that point nowhere are left out. Whoever
    stops before the end of something adds to `cuts` how deeply what is left out is quoted.
    """

    meeting: Meeting
    site: Site
    passages: tuple[Passage, ...]
    properties: dict[str, tuple[str, str]]  # lower case name -> (name, value)
    platforms: frozenset[str]
    cuts: list[int]
    empty: bool

    @property
    def cut(self) -> bool:
        """Whether there is more in it than was looked at."""
        return bool(self.cuts)

    @property
    def unread(self) -> int:
        """How far the most trusted of what was not looked at can be trusted: as far as an address block there."""
        return ADDRESS_BLOCK + QUOTED * min(self.cuts, default=texts.BEYOND)

    def prop(self, name: str) -> str:
        """A property's value by its name in lower case, "" when there is none."""
        return self.properties.get(name, ("", ""))[1]

    def people(self) -> Iterator[str]:
        """The addresses of the organiser and the attendees, in lower case: never something to dial."""
        yield self.meeting.organizer.address.lower()
        for person in self.meeting.attendees:
            yield person.address.lower()


_T = TypeVar("_T")


def gathered(
    invitation: Invitation, read: Callable[[Passage], Iterable[_T]], most: int = 4 * MOST_MEETINGS
) -> list[_T]:
    """What `read` finds in the passages, at most so many; the invitation is cut where there are more."""
    found: list[_T] = []
    for passage in invitation.passages:
        found += islice(read(passage), most + 1 - len(found))
        if len(found) > most:
            invitation.cuts.append(passage.depth)
            return found[:most]
    return found


class Found(NamedTuple):
    """A JoinInfo that a reader found, how far it is trusted, where it stood, and which meeting it is about."""

    join: JoinInfo
    trust: int
    at: int
    key: str


def joining(
    platform: str,
    ids: Iterable[tuple[str, str]],
    evidence: tuple[Evidence, ...],
    reason: str,
    *,
    partner: str = "",
    url: str = "",
    sip: str = "",
    h323: str = "",
) -> JoinInfo:
    """A JoinInfo with those of the ids that are known."""
    known = tuple(sorted([pair for pair in ids if pair[1]]))
    return new(JoinInfo, (platform, partner, known, url, sip, h323, evidence, (), reason))


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
_HOST = re.compile(r"[hH][tT][tT][pP][sS]?://?([^/?#\\:]*+)")
NAMED_FIRST = ("meet.", "join.", "lync.")  # hosts of simple URLs of Skype for Business
_MAIL = frozenset(("mailto", "sip", "sips"))
_SCHEMES = _MAIL | {"h323", "callto", "msteams", "zoommtg", "pexip"}
NO_MEETINGS = (  # links that Teams and Skype put into every invitation, and links to what is said and kept in Teams
    "https://www.microsoft.com/",
    "https://dialin.teams.microsoft.com/",
    "https://teams.microsoft.com/meetingOptions",
    *[f"https://teams.microsoft.com/l/{kind}/" for kind in ("message", "channel", "chat", "team", "file", "entity")],
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
    body = preparing.read(meeting.body, html=html, whole=whole)
    passages += preparing.body(body.blocks)
    return new(
        Invitation,
        (meeting, site, tuple(passages), properties, frozenset(preparing.names), preparing.cuts, body.empty),
    )


def _may_lead(value: str) -> bool:
    """Whether a field can hold an address to join at."""
    return ":" in value or "@" in value or "##" in value


@lru_cache(maxsize=64)
def _with_hosts(links: str, hosts: tuple[str, ...]) -> re.Pattern[str]:
    """What links that may point to a platform look like, those to a site's own hosts among them."""
    return re.compile(f"{links}|://(?:{'|'.join(map(re.escape, hosts))})")


class _Preparing:
    """Turns blocks into passages and gathers on the way which platforms they point to."""

    def __init__(self, site: Site, signs: Signs, size: int) -> None:
        self._site, self._signs = site, signs
        # How many more may come.
        self._most = min(_MOST_LOOKED_AT, 6 + size // 1_000)
        self._wrappers = min(_MOST_WRAPPERS, 5 + size // 300)
        self._links = min(_MOST_LINKS, 5 + size // 3_000)
        self._others, self._people, self._text = _MOST_OTHERS, _MOST_PEOPLE, _MORE_TEXT + size // 20
        self._addresses = self._again = min(_MOST_ADDRESSES, 5 + size // 1_500)
        self._blocks = min(_MOST_BLOCKS, 8 + size // 600)
        self._counted: set[tuple[str, str]] = set()
        self._unwrapped: dict[str, Link | None] = {}  # None for those that point nowhere
        self.names: set[str] = set()
        self._unread = ""  # the first link that there was no room to unwrap
        self.cuts: list[int] = []

    def read(self, source: str, *, html: bool, whole: bool) -> texts.Body:
        """A body or a field as blocks, with the links that are wanted."""
        hosts, telling = self._site.skype_hosts, self._signs.links
        found = texts.read(
            source,
            html=html,
            wanted=self.wants,
            telling=_with_hosts(telling.pattern, hosts) if hosts else telling,
            whole=whole,
            most=self._most,
            written=self._links + 2,
        )
        self.cuts += found.cuts
        return found

    def field(self, source: str, value: str) -> Iterator[Passage]:
        if _may_lead(value):
            self._links, self._wrappers = self._links + 1, self._wrappers + 1  # room for one of its own
            read = self.read(value[:_MAX_FIELD], html=False, whole=True)
            for block in read.blocks:
                yield self.passage(source, block)

    def body(self, blocks: Iterable[texts.Block]) -> list[Passage]:
        """The blocks in which a reader of any platform can find something, while there is room for them."""
        passages: list[Passage] = []
        for block in blocks:
            if block.links or self._may_matter(block):
                if len(passages) == self._blocks:
                    self.cuts.append(block.depth)
                    break
                passages.append(self.passage("body", block))
        return passages

    def _may_matter(self, block: texts.Block) -> bool:
        """Whether there can be something in a text without links. Addresses count while there is room for them."""
        text = block.text
        if "@" in text:
            if self._room():
                return True
            self.cuts.append(block.depth)
        if text.startswith(self._signs.begins) or ("#" in text and "##" in text) or ("3" in text and "323:" in text):
            return True
        for mark in self._signs.marks:  # noqa: SIM110, a generator takes longer than all that it looks for
            if mark[0] in text and mark in text:
                return True
        return False

    def wants(self, address: str) -> bool:
        """Whether a link can point to a platform, or be wrapped around one that does. In doubt it is read."""
        if address.startswith(NO_MEETINGS):
            return False
        found = _HOST.match(address)
        if found is None:
            scheme, _, rest = address.lower().partition(":")
            return scheme in _SCHEMES and (scheme != "mailto" or not self._is_mail(rest.partition("?")[0]))
        host = found[1].lower()
        if host not in self._signs.domains and (host.endswith(WRAPPING) or "google." in host):
            return self._inside(address) is not None or address == self._unread
        if names := self._signs.of_host(host):
            meetings = self._signs.meetings.get(names)
            return not meetings or address.startswith((*meetings, ":"), found.end())
        return (
            host.startswith(NAMED_FIRST)
            or host in self._site.skype_hosts
            or self._signs.paths.search(address) is not None
        )

    def _is_mail(self, address: str) -> bool:
        """Whether an address can only be somebody's, of whom there may be many in the heads of forwarded mails."""
        partners = tuple([domain for domain, _ in self._site.partner_domains])
        return self._signs.addresses.search(address) is None and not address.endswith(partners)

    def _inside(self, address: str) -> Link | None:
        """The link inside a wrapper, when it points to a platform; while there is room for wrappers."""
        if address not in self._unwrapped:
            if self._wrappers <= 0:
                self._unread = self._unread or address  # its place tells where the cut is
                return None
            link = unwrap(address, 0)
            self._wrappers -= max(len(link.wrappers), 1) if link else 1
            if link and (link.url.text.startswith(NO_MEETINGS) or not self._of_link(link)):
                link = None
            self._unwrapped[address] = link
        return self._unwrapped[address]

    def passage(self, source: str, block: texts.Block) -> Passage:
        text = block.text
        links: list[Link] = []
        others: list[Other] = []
        addresses = self._addresses_in(block) if "@" in text else []
        marked = False
        for mark, name in self._signs.marks.items():
            if texts.holds(text, mark):
                self.names.add(name)
                marked = True
        last = ""
        for raw, place in block.links:
            if raw == last:
                continue  # the text of a link is often its address
            last = raw
            if self._links <= 0:
                self.cuts.append(block.depth)
                break
            if raw == self._unread:
                self.cuts.append(block.depth)
                continue
            link = self._unwrapped.get(raw) or unwrap(raw, 0)
            if link is None:
                others += self._other(raw, place - block.at, block.depth)
                continue
            if (names := self._of_link(link)) or marked:
                self._links -= 1
                self.names |= names
                links.append(new(Link, (link.url, place - block.at, link.wrappers, link.guess)))
        if others:
            known = {(one.user, one.domain): one.at for one in addresses}
            linked = [one for other in others if (one := _linked_address(other, known))]
            addresses = sorted(addresses + linked, key=attrgetter("at"))
        for domain in {address.domain for address in addresses}:
            self.names |= self._signs.of_host(domain)
        return new(Passage, (source, text, tuple(links), tuple(others), tuple(addresses), block.depth, block.at))

    def _of_link(self, link: Link) -> frozenset[str]:
        """The platforms that a link points to, by its host or else by its path."""
        host = link.guess or link.url.host
        names = self._signs.of_host(host)
        if names:
            meetings = self._signs.meetings.get(names)
            return names if not meetings or link.guess or link.url.path.startswith(meetings) else _NOTHING
        found = self._signs.paths.search(link.url.text)
        names = frozenset((found.lastgroup,)) if found and found.lastgroup else _NOTHING
        return names | {"skype"} if host in self._site.skype_hosts or host.startswith(NAMED_FIRST) else names

    def _other(self, address: str, at: int, depth: int) -> Iterator[Other]:
        """A link that is not http(s), while there is room for it."""
        if self._others <= 0:
            self.cuts.append(depth)
            return
        self._others -= 1
        if name := self._signs.schemes.get(address.partition(":")[0].lower()):
            self.names.add(name)
        yield new(Other, (address, at))

    def _addresses_in(self, block: texts.Block) -> list[Address]:
        """The addresses of a block, while there is room for them."""
        text = block.text
        found: list[Address] = []
        at = text.find("@")
        for _ in range(min(_MOST_IN_ONE, self._people)):
            if at < 0 or not self._room():
                break
            if one := _address(text, at):
                found.append(one)
                if self._signs.addresses.match(text, at) is None:
                    self._people -= 1
                else:
                    self._count(one)
            at = text.find("@", at + 1)
        if at >= 0:
            end = at + self._text
            for place in self._others_than_people(text, at, end):
                if not self._room():
                    self.cuts.append(block.depth)
                    break
                if one := _address(text, place):
                    found.append(one)
                    self._count(one)
            self._text -= min(end, len(text)) - at
            if text.find("@", end) >= 0:
                self.cuts.append(block.depth)
        return found

    def _others_than_people(self, text: str, start: int, end: int) -> Iterable[int]:
        """Where there is an @ of an address that people do not have, or that is marked as one to dial."""
        places = (found.start() for found in self._signs.addresses.finditer(text, start, end))
        near = text[start:end]
        if "sip" not in near and "SIP" not in near:
            return places
        marked = (found.end() - 1 for found in self._signs.marked.finditer(text, start, end))
        return (place for place, _ in groupby(merge(places, marked)))

    def _room(self) -> bool:
        return self._addresses > 0 and self._again > 0

    def _count(self, address: Address) -> None:
        key = (address.user, address.domain)
        if key in self._counted:
            self._again -= 1
        else:
            self._counted.add(key)
            self._addresses -= 1


def _address(text: str, at: int) -> Address | None:
    """The address around an @."""
    before = text[at - 64 if at > 64 else 0 : at]
    user = before[len(before.rstrip(_USER_SIGNS)) :].lstrip(".")
    domain = _DOMAIN.match(text, at + 1) if user else None
    return new(Address, (user, domain[0].lower(), at - len(user), domain.end())) if domain else None


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
    return new(Address, (one.user, one.domain, raw.at, raw.at))
