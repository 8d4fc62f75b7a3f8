"""Rules and settings of the site that give a meeting no dial string."""

from __future__ import annotations

from otd.lab.mishaps.mishap import Act, Mishap
from otd.lab.office import Office

ROOM = "boardroom"
ELSEWHERE = "Join us in the supplier's room.\nVideo address: sip:review@video.elsewhere.example\n"


def _rule(lines: str, body: str = "teams-poly.html") -> Act:
    def happens(office: Office) -> None:
        office.book(ROOM, body)
        office.add(f"[[dialplan.rules]]\n{lines}\n")
        office.do("release", "rules") if _is_held(office) else None
        office.settle(ROOM)

    return happens


def _is_held(office: Office) -> bool:
    return any(brake.name == "rules" for brake in office.running.store.brakes())


def _without_it(office: Office) -> None:
    office.settings_as_before()
    if _is_held(office):
        office.do("release", "rules")
    office.settle(ROOM)


def _elsewhere(office: Office) -> None:
    office.book(ROOM, ELSEWHERE)
    office.settle(ROOM)


def _allowed(office: Office) -> None:
    office.change('allowed_domains = ["example.com"]', 'allowed_domains = ["example.com", "video.elsewhere.example"]')
    office.settle(ROOM)


_GATEWAY = """\
[[dialplan.rules]]
name = "teams-by-our-gateway"
platform = "teams"
template = "teams@{{ gateway }}"
gateway = "gateway.contoso.example"
last = true

[[dialplan.rules]]
name = "teams-poly"
platform = "teams"
partner = "poly"
template = "{{ vtc_id }}@t.plcm.vc"
"""


def _held(office: Office) -> None:
    """Rules that would give this meeting its Join, and change those of others: the brake holds them."""
    office.book(ROOM, "teams-only.html")
    office.book("atrium")
    office.settle(ROOM)
    office.settle("atrium")
    office.add(_GATEWAY)
    office.settle(ROOM)


def _released(office: Office) -> None:
    office.do("release", "rules")
    office.settle(ROOM)


def _no_endpoint(office: Office) -> None:
    office.book(ROOM)
    office.settle(ROOM)
    office.change('rooms = ["boardroom"]', 'rooms = ["workshop"]')


def _endpoint(office: Office) -> None:
    office.settings_as_before()
    office.settle(ROOM)


MISHAPS = (
    Mishap(
        name="a domain that may not be dialled",
        room=ROOM,
        cause="domain_not_allowed",
        happens=_elsewhere,
        mend=_allowed,
    ),
    Mishap(
        name="the rule is switched off",
        room=ROOM,
        cause="rule_disabled",
        happens=_rule('name = "stated-sip"\nplatform = "sip"\ntemplate = "{{ sip }}"\nenabled = false', "sip.txt"),
        mend=_without_it,
    ),
    Mishap(
        name="the rule is for another room",
        room=ROOM,
        cause="no_rule",
        happens=_rule('name = "stated-sip"\nplatform = "sip"\nrooms = ["atrium"]\ntemplate = "{{ sip }}"', "sip.txt"),
        mend=_without_it,
    ),
    Mishap(
        name="the rule makes no dial string",
        room=ROOM,
        cause="dial_invalid",
        happens=_rule('name = "stated-sip"\nplatform = "sip"\ntemplate = "{{ sip }} or so"', "sip.txt"),
        mend=_without_it,
    ),
    Mishap(name="the brake holds the rules", room=ROOM, cause="brake_rules", happens=_held, mend=_released),
    Mishap(
        name="no endpoint shows the room",
        room=ROOM,
        cause="room_without_endpoint",
        happens=_no_endpoint,
        mend=_endpoint,
    ),
)
