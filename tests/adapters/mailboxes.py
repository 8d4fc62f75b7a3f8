"""Lays planned meetings into the mailboxes of the lab's Exchange, as people would have booked them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from otd.errors import BadSetting
from otd.lab.identities import global_object_id
from otd.lab.mailboxes import Mailboxes
from otd.model import Meeting, Person
from tests.contracts.calendar import DAY, T0, Planned


@dataclass(frozen=True)
class SecretsOf:
    """Secrets out of a mapping; those that are asked for are noted."""

    values: Mapping[str, str] = field(repr=False)
    asked: list[str] = field(default_factory=list)

    def get(self, name: str) -> str:
        self.asked.append(name)
        if name not in self.values:
            raise BadSetting(f"secret {name}", "it is not there", "store it")
        return self.values[name]


def as_meeting(plan: Planned) -> Meeting:
    return Meeting(
        id=plan.key,
        uid=global_object_id(plan.key, T0),
        start=plan.start,
        end=plan.end,
        subject=plan.subject,
        body=plan.body,
        body_type="html",
        location=plan.location,
        organizer=Person(name="Ann Example", address=plan.organizer),
        all_day=plan.all_day,
        cancelled=plan.cancelled,
        sensitivity="private" if plan.private else "normal",
        show_as="tentative" if plan.tentative else "busy",
        response="declined" if plan.declined else "tentative" if plan.tentative else "accepted",
    )


def lay(mailboxes: Mailboxes, address: str, *plans: Planned) -> None:
    """The mailbox holds exactly these from now on."""
    mailbox = mailboxes.get(address) or mailboxes.add(address)
    mailbox.clear()
    for plan in plans:
        meeting = as_meeting(plan)
        if not plan.daily:
            mailbox.add(meeting, timezone=plan.zone)
            continue
        exceptions: dict[object, Meeting | None] = {}
        if plan.moved:
            length = plan.end - plan.start
            exceptions[plan.start + DAY] = replace(meeting, start=plan.moved, end=plan.moved + length)
        mailbox.add(meeting, rule=f"FREQ=DAILY;COUNT={plan.daily}", timezone=plan.zone, exceptions=exceptions)  # type: ignore[arg-type]
