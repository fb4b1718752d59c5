"""What the contract suite must know of one provider: a `ContractCase`, kept in `cases/<name>.py` (or several there)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Final

from app.money import Money
from app.providers import PROVIDERS
from app.providers.base import Callback, ChargeRequest, Customer, PayoutMethod, Provider

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def nothing() -> Mapping[str, Any]:
    return NOTHING


Word = Callable[[dict[str, Any]], None]
"""Puts an unknown status into an answer's JSON."""

PACKAGE: Final = "tests.providers.contract.cases"


@dataclass(frozen=True, kw_only=True)
class ContractCase:
    """One provider, on one kind of account.

    settings: what the simulator accepts. wrong_settings: those of them that make it refuse us. currency, customer: of a
    charge where a test does not care. refused, refused_settings: make a charge that the provider cannot take.
    variant: distinguishes several cases of one provider. operations: `charge`, `inquire`, `refund`, `pay_out`… → the
    simulator's word for it in a fault rule. paths: the same operations (`token`, too) → a regular expression of the
    request ("POST /chapa/v1/refund/…") whose answer reports the outcome; empty: the provider is in this process.
    unknown_words: operation → what makes its answer's status unheard of. own_reference: where an inquiry's answer names
    our reference; empty: nowhere. destinations: where payouts go, one for every
    declared method and currency. metadata: of charges.

    amounts: of a provider in this process: fault → amount in major units that causes it. callback: what plays a
    provider that sends no callbacks by itself: (provider, charge) → a callback about its success.
    has_tokens: a rejected access token is replaced, and the call repeated. shows_page: False where this kind of account
    does without the payment page of `capabilities`. may_try_again: after a refusal the payment stays open for another
    try of the customer's. remembers: False for a provider that answers by the request alone.
    unkeyed_payouts: methods for which the provider takes no reference, so a repetition pays twice.

    live_settings: of a live account, like real ones; the simulator takes them once it has them as its credentials.
    modes: operation → the member of its answer that says whether it is about live money, and its value then.
    may_omit_mode: the provider does not promise the member. without_modes: why no answer of this provider has one.
    """

    provider: type[Provider]
    settings: Mapping[str, str]
    currency: str
    customer: Customer
    refused: Callable[[ChargeRequest], ChargeRequest] = lambda request: request
    refused_settings: Mapping[str, str] = field(default_factory=nothing)
    wrong_settings: Mapping[str, str] = field(default_factory=nothing)
    variant: str = ""
    operations: Mapping[str, str] = field(default_factory=nothing)
    paths: Mapping[str, str] = field(default_factory=nothing)
    unknown_words: Mapping[str, Word] = field(default_factory=nothing)
    refusal: tuple[int, Any] = (400, None)
    own_reference: tuple[str, ...] = ()
    destinations: Mapping[tuple[PayoutMethod, str], Mapping[str, str]] = field(default_factory=nothing)
    metadata: Mapping[str, Any] = field(default_factory=nothing)
    amounts: Mapping[str, str] = field(default_factory=nothing)
    callback: Callable[[Provider, ChargeRequest], Callback] | None = None
    has_tokens: bool = False
    shows_page: bool = True
    may_try_again: bool = False
    remembers: bool = True
    unkeyed_payouts: frozenset[PayoutMethod] = frozenset()
    live_settings: Mapping[str, str] = field(default_factory=nothing)
    modes: Mapping[str, tuple[tuple[str, ...], object]] = field(default_factory=nothing)
    may_omit_mode: bool = False
    without_modes: str = ""

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def id(self) -> str:
        return f"{self.name}-{self.variant}" if self.variant else self.name

    @property
    def is_remote(self) -> bool:
        """Spoken to over HTTP."""
        return bool(self.paths)


def found() -> dict[str, tuple[ContractCase, ...]]:
    """Provider → its cases (`CASES` of its module), for every provider of the registry that has some."""
    modules = {name: f"{PACKAGE}.{name}" for name in PROVIDERS}
    return {name: import_module(path).CASES for name, path in modules.items() if find_spec(path)}


def every() -> list[ContractCase]:
    return [case for cases in found().values() for case in cases]


def of_amount(major: str, currency: str) -> Callable[[ChargeRequest], ChargeRequest]:
    """For `refused`: the same charge of an amount the provider does not take."""
    return lambda request: replace(request, amount=Money.parse(major, currency))


def without(*path: str) -> Word:
    """For `modes`: remove the member at `path`."""

    def remove(body: dict[str, Any]) -> None:
        *way, last = path
        for name in way:
            body = body[name]
        del body[last]

    return remove


def set_in(*path: str, to: object) -> Word:
    """For `unknown_words`: set the member at `path`."""

    def put(body: dict[str, Any]) -> None:
        *way, last = path
        for name in way:
            body = body[name]
        assert last in body, f"the answer has no {'.'.join(path)} any more"
        body[last] = to

    return put
