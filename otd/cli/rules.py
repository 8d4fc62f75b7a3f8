"""`otd rules`: the dial plan as it stands, what is doubtful in it, and back to the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import click

from otd.cli.group import LazyGroup
from otd.cli.invitations import Desk, desk, with_optional_config
from otd.cli.options import examples, settings_of, with_config, with_json, with_why

if TYPE_CHECKING:
    from otd.dialplan import DialPlan, Rule
    from otd.dialplan.review import Finding

COMMANDS = {
    "list": ("otd.cli.rules:list_rules", "List the rules in the order in which they are tried."),
    "show": ("otd.cli.rules:show", "Show one rule whole, ready to be changed in otd.toml."),
    "check": ("otd.cli.rules:check", "Find rules that are unreachable, overlap or take too much."),
    "try": ("otd.cli.rules_trials:try_rules", "Say what other rules would do to meetings."),
    "revert": ("otd.cli.rules:revert", "Go back to the rules that were in force before."),
    "domains": ("otd.cli.rules_trials:domains", "List the domains that meetings would need opened."),
}

rules = LazyGroup(
    COMMANDS,
    name="rules",
    help="The dial plan: ordered rules, the first that fits wins.",
    epilog=examples("otd rules list", "otd rules show teams-poly", "otd rules try --rules new.toml"),
)


# --- list and show --------------------------------------------------------------------------------------------------


@click.command("list", epilog=examples("otd rules list", "otd rules list --json"))
@with_optional_config
@with_json
def list_rules(config: str | None, as_json: bool) -> None:
    """List the rules in the order in which they are tried.

    A rule that came with OTD is "built in", "changed" by the site, or an "offer": one to switch on by its name.
    """
    plan = desk(config).plan
    rows = [(number, rule.name, _state(rule), _fits(rule), _gives(rule)) for number, rule in enumerate(plan.rules, 1)]
    if as_json:
        from otd.cli.output import print_json

        print_json({"version": plan.version, "rules": [_plain(rule) for rule in plan.rules]})
        return
    from otd.cli.output import print_table

    print_table(("", "rule", "state", "fits", "dials"), rows)
    click.echo(f"\nRule set {plan.version}, {len(rows)} rules.")


@click.command(epilog=examples("otd rules show teams-poly", "otd rules show zoom --json"))
@click.argument("name")
@with_optional_config
@with_json
def show(name: str, config: str | None, as_json: bool) -> None:
    """Show one rule whole, ready to be changed in otd.toml."""
    plan = desk(config).plan
    number, rule = _named(name, plan)
    if as_json:
        from otd.cli.output import print_json

        print_json({"number": number, **_plain(rule)})
        return
    click.echo(f"# {number} of {len(plan.rules)}, {_state(rule)}")
    click.echo("[[dialplan.rules]]")
    for key, value in _plain(rule).items():
        if key == "name" or (key != "origin" and value != _defaults()[key]):
            click.echo(f"{key} = {_toml(value)}")


def _named(name: str, plan: DialPlan) -> tuple[int, Rule]:
    for number, rule in enumerate(plan.rules, 1):
        if rule.name == name:
            return number, rule
    from otd.errors import BadSetting
    from otd.settings.mistakes import did_you_mean

    raise BadSetting(f"rule {name}", "there is no such rule", did_you_mean(name, [rule.name for rule in plan.rules]))


def _state(rule: Rule) -> str:
    from otd.dialplan import builtin

    if rule.is_offer:
        return "offer"
    known = rule.name in {one.name for one in builtin()}
    state = "built in" if rule.origin == "builtin" else "changed" if known else "own"
    return state if rule.enabled else f"{state}, off"


def _fits(rule: Rule) -> str:
    """What the rule asks for, in a few words."""
    said = [" or ".join(rule.platform) or "any platform"]
    said += [f"by {' or '.join(rule.partner)}"] if rule.partner else []
    said += [f"from {rule.organiser} organisers"] if rule.organiser != "any" else []
    said += [f"in {', '.join(rule.rooms)}"] if rule.rooms else []
    said += [f"on {', '.join(rule.endpoints)}"] if rule.endpoints else []
    said += [f"with a pattern in {rule.source}"] if rule.pattern else []
    return " ".join(said)


def _gives(rule: Rule) -> str:
    return f"{rule.protocol}: {rule.template or rule.replacement or 'what the pattern finds'}"


def _plain(rule: Rule) -> dict[str, Any]:
    values = {one.name: getattr(rule, one.name) for one in fields(rule)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _defaults() -> dict[str, Any]:
    from otd.dialplan import Rule

    return _plain(Rule(name=""))


def _toml(value: Any) -> str:
    """A text, a flag or a list of texts as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    from otd.quoting import toml_string

    return toml_string(value)


