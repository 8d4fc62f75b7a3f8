"""From what an invitation says about joining to what an endpoint dials: the rules in order, the first that fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from otd.dialplan.patterns import Pattern
from otd.dialplan.rules import IDS, PASSCODES, TEXTS, VARIABLES, Rule, RuleSet, shipped, variables
from otd.dialplan.strings import bare, domains, host_of, within
from otd.dialplan.templates import Template
from otd.invites import text as invitation_text
from otd.invites.links import unwrap
from otd.invites.site import Site
from otd.model import Dialled, DialString, JoinInfo, Meeting, NoJoin

FINAL = frozenset({"id_redacted", "ambiguous", "cancelled"})
"""Reasons that no rule may overrule: what it would dial is not known to be right, or not wanted."""


class Step:
    """A rule with its pattern and its template compiled; `filters` when it is for some meetings or places only."""

    __slots__ = ("filters", "pattern", "rule", "template")

    def __init__(self, rule: Rule) -> None:
        """Raises ValueError for a rule that `read_rules` would not have let through."""
        self.rule = rule
        self.pattern = Pattern(rule.pattern, rule.replacement) if rule.pattern else None
        self.template = Template(rule.template or "{{ value }}", variables(self.pattern))
        self.filters = bool(rule.rooms or rule.endpoints or rule.organiser != "any")


_ANY = "*"
_NOTHING = ("", "")


def _by_meeting(rules: Iterable[Rule]) -> dict[tuple[str, str], tuple[Step, ...]]:
    """What can fit, by platform and partner: each that a rule names, any other, and a meeting in which nothing says how
    to join.

    For the last nothing is known but the meeting's own words: only patterns over them can fit.
    """
    steps = [Step(rule) for rule in rules if not rule.is_offer]
    platforms = {_ANY, *(name for step in steps for name in step.rule.platform)}
    partners = {_ANY, *(name for step in steps for name in step.rule.partner)}
    found = {
        (platform, partner): tuple(
            step
            for step in steps
            if (not step.rule.platform or platform in step.rule.platform)
            and (not step.rule.partner or partner in step.rule.partner)
        )
        for platform in platforms
        for partner in partners
    }
    return found | {_NOTHING: tuple(step for step in found[_ANY, _ANY] if step.rule.source in TEXTS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DialPlan:
    """The rules in the order in which they are tried, and where they may lead."""

    rules: tuple[Rule, ...]
    own_domains: tuple[str, ...] = ()
    allowed_domains: tuple[str, ...] = ()
    partners: tuple[tuple[str, tuple[str, ...]], ...] = ()
    version: int = 0  # of the rule set that came with OTD
    steps: Mapping[tuple[str, str], tuple[Step, ...]] = field(init=False, repr=False, compare=False)  # see steps_for
    reach: frozenset[str] = field(init=False, repr=False, compare=False)
    own: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        own = domains(self.own_domains)
        partners = domains(one for _, listed in self.partners for one in listed)
        object.__setattr__(self, "steps", _by_meeting(self.rules))
        object.__setattr__(self, "own", own)
        object.__setattr__(self, "reach", own | partners | domains(self.allowed_domains))

    def steps_for(self, join: JoinInfo | NoJoin) -> tuple[Step, ...]:
        """The rules that can fit, by platform and partner, in order. Offers never do."""
        if isinstance(join, NoJoin):
            return self.steps[_NOTHING]
        found = self.steps.get((join.platform, join.partner or _ANY))
        if found is not None:
            return found
        platform = join.platform if (join.platform, _ANY) in self.steps else _ANY
        return self.steps[platform, join.partner if (_ANY, join.partner) in self.steps else _ANY]

    def is_internal(self, meeting: Meeting) -> bool:
        """Whether the organisation itself booked it, by the organiser's address. Never widens what may be dialled."""
        host = meeting.organizer.address.strip().lower().rpartition("@")[2]
        return meeting.is_organizer or within(host, self.own)


def plan(
    rules: Iterable[Rule] = (),
    own_domains: Iterable[str] = (),
    allowed_domains: Iterable[str] = (),
    *,
    base: RuleSet | None = None,
) -> DialPlan:
    """The dial plan of a site: its own rules, then those that come with OTD, then its rules marked `last`.

    A rule with the name of one that comes with OTD takes that one's place in the order.
    """
    base = base or shipped()
    names = {rule.name for rule in base.rules}
    site = {rule.name: rule for rule in rules}
    new = [rule for name, rule in site.items() if name not in names]
    return DialPlan(
        rules=(
            *(rule for rule in new if not rule.last),
            *(site.get(rule.name, rule) for rule in base.rules),
            *(rule for rule in new if rule.last),
        ),
        own_domains=tuple(own_domains),
        allowed_domains=tuple(allowed_domains),
        partners=base.partners,
        version=base.version,
    )


def for_site(rules: Iterable[Rule], site: Site, *, base: RuleSet | None = None) -> DialPlan:
    """The dial plan of a site, which may dial every domain that it has named anywhere in its settings."""
    named = (domain for domain, _ in site.partner_domains)
    servers = (domain for _, domain in site.cms_hosts)
    return plan(rules, site.own_domains, (*site.allowed_domains, *named, *servers, site.meet_domain), base=base)


