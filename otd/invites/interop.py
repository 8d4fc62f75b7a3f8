"""Video interop coordinates: what a partner's service puts into Teams and Skype for Business invitations.

Two shapes, and no word of any language is needed for either. A "more info" address, written by a machine, holds
everything. Else there is the tenant's address, and the id is the first group of digits behind it. The partners' own
forms: Poly RealConnect, Cisco Webex Video Integration, Pexip (as a service and Infinity), BlueJeans.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from otd.invites.invitation import ADDRESS_BLOCK, MORE_INFO, MOST_MEETINGS, QUOTED, Address, Invitation, Passage
from otd.invites.links import Link, Url, new
from otd.invites.site import Site, under
from otd.model import Alternative, Evidence, JoinInfo

TEAMS_HOSTS = ("teams.microsoft.com", "teams.live.com", "teams.microsoft.us", "teams.cloud.microsoft")
PARTNERS: tuple[tuple[str, str], ...] = (  # the domain of the tenant's address -> whose it is
    ("plcm.vc", "poly"),
    ("m.webex.com", "webex"),
    ("onpexip.com", "pexip-service"),
    ("teams.bjn.vc", "bluejeans"),
)
# Addresses of other platforms that look like a tenant's: a number at a domain, with an id behind.
_OTHERS = (
    *("zoomcrc.com", "zoomgov.com", "zoom.us", "webex.com", "webexgov.us", "bjn.vc", "lifesizecloud.com"),
    *("call.sl", "starleaf.com", "chime.in", "gotomeeting.com"),
)
_POLY_HOSTS = ("plcm.vc",)
_PEXIP_HOSTS = ("pexip.me", "www.pexip.me")
_WEBEX_HOSTS = ("www.webex.com", "webex.com")

_ID = re.compile(r"[0-9]{9,13}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DOMAIN = re.compile(r"(?=.{4,253}\Z)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_IP = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
# A group of at least seven digits.
_GROUP = re.compile(r"[0-9](?:[ .-]{0,2}+[0-9]){6,}+")
# How ids are printed; telephone numbers are grouped otherwise.
_PRINTED = re.compile(
    r"[0-9]{9,13}|[0-9]{3}(?: {1,2}[0-9]{3}){2,3}(?: {1,2}[0-9]{1,2})?|[0-9]{3}(?:-[0-9]{3}){2}-[0-9]"
)
_NEAR = 400
_VALUE = re.compile(": *[^ ]")


class Interop(NamedTuple):
    """The coordinates of one meeting. `reason` "id_redacted" or "host_not_trusted" when they may not be used."""

    partner: str
    ids: Mapping[str, str]
    vtc_id: str  # one of them, "" when there is none
    evidence: Evidence
    from_info: bool
    at: int
    reason: str = ""


_BY_DOMAIN = dict(PARTNERS)


def partner_of(domain: str, site: Site) -> str:
    """Whose domain this is, "" when nobody knows; what a site says comes first."""
    for known, partner in site.partner_domains:
        if under(domain, (known,)):
            return partner
    while domain and domain not in _BY_DOMAIN:
        domain = domain.partition(".")[2]
    return _BY_DOMAIN.get(domain, "")


def find(passage: Passage, invitation: Invitation, *, anchored: bool) -> Sequence[Interop]:
    """Every set of coordinates in a passage: those from "more info" addresses first, each id once.

    `anchored` says that a meeting's own link stands in it: only then can an address of an unknown domain be a tenant's.
    """
    infos: list[Interop] = []
    for link in passage.links:
        info = _info(link, passage, invitation.site)
        if info is None:
            continue
        if len(infos) == MOST_MEETINGS:
            invitation.cuts.append(passage.depth)
            break
        infos.append(info)
    blocks = _address_blocks(passage, invitation, infos, anchored) if passage.addresses else []
    if len(infos) + len(blocks) < 2:
        return infos or blocks
    found: dict[str, Interop] = {}
    for one in (*infos, *blocks):
        known = found.get(one.vtc_id)
        if known is None or (known.reason and not one.reason):
            found[one.vtc_id] = one
    if len(found) > 1:  # an address that is named again, further from its id
        keys = {one.ids.get("address", "") for one in found.values() if one.vtc_id}
        found = {vtc_id: one for vtc_id, one in found.items() if vtc_id or one.ids.get("address", "") not in keys}
    return list(found.values())


# --- "more info" addresses ------------------------------------------------------------------------------------------


def _info(link: Link, passage: Passage, site: Site) -> Interop | None:
    url, at, wrappers, _ = link
    host = url.host
    if host in TEAMS_HOSTS:
        return None
    if host.endswith("plcm.vc"):
        shape = _poly(url, passage) if under(host, _POLY_HOSTS) else None
    elif host in _WEBEX_HOSTS:
        shape = _webex(url)
    elif host in _PEXIP_HOSTS:
        shape = _pexip_service(url)
    elif "conf=" in url.query and url.path.rstrip("/").endswith("/teams"):
        shape = _pexip_infinity(url)
    else:
        return None
    if shape is None:
        return None
    partner, ids = shape
    vtc_id = ids.get("vtc_id", "")
    reason = "" if _ID.fullmatch(vtc_id) else "id_redacted"
    if partner == "pexip-infinity" and not site.believes(host):
        reason = "host_not_trusted"
    evidence = passage.evidence("more_info_url", host, wrappers)
    return new(Interop, (partner, ids, vtc_id, evidence, True, at, reason))


_Shape = tuple[str, dict[str, str]] | None


def _poly(url: Url, passage: Passage) -> _Shape:
    """The address does not say the domain: it is that of the tenant's address beside it, which may be branded."""
    key, conference = url.param("key"), url.param("conf")
    if not _NAME.fullmatch(key) or not conference:
        return None
    for one in passage.addresses:
        if one.user == key:
            return "poly", _coordinates(key, conference, one.domain)
    return "poly", _coordinates(key, conference, "t.plcm.vc")


