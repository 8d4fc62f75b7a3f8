"""`otd relays add`: let in the relay that shows this registration code, once the fingerprints are the same."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import named, plain, print_fields, print_json, print_table, progress

if TYPE_CHECKING:
    from otd.pairing import Pairing
    from otd.store.sql import SqlStore

SHOWN_WITHIN = 60.0  # seconds in which a relay that is there has shown its keys
COLLECTED_WITHIN = 30.0


@click.command(
    epilog=examples(
        "otd relays add K7M3-XTGA --name relay1 --pool hq",
        "otd relays add K7M3-XTGA --name relay1 --pool hq --yes --fingerprint ACDE-FGHJ",
    )
)
@click.argument("code")
@click.option("--name", required=True, metavar="NAME", help="What this relay is to be called: a-z, 0-9, hyphens.")
@click.option("--pool", required=True, metavar="POOL", help="The pool whose endpoints it reaches.")
@click.option("--yes", is_flag=True, help="Do not ask; needs --fingerprint.")
@click.option("--fingerprint", metavar="TEXT", default="", help="What the relay's screen shows.")
@with_config
def add(code: str, name: str, pool: str, yes: bool, fingerprint: str, config: str) -> int:
    """Let in the relay that shows this registration CODE, as relay NAME of POOL.

    The relay shows a fingerprint as soon as the code was typed here; this screen shows it too, with the name and the
    address of the machine that asks. Confirm only when both are the same: else somebody stands in between. Without a
    terminal it only shows what is asked; then run it again with --yes --fingerprint.
    """
    import secrets

    from otd import pairing
    from otd.cli.reaching import opened_store
    from otd.errors import BadSetting, Denied
    from otd.model import HOUSE
    from otd.settings.kinds import name_mistake

    settings = settings_of(config)
    named("pool", pool, settings.pools)
    if mistake := name_mistake(name):
        raise BadSetting("--name", *mistake)
    if name in settings.relays:
        raise BadSetting(f"relay {name}", "a relay of this name stands in the settings", "choose another name")
    if yes and not fingerprint:
        raise BadSetting("--yes", "it needs --fingerprint", "type what the relay's screen shows")
    typed, who = pairing.read_code(code), administrator()
    with opened_store(settings) as store:
        found = store.pairings.name(
            typed, administrator=who, name=name, pool=pool, nonce=secrets.token_bytes(pairing.KEY)
        )
        found = _shown(store, found)
        if found.keys is None:
            raise Denied(f"the code {code}", "the relay did not show its keys", "is `otd relay pair` still running?")
        shown = pairing.fingerprint(found.keys, found.relay_nonce, _centre_key(store), found.centre_nonce)
        print_fields(
            {
                "host": found.host,
                "address": found.address,
                "version": found.version,
                "becomes": f"relay {name} of pool {pool}",
                "fingerprint": pairing.grouped(shown),
            }
        )
        if fingerprint and not pairing.same_fingerprint(fingerprint, shown):
            store.pairings.refuse(found.id)
            why = "the fingerprints differ: somebody stands in between, or it was mistyped"
            raise Denied(f"the relay at {plain(found.address)}", why, "nothing was let in; start again on the relay")
        if not yes and not _confirmed(fingerprint):
            return _not_confirmed(store, found)
        store.pairings.confirm(found.id, administrator=who, challenge=secrets.token_bytes(32), lane=HOUSE)
        store.note_act(f"relay:{name}", "let in")
        click.echo(f"relay {name} of pool {pool} is let in")
        return _collected(store, found)


@click.command(epilog=examples("otd relays pending", "otd relays pending --json"))
@with_config
@with_json
def pending(config: str, as_json: bool) -> None:
    """List the relays that ask to be let in. Their codes are not shown: they are read from the relays' screens."""
    from otd.cli.reaching import opened_store

    with opened_store(settings_of(config)) as store:
        found = store.pairings.waiting()
    if as_json:
        print_json(
            [
                {
                    "host": one.host,
                    "address": one.address,
                    "version": one.version,
                    "state": one.state,
                    "name": one.name,
                    "pool": one.pool,
                    "asked_at": one.asked_at.isoformat(timespec="seconds"),
                    "expires_at": one.expires_at.isoformat(timespec="seconds"),
                }
                for one in found
            ]
        )
        return
    if not found:
        click.echo("No relay asks to be let in.")
        return
    rows = [(one.host, one.address, one.version, one.state, one.name or "-", f"{one.asked_at:%H:%M}") for one in found]
    print_table(("host", "address", "version", "state", "name", "asked (UTC)"), rows)


def administrator() -> str:
    """Who sits at this terminal."""
    import getpass
    import os

    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def _centre_key(store: SqlStore) -> str:
    from otd.bus.seal import public_signing
    from otd.wiring import signing_key

    return public_signing(signing_key(store))


def _shown(store: SqlStore, found: Pairing) -> Pairing:
    """The request when the relay showed its keys, or when it did not for a while."""
    import time

    end = time.monotonic() + SHOWN_WITHIN
    with progress("waiting for the relay to show its keys"):
        while found.state == "named" and time.monotonic() < end:
            time.sleep(0.2)
            found = store.pairings.get(found.id)
    return found


def _collected(store: SqlStore, found: Pairing) -> int:
    """Wait a while for the relay to have its identity, or say why it has not."""
    import time

    end = time.monotonic() + COLLECTED_WITHIN
    with progress("waiting for its user at the broker, and for the relay to collect its identity"):
        while time.monotonic() < end:
            if store.pairings.get(found.id).state == "collected":
                click.echo("it collected its identity; `otd relay check`, then `otd relay run` on its machine")
                return 0
            time.sleep(0.2)
    work = next((row for row in store.work() if (row.kind, row.name) == ("provision", found.name)), None)
    if work is not None and work.error:
        click.echo(f"otd: its user at the broker is not made: {work.error} ({work.mend})", err=True)
    elif store.members.get(found.name).is_ready:
        click.echo("otd: the relay has not collected its identity yet; it will, as long as `otd relay pair` runs there")
    else:
        click.echo("otd: its user at the broker is not made yet: is `otd run` or a worker at work?", err=True)
    return 1


def _confirmed(fingerprint: str) -> bool:
    """Whether a person says so at this terminal."""
    if not sys.stdin.isatty():
        return False
    return bool(fingerprint) or click.confirm("Does the relay's screen show the same fingerprint?", default=False)


def _not_confirmed(store: SqlStore, found: Pairing) -> int:
    if sys.stdin.isatty():
        store.pairings.refuse(found.id)
        click.echo("otd: refused; nothing was let in", err=True)
    else:
        click.echo(
            "otd: not confirmed: if the relay's screen shows the same, run this again with --yes --fingerprint TEXT",
            err=True,
        )
    return 1
