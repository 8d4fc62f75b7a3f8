"""From HTML to its visible text: a line for each piece, and a mark with a number where a link stands.

Most bodies are plain in their form: tags and text, nothing that only a parser could tell. Those are read as they stand,
in one pass, which takes a fraction of the time of a parse. What is not so plain (preformatted text, quotations, raw
text, capitals, angle brackets in attributes or text) goes through the parser. Where every tag is closed the result is
the same: the tests hold the two against each other.

For the parser, tags that run on in the line (span, b, o:p, ...) are taken out first, since Word cuts words and numbers
with them; then every text node is a line. A mark that the parser did not leave in the text (it stood in a comment, a
style or an attribute) is no link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

from selectolax.lexbor import LexborHTMLParser

MAX_LINKS = 500
# A mark in the text while it is being read: a link's number, or q and what changes in the depth of quoting.
MARK = "\x1f"
Wanted = Callable[[str], bool]

# Possessive, and never over a "<" outside quotes: linear in whatever is thrown at them.
_NAMES = r"span|o:p|font|b|i|u|em|strong|small|big|sub|sup|ins|del|code|bdo|bdi|nobr|mark|label|tt|st1:\w{1,20}"
_HREF_NAME = "[hH][rR][eE][fF]"
_VALUE = r"""(?:"[^"]*+"|'[^']*+'|[^\s"'<>]++)"""


def _to_href(never: str = "") -> str:
    """A pattern from an anchor's first attribute to the value of its href, without its quotes; what that value never
    holds between quotes."""
    return (
        rf"""(?:\s*+(?!{_HREF_NAME}[\s=])[^\s"'<>=]++(?:\s*+=\s*+{_VALUE})?+)*+\s*+{_HREF_NAME}\s*+=\s*+"""
        rf"""["']?+((?<=")[^"{never}]*+(?=")|(?<=')[^'{never}]*+(?=')|(?<!["'])[^\s"'<>]++)"""
    )


_HREF = re.compile(_to_href())
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});")


def lines(source: str, wanted: Wanted, *, whole: bool = True, most: int = MAX_LINKS) -> tuple[str, list[str]]:
    """The visible text with a mark for each link that is wanted and each change of quoting; the links' addresses, of
    which there are at most so many.

    Unless the `whole` is asked for, what stands far before the first link or address may be left out.
    """
    return plain(source, wanted, whole=whole, most=most) or parsed(source, wanted, most=most)


def _decoded(href: str) -> str:
    """Where a link leads: an attribute's value without character references; & before a parameter's name is none."""
    href = href.replace("&amp;", "&")
    return _REFERENCE.sub(lambda found: unescape(found[0]), href) if ";" in href else href


# --- as it stands ---------------------------------------------------------------------------------------------------

_RUNS_ON_AS_IS = rf"</?(?:{_NAMES}|a)(?=[\s>/])[^>]*+>"
_COMMENT = r"!--(?!-?>)[^-]*+(?:-(?!->)[^-]*+)*+-->"
_STYLE = r"style(?=[\s>])[^<>]*+>[^<]*+</style>"


def _telling(to_href: str) -> re.Pattern[str]:
    """Anchors, what is left out, and (whatever else this finds) what only a parser can tell; common tags are ruled out
    first, which is faster."""
    return re.compile(
        rf"<(?!/(?:[acdou]|span|p>|t[dr])|span|div|p[ >]|t[dr]|br|o:p)(?:a(\s)(?:{to_href})?+|({_COMMENT}|{_STYLE})"
        r"|/?(?:[^a-z/]|\Z|pre|blockq|s(?:cript|tyle|elect|vg)|t(?:itle|extarea|emplate)|head[\s>]|listing|xmp"
        r"|plaintext|i(?:frame|mage)|no(?:embed|frames)|math|frameset))"
    )


