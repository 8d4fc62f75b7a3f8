"""An invitation that was forwarded, once or several times, to few or to many, is read like the invitation itself.

Every golden invitation goes below mail heads as Outlook writes them, each with its recipients and their mail links and
with the links of a signature, as they are or wrapped by a mail filter.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from urllib.parse import quote

import pytest

from otd.dialplan import dial, for_site
from otd.invites import Site, read
from otd.model import Dialled, Meeting
from tests.unit.test_invites_golden import CASES

SITE = Site(own_domains=("example.com",), skype_hosts=("meet.example.com",), meet_domain="gateway.example.com")
PLAN = for_site((), SITE)
# What a location or a hidden property says counts more than a mail below another one; the last is a forwarded one.
APART = {
    *("teams/pasted-interop-above-the-own-block", "zoom/stale-location"),
    "teams/forwarded-thrice-to-many-and-wrapped",
}
INVITATIONS = [
    (case.name, meeting)
    for case in CASES
    if case.name.rpartition("/")[0] not in APART
    for meeting in case.meetings()
    if meeting.body
]


@pytest.mark.parametrize("wrapped", [False, True], ids=["links as they are", "links wrapped"])
@pytest.mark.parametrize(("times", "recipients"), [(1, 2), (1, 40), (3, 5), (3, 12)])
def test_a_forwarded_invitation_gives_the_same_dial_string(times: int, recipients: int, wrapped: bool) -> None:
    lost = {
        name: (alone, found)
        for name, meeting in INVITATIONS
        if (alone := dialled(meeting)).dial
        and (found := dialled(forwarded(meeting, times, recipients, wrapped))).dial != alone.dial
    }

    assert len(INVITATIONS) > 250
    assert lost == {}


@pytest.mark.parametrize("wrapped", [False, True], ids=["links as they are", "links wrapped"])
def test_what_gives_no_dial_string_gives_none_when_it_is_forwarded(wrapped: bool) -> None:
    found = [
        name
        for name, meeting in INVITATIONS
        if not dialled(meeting).dial and dialled(forwarded(meeting, 3, 12, wrapped)).dial
    ]

    assert found == []


def dialled(meeting: Meeting) -> Dialled:
    return dial(read(meeting, SITE), meeting, PLAN)


def forwarded(meeting: Meeting, times: int, recipients: int, wrapped: bool) -> Meeting:
    html = meeting.body_type == "html"
    heads = "".join((html_head if html else text_head)(n, recipients, wrapped) for n in range(times))
    return replace(meeting, body=f"<html><body>{heads}{meeting.body}</body></html>" if html else heads + meeting.body)


def text_head(n: int, recipients: int, wrapped: bool) -> str:
    people = "; ".join(f"Ida Nr {n}{k}<mailto:ida.nr{n}{k}@fabrikam.example>" for k in range(recipients))
    return (
        f"From: Ken Nr {n}<mailto:ken.nr{n}@contoso.example>\nSent: Tuesday, {n + 1} September 2026 10:1{n}\n"
        f"To: {people}\nSubject: FW: Review\n\nPlease see below.\n"
        f"{''.join(f'Label<{link}>' + chr(10) for link in signature(n, wrapped))}"
    )


def html_head(n: int, recipients: int, wrapped: bool) -> str:
    def person(name: str) -> str:
        return f'{name.title()} &lt;<a href="mailto:{name}">{name}</a>&gt;'

    people = "; ".join(person(f"ida.nr{n}{k}@fabrikam.example") for k in range(recipients))
    links = "".join(
        f'<p class="MsoNormal"><a href="{escape(link)}">our pages</a></p>' for link in signature(n, wrapped)
    )
    return (
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">'
        f"<b>From:</b> {person(f'ken.nr{n}@contoso.example')}<br>"
        f"<b>Sent:</b> Tuesday, {n + 1} September 2026 10:1{n}<br><b>To:</b> {people}<br>"
        f"<b>Subject:</b> FW: Review</p></div><p>Please see below.</p>{links}"
    )


def signature(n: int, wrapped: bool) -> list[str]:
    links = [
        f"https://www.contoso.example/{n}",
        f"https://social.example/in/ken.nr{n}",
        "https://contoso.example/terms",
    ]
    if not wrapped:
        return links
    rest = "&data=05%7C02%7C" + "a1b2c3" * 20 + "%3D&reserved=0"
    return [f"https://eur03.safelinks.protection.outlook.com/?url={quote(link, safe='')}{rest}" for link in links]
