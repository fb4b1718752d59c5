"""Names of Socket.IO rooms (document 001): one spelling for the relay that pushes and the server that joins."""

from __future__ import annotations

# No two kinds of room share a beginning: what a merchant calls a customer can never name somebody else's room.


def transaction_room(public_id: str) -> str:
    """The room of one payment, by the id its owner sees."""
    return f"transaction_{public_id}"


def user_room(public_id: str) -> str:
    """The room of one user of the Wallet API (`usr_…`)."""
    return f"user_{public_id}"


def customer_room(tenant_id: str, customer_id: str) -> str:
    """The room of one customer of a tenant, by the id the merchant chose. It says nothing about any user."""
    return f"customer_{tenant_id}_{customer_id}"