def _webex(url: Url) -> _Shape:
    key, conference, domain = url.param("tenantkey"), url.param("confid"), url.param("domain").lower() or "m.webex.com"
    if url.path.rstrip("/").lower() != "/msteams" or not _NAME.fullmatch(key) or not under(domain, ("webex.com",)):
        return None
    return "webex", _coordinates(key, conference, domain)


def _pexip_service(url: Url) -> _Shape:
    parts = url.path.strip("/").split("/")
    if len(parts) != 3 or parts[0] != "teams" or not _DOMAIN.fullmatch(parts[1]):
        return None
    return "pexip-service", {"domain": parts[1].lower(), "vtc_id": parts[2]}


def _pexip_infinity(url: Url) -> _Shape:
    conference, domain, ivr, ip = url.param("conf"), url.param("d").lower(), url.param("ivr"), url.param("ip")
    prefix = url.param("prefix")
    if not _DOMAIN.fullmatch(domain) or (prefix and not _NAME.fullmatch(prefix)):
        return None
    ids = {"domain": domain, "vtc_id": conference, "prefix": prefix}
    if _NAME.fullmatch(ivr):
        ids |= {"ivr": ivr, "address": f"{ivr}@{domain}"}
    if _IP.fullmatch(ip):
        ids["ip"] = ip
    return "pexip-infinity", {name: value for name, value in ids.items() if value}


def _coordinates(key: str, conference: str, domain: str) -> dict[str, str]:
    return {"tenant_key": key, "vtc_id": conference, "domain": domain, "address": f"{key}@{domain}"}


# --- address blocks -------------------------------------------------------------------------------------------------


def _address_blocks(passage: Passage, invitation: Invitation, infos: list[Interop], anchored: bool) -> list[Interop]:
    found: list[Interop] = []
    told = [info.vtc_id for info in infos if not info.reason]
    for address in passage.addresses:
        if len(found) >= MOST_MEETINGS:
            invitation.cuts.append(passage.depth)
            break
        user, domain, at, end = address
        partner = partner_of(domain, invitation.site)
        if not partner and (not anchored or under(domain, _OTHERS)):
            continue
        group = _first_group(passage.text, end)
        if group in told:
            continue  # the machine has said so already
        if not partner and not _is_tenant(address, group, infos, invitation):
            continue
        ids = {"domain": domain, "address": f"{user}@{domain}"}
        if not partner.startswith("pexip"):
            ids["tenant_key"] = user
        if group:
            ids["vtc_id"] = group
        evidence = passage.evidence("address_block", domain)
        reason = "" if group else "id_redacted"
        found.append(new(Interop, (partner, ids, group, evidence, False, at, reason)))
    return found


