"""`otd alerts`: what stands, and a test of the ways to tell people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json

if TYPE_CHECKING:
    from otd.model import AlertState


@click.group(epilog=examples("otd alerts list", "otd alerts test"))
def alerts() -> None:
    """List what needs a person now, and try the ways to tell people."""


@alerts.command("list", epilog=examples("otd alerts list", "otd alerts list --all", "otd alerts list --json"))
@click.option("--all", "cleared", is_flag=True, help="Also those that are over, as long as they are kept.")
@with_config
@with_json
def list_(cleared: bool, config: str, as_json: bool) -> int:
    """List the alerts that stand: since when, what it is about, why, and what to do.

    The exit code is 1 when one stands.
    """
    from otd.cli.output import print_json, print_table
    from otd.cli.reaching import opened_store

    with opened_store(settings_of(config)) as store:
        found = store.alerts(cleared=cleared)
        now = store.now()
    rows = [row(state) for state in found]
    stands = any(state.cleared_at is None for state in found)
    if as_json:
        print_json(rows)
        return int(stands)
    if not rows:
        click.echo("No alert stands.")
        return 0
    from otd.cli.spans import ago

    heads = ["thing", "since", "cause", "why", "found"]
    cells = [[r["thing"], ago(r["raised_at"], now), r["cause"], r["sentence"], r["detail"] or "-"] for r in rows]
    if cleared:
        heads.append("over")
        for r, row_of_cells in zip(rows, cells, strict=True):
            row_of_cells.append(f"{ago(r['cleared_at'], now)}: {r['note']}" if r["cleared_at"] else "-")
    print_table(heads, cells)
    for mend in dict.fromkeys(f"{r['thing']}: {r['mend']}" for r in rows if not r["cleared_at"]):
        click.echo(f"\n{mend}")
    return int(stands)


def row(state: AlertState) -> dict[str, Any]:
    """One alert as plain values."""
    from otd.alerting.words import severity
    from otd.causes import CAUSES

    alert = state.alert
    return {
        "thing": alert.thing,
        "cause": alert.cause,
        "severity": severity(alert.cause),
        "sentence": CAUSES[alert.cause].sentence,
        "detail": alert.detail,
        "mend": alert.mend,
        "raised_at": state.raised_at.isoformat(timespec="seconds"),
        "cleared_at": state.cleared_at.isoformat(timespec="seconds") if state.cleared_at else None,
        "note": state.note,
        "times": state.times,
    }


@alerts.command(epilog=examples("otd alerts test"))
@with_config
def test(config: str) -> int:
    """Send a test alert by every configured way, and say what became of it.

    It is sent from here and at once; needs no running OTD. The exit code is 1 when one of them did not take it.
    """
    from datetime import UTC, datetime

    from otd import guarding, wiring
    from otd.cli.output import progress
    from otd.errors import OtdError
    from otd.guard import WITHIN
    from otd.model import Alert, Notice

    settings = settings_of(config)
    channels = guarding.channels(settings, wiring.secrets(settings))
    if not channels:
        click.echo("Alerts go to the log only; set mail_server or webhook under [alerts] to be told otherwise.")
        return 0
    now = datetime.now(UTC)
    alert = Alert(cause="alert_unsent", thing="channel:test", detail="sent by `otd alerts test`", mend="Nothing to do.")
    notice = Notice(id=f"test/{now:%Y%m%dT%H%M%S}", event="test", alert=alert, at=now)
    failed = False
    for name, channel in channels.items():
        try:
            with progress(f"telling {name}"):
                channel.tell((notice,), within=WITHIN)
            click.echo(f"{name}: it was taken")
        except OtdError as error:
            failed = True
            click.echo(f"{name}: {error}")
        finally:
            channel.close()
    return int(failed)
