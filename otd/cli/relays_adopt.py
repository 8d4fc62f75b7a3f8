"""`otd relays adopt`: let in a relay that is set up by hand, where the broker's management interface is not used."""

from __future__ import annotations

import click

from otd.cli.options import examples, settings_of, with_config
from otd.cli.output import named


@click.command(epilog=examples("otd relays adopt relay1 --pool hq --keys $(ssh relay1 otd relay keys)"))
@click.argument("name")
@click.option("--pool", required=True, metavar="POOL", help="The pool whose endpoints it reaches.")
@click.option("--keys", "shown", required=True, metavar="TEXT", help="What `otd relay keys` shows on its machine.")
@with_config
def adopt(name: str, pool: str, shown: str, config: str) -> int:
    """Let in relay NAME, which is set up by hand: for brokers whose management interface is not to be used.

    Prints the commands that make its user at the broker, and the one to type on the relay. Its password is then looked
    after by a person: it is not renewed by itself.
    """
    import json
    from base64 import urlsafe_b64encode
    from dataclasses import asdict

    from otd.bus.amqp import RECEIPTS, permissions_of
    from otd.bus.identity import user_of
    from otd.bus.management import LIMITS
    from otd.bus.seal import public_signing
    from otd.cli.reaching import opened_store
    from otd.cli.relays_add import administrator
    from otd.errors import BadSetting
    from otd.pairing import Keys
    from otd.provisioning import broker_for_relays
    from otd.quoting import shell
    from otd.settings.kinds import name_mistake
    from otd.wiring import signing_key

    settings = settings_of(config)
    named("pool", pool, settings.pools)
    if mistake := name_mistake(name):
        raise BadSetting("NAME", *mistake)
    signing, _, sealing = shown.strip().partition(".")
    try:
        keys = Keys(signing=signing, sealing=sealing)
    except ValueError:
        mend = "copy the whole line that `otd relay keys` shows"
        raise BadSetting("--keys", "these are not two public keys", mend) from None
    broker = broker_for_relays(settings)
    with opened_store(settings) as store:
        store.members.adopt(name, pool, keys, administrator=administrator())
        store.note_act(f"relay:{name}", "let in", why="by hand")
        centre = public_signing(signing_key(store))
    user, vhost, may = user_of(broker.vhost, name), broker.vhost, permissions_of(pool, name)
    said = {"relay": name, "pool": pool, "broker": asdict(broker) | {"user": user}, "centre": centre}
    grant = urlsafe_b64encode(json.dumps(said).encode()).decode()
    click.echo(f"relay {name} of pool {pool} is let in. On the broker, with a password of your own:")
    rights = " ".join(shell(may[key]) for key in ("configure", "write", "read"))
    for command in (
        f"add_user {user} PASSWORD",
        f"set_permissions -p {vhost} {user} {rights}",
        f"set_topic_permissions -p {vhost} {user} {RECEIPTS} {shell(may['topic'])} {shell('^$')}",
        f"set_user_limits {user} {shell(json.dumps(LIMITS))}",
    ):
        click.echo(f"  rabbitmqctl {command}")
    click.echo("On the relay, which then asks for that password:")
    click.echo(f"  otd relay accept {grant}")
    return 0
