"""What is doubtful in a dial plan: rules that never come to their turn, that take each other's place, or take too much.

A rule set can be right in every single rule and still not do what was meant; this looks at the rules together. It
reads rules only, no meetings; what a change does to real ones is for `trial`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from otd.dialplan.dialling import DialPlan, Step
from otd.dialplan.rules import IDS, PASSCODES, TEXTS, Rule, shipped
from otd.dialplan.strings import domain, within

Kind = Literal["unreachable", "overlapping", "broad", "not_allowed", "unknown"]

LINK_ONLY = ("jitsi", "ringcentral", "slack", "gotowebinar", "whereby", "sip")

# What stands in meetings that have nothing to do with video. A pattern that finds something here finds too much.
_EVERYDAY = (
    "Please bring the printed agenda. Room 4.02, second floor, budget 2026, 12 people.",
    "Kind regards\nAnn Example\nExample Ltd\nann.example@{domain}\nwww.{domain}\n+1 555 0100 200",
    "https://www.{domain}/intranet/page?id=20260105",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is doubtful about a rule; `other` is the rule that it has it with, if any."""

    kind: Kind
    rule: str
    why: str
    mend: str
    other: str = ""


def review(plan: DialPlan) -> tuple[Finding, ...]:
    """Everything doubtful about the site's rules, and about the domains that it has opened, in the rules' order.

    The rules that come with OTD are only found fault with where the site put one of its own before them.
    """
    steps = [Step(rule) for rule in plan.rules if rule.enabled]
    known = platforms()
    found: list[Finding] = []
    for index, step in enumerate(steps):
        if step.rule.origin == "site":
            found += _unknown(step.rule, known)
            found += _unconfigured(step)
            found += _broad(step, plan)
            found += _leads_nowhere(step, plan)
        found += _earlier(step, steps[:index])
    return (*found, *_domains(plan))


def platforms() -> frozenset[str]:
    """The platforms that invitations are read for."""
    return frozenset(one for rule in shipped().rules for one in rule.platform) | frozenset(LINK_ONLY)


def partners() -> frozenset[str]:
    """The video interop partners that invitations are read for."""
    return frozenset(one for rule in shipped().rules for one in rule.partner)


def _unknown(rule: Rule, known: frozenset[str]) -> Iterator[Finding]:
    for kind, names, choices in (("platform", rule.platform, known), ("partner", rule.partner, partners())):
        for name in names:
            if name not in choices:
                yield Finding(
                    kind="unknown",
                    rule=rule.name,
                    why=f"no invitation is ever read as {kind} {name!r}",
                    mend=f"one of {', '.join(sorted(choices))}",
                )


def _unconfigured(step: Step) -> Iterator[Finding]:
    rule = step.rule
    if frozenset() in _needs(step):
        why = "its template needs the passcode, which include_passcode = false leaves out, so it never dials"
        mend = 'include_passcode = true, or "{% if passcode %}" around it'
        yield Finding(kind="unreachable", rule=rule.name, why=why, mend=mend)
    for names in step.template.needs:
        if names <= {"gateway", "company"} and not any(getattr(rule, name) for name in names):
            name = min(names, key=("gateway", "company").index)
            why = f"its template needs {name}, which is not given, so it never dials"
            yield Finding(kind="unreachable", rule=rule.name, why=why, mend=f'{name} = "..."')


def _needs(step: Step) -> tuple[frozenset[str], ...]:
    """What its template needs, of which a passcode that is left out gives nothing."""
    if step.rule.include_passcode:
        return step.template.needs
    return tuple(names.difference(PASSCODES) for names in step.template.needs)


def _broad(step: Step, plan: DialPlan) -> Iterator[Finding]:
    rule = step.rule
    if step.pattern is not None and (caught := _caught(step, plan)):
        why = f"its pattern takes everyday text for a meeting: {caught[:60]!r}"
        mend = "name what stands before the address, or the domain that it leads to"
        yield Finding(kind="broad", rule=rule.name, why=why, mend=mend)
    if rule.bare and re.match(r"\s*\{\{", rule.template or "{{"):
        why = "the invitation alone decides on the number that is dialled in the site's own network"
        mend = "begin the template with a prefix of the site's, or end it with @ and a domain"
        yield Finding(kind="broad", rule=rule.name, why=why, mend=mend)
    if not rule.platform and step.pattern is None and not rule.last and not _narrowed(step):
        why = "it stands before the rules that come with OTD and fits meetings of every platform"
        yield Finding(kind="broad", rule=rule.name, why=why, mend='platform = "..." or last = true')


