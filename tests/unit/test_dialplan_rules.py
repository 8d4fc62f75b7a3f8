"""Rules as a person writes them: what is taken, what is refused and in which words."""

from __future__ import annotations

import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.dialplan import Mistake, builtin, plan, read_rules, read_ruleset
from otd.dialplan.strings import bare, domain, host_of, within
from otd.dialplan.templates import Template
from otd.model import Protocol

NAMES = frozenset({"a", "b", "meeting_id", "passcode", "alias"})


def mistakes(text: str) -> list[tuple[str, str, str]]:
    rules, found = read_rules(tomllib.loads(text).get("rules", []))
    assert rules == ()
    return [(one.key, one.why, one.mend) for one in found]


def test_a_rule_is_read_with_all_that_it_says() -> None:
    text = """
        [[rules]]
        name = "vmr"
        platform = "teams"
        partner = ["poly", "webex"]
        organiser = "internal"
        rooms = ["attic"]
        source = "subject"
        pattern = 'VMR (\\d+)'
        replacement = '\\1'
        template = "{{ value }}@example.com"
        protocol = "h323"
        include_passcode = false
        note = "Our own rooms."
    """
    (rule,), found = read_rules(tomllib.loads(text)["rules"])

    assert found == ()
    assert (rule.platform, rule.partner, rule.rooms, rule.endpoints) == (("teams",), ("poly", "webex"), ("attic",), ())
    assert (rule.organiser, rule.protocol, rule.include_passcode, rule.enabled) == ("internal", "h323", False, True)
    assert rule.origin == "site"


def test_a_rule_with_only_a_built_in_name_and_a_switch_is_whole() -> None:
    (rule,), found = read_rules([{"name": "teams-poly", "enabled": False}])

    assert found == ()
    assert rule.template == next(one.template for one in builtin() if one.name == "teams-poly")


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ('[[rules]]\nname = "x"', "[0].template", "nothing to dial"),
        ('[[rules]]\ntemplate = "x@example.com"', "[0].name", "name"),
        ('[[rules]]\nname = "x"\ntemplat = "x@example.com"', "[0].templat", "no such key"),
        ('[[rules]]\nname = "x"\ntemplate = "{{ meting_id }}@example.com"', "[0].template", "meeting_id"),
        ('[[rules]]\nname = "x"\ntemplate = "{{ meeting_id"', "[0].template", "end of"),
        ('[[rules]]\nname = "x"\ntemplate = "{% for i in room %}1{% endfor %}"', "[0].template", "for is not allowed"),
        ('[[rules]]\nname = "x"\ntemplate = "{{ \'a\' * 9 }}"', "[0].template", "mul is not allowed"),
        ('[[rules]]\nname = "x"\ntemplate = "{{ room.__class__ }}"', "[0].template", "getattr is not allowed"),
        ('[[rules]]\nname = "x"\ntemplate = "{{ room() }}"', "[0].template", "call is not allowed"),
        ('[[rules]]\nname = "x"\ntemplate = "{{ room | list }}"', "[0].template", "no filter"),
        ('[[rules]]\nname = "x"\nsource = "body"\npattern = "("', "[0].pattern", "missing )"),
        ('[[rules]]\nname = "x"\nsource = "body"\npattern = "(?=a)"', "[0].pattern", "invalid perl operator"),
        ('[[rules]]\nname = "x"\nsource = "body"\npattern = "(a)"\nreplacement = "\\\\2"', "[0].pattern", "group 2"),
        ('[[rules]]\nname = "x"\nsource = "body"\npattern = "(a)"\nreplacement = "\\\\g<x>"', "[0].pattern", "'x'"),
        ('[[rules]]\nname = "x"\npattern = "a"', "[0].source", "looks at nothing"),
        ('[[rules]]\nname = "x"\nsource = "body"\ntemplate = "x@example.com"', "[0].pattern", "needs a pattern"),
        ('[[rules]]\nname = "x"\nsource = "boddy"\npattern = "a"', "[0].source", "not one of"),
        ('[[rules]]\nname = "x"\norganiser = "me"\ntemplate = "x@example.com"', "[0].organiser", "internal"),
        ('[[rules]]\nname = "x"\nprotocol = "SIP"\ntemplate = "x@example.com"', "[0].protocol", "sip"),
        ('[[rules]]\nname = "x"\nenabled = "no"\ntemplate = "x@example.com"', "[0].enabled", "true or false"),
        ('[[rules]]\nname = "x"\nrooms = [1]\ntemplate = "x@example.com"', "[0].rooms", "list of texts"),
        ('[[rules]]\nname = "x"\nname2 = 1\ntemplate = 5', "[0].template", "a text"),
        ('[[rules]]\nname = "teams-guest-join"\ngateway = "com"', "[0].gateway", "domain"),
    ],
)
def test_a_mistake_is_reported_with_its_place(text: str, key: str, word: str) -> None:
    found = mistakes(text)

    assert key in [one[0] for one in found]
    assert any(word in " ".join(one) for one in found if one[0] == key), found


