"""What the small readers share: hits (links and addresses of a meeting), put together to one JoinInfo per meeting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from otd.invites.invitation import (
    ADDRESS_BLOCK,
    BODY_LINK,
    MOST_MEETINGS,
    Address,
    Found,
    Invitation,
    Passage,
    evidence_of,
    joining,
)
from otd.invites.links import new
from otd.invites.text import BEYOND


class Hit(NamedTuple):
    """One place that names a meeting. `stated` means an address for video systems, not only a link."""

    passage: Passage
    at: int
    key: str
    ids: tuple[tuple[str, str], ...] = ()
    url: str = ""
    sip: str = ""
    h323: str = ""
    wrappers: tuple[str, ...] = ()
    detail: str = ""

    @property
    def stated(self) -> bool:
        return bool(self.sip or self.h323)

    @property
    def trust(self) -> int:
        return self.passage.trust(ADDRESS_BLOCK if self.stated else BODY_LINK)


def ids_of(**values: str | None) -> tuple[tuple[str, str], ...]:
    """Ids that are known, as pairs."""
    return tuple([(name, value) for name, value in values.items() if value])


def by_user(addresses: Iterable[Address]) -> dict[str, list[Address]]:
    """The addresses by their user part in lower case."""
    found: dict[str, list[Address]] = {}
    for one in addresses:
        found.setdefault(one.user.lower(), []).append(one)
    return found


def together(
    platform: str, invitation: Invitation, hits: Iterable[Hit], reason: Callable[[dict[str, str], Hit], str]
) -> list[Found]:
    """One Found for each key; `reason` is asked with the ids and the best hit why it cannot be dialled."""
    ranked = sorted(hits, key=lambda hit: (hit.trust, hit.passage.at + hit.at))
    groups: dict[str, list[Hit]] = {}
    for hit in ranked:
        if hit.key in groups or len(groups) < MOST_MEETINGS:
            groups.setdefault(hit.key, []).append(hit)
        else:
            invitation.cuts.append(BEYOND)
    return [_found(platform, group, reason) for group in groups.values()]


def _found(platform: str, hits: list[Hit], reason: Callable[[dict[str, str], Hit], str]) -> Found:
    ids: dict[str, str] = {}
    url = sip = h323 = ""
    for hit in hits:
        url, sip, h323 = url or hit.url, sip or hit.sip, h323 or hit.h323
        for name, value in hit.ids:
            if value:
                ids.setdefault(name, value)
    evidence = evidence_of(
        [(hit.passage, "address_block" if hit.stated else "body_link", hit.detail, hit.wrappers) for hit in hits]
    )
    why = "" if sip or h323 else reason(ids, hits[0])
    join = joining(platform, ids.items(), evidence, why, url=url, sip=sip, h323=h323)
    return new(Found, (join, hits[0].trust, hits[0].passage.at + hits[0].at, hits[0].key))
