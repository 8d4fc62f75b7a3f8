"""What can be done to one endpoint from a terminal: probe, push, pin, retry.

Nothing is written to it from here: that is left to the relays, which are told through the database."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, span_of, with_config, with_json, with_why, with_within
from otd.cli.output import named, print_fields, print_json, progress

if TYPE_CHECKING:
    from datetime import timedelta

    from otd.asking import Look
    from otd.model import Endpoint, EndpointState, Facts


@click.command(epilog=examples("otd endpoints probe boardroom-codec", "otd endpoints probe boardroom-codec --json"))
@click.argument("name")
@with_within("How long to wait for an answer.", "30s")
@with_config
@with_json
def probe(name: str, within: str, config: str, as_json: bool) -> int:
    """Say what the endpoint NAME is, what it can do and what it lacks, each with the mend.

    Reads only. Where relays are elsewhere, one of them looks. The exit code is 1 when something stands in the way of
    its bookings.
    """
    from otd.cli.reaching import look_at, state_of
    from otd.errors import OtdError
    from otd.model import EndpointState

    settings = settings_of(config)
    endpoint = named("endpoint", name, settings.endpoints)
    if state := state_of(settings, endpoint):
        endpoint = replace(endpoint, pin=state.endpoint.pin)
    seen = look_at(settings, [EndpointState(endpoint=endpoint)], within=span_of(within), anew=True)[name]
    if isinstance(seen, OtdError):
        found: dict[str, Any] = {"name": name, "address": endpoint.address, "answers": False}
        found["lacks"] = [{"code": seen.code, "text": seen.why, "mend": seen.mend}]
    else:
        found = _probed(endpoint, seen)
    if as_json:
        print_json(found)
    else:
        _print_probe(found)
    return 1 if any(lack["code"] not in ("hidden", "clock", "tms") for lack in found["lacks"]) else 0


def _probed(endpoint: Endpoint, seen: Look) -> dict[str, Any]:
    from otd.findings import notes
    from otd.model import EndpointState, Facts

    facts = seen.facts or Facts()
    said = notes(EndpointState(endpoint=endpoint, facts=facts))
    return {
        "name": endpoint.name,
        "address": endpoint.address,
        "answers": True,
        "looked": seen.relay or "from here",
        "certificate": seen.certificate,
        **facts_row(facts),
        "can": _can(facts),
        "bookings": len(seen.held),
        "lacks": [{"code": note.code, "text": note.text, "mend": note.mend} for note in said],
    }


def facts_row(facts: Facts) -> dict[str, Any]:
    """Facts as plain values."""
    return {
        "product": facts.product,
        "software": facts.software,
        "serial": facts.serial,
        "uptime": _seconds(facts.uptime),
        "clock_offset": _seconds(facts.clock_offset),
        "mode": "Microsoft Teams Room" if facts.mode == "teams" else "its own",
        "role": facts.role,
        "provisioning": facts.provisioning,
        "hides": list(facts.hides),
        "interface": facts.interface,
    }


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 1)


def _can(facts: Facts) -> list[str]:
    if facts.mode == "teams":
        return ["list bookings"]
    return ["list bookings"] + ["take bookings"] * (facts.role != "user")


def _print_probe(found: dict[str, Any]) -> None:
    print_fields({key: value for key, value in found.items() if key != "lacks" and value not in ("", None, [])})
    for lack in found["lacks"]:
        click.echo(f"\n{lack['text']}\n  {lack['mend']}".rstrip())


@click.command(epilog=examples("otd endpoints push boardroom-codec"))
@click.argument("name")
@with_config
def push(name: str, config: str) -> int:
    """Have the list of the endpoint NAME put again at once, by a running `otd run`."""
    from otd.cli.reaching import opened_store
    from otd.errors import Missing

    settings = settings_of(config)
    named("endpoint", name, settings.endpoints)
    with opened_store(settings) as store:
        state = store.endpoint(name)
        if state.desired is None:
            raise Missing(f"endpoint {name}", "its rooms have not been read yet", "see `otd status`")
        work = next((row for row in store.work() if (row.kind, row.name) == ("deliver", name)), None)
        if work is not None and work.parked:
            raise Missing(f"endpoint {name}", f"it needs a person first: {work.error}", f"`otd endpoints retry {name}`")
        store.renumber(name, state.revision)
        store.note_act(f"endpoint:{name}", "push")
        store.hint("deliver", name)
    verb = "read" if state.mode == "observe" else "put"
    click.echo(f"{name}: its list is due to be {verb} now; `otd status` shows when it is confirmed")
    return 0


@click.command(epilog=examples("otd endpoints retry boardroom-codec"))
@click.argument("name")
@with_why
@with_config
def retry(name: str, why: str, config: str) -> int:
    """Try the endpoint NAME again at once, as if for the first time, after what it needed a person for is mended."""
    from otd.cli.reaching import opened_store

    settings = settings_of(config)
    named("endpoint", name, settings.endpoints)
    with opened_store(settings) as store:
        store.endpoint(name)
        store.unpark("deliver", name, why=why)
    click.echo(f"{name}: it is tried again now; `otd status` shows what comes of it")
    return 0


@click.command(epilog=examples("otd endpoints pin boardroom-codec", "otd endpoints pin boardroom-codec --yes"))
@click.argument("name")
@click.option("--yes", is_flag=True, help="Accept without asking.")
@with_config
def pin(name: str, yes: bool, config: str) -> int:
    """Accept the certificate that the endpoint NAME shows now, after it was replaced or reset.

    Shows the old and the new fingerprint. Compare the new one with what the endpoint itself displays: if it was not
    replaced, somebody may be in between. Where it cannot be reached from here, the new one is what the relay that last
    refused it was shown. Every relay goes by the accepted one from the next delivery on.
    """
    from otd.cli.reaching import memory_of, opened_store, relays_here, state_of
    from otd.errors import BadSetting, Missing
    from otd.wiring import has_database

    settings = settings_of(config)
    endpoint = named("endpoint", name, settings.endpoints)
    if why := _why_not_pinned(endpoint):
        raise BadSetting(f"endpoint {name}", f"its certificate is not pinned: {why}", "change its settings instead")
    relays, state = relays_here(settings, endpoint), state_of(settings, endpoint)
    if state is None and (has_database(settings) or not relays):
        why, mend = "the database does not know it at this address yet", "start `otd run` once with it"
        raise Missing(f"endpoint {name}", why, mend)
    new, shown = _shown(endpoint, state, is_here=bool(relays))
    if state is not None:
        click.echo(f"known by: {state.endpoint.pin or 'none yet'}")
    for relay in relays:
        with memory_of(settings, relay) as memory:
            click.echo(f"{relay}: {memory.get(name) or 'none yet'}")
    click.echo(f"{shown}: {new}")
    if not (yes or click.confirm("Accept it?")):
        return 1
    for relay in relays:
        with memory_of(settings, relay) as memory:
            memory.repin(name, new)
    if state is not None:
        with opened_store(settings) as store:
            store.pin(name, new, why=f"accepted {new}")
    click.echo(f"{name}: accepted; it is tried again now")
    return 0


def _why_not_pinned(endpoint: Endpoint) -> str:
    """ "" for one whose certificate is pinned."""
    from otd.placing import KINDS, can_be_looked_at

    if endpoint.kind == "webex":
        return "the cloud is known by its CA"
    if endpoint.kind not in ("cisco", *KINDS) or (endpoint.kind in KINDS and not can_be_looked_at(endpoint)):
        return "nothing connects to it"
    return "" if endpoint.trust == "pin" else f'it has trust = "{endpoint.trust}"'


def _shown(endpoint: Endpoint, state: EndpointState | None, *, is_here: bool) -> tuple[str, str]:
    """The fingerprint of the certificate that it shows, and to whom: to this machine, or to the relay that refused it
    where none of its relays `is_here` or nothing answers. Raises OtdError."""
    from otd.cli.reaching import WITHIN
    from otd.errors import OtdError
    from otd.outbound import shown_certificate

    receipt = state.receipt if state else None
    refused = None
    if receipt is not None and receipt.shown:
        refused = receipt.shown, f"shown to {receipt.relay} at {receipt.at:%Y-%m-%d %H:%M} UTC"
    if refused and not is_here:
        return refused
    is_legacy = endpoint.tls == "legacy"
    try:
        with progress(f"asking {endpoint.address}"):
            new = shown_certificate(endpoint.address, where=endpoint.name, within=WITHIN, legacy=is_legacy)
    except OtdError:
        if refused is None:
            raise
        return refused
    return new, "shown now"
