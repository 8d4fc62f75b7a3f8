"""A meeting's body in the form that a client asks for: Exchange turns text into HTML and back."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from selectolax.lexbor import LexborHTMLParser

from otd.model import Meeting

_META = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'


def as_html(meeting: Meeting) -> str:
    """A whole HTML document; "" for a meeting without a body."""
    if not meeting.body:
        return ""
    if meeting.body_type == "html":
        return meeting.body if "<html" in meeting.body[:2000].casefold() else _page(meeting.body)
    lines = html.escape(meeting.body, quote=False).replace("\r\n", "\n").replace("\n", "<br>\r\n")
    return _page(f'<div class="PlainText">{lines}</div>')


def as_text(meeting: Meeting) -> str:
    return _plain(meeting.body) if meeting.body_type == "html" else meeting.body


def preview(meeting: Meeting) -> str:
    """The first 255 characters of the text."""
    return as_text(meeting).strip()[:255]


def _page(body: str) -> str:
    return f"<html>\r\n<head>\r\n{_META}\r\n</head>\r\n<body>\r\n{body}\r\n</body>\r\n</html>\r\n"


@lru_cache(maxsize=256)
def _plain(body: str) -> str:
    tree = LexborHTMLParser(body)
    for node in tree.css("head, style, script"):
        node.decompose()
    for link in tree.css("a[href]"):  # as Exchange does: the address in angle brackets after the words
        link.insert_after(f"<{link.attributes.get('href') or ''}>")
    for block in tree.css("br, p, div, tr, li, h1, h2, h3, h4, hr, table"):
        block.insert_after("\n")
    text = (tree.body or tree.root).text() if tree.root else ""
    return re.sub(r"[ \t]*\n\s*", "\r\n", text).strip()
