import pytest
from tests.support.world import HTTP_PROVIDERS
from app import clock
from datetime import timedelta

def show(world, pid, tag):
    p = world.payment(pid)
    print("\nXX", tag, p["status"], p["review"], p["failure_reason"], p["refunded_amount"], [(e["kind"], e["amount"]) for e in world.book(pid)],
        [(a.state, a.error_code, a.sendings, a.inquiries) for a in world.attempts(pid)],
        world.rows("SELECT state, error_code, inquiries, provider_reference FROM refunds WHERE payment_id=:i", i=pid))

@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
@pytest.mark.parametrize("fault", ["none", "drop", "after", "before", "callback_lost", "callback_copies"])
def test_refund(world, provider, fault):
    pid = world.begin(provider, 100)
    world.settle(pid)
    op = "reversal" if provider == "mpesa" else "refund"
    if fault != "none":
        world.sandbox.control({"rules": [{"fault": fault, "provider": provider, "operation": op}]})
    before = len(world.sandbox.book(provider)["entries"])
    a = world.refund(pid)
    print(a.status_code, a.json().get("data", a.json()))
    world.settle(pid, until=("refunded",), hours=80)
    show(world, pid, ("refund", provider, fault))
    print("book", world.sandbox.book(provider)["entries"][before:])
    try: world.assert_books_agree()
    except AssertionError as e: print("DISAGREE", e)

@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
@pytest.mark.parametrize("fault", ["drop", "after", "beforeonce", "reorder", "7103", "7102","7101"])
def test_charge(world, provider, fault):
    amount = 100
    if fault in ("drop", "after"):
        world.sandbox.control({"rules": [{"fault": fault, "provider": provider, "times": 1}, {"fault": "callback_lost", "provider": provider, "operation": "callback"}]})
    elif fault == "beforeonce":
        world.sandbox.control({"rules": [{"fault": "before", "provider": provider, "times": 1}]})
    elif fault == "reorder":
        amount = 7012
    else: amount = int(fault)
    pid = world.begin(provider, amount)
    world.settle(pid, hours=80)
    show(world, pid, ("charge", provider, fault))
    try: world.assert_books_agree()
    except AssertionError as e: print("DISAGREE", e)

@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_late(world, provider):
    world.sandbox.control({"autopay_s": 20, "rules": [{"fault": "before", "provider": p, "operation": o} for p, o in (("stripe", "expire"), ("pesapal", "cancel"))]})
    pid = world.begin(provider, 100)
    world.quiet(); world.run_due()
    for _ in range(40):
        clock.travel(timedelta(minutes=50))
        world.run_due()
        if world.payment(pid)["status"] != "processing": break
    show(world, pid, ("late0", provider))
    clock.reset()
    world.sandbox.control({"advance_s": 21})
    world.quiet(); world.run_due(); world.quiet(); world.run_due()
    show(world, pid, ("late1", provider))
    print(world.sandbox.callbacks(provider)[-1])
    try: world.assert_books_agree()
    except AssertionError as e: print("DISAGREE", e)
