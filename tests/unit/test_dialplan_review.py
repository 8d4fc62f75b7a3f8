"""What is doubtful in a dial plan is found before anybody stands in front of a screen without Join."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from otd.dialplan import dial, plan, read_rules
from otd.dialplan.review import Finding, review
from otd.dialplan.trial import Trial
from otd.model import Dialled, DialString, JoinInfo, Meeting, NoJoin, Person


def found(*tables: dict[str, object], allowed: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    rules, mistakes = read_rules(tables)
    assert mistakes == ()
    return [(one.kind, one.rule, one.other) for one in review(plan(rules, ("example.com",), allowed))]


def test_the_rules_that_come_with_otd_are_beyond_doubt() -> None:
    assert review(plan()) == ()


TO_OURS = {"name": "ours", "platform": "teams", "template": "{{ meeting_id }}@gw.example.com"}


@pytest.mark.parametrize(
    "later",
    [
        {"name": "later", "platform": "teams", "template": "1{{ meeting_id }}@gw.example.com"},
        {
            "name": "later",
            "platform": "teams",
            "partner": "poly",
            "template": "{{ meeting_id }}.{{ passcode }}@gw.example.com",
        },
        {"name": "later", "platform": "teams", "rooms": ["attic"], "template": "{{ meeting_id }}@gw.example.com"},
        {"name": "later", "platform": "teams", "organiser": "internal", "template": "{{ meeting_id }}@gw.example.com"},
        {
            "name": "later",
            "platform": "teams",
            "source": "join_url",
            "pattern": "x",
            "template": "{{ meeting_id }}@gw.example.com",
        },
    ],
)
def test_a_rule_behind_one_that_fits_everything_it_fits_is_unreachable(later: dict[str, object]) -> None:
    assert ("unreachable", "later", "ours") in found(TO_OURS, later)


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({}, {"template": "{{ thread_id }}@gw.example.com"}),
        ({"rooms": ["attic"]}, {}),
        ({"rooms": ["attic"]}, {"rooms": ["attic", "cellar"]}),
        ({"organiser": "internal"}, {}),
        ({"partner": "poly"}, {}),
        ({"enabled": False}, {}),
        ({"source": "subject", "pattern": "VMR [0-9]+"}, {}),
        ({"template": "{{ meeting_id }}.{{ passcode }}@gw.example.com"}, {}),
        ({}, {"source": "join_url", "pattern": "(?P<meeting_id>[0-9]+)"}),
        ({}, {"platform": "webex"}),
    ],
)
def test_a_rule_that_may_get_its_turn_is_not_called_unreachable(
    first: dict[str, object], later: dict[str, object]
) -> None:
    kinds = found({**TO_OURS, **first}, {**TO_OURS, "name": "later", **later})

    assert not [one for one in kinds if one[0] == "unreachable" and one[1] == "later"]


TABLES = st.fixed_dictionaries(
    {
        "template": st.sampled_from(
            (
                "{{ meeting_id }}@gw.example.com",
                "{{ meeting_id }}.{{ passcode }}@gw.example.com",
                "{{ meeting_id | default(vtc_id) }}@gw.example.com",
                "{{ vtc_id }}{% if passcode %}.{{ passcode }}{% endif %}@gw.example.com",
            )
        )
    },
    optional={
        "platform": st.sampled_from(("teams", "zoom", ["teams", "zoom"])),
        "partner": st.sampled_from(("poly", "webex")),
        "organiser": st.sampled_from(("internal", "external")),
        "rooms": st.sampled_from((["attic"], ["attic", "cellar"])),
        "include_passcode": st.booleans(),
        "source": st.sampled_from(("join_url", "subject", "meeting_id")),
        "pattern": st.sampled_from(("1", "(?P<meeting_id>[0-9]+)", "(?P<vtc_id>2)")),
    },
)
IDS = (
    {},
    {"meeting_id": "1"},
    {"vtc_id": "2"},
    {"meeting_id": "1", "passcode": "3"},
    {"meeting_id": "1", "vtc_id": "2"},
)
JOINS = [
    NoJoin(reason="no_link"),
    *(
        JoinInfo(platform=platform, partner=partner, ids=tuple(sorted(ids.items())), join_url=url)
        for platform, partner, ids, url in product(
            ("teams", "zoom", "webex"), ("", "poly", "webex"), IDS, ("", "https://1")
        )
    ),
]
T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
MEETINGS = [
    Meeting(
        id="m1",
        uid="u1",
        start=T0,
        end=T0 + timedelta(hours=1),
        subject=subject,
        organizer=Person(address=f"ida@{host}"),
    )
    for subject, host in product(("", "1 and 2"), ("example.com", "fabrikam.example"))
]


@settings(max_examples=50, deadline=None)
@given(st.lists(TABLES, min_size=2, max_size=3))
def test_a_rule_that_is_called_unreachable_dials_nothing_whatever_comes(tables: list[dict[str, object]]) -> None:
    rules, mistakes = read_rules([{"name": f"rule{n}", **table} for n, table in enumerate(tables)])
    assume(mistakes == ())
    ours = plan(rules, ("example.com",))
    dead = {one.rule for one in review(ours) if one.kind == "unreachable" and one.other}

    if dead:
        for join, meeting, room in product(JOINS, MEETINGS, ("attic", "cellar", "")):
            assert dial(join, meeting, ours, room=room).rule not in dead


def test_a_site_rule_that_shuts_out_one_of_ours_is_named() -> None:
    assert found({"name": "zoom-h323", "enabled": True}) == [("unreachable", "zoom", "zoom-h323")]
    assert found({"name": "zoom-h323", "enabled": True, "rooms": "attic"}) == []


def test_an_offer_without_its_gateway_never_dials() -> None:
    assert ("unreachable", "teams-join-by-id", "") in found({"name": "teams-join-by-id", "enabled": True})
    assert found({"name": "teams-join-by-id", "enabled": True, "gateway": "gw.example.com"}) == []


NO_PASSCODE = {**TO_OURS, "template": "{{ meeting_id }}.{{ passcode }}@gw.example.com", "include_passcode": False}


def test_a_rule_that_writes_the_passcode_and_leaves_it_out_never_dials() -> None:
    assert ("unreachable", "ours", "") in found(NO_PASSCODE)
    assert found({**NO_PASSCODE, "template": "{{ meeting_id }}{% if passcode %}.{% endif %}@gw.example.com"}) == []


def test_a_rule_that_never_dials_shuts_out_no_other() -> None:
    later = {**NO_PASSCODE, "name": "later", "include_passcode": True}

    assert ("unreachable", "later", "ours") not in found(NO_PASSCODE, later)


@pytest.mark.parametrize("table", [{"platform": "team"}, {"platform": ["teams", "skpe"]}, {"partner": "polycom"}])
def test_a_misspelt_platform_or_partner_is_found(table: dict[str, object]) -> None:
    assert "unknown" in [one[0] for one in found({**TO_OURS, **table})]


def test_two_rules_of_the_site_that_may_fit_one_meeting_are_told() -> None:
    other = {**TO_OURS, "name": "later", "template": "{{ thread_id }}@gw.example.com"}

    assert found(TO_OURS, other) == [("overlapping", "later", "ours")]
    assert found({**TO_OURS, "organiser": "internal"}, {**TO_OURS, "name": "later", "organiser": "external"}) == []
    assert found({**TO_OURS, "rooms": ["attic"]}, {**TO_OURS, "name": "later", "rooms": ["cellar"]}) == []


@pytest.mark.parametrize(
    ("pattern", "broad"),
    [
        (r"[\w.]+@[\w.]+", True),
        (r"\S+@example\.com", True),
        (r"[0-9]+", True),
        (r".*", True),
        (r"VMR\s*[0-9]{4}", False),
        (r"[0-9]{4,6}@vmr\.example\.com", False),
    ],
)
def test_a_pattern_that_takes_everyday_text_for_a_meeting_is_too_broad(pattern: str, broad: bool) -> None:
    kinds = found({"name": "x", "platform": "teams", "source": "body", "pattern": pattern})

    assert (("broad", "x", "") in kinds) is broad


def test_a_pattern_over_any_link_is_too_broad_unless_the_platform_is_known() -> None:
    table = {"name": "x", "source": "join_url", "pattern": r"https://[^/]+/(\w+)", "replacement": r"\1@gw.example.com"}

    assert ("broad", "x", "") in found(table)
    assert found({**table, "platform": "jitsi"}) == []


def test_a_rule_for_every_platform_before_ours_is_too_broad() -> None:
    table = {"name": "x", "template": "{{ meeting_id }}@gw.example.com"}

    assert ("broad", "x", "") in found(table)
    assert ("broad", "x", "") not in found({**table, "last": True})
    assert ("broad", "x", "") not in found({**table, "rooms": ["attic"]})


def test_a_bare_number_that_the_invitation_chooses_is_too_broad() -> None:
    table = {"name": "x", "platform": "skype", "bare": True}

    assert ("broad", "x", "") in found({**table, "template": "{{ number }}"})
    assert ("broad", "x", "") not in found({**table, "template": "21{{ number }}"})


def test_a_rule_to_a_domain_that_may_not_be_dialled_is_found() -> None:
    table = {"name": "x", "platform": "teams", "template": "{{ meeting_id }}@gw.example.net"}

    assert ("not_allowed", "x", "") in found(table)
    assert found(table, allowed=("example.net",)) == []


def test_a_domain_that_everybody_can_have_is_too_broad() -> None:
    assert found(allowed=("co.uk",)) == [("broad", "", "")]
    assert found(allowed=("acme.co.uk", "example.com")) == []


def test_every_finding_says_what_to_do() -> None:
    rules, _ = read_rules([{**TO_OURS, "platform": "team"}, {"name": "y", "template": "{{ number }}", "bare": True}])
    findings = review(plan(rules))

    assert findings
    assert all(isinstance(one, Finding) and one.why and one.mend for one in findings)


# --- what a change does ---

A, B = (Dialled(dial=DialString(protocol="sip", uri=f"{user}@example.com")) for user in "ab")
NONE = Dialled(dial=None, reason="no_rule")
SHUT = Dialled(dial=DialString(protocol="sip", uri="a@evil.example"), allowed=False, reason="domain_not_allowed")


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        (A, A, "same"),
        (NONE, SHUT, "same"),
        (NONE, A, "gain"),
        (SHUT, A, "gain"),
        (A, NONE, "lose"),
        (A, SHUT, "lose"),
        (A, B, "change"),
    ],
)
def test_a_trial_counts_what_could_be_dialled(before: Dialled, after: Dialled, effect: str) -> None:
    assert Trial(before=before, after=after).effect == effect
