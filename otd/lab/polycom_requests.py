"""What Polycom endpoints send to a calendar server, as text. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

from otd.lab.polycom_profiles import DateForm, Habits, Profile, Registration

EWS_PATH = "/EWS/Exchange.asmx"
AUTODISCOVER_PATH = "/autodiscover/autodiscover.xml"
NTLM_FIRST = "NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAFopAAAADw=="
"""A type 1 message: the client would like to speak NTLM."""
_CONFLINK = (
    '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="OnlineMeetingConfLink" '
    'PropertyType="String"/>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Writes the bodies for one endpoint as it is registered now."""

    profile: Profile
    registration: Registration
    habits: Habits

    @property
    def version_header(self) -> str:
        return self.registration.version_header or self.profile.version_header

    def autodiscover(self) -> str:
        return (
            '<?xml version="1.0" encoding="utf-8"?><Autodiscover '
            'xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
            f"<EMailAddress>{escape(self.registration.email)}</EMailAddress><AcceptableResponseSchema>"
            "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
            "</AcceptableResponseSchema></Request></Autodiscover>"
        )

    def get_folder(self) -> str:
        return self._envelope(
            "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
            f"<m:FolderIds>{self._calendar()}</m:FolderIds></m:GetFolder>"
        )

    def find_item(self, start: datetime, end: datetime, folder_id: str) -> str:
        most = f' MaxEntriesReturned="{self.habits.most_entries}"' if self.habits.most_entries else ""
        form = self.habits.dates or self.profile.dates
        by_id = (self.habits.folder or self.profile.folder) == "id" and folder_id
        folder = f"<t:FolderId Id={quoteattr(folder_id)}/>" if by_id else self._calendar()
        return self._envelope(
            f'<m:FindItem Traversal="Shallow">{self._shape("m:ItemShape", finding=True)}'
            f'<m:CalendarView{most} StartDate="{date(start, form)}" EndDate="{date(end, form)}"/>'
            f"<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>"
        )

    def get_item(self, ids: Iterable[tuple[str, str]]) -> str:
        wanted = "".join(f"<t:ItemId Id={quoteattr(id)} ChangeKey={quoteattr(key)}/>" for id, key in ids)
        return self._envelope(
            f"<m:GetItem>{self._shape('m:ItemShape', finding=False)}<m:ItemIds>{wanted}</m:ItemIds></m:GetItem>"
        )

    def _shape(self, name: str, *, finding: bool) -> str:
        base = self.profile.find_shape if finding else self.profile.get_shape
        fields = self.profile.find_fields if finding else self.profile.get_fields
        more = "".join(f'<t:FieldURI FieldURI="{field}"/>' for field in fields)
        body = "" if finding else f"<t:BodyType>{self.profile.body_type}</t:BodyType>"
        if self.profile.asks_conflink and not finding:
            more += _CONFLINK
        extra = f"<t:AdditionalProperties>{more}</t:AdditionalProperties>" if more else ""
        return f"<{name}><t:BaseShape>{base}</t:BaseShape>{body}{extra}</{name}>"

    def _calendar(self) -> str:
        named = (self.habits.folder or self.profile.folder) == "mailbox" and self.registration.email
        mailbox = (
            f"<t:Mailbox><t:EmailAddress>{escape(self.registration.email)}</t:EmailAddress></t:Mailbox>"
            if named
            else ""
        )
        return f'<t:DistinguishedFolderId Id="calendar">{mailbox}</t:DistinguishedFolderId>'

    def _envelope(self, body: str) -> str:
        version = self.version_header
        header = (
            ""
            if version == "none"
            else f"<soap:Header><t:RequestServerVersion Version={quoteattr(version)}/></soap:Header>"
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?>'
            '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
            'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" '
            'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">'
            f"{header}<soap:Body>{body}</soap:Body></soap:Envelope>"
        )


def date(time: datetime, form: DateForm) -> str:
    """A moment in one of the forms that clients write; the time carries the endpoint's zone."""
    if form == "offset":
        return time.isoformat(timespec="seconds")
    written = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return written + {"utc": "Z", "fraction": ".000Z", "bare": ""}[form]


def midnight(now: datetime, zone: ZoneInfo) -> datetime:
    """The beginning of this day where the endpoint stands."""
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
