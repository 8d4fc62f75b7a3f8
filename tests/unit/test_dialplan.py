"""What the rules that come with OTD dial, and what a site's own rules change about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.dialplan import DialPlan, Rule, builtin, dial, for_site, plan, read_rules, shipped, tries
from otd.dialplan.strings import host_of
from otd.invites.reasons import REASONS
from otd.invites.site import Site
from otd.model import Dialled, JoinInfo, Meeting, NoJoin, Person

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
MEETING = Meeting(id="m1", uid="u1", start=T0, end=T0 + timedelta(hours=1))
OURS = plan(own_domains=("example.com",))


def a_join(
    platform: str, partner: str = "", *, sip: str = "", h323: str = "", reason: str = "", **ids: str
) -> JoinInfo:
    url = ids.pop("join_url", "")
    return JoinInfo(
        platform=platform,
        partner=partner,
        ids=tuple(sorted(ids.items())),
        sip=sip,
        h323=h323,
        reason=reason,
        join_url=url,
    )


def a_plan(
    *tables: dict[str, object], own: tuple[str, ...] = ("example.com",), allowed: tuple[str, ...] = ()
) -> DialPlan:
    rules, mistakes = read_rules(tables)
    assert mistakes == ()
    return plan(rules, own, allowed)


def uri(dialled: Dialled) -> str:
    assert dialled.dial is not None, dialled
    return f"{dialled.dial.protocol}:{dialled.dial.uri}"


POLY = a_join("teams", "poly", tenant_key="220011223", vtc_id="1122334455", domain="t.plcm.vc")
TEAMS = a_join("teams", reason="link_only", meeting_id="212345678901", passcode="aB3dE6")
SKYPE = a_join("skype", conference_id="A1B2C3D4", user="ann", domain="example.com", number="12345", reason="link_only")
BUILT_IN = [
    (POLY, "sip:220011223.1122334455@t.plcm.vc", "teams-poly"),
    (
        a_join("teams", "webex", tenant_key="acme", vtc_id="012345678", domain="m.webex.com"),
        "sip:012345678.acme@m.webex.com",
        "teams-webex",
    ),
    (
        a_join("teams", "pexip-service", tenant_key="teams", vtc_id="1122334455", domain="acme.onpexip.com"),
        "sip:1122334455@acme.onpexip.com",
        "teams-pexip-service",
    ),
    (
        a_join("teams", "pexip-infinity", prefix="55", vtc_id="1122334455", domain="video.example.com", ip="192.0.2.7"),
        "sip:551122334455@video.example.com",
        "teams-pexip-infinity",
    ),
    (
        a_join("teams", "bluejeans", tenant_key="88", vtc_id="112233445", domain="teams.bjn.vc"),
        "sip:88.112233445@teams.bjn.vc",
        "teams-bluejeans",
    ),
    (
        a_join("teams", tenant_key="join", vtc_id="9988776655", domain="vc.example.com"),
        "sip:join@vc.example.com",
        "teams-ivr",
    ),
    (a_join("teams", address="join@vc.example.com"), "sip:join@vc.example.com", "teams-ivr-address"),
    (
        a_join("skype", "poly", tenant_key="77", vtc_id="012345678", domain="v.plcm.vc"),
        "sip:77.012345678@v.plcm.vc",
        "skype-poly",
    ),
    (a_join("zoom", meeting_id="91234567890", passcode="012345"), "sip:91234567890.012345@zoomcrc.com", "zoom"),
    (a_join("zoom", meeting_id="91234567890"), "sip:91234567890@zoomcrc.com", "zoom"),
    (
        a_join("zoom", sip="91234567890.77@eu.zoomcrc.com", meeting_id="91234567890"),
        "sip:91234567890.77@eu.zoomcrc.com",
        "zoom-stated",
    ),
    (
        a_join("zoom", sip="91234567890@zoomcrc.com", meeting_id="91234567890", passcode="123456"),
        "sip:91234567890.123456@zoomcrc.com",
        "zoom-stated",
    ),
    (a_join("webex", number="25123456789", site="acme.webex.com"), "sip:25123456789@acme.webex.com", "webex-number"),
    (a_join("webex", user="ann.ex", site="acme.webex.com"), "sip:ann.ex@acme.webex.com", "webex-personal-room"),
    (a_join("webex", sip="25123456789@acme.webex.com"), "sip:25123456789@acme.webex.com", "webex-stated"),
    (a_join("webex", sip="ann.ex.acme@lync.webex.com"), "sip:ann.ex@acme.webex.com", "webex-lync"),
    (
        a_join("meet", pin="1234567890123", domain="meet.example.com"),
        "sip:1234567890123@meet.example.com",
        "meet-gateway",
    ),
    (a_join("goto", meeting_id="123456789"), "sip:123456789@67.217.95.2", "goto"),
    (a_join("bluejeans", meeting_id="123456789", passcode="4321"), "sip:123456789.4321@bjn.vc", "bluejeans"),
    (a_join("lifesize", meeting_id="1234567"), "sip:1234567@sip.lifesizecloud.com", "lifesize"),
    (a_join("starleaf", meeting_id="123456789", domain="acme.call.sl"), "sip:123456789@acme.call.sl", "starleaf"),
    (a_join("cms", sip="123456@cms.example.com"), "sip:123456@cms.example.com", "cms-stated"),
    (a_join("cms", meeting_id="123456", domain="cms.example.com"), "sip:123456@cms.example.com", "cms"),
    (a_join("pexip", alias="ann", domain="vc.example.com"), "sip:ann@vc.example.com", "pexip"),
    (a_join("pexip", alias="ann@vc.example.com", domain="vc.example.com"), "sip:ann@vc.example.com", "pexip"),
    (a_join("chime", meeting_id="1234567890"), "sip:1234567890@meet.chime.in", "chime"),
    (a_join("sip", sip="sip:boardroom@VC.example.com;transport=tls"), "sip:boardroom@vc.example.com", "stated-sip"),
    (a_join("sip", h323="h323:vc.example.com##1234"), "h323:vc.example.com##1234", "stated-h323"),
]


@pytest.mark.parametrize(
    ("join", "expected", "rule"), BUILT_IN, ids=[f"{case[2]}-{i}" for i, case in enumerate(BUILT_IN)]
)
def test_every_platform_is_dialled_in_its_own_form(join: JoinInfo, expected: str, rule: str) -> None:
    found = dial(join, MEETING, OURS)

    assert (uri(found), found.rule, found.reason, found.allowed) == (expected, rule, "", True)


OFFERS = [
    ({"name": "teams-guest-join", "gateway": "guest.example.net"}, TEAMS, "sip:212345678901.aB3dE6@guest.example.net"),
    (
        {"name": "teams-guest-join", "gateway": "guest.example.net", "company": "c-77"},
        TEAMS,
        "sip:212345678901.aB3dE6.c-77@guest.example.net",
    ),
    ({"name": "teams-join-by-id", "gateway": "gw.example.com"}, TEAMS, "sip:212345678901@gw.example.com"),
    ({"name": "skype-pexip"}, SKYPE, "sip:S4B.A1B2C3D4.ann@example.com"),
    ({"name": "skype-videxio"}, SKYPE, "sip:__sfb__.A1B2C3D4.ann@example.com"),
    (
        {"name": "skype-cms", "gateway": "cms.example.com"},
        SKYPE._replace(join_url="https://meet.example.com/ann/A1B2C3D4?sl=1"),
        "sip:https://meet.example.com/ann/A1B2C3D4@cms.example.com",
    ),
    ({"name": "skype-realconnect-onprem", "gateway": "dma.example.com"}, SKYPE, "sip:12345@dma.example.com"),
    ({"name": "skype-realconnect-onprem-alias"}, SKYPE, "h323:12345"),
    (
        {"name": "zoom-h323"},
        a_join("zoom", meeting_id="91234567890", passcode="1"),
        "h323:162.255.37.11##91234567890#1",
    ),
    (
        {"name": "webex-h323"},
        a_join("webex", number="25123456789", site="acme.webex.com"),
        "h323:173.243.2.68##25123456789",
    ),
    (
        {"name": "teams-pexip-infinity-h323"},
        a_join("teams", "pexip-infinity", vtc_id="1122334455", domain="vc.example.com", ip="67.217.95.2"),
        "h323:67.217.95.2##1122334455",
    ),
]


@pytest.mark.parametrize(("table", "join", "expected"), OFFERS, ids=[str(case[0]["name"]) for case in OFFERS])
def test_an_offer_dials_once_the_site_has_switched_it_on(
    table: dict[str, object], join: JoinInfo, expected: str
) -> None:
    assert dial(join, MEETING, OURS).rule != table["name"]

    found = dial(join, MEETING, a_plan({**table, "enabled": True}))

    assert (uri(found), found.rule, found.allowed) == (expected, table["name"], True)


def test_every_rule_that_comes_with_otd_is_tried_here_and_explains_itself() -> None:
    tested = {case[2] for case in BUILT_IN} | {case[0]["name"] for case in OFFERS}

    assert {rule.name for rule in builtin()} - tested == {"goto-stated", "pexip-stated"}
    assert all(rule.note.endswith(".") for rule in builtin())
    assert shipped().version >= 1
    assert len({rule.name for rule in builtin()}) == len(builtin())


@pytest.mark.parametrize("platform", ["goto", "pexip"])
def test_an_address_that_the_invitation_states_goes_before_one_that_is_made_up(platform: str) -> None:
    join = a_join(platform, sip="77@vc.example.com", meeting_id="123456789", alias="77", domain="vc.example.com")

    assert (uri(dial(join, MEETING, OURS)), dial(join, MEETING, OURS).rule) == (
        "sip:77@vc.example.com",
        f"{platform}-stated",
    )


# --- why there is no dial string ---


def test_a_teams_link_alone_gives_no_dial_string() -> None:
    assert dial(TEAMS, MEETING, OURS) == Dialled(dial=None, reason="link_only")


def test_a_meeting_without_a_word_about_joining_keeps_its_reason() -> None:
    assert dial(NoJoin(reason="body_stripped"), MEETING, OURS) == Dialled(dial=None, reason="body_stripped")


@pytest.mark.parametrize("reason", ["id_redacted", "ambiguous"])
def test_what_is_not_known_to_be_right_is_not_dialled_by_any_rule(reason: str) -> None:
    catch_all = {"name": "all", "template": "{{ tenant_key }}@example.com"}

    assert dial(POLY._replace(reason=reason), MEETING, a_plan(catch_all)) == Dialled(dial=None, reason=reason)


def test_a_gateway_that_lacks_only_the_passcode_says_so() -> None:
    switched_on = a_plan({"name": "teams-guest-join", "enabled": True, "gateway": "gw.example.com"})

    found = dial(a_join("teams", meeting_id="212345678901", reason="link_only"), MEETING, switched_on)

    assert found == Dialled(dial=None, rule="teams-guest-join", reason="passcode_missing")


def test_a_rule_that_the_site_switched_off_is_named() -> None:
    found = dial(
        POLY, MEETING, a_plan({"name": "teams-poly", "enabled": False}, {"name": "teams-ivr", "enabled": False})
    )

    assert found == Dialled(dial=None, rule="teams-poly", reason="rule_disabled")


def test_a_disabled_rule_is_not_blamed_when_it_could_not_have_dialled() -> None:
    found = dial(TEAMS, MEETING, a_plan({"name": "teams-poly", "enabled": False}))

    assert found.reason == "link_only"


def test_a_platform_without_a_rule_says_so() -> None:
    assert dial(a_join("jitsi", meeting_id="standup"), MEETING, OURS).reason == "no_rule"


@pytest.mark.parametrize("user", ["+4400112233", "a b", "a/b", 'a"b', "", "møte"])
def test_what_is_not_surely_a_dial_string_is_not_dialled(user: str) -> None:
    found = dial(a_join("sip", sip=f"{user}@vc.example.com"), MEETING, OURS)

    assert found.dial is None
    assert found.reason == "dial_invalid"


def test_every_reason_that_a_dial_plan_gives_is_on_the_list() -> None:
    assert {"link_only", "no_rule", "passcode_missing", "rule_disabled", "dial_invalid", "domain_not_allowed"} <= set(
        REASONS
    )


# --- where a dial string may lead ---


@pytest.mark.parametrize(
    "host", ["evil.example", "plcm.vc.evil.example", "xplcm.vc", "notexample.com", "127.0.0.1", "169.254.169.254"]
)
def test_a_dial_string_to_a_foreign_domain_is_shown_but_not_allowed(host: str) -> None:
    found = dial(a_join("sip", sip=f"room@{host}"), MEETING, OURS)

    assert (uri(found), found.allowed, found.reason) == (f"sip:room@{host}", False, "domain_not_allowed")


@pytest.mark.parametrize(
    "host", ["example.com", "vc.example.com", "t.plcm.vc", "partner.example.org", "a.b.partner.example.org"]
)
def test_the_sites_own_the_partners_and_the_allowed_domains_are_open(host: str) -> None:
    found = dial(a_join("sip", sip=f"room@{host}"), MEETING, a_plan(allowed=("*.Partner.example.org.",)))

    assert found.allowed


def test_an_internal_organiser_opens_nothing() -> None:
    meeting = replace(MEETING, organizer=Person(address="ann@example.com"), is_organizer=True)

    assert not dial(a_join("sip", sip="room@evil.example"), meeting, OURS).allowed


def test_a_top_level_domain_opens_nothing() -> None:
    assert not dial(a_join("sip", sip="room@evil.example"), MEETING, plan((), (), ("example", "*"))).allowed


def test_a_number_without_a_host_is_dialled_only_by_a_rule_that_says_so() -> None:
    hostile = a_join("skype", number="0900123456")

    assert dial(hostile, MEETING, a_plan({"name": "x", "template": "{{ number }}"})).reason == "dial_invalid"
    assert (
        uri(dial(hostile, MEETING, a_plan({"name": "x", "template": "21{{ number }}", "bare": True})))
        == "sip:210900123456"
    )


def test_a_gateway_that_a_rule_names_is_open_to_that_rule_only() -> None:
    site = a_plan({"name": "teams-join-by-id", "enabled": True, "gateway": "gw.provider.example"})

    assert dial(TEAMS, MEETING, site).allowed
    assert not dial(a_join("sip", sip="0900@gw.provider.example"), MEETING, site).allowed


# --- a site's own rules ---


def test_the_first_rule_that_fits_wins() -> None:
    site = a_plan(
        {"name": "one", "platform": "teams", "template": "1{{ vtc_id }}@example.com"},
        {"name": "two", "platform": "teams", "template": "2{{ vtc_id }}@example.com"},
    )

    assert dial(POLY, MEETING, site).rule == "one"


def test_a_rule_marked_last_comes_after_the_built_in_ones() -> None:
    table = {"name": "x", "template": "x@example.com", "last": True}

    assert dial(POLY, MEETING, a_plan(table)).rule == "teams-poly"
    assert dial(a_join("jitsi"), MEETING, a_plan(table)).rule == "x"


def test_changing_a_built_in_rule_leaves_the_rest_of_it_and_its_place_alone() -> None:
    site = a_plan({"name": "teams-poly", "template": "9.{{ tenant_key }}.{{ vtc_id }}@{{ domain }}"})

    assert [rule.name for rule in site.rules] == [rule.name for rule in builtin()]
    assert uri(dial(POLY, MEETING, site)) == "sip:9.220011223.1122334455@t.plcm.vc"
    assert dial(POLY._replace(platform="skype"), MEETING, site).rule == "skype-poly"


@pytest.mark.parametrize(
    ("address", "organiser", "fits"),
    [
        ("ann@example.com", "internal", True),
        ("ann@eu.example.com", "internal", True),
        ("ann@elsewhere.example", "internal", False),
        ("", "internal", False),
        ("ann@example.com", "external", False),
        ("ann@elsewhere.example", "external", True),
        ("", "external", True),
    ],
)
def test_a_rule_can_ask_who_invited(address: str, organiser: str, fits: bool) -> None:
    site = a_plan({"name": "x", "organiser": organiser, "template": "x@example.com"})
    meeting = replace(MEETING, organizer=Person(address=address))

    assert (dial(a_join("jitsi"), meeting, site).rule == "x") is fits


def test_a_rule_can_be_for_some_rooms_and_endpoints() -> None:
    site = a_plan({"name": "zoom-h323", "enabled": True, "rooms": ["attic"], "endpoints": "old-codec"})
    join = a_join("zoom", meeting_id="91234567890")

    assert dial(join, MEETING, site, room="attic", endpoint="old-codec").rule == "zoom-h323"
    assert dial(join, MEETING, site, room="attic", endpoint="new-codec").rule == "zoom"
    assert dial(join, MEETING, site).rule == "zoom"


def test_a_rule_can_leave_the_passcode_out() -> None:
    join = a_join("zoom", sip="91234567890.77@zoomcrc.com", meeting_id="91234567890", passcode="77")
    site = a_plan({"name": "zoom-stated", "include_passcode": False})

    assert uri(dial(join, MEETING, site)) == "sip:91234567890@zoomcrc.com"


def test_a_pattern_with_a_replacement_gives_the_dial_string() -> None:
    site = a_plan(
        {
            "name": "x",
            "source": "join_url",
            "pattern": r"https://jitsi\.example\.com/(\w+)",
            "replacement": r"\1@example.com",
        }
    )

    assert (
        uri(dial(a_join("jitsi", join_url="https://jitsi.example.com/standup"), MEETING, site))
        == "sip:standup@example.com"
    )
    assert dial(a_join("jitsi", join_url="https://jitsi.example.net/standup"), MEETING, site).reason == "no_rule"


def test_the_groups_of_a_pattern_are_variables() -> None:
    site = a_plan(
        {
            "name": "x",
            "source": "join_url",
            "pattern": r"/(?P<room>\w+)/(\d+)?",
            "template": "{{ room }}{{ m2 | default('0') }}@example.com",
        }
    )

    assert (
        uri(dial(a_join("jitsi", join_url="https://j.example.com/standup/"), MEETING, site))
        == "sip:standup0@example.com"
    )


@pytest.mark.parametrize("source", ["subject", "location", "body"])
def test_a_pattern_finds_what_no_reader_knows_in_the_meetings_own_words(source: str) -> None:
    site = a_plan({"name": "vmr", "source": source, "pattern": r"VMR\s+(\d{4})", "replacement": r"\1@vmr.example.com"})
    meeting = replace(MEETING, **{source: "see you in VMR 4711"})

    assert uri(dial(NoJoin(reason="no_link"), meeting, site)) == "sip:4711@vmr.example.com"
    assert dial(NoJoin(reason="no_link"), MEETING, site).reason == "no_link"


@pytest.mark.parametrize(
    "body",
    [
        "<p>Join <b>VMR</b>&nbsp;<span>47</span><span>11</span></p>",
        '<a href="https://vc.example.com/vmr/4711">here</a>',
        '<a href="https://emea01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fvc.example.com%2Fvmr%2F4711&amp;data=x">x</a>',
    ],
)
def test_a_pattern_over_a_body_sees_its_text_and_its_links_not_its_markup(body: str) -> None:
    site = a_plan(
        {"name": "x", "source": "body", "pattern": r"(?i)VMR[ /](\d{4})", "replacement": r"\1@vmr.example.com"}
    )

    assert (
        uri(dial(NoJoin(reason="no_link"), replace(MEETING, body=body, body_type="html"), site))
        == "sip:4711@vmr.example.com"
    )


def test_a_cancelled_meeting_is_not_dialled_by_any_rule() -> None:
    site = a_plan({"name": "x", "source": "subject", "pattern": "VMR", "replacement": "x@example.com"})

    assert dial(NoJoin(reason="cancelled"), replace(MEETING, subject="VMR"), site).reason == "cancelled"


def test_whatever_a_site_names_in_its_settings_may_be_dialled() -> None:
    site = Site(
        own_domains=("example.com",),
        allowed_domains=("allowed.example",),
        partner_domains=(("teams.partner.example", "poly"),),
        cms_hosts=(("join.example.net", "cms.example.net"),),
        meet_domain="meet.example.org",
    )
    hosts = [
        "x.example.com",
        "allowed.example",
        "teams.partner.example",
        "cms.example.net",
        "meet.example.org",
        "join.example.net",
    ]

    found = [dial(a_join("sip", sip=f"a@{host}"), MEETING, for_site((), site)).allowed for host in hosts]

    assert found == [True] * 5 + [False]


def test_a_catastrophic_pattern_takes_no_longer_than_a_simple_one() -> None:
    site = a_plan(
        {"name": "x", "source": "body", "pattern": r"^(a+)+$|(a|aa)+b|(.*)*x", "replacement": "x@example.com"}
    )

    assert dial(NoJoin(reason="no_link"), replace(MEETING, body="a" * 200_000 + "!"), site).reason == "no_link"


def test_every_rule_that_fits_can_be_asked_for() -> None:
    site = a_plan({"name": "x", "platform": "teams", "template": "{{ vtc_id }}@example.com"})

    assert [found.rule for found in tries(POLY, MEETING, site)] == ["x", "teams-poly", "teams-ivr"]


# --- whatever stands in an invitation ---

ANY_TEXT = st.text(max_size=60) | st.from_regex(r"[a-zA-Z0-9.+@#;:/_-]{0,140}", fullmatch=True)


@given(
    platform=st.sampled_from(["teams", "skype", "zoom", "webex", "meet", "goto", "cms", "pexip", "sip"]),
    partner=st.sampled_from(["", "poly", "webex", "pexip-service", "pexip-infinity"]),
    ids=st.dictionaries(
        st.sampled_from(
            ["tenant_key", "vtc_id", "domain", "meeting_id", "passcode", "number", "site", "user", "alias"]
        ),
        ANY_TEXT,
    ),
    sip=ANY_TEXT,
    h323=ANY_TEXT,
)
def test_no_invitation_makes_a_wrong_form_or_leads_astray(
    platform: str, partner: str, ids: dict[str, str], sip: str, h323: str
) -> None:
    found = dial(a_join(platform, partner, sip=sip, h323=h323, **ids), MEETING, OURS)

    if found.dial is None:
        assert found.reason in REASONS
        return
    host = host_of(found.dial.uri, found.dial.protocol)
    assert host
    assert len(found.dial.uri) <= 128
    assert found.dial.uri.isascii()
    assert found.dial.uri.count("@") <= 1
    known = [domain for _, listed in OURS.partners for domain in listed] + ["example.com"]
    assert found.allowed == any(host == one or host.endswith("." + one) for one in known)


def test_a_rule_written_by_hand_with_a_broken_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="missing"):
        plan([Rule(name="x", source="body", pattern="(", template="x@example.com")])
