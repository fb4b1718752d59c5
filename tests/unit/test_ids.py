"""Public ids say what they are and parse back only when spelt exactly."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from app import clock, ids


def test_a_public_id_parses_back() -> None:
    value = ids.uuid7()
    assert ids.parse(ids.PAYMENT, ids.public(ids.PAYMENT, value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pmt_",
        "pmt_0195f3a0b1c27d8e9f0011223344556",
        "pmt_0195f3a0b1c27d8e9f001122334455667",
        "pmt_0195F3A0B1C27D8E9F00112233445566",
        "txn_0195f3a0b1c27d8e9f00112233445566",
        "0195f3a0b1c27d8e9f00112233445566",
        "pmt_0195f3a0-b1c2-7d8e-9f00-112233445566",
        "pmt_0195f3a0b1c27d8e9f0011223344556g",
        "pmt_pmt_0195f3a0b1c27d8e9f00112233445566",
        " pmt_0195f3a0b1c27d8e9f00112233445566",
        "pmt_0195f3a0b1c27d8e9f00112233445566\n",
        "pmt_{0195f3a0b1c27d8e9f001122334455}",
        "pmt_+195f3a0b1c27d8e9f0011223344556",
        "pmt_０195f3a0b1c27d8e9f0011223344556",
    ],
)
def test_other_spellings_of_an_id_are_refused(text: str) -> None:
    """Breaks when parsing is left to uuid.UUID, which takes braces, dashes and upper case."""
    assert ids.parse(ids.PAYMENT, text) is None


def test_uuid7_grows_and_says_its_version() -> None:
    made = [ids.uuid7() for _ in range(2000)]
    assert len(set(made)) == len(made)
    assert {(value.version, value.variant) for value in made} == {(7, uuid.RFC_4122)}
    moments = [value.int >> 80 for value in made]
    assert moments == sorted(moments)


def test_public_ids_reveal_nothing() -> None:
    assert ids.opaque().version == 4
    assert len({ids.wallet() for _ in range(1000)}) == 1000


def test_new_ids_have_the_time_of_the_applications_clock() -> None:
    """Breaks when ids are made from another clock than the times beside them: lists "since" a moment would miss some."""
    clock.travel(timedelta(days=40))
    moment = clock.now()
    assert ids.first_of(moment) <= ids.uuid7() <= ids.first_of(moment + timedelta(seconds=5))
