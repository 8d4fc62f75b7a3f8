"""`otd pools`: list pools, and switch one over from another system to OTD and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json, with_why
from otd.cli.output import named, print_json, print_table

if TYPE_CHECKING:
    from datetime import datetime

    from otd.model import RelayState
    from otd.settings import Settings


@click.group(epilog=examples("otd pools list", "otd pools cutover branch"))
def pools() -> None:
    """List pools, and switch one over from another system to OTD and back."""


@pools.command("list", epilog=examples("otd pools list", "otd pools list --json"))
@with_config
@with_json
def list_(config: str, as_json: bool) -> None:
    """List the pools, each with its mode, relays and endpoints, and since when none of its relays is there."""
    settings = settings_of(config)
    modes, relays, now = _known(settings)
    found = [_row(settings, name, modes, relays, now) for name in settings.pools]
    if as_json:
        print_json(found)
        return
    heads = ("pool", "mode", "by", "state", "relays", "endpoints", "label")
    rows = [
        (r["name"], r["mode"], r["by"], _state(r), " ".join(r["relays"]), len(r["endpoints"]), r["label"])
        for r in found
    ]
    print_table(heads, rows)


@pools.command(epilog=examples("otd pools cutover branch", "otd pools cutover branch --back"))
@click.argument("name")
@click.option("--back", is_flag=True, help="Write nothing any more: the other system is in charge again.")
@with_why
@with_config
def cutover(name: str, back: bool, why: str, config: str) -> int:
    """Switch the pool NAME over: from now on OTD writes its endpoints, whatever its settings say.

    Kept in the database until it is switched again. Endpoints with a mode of their own keep it. With --back they are
    only observed; what OTD put there stays until the other system replaces it.
    """
    import structlog

    from otd.cli.logs import configure
    from otd.cli.reaching import opened_store
    from otd.model import Mode

    settings = settings_of(config)
    pool = named("pool", name, settings.pools)
    mode: Mode = "observe" if back else "deliver"
    with opened_store(settings) as store:
        before = store.modes().get(name, pool.mode)
        store.cut_over(name, mode, why=why)
    configure(settings.run.log)
    structlog.get_logger(__name__).info("pool cut over", pool=name, mode=mode, before=before)
    own = [e.name for e in settings.endpoints.values() if e.pool == name and e.mode not in ("", mode)]
    click.echo(f"{name}: {'observed' if back else 'written by OTD'} from now on")
    if own:
        click.echo(f"with a mode of their own, and not switched: {' '.join(own)}")
    return 0


def _known(settings: Settings) -> tuple[dict[str, Any], tuple[RelayState, ...], datetime]:
    """What the database knows: pools that were cut over, relays, and what time it is there."""
    from datetime import UTC, datetime

    from otd.cli.reaching import opened_store
    from otd.wiring import has_database

    if not has_database(settings):
        return {}, (), datetime.now(UTC)
    with opened_store(settings) as store:
        return dict(store.modes()), store.relays(), store.now()


def _state(row: dict[str, Any]) -> str:
    if row["there"]:
        return "relays are there"
    return f"no relay since {row['no_relay_since']}" if row["no_relay_since"] else "no relay yet"


def _row(
    settings: Settings, name: str, cut: dict[str, Any], relays: tuple[RelayState, ...], now: datetime
) -> dict[str, Any]:
    from otd.deliveries import is_alive

    pool = settings.pools[name]
    its = [relay for relay in relays if relay.pool == name]
    there = any(is_alive(relay, now) and not relay.resting for relay in its)
    last = max((relay.last_seen for relay in its if relay.last_seen), default=None)
    configured = [relay.name for relay in settings.relays.values() if relay.pool == name]
    return {
        "there": there,
        "no_relay_since": None if there or last is None else last.isoformat(timespec="seconds"),
        "name": name,
        "label": pool.label,
        "mode": cut.get(name, pool.mode),
        "by": "cutover" if name in cut else "settings",
        "relays": sorted({*configured, *(relay.name for relay in its)}),
        "endpoints": [endpoint.name for endpoint in settings.endpoints.values() if endpoint.pool == name],
    }
