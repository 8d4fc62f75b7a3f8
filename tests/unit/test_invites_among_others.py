"""An invitation is read like itself whatever stands above or below it: the links of an agenda's documents, as they are
or wrapped by a mail filter, and the people who take part.

Every golden invitation goes among them, in HTML or plain text as it is itself.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest

from otd.model import Meeting
from tests.invitations import dialled, inside
from tests.unit.test_invites_golden import CASES

DOCUMENT = "https://contoso.sharepoint.example/sites/team/Shared%20Documents/Review/Supplier%20numbers/{n}.docx"
SAFE = "https://eur03.safelinks.protection.outlook.com/?url={url}&data=" + "05%7C02" * 20 + "&reserved=0"
FORMS = {  # one of them, how many there are, and whether they are HTML
    "documents": ("<p><a href='{document}'>{document}</a></p>", 40, True),
    "wrapped documents": ("<p><a href='{safe}'>{document}</a></p>", 40, True),
    "wrapped notes": ("<p><span style='font-family:Calibri'><a href='{safe}'>Notes</a></span></p>", 25, True),
    "people": ("<p><a href='mailto:ida.nr{n}@c.example'>Ida Nr {n}</a> ida.nr{n}@c.example</p>", 150, True),
    "people and pages": (
        "<p><a href='https://a{n}.example/x'>https://a{n}.example/x</a> nr{n}@c.example</p>",
        40,
        True,
    ),
    "documents in text": ("{document}\n", 40, False),
    "wrapped documents in text": ("Notes<{safe}>\n", 15, False),
    "people in text": ("Ida Nr {n} <ida.nr{n}@c.example>;\n", 120, False),
}
TOO_MUCH = {  # with what stands in them already, or in a form that is looked for in ordinary texts only
    *("teams/forwarded-thrice-to-many-and-wrapped", "pexip/webapp3-and-address", "zoom/capital-host"),
}


@pytest.mark.parametrize("above", [True, False], ids=["above", "below"])
@pytest.mark.parametrize("name", FORMS)
def test_an_invitation_among_others_is_read_like_itself(name: str, above: bool) -> None:
    form, count, html = FORMS[name]
    others = "".join(form.format(document=one, safe=safe(one), n=n) for n, one in enumerate(documents(count)))
    tried = [one for one in INVITATIONS if html == (one[2].body_type == "html")]
    different = {
        name: (alone, found)
        for name, site, meeting, alone in tried
        if (found := dialled(among(meeting, others, above), site)) != alone
    }

    assert len(tried) > 50
    assert different == {}


def documents(count: int) -> list[str]:
    return [DOCUMENT.format(n=n) for n in range(count)]


def safe(address: str) -> str:
    return SAFE.format(url=quote(address, safe=""))


def among(meeting: Meeting, others: str, above: bool) -> Meeting:
    if meeting.body_type != "html":
        return replace(meeting, body=f"{others}\n{meeting.body}" if above else f"{meeting.body}\n{others}")
    begin, end = inside(meeting.body)
    at = begin if above else end
    return replace(meeting, body=f"{meeting.body[:at]}<br>{others}<br>{meeting.body[at:]}")


INVITATIONS = [
    (case.name, case.site, meeting, dialled(meeting, case.site))
    for case in CASES
    if case.name.rpartition("/")[0] not in TOO_MUCH
    for meeting in case.meetings()
    if meeting.body
]