def test_every_mistake_is_reported_at_once_and_the_good_rules_remain() -> None:
    rules, found = read_rules(
        [
            {"name": "good", "template": "a@example.com"},
            {"name": "bad", "template": "{{", "protcol": "sip"},
            {"name": "good", "template": "b@example.com"},
            {"name": "worse", "source": "body", "pattern": "["},
        ]
    )

    assert [rule.name for rule in rules] == ["good"]
    assert [one.key for one in found] == ["[1].protcol", "[2].name", "[3].pattern"]
    assert found[0].mend == "did you mean 'protocol'?"


def test_what_is_not_a_table_is_a_mistake_too() -> None:
    assert read_rules(["x"])[1][0].why == "not a table"  # type: ignore[list-item]


def test_a_newer_rule_set_replaces_the_one_that_came_with_otd() -> None:
    text = """
        version = 7
        [partners]
        acme = ["acme.example"]
        [[rules]]
        name = "acme"
        platform = "acme"
        template = "{{ meeting_id }}@acme.example"
    """
    newer, found = read_ruleset(tomllib.loads(text))
    site = plan(read_rules([{"name": "acme", "enabled": False}], newer)[0], base=newer)

    assert found == ()
    assert (newer.version, site.version) == (7, 7)
    assert [(rule.name, rule.enabled, rule.origin) for rule in site.rules] == [("acme", False, "site")]
    assert "acme.example" in site.reach


def test_a_rule_set_with_mistakes_says_where() -> None:
    found = read_ruleset({"partners": {"x": "acme.example"}, "rule": [], "rules": [{"name": "a"}]})[1]

    assert (found[0].key, found[0].mend) == ("rule", "did you mean 'rules'?")
    assert [one.key for one in found] == ["rule", "version", "partners.x", "rules[0].template"]
    assert isinstance(found[0], Mistake)


# --- templates ---


@pytest.mark.parametrize(
    ("source", "values", "expected"),
    [
        ("{{ a }}@x", {"a": "1"}, "1@x"),
        ("{{ a | default(b) }}", {"b": "2"}, "2"),
        ("{{ a or b or '3' }}", {}, "3"),
        ("{% if a %}{{ a }}.{% endif %}{{ b }}", {"b": "2"}, "2"),
        ("{{ a | lower }}{{ b | upper | trim }}", {"a": "X", "b": " y "}, "xY"),
        ("{{ a | digits }}", {"a": "12 34-5"}, "12345"),
        ("{{ a | replace('-', '') }}", {"a": "1-2"}, "12"),
        ("{{ a | before('@') }}.{{ a | after('@') }}", {"a": "x@y"}, "x.y"),
        ("{{ a[:2] }}{{ a[-1:] }}", {"a": "12345"}, "125"),
        ("{{ a ~ '.' ~ b }}", {"a": "1", "b": "2"}, "1.2"),
        ("{{ '1' if a == 'x' else '2' }}", {"a": "x"}, "1"),
        ("{% if '.' in a and not b %}yes{% else %}no{% endif %}", {"a": "x.y"}, "yes"),
        ("  {{ a }}\n", {"a": "1"}, "1"),
        ("{{ a | default(b, 'x') }}.{{ b | default('y') }}", {}, "x.y"),
        ("{{ a | default(b) | default('x') }}", {"b": "2"}, "2"),
        ("{{ a | default('x') | default(b) }}", {"b": "2"}, "x"),
        ("{% if a %}.{{ b | default('z') }}{% endif %}!", {"a": "1"}, ".z!"),
        ("{% if a %}.{{ b }}{% endif %}!", {"b": "2"}, "!"),
        ("{% if a %}{% if b %}x{% endif %}{% endif %}y", {"a": "1"}, "y"),
        ("{% if a %}x{% elif b %}y{% endif %}z", {"b": "2"}, "yz"),
    ],
)
def test_templates_write_what_they_say(source: str, values: dict[str, str], expected: str) -> None:
    assert Template(source, NAMES).render(dict.fromkeys(NAMES, "") | values) == expected


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("{{ a }}.{{ b }}", [{"a"}, {"b"}]),
        ("{{ a | digits }}", [{"a"}]),
        ("{{ a | default(b) }}", [{"a", "b"}]),
        ("{{ a | default(b) | default('x') }}", []),
        ("{{ a or b }}", [{"a", "b"}]),
        ("{{ a ~ b }}", [{"a"}, {"b"}]),
        ("{{ a[1:] }}", [{"a"}]),
        ("{% if a %}{{ b }}{% endif %}", []),
        ("{{ a if b else '' }}", []),
    ],
)
def test_a_template_knows_what_it_cannot_do_without(source: str, needs: list[set[str]]) -> None:
    assert [set(names) for names in Template(source, NAMES).needs] == needs


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'aaaaaaaaaa'" + " | replace('a', 'aaaaaaaaaa')" * 28 + " }}",
        "{{ a" + " | replace('x', a)" * 40 + " }}",
        "{{ a[:2][9] }}",
    ],
)
def test_a_template_that_would_grow_without_end_fails_at_once(source: str) -> None:
    began = time.perf_counter()
    try:
        made = Template(source, NAMES)
    except ValueError:
        pass
    else:
        with pytest.raises(ValueError, match="fails"):
            made.render(dict.fromkeys(NAMES, "") | {"a": "x" * 100})

    assert time.perf_counter() - began < 1


