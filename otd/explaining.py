"""The steps of an explanation in words, and what can be told from values alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal

from otd import bookings, findings
from otd.causes import CAUSES, Found
from otd.dialplan import host_of
from otd.model import (
    Booking,
    Dialled,
    EndpointState,
    JoinInfo,
    KeptMeeting,
    Meeting,
    NoJoin,
    Policy,
    Window,
)

Mark = Literal["ok", "stop", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the way. `said` holds no passcode; a dial string is in `dial`, for whoever may see it."""

    name: str
    mark: Mark
    said: str
    dial: str = ""


def clock(time: datetime, zone: tzinfo) -> str:
    """A time as the room's people read it."""
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def invitation_steps(kept: KeptMeeting, join: JoinInfo | NoJoin) -> tuple[Step, ...]:
    """Is the body there, which links were unwrapped, which platform is it."""
    meeting = kept.meeting
    if kept.body_left_out:
        body = Step(name="body", mark="note", said="it has one, which is not kept")
    elif meeting.body.strip():
        body = Step(name="body", mark="ok", said=f"{len(meeting.body)} characters, {meeting.body_type}")
    else:
        body = Step(name="body", mark="stop" if join.reason == "body_stripped" else "note", said="it has none")
    wrappers = [name for evidence in join.evidence for name in evidence.wrappers]
    links = Step(
        name="links",
        mark="stop" if join.reason == "wrapped_opaque" else "ok",
        said=f"unwrapped from {', '.join(wrappers)}" if wrappers else "nothing to unwrap",
    )
    if isinstance(join, NoJoin):
        return body, links, Step(name="platform", mark="stop", said=f"none was recognised ({join.reason})")
    source = ", ".join(evidence.source for evidence in join.evidence)
    by = f" by {join.partner}" if join.partner else ""
    said = f"{join.platform}{by}, read from {source or 'the invitation'}"
    said += f"; {join.reason}" if join.reason else ""
    return body, links, Step(name="platform", mark="note" if join.reason else "ok", said=said)


def listed(meeting: Meeting, policy: Policy, window: Window | None) -> Found | None:
    """Why a meeting is on no list whatever it says about joining; None when it is."""
    if meeting.cancelled:
        return Found(code="cancelled")
    if meeting.response == "declined":
        return Found(code="meeting_declined")
    if not bookings.is_listed(meeting, policy):
        setting = "all_day" if meeting.all_day and not policy.all_day else "tentative"
        if meeting.show_as == "free" and not policy.free:
            setting = "free"
        what = setting.replace("_", "-").replace("all-day", "all-day")
        return Found(code="meeting_hidden", detail=f"it is {what}", mend=f"Set {setting} = true under [policy].")
    if window is not None and meeting.start >= window.end:
        return Found(code="meeting_outside")
    return None


def reason_found(reason: str, rule: str, join: JoinInfo | NoJoin, now: Dialled) -> Found:
    """Why there is no dial string, with the rule, and with the line to add where a line helps."""
    code = reason if reason in CAUSES else "no_rule"
    said = [f"rule {rule}"] if rule else []
    if code == "domain_not_allowed" and now.dial is not None:
        host = host_of(now.dial.uri, now.dial.protocol) or ""
        mend = f'If {host} may be dialled, add "{host}" to allowed_domains under [dialplan].'
        return Found(code=code, detail=", ".join([*said, f"it leads to {host}"]), mend=mend)
    if code == "rule_disabled" and rule:
        return Found(code=code, detail=said[0], mend=f'Set enabled = true in the rule "{rule}" in otd.toml.')
    if isinstance(join, JoinInfo):
        said.insert(0, f"{join.platform}{' by ' + join.partner if join.partner else ''}")
    return Found(code=code, detail=", ".join(said))


def delivery_steps(
    state: EndpointState | None,
    told: Booking | None,
    dialled: Dialled | None,
    kept: KeptMeeting | None,
    zone: tzinfo,
) -> tuple[Step, ...]:
    """By which rule it is dialled, whether it is on the list, was sent, was read back, and may be seen."""
    if state is None:
        return (Step(name="list", mark="stop", said="the database does not know the endpoint yet"),)
    return (
        *_rule_steps(told, dialled, kept),
        _list_step(state, told, zone),
        _sent_step(state, zone),
        _seen_step(state, zone),
        *(Step(name="endpoint", mark="note", said=note.text) for note in findings.notes(state)),
    )


