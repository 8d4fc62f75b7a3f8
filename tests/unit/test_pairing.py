"""Codes and fingerprints of pairing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.errors import BadSetting
from otd.pairing import (
    ALPHABET,
    Keys,
    code,
    commitment,
    fingerprint,
    grouped,
    is_proof,
    proof,
    read_code,
    same_fingerprint,
    text,
)

CHANCE = st.binary(min_size=16, max_size=16)
THIRTY_TWO = st.binary(min_size=32, max_size=32)


def test_no_two_characters_look_alike() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 23
    for alike in ("0OQ", "1IL", "2Z", "5S", "8B", "UV"):
        assert len(set(alike) & set(ALPHABET)) <= 1


@given(CHANCE)
def test_a_code_is_read_however_it_is_typed(chance: bytes) -> None:
    made = code(chance)
    assert len(made) == 8
    for typed in (made, made.lower(), grouped(made), f"  {made[:4]} {made[4:]} "):
        assert read_code(typed) == made


@given(CHANCE, st.integers(0, 7), st.sampled_from(ALPHABET))
def test_one_wrong_character_always_shows(chance: bytes, place: int, wrong: str) -> None:
    made = code(chance)
    typed = made[:place] + wrong + made[place + 1 :]
    if typed != made:
        with pytest.raises(BadSetting, match="mistyped"):
            read_code(typed)


@given(CHANCE)
def test_two_neighbours_in_each_others_place_always_show(chance: bytes) -> None:
    made = code(chance)
    for place, (one, other) in enumerate(pairwise(made)):
        if one != other:
            with pytest.raises(BadSetting, match="mistyped"):
                read_code(made[:place] + other + one + made[place + 2 :])


@pytest.mark.parametrize(
    ("typed", "said"),
    [("ABCD", "no code has B in it"), ("K0K0-ACDE", "no code has 0"), ("ACDE", "4 characters"), ("", "0 characters")],
)
def test_what_is_wrong_with_a_code_is_said(typed: str, said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        read_code(typed)


@given(THIRTY_TWO, THIRTY_TWO, THIRTY_TWO, THIRTY_TWO, THIRTY_TWO)
def test_a_swapped_key_changes_the_fingerprint(a: bytes, b: bytes, nonce: bytes, centre: bytes, other: bytes) -> None:
    keys = Keys(signing=text(a), sealing=text(b))
    shown = fingerprint(keys, nonce, text(centre), nonce)
    assert same_fingerprint(grouped(shown).lower(), shown)
    if other not in (a, centre):
        swapped = Keys(signing=text(other), sealing=text(b))
        assert fingerprint(swapped, nonce, text(centre), nonce) != shown
        assert fingerprint(keys, nonce, text(other), nonce) != shown
        assert commitment(swapped, nonce) != commitment(keys, nonce)


def test_an_answer_to_a_challenge_serves_for_nothing_else() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = bytes(range(32))
    public = text(Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw())
    answer = proof(text(private), "collect 1", b"challenge")
    assert is_proof(public, "collect 1", b"challenge", answer)
    assert not is_proof(public, "collect 2", b"challenge", answer)
    assert not is_proof(public, "collect 1", b"another", answer)
    assert not is_proof(text(bytes(32)), "collect 1", b"challenge", answer)


@pytest.mark.parametrize("written", ["", "short", "A" * 44, "ä" * 43, "!" * 43])
def test_what_is_no_key_is_refused(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - several ways to be wrong, one kind of error
        Keys(signing=written, sealing=written)
