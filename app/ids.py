"""Identifiers: time-ordered UUIDs in the database, prefixed strings in the APIs."""

from __future__ import annotations

import os
import secrets
import uuid
from datetime import UTC, datetime
from typing import Final

from app import clock

PAYMENT: Final = "pmt_"
TRANSACTION: Final = "txn_"
USER: Final = "usr_"
SESSION: Final = "ses_"
WALLET: Final = "acc_"
KYC_REQUEST: Final = "kyc_req_"
KYC_DOCUMENT: Final = "kyc_doc_"
EVENT: Final = "evt_"
REQUEST: Final = "req_"
PROCESSING_PAYMENT: Final = "pay_"
PROCESSING_REFUND: Final = "ref_"
"""Of payments and refunds as document 003 shows them, see `short`."""
WEBHOOK_ENDPOINT: Final = "we_"
WEBHOOK_DELIVERY: Final = "whd_"


_RANDOM_BYTES: Final = 10
_VERSION_AND_VARIANT: Final = (0xF << 76) | (0x3 << 62)
_VERSION_7: Final = (0x7 << 76) | (0x2 << 62)


def uuid7() -> uuid.UUID:
    """A UUID version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits, so indexes grow at one end."""
    (made,) = uuid7s(1)
    return made


def uuid7s(count: int) -> list[uuid.UUID]:
    """So many of one moment: one reading of the clock and of the system's randomness for all of them."""
    moment, random = int(clock.now().timestamp() * 1000) << 80, os.urandom(count * _RANDOM_BYTES)
    made = []
    for start in range(0, len(random), _RANDOM_BYTES):
        value = moment | int.from_bytes(random[start : start + _RANDOM_BYTES])
        made.append(uuid.UUID(int=value & ~_VERSION_AND_VARIANT | _VERSION_7))
    return made


def first_of(moment: datetime) -> uuid.UUID:
    """The smallest uuid7 of this moment or later: what a list "since" starts at, by primary key."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)


def moment_of(value: uuid.UUID) -> datetime:
    """When a uuid7 was made, to a millisecond, in UTC."""
    return datetime.fromtimestamp((value.int >> 80) / 1000, UTC)


def opaque() -> uuid.UUID:
    """A random UUID, which reveals no time, for ids that other parties may see (users, sessions)."""
    return uuid.uuid4()


def public(prefix: str, value: uuid.UUID) -> str:
    """`prefix` + 32 hex digits of `value`."""
    return prefix + value.hex


def parse(prefix: str, text: str) -> uuid.UUID | None:
    """The UUID behind a public id, or None when `text` is not one of this prefix, spelt exactly."""
    digits = text.removeprefix(prefix)
    if not text.startswith(prefix) or len(digits) != 32 or digits.strip("0123456789abcdef"):
        return None
    return uuid.UUID(hex=digits)


_SHORT_DIGITS: Final = 24


def short(prefix: str, value: uuid.UUID) -> str:
    """`prefix` + the first 24 hex digits of a uuid7: its moment and 42 random bits, as document 003 writes ids."""
    return prefix + value.hex[:_SHORT_DIGITS]


def of_short(prefix: str, text: str) -> tuple[uuid.UUID, uuid.UUID] | None:
    """The first and the last UUID that are written so; None when `text` is not one of this prefix, spelt exactly."""
    digits = text.removeprefix(prefix)
    if not text.startswith(prefix) or len(digits) != _SHORT_DIGITS or digits.strip("0123456789abcdef"):
        return None
    rest = 32 - _SHORT_DIGITS
    return uuid.UUID(hex=digits + "0" * rest), uuid.UUID(hex=digits + "f" * rest)


def wallet() -> str:
    """A new wallet's public id: `acc_` + 24 hex digits."""
    return WALLET + secrets.token_hex(12)
