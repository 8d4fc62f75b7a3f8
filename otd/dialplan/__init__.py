"""The dial plan: ordered rules that turn a JoinInfo into a DialString, and the domains that may be dialled.

    rules, mistakes = read_rules(tables)          # the site's, from otd.toml
    site = plan(rules, own_domains, allowed_domains)
    dialled = dial(join, meeting, site, room="boardroom", endpoint="boardroom-codec")

A rule filters (platform, partner, organiser, rooms, endpoints), may look for a pattern, and writes the dial string with
a template. The first rule that fits and has what it needs wins. Rules that come with OTD are data in the same form
(`builtin.toml`); a site changes or switches off any of them by its name.
"""

from otd.dialplan.dialling import DialPlan, dial, for_site, plan, tries
from otd.dialplan.rules import (
    IDS,
    SOURCES,
    VARIABLES,
    Mistake,
    Rule,
    RuleSet,
    builtin,
    read_rules,
    read_ruleset,
    shipped,
)
from otd.dialplan.strings import domain, host_of

__all__ = [
    "IDS",
    "SOURCES",
    "VARIABLES",
    "DialPlan",
    "Mistake",
    "Rule",
    "RuleSet",
    "builtin",
    "dial",
    "domain",
    "for_site",
    "host_of",
    "plan",
    "read_rules",
    "read_ruleset",
    "shipped",
    "tries",
]
