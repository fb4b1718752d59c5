"""The values that pass between the gateway and its providers: frozen, plain, JSON-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Protocol

from app.money import Money

NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})


QUESTION: Final = "status_question"
"""In a response: the provider's id of a query that a callback will answer."""


def storable(value: Any) -> Any:
    """`value` (JSON-like) with its texts free of control characters and lone surrogates."""
    if isinstance(value, str):
        return (
            value
            if value.isprintable()
            else "".join(c if c.isprintable() or c == " " else "\ufffd" for c in value)
        )
    if isinstance(value, Mapping):
        return {storable(str(name)): storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    return value


class State(StrEnum):
    """Where a charge, refund or payout stands at the provider. `NOT_FOUND`: it knows no such reference (now).

    `PENDING`: the customer, or the provider, acts next. `IN_TRANSIT`, of a charge: the customer has paid, the money is on its way
    and may still fail to come (a bank debit).
    `REVERSED`: the provider took all of a charge away again. `REFUNDED`: all of it or a part, the provider does not say.
    """

    PENDING = "pending"
    IN_TRANSIT = "in_transit"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REVERSED = "reversed"
    REFUNDED = "refunded"
    NOT_FOUND = "not_found"


NOT_FINAL: Final = frozenset({State.PENDING, State.IN_TRANSIT, State.NOT_FOUND})
"""States that another one follows, or may follow."""


class FailureCode(StrEnum):
    """Why a payment or a refund failed, the same words for every provider (failures.py). Stable: merchants' programs decide by
    them. A new reason is a new code; none changes its meaning."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"
    INVALID_AMOUNT = "invalid_amount"
    WRONG_PIN = "wrong_pin"
    AUTHENTICATION_FAILED = "authentication_failed"
    CANCELLED_BY_CUSTOMER = "cancelled_by_customer"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    CUSTOMER_UNREACHABLE = "customer_unreachable"
    CUSTOMER_BUSY = "customer_busy"
    DUPLICATE_PAYMENT = "duplicate_payment"
    INVALID_ACCOUNT = "invalid_account"
    EXPIRED_CARD = "expired_card"
    INCORRECT_CARD = "incorrect_card"
    DECLINED = "declined"
    INVALID_REQUEST = "invalid_request"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    NOT_CONFIGURED = "not_configured"
    NOT_SENT = "not_sent"
    NOT_PAID = "not_paid"
    REVERSED = "reversed"
    RETURNED = "returned"


class Kind(StrEnum):
    """What an operation, a callback or an inquiry is about. `DISPUTE`: the customer's bank wants a payment back. `OTHER`: nothing the gateway acts on (a ping)."""

    PAYMENT = "payment"
    REFUND = "refund"
    PAYOUT = "payout"
    DISPUTE = "dispute"
    OTHER = "other"


class PayoutMethod(StrEnum):
    MPESA = "mpesa"
    TILL = "till"
    BANK = "bank_transfer"


@dataclass(frozen=True, slots=True)
class Limits:
    """Smallest and largest amount of one operation, in minor units, both allowed. None: no limit is known."""

    minimum: int = 1
    maximum: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do. Read by the services instead of the provider's name. Nothing has a default: a forgotten
    field would decide about money.

    currencies: what can be charged, and within which limits. needs: contact details a charge cannot go without
    (`phone`, `email`). countries: ISO 3166 codes where its customers are; empty: anywhere.
    whole_units: takes no fractions of the major unit.
    has_payment_page: the customer is sent to `payment_url` of the result. inquiry_kinds: the kinds it answers an inquiry for
    at once; others are answered by a callback later. is_resend_safe: sending a charge again under the same reference cannot
    charge twice. can_inquire_by_reference: a charge is found by *our* reference, even when the answer to it was lost.
    can_refund_partially: a refund may be of a part. can_refund_repeatedly: a charge may have several refunds.
    payouts: method → currencies. signs_callbacks: False means that a callback is only a hint.
    has_statement: lists what was collected (`statement`). statement_reach: how far back it goes.
    lists_refunds: reports every refund of a charge, whoever made it (`Provider.refunds_of`).
    expires_after: how long a customer may take; a charge that is pending then expires.
    horizon: how long the provider may still report about a charge whose outcome is unknown.
    costs: currency (`*`: any other) → what a charge costs, as parts per million of the amount and fixed minor units; an
    estimate to choose by where the payment leaves the provider open. moves_real_money: False for a mock, which production
    does not use unless ALLOW_TEST_PROVIDERS is set.
    """

    currencies: Mapping[str, Limits]
    needs: frozenset[str]
    countries: frozenset[str]
    whole_units: bool
    has_payment_page: bool
    inquiry_kinds: frozenset[Kind]
    is_resend_safe: bool
    can_inquire_by_reference: bool
    can_refund: bool
    can_refund_partially: bool
    can_refund_repeatedly: bool
    can_cancel: bool
    payouts: Mapping[PayoutMethod, frozenset[str]]
    signs_callbacks: bool
    has_statement: bool
    statement_reach: timedelta
    lists_refunds: bool
    expires_after: timedelta
    horizon: timedelta
    costs: Mapping[str, tuple[int, int]]
    moves_real_money: bool


@dataclass(frozen=True, slots=True)
class FreshToken:
    """An access token and how long it lives from now, in seconds."""

    token: str = field(repr=False)
    life_s: int = 0


class TokenStore(Protocol):
    """Access tokens shared by all workers: a provider may kill the old one when it gives a new one (Daraja)."""

    def get(self, key: str, fetch: Callable[[], FreshToken], *, rejected: str | None = None) -> str:
        """The shared token. `fetch` makes a new one, by one caller at a time, when there is none, it is about to end,
        or it is the `rejected` one. What `fetch` raises is raised."""
        ...


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One finished call: outcome is a `State`, `ok`, or a ProviderError's word; duration in seconds."""

    provider: str
    operation: str
    outcome: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Context:
    """What adapters get from the gateway. timeout_s: longest wait for an answer, in seconds."""

    tokens: TokenStore
    observe: Callable[[CallRecord], None]
    timeout_s: float = 20.0
    connect_timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Customer:
    """Who pays. phone: E.164 (`+254712345678`). All but what `Capabilities.needs` names may be absent."""

    phone: str | None = None
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """Ask a customer for money. reference: our key, 36 characters `[a-z0-9-]`, unique for ever; the same reference is
    the same charge. short_reference: ≤ 12 of `[A-Z0-9]`, unique per charge too, for where people or statements show a short text.
    merchant_reference: the merchant's own text for people, which other charges may have too. description: what is sold, at most
    200 characters, never blank; each adapter cuts it at its provider's limit. callback_url: holds an unguessable token of this charge. return_url: where the customer's browser goes afterwards.
    saved_details: of the customer's saved method to charge; a provider that cannot charge without the customer asks the customer
    as always. is_method_kept: the method is to be saved once it is paid, so it must be chargeable again."""

    reference: str
    short_reference: str
    amount: Money
    customer: Customer
    callback_url: str
    return_url: str
    description: str = "Payment"
    metadata: Mapping[str, Any] = field(default_factory=lambda: NO_FACTS)
    merchant_reference: str | None = None
    saved_details: Mapping[str, str] | None = field(default=None, repr=False)
    is_method_kept: bool = False


@dataclass(frozen=True, slots=True)
class ChargeReference:
    """What identifies a charge that was asked for before. provider_reference is None when the answer was lost; receipt
    is what the provider calls the finished payment (M-Pesa receipt, Stripe `pi_…`, Chapa reference, confirmation code).
    is_unattended: it charged a saved method and had no page, so no customer can try again.
    """

    reference: str
    short_reference: str
    amount: Money
    sent_at: datetime
    provider_reference: str | None = None
    receipt: str | None = None
    callback_url: str = ""
    is_unattended: bool = False


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Refund `charge`, or a part. reference: our key of this refund. refunded_before: minor units already refunded.
    callback_url: holds an unguessable token of this refund."""

    reference: str
    amount: Money
    charge: ChargeReference
    reason: str
    callback_url: str
    refunded_before: int = 0


@dataclass(frozen=True, slots=True)
class RefundReference:
    """A refund that was asked for before."""

    reference: str
    amount: Money
    charge: ChargeReference
    sent_at: datetime
    provider_reference: str | None = None
    refunded_before: int = 0
    callback_url: str = ""


@dataclass(frozen=True, slots=True)
class PayoutRequest:
    """Send money out. destination: by method, phone_number (MSISDN digits) | till_number | account_number, bank_code,
    account_name. reference: our key, 36 characters `[a-z0-9-]`; the same reference is the same payout."""

    reference: str
    amount: Money
    method: PayoutMethod
    destination: Mapping[str, str] = field(repr=False)
    callback_url: str = ""
    reason: str = "Payout"


@dataclass(frozen=True, slots=True)
class PayoutReference:
    """A payout that was asked for before."""

    reference: str
    amount: Money
    method: PayoutMethod
    sent_at: datetime
    provider_reference: str | None = None
    callback_url: str = ""


@dataclass(frozen=True, slots=True)
class ProviderResult:
    """What the provider says, now, about one charge, refund or payout.

    amount: what it says was moved or is to be moved; None when it does not say. payment_url: where to send the customer.
    code, message: the provider's code and sentence (failures). failure: the reason where the gateway itself knows it; an
    adapter leaves it out, and its table translates the code (`Provider.failures`). has_failed_try: of a PENDING charge: the
    customer's last try has failed, as code and message say, and the page takes another. response: its answer for `provider_response`:
    JSON-safe, no secret, no full account numbers.
    """

    state: State
    provider_reference: str | None = None
    receipt: str | None = None
    amount: Money | None = None
    payment_url: str | None = None
    code: str | None = None
    message: str | None = None
    failure: FailureCode | None = None
    has_failed_try: bool = False
    response: Mapping[str, Any] = field(default_factory=lambda: NO_FACTS)

    def __post_init__(self) -> None:
        """What a provider writes is kept as text that a database and a JSON document can hold."""
        for name in ("provider_reference", "receipt", "payment_url", "code", "message"):
            object.__setattr__(self, name, storable(getattr(self, name)))
        object.__setattr__(self, "response", storable(dict(self.response)))


@dataclass(frozen=True, slots=True)
class ListedRefund:
    """A refund as the provider lists it among those of a charge. reference: ours, if it carries one: refunds that were
    made in the provider's dashboard do not."""

    result: ProviderResult
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """An inbound HTTP request as it came. headers: names in lower case. body: raw bytes, what signatures are over."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class CallbackEvent:
    """What a callback is about. event_id: the same when the provider sends it again, at most 255 characters.

    reference: ours, when it is in there; of a refund that is not ours the receipt of its charge. is_verified: a signature
    over the body was checked. reported: the outcome it reports; it is believed only when the provider cannot be asked
    (`Capabilities.inquiry_kinds`) and either the signature is valid or it came to the operation's own secret callback URL.
    answer_to: the id that the provider gave a query of ours whose answer this is (`QUESTION` in that query's response).
    dispute: of a dispute the provider's id of it, where it can be queried by that. objection: why it is stored and not acted on, a sentence: it is not of the account's environment.
    """

    event_id: str
    kind: Kind
    event_type: str
    reference: str | None = None
    provider_reference: str | None = None
    is_verified: bool = False
    reported: ProviderResult | None = None
    answer_to: str | None = None
    dispute: str | None = None
    objection: str | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The HTTP answer a provider expects to its callback. body: JSON-safe, or a text."""

    status: int = 200
    body: Mapping[str, Any] | str = field(default_factory=lambda: MappingProxyType({"received": True}))


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One collection the provider lists. short_reference: the short text of the charge it belongs to, as the provider shows it."""

    short_reference: str
    receipt: str
    amount: Money
    at: datetime