def _caught(step: Step, plan: DialPlan) -> str:
    """What the pattern finds where there is nothing to find; "" when it is narrow enough.

    In what a reader has already found for a named platform, a pattern may be as wide as it likes.
    """
    if step.pattern is None or (step.rule.platform and step.rule.source not in TEXTS):
        return ""
    for own in (*plan.own_domains[:1], "example.com"):
        for text in _EVERYDAY:
            if found := step.pattern.search(text.format(domain=own)):
                return found["value"] or "any text"
    return ""


def _narrowed(step: Step) -> bool:
    """Whether the rule is for some rooms only, for a partner, or one that came with OTD and was changed."""
    rule = step.rule
    return bool(rule.partner or rule.rooms or rule.endpoints) or rule.name in {one.name for one in shipped().rules}


def _leads_nowhere(step: Step, plan: DialPlan) -> Iterator[Finding]:
    """A template that ends in a domain which may not be dialled."""
    rule = step.rule
    host = domain(rule.template.rpartition("@")[2].partition(":")[0]) if "@" in rule.template else ""
    if host and "{" not in host and host != rule.gateway and not within(host, plan.reach):
        why = f"it dials {host}, which is not an allowed domain, so no meeting will have Join by it"
        yield Finding(kind="not_allowed", rule=rule.name, why=why, mend=f'allowed_domains = ["{host}"]')


def _earlier(step: Step, earlier: Sequence[Step]) -> Iterator[Finding]:
    """The first rule before this one that leaves nothing for it; else those that may take meetings from it."""
    rule = step.rule
    for other in earlier:
        ours = "site" in (rule.origin, other.rule.origin)
        if ours and _covers(other, step):
            why = f"{other.rule.name} stands before it and fits whatever it fits"
            mend = "put it first, narrow the other one, or remove it"
            yield Finding(kind="unreachable", rule=rule.name, other=other.rule.name, why=why, mend=mend)
            return
    rivals = [other.rule.name for other in earlier if other.rule.origin == "site" and _meets(other.rule, rule)]
    if rule.origin == "site" and rivals:
        why = f"one meeting may fit {', '.join(rivals)} as well, and the first one wins"
        yield Finding(kind="overlapping", rule=rule.name, other=rivals[0], why=why, mend="nothing, if that is meant")


def _covers(first: Step, second: Step) -> bool:
    """Whether the first rule dials whenever the second one would."""
    a, b = first.rule, second.rule
    if first.pattern is not None and (a.source, a.pattern) != (b.source, b.pattern):
        return False
    if a.organiser not in ("any", b.organiser):
        return False
    if not all(
        not one or (other and set(other) <= set(one))
        for one, other in (
            *((a.platform, b.platform), (a.partner, b.partner)),
            *((a.rooms, b.rooms), (a.endpoints, b.endpoints)),
        )
    ):
        return False
    if b.source in TEXTS and not b.platform and a.source not in TEXTS:
        return False  # the second also fits meetings in which no reader finds anything
    return all(_given(names, a, second) for names in _needs(first))


def _given(names: frozenset[str], rule: Rule, second: Step) -> bool:
    """Whether the second rule's needs see to it that one of the first rule's names holds something."""
    if any(getattr(rule, name) for name in names & {"gateway", "company"}):
        return True
    captured = frozenset(second.pattern.names) | {"value"} if second.pattern else frozenset[str]()
    sure = set(_sure(second.template.needs, captured))
    return any(need <= names for need in sure)


def _sure(needs: tuple[frozenset[str], ...], captured: frozenset[str]) -> Iterator[frozenset[str]]:
    yield from (need for need in needs if not need & captured and need <= {*IDS, "sip", "h323", "join_url"})


def _meets(a: Rule, b: Rule) -> bool:
    """Whether some meeting could fit both, as far as their filters say."""
    if {a.organiser, b.organiser} == {"internal", "external"}:
        return False
    return all(
        not one or not other or set(one) & set(other)
        for one, other in (
            *((a.platform, b.platform), (a.partner, b.partner)),
            *((a.rooms, b.rooms), (a.endpoints, b.endpoints)),
        )
    )


def _domains(plan: DialPlan) -> Iterator[Finding]:
    """Domains under which anybody can register a name: opening one opens everything."""
    for written in (*plan.own_domains, *plan.allowed_domains):
        second, _, top = domain(written).partition(".")
        if len(top) == 2 and second in ("ac", "co", "com", "edu", "gov", "gv", "ne", "net", "or", "org"):
            why = f"everybody can have a domain below {written}"
            yield Finding(kind="broad", rule="", why=why, mend="name the one domain that is meant")
