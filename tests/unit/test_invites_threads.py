"""A new meeting above an older one that is quoted: never the older one's dial string, whichever program wrote the
reply. And with nothing above it, the quoted one's.

Every golden invitation is quoted as mail programs do it, in HTML and in plain text.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape

import pytest

from otd.model import Meeting
from tests.invitations import dialled, inside
from tests.unit.test_invites_golden import CASES

CONTEXT = "?context=%7b%22Tid%22%3a%2210000000-aaaa-4aaa-8aaa-00000000aaaa%22%7d"
TEAMS = f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_TkVXTkVX%40thread.v2/0{CONTEXT}"
SHORT = "https://teams.microsoft.com/meet/3998887776665?p=tR7uV8wX"
ZOOM = "https://acme.zoom.us/j/99988877766"
WEBEX = "https://fabrikam.webex.com/fabrikam/j.php?MTID=mffffffffffffffffffffffffffffffff"
NEWER = {  # the lines of the new meeting, with its link
    "Teams": (TEAMS, "Meeting ID: 399 888 777 666", "Passcode: aB3dE6"),
    "Teams, by number": (SHORT, "Meeting ID: 399 888 777 666 5", "Passcode: tR7uV8wX"),
    "Zoom": (ZOOM, "Meeting ID: 999 8887 7766"),
    "Webex": (WEBEX, "Meeting number (access code): 2599 888 7776"),
    "nothing": (),
}
IDA = "Ida Frost &lt;ida.frost@example.com&gt;"
IN_HTML = {
    "Gmail, reply": (
        f'<div class="gmail_quote"><div class="gmail_attr">On Mon, 2 Nov 2026 at 10:00, {IDA} wrote:<br></div>'
        '<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex">{older}</blockquote></div>'
    ),
    "Gmail, forwarded": (
        '<div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>From: <strong>Ida'
        "</strong><br>Date: Mon, 2 Nov 2026 at 10:00<br>Subject: Review<br>To: Ken<br></div><br>{older}</div>"
    ),
    "Apple Mail, reply": (
        f'<br><blockquote type="cite"><div>On 2 Nov 2026, at 10:00, {IDA} wrote:</div><div>{{older}}</div></blockquote>'
    ),
    "Apple Mail, forwarded": (
        '<br><div>Begin forwarded message:</div><br><blockquote type="cite"><div><b>From: </b>Ida<br></div>'
        "<div><b>Date: </b>2 November 2026 at 10:00:00 CET<br></div><br>{older}</blockquote>"
    ),
    "Outlook on a phone": (
        f'<hr style="width:98%"><div id="divRplyFwdMsg" dir="ltr"><font><b>From:</b> {IDA}<br><b>Sent:</b> Monday, '
        "November 2, 2026 10:00:00 AM<br><b>To:</b> Ken<br><b>Subject:</b> Review</font></div>{older}"
    ),
    "Outlook with Word, German": (
        '<div style="border-top:solid #E1E1E1 1.0pt"><p class="MsoNormal"><b><span lang="DE">Von:</span></b><span '
        f'lang="DE"> {IDA} <br><b>Gesendet:</b> Montag, 2. November 2026 10:00<br><b>An:</b> Ken<br><b>Betreff:</b> '
        "Review</span></p></div>{older}"
    ),
    "Outlook, an appointment": (
        "<div>-----Original Appointment-----<br><b>From:</b> Ida <br><b>Sent:</b> Monday, 2 November 2026 10:00<br>"
        "<b>To:</b> Ida; Ken<br><b>When:</b> Monday, 9 November 2026 10:00-11:00<br><b>Where:</b> Room 1</div>{older}"
    ),
    "Outlook for Mac": (
        f'<div style="border-top:solid #B5C4DF 1.0pt"><p><b>From: </b>{IDA}<br><b>Date: </b>Monday, 2 November 2026 at '
        "10:00<br><b>To: </b>Ken<br><b>Subject: </b>Review</p></div>{older}"
    ),
    "Thunderbird, reply": (
        '<div class="moz-cite-prefix">On 02/11/2026 10:00, Ida wrote:<br></div><blockquote type="cite">{older}'
        "</blockquote>"
    ),
    "Thunderbird, forwarded": (
        '<br>-------- Forwarded Message --------<table class="moz-email-headers-table"><tbody><tr><th>Subject: </th>'
        "<td>Review</td></tr><tr><th>Date: </th><td>Mon, 2 Nov 2026 10:00:00 +0100</td></tr></tbody></table>{older}"
    ),
    "Outlook, Japanese": (
        "<p><b>差出人:</b> 霜<br><b>送信日時:</b> 2026年11月2日 10:00<br><b>宛先:</b> Ken<br>"
        "<b>件名:</b> Review</p>{older}"
    ),
    "Outlook, French": (
        "<p><b>De :</b> Ida <br><b>Envoyé :</b> lundi 2 novembre 2026 10:00<br><b>À :</b> Ken</p>{older}"
    ),
    "Outlook, Hebrew": (
        '<div dir="rtl"><p><b>מאת:</b> Ida<br><b>נשלח:</b> יום שני 2 נובמבר 2026 10:00<br>'
        "<b>אל:</b> Ken</p></div>{older}"
    ),
}
HEAD = "From: Ida Frost <ida.frost@example.com>\nSent: Monday, November 2, 2026 10:00 AM\nTo: Ken\nSubject: Review\n\n"
IN_TEXT = {
    "with >": "\n\nOn Mon, 2 Nov 2026 at 10:00, Ida Frost <ida.frost@example.com> wrote:\n\n{quoted}",
    "with >, German": "\n\nAm 02.11.2026 um 10:00 schrieb Ida Frost:\n{quoted}",
    "below an original message": "\n\n-----Original Message-----\n" + HEAD + "{older}",
    "below an original message, German": (
        "\n\n-----Ursprüngliche Nachricht-----\nVon: Ida\nGesendet: Montag, 2. November 2026 10:00\nAn: Ken\n\n{older}"
    ),
    "below a ruled line": "\n\n________________________________\n" + HEAD + "{older}",
    "below a forwarded message": "\n\n---------- Forwarded message ---------\n" + HEAD + "{older}",
    "below a mail's head, Japanese": "\n\n差出人: 霜\n送信日時: 2026年11月2日 10:00\n宛先: Ken\n\n{older}",
}


@pytest.mark.parametrize("style", IN_HTML)
def test_the_new_meeting_counts_above_an_older_one_in_html(style: str) -> None:
    different = {}
    for name, site, older in INVITATIONS:
        for kind, lines in NEWER.items():
            new = "".join(
                f'<p><a href="{line}">Join</a></p>' if line.startswith("https:") else f"<p>{line}</p>" for line in lines
            )
            thread = in_html(f"<p>See below.</p>{new}{IN_HTML[style].format(older=body_of(older))}", older)
            wanted = dialled(in_html(new, older) if new else older, site)
            if (found := dialled(thread, site)) != wanted:
                different[name, kind] = (wanted, found)

    assert len(INVITATIONS) > 200
    assert different == {}


@pytest.mark.parametrize("style", IN_TEXT)
def test_the_new_meeting_counts_above_an_older_one_in_plain_text(style: str) -> None:
    different = {}
    for name, site, older in INVITATIONS:
        for kind, lines in NEWER.items() if older.body_type == "text" else ():
            new = "".join(f"{line}\n" for line in lines)
            quoted = "\n".join(f"> {line}" for line in older.body.split("\n"))
            thread = f"See below.\n{new}{IN_TEXT[style].format(older=older.body, quoted=quoted)}"
            wanted = dialled(replace(older, body=new) if new else older, site)
            if (found := dialled(replace(older, body=thread), site)) != wanted:
                different[name, kind] = (wanted, found)

    assert len(INVITATIONS) > 200
    assert different == {}


def in_html(inner: str, meeting: Meeting) -> Meeting:
    return replace(meeting, body=f"<html><body>{inner}</body></html>", body_type="html")


def body_of(meeting: Meeting) -> str:
    """What stands in its body, as HTML."""
    if meeting.body_type != "html":
        return "".join(f"<div>{escape(line) or '<br>'}</div>" for line in meeting.body.split("\n"))
    begin, end = inside(meeting.body)
    return meeting.body[begin:end]


INVITATIONS = [
    (case.name, case.site, meeting)
    for case in CASES
    for meeting in case.meetings()
    if meeting.body and not meeting.location and not meeting.properties
]
