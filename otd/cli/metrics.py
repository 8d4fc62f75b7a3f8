"""`otd metrics`: what the rows say in numbers, alert rules for Prometheus and a dashboard for Grafana."""

from __future__ import annotations

import click

from otd.cli.options import examples, settings_of, with_config


@click.group(epilog=examples("otd metrics show", "otd metrics rules > otd-rules.yml"))
def metrics() -> None:
    """Show metrics; print alert rules for Prometheus and a dashboard for Grafana.

    Where Prometheus finds them stands in [metrics]: `otd run` and each worker listen there, and `otd serve` answers
    GET /metrics, too. Relays have a setting of their own, metrics in relay.toml.
    """


@metrics.command(epilog=examples("otd metrics show"))
@with_config
def show(config: str) -> None:
    """Print what the rows say, in the Prometheus text format.

    What is counted where it happens (readings, deliveries, latencies) is had from the processes alone.
    """
    from otd import measuring
    from otd.cli.reaching import opened_store

    with opened_store(settings_of(config)) as store:
        click.echo(measuring.shown(store).decode(), nl=False)


@metrics.command(epilog=examples("otd metrics rules > /etc/prometheus/otd-rules.yml"))
def rules() -> None:
    """Print alert rules for Prometheus."""
    _print("prometheus-rules.yml")


@metrics.command(epilog=examples("otd metrics dashboard > otd.json"))
def dashboard() -> None:
    """Print a dashboard for Grafana, to be imported there."""
    _print("grafana-dashboard.json")


def _print(name: str) -> None:
    from importlib import resources

    click.echo((resources.files("otd.cli") / "starter" / name).read_text(encoding="utf-8"), nl=False)
