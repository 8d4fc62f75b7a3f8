"""Bodies made to be slow: too much of something, in several sizes, since what is worst is not always the largest.

Each piece below is repeated; a number in it makes every copy another one, so that nothing can be passed over as seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_abcdefgh{n}%40thread.v2/0"
_CONTEXT = "?context=%7b%22Tid%22%3a%226f9d1a3c-2b4e-4f5a-8c7d-1e2f3a4b5c6d%22%7d"


def _link(address: str) -> str:
    return f'<a href="{address}">x</a> '


PIECES: dict[str, str] = {
    "links": _link("https://example.com/{n}"),
    "links that may be wrapped": _link("https://www.google.com/search?q={n}"),
    "one Teams link": _link(_TEAMS.replace("{n}", "x")),
    "Teams links": _link(_TEAMS),
    "Teams links with a tenant": _link(_TEAMS + _CONTEXT),
    "Teams links by number": _link("https://teams.microsoft.com/meet/2{n:012}?p=abcdefgh"),
    "Teams blocks": "_" * 20 + "<br>" + _link(_TEAMS) + "<br>",
    "Skype links": _link("https://meet.lync.com/a.example/b/A{n:07}"),
    "simple URLs": _link("https://meet.a.example/b/A{n:07}"),
    "Zoom links": _link("https://zoom.us/j/{n:010}"),
    "Zoom blocks": _link("https://zoom.us/j/{n:010}") + "<br>ID: {n:010}<br>Passcode: 123456<br>",
    "Webex rooms": _link("https://a.webex.com/meet/b{n}"),
    "Webex numbers": _link("https://a.webex.com/a/j.php?MTID=m{n}") + "<br>2512 345 6789<br>",
    "Meet links": _link("https://meet.google.com/lookup/{n:05}"),
    "Pexip rooms": _link("https://a.example/webapp/conference/b{n}"),
    "Meeting Server": _link("https://a.example/meeting/{n:05}?secret=x") + "{n:05}@b.example ",
    "more info": _link("https://dialin.plcm.vc/teams/?key=1234&amp;conf={n:010}"),
    "more info elsewhere": _link("https://a{n}.example/teams/?conf={n:010}&amp;ivr=b&amp;d=c.example"),
    "tenants": "{n:06}@t.plcm.vc 111 222 {n:03} 4<br>",
    "mail links": _link("mailto:a{n}@example.com"),
    "mail links of numbers": _link("mailto:25123{n:05}@example.com"),
    "mail links in text": "Ida<mailto:a{n}@example.com> ",
    "mail addresses": "a{n}@example.com ",
    "SIP addresses": "sip:a{n}@example.com ",
    "gateways": "a{n}.example##1234 ",
    "links in text": "https://example.com/{n} ",
    "links to documents in text": "https://a.sharepoint.example/sites/team/Shared%20Documents/Notes/a/b/c/{n}.docx ",
    "Zoom pages in text": "https://zoom.us/rec/share/{n} ",
    "Zoom links in text": "https://zoom.us/j/{n:010} ",
    "Teams links in text": _TEAMS + " ",
    "Skype links in text": "https://meet.lync.com/a/b/A{n:07} ",
    "Zoom addresses": "9{n:09}@zoomcrc.com ",
    "Zoom addresses below ruled lines": "_" * 20 + "<br>" + "9{n:09}@zoomcrc.com " * 5,
    "Webex addresses": "2512345{n:04}@a.webex.com ",
    "tenants of other partners": "teams@a{n}.onpexip.com 1234567{n:04} ",
    "tenants in quotations": "<blockquote>a{n:06}@t.plcm.vc 111 222 {n:03} 4<br>",
    "links in comments left open": "<!-- a " + _link("https://example.com/{n}"),
    "wrapped links": _link(
        "https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2Fexample.com%2F{n}&amp;data=b"
    ),
    "wrapped Teams links": _link(
        "https://a.safelinks.protection.outlook.com/?url="
        + _TEAMS.replace(":", "%3A").replace("/", "%2F")
        + "&amp;data=b"
    ),
    "wrapped links in text": "https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2Fexample.com%2F{n} ",
    "long hosts": _link("https://" + "a." * 60 + "google.com/{n}"),
    "wrappers in wrappers": _link("https://a.safelinks.protection.outlook.com/?url=" * 9 + "{n}"),
    "wrappers without an end": "https://x.safelinks.protection.outlook.com/?url=https%3A%2F%2F",
    "URL Defense": _link("https://urldefense.com/v3/__https:/*example.com/{n}*a**b__;Ly8v!!x$"),
    "div in div": "<div>",
    "quotations": "<blockquote>a",
    "quotations with an end": '<blockquote type="cite">a{n}@b.example</blockquote>',
    "quoted lines": "&gt;&gt;&gt;&gt;&gt; a<br>&gt; b<br>",
    "mail heads": "From: a<br>Sent: 1 May 2026 10:00<br>To: b<br>",
    "labels": "a:<br>2026 10:0<br>",
    "spans": "<span>1</span>",
    "SPANS": "<SPAN>1</SPAN>",
    "digits": "123 456 789 ",
    "ruled lines": "_" * 80 + "<br>",
    "ruled lines that are short": "____ ---- .... ",
    "entities": "&amp;#64;",
    "entities of many kinds": "&#64; &eacute; &notit; &#x1f; ",
    "comments": "<!-- a --> b",
    "comments left open": "<!-- a ",
    "styles": "<style>a</style>",
    "anchors left open": '<a href="',
    "attributes left open": '<p class="a>b',
    "preformatted": "<pre>\n> a\n</pre>",
    "angle brackets": "a > b < c ",
    "wide signs": "１２３：４＃\u200b\xa0",
}
SIZES = (2_000, 10_000, 100_000)  # characters, about


def bodies() -> Iterator[tuple[str, str]]:
    """What is repeated and how often, and the body."""
    for name, piece in PIECES.items():
        copy: Callable[..., str] = piece.format if "{n" in piece else lambda text=piece, **_: text
        for size in SIZES:
            count = max(size // len(copy(n=0)), 1)
            yield f"{name} x {count}", f"<html><body>{''.join(copy(n=n) for n in range(count))}</body></html>"
