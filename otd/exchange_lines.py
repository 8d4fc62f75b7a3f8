"""Lines of PowerShell for those who look after Exchange, made from names that may be hostile. Pure.

What rooms need is told at Set-CalendarProcessing (Exchange PowerShell documentation); each setting acts on invitations
that arrive after it was set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from otd.quoting import powershell

WANTED: Mapping[str, str] = {
    "AutomateProcessing": "AutoAccept",
    "DeleteComments": "$false",
    "DeleteSubject": "$false",
    "AddOrganizerToSubject": "$false",
    "RemovePrivateProperty": "$false",
    "ProcessExternalMeetingMessages": "$true",
    "AllowConflicts": "$false",
}
"""What a room's mailbox should be set to, in the order of the cmdlet's own page."""


def shell_of(*, online: bool) -> str:
    """Where the lines for mailboxes in Exchange Online, or on an Exchange Server, are typed."""
    return "Exchange Online PowerShell (Connect-ExchangeOnline)" if online else "the Exchange Management Shell"


def calendar_processing(mailbox: str, settings: Iterable[str]) -> str:
    """The line that gives the mailbox what is wanted of these settings."""
    wanted = set(settings)
    options = "".join(f" -{name} {value}" for name, value in WANTED.items() if name in wanted)
    return f"Set-CalendarProcessing -Identity {powershell(mailbox)}{options}"


def proof_of_processing(mailbox: str) -> str:
    """The line that shows what the mailbox is set to."""
    return f"Get-CalendarProcessing -Identity {powershell(mailbox)} | Format-List {', '.join(WANTED)}"


def script(about: Iterable[str], parts: Iterable[tuple[str, Iterable[str]]]) -> str:
    """A PowerShell script: comments about it, then parts with a heading each.

    Comments and headings hold no names but those of otd.toml. A script with letters beyond ASCII begins with the mark
    by which Windows PowerShell knows UTF-8.
    """
    lines = [f"# {line}" for line in about]
    for heading, commands in parts:
        lines += ["", f"# --- {heading} ---", *commands]
    text = "\n".join(lines) + "\n"
    return text if text.isascii() else "\ufeff" + text
