"""`otd relays reach`: which relay reaches which endpoint, as they reported."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import named, print_json, print_table

if TYPE_CHECKING:
    from otd.model import Reach


@click.command(epilog=examples("otd relays reach", "otd relays reach --pool hq --json"))
@click.option("--pool", metavar="NAME", help="Only the endpoints of this pool.")
@with_config
@with_json
def reach(pool: str | None, config: str, as_json: bool) -> int:
    """Show which relay reaches which endpoint.

    An endpoint is written by whichever relay of its pool is free, and looked at through another than the one that
    wrote; so each way is tried as time goes by. A relay that cannot reach an endpoint is passed over for it while
    another can. The exit code is 1 when one cannot.
    """
    from otd.cli.reaching import opened_store

    settings = settings_of(config)
    if pool is not None:
        named("pool", pool, settings.pools)
    with opened_store(settings) as store:
        now, found = store.now(), store.reach()
        pools = {state.endpoint.name: state.endpoint.pool for state in store.endpoints() if not state.removed}
        relays = {state.name: state.pool for state in store.relays()}
    shown = [one for one in found if one.endpoint in pools and relays.get(one.relay) == pools[one.endpoint]]
    shown = [one for one in shown if pool in (None, pools[one.endpoint])]
    if as_json:
        print_json([_row(one, pools[one.endpoint]) for one in shown])
    elif not shown:
        click.echo("No relay has reported of an endpoint yet.")
    else:
        cells = [(one.endpoint, pools[one.endpoint], one.relay, *_words(one, now)) for one in shown]
        print_table(("endpoint", "pool", "relay", "reaches it", "why"), cells)
    return 0 if all(one.works for one in shown) else 1


def _row(one: Reach, pool: str) -> dict[str, object]:
    def iso(at: datetime | None) -> str | None:
        return at.isoformat(timespec="seconds") if at else None

    return {
        "endpoint": one.endpoint,
        "pool": pool,
        "relay": one.relay,
        "reaches": one.works,
        "reached_at": iso(one.reached_at),
        "missed_at": iso(one.missed_at),
        "why": "" if one.works else one.why,
    }


def _words(one: Reach, now: datetime) -> tuple[str, str]:
    if one.works:
        return f"yes, {_ago(one.reached_at, now)}", ""
    before = f"; it did {_ago(one.reached_at, now)}" if one.reached_at else "; it never did"
    return f"no, {_ago(one.missed_at, now)}{before}", one.why


def _ago(at: datetime | None, now: datetime) -> str:
    seconds = max((now - at) // timedelta(seconds=1), 0) if at else 0
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit} ago"
    return f"{seconds}s ago"
