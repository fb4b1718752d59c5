"""Results of payouts that come late, twice, altered, or from foreign senders; killed processes; providers that are away."""

from __future__ import annotations

import json
import re
import uuid
from decimal import Decimal

import pytest

from app.money import Money
from app.providers.base import ProviderResult, State
from app.providers.errors import OutcomeUnknown
from app.services.operator import provider_books
from app.services.payouts import follow_up, outcomes
from app.services.provider_operations import Outcome
from app.services.withdrawals import rows as withdrawal_rows
from app.services.write_sets import store
from tests.support.concurrency import concurrently
from tests.support.withdrawals import DETAILS, WithdrawingTenant

ANSWER = ProviderResult(State.PENDING)


def _apply(tenant: WithdrawingTenant, withdrawal_id: str, outcome: Outcome, source: str = "callback") -> None:
    payout_id = tenant.payout(withdrawal_id).id
    with tenant.gateway.app.app_context():
        store.change(
            withdrawal_rows.read(payout_id=payout_id),
            lambda writes: outcomes.decide(writes, writes.rows.payout_with(payout_id), outcome),
            actor=source,
        )


def test_contradicting_results_at_once_end_it_once(tenant: WithdrawingTenant) -> None:
    """Each is applied by the state table, whichever comes first: paid once or released, never both."""
    _lose_everything(tenant)
    withdrawal_id = tenant.approved(1000)
    results = [ProviderResult(State.SUCCEEDED), ProviderResult(State.FAILED, code="1"), OutcomeUnknown()] * 5
    concurrently(len(results), lambda n: _apply(tenant, withdrawal_id, results[n]))
    after = tenant.get(withdrawal_id)["status"]
    entries = tenant.gateway.rows(
        "SELECT kind FROM entries WHERE ref_id = :id", id=tenant.payout(withdrawal_id).id
    )
    ((hold,),) = tenant.gateway.rows("SELECT state FROM holds WHERE ref_id = :id", id=withdrawal_id)
    assert (after, len(entries), hold) in (("completed", 1, "captured"), ("failed", 0, "released"))
    _forget(tenant)


def test_another_amount_is_not_posted(tenant: WithdrawingTenant) -> None:
    _lose_everything(tenant)
    withdrawal_id = tenant.approved(1000)
    _apply(tenant, withdrawal_id, ProviderResult(State.SUCCEEDED, amount=Money(96_600, "KES")))
    assert tenant.get(withdrawal_id)["status"] == "processing" and tenant.balance() == (10_000, 9000)
    assert _reviews(tenant, withdrawal_id) == ["payout_amount_mismatch"]
    _apply(tenant, withdrawal_id, ProviderResult(State.SUCCEEDED, amount=Money(96_700, "KES")))
    assert tenant.get(withdrawal_id)["status"] == "completed" and _reviews(tenant, withdrawal_id) == []
    _forget(tenant)


def test_a_returned_payout_gives_the_gross_back(tenant: WithdrawingTenant) -> None:
    withdrawal_id = tenant.approved(1000, "bank_transfer")
    assert tenant.settle(withdrawal_id)["status"] == "completed"
    payout_id = tenant.payout(withdrawal_id).id
    with tenant.gateway.app.app_context():
        for _ in range(2):
            store.change(
                withdrawal_rows.read(payout_id=payout_id),
                lambda writes: outcomes.mark_returned(writes, writes.rows.payout_with(payout_id)),
                actor="callback",
            )
    after = tenant.get(withdrawal_id)
    assert (after["status"], after["failure_code"]) == ("failed", "returned")
    assert tenant.balance() == (10_000, 10_000)


@pytest.mark.parametrize("method", DETAILS)
def test_a_provider_that_is_away_is_a_failure_at_once(tenant: WithdrawingTenant, method: str) -> None:
    """Nothing left this machine: the answer of document 002, and the hold is released."""
    withdrawal_id = tenant.requested(1000, method)
    tenant.gateway.sandbox.kill()
    try:
        answer = tenant.approve(withdrawal_id)
    finally:
        tenant.gateway.sandbox.start()
    assert answer.status_code == 500
    assert answer.json()["error"] == "Failed to process withdrawal"
    assert answer.json()["details"]["message"] == "The provider is not available at the moment."
    assert tenant.get(withdrawal_id)["status"] == "failed" and tenant.balance() == (10_000, 10_000)
    assert tenant.approve(withdrawal_id).json() == {"error": "Transaction is not pending (status: failed)"}


