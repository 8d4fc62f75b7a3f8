"""Rules as data: what a rule is, how it is read from TOML, and the ones that come with OTD."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any, Literal, cast, get_args

from otd.dialplan.patterns import Pattern
from otd.dialplan.strings import domain
from otd.dialplan.templates import Template
from otd.model import Protocol

Organiser = Literal["internal", "external", "any"]
Origin = Literal["builtin", "site"]

IDS = (
    *("address", "alias", "conference_id", "domain", "ip", "ivr", "meeting_id", "number", "organizer_id", "passcode"),
    *("pin", "prefix", "site", "tenant_id", "tenant_key", "thread_id", "user", "vtc_id"),
)
"""The ids of a JoinInfo, each a variable of templates."""
JOIN = (*IDS, "platform", "partner", "join_url", "sip", "sip_user", "sip_domain", "h323")
TEXTS = ("subject", "location", "body")
"""Parts of the meeting itself that a pattern may look at."""
VARIABLES = frozenset((*JOIN, "room", "endpoint", "gateway", "company", "value"))
SOURCES = frozenset((*JOIN, *TEXTS))
PASSCODES = ("passcode",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the dial plan. An empty filter lets everything through; lists are names written out."""

    name: str
    platform: tuple[str, ...] = ()
    partner: tuple[str, ...] = ()
    organiser: Organiser = "any"
    rooms: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    source: str = ""  # what `pattern` looks at: an id, join_url, sip, h323, subject, location or body
    pattern: str = field(default="", repr=False)  # RE2; without a match the rule does not apply
    replacement: str = field(default="", repr=False)  # gives `value`; without one `value` is the whole match
    template: str = field(default="", repr=False)  # Jinja2; without one the dial string is `value`
    protocol: Protocol = "sip"
    gateway: str = ""  # the site's own gateway: a variable, and a host that this rule may dial
    company: str = ""  # a customer number at a gateway service: a variable
    include_passcode: bool = True
    bare: bool = False  # may give an alias without a host, for the site's own call control
    enabled: bool = True
    last: bool = False  # tried after the rules that come with OTD, not before
    note: str = ""
    origin: Origin = field(default="site", compare=False)

    @property
    def is_offer(self) -> bool:
        """Whether it came with OTD switched off, for a site to switch on."""
        return self.origin == "builtin" and not self.enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong in a table of rules: `key` is `[2].pattern` for the third table's pattern."""

    key: str
    why: str
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Rules of one version, and the domains of the partners that they dial."""

    version: int
    rules: tuple[Rule, ...]
    partners: tuple[tuple[str, tuple[str, ...]], ...] = ()


@cache
def shipped() -> RuleSet:
    """The rule set that came with this version of OTD."""
    import tomllib

    text = resources.files("otd.dialplan").joinpath("builtin.toml").read_text("utf-8")
    found, mistakes = read_ruleset(tomllib.loads(text))
    if mistakes:
        raise ValueError(f"builtin.toml: {mistakes}")
    return found


def builtin() -> tuple[Rule, ...]:
    """The rules that come with OTD, in their order."""
    return shipped().rules


def read_ruleset(document: Mapping[str, object]) -> tuple[RuleSet, tuple[Mistake, ...]]:
    """A rule set from a document with `version`, `[partners]` and `[[rules]]`: the form of the one that is shipped.

    Its rules count as those that come with OTD; so a newer set can be used without a newer OTD.
    """
    mistakes = [
        Mistake(key=key, why="a rule set has no such key", mend=_nearest(key, ("version", "partners", "rules")))
        for key in document
        if key not in ("version", "partners", "rules")
    ]
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        mistakes.append(Mistake(key="version", why="a rule set has a version", mend="write version = 1"))
        version = 0
    partners: list[tuple[str, tuple[str, ...]]] = []
    table = document.get("partners", {})
    for name, listed in table.items() if isinstance(table, Mapping) else ():
        if isinstance(listed, list) and all(isinstance(one, str) and domain(one) for one in listed):
            partners.append((str(name), tuple(listed)))
        else:
            mistakes.append(Mistake(key=f"partners.{name}", why="not a list of domains", mend='["example.com"]'))
    tables = document.get("rules", [])
    rules, more = _read(tables if isinstance(tables, list) else [], ())
    ours = tuple(replace(rule, origin="builtin") for rule in rules)
    mistakes += [replace(mistake, key=f"rules{mistake.key}") for mistake in more]
    return RuleSet(version=version, rules=ours, partners=tuple(partners)), tuple(mistakes)


def read_rules(
    tables: Sequence[Mapping[str, object]], base: RuleSet | None = None
) -> tuple[tuple[Rule, ...], tuple[Mistake, ...]]:
    """The site's rules from its tables in otd.toml, and every mistake in them; a table with a mistake gives no rule.

    A table with the name of a rule that comes with OTD changes that rule where it stands: what the table does not
    say stays as it was.
    """
    return _read(tables, (base or shipped()).rules)


def _read(
    tables: Sequence[Mapping[str, object]], base: tuple[Rule, ...]
) -> tuple[tuple[Rule, ...], tuple[Mistake, ...]]:
    known = {rule.name: rule for rule in base}
    rules: dict[str, Rule] = {}
    mistakes: list[Mistake] = []
    for index, table in enumerate(tables):
        found = [replace(mistake, key=f"[{index}]{mistake.key}") for mistake in _mistakes(table, known)]
        name = str(table.get("name", "")) if isinstance(table, Mapping) else ""
        if not found and name in rules:
            found = [Mistake(key=f"[{index}].name", why=f"a second rule named {name!r}", mend="give each its own name")]
        if found:
            mistakes += found
        else:
            rules[name] = _rule(table, known.get(name))
    return tuple(rules.values()), tuple(mistakes)


def _rule(table: Mapping[str, object], base: Rule | None) -> Rule:
    stated: dict[str, Any] = {key: _listed(value) if key in _LISTS else value for key, value in table.items()}
    if "gateway" in stated:
        stated["gateway"] = domain(stated["gateway"])
    return replace(base, **stated, origin="site") if base else Rule(**stated)


def _listed(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(cast(list[str], value))


# --- what can be wrong in a table ---------------------------------------------------------------------------------

_LISTS = ("platform", "partner", "rooms", "endpoints")
_FLAGS = ("include_passcode", "bare", "enabled", "last")
_CHOICES = {"organiser": get_args(Organiser), "protocol": get_args(Protocol), "source": sorted(SOURCES)}
_KEYS = tuple(one.name for one in fields(Rule) if one.name != "origin")


def _mistakes(table: object, known: Mapping[str, Rule]) -> list[Mistake]:
    if not isinstance(table, Mapping):
        return [Mistake(key="", why="not a table", mend='[[rules]] with name = "..." in it')]
    wrong = [
        Mistake(key=f".{key}", why="a rule has no such key", mend=_nearest(key, _KEYS))
        for key in table
        if key not in _KEYS
    ]
    for key, value in table.items():
        if key in _KEYS and (said := _kind(key, value)):
            wrong.append(Mistake(key=f".{key}", why=said[0], mend=said[1]))
    name = table.get("name", "")
    if name == "":
        wrong.append(Mistake(key=".name", why="a rule needs a name", mend='name = "to-our-gateway"'))
    return wrong or _whole(_rule(table, known.get(str(name))))


def _kind(key: str, value: object) -> tuple[str, str] | None:
    """What is wrong with one value by itself, and the mend."""
    if key in _FLAGS:
        return None if isinstance(value, bool) else ("true or false, without quotes", f"{key} = true")
    if key in _LISTS:
        fine = isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))
        return None if fine else ("a text or a list of texts", f'{key} = ["..."]')
    if not isinstance(value, str):
        return ("a text", f'{key} = "..."')
    if key in _CHOICES and value not in _CHOICES[key]:
        return (f"not one of {', '.join(_CHOICES[key])}", _nearest(value, _CHOICES[key]))
    if key == "gateway" and value and not domain(value):
        return ("not a domain or an IPv4 address", 'gateway = "sip.example.com"')
    return None


def _whole(rule: Rule) -> list[Mistake]:
    """What is wrong with the rule as a whole: its pattern, its replacement and its template."""
    wrong: list[Mistake] = []
    if rule.pattern and not rule.source:
        wrong.append(Mistake(key=".source", why="the pattern looks at nothing", mend='source = "join_url"'))
    if rule.source and not rule.pattern:
        wrong.append(Mistake(key=".pattern", why="a source needs a pattern", mend='pattern = "..."'))
    if not rule.template and not rule.pattern:
        mend = 'template = "{{ meeting_id }}@sip.example.com"'
        wrong.append(Mistake(key=".template", why="the rule says nothing to dial", mend=mend))
    pattern = _tried(wrong, ".pattern", lambda: Pattern(rule.pattern, rule.replacement))
    if rule.template and pattern:
        _tried(wrong, ".template", lambda: Template(rule.template, variables(pattern)))
    return wrong


def _tried(wrong: list[Mistake], key: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ValueError as error:
        wrong.append(Mistake(key=key, why=str(error)))
        return None


def variables(pattern: Pattern | None) -> frozenset[str]:
    """What a template may name: the variables, and the groups of its rule's pattern by name and as m1, m2, ..."""
    if pattern is None:
        return VARIABLES
    return VARIABLES | frozenset(pattern.names) | {f"m{number}" for number in range(1, pattern.groups + 1)}


def _nearest(word: str, words: Sequence[str]) -> str:
    near = get_close_matches(word, words, n=1)
    return f"did you mean {near[0]!r}?" if near else ""
