"""From a body, HTML or plain, to lines of text with its links at their places, cut into blocks.

One parse, one pass, linear time. A block ends where a ruled line stands or where the quoting changes, so that what
belongs to one invitation stays together and an older one in the thread below is told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_BODY = 1_000_000  # characters; real invitations have under 200,000
MAX_LINKS = 2_000

# Marks in the text while it is being read. They are taken out of the source first, so that nobody can forge one.
_LINK, _LINE, _QUOTE = "\x1f", "\x1e", "\x1d"
_FORGED = re.compile(r"[\x1d-\x1f]|&#(?:[xX]0*1[d-fD-F](?![0-9a-fA-F])|0*(?:29|30|31)(?![0-9]));?")
_SHAPE = "br,p,div,tr,li,td,th,h1,h2,h3,h4,h5,h6,hr,table,ul,ol,blockquote,pre,a[href],area[href]"
_CELLS = frozenset(("td", "th"))

_SPACES = ("\xa0", "\u202f", "\u2007", "\u2009", "\u2002", "\u2003", "\u3000", "\t")
_INVISIBLE = (
    *("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\xad"),
    *("\u200e", "\u200f", "\u061c", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e"),  # writing direction
    *("\u2066", "\u2067", "\u2068", "\u2069"),
)
_BLANK = re.compile(r"\n[ \n]+")
# A web address runs over printable ASCII without quotes, angle brackets and the backslash.
_ADDRESS_TAIL = re.compile(r"://[!#-&(-;=?-\[\]-~]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}\Z")
_BRACKETED = re.compile(r"<((?:mailto|sips?|h323|tel|callto|pexip|msteams|zoommtg|im):[^<>\s]{1,2000})>", re.I)
_CLOSING = ".,;)]!?*_"

_RULES = ("_" * 20, "." * 40, "-" * 20, "─" * 10, "━" * 10, "=" * 20, "*" * 20, "~" * 20, "-::~:~::~:~")
# "-----Original Appointment-----" in any language.
_QUOTE_LINE = re.compile(r"^-{4,12} ?[^-\n]{3,60}-{4,12} *$", re.M)
# From, Sent, To in any language: three labelled lines, the second one with a year and a time.
_QUOTE_HEAD = re.compile(
    r"^[^\n:：]{1,24}[:：][^\n]{1,300}\n"
    r"[^\n:：]{1,24}[:：](?=[^\n]{0,60}(?:19|20)[0-9]{2})[^\n]{0,80}?[0-9]{1,2}[:.][0-9]{2}[^\n]{0,60}\n"
    r"[^\n:：]{1,24}[:：]",
    re.M,
)
_QUOTED_LINE = re.compile(r"(?:> ?)+")


class RawLink(NamedTuple):
    """An address as written, and where in the text it stood."""

    address: str
    at: int


class Block(NamedTuple):
    """A piece of text that belongs together. Link positions count from the start of `text`; `at` from the body's."""

    text: str
    links: tuple[RawLink, ...]
    depth: int = 0  # how deeply quoted
    at: int = 0


class Body(NamedTuple):
    """A body as blocks, in order; `cut` when it was too large to be read whole."""

    blocks: tuple[Block, ...]
    cut: bool = False
    empty: bool = False


def read(source: str, *, html: bool) -> Body:
    """Read a body."""
    cut = len(source) > MAX_BODY
    if cut:
        source = source[:MAX_BODY]
    if "&#" in source or _LINK in source or _LINE in source or _QUOTE in source:
        source = _FORGED.sub(" ", source)
    text, hrefs = _from_html(source) if html else (_quoting(source), [])
    text = _BLANK.sub("\n", _plain_spaces(text))
    text, links, quotes = _lift(text, hrefs)
    blocks = _blocks(text, links, quotes)
    return Body(blocks, cut, not links and not text.strip())


def _from_html(source: str) -> tuple[str, list[str]]:
    """The visible text with a mark for each link, line and level of quoting; and the links' addresses in order."""
    body = LexborHTMLParser(source).body
    if body is None:
        return "", []
    for node in body.css("style,script"):
        node.decompose()
    hrefs: list[str] = []
    for node in body.css(_SHAPE):
        tag = node.tag
        if tag == "br":
            node.insert_before(_LINE)
        elif tag == "a" or tag == "area":
            if len(hrefs) < MAX_LINKS and (href := node.attrs.get("href")):
                hrefs.append(href)
                node.insert_before(_LINK)
        elif tag in _CELLS:
            node.insert_before(" ")
        else:
            if tag == "pre":
                _keep_lines(node)
            quoting = tag == "blockquote"
            node.insert_before(_LINE + _QUOTE + "(" if quoting else _LINE)
            node.insert_after(_LINE + _QUOTE + ")" if quoting else _LINE)
    text = body.text()
    if text.count(_LINK) != len(hrefs):  # a mark got lost in markup that no mail program writes
        text = text.replace(_LINK, "") + _LINK * len(hrefs)
    return text.replace("\r", " ").replace("\n", " ").replace(_LINE, "\n"), hrefs


