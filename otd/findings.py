"""What a read-back tells of an endpoint beyond its list: why the list is not as it was, and what else a person should
know. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from otd import bookings, placing
from otd.model import EndpointState, Facts, Receipt

CLOCK = timedelta(seconds=60)  # an endpoint whose clock is further off shows Join at the wrong time
OVERWRITTEN = 2  # read-backs with another system's bookings until it is left to that system
REFUSALS = 3  # endpoints that refuse a password until no other is asked with it

WITHHELD = frozenset({"Title", "NonJoinableMeetings", "TentativeMeetings", "AllDayMeetings"})
"""What may be hidden that people look for on the screen; who organises a meeting is not among it."""
_HIDDEN = {
    "Title": "the titles of bookings",
    "Organizer": "the organisers of bookings",
    "NonJoinableMeetings": "bookings without Join",
    "TentativeMeetings": "tentative bookings",
    "AllDayMeetings": "bookings that last all day",
}
_VERIFIED = "a certificate for [feedback] from a CA that the endpoint knows, or HttpFeedback TlsVerify Off on it"
_NO_FEEDBACK = {
    "full": (
        "other systems have its HttpFeedback slots 1, 2 and 4",
        "free one: xCommand HttpFeedback Deregister FeedbackSlot: 1, 2 or 4 on the endpoint",
    ),
    "untrusted": ("it verifies the relay's certificate (HttpFeedback TlsVerify), which is self-signed", _VERIFIED),
    "failed": (
        "what it last posted to the relay did not arrive",
        f"it must reach the relay's [feedback] address, and trust what it finds there: {_VERIFIED}",
    ),
    "refused": ("it did not take the relay's address for HttpFeedback", "`otd endpoints probe` says what it can do"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that is not as it should be, though the list is in place."""

    code: str
    text: str
    mend: str


def lasting(facts: Facts) -> tuple[object, ...]:
    """What of the facts does not change from one look to the next: a change of it is worth remembering."""
    offset = facts.clock_offset
    clock_is_off = offset is not None and abs(offset) > CLOCK
    said = (facts.software, facts.mode, facts.role, facts.provisioning, facts.hides, facts.interface, facts.feedback)
    return (*said, clock_is_off)


def is_amiss(facts: Facts) -> bool:
    """Whether a person may want to mend something there."""
    return bool(facts.hides or facts.mode == "teams" or facts.role == "user" or _clock(facts))


def is_overwrite(receipt: Receipt) -> bool:
    """Whether another system's bookings stand beside ours, or instead of them."""
    foreign = (d.id for d in receipt.differences if d.fields == ("foreign",))
    return receipt.outcome == "differs" and any(not bookings.is_ours(id) for id in foreign)


def found(state: EndpointState, receipt: Receipt) -> str:
    """Why a list that was in place is not so any more: "overwritten" by another system, lost because the endpoint
    "rebooted", else "drifted". "" when the receipt does not say so."""
    if receipt.outcome != "differs" or state.confirmed_at is None or state.endpoint.kind in placing.KINDS:
        return ""
    if is_overwrite(receipt):
        return "overwritten"
    if receipt.verb != "read":
        return ""
    uptime = receipt.facts.uptime if receipt.facts else None
    # It was seen in place at confirmed_at, so it matters only whether it started after that.
    rebooted = uptime is not None and receipt.at - uptime > state.confirmed_at
    return "rebooted" if rebooted and any(d.fields == ("missing",) for d in receipt.differences) else "drifted"


def contradicted(state: EndpointState, receipt: Receipt) -> str:
    """The relay that a moment ago did not see in place what this one sees there, though nothing was written between;
    "" when there is none."""
    before = state.receipt
    if before is None or (before.verb, before.outcome) != ("read", "differs") or before.relay == receipt.relay:
        return ""
    same = receipt.verb == "read" and receipt.outcome == "confirmed" and receipt.revision == before.revision
    return before.relay if same else ""


def is_overwritten(state: EndpointState) -> bool:
    """Whether another system manages this endpoint, so that it is put again only now and then."""
    return state.overwrites >= OVERWRITTEN


def is_refused_elsewhere(state: EndpointState) -> bool:
    """Whether its credential is refused by so many others, and accepted by none since, that it must not be tried."""
    return state.refusals >= REFUSALS


def is_hidden(state: EndpointState) -> bool:
    """Whether a list that is in place does not show as it should, by the endpoint's own settings."""
    return state.facts is not None and any(setting in WITHHELD for setting in _hiding(state, state.facts))


def notes(state: EndpointState) -> tuple[Note, ...]:
    """What a person should know of an endpoint that answers, by its facts."""
    facts = state.facts
    if facts is None:
        return ()
    return (*_mode(facts), *_clock(facts), *_hidden(state, facts), *_feedback(facts))


def _mode(facts: Facts) -> tuple[Note, ...]:
    found = []
    if facts.mode == "teams":
        text = "it runs as a Microsoft Teams Room, whose calendar is Microsoft's"
        found.append(Note(code="teams", text=text, mend="remove it here, or switch it back to RoomOS"))
    if facts.role == "user":
        text = "its user has not the role Admin, without which bookings cannot be written"
        found.append(Note(code="role", text=text, mend="give that user the role Admin"))
    if facts.provisioning.upper() == "TMS":
        text = "it is managed by Cisco TMS, which may put bookings of its own"
        found.append(Note(code="tms", text=text, mend="stop booking this endpoint in TMS, or leave it in mode observe"))
    return tuple(found)


def _clock(facts: Facts) -> tuple[Note, ...]:
    offset = facts.clock_offset
    if offset is None or abs(offset) <= CLOCK:
        return ()
    text = f"its clock is {round(abs(offset).total_seconds())} s {'fast' if offset > timedelta(0) else 'slow'}"
    return (Note(code="clock", text=f"{text}: Join comes at the wrong time", mend="give it a working NTP server"),)


def _feedback(facts: Facts) -> tuple[Note, ...]:
    """Without its word for it a restart is found out at the next look, so none of this is a fault."""
    if not facts.feedback:
        return ()
    text, mend = _NO_FEEDBACK[facts.feedback]
    late = "a restart is noticed at the next look only"
    return (Note(code="feedback", text=f"{text}: {late}", mend=mend),)


def _hidden(state: EndpointState, facts: Facts) -> tuple[Note, ...]:
    return tuple(
        Note(
            code="hidden",
            text=f"its own settings hide {_HIDDEN.get(setting, setting)} on its screen",
            mend=f"set UserInterface Bookings Visibility {setting} to Auto on the endpoint, if they should show",
        )
        for setting in _hiding(state, facts)
    )


def _hiding(state: EndpointState, facts: Facts) -> tuple[str, ...]:
    """The settings that hide something of this list."""
    return tuple(s for s in facts.hides if s != "NonJoinableMeetings" or _has_one_without_join(state))


def _has_one_without_join(state: EndpointState) -> bool:
    return state.desired is not None and any(b.dial is None for b in state.desired.list.bookings)
