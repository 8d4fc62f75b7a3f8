"""`otd endpoints`: list endpoints, make passwords for those that fetch; see endpoint_lists and endpoint_actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from otd.cli.endpoint_actions import pin, probe, push, retry
from otd.cli.endpoint_lists import compare, show
from otd.cli.endpoint_polls import polls
from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import named, print_fields, print_json, print_table

if TYPE_CHECKING:
    from otd.model import Endpoint
    from otd.settings import Settings


@click.group(epilog=examples("otd endpoints list", "otd endpoints show boardroom-codec", "otd endpoints compare"))
def endpoints() -> None:
    """List, show, compare, probe and mend endpoints."""


@endpoints.command("list", epilog=examples("otd endpoints list", "otd endpoints list --json"))
@with_config
@with_json
def list_(config: str, as_json: bool) -> None:
    """List the endpoints, each with its address, pool and rooms."""
    settings = settings_of(config)
    found = [row(settings, endpoint) for endpoint in settings.endpoints.values()]
    if as_json:
        print_json(found)
        return
    heads = ("endpoint", "kind", "address", "pool", "rooms", "label")
    print_table(
        heads,
        [
            (one["name"], one["kind"], one["address"], one["pool"], " ".join(one["rooms"]), one["label"])
            for one in found
        ],
    )


for command in (show, compare, polls, probe, push, pin, retry):
    endpoints.add_command(command)


@endpoints.command(
    epilog=examples("otd endpoints credentials huddle-hdx", "otd endpoints credentials huddle-hdx --revoke")
)
@click.argument("name")
@click.option("--revoke", is_flag=True, help="Take the password away; the endpoint is refused from then on.")
@with_config
def credentials(name: str, revoke: bool, config: str) -> int:
    """Make a new password for the endpoint NAME, which fetches its list (Polycom), and show it once.

    Prints all that is to be typed on the endpoint's calendar page. The former password stops working. Only a salted
    hash is kept, and sent to the relays.
    """
    from otd.errors import BadSetting
    from otd.placing import KINDS
    from otd.relay.face.credentials import new_password
    from otd.wiring import store

    settings = settings_of(config)
    endpoint = named("endpoint", name, settings.endpoints)
    if endpoint.kind not in KINDS:
        raise BadSetting(f"endpoint {name}", f"a {endpoint.kind} endpoint logs in nowhere", "OTD logs in to it")
    password = new_password()
    database = store(settings)
    try:
        database.set_login(name, "" if revoke else password.hashed)
    finally:
        database.close()
    if revoke:
        click.echo(f"{name} has no password any more; its relays refuse it within seconds.")
        return 0
    faces = [relay.face for relay in settings.relays.values() if relay.pool == endpoint.pool and relay.face]
    print_fields(
        {
            "exchange server": " or ".join(face.host or f"{face.address}:{face.port}" for face in faces)
            or "no face yet",
            "email": endpoint.mailbox,
            "domain": endpoint.domain or "(leave it empty)",
            "user name": endpoint.username,
            "password": password.clear,
        }
    )
    click.echo("\nThe password is shown this once. Lost? Run the command again for another one.")
    return 0


def row(settings: Settings, endpoint: Endpoint) -> dict[str, Any]:
    """The endpoint as plain values; its credential by name."""
    return {
        "name": endpoint.name,
        "label": endpoint.label,
        "kind": endpoint.kind,
        "address": endpoint.address,
        "pool": endpoint.pool,
        "relays": [relay.name for relay in settings.relays.values() if relay.pool == endpoint.pool],
        "rooms": list(endpoint.rooms),
        "credential": endpoint.credential,
        "trust": endpoint.trust,
        "interface": endpoint.interface,
        "tls": endpoint.tls,
        "session": endpoint.session,
        "mode": endpoint.mode or endpoint.pool_mode,
    }