def _is_tenant(address: Address, group: str, infos: list[Interop], invitation: Invitation) -> bool:
    """Whether an address of an unknown domain is a tenant's, and not somebody's mail address.

    Certain enough only with an id behind it, and where either the user part is one that people do not have (a number,
    "teams") or a "more info" address that nobody vouches for says the same id.
    """
    if not group or f"{address.user}@{address.domain}".lower() in invitation.people():
        return False
    if any(info.vtc_id == group for info in infos):
        return True
    user = address.user.lower()
    return (
        (user.isdigit() and len(user) >= 5) or user == "teams" or user.endswith(".teams") or user.startswith("teams.")
    )


def _first_group(text: str, start: int) -> str:
    """The id behind an address: the first group of at least seven digits behind its label, if it can be an id at all.

    A group behind + or a comma is a phone number, one before # a phone conference id, one before @ an address: all
    look alike.
    """
    end = start + _NEAR
    group = _GROUP.search(text, start, end)
    if group is None or not _PRINTED.fullmatch(group[0]):
        return ""
    before, after = text[start : group.start()], text[group.end() : end]
    if (
        not _is_its_label(before)
        or before.rstrip(" ").endswith(("+", ",", "(", "-"))
        or after.lstrip(" ").startswith("#")
        or after[:1].isalnum()
        or after[:1] == "@"
    ):
        return ""
    return group[0].replace(" ", "").replace("-", "")


def _is_its_label(before: str) -> bool:
    """Whether between an address and a number nothing stands but one label, in the number's line or in one of its own:
    behind a label that has something else, or is blacked out, no number counts."""
    *above, own = before.split("\n")
    lines = [line for line in above[1:] if line.strip(" ")]
    return len(lines) + (own.strip(" ") != "") <= 1 and not any(_VALUE.search(line) for line in above)


# --- choosing -------------------------------------------------------------------------------------------------------


class Chosen(NamedTuple):
    """The coordinates to use, the others with why they lost, and the reason why there are none."""

    best: Interop | None
    lost: tuple[tuple[Interop, str], ...]
    reason: str


def choose(candidates: list[tuple[Passage, Interop]]) -> Chosen:
    """Least quoted first, then "more info" addresses before address blocks, then the order of the text.

    Two different ids of one partner that are trusted alike are one too many.
    """
    if not candidates:
        return _NONE
    if len(candidates) == 1 and not candidates[0][1].reason:
        return new(Chosen, (candidates[0][1], (), ""))
    ranked = [
        ((passage.trust(MORE_INFO if one.from_info else ADDRESS_BLOCK), passage.at + one.at), one)
        for passage, one in candidates
    ]
    ranked.sort(key=lambda pair: pair[0])
    usable = [(rank[0], one) for rank, one in ranked if not one.reason]
    lost = tuple((one, one.reason) for _, one in ranked if one.reason == "host_not_trusted")
    if not usable:
        reasons = [one.reason for _, one in ranked]
        return Chosen(None, lost, "id_redacted" if "id_redacted" in reasons else reasons[0] if reasons else "")
    trust, best = usable[0]
    others = {one.vtc_id: (rank, one) for rank, one in usable[:0:-1] if one.vtc_id != best.vtc_id}
    rivals = [one for rank, one in others.values() if rank == trust and one.partner == best.partner]
    if rivals:
        return Chosen(None, (*((one, "ambiguous") for one in (best, *rivals)), *lost), "ambiguous")
    return Chosen(best, (*((one, _why_lost(rank, trust)) for rank, one in others.values()), *lost), "")


_NONE = Chosen(None, (), "")


def _why_lost(trust: int, best: int) -> str:
    if trust // QUOTED > best // QUOTED:
        return "quoted"
    return "later" if trust == best else "less_trusted"


def alternatives(chosen: Chosen, join: Callable[[Interop], JoinInfo]) -> tuple[Alternative, ...]:
    """What lost, as JoinInfos."""
    return tuple(Alternative(join=join(one), reason=why) for one, why in chosen.lost)


def why_none(invitation: Invitation) -> str:
    """The reason for a recognised meeting in whose text there are no coordinates."""
    return "body_stripped" if invitation.empty else "body_cut" if invitation.cut else "link_only"
