import pytest
from tests.support.world import HTTP_PROVIDERS


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
@pytest.mark.parametrize("amount", [100, 7001, 7002, 7003, 7005, 7006, 7007, 7008, 7009])
def test_x(world, provider, amount):
    pid = world.begin(provider, amount)
    p = world.settle(pid)
    print(
        provider,
        amount,
        p["status"],
        p["review"],
        p["failure_reason"],
        world.charged(pid),
        [(a.state, a.error_code, a.sendings, a.inquiries) for a in world.attempts(pid)],
    )
    world.assert_books_agree()
