"""No word of any language is needed to read an invitation: with letters of four scripts in place of its words, at
random, every golden one gives the same dial string.

What is written the same in every language stays: links, addresses, markup, what has digits, passcodes. Left out are
those in which a word has to rule something out (telephones, keys), or an address is cut by tags.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

from tests.invitations import dialled, inside
from tests.unit.test_invites_golden import CASES

SCRIPTS = {  # with letters missing that every word for a telephone or a host has one of
    "Latin": "bcdfghjklnpqrsvwxzæøåéü",
    "Cyrillic": "абвгдежзиклнопрсу",
    "Han": "会議参加者番号日本語間接続",
    "Hebrew": "אבגדהוזחטיכלמנסעפצקרשת",
}
STAYS = re.compile(
    r"""https?://[^\s<>"']+|[\w.+-]+@[\w.-]+|\S*##\S*|(?:sips?|h323|callto|mailto|tel|x-[\w-]+):[^\s<>"']*|&\#?\w+;|<[^>]*>"""
    r"|H\.323|[A-Za-z0-9]*[0-9][A-Za-z0-9]*|(?<=:\ )[A-Za-z0-9]{6,8}(?=\s*(?:\n|$|<))",
    re.IGNORECASE | re.VERBOSE,
)
WORD = re.compile(r"[^\W\d_]+")
RULED_OUT = {
    *("webex/telephone-in-the-signature", "zoom/telephone-below-the-id", "zoom/host-key-below-the-id"),
    "zoom/host-key-in-spanish-below-the-id",
    *("teams/poly-word-splits-the-number-over-spans", "teams/upper-case-tags-and-entities"),
}
INVITATIONS = [
    (case.name, meeting, case.site)
    for case in CASES
    if case.name.rpartition("/")[0] not in RULED_OUT
    for meeting in case.meetings()
    if meeting.body
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_other_words_give_the_same_dial_string(script: str) -> None:
    different = {}
    for name, meeting, site in INVITATIONS:
        chance = random.Random(f"{script} {name}")  # noqa: S311, repeatable is what it has to be
        begin, _ = inside(meeting.body)
        body = meeting.body[:begin] + other_words(meeting.body[begin:], SCRIPTS[script], chance)
        alone = dialled(meeting, site)
        if (found := dialled(replace(meeting, body=body), site)) != alone:
            different[name] = (alone, found, body[-2_000:])

    assert len(INVITATIONS) > 250
    assert different == {}


def other_words(text: str, letters: str, chance: random.Random) -> str:
    def word(found: re.Match[str]) -> str:
        return "".join(chance.choice(letters) for _ in found[0])

    pieces, at = [], 0
    for found in STAYS.finditer(text):
        pieces += [WORD.sub(word, text[at : found.start()]), found[0]]
        at = found.end()
    return "".join((*pieces, WORD.sub(word, text[at:])))
