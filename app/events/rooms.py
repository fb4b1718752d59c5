"""Names of Socket.IO rooms (document 001): one spelling for the relay that pushes and the server that joins."""

from __future__ import annotations


def transaction_room(public_id: str) -> str:
    """The room of one payment, by the id its owner sees."""
    return f"transaction_{public_id}"


def user_room(public_id: str) -> str:
    """The room of one user of the Wallet API (`usr_…`)."""
    return f"user_{public_id}"