@given(st.text(alphabet="{}%| ()[]'abor.-~:12=<>\n", max_size=200) | st.text(max_size=100))
def test_any_text_is_a_template_or_refused_in_words(source: str) -> None:
    try:
        written = Template(source, NAMES).render(dict.fromkeys(NAMES, "1"))
    except ValueError as error:
        written = str(error)

    assert len(written) < 5000


@pytest.mark.parametrize(
    "source", ["{{ " + "(" * 400 + "a" + ")" * 400 + " }}", "{{ " + "not " * 240 + "a }}", "x" * 1001]
)
def test_a_template_nested_or_long_beyond_reason_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match=r"deep|longer"):
        Template(source, NAMES)


# --- dial strings and domains ---


@pytest.mark.parametrize(
    ("uri", "protocol", "host"),
    [
        ("ann@example.com", "sip", "example.com"),
        ("123.456@t.plcm.vc", "sip", "t.plcm.vc"),
        ("ann@example.com:5061", "sip", "example.com"),
        ("ann@192.0.2.1", "sip", "192.0.2.1"),
        ("192.0.2.1##123", "h323", "192.0.2.1"),
        ("192.0.2.1##123#99##7", "h323", "192.0.2.1"),
        ("vc.example.com", "h323", "vc.example.com"),
        ("192.0.2.1", "h323", "192.0.2.1"),
        ("4711", "sip", ""),
        ("4711", "h323", ""),
        ("192.0.2.1##123", "sip", None),
        ("192.0.2.1", "sip", ""),
        ("sip:ann@example.com", "sip", None),
        ("ann@example.com;transport=tls", "sip", None),
        ("ann@bob@example.com", "sip", None),
        ("ann@localhost", "sip", None),
        ("ann@Example.com", "sip", None),
        ("ann@300.1.1.1", "sip", None),
        ("ann@example.123", "sip", None),
        ("+15550100@example.com", "sip", None),
        ("+15550100", "sip", None),
        ("tel:15550100", "sip", None),
        ("ann@exa_mple.com", "sip", None),
        ("ann@-example.com", "sip", None),
        ("@example.com", "sip", None),
        ("", "sip", None),
        ("ann@example.com\n", "sip", None),
        ("a" * 117 + "@example.com", "sip", None),
        ("https://meet.example.com/ann/A1@cms.example.com", "sip", "cms.example.com"),
        ("https://meet.example.com/ann?x=1@cms.example.com", "sip", None),
        ("http://meet.example.com/ann@cms.example.com", "sip", None),
    ],
)
def test_dial_strings_are_judged_strictly(uri: str, protocol: Protocol, host: str | None) -> None:
    assert host_of(uri, protocol) == host


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("sip:ann@Example.COM", "ann@example.com"),
        ("SIPS:ann@example.com;transport=tls?subject=x", "ann@example.com"),
        (" h323:192.0.2.1##12 ", "192.0.2.1##12"),
        ("h323://vc.example.com", "vc.example.com"),
        ("ann@example.com.", "ann@example.com"),
        ("", ""),
    ],
)
def test_an_address_is_laid_bare(written: str, expected: str) -> None:
    assert bare(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Example.COM", "example.com"),
        ("*.example.com", "example.com"),
        (".example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("com", ""),
        ("*", ""),
        ("192.0.2", ""),
        ("https://example.com", ""),
        ("exa mple.com", ""),
        ("x" * 300 + ".é", ""),
    ],
)
def test_a_domain_is_compared_in_one_form(written: str, expected: str) -> None:
    assert domain(written) == expected


def test_a_domain_stands_for_all_below_it_and_an_address_for_itself() -> None:
    opened = frozenset({"example.com", "192.0.2.1"})

    assert within("a.b.example.com", opened)
    assert not within("badexample.com", opened)
    assert not within("9.192.0.2.1", opened)
