"""Passwords: strength, argon2id, and no difference between a wrong password and an unknown user."""

from __future__ import annotations

import time

import pytest
from argon2 import PasswordHasher

from app.errors import InvalidRequest, WeakPassword
from app.services.identity import passwords

GOOD = "SecurePass123!"


@pytest.mark.parametrize("password", [GOOD, "Aa1!aaaa", "Ünïcode1§x", "Aa1 !aaa", "A" * 252 + "a1!x"])
def test_strong_enough(password: str) -> None:
    passwords.check_strength(password)


@pytest.mark.parametrize(
    "password",
    ["", "Aa1!aaa", "securepass123!", "SECUREPASS123!", "SecurePass!!!", "SecurePass123", "Secure Pass 123"],
)
def test_too_weak(password: str) -> None:
    with pytest.raises(WeakPassword) as caught:
        passwords.check_strength(password)
    assert caught.value.field == "password"


def test_too_long_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(InvalidRequest):
        passwords.check_strength("Aa1!" + "a" * passwords.MAX_LENGTH)


def test_hash_is_salted_argon2id_with_the_stated_parameters() -> None:
    first, second = passwords.hash_password(GOOD), passwords.hash_password(GOOD)
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert GOOD not in first


def test_only_the_right_password_is_correct() -> None:
    known = passwords.hash_password(GOOD)
    assert passwords.is_correct(GOOD, known)
    assert not passwords.is_correct(GOOD + " ", known)
    assert not passwords.is_correct("", known)


def test_same_letters_composed_otherwise_are_the_same_password() -> None:
    known = passwords.hash_password("Caf\u00e9-1234")
    assert passwords.is_correct("Cafe\u0301-1234", known)


@pytest.mark.parametrize("broken", ["", "plain", "$argon2id$v=19$m=1"])
def test_broken_hash_is_refused(broken: str) -> None:
    assert not passwords.is_correct("", broken)
    assert not passwords.is_correct(broken, broken)


def test_unknown_user_takes_as_long_as_a_wrong_password() -> None:
    assert not passwords.is_correct("nobody", None)
    known = passwords.hash_password(GOOD)
    wrong, unknown = (min(_seconds(hash_) for _ in range(5)) for hash_ in (known, None))
    assert unknown > wrong / 2


def _seconds(password_hash: str | None) -> float:
    start = time.thread_time()
    passwords.is_correct("Wrong-1234", password_hash)
    return time.thread_time() - start


def test_hashes_of_other_parameters_are_outdated() -> None:
    assert not passwords.is_outdated(passwords.hash_password(GOOD))
    assert passwords.is_outdated(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD))
