"""Autodiscover, in both forms: plain XML, which video endpoints and old clients use, and SOAP GetUserSettings."""

from __future__ import annotations

from lxml import etree

from otd.quoting import xml_text
from otd.relay.face.served import Served
from otd.relay.face.soap import Fault, child, children, parse, word

PATH = "/EWS/Exchange.asmx"
_RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
_OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
_SOAP = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
_SETTINGS_AT_ONCE, _USERS_AT_ONCE = 200, 100
_SCHEMAS = "Exchange2007, Exchange2007_SP1, Exchange2010, Exchange2010_SP1, Exchange2010_SP2, Exchange2013"


def plain(served: Served, body: bytes, host: str) -> bytes:
    """The answer to a plain XML request: where the room's calendar is, or that the mailbox is not known."""
    try:
        request = child(parse(body), "Request")
    except Fault:
        return _error("600", "Invalid Request")
    if request is None or not (address := word(request, "EMailAddress")):
        return _error("600", "Invalid Request")
    if not served.is_own(address):
        return _error("500", "The e-mail address cannot be found.")
    url = _url(host)
    protocols = "".join(
        f"<Protocol><Type>{kind}</Type><Server>{xml_text(host)}</Server><ASUrl>{url}</ASUrl><EwsUrl>{url}</EwsUrl>"
        "</Protocol>"
        for kind in ("EXCH", "EXPR")
    )
    name = xml_text(served.endpoint.label or served.mailbox)
    return _document(
        f'<Response xmlns="{_OUTLOOK}"><User><DisplayName>{name}</DisplayName>'
        f"<AutoDiscoverSMTPAddress>{xml_text(served.mailbox)}</AutoDiscoverSMTPAddress></User>"
        f"<Account><AccountType>email</AccountType><Action>settings</Action>{protocols}</Account></Response>"
    )


def soap(served: Served, body: bytes, host: str) -> bytes:
    """The answer to GetUserSettings. Raises Fault for anything else."""
    envelope = parse(body)
    asked = child(envelope, "Body")
    message = child(asked, "GetUserSettingsRequestMessage") if asked is not None else None
    request = child(message, "Request") if message is not None else None
    if request is None:
        raise Fault("ErrorInvalidRequest")
    names = [(s.text or "").strip() for s in children(child(request, "RequestedSettings"), "Setting")]
    users = list(children(child(request, "Users"), "User"))[:_USERS_AT_ONCE]
    answers = "".join(_user(served, user, names[:_SETTINGS_AT_ONCE], host) for user in users)
    return _soap_envelope(
        f'<GetUserSettingsResponseMessage xmlns="{_SOAP}"><Response xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        f"<ErrorCode>NoError</ErrorCode><ErrorMessage/><UserResponses>{answers}</UserResponses></Response>"
        "</GetUserSettingsResponseMessage>"
    )


def soap_fault(error: Fault) -> bytes:
    text = xml_text(error.text)
    return _soap_envelope(
        f'<s:Fault><faultcode xmlns:a="{_SOAP}">a:InvalidRequest</faultcode>'
        f'<faultstring xml:lang="en-US">{text}</faultstring></s:Fault>'
    )


def _user(served: Served, user: etree._Element, names: list[str], host: str) -> str:
    if not served.is_own(word(user, "Mailbox")):
        return _user_response("InvalidUser", "The e-mail address cannot be found.", "")
    url = _url(host)
    known = {
        "UserDisplayName": served.endpoint.label or served.mailbox,
        "AutoDiscoverSMTPAddress": served.mailbox,
        "InternalEwsUrl": url,
        "ExternalEwsUrl": url,
        "EwsSupportedSchemas": _SCHEMAS,
        "ExternalEwsVersion": "15.00.0847.032",
        "CasVersion": "15.00.0847.032",
    }
    settings = "".join(
        f'<UserSetting i:type="StringSetting"><Name>{name}</Name><Value>{xml_text(known[name])}</Value></UserSetting>'
        for name in names
        if name in known
    )
    return _user_response("NoError", "No error.", settings)


def _user_response(code: str, text: str, settings: str) -> str:
    return (
        f"<UserResponse><ErrorCode>{code}</ErrorCode><ErrorMessage>{text}</ErrorMessage>"
        f"<RedirectTarget/><UserSettingErrors/><UserSettings>{settings}</UserSettings></UserResponse>"
    )


def _url(host: str) -> str:
    return xml_text(f"https://{host}{PATH}")


def _error(code: str, text: str) -> bytes:
    """Time and id are those of an event log; fixed, so that two relays answer alike."""
    return _document(
        '<Response><Error Time="00:00:00.0000000" Id="0">'
        f"<ErrorCode>{code}</ErrorCode><Message>{text}</Message><DebugData/></Error></Response>"
    )


def _document(inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{_RESPONSE}">{inner}</Autodiscover>'.encode()


def _soap_envelope(inner: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header>'
        f'<a:Action s:mustUnderstand="1">{_SOAP}/Autodiscover/GetUserSettingsResponse</a:Action>'
        f'<h:ServerVersionInfo xmlns:h="{_SOAP}"><h:MajorVersion>15</h:MajorVersion><h:MinorVersion>0</h:MinorVersion>'
        "<h:MajorBuildNumber>847</h:MajorBuildNumber><h:MinorBuildNumber>32</h:MinorBuildNumber>"
        f"<h:Version>Exchange2013_SP1</h:Version></h:ServerVersionInfo></s:Header><s:Body>{inner}</s:Body></s:Envelope>"
    ).encode()
