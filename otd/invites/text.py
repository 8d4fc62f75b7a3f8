"""From a body, HTML or plain, to lines of text with its links at their places, cut into blocks.

One parse, linear time. A block ends where a ruled line stands or where the quoting changes, so that what belongs to one
invitation stays together and an older one in the thread below is told apart.

HTML is prepared for the parser, so that its plain text is enough and no node has to be visited: tags that run on in the
line (span, b, o:p, ...) are taken out, since Word cuts words and numbers with them; a link becomes a mark with its
number. Then every text node is a line. A mark that the parser did not leave in the text (it stood in a comment, a style
or an attribute) is no link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser

MAX_BODY = 1_000_000  # characters; real invitations have under 200,000
MAX_LINKS = 2_000

# A mark in the text while it is being read: a link's number, or q and what becomes of the depth of quoting.
_MARK = "\x1f"
_MARKS = re.compile(f"{_MARK}([0-9]{{1,5}}|q[()0-9]){_MARK}")

# Possessive, and never over a "<" outside quotes: linear in whatever is thrown at them.
_NAMES = r"span|font|o:p|b|i|u|em|strong|small|big|sub|sup|ins|del|code|bdo|bdi|nobr|mark|label|tt|st1:\w{1,20}"
_INLINE = rf"""<(?:/(?:{_NAMES}|a)\s{{0,9}}|(?:{_NAMES})(?=[\s>/])[^<>"]*+(?:"[^"]*+"[^<>"]*+)*+)>"""
_RUNS_ON = re.compile(_INLINE)
_RUNS_ON_CAPITALS = re.compile(_INLINE, re.I)
_ANCHOR = re.compile(r"""<[aA]\s((?:[^<>"']++|"[^"]*+"|'[^']*+')*+)>""")
_VALUE = r"""(?:"[^"]*+"|'[^']*+'|[^\s"'<>]++)"""
_HREF = re.compile(
    rf"""(?:\s*+(?!href[\s=])[^\s"'<>=]++(?:\s*+=\s*+{_VALUE})?+)*+\s*+href\s*+=\s*+({_VALUE})""",
    re.I,
)
_PRE, _PRE_END = re.compile(r"<pre[\s>]", re.I), re.compile(r"</pre", re.I)
_BLOCKQUOTE = re.compile(r"<(/?)blockquote(?:>|(?=\s))", re.I)
# When one of these is found the source is read again with more care. The last ones: written in capitals.
_RARE = ("pre", "blockquote", "span", "font", "b")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});")

_SPACES = ("\xa0", "\u202f", "\u2007", "\u2009", "\u2002", "\u2003", "\u3000", "\t")
_INVISIBLE = (
    *("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\xad"),
    *("\u200e", "\u200f", "\u061c", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e"),  # writing direction
    *("\u2066", "\u2067", "\u2068", "\u2069"),
)
# A web address runs over printable ASCII without quotes, angle brackets and the backslash.
_ADDRESS_TAIL = re.compile(r"://[!#-&(-;=?-\[\]-~]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}\Z")
_BRACKETED = re.compile(r"<((?:mailto|sips?|h323|tel|callto|pexip|msteams|zoommtg|im):[^<>\s]{1,2000})>", re.I)
_CLOSING = ".,;)]!?*_"

_RULES = tuple(
    (rule, re.compile(re.escape(rule) + re.escape(rule[0]) + "*+"))
    for rule in ("_" * 20, "." * 40, "-" * 20, "─" * 10, "━" * 10, "=" * 20, "*" * 20, "~" * 20, "-::~:~::~:~")
)
# "-----Original Appointment-----" in any language.
_QUOTE_LINE = re.compile(r"^-{4,12} ?[^-\n]{3,60}-{4,12} *$", re.M)
# From, Sent, To in any language: three lines with a label each, the second one with a year and a time.
_CLOCK = re.compile(r"[0-9][:.][0-9]{2}")
_MAIL_HEAD = re.compile(
    r"\n[^\n:：]{1,24}+[:：][^\n]{1,300}+\n"
    r"[^\n:：]{1,24}+[:：](?=[^\n]{0,80}?(?:19|20)[0-9]{2})[^\n]{0,100}?[0-9]{1,2}[:.][0-9]{2}[^\n]{0,100}+\n"
    r"[^\n:：]{1,24}+[:：]"
)
_DIGIT = re.compile("[0-9]")
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


def read(source: str, *, html: bool, wanted: Callable[[str], bool]) -> Body:
    """Read a body; of its links only those that are wanted."""
    cut = len(source) > MAX_BODY
    if cut:
        source = source[:MAX_BODY]
    if _MARK in source:
        source = source.replace(_MARK, " ")
    text, hrefs = _from_html(source, wanted) if html else (_from_text(source), [])
    text, links, quotes = _lift(_plain_spaces(text), hrefs, wanted)
    return Body(_blocks(text, links, quotes), cut, not links and not text.strip())


def _from_html(source: str, wanted: Callable[[str], bool]) -> tuple[str, list[str]]:
    """The visible text with a mark for each link, line and level of quoting; and the links' addresses in order."""
    hrefs: list[str] = []

    def mark(anchor: re.Match[str]) -> str:
        href = _HREF.match(anchor[1])
        address = _decoded(href[1].strip("\"'")) if href else ""
        if not wanted(address) or len(hrefs) >= MAX_LINKS:
            return ""
        hrefs.append(address)
        return f"{_MARK}{len(hrefs) - 1}{_MARK}"

    marked = _ANCHOR.sub(mark, source.replace("\r", " ").replace("\n", " "))
    tree = LexborHTMLParser(_RUNS_ON.sub("", marked))
    if any(tree.tags(name) for name in _RARE):
        hrefs.clear()
        marked = _ANCHOR.sub(mark, _quoted(_with_lines(source)))
        tree = LexborHTMLParser(_RUNS_ON_CAPITALS.sub("", marked))
    for name in ("style", "script"):
        for node in reversed(tree.tags(name)):  # the inner ones first: what is taken out takes its children along
            node.decompose()
    body = tree.body
    return body.text(separator="\n", skip_empty=True) if body is not None else "", hrefs


def _decoded(attribute: str) -> str:
    """An attribute's value without character references; & before a parameter's name is no reference."""
    if "&" not in attribute:
        return attribute
    attribute = attribute.replace("&amp;", "&")
    return _REFERENCE.sub(lambda found: unescape(found[0]), attribute) if ";" in attribute else attribute


def _with_lines(source: str) -> str:
    """The source with its line ends as spaces, but for those in preformatted text."""
    pieces: list[str] = []
    at = 0
    for start, end in _spans(source):
        pieces += (_flat(source[at:start]), source[start:end])
        at = end
    return "".join((*pieces, _flat(source[at:])))


def _flat(source: str) -> str:
    return source.replace("\r", " ").replace("\n", " ")


def _spans(source: str) -> Iterator[tuple[int, int]]:
    """Where preformatted text begins and ends."""
    at = 0
    while start := _PRE.search(source, at):
        end = _PRE_END.search(source, start.end())
        at = end.start() if end else len(source)
        yield start.start(), at


def _quoted(source: str) -> str:
    """The source with marks where a quotation begins and ends."""
    return _BLOCKQUOTE.sub(lambda tag: f"{tag[0]}{_MARK}q){_MARK}" if tag[1] else f"{_MARK}q({_MARK}{tag[0]}", source)


def _from_text(text: str) -> str:
    """Plain text without blank lines and leading >, and with a mark wherever their number changes."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = [line for line in [line.strip() for line in text.split("\n")] if line]
    if "\n>" not in text and not text.startswith(">"):
        return "\n".join(lines)
    marked, depth = [], 0
    for line in lines:
        quoted = _QUOTED_LINE.match(line)
        now = min(quoted[0].count(">"), 9) if quoted else 0
        mark = f"{_MARK}q{now}{_MARK}" if now != depth else ""
        marked.append(mark + (line[quoted.end() :] if quoted else line))
        depth = now
    return "\n".join(marked)


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


def _lift(
    text: str, hrefs: list[str], wanted: Callable[[str], bool]
) -> tuple[str, list[RawLink], list[tuple[int, str]]]:
    """The text without addresses and marks, and where they stood."""
    pieces: list[str] = []
    links: list[RawLink] = []
    quotes: list[tuple[int, str]] = []
    length, mark = 0, ""
    for n, piece in enumerate(_MARKS.split(text)):
        if n % 2:
            mark = piece
            if mark[0] == "q":
                quotes.append((length, mark[1]))
            elif int(mark) < len(hrefs):
                links.append(RawLink(hrefs[int(mark)], length))
        elif "://" in piece or "<" in piece:
            rest = 0
            for start, end, address in sorted(_written_links(piece)):
                if start >= rest and len(links) < MAX_LINKS:
                    pieces.append(piece[rest:start])
                    length += start - rest
                    rest = end
                    if wanted(address):
                        links.append(RawLink(address, length))
            pieces.append(piece[rest:])
            length += len(piece) - rest
        else:
            pieces.append(piece)
            length += len(piece)
    return "".join(pieces), links, quotes


def _written_links(text: str) -> Iterator[tuple[int, int, str]]:
    """Addresses written out in the text, bare or as Outlook writes them: Label<https://...>. From, to, address."""
    for tail in _ADDRESS_TAIL.finditer(text):
        scheme = _SCHEME.search(text, max(0, tail.start() - 21), tail.start())
        if scheme is None:
            continue
        start, end = scheme.start(), tail.end()
        if start and text[start - 1] == "<" and text[end : end + 1] == ">":
            yield start - 1, end + 1, text[start:end]
        else:
            address = text[start:end].rstrip(_CLOSING)
            yield start, start + len(address), address
    if "<" in text:
        for link in _BRACKETED.finditer(text):
            yield link.start(), link.end(), link[1]


def _blocks(text: str, links: list[RawLink], quotes: list[tuple[int, str]]) -> tuple[Block, ...]:
    """Cut the text at ruled lines and at changes of quoting."""
    cuts = list(quotes)
    for rule, run in _RULES:
        if rule in text:
            cuts += [(found.start(), "") for found in run.finditer(text)]
    if "----" in text:
        cuts += [(found.start(), "+") for found in _QUOTE_LINE.finditer(text)]
    if _CLOCK.search(text):
        cuts += [(found.start(), "+") for found in _MAIL_HEAD.finditer("\n" + text)]
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


def begins_its_line(text: str, at: int) -> bool:
    """Whether nothing stands before this place on its line, or only a label of up to 60 characters with a colon."""
    before = text[text.rfind("\n", 0, at) + 1 : at].rstrip(" ")
    return not before or (before.endswith((":", "：")) and len(before) <= 60 and not _DIGIT.search(before))
