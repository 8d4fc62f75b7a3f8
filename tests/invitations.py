"""What the tests share that put golden invitations into other surroundings."""

from __future__ import annotations

from functools import cache

from otd.dialplan import DialPlan, dial, for_site
from otd.invites import Site, read
from otd.model import DialString, Meeting


@cache
def plan(site: Site) -> DialPlan:
    """The dial plan of a site with the rules that come with OTD."""
    return for_site((), site)


def dialled(meeting: Meeting, site: Site) -> DialString | None:
    """What the endpoint would dial."""
    return dial(read(meeting, site), meeting, plan(site)).dial


def inside(body: str) -> tuple[int, int]:
    """From where to where the inner text of an HTML body runs."""
    lower = body.lower()
    end = lower.rfind("</body")
    return lower.find(">", lower.find("<body")) + 1 if "<body" in lower else 0, end if end >= 0 else len(body)