def dial(join: JoinInfo | NoJoin, meeting: Meeting, plan: DialPlan, *, room: str = "", endpoint: str = "") -> Dialled:
    """What to dial: the first rule's that fits and has all that it needs; else none, and the reason.

    `room` and `endpoint` are the names that rules filter by. A dial string that leads outside the allowed domains is
    given with `allowed` False.
    """
    if join.reason in FINAL:
        return Dialled(dial=None, reason=join.reason)
    reason, name = "", ""
    for found in tries(join, meeting, plan, room=room, endpoint=endpoint):
        if found.dial is not None:
            return found
        if not reason:
            reason, name = found.reason, found.rule
    if reason in ("", "passcode_missing") and join.reason not in ("", "link_only"):
        reason, name = join.reason, ""  # a stripped body tells more than what is missing from it
    return Dialled(dial=None, rule=name, reason=reason or join.reason or "no_rule")


def tries(
    join: JoinInfo | NoJoin, meeting: Meeting, plan: DialPlan, *, room: str = "", endpoint: str = ""
) -> Iterator[Dialled]:
    """What each rule that fits makes of it, in order: a dial string, or the reason why it gave none.

    Rules that do not fit, or lack what they need (other than a passcode), are passed over.
    """
    steps = plan.steps_for(join)
    if not steps:
        return
    values, words = _values(join, room, endpoint), _Words(meeting)
    for step in steps:
        rule = step.rule
        if step.filters and not _fits(rule, meeting, plan, room, endpoint):
            continue
        found = _apply(step, words, values, plan)
        if found is None:
            continue
        if rule.enabled:
            yield found
        elif found.dial is not None:
            yield Dialled(dial=None, rule=rule.name, reason="rule_disabled")


def _fits(rule: Rule, meeting: Meeting, plan: DialPlan, room: str, endpoint: str) -> bool:
    if (rule.rooms and room not in rule.rooms) or (rule.endpoints and endpoint not in rule.endpoints):
        return False
    return rule.organiser == "any" or (rule.organiser == "internal") == plan.is_internal(meeting)


def _apply(step: Step, words: _Words, values: dict[str, str], plan: DialPlan) -> Dialled | None:
    """The rule's dial string, marked when it leads to a host that may not be dialled (an alias stays in the house); a
    Dialled without one says why; None when the rule does not apply."""
    rule = step.rule
    if rule.gateway or rule.company:
        values = values | {"gateway": rule.gateway, "company": rule.company}
    if step.pattern is not None:
        found = step.pattern.search(words.of(rule.source) if rule.source in TEXTS else values[rule.source])
        if found is None:
            return None
        values = {**step.pattern.blank, **values, **found}
    if not rule.include_passcode:
        values = values | dict.fromkeys(PASSCODES, "")
    if missing := step.template.missing(values):
        return Dialled(dial=None, rule=rule.name, reason="passcode_missing") if missing <= set(PASSCODES) else None
    try:
        uri = step.template.render(values)
    except ValueError:
        return Dialled(dial=None, rule=rule.name, reason="dial_invalid")
    host = host_of(uri, rule.protocol)
    if host is None or (host == "" and not rule.bare):
        return Dialled(dial=None, rule=rule.name, reason="dial_invalid")
    dial_string = DialString(protocol=rule.protocol, uri=uri)
    if host == "" or host == rule.gateway or within(host, plan.reach):
        return Dialled(dial=dial_string, rule=rule.name)
    return Dialled(dial=dial_string, rule=rule.name, reason="domain_not_allowed", allowed=False)


_BLANK = dict.fromkeys(sorted(VARIABLES), "")
_KNOWN = frozenset(IDS)


def _values(join: JoinInfo | NoJoin, room: str, endpoint: str) -> dict[str, str]:
    values = _BLANK.copy()
    values["room"], values["endpoint"] = room, endpoint
    if isinstance(join, JoinInfo):
        for name, value in join.ids:
            if name in _KNOWN:
                values[name] = value
        values["platform"], values["partner"], values["join_url"] = join.platform, join.partner, join.join_url
        if join.sip:
            values["sip"] = bare(join.sip)
            values["sip_user"], _, values["sip_domain"] = values["sip"].rpartition("@")
        if join.h323:
            values["h323"] = bare(join.h323)
    return values


class _Words:
    """The meeting's own words, read when the first pattern asks for them."""

    __slots__ = ("_body", "_meeting")

    def __init__(self, meeting: Meeting) -> None:
        self._meeting = meeting
        self._body: str | None = None

    def of(self, source: str) -> str:
        if source == "subject":
            return self._meeting.subject
        if source == "location":
            return "\n".join((self._meeting.location, *self._meeting.locations))
        if self._body is None:
            self._body = "\n".join(_lines(self._meeting))
        return self._body


def _lines(meeting: Meeting) -> Iterator[str]:
    """The text of a body as a person sees it, and below each piece the links in it without their wrappers."""
    body = invitation_text.read(meeting.body, html=meeting.body_type == "html", wanted=lambda address: True)
    for block in body.blocks:
        yield block.text
        for address, _ in block.links:
            link = unwrap(address, 0)
            yield link.url.text if link else address