# --- check ----------------------------------------------------------------------------------------------------------


@click.command(epilog=examples("otd rules check", "otd rules check --rules new.toml"))
@click.option("--rules", "file", metavar="FILE", help="Check these rules in place of those in the settings file.")
@with_optional_config
@with_json
def check(file: str | None, config: str | None, as_json: bool) -> int:
    """Find rules that are unreachable, overlap or take too much, and domains that open too much.

    The exit code is 1 when something should be mended; that two rules may fit one meeting is only told.
    """
    from otd.dialplan.review import review

    found = desk(config)
    plan = plan_of(file, found) if file else found.plan
    findings = review(plan)
    if as_json:
        from otd.cli.output import print_json

        print_json([_finding(one) for one in findings])
    else:
        for one in findings:
            click.echo(f"{one.kind:<12} {one.rule or 'allowed domains'}: {one.why}\n{'':<12} {one.mend}")
        click.echo(f"{len(plan.rules)} rules, {len(findings) or 'no'} finding{'' if len(findings) == 1 else 's'}.")
    return 1 if any(one.kind != "overlapping" for one in findings) else 0


def _finding(one: Finding) -> dict[str, str]:
    return {"kind": one.kind, "rule": one.rule, "other": one.other, "why": one.why, "mend": one.mend}


def plan_of(file: str, at: Desk) -> DialPlan:
    """The site's dial plan with the rules of this file in place of its own. Raises BadSetting with every mistake.

    The file has [[rules]] or [[dialplan.rules]]; with a `version` it is a rule set that replaces the one that came
    with OTD, and the site's rules stay.
    """
    from otd import dialplan

    document = _document(file)
    if "version" in document:
        base, mistakes = dialplan.read_ruleset(document)
        rules = at.settings.rules if at.settings else ()
    else:
        inner = document.get("dialplan", document)
        tables = inner.get("rules", []) if isinstance(inner, Mapping) else []
        rules, found = dialplan.read_rules(tables if isinstance(tables, list) else [])
        base, mistakes = None, tuple(replace(one, key=f"rules{one.key}") for one in found)
    if mistakes:
        from otd.settings.mistakes import BadSettings, Mistake

        raise BadSettings(Mistake(where=file, key=one.key, why=one.why, mend=one.mend) for one in mistakes)
    return dialplan.for_site(rules, at.site, base=base)


def _document(file: str) -> dict[str, Any]:
    import tomllib
    from pathlib import Path

    from otd.errors import BadSetting

    try:
        return tomllib.loads(Path(file).read_text("utf-8"))
    except OSError as error:
        raise BadSetting(file, f"cannot be read: {(error.strerror or 'no answer').lower()}") from None
    except (ValueError, RecursionError) as error:
        raise BadSetting(file, f"not TOML: {error}") from None


# --- revert ---------------------------------------------------------------------------------------------------------


@click.command(epilog=examples("otd rules revert"))
@with_why
@with_config
def revert(why: str, config: str) -> int:
    """Go back to the rules that were in force before.

    Refuses the rules that the brake holds; when it holds none, goes back from those in force to the last before them.
    Holds at once, also in an `otd run` that is under way, and until the rules in the settings file change again. The
    exit code is 1 when there is nothing to go back to.
    """
    from otd.wiring import store

    database = store(settings_of(config))
    try:
        ruling = database.revert_rules(why=why)
    finally:
        database.close()
    if ruling is None:
        click.echo("There is nothing to go back to.")
        return 1
    click.echo("The rules before are in force, and every room is read anew. The settings file still holds the others:")
    click.echo("they are refused until they change.")
    return 0
