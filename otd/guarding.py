"""Settings -> the guard and its channels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from otd.guard import Guard
from otd.model import HOUSE, Expiry
from otd.ports import Channel, Secrets, Store
from otd.settings import Settings


def channels(settings: Settings, secrets: Secrets) -> Mapping[str, Channel]:
    """The configured ways to tell people, by name. Nothing is asked of them yet."""
    found: dict[str, Channel] = {}
    if settings.alerts.mail is not None:
        from otd.alerting.mail import Mail

        found["mail"] = Mail(settings.alerts.mail, secrets=secrets)
    if settings.alerts.webhook is not None:
        from otd.alerting.webhook import Webhook

        found["webhook"] = Webhook(settings.alerts.webhook, secrets=secrets)
    return found


def guard(
    settings: Settings, store: Store, secrets: Secrets, expiries: Callable[[], Iterable[Expiry]] = tuple
) -> Guard:
    """The guard with its channels. `expiries` says what this process knows to run out."""
    others = (
        *(f"calendar:{name}" for name in settings.calendars),
        *(f"relay:{name}" for name in settings.relays),
    )
    return Guard(
        store=store,
        concern=settings.alerts.concern,
        channels=channels(settings, secrets),
        endpoints=settings.endpoints,
        others=others,
        expiries=expiries,
    )


def add_work(settings: Settings, store: Store) -> None:
    """Have the guard's rows in the store, which knows the settings already."""
    store.add_work("guard", HOUSE, HOUSE)
    said = settings.alerts
    for name, access in (("mail", said.mail), ("webhook", said.webhook)):
        if access is not None:
            store.add_work("notify", name, HOUSE)
