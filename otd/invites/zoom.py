"""Zoom: join links on every host, the room connector's address, and the passcode that can be dialled.

An invitation holds up to two passcodes: one for the app, which may have letters, and a numeric one for phones and
rooms. Only the numeric one can be sent by a video system. The pwd in a link is neither: it is a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from otd.invites.invitation import (
    ADDRESS_BLOCK,
    BODY_LINK,
    MOST_MEETINGS,
    Address,
    Found,
    Invitation,
    Other,
    Passage,
    evidence_of,
    gathered,
    joining,
)
from otd.invites.links import Link, Url, new, parameter
from otd.invites.site import under
from otd.invites.text import BEYOND, is_telephone

HOSTS = ("zoom.us", "zoom.com", "zoom.com.cn", "zoom-x.de", "zoomgov.com")
CONNECTORS = ("zoomcrc.com", "zoomgov.com")
_MOST_PIECES = 2 * MOST_MEETINGS
_GOV, _GOV_CONNECTOR = ("zoomgov.com",), "sip.zoomgov.com"
_PLACE = attrgetter("at")

MEETINGS = ("/j/", "/w/", "/s/", "/wc/", "/webinar/", "/meeting/", "/my/")  # how the paths below begin
_PATH = re.compile(r"/(?:j|w|s|wc/join|wc)/([0-9]{9,11})(?:/(?:join|start))?/?")
_REDACTED_PATH = re.compile(r"/(?:j|w|s)/[Xx*]{3,}/?")
_NO_MEETING = re.compile(r"/(?:webinar|meeting)/register/.*")
_VANITY = re.compile(r"/my/[\w.-]{1,80}/?")
_DIALLED = re.compile(r"([0-9]{9,11})(?:\.([0-9]{1,10}))?(?:\.[0-9]*){0,2}")
# The id on a line of its own behind a label; the passcode on the next such line.
_ID_LINE = re.compile(r": ?([0-9]{3}[ -]?[0-9]{3,4}[ -]?[0-9]{3,4}) *(?:\n|$)")
_PASSCODE_LINE = re.compile(r"\n*([^\n:]{1,40}): ?([0-9]{4,8}|[1-9][0-9]{8,9}) *(?:\n|$)")  # 0 begins a telephone's
# Only the host has that key.
_HOST = re.compile(r"\b(?:host|anfitri|h[oô]te|animat|gastgeb|värd|vært|vert|организат)|主持人|主催|ホスト|호스트")
_ONE_TAP = re.compile(r",,([0-9]{9,11})#(?:,{1,8}(?:0#,{0,4})?\*?([0-9]{4,10})#)?")
_IP = re.compile(r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])")


class _Piece(NamedTuple):
    """What one part of a passage says about one Zoom meeting."""

    passage: Passage
    meeting_id: str
    url: str = ""
    gov: bool = False
    sip: str = ""
    passcode: str = ""
    wrappers: tuple[str, ...] = ()
    reason: str = ""
    ip: str = ""

    contradicted: bool = False

    @property
    def trust(self) -> int:
        whole = (self.sip or self.passcode) and not self.contradicted
        return self.passage.trust(ADDRESS_BLOCK if whole else BODY_LINK)


class _Start(NamedTuple):
    at: int
    meeting_id: str
    url: str = ""
    host: str = ""
    sip: str = ""
    wrappers: tuple[str, ...] = ()
    reason: str = ""


def read(invitation: Invitation) -> list[Found]:
    """The Zoom meetings of an invitation, one for each id."""
    pieces = gathered(invitation, lambda passage: _pieces(passage, invitation), _MOST_PIECES)
    real = [piece for piece in pieces if not piece.reason]
    pieces = real or pieces[:1]  # a registration page beside the meeting says nothing more
    meetings: dict[str, list[_Piece]] = {}
    for piece in sorted(pieces, key=lambda one: (one.trust, one.passage.at)):
        if piece.meeting_id in meetings or len(meetings) < MOST_MEETINGS:
            meetings.setdefault(piece.meeting_id, []).append(piece)
        else:
            invitation.cuts.append(BEYOND)
    return [_found(mine) for mine in meetings.values()]


def _pieces(passage: Passage, invitation: Invitation) -> list[_Piece]:
    merged: list[list[_Start]] = []
    last = len(passage.text) + 1
    for start in _starts(passage):
        if merged and start.meeting_id in ("", merged[-1][0].meeting_id):
            merged[-1].append(start)
        elif merged and not merged[-1][0].meeting_id:
            merged[-1] = [start, *merged[-1]]
        elif len(merged) < MOST_MEETINGS:
            merged.append([start])
        else:
            invitation.cuts.append(passage.depth)
            last = start.at
            break
    pieces = []
    for n, group in enumerate(merged):
        begin = min(one.at for one in group) if n else 0
        end = min(one.at for one in merged[n + 1]) if n + 1 < len(merged) else last
        pieces.append(_piece(passage.part(begin, end) if len(merged) > 1 else passage, group))
    # An address of one meeting below the link of another: neither is more likely to be meant.
    if not any([piece.url and not piece.sip for piece in pieces]):
        return pieces
    return [piece if piece.url or not piece.sip else piece._replace(contradicted=True) for piece in pieces]


def _starts(passage: Passage) -> Iterator[_Start]:
    """What names a meeting, in the order in which it stands there."""
    places: list[Link | Other | Address] = [*passage.links, *passage.others, *passage.addresses]
    for one in sorted(places, key=_PLACE):
        if isinstance(one, Link):
            start = _of_link(one)
        else:
            start = _of_other(one) if isinstance(one, Other) else _of_address(one)
        if start is not None:
            yield start


def _of_link(link: Link) -> _Start | None:
    url = link.url
    if not under(url.host, HOSTS):
        return None
    meeting_id, reason = _id_of(url)
    if not meeting_id and not reason:
        return None
    return _Start(link.at, meeting_id, url.text, url.host, "", link.wrappers, reason)


def _of_other(link: Other) -> _Start | None:
    if not link.address.lower().startswith("zoommtg:"):
        return None
    number = parameter(link.address.partition("?")[2], "confno")
    if not re.fullmatch(r"[0-9]{9,11}", number):
        return None
    return _Start(link.at, number, host=link.address[10:].partition("/")[0].lower())


def _of_address(address: Address) -> _Start | None:
    dialled = _DIALLED.fullmatch(address.user) if under(address.domain, CONNECTORS) else None
    return _Start(address.at, dialled[1], sip=f"{address.user}@{address.domain}") if dialled else None


def _id_of(url: Url) -> tuple[str, str]:
    """The meeting id in a link, or the reason why it has none; two empty strings for links to no meeting."""
    if not url.path.startswith(MEETINGS):
        return "", ""
    if found := _PATH.fullmatch(url.path):
        return found[1], ""
    if _REDACTED_PATH.fullmatch(url.path):
        return "", "id_redacted"
    return "", "link_only" if _NO_MEETING.fullmatch(url.path) or _VANITY.fullmatch(url.path) else ""


def _piece(passage: Passage, group: list[_Start]) -> _Piece:
    link = next((one for one in group if one.url), group[0])
    meeting_id = group[0].meeting_id
    reason = "" if meeting_id else link.reason
    if not meeting_id and "/my/" in link.url:  # a vanity address: the id stands in the text
        ids = {_digits(found[1]) for found in _ID_LINE.finditer(passage.text)}
        meeting_id, reason = (ids.pop(), "") if len(ids) == 1 else ("", "link_only")
    sip = max([one.sip for one in group], key=len)
    dialled = _DIALLED.match(sip)
    passcode = (dialled and dialled[2]) or (_passcode(passage.text, meeting_id) if meeting_id else "")
    h323 = passage.text.find("H.323")
    ip = _IP.search(passage.text, h323) if h323 >= 0 else None
    gov = not sip and any([under(one.host, _GOV) for one in group])
    return _Piece(passage, meeting_id, link.url, gov, sip, passcode, link.wrappers, reason, ip[0] if ip else "")


def _digits(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def _passcode(text: str, meeting_id: str) -> str:
    """The numeric passcode: the last one below a line with the id (rooms and phones come last), else the one tap's."""
    for line in reversed(list(_ID_LINE.finditer(text))):
        below = _PASSCODE_LINE.match(text, line.end()) if _digits(line[1]) == meeting_id else None
        if below and not _HOST.search(below[1].lower()) and not is_telephone(below[1]):
            return below[2]
    taps = (tap[2] for tap in _ONE_TAP.finditer(text) if tap[1] == meeting_id and tap[2])
    return next(taps, "")


def _found(pieces: list[_Piece]) -> Found:
    first = pieces[0]
    url = sip = passcode = ip = domain = ""
    for one in pieces:
        url, sip, passcode, ip = url or one.url, sip or one.sip, passcode or one.passcode, ip or one.ip
        domain = domain or (_GOV_CONNECTOR if one.gov else "")
    domain = sip.rpartition("@")[2] or domain
    ids = (("domain", domain), ("ip", ip), ("meeting_id", first.meeting_id), ("passcode", passcode))
    evidence = evidence_of(
        [(one.passage, "address_block" if one.sip or one.passcode else "body_link", "", one.wrappers) for one in pieces]
    )
    join = joining("zoom", ids, evidence, first.reason, url=url, sip=sip)
    return new(Found, (join, first.trust, first.passage.at, first.meeting_id or first.reason))
