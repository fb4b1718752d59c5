"""Data at rest opens only for its own purpose and row, and with a key that is still listed."""

from __future__ import annotations

import uuid

import pytest
from cryptography.fernet import Fernet

from app import create_app
from app.config.setting import ConfigError
from app.crypto import CannotOpen, Sealer

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
ROW = uuid.uuid4()


def test_opens_what_it_sealed() -> None:
    sealed = Sealer(OLD).seal(b"secret", purpose="kyc.details", row_id=ROW)
    assert b"secret" not in sealed
    assert Sealer(OLD).open(sealed, purpose="kyc.details", row_id=ROW) == b"secret"


def test_keeps_empty_and_binary_content() -> None:
    for plain in (b"", b"\0", bytes(range(256))):
        sealed = Sealer(OLD).seal(plain, purpose="p", row_id=ROW)
        assert Sealer(OLD).open(sealed, purpose="p", row_id=ROW) == plain


def test_ciphertext_moved_to_another_row_does_not_open() -> None:
    sealed = Sealer(OLD).seal(b"secret", purpose="kyc.details", row_id=ROW)
    with pytest.raises(CannotOpen, match="not sealed for"):
        Sealer(OLD).open(sealed, purpose="kyc.details", row_id=uuid.uuid4())


@pytest.mark.parametrize("other", ["kyc.document", "kyc.detail", "kyc.details2", ""])
def test_ciphertext_does_not_open_for_another_purpose(other: str) -> None:
    sealed = Sealer(OLD).seal(b"secret", purpose="kyc.details", row_id=ROW)
    with pytest.raises(CannotOpen):
        Sealer(OLD).open(sealed, purpose=other, row_id=ROW)


def test_altered_ciphertext_does_not_open() -> None:
    sealed = bytearray(Sealer(OLD).seal(b"secret", purpose="p", row_id=ROW))
    sealed[40] ^= 1
    with pytest.raises(CannotOpen):
        Sealer(OLD).open(bytes(sealed), purpose="p", row_id=ROW)


def test_keys_rotate_without_losing_what_the_old_one_sealed() -> None:
    old = Sealer(OLD).seal(b"secret", purpose="p", row_id=ROW)
    both = Sealer(f"{NEW},{OLD}")
    assert both.open(old, purpose="p", row_id=ROW) == b"secret"
    fresh = both.rotate(old)
    assert Sealer(NEW).open(fresh, purpose="p", row_id=ROW) == b"secret"
    with pytest.raises(CannotOpen):
        Sealer(OLD).open(fresh, purpose="p", row_id=ROW)
    with pytest.raises(CannotOpen):
        Sealer(NEW).rotate(old)


def test_seals_under_the_newest_key() -> None:
    sealed = Sealer(f"{NEW}, {OLD}").seal(b"secret", purpose="p", row_id=ROW)
    assert Sealer(NEW).open(sealed, purpose="p", row_id=ROW) == b"secret"


@pytest.mark.parametrize("keys", ["", " , ", "short", "x" * 44, "A" * 43 + "=,nonsense"])
def test_unusable_keys_are_refused_without_being_shown(keys: str) -> None:
    with pytest.raises(ConfigError, match="ENCRYPTION_KEY") as caught:
        Sealer(keys)
    assert OLD not in str(caught.value)


def test_an_unusable_key_stops_the_start(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="ENCRYPTION_KEY"):
        create_app(settings | {"ENCRYPTION_KEY": "k" * 50})
