"""What runs once a day by itself: lost work is taken up again, and books that disagree are told."""

from __future__ import annotations

from sqlalchemy import text

from app import clock
from app.unit_of_work import transaction
from app.worker.runner import start_recurring
from tests.faults.payments.expectations import rules
from tests.faults.payments.truth import operator
from tests.support.world import World

DAY_S = 86_400


def _start(world: World) -> None:
    """As in a new installation."""
    _change(world, "DELETE FROM jobs WHERE kind = 'reconciliation.daily'")
    _start_again(world)


def _start_again(world: World) -> None:
    with world.app.app_context():
        start_recurring()


def _due(world: World) -> int:
    return int(
        world.rows("SELECT count(*) FROM jobs WHERE kind = 'reconciliation.daily' AND state = 'due'")[0][0]
    )


def _change(world: World, statement: str, **values: object) -> None:
    with world.app.app_context():
        transaction(lambda session: session.execute(text(statement), values))


def test_there_is_one_however_often_the_house_starts(world: World) -> None:
    _start(world)
    _start_again(world)
    assert _due(world) == 1
    world.advance(DAY_S + 1)
    world.run_due()
    assert _due(world) == 1
    ((run_at,),) = world.rows("SELECT run_at FROM jobs WHERE kind = 'reconciliation.daily' AND state = 'due'")
    assert run_at > clock.now(), "due again tomorrow"


def test_a_payment_whose_job_was_lost_is_taken_up(world: World) -> None:
    """Breaks when nothing but an operator's command notices that nobody works on a payment any more."""
    _start(world)
    world.sandbox.control({"rules": rules("answer and callback dropped", "paystack")})
    payment_id = world.begin("paystack", 50)
    (attempt,) = world.attempts(payment_id)
    _change(world, "DELETE FROM jobs WHERE ref = :ref", ref=str(attempt.id))
    assert world.settle(payment_id, hours=1)["status"] == "processing"
    world.advance(DAY_S)
    assert world.settle(payment_id, hours=2)["status"] == "completed"
    world.assert_books_agree()


def test_books_that_disagree_are_told(world: World) -> None:
    payment_id = world.begin("paystack", 50)
    assert world.settle(payment_id)["status"] == "completed"
    _start(world)
    told = "SELECT count(*) FROM outbox WHERE type = 'ledger.disagrees'"
    before = world.rows(told)[0][0]
    _change(world, "UPDATE payments SET refund_reserved = 1 WHERE id = :id", id=payment_id)
    world.advance(DAY_S + 1)
    world.run_due()
    assert world.rows(told)[0][0] == before + 1
    data = world.rows("SELECT data FROM outbox WHERE type = 'ledger.disagrees' ORDER BY id DESC LIMIT 1")[0][
        0
    ]
    assert payment_id in data["findings"][0]
    _change(world, "UPDATE payments SET refund_reserved = 0 WHERE id = :id", id=payment_id)
    assert "clean" in operator(world, "ledger", "check")
