"""ConvertId, ResolveNames, GetServerTimeZones, GetUserConfiguration: what clients ask before they read a calendar."""

from __future__ import annotations

from lxml import etree

from otd.quoting import xml_attr, xml_text
from otd.relay.face import ids
from otd.relay.face.answers import Answer, Options, each, some
from otd.relay.face.served import Served
from otd.relay.face.soap import EwsError, Fault, Request, child, failure, local, response, success, word

_AT_ONCE = 100
_FORMATS = ("EwsLegacyId", "EwsId", "EntryId", "HexEntryId", "StoreId", "OwaId")
_ALTERNATE = 'xsi:type="t:AlternateIdType"'
_UTC = (
    '<t:TimeZoneDefinition Id="UTC" Name="(UTC) Coordinated Universal Time"><t:Periods>'
    '<t:Period Bias="PT0S" Name="Standard" Id="Std"/></t:Periods><t:TransitionsGroups><t:TransitionsGroup Id="0">'
    '<t:Transition><t:To Kind="Period">Std</t:To></t:Transition></t:TransitionsGroup></t:TransitionsGroups>'
    '<t:Transitions><t:Transition><t:To Kind="Group">0</t:To></t:Transition></t:Transitions></t:TimeZoneDefinition>'
)


def convert_id(served: Served, request: Request, options: Options) -> Answer:
    """Ids of ours are the same in every format; of others nothing is known."""
    form = request.element.get("DestinationFormat", "")
    if form not in _FORMATS:
        raise Fault("ErrorSchemaValidation")

    def converted(element: etree._Element) -> str:
        id = element.get("Id", "")
        if local(element) != "AlternateId" or not ids.is_ours(id):
            raise EwsError("ErrorInvalidIdMalformed")
        return f'<m:AlternateId {_ALTERNATE} Format="{form}" Id="{id}" Mailbox={xml_attr(served.mailbox)}/>'

    wanted = some(child(request.element, "SourceIds"), _AT_ONCE)
    return Answer(xml=response("ConvertId", each("ConvertId", wanted, converted)))


def resolve_names(served: Served, request: Request, options: Options) -> Answer:
    """The room itself, by its address or its name."""
    entry = word(request.element, "UnresolvedEntry").casefold()
    label = served.endpoint.label or served.mailbox
    names = (label.casefold(), served.mailbox.casefold().partition("@")[0])
    if not served.is_own(entry) and (not entry or not any(name.startswith(entry) for name in names)):
        message = failure("ResolveNames", EwsError("ErrorNameResolutionNoResults"))
    else:
        message = success(
            "ResolveNames",
            '<m:ResolutionSet TotalItemsInView="1" IncludesLastItemInRange="true"><t:Resolution><t:Mailbox>'
            f"<t:Name>{xml_text(label)}</t:Name><t:EmailAddress>{xml_text(served.mailbox)}</t:EmailAddress>"
            "<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox></t:Resolution>"
            "</m:ResolutionSet>",
        )
    return Answer(xml=response("ResolveNames", [message]))


def get_server_time_zones(served: Served, request: Request, options: Options) -> Answer:
    """UTC, in which all times of the face are."""
    wanted = child(request.element, "Ids")
    asked = [(element.text or "").strip() for element in wanted] if wanted is not None else ["UTC"]
    zones = _UTC if "UTC" in asked else ""
    message = success("GetServerTimeZones", f"<m:TimeZoneDefinitions>{zones}</m:TimeZoneDefinitions>")
    return Answer(xml=response("GetServerTimeZones", [message]))


def get_user_configuration(served: Served, request: Request, options: Options) -> Answer:
    """There is none."""
    return Answer(
        xml=response("GetUserConfiguration", [failure("GetUserConfiguration", EwsError("ErrorItemNotFound"))])
    )