def _keep_lines(pre: LexborNode) -> None:
    """Line ends in preformatted text are line ends; everywhere else in HTML they are spaces."""
    for node in [node for node in pre.traverse(include_text=True) if node.is_text_node]:
        text = node.text_content or ""
        if "\n" in text:
            node.replace_with(text.replace("\n", _LINE))


def _quoting(text: str) -> str:
    """Plain text with its leading > taken off, and a mark wherever their number changes."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\n>" not in text and not text.startswith(">"):
        return text
    lines, depth = [], 0
    for line in text.split("\n"):
        quoted = _QUOTED_LINE.match(line)
        now = min(quoted[0].count(">"), 9) if quoted else 0
        if now != depth and (quoted or line.strip()):
            lines.append(f"{_QUOTE}{now}")
            depth = now
        lines.append(line[quoted.end() :] if quoted else line)
    return "\n".join(lines)


def _plain_spaces(text: str) -> str:
    """Every kind of space becomes a space, and what has no width goes away: both stand inside ids."""
    if "\t" in text:
        text = text.replace("\t", " ")
    if text.isascii():
        return text
    for char in _SPACES:
        if char in text:
            text = text.replace(char, " ")
    for char in _INVISIBLE:
        if char in text:
            text = text.replace(char, "")
    return text


class _Lift(NamedTuple):
    """Something to be taken out of the text: a link that is written there, or a mark."""

    start: int
    end: int
    address: str
    quote: str = ""


def _lift(text: str, hrefs: list[str]) -> tuple[str, list[RawLink], list[tuple[int, str]]]:
    """The text without addresses and marks, and where they stood."""
    found = list(_written_links(text))
    found += [_Lift(at, at + 1, href) for at, href in zip(_places(text, _LINK), hrefs, strict=False)]
    found += [_Lift(at, at + 2, "", text[at + 1 : at + 2]) for at in _places(text, _QUOTE)]
    found.sort()
    pieces: list[str] = []
    links: list[RawLink] = []
    quotes: list[tuple[int, str]] = []
    length = done = 0
    for item in found:
        if item.start < done:
            continue
        pieces.append(text[done : item.start])
        length += item.start - done
        done = item.end
        if item.quote:
            quotes.append((length, item.quote))
        elif len(links) < MAX_LINKS:
            links.append(RawLink(item.address, length))
    pieces.append(text[done:])
    return "".join(pieces), links, quotes


def _written_links(text: str) -> Iterator[_Lift]:
    """Addresses written out in the text, bare or as Outlook writes them: Label<https://...>."""
    for tail in _ADDRESS_TAIL.finditer(text):
        scheme = _SCHEME.search(text, max(0, tail.start() - 21), tail.start())
        if scheme is None:
            continue
        start, end = scheme.start(), tail.end()
        if start and text[start - 1] == "<" and text[end : end + 1] == ">":
            yield _Lift(start - 1, end + 1, text[start:end])
        else:
            address = text[start:end].rstrip(_CLOSING)
            yield _Lift(start, start + len(address), address)
    if "<" in text:
        for link in _BRACKETED.finditer(text):
            yield _Lift(link.start(), link.end(), link[1])


def _places(text: str, mark: str) -> Iterator[int]:
    at = text.find(mark)
    while at >= 0:
        yield at
        at = text.find(mark, at + 1)


def _blocks(text: str, links: list[RawLink], quotes: list[tuple[int, str]]) -> tuple[Block, ...]:
    """Cut the text at ruled lines and at changes of quoting."""
    cuts: list[tuple[int, str]] = list(quotes)
    for rule in _RULES:
        cuts += [(at, "") for at in _runs(text, rule)]
    if "----" in text:
        cuts += [(found.start(), "+") for found in _QUOTE_LINE.finditer(text)]
    cuts += [(found.start(), "+") for found in _QUOTE_HEAD.finditer(text)]
    if not cuts:
        return (Block(text, tuple(links)),)
    blocks: list[Block] = []
    start = explicit = headers = next_link = 0
    for at, kind in [*sorted(cuts), (len(text), "")]:
        first = next_link
        while next_link < len(links) and (links[next_link].at < at or at == len(text)):
            next_link += 1
        if at > start:
            mine = tuple(RawLink(link.address, link.at - start) for link in links[first:next_link])
            blocks.append(Block(text[start:at], mine, explicit + headers, start))
            start = at
        if kind == "+":
            headers += 1
        elif kind:
            explicit = explicit + 1 if kind == "(" else max(explicit - 1, 0) if kind == ")" else int(kind)
    return tuple(blocks)


def _runs(text: str, rule: str) -> Iterator[int]:
    """Where runs of at least this rule begin, each run once."""
    at = text.find(rule)
    while at >= 0:
        yield at
        end = at + len(rule)
        while text.startswith(rule[0], end):
            end += 1
        at = text.find(rule, end)
