"""Why a withdrawal cannot be read, approved, cancelled or paid."""

from __future__ import annotations

from app.errors import GatewayError, NotFound


class WithdrawalNotFound(NotFound):
    """The withdrawal does not exist or belongs to another tenant."""

    code = "WITHDRAWAL_NOT_FOUND"


class NotApprovable(GatewayError):
    """The withdrawal's status, or what others have approved, does not allow this approval. Changes nothing."""

    code = "NOT_APPROVABLE"
    default_message = "The withdrawal cannot be approved."
    is_answer = True


class FourEyesViolation(GatewayError):
    code = "FOUR_EYES"
    default_message = "Approver must be different from initiator (four-eyes approval)"
    is_answer = True


class WithdrawalNotCancelable(GatewayError):
    code = "WITHDRAWAL_NOT_CANCELABLE"
    default_message = "The withdrawal cannot be canceled."
    is_answer = True
