"""The hidden properties of an invitation: named MAPI properties (string, set PS_PUBLIC_STRINGS) that Outlook's add-ins
for Teams and Skype for Business write, and that are not shown to anybody."""

from __future__ import annotations

PUBLIC_STRINGS = "00020329-0000-0000-C000-000000000046"

HIDDEN: tuple[str, ...] = (
    "SkypeTeamsMeetingUrl",
    "SkypeTeamsProperties",
    "SchedulingServiceUpdateUrl",
    "SchedulingServiceMeetingOptionsUrl",
    "OnlineMeetingConfLink",
    "OnlineMeetingExternalLink",
    "OnlineMeetingInternalLink",
    "OnlineMeetingConferenceId",
    "OnlineMeetingTollNumber",
    "OnlineMeetingInformation",
    "ConferenceTelURI",
    "UCOpenedConferenceID",
    "UCMeetingSetting",
    "UCMeetingSettingSent",
    "UCInband",
    "UCCapabilities",
)

_CANONICAL = {name.casefold(): name for name in HIDDEN}


def canonical(name: str) -> str:
    """The name in the letters of HIDDEN; one that is not in it stays as it is."""
    return _CANONICAL.get(name.casefold(), name)
