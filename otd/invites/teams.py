"""Microsoft Teams: the hidden properties, every shape of its links, its native id and passcode, and video interop.

Three numbers in these invitations look alike: the phone conference id (before a #), the native meeting id, and the
video id. Only the last one is for interop, and it is only ever read behind the tenant's address or from a "more info"
address (otd.invites.interop).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

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
    gathered,
    joining,
)
from otd.invites.links import Link, Url, new, unquoted, unwrap
from otd.invites.text import BEYOND, closing_numbers
from otd.model import Evidence, JoinInfo

_THREAD = re.compile(r"19:[A-Za-z0-9_.+=/-]{5,200}+@(?i:thread\.(?:v2|skype|tacv2)|unq\.gbl\.spaces)")
_MEET = re.compile(r"/meet/([0-9]{9,15})/?", re.I)
_MEETUP = "/l/meetup-join/"
_QUOTE, _COLON, _SPACE = '(?:%22|")', "(?:%3[aA]|:)", "(?:%20|[ +]){0,4}"
_GUID = r"([0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})"
_TENANT = re.compile(f"Tid{_QUOTE}{_SPACE}{_COLON}{_SPACE}{_QUOTE}{_GUID}{_QUOTE}")
_ORGANIZER = re.compile(f"Oid{_QUOTE}{_SPACE}{_COLON}{_SPACE}{_QUOTE}{_GUID}{_QUOTE}")
_CONFLINK = re.compile(
    r"focus:id:teams:[0-9]:[0-9]!(19:[A-Za-z0-9_.+=-]{5,200})-(thread\.\w{1,8})!([0-9a-f-]{32,36})!([0-9a-f-]{32,36})"
)
_SCHEDULING = re.compile(r"/teams/([0-9a-f-]{36})/([0-9a-f-]{36})/19_([A-Za-z0-9_.+=-]{5,200}@thread\.\w{1,8})", re.I)
# A native meeting id: at least twelve digits, in groups of three.
_MEETING_ID = re.compile(r"[0-9]{3}(?: [0-9]{3}){3}(?: [0-9]{1,3})?|[0-9]{12,15}")
_PASSCODE = re.compile(r" *\n[^\n:]{1,40}: ?\n? ?([A-Za-z0-9]{6,8}) *(?=\n|\Z)")


_MOST_PIECES = 2 * MOST_MEETINGS  # one meeting may stand in a thread several times
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
        if other is self or other is _UNKNOWN:
            return self
        return new(Join, [mine or theirs for mine, theirs in zip(self, other, strict=True)])


_UNKNOWN = Join()


def is_teams(host: str) -> bool:
    """Whether a host is one that Teams links lead to."""
    return host in HOSTS or host.endswith(".teams.microsoft.us")


def join_of(url: Url) -> Join | None:
    """The meeting that a Teams address leads to; None for addresses that lead to none (options, channels, dial-in)."""
    text, host, path, query, _ = url
    if "/meet" not in path or not is_teams(host):
        return None
    if not path.startswith("/l/") and (meet := _MEET.fullmatch(path)):
        return Join(meeting_id=meet[1], passcode=url.param("p"), url=text)
    begin, _, rest = path.partition(_MEETUP)
    thread = None if begin or not rest else _THREAD.match(unquoted(rest[:400].partition("/")[0]))
    if thread is None:
        return None
    return new(Join, (thread[0], _guid(_TENANT, query), _guid(_ORGANIZER, query), "", "", text))


def _guid(name: re.Pattern[str], query: str) -> str:
    """A value out of the JSON in a join link, as it stands there percent-encoded; a broken one says nothing."""
    found = name.search(query)
    return found[1].lower() if found else ""


# --- the hidden properties ------------------------------------------------------------------------------------------


def from_properties(invitation: Invitation) -> tuple[Join, tuple[Evidence, ...]] | None:
    """What the hidden properties say together; None when they do not speak of Teams."""
    if not invitation.properties:
        return None
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
    interops: Sequence[Interop]
    trust: int

    @property
    def rank(self) -> tuple[int, int]:
        """The lower, the sooner it is believed."""
        return self.trust, self.passage.at


def _trust(passage: Passage, join: Join, interops: Sequence[Interop]) -> int:
    for one in interops:
        if not one.reason:
            return passage.trust(MORE_INFO if one.from_info else ADDRESS_BLOCK)
    is_block = interops or join.meeting_id or passage.text.startswith(_RULED)
    return passage.trust(ADDRESS_BLOCK if is_block else BODY_LINK)


_RANK = attrgetter("rank")


def _pieces(passage: Passage, invitation: Invitation) -> list[_Piece]:
    """A passage cut where a link of another meeting stands."""
    if not passage.links and not passage.addresses:
        return []
    starts: list[tuple[int, Join, Link]] = []
    last = len(passage.text) + 1
    for link in passage.links:
        join = join_of(link.url)
        if join is None:
            continue
        if starts and starts[-1][1].same(join):
            starts[-1] = (starts[-1][0], starts[-1][1].merged(join), starts[-1][2])
        elif len(starts) < MOST_MEETINGS:
            starts.append((link.at, join, link))
        else:
            invitation.cuts.append(passage.depth)
            last = link.at
            break
    if len(starts) == 1:
        _, join, link = starts[0]
        return [_piece(passage, join, link.wrappers, invitation)]
    if not starts:
        interops = () if skype.claims(passage, invitation) else interop.find(passage, invitation, anchored=False)
        return [_Piece(passage, _UNKNOWN, (), interops, _trust(passage, _UNKNOWN, interops))] if interops else []
    ends = [*[start for start, _, _ in starts[1:]], last]
    begins = [0, *ends]
    return [
        _piece(passage.part(begin, end), join, link.wrappers, invitation)
        for begin, end, (_, join, link) in zip(begins, ends, starts, strict=False)
    ]


def _piece(part: Passage, join: Join, wrappers: tuple[str, ...], invitation: Invitation) -> _Piece:
    """The meeting of one link, with what stands around it."""
    interops = interop.find(part, invitation, anchored=True)
    numbers = closing_numbers(part.text, _MEETING_ID)
    if first := next(numbers, None):
        join = _native(part.text, first, join, interops)
    if interops and not all([one.from_info for one in interops]):
        known = (first, *numbers) if first else ()
        interops = _without_native(interops, part.text, known, join)
    return new(_Piece, (part, join, wrappers, interops, _trust(part, join, interops)))


_Number = tuple[str, int, int]


def _without_native(
    interops: Sequence[Interop], text: str, numbers: Sequence[_Number], join: Join
) -> Sequence[Interop]:
    """The coordinates; those that took a native id for the video id, where that one is missing, may not be used."""
    native = {join.meeting_id, *(number for number, _, end in numbers if _PASSCODE.match(text, end))} - {""}
    return [
        one if one.from_info or one.vtc_id not in native else one._replace(reason="id_redacted") for one in interops
    ]


def _native(text: str, number: _Number, join: Join, interops: Sequence[Interop]) -> Join:
    """The join with its native id and passcode: both stand before the video part."""
    meeting_id, start, end = number
    thread_id, tenant_id, organizer_id, linked_id, passcode, url = join
    if (linked_id and linked_id != meeting_id) or any([one.at < start for one in interops]):
        return join
    stated = _PASSCODE.match(text, end)
    passcode = stated[1] if stated else passcode
    return new(Join, (thread_id, tenant_id, organizer_id, meeting_id, passcode, url))


# --- together -------------------------------------------------------------------------------------------------------


def read(invitation: Invitation) -> list[Found]:
    """The Teams meetings of an invitation; the one that the hidden properties name is trusted most."""
    pieces = gathered(invitation, lambda passage: _pieces(passage, invitation), _MOST_PIECES)
    pieces.sort(key=_RANK)
    hidden = from_properties(invitation)
    found: list[Found] = []
    if hidden is not None:
        join, evidence = hidden
        mine, pieces = _split(join, 0, pieces)
        found.append(_found(join, mine, evidence, PROPERTY, invitation))
    while pieces and len(found) < MOST_MEETINGS:
        first = pieces[0]
        mine, pieces = _split(first.join, first.passage.depth, pieces)
        found.append(_found(first.join, mine, (), first.trust, invitation))
    if pieces:
        invitation.cuts.append(BEYOND)
    return found


def _split(join: Join, depth: int, pieces: list[_Piece]) -> tuple[list[_Piece], list[_Piece]]:
    """The pieces that are about this meeting, and the others. What does not surely belong to it does where it is quoted
    no deeper: an older meeting in the thread below may have a link of the other form."""
    mine: list[_Piece] = []
    others: list[_Piece] = []
    for one in pieces:
        is_mine = one.join.surely_same(join) or (one.passage.depth <= depth and one.join.same(join))
        (mine if is_mine else others).append(one)
    return mine, others


def _found(
    join: Join, pieces: list[_Piece], evidence: tuple[Evidence, ...], trust: int, invitation: Invitation
) -> Found:
    """One meeting out of the properties and of the pieces of text that are about it, the most trusted first."""
    for piece in pieces:
        join = join.merged(piece.join)
    chosen = interop.choose([(piece.passage, one) for piece in pieces for one in piece.interops])
    if chosen.best is not None:
        evidence += (chosen.best.evidence,)
    elif pieces and pieces[0].join.url:
        evidence += (pieces[0].passage.evidence("body_link", "", pieces[0].wrappers),)
    reason = chosen.reason or ("" if chosen.best else interop.why_none(invitation))
    info = _info(join, chosen.best, evidence, reason)
    at = min([piece.passage.at for piece in pieces], default=0)
    key = join.thread_id or join.meeting_id or (chosen.best.vtc_id if chosen.best else "")
    if chosen.lost:
        lost = interop.alternatives(chosen, lambda one: _info(join, one, (one.evidence,), one.reason))
        info = info._replace(alternatives=lost)
    return new(Found, (info, trust, at, key))


def _info(join: Join, coordinates: Interop | None, evidence: tuple[Evidence, ...], reason: str) -> JoinInfo:
    ids = list(zip(_ID_NAMES, join, strict=False))
    if coordinates is None:
        return joining("teams", ids, evidence, reason, url=join.url)
    ids += coordinates.ids.items()
    return joining("teams", ids, evidence, reason, partner=coordinates.partner, url=join.url)
