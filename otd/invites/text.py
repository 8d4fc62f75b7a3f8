"""From a body, HTML or plain, to lines of text with its links at their places, cut into blocks.

One parse, linear time. A block ends where a ruled line stands or where the quoting changes, so that what belongs to one
invitation stays together and an older one in the thread below is told apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import accumulate, groupby, islice
from string import ascii_letters
from typing import NamedTuple

from otd.invites import markup
from otd.invites.links import new
from otd.invites.markup import MARK, MAX_LINKS

MAX_BODY = 1_000_000  # characters; real invitations have under 200,000
# Deeper than anything is quoted: what comes after them, and what is trusted less than all that is kept.
BEYOND = 1_000_000

_SPACES = ("\xa0", "\u202f", "\u2007", "\u2009", "\u2002", "\u2003", "\u3000", "\t")
_WIDE = (*zip("：（）＃＋，", ":()#+,", strict=True), *zip("０１２３４５６７８９", "0123456789", strict=True))
_INVISIBLE = (
    *("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\xad"),
    *("\u200e", "\u200f", "\u061c", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e"),  # writing direction
    *("\u2066", "\u2067", "\u2068", "\u2069"),
)
# A web address runs over printable ASCII without quotes, angle brackets and the backslash.
_ADDRESS_TAIL = re.compile(r"://[!#-&(-;=?-\[\]-~]+")
_SCHEME_END = re.compile("://")
_WRITTEN = re.compile(r"<https?://[!#-&(-;=?-\[\]-~]+>|https?://[!#-&(-;=?-\[\]-~]+(?<![.,;)\]!?*_])")
_NO_LETTERS = "0123456789+.-"
_SCHEME_SIGNS = ascii_letters + _NO_LETTERS
_BRACKETED = re.compile(r"<(?=[a-z])((?:mailto|sips?|h323|tel|callto|pexip|msteams|zoommtg|im):[^<>\s]{1,2000})>", re.I)
_FEW = 12  # addresses written out; of more only those are looked at that may well be wanted
_MOST_WRITTEN = 60
_NOT_WANTED = 26  # of those that may be wanted so many may turn out not to be, a few more in a long text
_LONG = 60  # of so many characters one counts twice: what is wrapped takes as long as several others
_MOST_BRACKETED = 100
_CLOSING = ".,;)]!?*_"

_RULES = tuple(
    (rule, re.compile(re.escape(rule) + re.escape(rule[0]) + "*+"))
    for rule in ("_" * 20, "." * 40, "-" * 20, "─" * 10, "━" * 10, "=" * 20, "*" * 20, "~" * 20, "-::~:~::~:~")
)
_RULE_SIGNS = "_.-─━=*~: \n"
# "-----Original Appointment-----" in any language.
_QUOTE_LINE = re.compile(r"\n-{4,12} ?[^-\n]{3,60}-{4,12} *(?=\n|\Z)")
# From, Sent, To in any language: three lines with a label each, the second one with a year and a time.
_MAIL_HEAD = re.compile(
    r"\n[^\n:]{1,24}+:[^\n]{1,300}+\n"
    r"[^\n:]{1,24}+:(?=[^\n]{0,80}?(?:(?:19|20)[0-9]{2}|[0-9][./-][0-9]{2}\b))[^\n]{0,100}?[0-9]{1,2}[:.][0-9]{2}[^\n]{0,100}+\n"
    r"[^\n:]{1,24}+:"
)
_DIGIT = re.compile("[0-9]")
_CLOSES = frozenset("0123456789 ")  # how a line ends that a number closes
# Labels of numbers to call. Words are never needed to find a meeting's number, only to rule these out.
_TELEPHONE = re.compile(
    r"\b(?:tel|tlf|tlm|tfn|phone|mob|cell|fax|handy|gsm|call|direct|durchwahl|office|desk|puh|móvil|celular|portable|kom"
    r"|тел|моб|факс|τηλ|κιν)|電話|电话|携帯|手机|전화|โทร|फ़ोन|هاتف|טלפון"
)
_QUOTED_LINE = re.compile(r"(?:> ?)+")
# So many in a row are a quotation in HTML, too: what calendars make of a plain text. Fewer are arrows.
_QUOTED_LINES = 3


RawLink = tuple[str, int]
"""An address as written, and where in the text it stood."""


class Block(NamedTuple):
    """A piece of text that belongs together; it begins `at` a place of the body's text, where its links count from."""

    text: str
    links: tuple[RawLink, ...]
    depth: int = 0  # how deeply quoted
    at: int = 0