_TELLING = _telling(_to_href())
# A value that is not closed within its tag is none, and the text behind it still to be read. Slower.
_TELLING_CLOSED = _telling(_to_href(never=">"))
# Not \s for white space: that would take the marks.
_LINE = re.compile(rf">[ \t\n\f]*+([^< \t\n\f][^<]*+(?:(?:</span>|<o:p></o:p>)*+(?:{_RUNS_ON_AS_IS})*+[^<]++)*+)")
_RUNS_ON = re.compile(_RUNS_ON_AS_IS)
# Characters of source before the first link or address in which the numbers that belong to it may stand.
_BEFORE = 2_000
_BARS, _DOTS = "_" * 20, "." * 40  # how Outlook's add-ins begin their blocks
_MOST_REFERENCES = 200  # beyond, the parser decodes them faster
_LINK, _GATEWAY = re.compile(":/"), re.compile("##")  # a search for these is faster than str.find


def plain(source: str, wanted: Wanted, *, whole: bool = True, most: int = MAX_LINKS) -> tuple[str, list[str]] | None:
    """The same as `parsed`, of a source in which nothing needs a parser; None for every other.

    Unless the `whole` is asked for, it begins at some distance before the first link or address.
    """
    begin = source.find("<body")
    begin = source.find(">", begin) if begin >= 0 else 0
    if not whole and begin >= 0:
        begin = _near(source, begin)
    source = _flat(source[begin:] if begin > 0 else ">" + source)
    if source.rfind("<") > source.rfind(">"):
        return None  # a tag without an end: every "<" would be looked at up to there
    return _as_it_stands(source, wanted, most, _TELLING)


def _as_it_stands(source: str, wanted: Wanted, most: int, telling: re.Pattern[str]) -> tuple[str, list[str]] | None:
    """See `plain`; the source begins with the end of a tag, and `telling` is how its anchors are found."""
    pieces: list[str] = []
    hrefs: list[str] = []
    at = 0
    for found in telling.finditer(source):
        anchor, href, left_out = found.groups()
        if href:
            if ">" in href or "<" in href:
                return _as_it_stands(source, wanted, most, _TELLING_CLOSED) if telling is _TELLING else None
            address = _decoded(href) if "&" in href else href
            if len(hrefs) < most and wanted(address):
                start, end = found.span()
                pieces += (source[at:start], f"{MARK}{len(hrefs)}{MARK}")
                hrefs.append(address)
                at = source.find(">", end) + 1
        elif left_out:
            start, end = found.span()
            if source[start - 1] != ">" and source.rfind("<", at, start) > source.rfind(">", at, start):
                return None  # within a tag that has no end before it
            pieces += (source[at:start], "\n")
            at = end
        elif not anchor:
            return None
    text = "\n".join(_LINE.findall("".join((*pieces, source[at:]))))
    if "<" in text:
        text = _RUNS_ON.sub("", text)
    if ">" in text or "<" in text or text.count(MARK) != 2 * len(hrefs):
        return None  # the last: an anchor within a tag, which is none
    if "&" not in text:
        return text, hrefs
    return (unescape(text.replace("&nbsp;", " ")), hrefs) if text.count("&") <= _MOST_REFERENCES else None


def _near(source: str, begin: int) -> int:
    """Where the text begins that may belong to the first link or address: at the last ruled line before it, else at
    some distance."""
    first = _first(source, begin)
    near = max(begin, first - _BEFORE)
    ruled = max(source.rfind(_BARS, near, first), source.rfind(_DOTS, near, first))
    if ruled >= 0 and source.find("323:", near, ruled) < 0:
        return source.rfind(">", begin, ruled)
    return source.find(">", near) if near > begin else begin


def _first(source: str, begin: int) -> int:
    """Where the first link or address stands, `begin` when there is none."""
    found = _LINK.search(source, begin)
    first = found.start() if found else len(source)
    at = source.find("@", begin, first)
    first = at if at >= 0 else first
    at = source.find("#", begin, first)  # a single sign is found many times faster than two
    if at >= 0 and (found := _GATEWAY.search(source, at, first)):
        first = found.start()
    return first if first < len(source) else begin


