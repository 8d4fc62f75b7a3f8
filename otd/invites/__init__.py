"""What an invitation says about joining. Pure: no clock, no network, no randomness; the same Meeting gives the same.

An invitation is hostile input. It is read once, in linear time, up to a bounded size; no link in it is ever followed.
"""

from __future__ import annotations

from otd.invites.choose import choose
from otd.invites.invitation import Invitation, prepare
from otd.invites.platforms import SIGNS
from otd.invites.platforms import read as read_platforms
from otd.invites.site import Site
from otd.model import Evidence, JoinInfo, Meeting, NoJoin

__all__ = ["Joining", "Site", "read"]

Joining = JoinInfo | NoJoin

_ANYWHERE = Site()


def read(meeting: Meeting, site: Site = _ANYWHERE) -> JoinInfo | NoJoin:
    """The JoinInfo of a meeting with what it was read from and what lost against it; NoJoin when there is none.

    A cancelled meeting keeps its JoinInfo, with the reason "cancelled". Never raises for anything in an invitation.
    """
    invitation = prepare(meeting, site, SIGNS)
    join = choose(read_platforms(invitation), invitation.unread)
    if meeting.cancelled:
        return join._replace(reason="cancelled") if join else NoJoin(reason="cancelled")
    if join is None:
        return _nothing(invitation)
    return join._replace(reason="body_cut") if join.reason == "link_only" and invitation.cut else join


_PRODUCTS = ("microsoft teams", "skype", "zoom", "webex")


def _nothing(invitation: Invitation) -> NoJoin:
    """Why there is nothing. A place called "Microsoft Teams" without any text is a stripped body, in every language."""
    if invitation.cut:
        return NoJoin(reason="body_cut")
    if invitation.empty:
        if invitation.prop("onlinemeeting.provider").lower() not in ("", "unknown"):
            return NoJoin(reason="body_stripped", evidence=(Evidence(source="property:onlineMeeting.provider"),))
        location = invitation.meeting.location.lower()
        if any(product in location for product in _PRODUCTS):
            return NoJoin(reason="body_stripped", evidence=(Evidence(source="location"),))
    return NoJoin(reason="no_link")
