"""What an administrator of Exchange types to let OTD read the rooms of a calendar, and nothing else. Pure.

Exchange Online: RBAC for Applications over a mail-enabled security group (Exchange documentation, "Role Based Access
Control for Applications in Exchange Online"). Its grants and those of Entra ID add up, so Entra ID must grant nothing.
Exchange Server: impersonation over the same kind of scope, or the right to read each calendar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from otd.exchange_lines import WANTED, calendar_processing, proof_of_processing, script
from otd.quoting import powershell


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Lines that belong together: what they are for, what they allow, and the lines that prove it."""

    title: str
    allows: str
    lines: tuple[str, ...]
    proof: tuple[str, ...] = ()


def online(name: str, client_id: str, mailboxes: Sequence[str]) -> tuple[Step, ...]:
    """For a calendar of this name in Exchange Online, read by this application."""
    group, app = _group(name), powershell(client_id)
    found = powershell("appId eq '{}'".format(client_id.replace("'", "''")))
    return (
        Step(
            title="The application's place in the tenant (Microsoft Graph PowerShell)",
            allows="nothing yet. In Entra ID the application needs a credential and no permission but, for "
            "`otd rooms discover`, Place.Read.All: a consented Calendars.Read would open every mailbox, whatever is "
            "scoped below",
            lines=(
                "Connect-MgGraph -Scopes 'Application.Read.All'",
                f"$otd = Get-MgServicePrincipal -Filter {found}",
                "# its credential, for two years: upload otd.crt to the application; otd.key and otd.crt together are",
                "# the secret that `certificate` names in otd.toml",
                "openssl req -x509 -newkey rsa:3072 -nodes -days 730 -subj '/CN=One Touch Dial' "
                "-keyout otd.key -out otd.crt",
            ),
            proof=(
                "# prints nothing, or Place.Read.All alone: no permission for the mailboxes of the whole tenant",
                "Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $otd.Id",
            ),
        ),
        _group_of_rooms(group, mailboxes),
        Step(
            title="Reading the calendars of that group",
            allows="the application reads calendars in mailboxes of the group, and changes nothing; Exchange takes 30 "
            "minutes to 2 hours to see it",
            lines=(
                f"New-ServicePrincipal -AppId {app} -ObjectId $otd.Id -DisplayName 'One Touch Dial'",
                *_scope(group),
                f"New-ManagementRoleAssignment -App {app} -Role 'Application Calendars.Read' "
                f"-CustomResourceScope {group}",
            ),
            proof=(
                "# InScope is True",
                f"Test-ServicePrincipalAuthorization -Identity {app} -Resource {powershell(mailboxes[0])}",
                "# InScope is False for a person's own mailbox",
                f"Test-ServicePrincipalAuthorization -Identity {app} -Resource (Read-Host 'the address of a person')",
            ),
        ),
        _processing(mailboxes),
    )


def server(
    name: str, account: str, right: Literal["impersonation", "delegate"], mailboxes: Sequence[str]
) -> tuple[Step, ...]:
    """For a calendar of this name on an Exchange Server, read by this service account (DOMAIN\\name or name@domain)."""
    group, user = _group(name), powershell(account)
    if right == "delegate":
        return (_account(account), _delegate(user, mailboxes), _processing(mailboxes))
    return (
        _account(account),
        _group_of_rooms(group, mailboxes),
        Step(
            title="Impersonating the mailboxes of that group",
            allows="the account acts as these mailboxes through Exchange Web Services, and as no others",
            lines=(
                *_scope(group),
                f"New-ManagementRoleAssignment -Name {group} -Role ApplicationImpersonation -User {user} "
                f"-CustomRecipientWriteScope {group}",
            ),
            proof=(
                "# one line, and its CustomRecipientWriteScope is the scope above: without one it means every mailbox",
                f"Get-ManagementRoleAssignment -Role ApplicationImpersonation -RoleAssignee {user} "
                "| Format-List Name, CustomRecipientWriteScope",
            ),
        ),
        _processing(mailboxes),
    )


def script_of_steps(name: str, shell: str, steps: Iterable[Step]) -> str:
    """The steps for a calendar as one script: their proofs are comments, to be typed one by one."""
    about = (
        f"From `otd calendars setup {name} --script`, for {shell}.",
        "Read it before you run it: it lets One Touch Dial read the calendars of the mailboxes below.",
        "Run again, it says of what is there already that it is there, which does no harm.",
    )
    return script(
        about, ((step.title, (f"# It allows: {step.allows}.", *step.lines, *_proved(step))) for step in steps)
    )


