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

from otd.dialplan import dial, for_site
from otd.invites import read
from tests.unit.test_invites_golden import CASES

SCRIPTS = {
    "Latin": "abcdefghijklmnoprstuvwyzæøåéü",
    "Cyrillic": "абвгдежзиклмнопрстуф",
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
    (case.name, meeting, for_site((), case.site), case.site)
    for case in CASES
    if case.name.rpartition("/")[0] not in RULED_OUT
    for meeting in case.meetings()
    if meeting.body
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_other_words_give_the_same_dial_string(script: str) -> None:
    chance, different = random.Random(script), {}  # noqa: S311, repeatable is what it has to be
    for name, meeting, plan, site in INVITATIONS:
        alone = dial(read(meeting, site), meeting, plan)
        begin = max(meeting.body.lower().find("<body"), 0)
        body = meeting.body[:begin] + other_words(meeting.body[begin:], SCRIPTS[script], chance)
        other = replace(meeting, body=body)
        if (found := dial(read(other, site), other, plan)).dial != alone.dial:
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
