"""`otd probe`: a meeting of our own, there and back, with the time of each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, settings_of, span_of, with_config, with_json, with_within

if TYPE_CHECKING:
    from otd.probing import Step


@click.command(epilog=examples("otd probe boardroom", "otd probe boardroom --within 2m", "otd probe boardroom --json"))
@click.argument("room")
@with_within("How long a step may take.", "3m")
@with_config
@with_json
def probe(room: str, within: str, config: str, as_json: bool) -> int:
    """Book a meeting of one minute in the calendar of ROOM, follow it to the endpoint and away again.

    `otd run` or the workers do the work; this only books, looks and takes back, also at Ctrl-C. The meeting lies at the
    end of the days that are shown, where it is in nobody's way, and has Join when own_domains names a domain. In a
    folder it can always be booked; by Graph it takes Calendars.ReadWrite for the room; on Exchange Server OTD only
    reads, so that nothing can be booked there.
    """
    from datetime import timedelta

    from otd import wiring
    from otd.cli.output import named, print_json, progress
    from otd.cli.reaching import opened_store
    from otd.errors import BadSetting, Unsupported
    from otd.probing import Probe

    settings = settings_of(config)
    found = named("room", room, settings.rooms)
    longest = span_of(within)
    shown_on = [endpoint.name for endpoint in settings.endpoints.values() if room in endpoint.rooms]
    if not shown_on:
        raise BadSetting(f"room {room}", "no endpoint shows it", "name it in the rooms of an endpoint")
    calendar = wiring.calendar(settings, found.calendar)
    bookable = wiring.bookable(calendar)
    if bookable is None:
        kind = settings.calendars[found.calendar].kind
        why = f"meetings cannot be booked by {kind}: there OTD has no right but to read"
        mend = f"book one in Outlook and follow it with `otd explain {room}`, or probe a room of another calendar"
        raise Unsupported(f"calendar {found.calendar}", why, mend)
    domains = settings.policy.own_domains
    with _interrupts() as is_interrupted, opened_store(settings) as store:
        start = (store.now() + settings.policy.ahead - timedelta(hours=2)).replace(second=0, microsecond=0)
        dial = f"otd-probe@{domains[0]}" if domains else ""
        doing = ["booking"]

        def said(step: Step) -> None:
            doing[0] = f"{step.name}; waiting for the next step"
            if not as_json:
                click.echo(f"{step.after:7.2f} s  (+{step.took:.2f})  {step.name}")

        followed = Probe(
            store,
            bookable,
            found,
            shown_on,
            start=start,
            dial=dial,
            within=longest,
            is_interrupted=is_interrupted,
        )
        try:
            with followed as probing, progress(lambda: doing[0]):
                probing.run(said)
        finally:
            calendar.close()
    if as_json:
        steps = [{"step": s.name, "after": round(s.after, 3), "took": round(s.took, 3)} for s in probing.steps]
        print_json({"room": room, "endpoints": shown_on, "steps": steps})
    else:
        click.echo(f"{room}: there and back on {', '.join(shown_on)}")
    return 0


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Tells whether Ctrl-C or SIGTERM came. No call is broken off in its middle: what it booked would not be known."""
    import signal
    import threading

    came = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: came.set()) for number in numbers]
    try:
        yield came.is_set
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
