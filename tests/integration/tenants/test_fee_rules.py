"""Fees as rows: the plans' own, exceptions for a tenant, a provider, a currency or a band, and the commands."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from flask import Flask

from app.errors import InvalidRequest, NotFound
from app.money import Money
from app.services import reference_data
from app.services.tenants import fees
from app.services.tenants.fees import Match
from tests.support.tenants import MerchantClient, make_merchant


@pytest.fixture(autouse=True)
def rules_put_back(app: Flask) -> Iterator[None]:
    """Rules for all tenants would affect other tests."""
    with app.app_context():
        before = {rule.id for rule in fees.rules()}
        yield
        for rule in fees.rules():
            if rule.id not in before:
                fees.remove_rule(rule.id)


def _fee(
    app: Flask, merchant: MerchantClient, amount: int, *, provider: str = "mpesa", currency: str = "KES"
) -> int:
    with app.app_context():
        return reference_data.latest().payment_fee(merchant.tenant_id, provider, Money(amount, currency))


def _set(app: Flask, match: Match, *, fixed: int = 0, ppm: int = 0) -> uuid.UUID:
    with app.app_context():
        return fees.set_rule(match, fixed_minor=fixed, rate_ppm=ppm)


@pytest.mark.parametrize(("plan", "fee"), [("starter", 0), ("growth", 3500), ("enterprise", 2500)])
def test_every_installation_starts_with_the_plans_fees(app: Flask, plan, fee: int) -> None:
    assert _fee(app, make_merchant(app, plan=plan), 100_000) == fee


def test_half_a_unit_is_rounded_up(app: Flask, merchant: MerchantClient) -> None:
    assert [_fee(app, merchant, amount) for amount in (14, 15, 100, 1)] == [
        0,
        1,
        4,
        0,
    ]  # 0.49, 0.525, 3.5, 0.035


def test_the_most_specific_rule_decides(app: Flask, merchant: MerchantClient) -> None:
    other = make_merchant(app)
    _set(app, Match(provider="mpesa"), ppm=90_000)
    assert (
        _fee(app, merchant, 10_000) == 350
    )  # the plan's rule is more specific than a rule for all tenants, at any provider
    _set(app, Match(plan="growth", provider="mpesa"), ppm=80_000)
    assert _fee(app, merchant, 10_000) == 800
    _set(app, Match(plan="growth", provider="mpesa", currency="KES"), ppm=70_000)
    assert _fee(app, merchant, 10_000) == 700
    _set(app, Match(plan="growth", currency="KES"), ppm=60_000)
    assert _fee(app, merchant, 10_000) == 700  # the provider goes before the currency
    assert _fee(app, merchant, 10_000, provider="chapa") == 600
    band = Match(plan="growth", provider="mpesa", currency="KES", from_minor=10_000, below_minor=20_000)
    _set(app, band, fixed=5)
    assert [_fee(app, merchant, amount) for amount in (9_999, 10_000, 19_999, 20_000)] == [700, 5, 5, 1400]
    _set(app, Match(tenant_id=merchant.tenant_id), ppm=10_000)
    assert _fee(app, merchant, 10_000) == 100
    assert _fee(app, other, 10_000) == 5


def _withdrawal_fee(app: Flask, merchant: MerchantClient, method: str, amount: Money) -> int:
    with app.app_context():
        return reference_data.latest().withdrawal_fee(merchant.tenant_id, method, amount)


def test_every_installation_starts_with_the_fees_of_withdrawals(app: Flask, merchant: MerchantClient) -> None:
    """Document 002's, for shillings; a fee may be more than what is withdrawn, which is refused with the fee."""
    found = {
        method: _withdrawal_fee(app, merchant, method, Money(100_000, "KES"))
        for method in ("mpesa", "till", "bank_transfer")
    }
    assert found == {"mpesa": 3300, "till": 2700, "bank_transfer": 5000}
    assert _withdrawal_fee(app, merchant, "mpesa", Money(1_000, "KES")) == 3300
    assert _withdrawal_fee(app, merchant, "mpesa", Money(100_000, "USD")) == 0


def test_a_withdrawals_method_is_more_specific_than_its_currency_or_band(
    app: Flask, merchant: MerchantClient
) -> None:
    own, amount = {"operation": "withdrawal", "tenant_id": merchant.tenant_id}, Money(10_000, "KES")
    for match, fixed in (({}, 0), ({"currency": "KES"}, 7), ({"currency": "KES", "below_minor": 20_000}, 8)):
        _set(app, Match(**own, **match), fixed=fixed)
    assert _withdrawal_fee(app, merchant, "mpesa", amount) == 8
    _set(app, Match(**own, method="mpesa"), ppm=10_000)
    found = [_withdrawal_fee(app, merchant, method, amount) for method in ("mpesa", "till")]
    assert found == [100, 8]
    assert _withdrawal_fee(app, make_merchant(app), "mpesa", amount) == 3300
    assert _fee(app, merchant, 10_000) == 350  # payments are another operation


