"""Pexip rooms: an alias in the web app's address (every version of it), or a pexip: address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from otd.invites.hits import Hit, by_user, ids_of, together
from otd.invites.invitation import Found, Invitation, Passage, gathered
from otd.invites.links import Url, parameter

PATHS = "webapp"
_IN_PATH = re.compile(r"/webapp[23]?/(?:[a-z0-9-]{1,40}/)?(?:conference|m)/([^/]{1,150})(?:/.{0,100})?")
_ALIAS = re.compile(r"[A-Za-z0-9._+-]{1,100}(?:@[A-Za-z0-9.-]{3,200})?")


def read(invitation: Invitation) -> list[Found]:
    """The Pexip rooms of an invitation, one for each alias."""
    hits = gathered(invitation, _hits)
    return together("pexip", invitation, hits, lambda ids, _: "" if "domain" in ids else "link_only")


def _alias_of(url: Url) -> str:
    if not url.path.startswith("/webapp"):
        return ""
    found = _IN_PATH.fullmatch(url.path)
    alias = unquote(found[1]) if found else url.param("conference")
    alias = alias or parameter(url.fragment.partition("?")[2], "conference")
    return alias if _ALIAS.fullmatch(alias) else ""


def _hits(passage: Passage) -> Iterator[Hit]:
    stated = by_user(passage.addresses)
    for alias, at, url, wrappers in _aliases(passage):
        user, _, domain = alias.partition("@")
        key = user.lower()
        yield Hit(passage, at, key, ids_of(alias=alias, domain=domain.lower()), url, wrappers=wrappers)
        for one in stated.get(key, ()) if not domain else ():  # its domain: that of an address that begins with it
            ids = ids_of(domain=one.domain)
            yield Hit(passage, one.at, key, ids, sip=f"{one.user}@{one.domain}", detail=one.domain)


def _aliases(passage: Passage) -> Iterator[tuple[str, int, str, tuple[str, ...]]]:
    """Every alias in a passage: where it stands, the address of the page, and what that was wrapped in."""
    for link in passage.links:
        if alias := _alias_of(link.url):
            yield alias, link.at, link.url.text, link.wrappers
    for raw in passage.others:
        if raw.address.lower().startswith("pexip:"):
            alias = raw.address[6:].lstrip("/").partition("?")[0]
            if _ALIAS.fullmatch(alias):
                yield alias, raw.at, "", ()
