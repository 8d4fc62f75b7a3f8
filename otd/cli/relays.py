"""`otd relays`: let relays in, and look after them, at the centre."""

from __future__ import annotations

import click

from otd.cli.group import LazyGroup
from otd.cli.options import examples

COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("otd.cli.relays_list:list_", "List relays: grey, green or red, since when, and what they reach."),
    "add": ("otd.cli.relays_add:add", "Let in the relay that shows this registration code."),
    "pending": ("otd.cli.relays_add:pending", "List relays that ask to be let in."),
    "adopt": ("otd.cli.relays_adopt:adopt", "Let in a relay that is set up by hand."),
    "reach": ("otd.cli.relays_reach:reach", "Show which relay reaches which endpoint, and since when one does not."),
    "revoke": ("otd.cli.relays_actions:revoke", "Shut a relay out; say which passwords it could have known."),
    "maintenance": ("otd.cli.relays_actions:maintenance", "Let a relay rest, or take it back to work."),
}


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    epilog=examples("otd relays add K7M3-XTGA --name relay1 --pool hq", "otd relays list"),
)
def relays() -> None:
    """Let relays in, and look after them. On the machine of a relay, `otd relay` is the command."""