def test_a_fee_is_never_more_than_the_amount(app: Flask, merchant: MerchantClient) -> None:
    _set(app, Match(tenant_id=merchant.tenant_id, currency="KES"), fixed=3300, ppm=20_000)
    assert [_fee(app, merchant, amount) for amount in (1, 3300, 3400, 100_000)] == [1, 3300, 3368, 5300]


def test_rules_of_withdrawals_and_methods_are_not_for_payments(app: Flask, merchant: MerchantClient) -> None:
    _set(app, Match(tenant_id=merchant.tenant_id, operation="withdrawal"), ppm=500_000)
    _set(app, Match(tenant_id=merchant.tenant_id, method="mpesa"), ppm=500_000)
    _set(app, Match(tenant_id=make_merchant(app).tenant_id), ppm=500_000)
    assert _fee(app, merchant, 10_000) == 350


def test_setting_the_same_match_again_replaces_the_rule(app: Flask, merchant: MerchantClient) -> None:
    match = Match(tenant_id=merchant.tenant_id, provider="mpesa")
    first, second = _set(app, match, ppm=10_000), _set(app, match, ppm=20_000)
    assert _fee(app, merchant, 10_000) == 200
    with app.app_context():
        known = {rule.id for rule in fees.rules()}
        assert second in known and first not in known
        fees.remove_rule(second)
        with pytest.raises(NotFound):
            fees.remove_rule(second)
    assert _fee(app, merchant, 10_000) == 350


@pytest.mark.parametrize(
    ("match", "fixed", "ppm"),
    [
        (Match(operation="gift"), 0, 0),
        (Match(plan="free"), 0, 0),
        (Match(), 5, 0),
        (Match(currency="KES"), -1, 0),
        (Match(), 0, 1_000_001),
        (Match(), 0, -1),
        (Match(currency="KES", from_minor=5, below_minor=5), 0, 0),
        (Match(below_minor=5), 0, 0),
        (Match(currency="XXX"), 0, 0),
        (Match(currency="KES", from_minor=-1), 0, 0),
        (Match(provider="mpessa"), 0, 1),
        (Match(operation="withdrawal", method="cheque"), 0, 1),
        (Match(operation="withdrawal", provider="mpesa"), 0, 1),
        (Match(tenant_id=uuid.UUID(int=7)), 0, 1),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(app: Flask, match: Match, fixed: int, ppm: int) -> None:
    with pytest.raises(InvalidRequest):
        _set(app, match, fixed=fixed, ppm=ppm)


def test_the_commands(app: Flask, merchant: MerchantClient) -> None:
    run = app.test_cli_runner().invoke
    conditions = f"--tenant {merchant.tenant_id} --provider mpesa --currency kes --from 10 --below 1000.00"
    made = run(args=f"fees set {conditions} --fixed 0.50 --rate 1.25".split())
    rule_id = re.fullmatch(r"Rule (\S+) is in force\.\n", made.output)
    assert rule_id, made.output
    assert _fee(app, merchant, 10_000) == 50 + 125
    listed = run(args=["fees", "list"]).output
    line = next(line for line in listed.splitlines() if line.startswith(rule_id[1]))
    assert line.endswith(
        f"payment  tenant={merchant.tenant_id} provider=mpesa currency=KES from=10.00 below=1000.00  0.50 + 1.25 %"
    )
    assert "plan=growth  3.5 %" in listed
    assert run(args=["fees", "remove", rule_id[1]]).exit_code == 0
    assert run(args=["fees", "remove", rule_id[1]]).output.startswith("Error: ")


def test_the_commands_for_withdrawals(app: Flask, merchant: MerchantClient) -> None:
    words = f"fees set --operation withdrawal --method till --currency KES --fixed 12 --tenant {merchant.tenant_id}"
    assert app.test_cli_runner().invoke(args=words.split()).exit_code == 0
    assert _withdrawal_fee(app, merchant, "till", Money(10_000, "KES")) == 1200


@pytest.mark.parametrize(
    "words",
    [
        "--rate many",
        "--rate 101",
        "--fixed 5",
        "--rate 1e999999",
        "--rate 1e-1999999",
        f"--rate {'9' * 5000}",
        "--currency KES --fixed 0.001",
        "",
        "--provider stripe",
        "--method mpesa --rate 1",
        "--provider visa --rate 1",
        "--operation withdrawal --method cheque --rate 1",
        "--operation withdrawal --provider mpesa --rate 1",
    ],
    ids=lambda words: words[:60],
)
def test_a_rule_that_the_command_refuses(app: Flask, words: str) -> None:
    refused = app.test_cli_runner().invoke(args=["fees", "set", *words.split()])
    assert refused.exit_code == 1 and refused.output.startswith("Error: ")