class Body(NamedTuple):
    """A body as blocks, in order; `cuts` say how deeply quoted that is which was not read, for want of room."""

    blocks: tuple[Block, ...]
    cuts: tuple[int, ...] = ()
    empty: bool = False


def read(
    source: str,
    *,
    html: bool,
    wanted: Callable[[str], bool],
    telling: re.Pattern[str] = _ADDRESS_TAIL,
    whole: bool = True,
    most: int = MAX_LINKS,
    written: int = MAX_LINKS,
) -> Body:
    """Read a body; of its links only those that are wanted, at most so many, of which are addresses written out at most
    so many. `telling` finds the :// of what may be wanted. See `markup.lines` for `whole`."""
    cuts: tuple[int, ...] = ()
    if len(source) > MAX_BODY:
        source, cuts = source[:MAX_BODY], (BEYOND,)
    if MARK in source:
        source = source.replace(MARK, " ")
    text, hrefs = markup.lines(source, wanted, whole=whole, most=most + 1) if html else (_from_text(source), [])
    if html and ">" in text and ("\n>" in text or "\n >" in text):
        text = _quoted("\n".join([line.strip(" ") for line in text.split("\n")]), _QUOTED_LINES)
    text = _even(text)
    ends = False
    if holds(text, "://") or "<" in text:
        text, ends = _marked(text, hrefs, wanted, telling, most + 1, written)
    text, links, quotes = _lift(text, hrefs)
    blocks = _blocks(text, links[:most], quotes)
    if ends or len(links) > most:
        place = len(text) if ends else links[most][1]
        cuts += (next((block.depth for block in reversed(blocks) if block.at <= place), 0),)
    return new(Body, (blocks, cuts, not links and not text.strip()))


def _from_text(text: str) -> str:
    """Plain text without blank lines and leading >."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "\n".join([line for line in [line.strip() for line in text.split("\n")] if line])
    return _quoted(text, 1) if "\n>" in text or text.startswith(">") else text


def _quoted(text: str, least: int) -> str:
    """A text with a mark wherever the number of leading > changes, and without them, where so many lines in a row have
    any."""
    marked, depth = [], 0
    for is_quoted, run in groupby(text.split("\n"), lambda line: line.startswith(">")):
        lines = list(run)
        is_quoted = is_quoted and len(lines) >= least
        for line in lines:
            quoted = _QUOTED_LINE.match(line) if is_quoted else None
            now = min(quoted[0].count(">"), 9) if quoted else 0
            mark = f"{MARK}q{now}{MARK}" if now != depth else ""
            marked.append(mark + (line[quoted.end() :] if quoted else line))
            depth = now
    return "\n".join(marked)


def _even(text: str) -> str:
    """Every space becomes a plain one, what has no width goes away, wide signs become ASCII: all occur in ids."""
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
    for wide, char in _WIDE:
        if wide in text:
            text = text.replace(wide, char)
    return text


def _lift(text: str, hrefs: list[str]) -> tuple[str, list[RawLink], list[tuple[int, str]]]:
    """The text without marks, and where they stood."""
    if MARK not in text:
        return text, [], []
    parts = text.split(MARK)
    pieces, marks = parts[::2], parts[1::2]
    links: list[RawLink] = []
    quotes: list[tuple[int, str]] = []
    for mark, at in zip(marks, accumulate(map(len, pieces)), strict=False):
        if mark[:1] == "q":
            quotes.append((at, mark[1:]))
        elif mark.isdecimal() and int(mark) < len(hrefs):
            links.append((hrefs[int(mark)], at))
    return "".join(pieces), links, quotes


def _marked(
    text: str, hrefs: list[str], wanted: Callable[[str], bool], telling: re.Pattern[str], most: int, room: int
) -> tuple[str, bool]:
    """The text without the addresses written out in it, and with marks for those that are wanted, which go to the
    others; of many only the `telling` are looked at. It ends where there is no room for another one, and is said to be
    cut."""
    places = [found.start() for found in islice(_SCHEME_END.finditer(text), _MOST_WRITTEN + 1)]
    cut, others = len(places) > _MOST_WRITTEN, _NOT_WANTED + len(text) // 1_000
    if cut:
        text = text[: places[-1]]
    if len(places) <= _FEW:
        telling = _ADDRESS_TAIL
    written: list[tuple[int, int, str, bool]] = []
    for start, end, address in _written_links(text, telling):
        keep = wanted(address)
        if not (room if keep else others > 0):
            text, cut = text[:start], True
            break
        if keep:
            room -= 1
        else:
            others -= 1 if len(address) < _LONG else 2
        written.append((start, end, address, keep))
    if "<" in text:
        bracketed = islice(_BRACKETED.finditer(text), _MOST_BRACKETED)
        written = sorted((*written, *[(*link.span(), link[1], wanted(link[1])) for link in bracketed]))
    pieces: list[str] = []
    at = 0
    for start, end, address, keep in written:
        if start >= at and len(hrefs) < most:
            pieces.append(_without_links(text[at:start]))
            at = end
            if keep:
                pieces.append(f"{MARK}{len(hrefs)}{MARK}")
                hrefs.append(address)
    pieces.append(_without_links(text[at:]))
    return "".join(pieces), cut


def _without_links(text: str) -> str:
    return _WRITTEN.sub("", text) if "://" in text else text


def _written_links(text: str, telling: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
    """Addresses written out in the text, bare or as Outlook writes them: Label<https://...>. From, to, address."""
    end = 0
    for found in telling.finditer(text):
        at = found.start()
        tail = found if telling is _ADDRESS_TAIL else _ADDRESS_TAIL.match(text, at) if at >= end else None
        before = text[at - 21 if at > 21 else 0 : at]
        scheme = before[len(before.rstrip(_SCHEME_SIGNS)) :].lstrip(_NO_LETTERS)
        if tail is None or not scheme:
            continue
        start, end = at - len(scheme), tail.end()
        if start and text[start - 1] == "<" and text[end : end + 1] == ">":
            yield start - 1, end + 1, text[start:end]
        else:
            address = text[start:end].rstrip(_CLOSING)
            yield start, start + len(address), address


