"""What an administrator types to let OTD in: made from names that may be hostile, and scoped."""

from __future__ import annotations

import re

import pytest

from otd.exchange_lines import WANTED
from otd.exchange_setup import Step, online, online_by_ews, script_of_steps, server

HOSTILE = "o'neil$(Remove-Item *);\n`x\u2019@contoso.example"
ROOMS = ("atrium@contoso.example", HOSTILE)
APP = "6a1f3c52-0d4e-4b87-9c10-5e2d7f8a9b03"


def lines(steps: tuple[Step, ...]) -> list[str]:
    return [line for step in steps for line in (*step.lines, *step.proof)]


ALL = {
    "online": online("online", APP, ROOMS),
    "by ews": online_by_ews("online", APP, ROOMS),
    "impersonation": server("server", "CONTOSO\\svc-otd", "impersonation", ROOMS),
    "delegate": server("server", "svc-otd@contoso.example", "delegate", ROOMS),
}


@pytest.mark.parametrize("steps", ALL.values(), ids=ALL)
def test_every_step_says_what_it_allows_and_how_that_is_proved(steps: tuple[Step, ...]) -> None:
    assert all(step.allows and step.lines and step.proof for step in steps)


@pytest.mark.parametrize("steps", ALL.values(), ids=ALL)
def test_every_room_is_told_what_to_do_with_invitations(steps: tuple[Step, ...]) -> None:
    settings = [line for line in lines(steps) if line.startswith("Set-CalendarProcessing")]
    assert len(settings) == len(ROOMS)
    assert all(f"-{name} {value}" in line for line in settings for name, value in WANTED.items())


@pytest.mark.parametrize("steps", ALL.values(), ids=ALL)
def test_a_hostile_mailbox_never_leaves_its_quotes(steps: tuple[Step, ...]) -> None:
    for line in lines(steps):
        assert "\n" not in line
        outside = re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"", "", line)
        assert "Remove-Item" not in outside, line
        assert "\u2019" not in re.sub("\u2019\u2019", "", line)  # PowerShell ends a string at a lone one


@pytest.mark.parametrize("steps", [ALL["online"], ALL["by ews"], ALL["impersonation"]])
def test_what_is_granted_is_granted_for_the_group_of_the_rooms_only(steps: tuple[Step, ...]) -> None:
    (grant,) = [line for line in lines(steps) if line.startswith("New-ManagementRoleAssignment")]
    assert re.search(r"-Custom(Resource|RecipientWrite)Scope 'OTD rooms of (online|server)'", grant)
    members = [line for line in lines(steps) if line.startswith("Add-DistributionGroupMember")]
    assert len(members) == len(ROOMS)


def test_online_nothing_is_granted_to_the_whole_tenant() -> None:
    assert not any("New-MgServicePrincipalAppRoleAssignment" in line for line in lines(ALL["online"]))
    assert any("Application Calendars.Read" in line for line in lines(ALL["online"]))
    assert not any("ReadWrite" in line for line in lines(ALL["online"]))


def test_a_delegate_reads_each_calendar_by_the_name_that_its_language_gives_it() -> None:
    grants = [line for line in lines(ALL["delegate"]) if line.startswith("Add-MailboxFolderPermission")]
    assert len(grants) == len(ROOMS)
    assert all("Get-MailboxFolderStatistics" in line and "-AccessRights Reviewer" in line for line in grants)
    assert not any("Impersonation" in line for line in lines(ALL["delegate"]))


def test_an_applications_id_is_quoted_for_the_filter_that_it_stands_in() -> None:
    (line,) = [one for one in lines(online("online", "it's", ROOMS)) if "Get-MgServicePrincipal -Filter" in one]
    assert line.endswith("'appId eq ''it''''s'''")


def test_in_a_script_the_proofs_are_comments() -> None:
    steps = ALL["online"]
    script = script_of_steps("online", "PowerShell", steps)
    assert script.startswith("\ufeff# From")  # there are letters beyond ASCII in it
    for step in steps:
        assert all(line in script.splitlines() for line in step.lines)
        assert not any(line in script.splitlines() for line in step.proof if not line.startswith("#"))
