"""`otd relays revoke` and `maintenance`: shut a relay out, and let one rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, settings_of, with_config

if TYPE_CHECKING:
    from otd.settings import Settings


@click.command(epilog=examples("otd relays revoke relay1", "otd relays revoke relay1 --yes"))
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_config
def revoke(name: str, yes: bool, config: str) -> int:
    """Shut relay NAME out, for good: nothing of it is believed, and its user at the broker goes.

    Then it names the passwords that the relay could have known: those of the endpoints in its pool. Change them.
    """
    from otd.cli.reaching import opened_store
    from otd.model import HOUSE

    settings = settings_of(config)
    with opened_store(settings) as store:
        member = store.members.get(name)
        if not yes and member.revoked_at is None:
            click.confirm(f"Shut out relay {name} of pool {member.pool}, which has to be paired anew then?", abort=True)
        member = store.members.revoke(name, lane=HOUSE)
        store.note_act(f"relay:{name}", "shut out")
    click.echo(f"relay {name} is shut out")
    if member.by_hand:
        from otd.bus.identity import user_of

        vhost = settings.bus.relays_vhost if settings.bus else "otd-relays"
        click.echo(f"its user at the broker is looked after by hand: rabbitmqctl delete_user {user_of(vhost, name)}")
    for line in known_passwords(settings, member.pool):
        click.echo(line)
    return 0


def known_passwords(settings: Settings, pool: str) -> list[str]:
    """What a relay of this pool could have known, a line for each secret."""
    by_secret: dict[str, list[str]] = {}
    faced = []
    for endpoint in settings.endpoints.values():
        if endpoint.pool == pool and endpoint.credential:
            by_secret.setdefault(endpoint.credential, []).append(endpoint.name)
        if endpoint.pool == pool and endpoint.kind == "polycom":
            faced.append(endpoint.name)
    lines = [f"it could have known the secret {name}: of {' '.join(who)}" for name, who in sorted(by_secret.items())]
    if faced:
        lines.append(f"it knew hashes of the logins of {' '.join(faced)}: `otd endpoints credentials NAME` renews one")
    return lines or [f"no endpoint of pool {pool} has a password that it could have known"]


@click.command(epilog=examples("otd relays maintenance relay1 on", "otd relays maintenance relay1 off"))
@click.argument("name")
@click.argument("state", type=click.Choice(["on", "off"]))
@click.option("--why", metavar="TEXT", default="", help="What for; `otd relays list` shows it.")
@with_config
def maintenance(name: str, state: str, why: str, config: str) -> int:
    """Let relay NAME rest: it ends what it has begun, and takes nothing from its pool until it is off again.

    Polycom endpoints are still served by it, with the lists that it holds.
    """
    from otd.cli.reaching import opened_store

    resting = state == "on"
    with opened_store(settings_of(config)) as store:
        store.members.rest(name, resting, why)
        store.note_act(f"relay:{name}", "maintenance on" if resting else "maintenance off", why=why)
    click.echo(f"relay {name} {'rests' if resting else 'is back at work'} within seconds, if it is there")
    return 0