# --- by the parser --------------------------------------------------------------------------------------------------

_TAG = rf"""<(?=[a-z/])(?:/(?:{_NAMES}|a)\s{{0,9}}|(?:{_NAMES})(?=[\s>/])[^<>"]*+(?:"[^"]*+"[^<>"]*+)*+)>"""
_TAG_RUNS_ON, _ANY_TAG_RUNS_ON = re.compile(_TAG), re.compile(_TAG, re.I)
_CAPITAL = re.compile(r"</?[A-Z]")  # without one there, the faster pattern will do
_IN_TAG = re.compile(r"""(<[a-z/][^<>"'=]*+)<""", re.I)  # what seems to begin a tag within one
# Styles and comments, to the end of the source if they are left open: an anchor in them is none.
_NO_TEXT = (
    r"<style[\s>](?:[^<]++|<(?!/style))*+(?:</style|\Z)"
    r"|<!--(?!-?>)(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z)"
)
_ANCHOR = re.compile(rf"""{_NO_TEXT}|<a\s((?:[^<>"']++|"[^"]*+"|'[^']*+')*+)>""", re.I)
_PRE, _PRE_END = re.compile(r"<pre[\s>]", re.I), re.compile(r"</pre", re.I)
_QUOTE, _QUOTE_END = re.compile(r"<blockquote(?=[\s>])", re.I), re.compile(r"</blockquote(?:\s[^<>]*+)?+>", re.I)
_FORGED = re.compile(r"&#(?:0*31|[xX]0*1[fF])(?![0-9a-fA-F]);?")


def parsed(source: str, wanted: Wanted, *, most: int = MAX_LINKS) -> tuple[str, list[str]]:
    """What the parser makes of it."""
    hrefs: list[str] = []

    def mark(anchor: re.Match[str]) -> str:
        if anchor[1] is None:
            return anchor[0]
        href = _HREF.match(anchor[1])
        if href is None or len(hrefs) >= most or not wanted(address := _decoded(href[1])):
            return ""
        hrefs.append(address)
        return f"{MARK}{len(hrefs) - 1}{MARK}"

    if "&#" in source:
        source = _FORGED.sub(" ", source)
    if source.count("<") > source.count(">"):
        source = _IN_TAG.sub(r"\1", source)
    marked = _ANCHOR.sub(mark, _quoted(_with_lines(source)))
    runs_on = _ANY_TAG_RUNS_ON if _CAPITAL.search(marked) else _TAG_RUNS_ON
    tree = LexborHTMLParser(runs_on.sub("", marked))
    for name in ("style", "script"):
        for node in reversed(tree.tags(name)):  # the inner ones first: what is taken out takes its children along
            node.decompose()
    body = tree.body
    return body.text(separator="\n", skip_empty=True) if body is not None else "", hrefs


def _with_lines(source: str) -> str:
    """The source with its line ends as spaces, but for those in preformatted text."""
    pieces: list[str] = []
    at = 0
    for start, end in _spans(source):
        pieces += (_flat(source[at:start]), source[start:end])
        at = end
    return "".join((*pieces, _flat(source[at:])))


def _flat(source: str) -> str:
    return source.replace("\n", " ").replace("\r", " ")


def _spans(source: str) -> Iterator[tuple[int, int]]:
    """Where preformatted text begins and ends."""
    at = 0
    while start := _PRE.search(source, at):
        end = _PRE_END.search(source, start.end())
        at = end.start() if end else len(source)
        yield start.start(), at


def _quoted(source: str) -> str:
    """The source with marks where a quotation begins and ends."""
    source = _QUOTE.sub(f"{MARK}q({MARK}<blockquote", source)
    return _QUOTE_END.sub(f"</blockquote>{MARK}q){MARK}", source)
