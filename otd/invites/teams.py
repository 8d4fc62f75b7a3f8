"""Microsoft Teams: the hidden properties, every shape of its links, its native id and passcode, and video interop.

Three numbers in these invitations look alike: the phone conference id (before a #), the native meeting id, and the
video id. Only the last one is for interop, and it is only ever read behind the tenant's address or from a "more info"
address (otd.invites.interop).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote

from otd.invites import interop, skype
from otd.invites.interop import TEAMS_HOSTS as HOSTS
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
)
from otd.invites.links import Link, Url, unwrap
from otd.invites.text import closing_numbers
from otd.model import Evidence, JoinInfo

_THREAD = re.compile(r"19:[A-Za-z0-9_.+=/-]{5,200}@(?:thread\.(?:v2|skype|tacv2)|unq\.gbl\.spaces)", re.I)
_MEET = re.compile(r"/meet/([0-9]{9,15})/?", re.I)
_MEETUP = re.compile(r"/l/meetup-join/([^/]{10,400})")
_QUOTE, _COLON, _SPACE = '(?:%22|")', "(?:%3[aA]|:)", "(?:%20|[ +]){0,4}"
_GUID = r"([0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})"
_TENANT = re.compile(f"Tid{_QUOTE}{_SPACE}{_COLON}{_SPACE}{_QUOTE}{_GUID}{_QUOTE}")
_ORGANIZER = re.compile(f"Oid{_QUOTE}{_SPACE}{_COLON}{_SPACE}{_QUOTE}{_GUID}{_QUOTE}")
_CONFLINK = re.compile(
    r"focus:id:teams:[0-9]:[0-9]!(19:[A-Za-z0-9_.+=-]{5,200})-(thread\.\w{1,8})!([0-9a-f-]{32,36})!([0-9a-f-]{32,36})"
)
_SCHEDULING = re.compile(r"/teams/([0-9a-f-]{36})/([0-9a-f-]{36})/19_([A-Za-z0-9_.+=-]{5,200}@thread\.\w{1,8})", re.I)
# A native meeting id ends its line: at least twelve digits, in groups of three.
_MEETING_ID = re.compile(r"([0-9](?:[0-9]{2}(?: [0-9]{3}){3}(?: [0-9]{1,3})?|[0-9]{11,14})) *(?=\n|\Z)")
_PASSCODE = re.compile(r" *\n[^\n:]{1,40}: ?\n? ?([A-Za-z0-9]{6,8}) *(?=\n|\Z)")


_MOST_PIECES = 3 * MOST_MEETINGS  # one meeting may stand in a thread several times
_RULED = "_" * 20  # how Outlook's add-in begins its block
_ID_NAMES = ("thread_id", "tenant_id", "organizer_id", "meeting_id", "passcode")


class Join(NamedTuple):
    """What one Teams link or property says about which meeting it is."""

    thread_id: str = ""
    tenant_id: str = ""
    organizer_id: str = ""
    meeting_id: str = ""
    passcode: str = ""
    url: str = ""

    def same(self, other: Join) -> bool:
        """Whether both can be about one meeting: what both state is equal."""
        return (not self.thread_id or not other.thread_id or self.thread_id == other.thread_id) and (
            not self.meeting_id or not other.meeting_id or self.meeting_id == other.meeting_id
        )

    def surely_same(self, other: Join) -> bool:
        """Whether both state something that only one meeting has. A link by number and one by thread do not."""
        return self.same(other) and (
            bool(self.thread_id and other.thread_id) or bool(self.meeting_id and other.meeting_id)
        )

    def merged(self, other: Join) -> Join:
        """What this one states, and what only the other one states."""
        if not any(other):
            return self
        return Join(*[mine or theirs for mine, theirs in zip(self, other, strict=True)])


def is_teams(host: str) -> bool:
    """Whether a host is one that Teams links lead to."""
    return host in HOSTS or host.endswith(".teams.microsoft.us")


def join_of(url: Url) -> Join | None:
    """The meeting that a Teams address leads to; None for addresses that lead to none (options, channels, dial-in)."""
    if "/meet" not in url.path or not is_teams(url.host):
        return None
    if meet := _MEET.fullmatch(url.path):
        return Join(meeting_id=meet[1], passcode=url.param("p"), url=url.text)
    found = _MEETUP.match(url.path)
    thread = _THREAD.match(unquote(found[1])) if found else None
    if thread is None:
        return None
    return Join(thread[0], _guid(_TENANT, url.query), _guid(_ORGANIZER, url.query), url=url.text)


def _guid(name: re.Pattern[str], query: str) -> str:
    """A value out of the JSON in a join link, as it stands there percent-encoded; a broken one says nothing."""
    found = name.search(query)
    return found[1].lower() if found else ""


# --- the hidden properties ------------------------------------------------------------------------------------------


def from_properties(invitation: Invitation) -> tuple[Join, tuple[Evidence, ...]] | None:
    """What the hidden properties say together; None when they do not speak of Teams."""
    joins: list[tuple[Join, Evidence]] = []
    for name, reader in _PROPERTIES.items():
        original, value = invitation.properties.get(name, ("", ""))
        found = reader(value) if value else None
        if found is not None:
            joins.append((found, Evidence(source=f"property:{original}")))
    if not joins:
        return None
    merged, evidence = joins[0][0], [joins[0][1]]
    for found, source in joins[1:]:
        if merged.same(found):
            merged = merged.merged(found)
            evidence.append(source)
    return merged, tuple(evidence)


def _from_link(value: str) -> Join | None:
    link = unwrap(value.strip(), 0)
    return join_of(link.url) if link else None


def _from_json(value: str) -> Join | None:
    found = re.search(r'"cid"\s*:\s*"(19:[^"\\]{5,220})"', value)
    thread = _THREAD.fullmatch(found[1]) if found else None
    return Join(thread_id=thread[0]) if thread else None


def _from_scheduling(value: str) -> Join | None:
    found = _SCHEDULING.search(value)
    return (
        Join(thread_id=f"19:{found[3]}", tenant_id=found[1].lower(), organizer_id=found[2].lower()) if found else None
    )


def _from_conflink(value: str) -> Join | None:
    found = _CONFLINK.search(value)
    if found is None:
        return None
    return Join(thread_id=f"{found[1]}@{found[2]}", organizer_id=_dashed(found[3]), tenant_id=_dashed(found[4]))


def _dashed(guid: str) -> str:
    plain = guid.replace("-", "").lower()
    return "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:])) if len(plain) == 32 else ""


_PROPERTIES = {
    "skypeteamsmeetingurl": _from_link,
    "onlinemeeting.joinurl": _from_link,
    "onlinemeetingurl": _from_link,
    "skypeteamsproperties": _from_json,
    "schedulingserviceupdateurl": _from_scheduling,
    "onlinemeetingconflink": _from_conflink,
    "onlinemeetingexternallink": _from_link,
    "onlinemeetinginternallink": _from_link,
}


# --- the text -------------------------------------------------------------------------------------------------------


class _Piece(NamedTuple):
    """One Teams meeting in one passage."""

    passage: Passage
    join: Join
    wrappers: tuple[str, ...]
    interops: tuple[Interop, ...]

    @property
    def trust(self) -> int:
        usable = [one for one in self.interops if not one.reason]
        if usable:
            return self.passage.trust(MORE_INFO if usable[0].from_info else ADDRESS_BLOCK)
        is_block = self.interops or self.join.meeting_id or self.passage.text.startswith(_RULED)
        return self.passage.trust(ADDRESS_BLOCK if is_block else BODY_LINK)


def _pieces(passage: Passage, invitation: Invitation) -> Iterator[_Piece]:
    """A passage cut where a link of another meeting stands."""
    if not passage.links and not passage.addresses:
        return
    joins = [(link, join) for link in passage.links if (join := join_of(link.url))]
    starts: list[tuple[int, Join, Link]] = []
    for link, join in joins:
        if starts and starts[-1][1].same(join):
            starts[-1] = (starts[-1][0], starts[-1][1].merged(join), starts[-1][2])
        elif len(starts) < MOST_MEETINGS:
            starts.append((link.at if starts else 0, join, link))
    if not starts:
        interops = () if skype.claims(passage, invitation) else interop.find(passage, invitation, anchored=False)
        if interops:
            yield _Piece(passage, Join(), (), tuple(interops))
        return
    ends = [start for start, _, _ in starts[1:]] + [len(passage.text) + 1]
    for (start, join, link), end in zip(starts, ends, strict=True):
        part = passage.part(start, end) if len(starts) > 1 else passage
        interops = interop.find(part, invitation, anchored=True)
        before = min((one.at for one in interops), default=len(part.text))
        join = _native(part.text, before, join)
        if interops:
            interops = list(_without_native(interops, part.text, join))
        yield _Piece(part, join, link.wrappers, tuple(interops))


def _without_native(interops: list[Interop], text: str, join: Join) -> Iterator[Interop]:
    """The coordinates; those that took a native id for the video id, where that one is missing, may not be used."""
    native = {one[1].replace(" ", "") for one in closing_numbers(text, _MEETING_ID) if _PASSCODE.match(text, one.end())}
    for one in interops:
        is_native = not one.from_info and one.id("vtc_id") in native | {join.meeting_id}
        yield one._replace(reason="id_redacted") if is_native and one.id("vtc_id") else one


def _native(text: str, end: int, join: Join) -> Join:
    """The join with its native id and passcode: both stand before the video part."""
    found = next(closing_numbers(text, _MEETING_ID, end), None)
    if found is None:
        return join
    meeting_id = found[1].replace(" ", "")
    if join.meeting_id and join.meeting_id != meeting_id:
        return join
    passcode = _PASSCODE.match(text, found.end())
    return join._replace(meeting_id=meeting_id, passcode=passcode[1] if passcode else join.passcode)


# --- together -------------------------------------------------------------------------------------------------------


def read(invitation: Invitation) -> list[Found]:
    """The Teams meetings of an invitation; the one that the hidden properties name is trusted most."""
    pieces = list(
        islice((one for passage in invitation.passages for one in _pieces(passage, invitation)), _MOST_PIECES)
    )
    hidden = from_properties(invitation)
    found: list[Found] = []
    if hidden is not None:
        join, evidence = hidden
        mine, pieces = _split(join, 0, pieces)
        found.append(_found(join, mine, evidence, PROPERTY, invitation))
    while pieces and len(found) < MOST_MEETINGS:
        first = min(pieces, key=lambda piece: (piece.trust, piece.passage.at))
        mine, pieces = _split(first.join, first.passage.depth, pieces)
        found.append(_found(first.join, mine, (), first.trust, invitation))
    return found


def _split(join: Join, depth: int, pieces: list[_Piece]) -> tuple[list[_Piece], list[_Piece]]:
    """The pieces that are about this meeting, and the others. What does not surely belong to it does where it is quoted
    no deeper: an older meeting in the thread below may have a link of the other form."""
    mine = [one.join.surely_same(join) or (one.passage.depth <= depth and one.join.same(join)) for one in pieces]
    return (
        [one for one, is_mine in zip(pieces, mine, strict=True) if is_mine],
        [one for one, is_mine in zip(pieces, mine, strict=True) if not is_mine],
    )


def _found(
    join: Join, pieces: list[_Piece], evidence: tuple[Evidence, ...], trust: int, invitation: Invitation
) -> Found:
    """One meeting out of the properties and of the pieces of text that are about it."""
    pieces = sorted(pieces, key=lambda piece: (piece.trust, piece.passage.at))
    for piece in pieces:
        join = join.merged(piece.join)
    chosen = interop.choose((piece.passage, one) for piece in pieces for one in piece.interops)
    if chosen.best is not None:
        evidence += (chosen.best.evidence,)
    elif pieces and pieces[0].join.url:
        evidence += (pieces[0].passage.evidence("body_link", "", pieces[0].wrappers),)
    reason = chosen.reason or ("" if chosen.best else interop.why_none(invitation))
    info = _info(join, chosen.best, evidence, reason)
    at = min((piece.passage.at for piece in pieces), default=0)
    key = join.thread_id or join.meeting_id or (chosen.best.id("vtc_id") if chosen.best else "")
    lost = interop.alternatives(chosen, lambda one: _info(join, one, (one.evidence,), one.reason))
    return Found(replace(info, alternatives=lost) if lost else info, trust, at, key)


def _info(join: Join, coordinates: Interop | None, evidence: tuple[Evidence, ...], reason: str) -> JoinInfo:
    ids = {name: value for name, value in zip(_ID_NAMES, join, strict=False) if value}
    if coordinates is not None:
        ids.update(coordinates.ids)
    return JoinInfo(
        platform="teams",
        partner=coordinates.partner if coordinates else "",
        ids=tuple(sorted(ids.items())),
        join_url=join.url,
        evidence=evidence,
        reason=reason,
    )