def _blocks(text: str, links: list[RawLink], quotes: list[tuple[int, str]]) -> tuple[Block, ...]:
    """Cut the text at ruled lines and at changes of quoting."""
    cuts = list(quotes)
    for rule, run in _RULES:
        if rule[0] in text and rule in text:
            cuts += [(found.start(), "") for found in run.finditer(text)]
    lines = "\n" + text  # a line's place in the text is that of the line end before it here
    if "-" in text and "\n----" in lines:
        cuts += [(found.start(), "+") for found in _QUOTE_LINE.finditer(lines)]
    if ":" in text:
        cuts += [(found.start(), "+") for found in _MAIL_HEAD.finditer(lines)]
    if not cuts:
        return (new(Block, (text, tuple(links), 0, 0)),)
    cuts.sort()
    cuts.append((len(text) + 1, ""))
    blocks: list[Block] = []
    start = elements = signs = headers = next_link = 0  # what quotes: <blockquote>, >, the heads of mails
    for at, kind in cuts:
        if at > start:
            piece, first = text[start:at], next_link
            while next_link < len(links) and links[next_link][1] < at:
                next_link += 1
            if next_link > first or piece.strip(_RULE_SIGNS):  # not the ruled line alone
                depth = elements + signs + headers
                blocks.append(new(Block, (piece, tuple(links[first:next_link]), depth, start)))
            start = at
        if kind == "+":
            headers += 1
        elif kind == "(":
            elements += 1
        elif kind == ")":
            elements = max(elements - 1, 0)
        elif kind:
            signs = int(kind)
    return tuple(blocks)


def holds(text: str, mark: str) -> bool:
    """Whether this stands in the text. Its first sign is looked for first, which takes a fraction of the time."""
    return mark[0] in text and mark in text


def closing_numbers(text: str, number: re.Pattern[str]) -> Iterator[tuple[str, int, int]]:
    """The numbers of this form that stand alone in a line, or there behind a label that is not a telephone's. Without
    their spaces, and from where to where."""
    at = 0
    for line in text.split("\n"):
        if line[-1:] in _CLOSES:
            label, colon, rest = line.rpartition(":")
            digits = rest.strip(" ")
            if number.fullmatch(digits) and (not colon or _is_label(label)):
                end = at + len(line.rstrip(" "))
                yield digits.replace(" ", ""), end - len(digits), end
        at += len(line) + 1


def _is_label(text: str) -> bool:
    """Whether it can be a meeting number's label; one letter is a telephone's."""
    return 1 < len(text.strip(" ")) < 60 and not _DIGIT.search(text) and not is_telephone(text)


def is_telephone(label: str) -> bool:
    """Whether a label says that what follows is a number to call."""
    return bool(label) and _TELEPHONE.search(label.lower()) is not None


def begins_its_line(text: str, at: int) -> bool:
    """Whether nothing stands before this place on its line, or only a label of up to 60 characters with a colon."""
    before = text[text.rfind("\n", 0, at) + 1 : at].rstrip(" ")
    return not before or (before.endswith(":") and len(before) <= 60 and not _DIGIT.search(before))