def _proved(step: Step) -> tuple[str, ...]:
    return ("# Proved by:", *(f"#   {line.removeprefix('# ')}" for line in step.proof)) if step.proof else ()


def online_by_ews(name: str, client_id: str, mailboxes: Sequence[str]) -> tuple[Step, ...]:
    """For a calendar of this name that is read by Exchange Web Services as an application (OAuth)."""
    app = powershell(client_id)
    first, members, reading, processing = online(name, client_id, mailboxes)
    grant = reading.lines[-1].replace("Application Calendars.Read", "Application EWS.AccessAsApp")
    return (
        first,
        members,
        Step(
            title="Exchange Web Services for this application",
            allows="Exchange Web Services answer the listed applications, and this one; Microsoft switches them off "
            "for good on 1 April 2027: a calendar of kind graph needs none of this",
            lines=(
                "$apps = @((Get-OrganizationConfig).EwsAllowedAppIDs -split ',' | Where-Object { $_ })",
                f"Set-OrganizationConfig -EwsEnabled $true -EwsAllowedAppIDs (($apps + {app}) -join ',')",
            ),
            proof=("Get-OrganizationConfig | Format-List EwsEnabled, EwsAllowedAppIDs",),
        ),
        replace(
            reading,
            title="Acting as the mailboxes of that group",
            allows="the application may do everything in mailboxes of the group: Exchange Web Services know nothing "
            "smaller; Exchange takes 30 minutes to 2 hours to see it",
            lines=(*reading.lines[:-1], grant),
        ),
        processing,
    )


def _account(account: str) -> Step:
    name = powershell(account.rpartition("\\")[2].partition("@")[0])
    return Step(
        title="The service account (Active Directory PowerShell); it needs no mailbox",
        allows="signing in, and nothing else",
        lines=(
            f"New-ADUser -Name {name} -SamAccountName {name} -AccountPassword (Read-Host -AsSecureString 'password') "
            "-PasswordNeverExpires $true -CannotChangePassword $true -Enabled $true",
        ),
        proof=(f"Get-ADUser -Identity {name}",),
    )


def _group(name: str) -> str:
    return powershell(f"OTD rooms of {name}")


def _group_of_rooms(group: str, mailboxes: Sequence[str]) -> Step:
    return Step(
        title="A mail-enabled security group with the rooms",
        allows="nothing by itself; whoever may change its members decides what OTD reads. Groups in it do not count",
        lines=(
            f"New-DistributionGroup -Name {group} -Type Security",
            f"Set-DistributionGroup -Identity {group} -HiddenFromAddressListsEnabled $true",
            *(f"Add-DistributionGroupMember -Identity {group} -Member {powershell(one)}" for one in mailboxes),
        ),
        proof=(f"Get-DistributionGroupMember -Identity {group} -ResultSize Unlimited",),
    )


def _scope(group: str) -> Iterator[str]:
    yield f'$group = (Get-DistributionGroup -Identity {group}).DistinguishedName.Replace("\'", "\'\'")'
    yield f"New-ManagementScope -Name {group} -RecipientRestrictionFilter \"MemberOfGroup -eq '$group'\""


def _delegate(user: str, mailboxes: Sequence[str]) -> Step:
    lines = ["# The calendar folder is called as in the mailbox's language."]
    proof = []
    for one in mailboxes:
        mailbox = powershell(one)
        folder = (
            f"({mailbox} + ':\\' + (Get-MailboxFolderStatistics -Identity {mailbox} -FolderScope Calendar "
            "| Where-Object FolderType -eq 'Calendar').Name)"
        )
        lines.append(f"Add-MailboxFolderPermission -Identity {folder} -User {user} -AccessRights Reviewer")
        proof.append(f"Get-MailboxFolderPermission -Identity {folder} -User {user}")
    return Step(
        title="Reading each room's calendar",
        allows="the account reads these calendars; private meetings come without title and text, so without a button "
        "(Add-MailboxPermission -AccessRights FullAccess shows them)",
        lines=tuple(lines),
        proof=tuple(proof),
    )


def _processing(mailboxes: Sequence[str]) -> Step:
    return Step(
        title="What the rooms do with invitations",
        allows="text, titles and private flags stay as the organiser wrote them, and rooms answer by themselves. It "
        "acts on invitations that arrive afterwards. Leave out -ProcessExternalMeetingMessages where only your own "
        "people book rooms",
        lines=tuple(calendar_processing(one, WANTED) for one in mailboxes),
        proof=tuple(proof_of_processing(one) for one in mailboxes),
    )
