"""Platforms that give invitations a link and nothing that a video system could dial."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from otd.invites.hits import Hit, ids_of, together
from otd.invites.invitation import Found, Invitation, Passage, gathered
from otd.invites.site import under


class Kind(NamedTuple):
    """One of them: its hosts, and the paths of its meetings with the id in the first group."""

    name: str
    domains: tuple[str, ...]
    path: re.Pattern[str]


_WORD = r"[\w.%+-]{1,150}"
KINDS = (
    Kind("ringcentral", ("ringcentral.com",), re.compile(rf"/(?:join|j|conf/on|w)/({_WORD})/?")),
    Kind("jitsi", ("meet.jit.si", "8x8.vc"), re.compile(rf"/((?:{_WORD}/)?{_WORD})/?")),
    Kind("whereby", ("whereby.com", "appear.in"), re.compile(rf"/((?!information|blog|user)(?:{_WORD}/)?{_WORD})/?")),
    Kind("slack", ("app.slack.com",), re.compile(rf"/huddle/({_WORD}/{_WORD})/?")),
    Kind("gotowebinar", ("gotowebinar.com",), re.compile(rf"/(?:register|join|rt)/({_WORD}(?:/{_WORD})?)/?")),
)


def reader(kind: Kind) -> Callable[[Invitation], list[Found]]:
    """The reader for one of them."""

    def read(invitation: Invitation) -> list[Found]:
        return together(kind.name, invitation, gathered(invitation, hits), lambda ids, _: "link_only")

    def hits(passage: Passage) -> Iterator[Hit]:
        for link in passage.links:
            found = kind.path.fullmatch(link.url.path) if under(link.url.host, kind.domains) else None
            if found:
                ids = ids_of(meeting_id=found[1])
                yield Hit(passage, link.at, found[1], ids, link.url.text, wrappers=link.wrappers)

    return read
