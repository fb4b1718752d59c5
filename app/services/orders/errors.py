"""Why an order cannot be made, paid or cancelled."""

from __future__ import annotations

from app.errors import GatewayError, InvalidRequest


class OrderIdTaken(InvalidRequest):
    """An order has this id; the answer does not say whose it is."""

    code = "ORDER_ID_TAKEN"
    default_message = "An order with this id exists."


class OrderNotPayable(GatewayError):
    """It is paid, refunded or cancelled. Changes nothing."""

    code = "ORDER_NOT_PAYABLE"
    default_message = "The order can no longer be paid."


class OrderNotCancellable(GatewayError):
    """A payment of it is alive or has collected, or it is cancelled. Changes nothing."""

    code = "ORDER_NOT_CANCELLABLE"
    default_message = "The order can no longer be cancelled."
