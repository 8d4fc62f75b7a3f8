"""The two ways from HTML to text, as it stands and by the parser, must agree wherever the first one is taken."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otd.invites import markup
from otd.invites.text import read
from tests.unit.test_invites_golden import CASES

BODIES = sorted({m.body for case in CASES for m in case.meetings() if m.body_type == "html"})
WORDS = st.sampled_from(
    (
        *("one", " two ", "3", "\n", "\t", "&nbsp;", "&amp;", "&lt;", "&#64;", "&eacute", "\u202f", "-", ":", "\x1f"),
        *("<o:p></o:p>", "<br>", "<br/>", "<img alt='x'>", "<!-- c -->", "<!---->", "<!-- <p> > -->", "<a name=x></a>"),
        *(
            '<a href="https://zoom.us/j/1?a=1&amp;b=2">x</a>',
            '<a\nhref="sip:a@b.example">x</a>',
            "<style>p{a:b}</style>",
        ),
    )
)
RUNS_ON = st.sampled_from(("span", "b", "i", "font", "st1:place"))
BLOCKS = st.sampled_from(("p", "div", "li", "h1", "section", "blockquote"))


def inside(tags: st.SearchStrategy[str], content: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda tag, text: f"<{tag} class='x'>{text}</{tag}>", tags, content)


LINES = st.lists(st.recursive(WORDS, lambda content: inside(RUNS_ON, content), max_leaves=4), max_size=6).map("".join)
TREES = st.lists(inside(BLOCKS, LINES) | LINES, max_size=6).map("".join)
ODD = st.sampled_from(
    (
        *(">", '"', "'", "<P>", "<SPAN>", "</", "<!", "<?x>", "<pre>", "</pre>", "<blockquote>", "</blockquote>"),
        *("<script>", "</script>", "<style>", "<textarea>", "<title>", "<a href='x>y'>", '<p title="a>b">', "<3"),
        *("</p>", "</div>", "<!-- ", "-->", "<head>", "</body>", "</html>"),
    )
)


def everything(address: str) -> bool:
    return True


def same(text: str, links: list[str]) -> list[str]:
    """The lines as they are compared: with the links in place, without the white space around them."""
    for number, link in enumerate(links):
        text = text.replace(f"{markup.MARK}{number}{markup.MARK}", f"[{link}]")
    lines = text.replace("\xa0", " ").split("\n")
    return [line for line in (line.strip(" \t\f\r") for line in lines) if line]


def agree(source: str, *, lines: bool = True) -> bool:
    """Whether it was read as it stands; then the parser must have found the same, but for what begins a line."""
    source = source.replace(markup.MARK, " ")
    plain = markup.plain(source, everything)
    if plain is None:
        return False
    ours, theirs = same(*plain), same(*markup.parsed(source, everything))
    assert ours == theirs if lines else "".join("".join(ours).split()) == "".join("".join(theirs).split())
    return True


@pytest.mark.parametrize("body", BODIES)
def test_golden_bodies_are_read_alike_by_both(body: str) -> None:
    agree(body)


def test_most_bodies_need_no_parser() -> None:
    assert sum(agree(body) for body in BODIES) > 0.9 * len(BODIES)


@settings(max_examples=300, deadline=None)
@given(TREES)
@example("<p>a<!-- x --><b>b</b></p>")
@example("<p><span>Meeting</span> <span>ID</span></p>")
def test_what_outlook_writes_is_read_alike_by_both(source: str) -> None:
    agree(source)
    agree(f"<html><head><style>a > b</style></head><body lang=EN-US>{source}</body></html>")


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS | ODD, max_size=20).map("".join))
@example("</one<!-- c -->one")
@example("</one<o:p></o:p>one")
@example("one\t</blockquote>")
@example("<blockquote>one<blockquote>two</blockquote >three")
@example("one<blockquote <blockquote>two")
@example("<p<!-- c -->one>two")
@example('<p <a href="https://a.example/">one</a>two')
@example("<p <style>one</style>two")
def test_what_is_not_plain_goes_to_the_parser(source: str) -> None:
    agree(source, lines=False)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>118 204<span>&nbsp;551</span> 0</p>", "118 204 551 0"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("one<br>two", "one\ntwo"),
        ("<title>x</title><body>one", "one"),
        ("<p>a &lt; b", "a < b"),
        ("<p>a < b", "a < b"),
        ("<P>ONE<SPAN> TWO</SPAN></P>", "ONE TWO"),
        ("<script>one</script>two<style>three</style>", "two"),
        ("１２３：４", "123:4"),
    ],
)
def test_the_text_is_what_a_person_sees(source: str, text: str) -> None:
    assert "\n".join(block.text for block in read(source, html=True, wanted=everything).blocks) == text


@pytest.mark.parametrize("attribute", ["href", "style"])
def test_text_behind_an_attribute_that_is_left_open_is_still_read(attribute: str) -> None:
    source = f'<p><a {attribute}="https://zoom.us/j/1></p><p>one</p><p><a href="https://zoom.us/j/2">two</a></p>'
    body = read(source, html=True, wanted=everything)

    assert [block.text for block in body.blocks] == ["one\ntwo"]
    assert [address for block in body.blocks for address, _ in block.links] == ["https://zoom.us/j/2"]


def test_a_mark_cannot_be_forged_by_character_references() -> None:
    for forged in ("&#31;0&#31;", "&#x1f;0&#x1F;", "&#031;q(&#31;", "\x1f0\x1f"):
        body = read(f'<a href="https://zoom.us/j/1">x</a><pre>{forged * 3}</pre>', html=True, wanted=everything)
        assert sum(len(block.links) for block in body.blocks) == 1
        assert all(block.depth == 0 for block in body.blocks)


def test_what_stands_far_before_the_first_link_may_be_left_out_but_not_what_is_near() -> None:
    source = f"<body><p>far</p>{'<p>x</p>' * 1000}<p>near</p><a href='https://zoom.us/j/1'>Join</a>"

    text = markup.lines(source, everything, whole=False)[0]

    assert "far" not in text
    assert "near" in text
    assert "far" in markup.lines(source, everything)[0]


@pytest.mark.parametrize("link", ['<a href="https://zoom.us/j/1">x</a>', "https://zoom.us/j/1 ", "<PRE>https://a.b"])
def test_too_many_links_are_said_to_be_cut(link: str) -> None:
    most = read(link * 7, html=True, wanted=everything, most=7)
    more = read(link * 8, html=True, wanted=everything, most=7)

    assert (most.cuts, more.cuts) == ((), (0,))
    assert sum(len(block.links) for block in more.blocks) == 7