def _rule_steps(told: Booking | None, dialled: Dialled | None, kept: KeptMeeting | None) -> tuple[Step, ...]:
    rule = told.rule if told else dialled.rule if dialled else ""
    dial = told.dial if told and told.dial else dialled.dial if dialled else None
    reason = told.reason if told else dialled.reason if dialled else ""
    if dial is None:
        said = f"{rule}: {reason}" if rule else reason or "none"
        return (Step(name="rule", mark="stop", said=said),)
    steps = [Step(name="rule", mark="ok", said=rule or "none", dial=f"{dial.protocol}:{dial.uri}")]
    if reason:
        steps.append(Step(name="allowed", mark="stop", said=reason))
    else:
        steps.append(Step(name="allowed", mark="ok", said="its domain may be dialled"))
    unknown = kept is None or kept.body_left_out  # then today's rules have nothing to go by
    if told and told.dial and dialled and not unknown and dialled.dial != told.dial:
        steps.append(Step(name="rules", mark="note", said=f"today's rules make something else of it ({dialled.rule})"))
    return tuple(steps)


def _list_step(state: EndpointState, told: Booking | None, zone: tzinfo) -> Step:
    if state.desired is None:
        return Step(name="list", mark="stop", said="there is no list yet")
    since = f"revision {state.desired.revision}, since {clock(state.desired.since, zone)}"
    if told is None:
        return Step(name="list", mark="stop", said=f"it is not on the list ({since})")
    return Step(name="list", mark="ok", said=f"on the list ({since})")


def _sent_step(state: EndpointState, zone: tzinfo) -> Step:
    sent, desired = state.sent, state.desired
    if sent is None or desired is None or sent.revision < desired.revision:
        return Step(name="sent", mark="stop", said="this list was not sent")
    by = sent.relay or "any relay of the pool"
    return Step(name="sent", mark="ok", said=f"{sent.verb} at {clock(sent.at, zone)} by {by}")


def _seen_step(state: EndpointState, zone: tzinfo) -> Step:
    desired, receipt = state.desired, state.receipt
    if desired is not None and state.confirmed_revision >= desired.revision and state.confirmed_at is not None:
        if state.fetched_revision >= desired.revision:
            by = f"fetched from {state.fetched_from}"
        else:
            by = f"read back by {receipt.relay}" if receipt else "read back"
        still = receipt is None or receipt.outcome == "confirmed"
        later = "" if still or receipt is None else f"; then {receipt.outcome} at {clock(receipt.at, zone)}"
        said = f"{by} at {clock(state.confirmed_at, zone)}{later}"
        return Step(name="read back", mark="ok" if still else "stop", said=said)
    if receipt is None:
        return Step(name="read back", mark="stop", said="nothing was heard of it")
    said = f"{receipt.outcome} by {receipt.relay} at {clock(receipt.at, zone)}"
    return Step(name="read back", mark="stop", said=said + (f": {receipt.detail}" if receipt.detail else ""))


_HIDES_BY = {
    "NonJoinableMeetings": "without_join",
    "TentativeMeetings": "tentative",
    "AllDayMeetings": "all_day",
    "Title": "never",
    "Organizer": "never",
}
"""A visibility setting of the endpoint -> which meetings it keeps off the screen."""


def hidden_by(state: EndpointState, meeting: Meeting) -> Found | None:
    """What of the endpoint itself keeps a booking that is in place from being seen, or from being joined."""
    for note in findings.notes(state):
        if note.code == "clock":
            return Found(code="clock_wrong", detail=note.text, mend=note.mend)
        if note.code == "teams":
            return Found(code="teams_mode", detail=note.text)
    tentative = meeting.show_as == "tentative" or meeting.response in ("tentative", "unanswered")
    is_so = {"without_join": False, "tentative": tentative, "all_day": meeting.all_day, "never": False}
    for setting in state.facts.hides if state.facts else ():
        if is_so.get(_HIDES_BY.get(setting, ""), True):
            mend = f"Set UserInterface Bookings Visibility {setting} to Auto on the endpoint."
            return Found(code="hidden", detail=f"by {setting}", mend=mend)
    return None