@pytest.mark.parametrize("method", DETAILS)
def test_a_process_that_dies_while_sending_leaves_it_to_the_job(
    tenant: WithdrawingTenant, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider has done it, and whoever called is dead before anything was written."""
    withdrawal_id = tenant.requested(1000, method)

    class Killed(BaseException):
        """Not an Exception: nothing handles it."""

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(follow_up.Payouts, "settle", die)
        with tenant.gateway.app.app_context(), pytest.raises(Killed):
            _approve_in_process(tenant, withdrawal_id)
    assert tenant.payout(withdrawal_id).state == "sending" and tenant.balance() == (10_000, 9000)
    assert tenant.settle(withdrawal_id)["status"] == "completed"
    assert len(tenant.paid(withdrawal_id)) == 1
    tenant.gateway.assert_ledger_matches_providers()


def _approve_in_process(tenant: WithdrawingTenant, withdrawal_id: str) -> None:
    from app.api.tenant.views_withdrawals import approved
    from app.principal import Principal
    from app.services.idempotency_service import Claim
    from app.services.withdrawals.approve import approve

    user = tenant.manager.user
    manager = Principal.of_member(tenant.merchant.tenant_id, user.user_id, user.session_id, None)
    approve(manager, uuid.UUID(withdrawal_id), Claim(uuid.uuid4(), b"", "", approved))


def test_strangers_results_change_nothing(tenant: WithdrawingTenant) -> None:
    """Without the secret end of its URL a result of M-Pesa's is nothing."""
    _lose_everything(tenant)
    withdrawal_id = tenant.approved(1000)
    payout = tenant.payout(withdrawal_id)
    result = {
        "Result": {
            "ResultType": 0,
            "ResultCode": 1,
            "ResultDesc": "The balance is insufficient for the transaction.",
            "OriginatorConversationID": payout.reference,
            "ConversationID": payout.provider_reference,
            "TransactionID": "NLJ41HAY6Q",
        }
    }
    for path in (
        "/webhooks/mpesa",
        f"/webhooks/mpesa/{'x' * 32}",
        f"/webhooks/mpesa/{payout.callback_token}",
    ):
        answer = tenant.gateway.http.post(
            f"{tenant.gateway.url}{path}?notice=payout",
            data=json.dumps(result),
            headers={"Content-Type": "application/json"},
            timeout=30,
        )
        assert answer.status_code in (200, 401, 404), answer.text
    tenant.gateway.run_due()
    assert tenant.get(withdrawal_id)["status"] == "processing"
    _forget(tenant)
    assert tenant.settle(withdrawal_id)["status"] == "completed"
    assert tenant.paid(withdrawal_id) == [Decimal(967)]


def _lose_everything(tenant: WithdrawingTenant) -> None:
    """Results are not delivered until `_forget`."""
    tenant.gateway.sandbox.control({"rules": [{"fault": "callback_lost", "operation": "callback"}]})


def _forget(tenant: WithdrawingTenant) -> None:
    tenant.gateway.sandbox.control({"rules": []})


def _reviews(tenant: WithdrawingTenant, withdrawal_id: str) -> list[str]:
    rows = tenant.gateway.rows(
        "SELECT reason FROM withdrawal_reviews WHERE withdrawal_id = :id AND closed_at IS NULL",
        id=withdrawal_id,
    )
    return [row.reason for row in rows]


def test_what_an_operator_decides_ends_it_once(
    tenant: WithdrawingTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payout without an answer, by the way that cannot be queried; and one that was paid although it had failed."""
    runner = tenant.gateway.app.test_cli_runner()

    monkeypatch.setattr(provider_books, "PATIENCE_S", 0)

    def flask(*words: str) -> str:
        return runner.invoke(args=["withdrawals", *words]).output

    def check() -> str:
        return runner.invoke(args=["ledger", "check"]).output

    assert "books agree" in check()

    lost = [{"fault": "drop", "operation": "b2b", "provider": "mpesa", "times": 1}]
    tenant.gateway.sandbox.control({"rules": [*lost, {"fault": "callback_lost", "operation": "callback"}]})
    withdrawal_id = tenant.approved(1000, "till")
    assert tenant.settle(withdrawal_id)["status"] == "processing"
    _forget(tenant)
    assert "clearing equals the simulator's book: mpesa:KES" in check(), "it has paid, and we do not know"
    assert f"payout_unknown  {withdrawal_id}" in flask("in-review")
    assert "under review (payout_unknown)" in flask("show", withdrawal_id)
    metrics = tenant.gateway.http.get(
        tenant.gateway.url.removesuffix("/api/v1") + "/metrics", timeout=30
    ).text
    assert re.search(r"^malipo_withdrawals_waiting [1-9]", metrics, re.MULTILINE)
    assert "closes when the payout ends" in flask(
        "close-review", withdrawal_id, "payout_unknown", "--remark", "x"
    )
    assert flask("resolve", withdrawal_id, "--failed") == "The withdrawal is failed.\n"
    assert "final" in flask("resolve", withdrawal_id, "--paid")
    assert tenant.balance() == (10_000, 10_000)
    # The dashboard was read wrongly: the provider has paid.
    _apply(tenant, withdrawal_id, ProviderResult(State.SUCCEEDED))
    assert _reviews(tenant, withdrawal_id) == ["paid_after_failure"]
    assert tenant.get(withdrawal_id)["status"] == "failed"
    assert flask("record-paid", withdrawal_id) == "The withdrawal is completed.\n"
    assert "Only a payout that has failed" in flask("record-paid", withdrawal_id)
    assert tenant.balance() == (9000, 9000) and _reviews(tenant, withdrawal_id) == []
    tenant.gateway.assert_ledger_matches_providers()
    assert "books agree" in check()
    assert flask("record-return", withdrawal_id) == "The withdrawal is failed.\n"
    assert tenant.balance() == (10_000, 10_000)
    assert "Only a payout that has failed" in flask("record-paid", withdrawal_id)
