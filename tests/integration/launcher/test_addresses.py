"""The choice of addresses: the demo's two, the caller's own, and what a busy port leads to."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

import pytest

from launcher import addresses
from launcher.addresses import free_port
from launcher.errors import LauncherError


@pytest.fixture
def busy() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def demo_addresses(monkeypatch: pytest.MonkeyPatch, first: str, second: str) -> None:
    monkeypatch.setattr(addresses, "DEMO_BIND", (first, second))


def test_the_demo_listens_on_both_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    free = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    demo_addresses(monkeypatch, *free)
    assert addresses.choose_bind({"GATEWAY_ENV": "demo"}, pytest.fail) == ",".join(free)


def test_only_the_demo_takes_the_second_port(monkeypatch: pytest.MonkeyPatch) -> None:
    free = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    demo_addresses(monkeypatch, *free)
    assert addresses.choose_bind({"GATEWAY_ENV": "production"}, pytest.fail) == free[0]


def test_a_busy_first_port_is_refused(monkeypatch: pytest.MonkeyPatch, busy: str) -> None:
    demo_addresses(monkeypatch, busy, f"127.0.0.1:{free_port()}")
    with pytest.raises(LauncherError, match=f"{busy} is in use"):
        addresses.choose_bind({"GATEWAY_ENV": "demo"}, pytest.fail)


def test_a_busy_second_port_is_a_warning(monkeypatch: pytest.MonkeyPatch, busy: str) -> None:
    free = f"127.0.0.1:{free_port()}"
    demo_addresses(monkeypatch, free, busy)
    messages: list[str] = []
    assert addresses.choose_bind({"GATEWAY_ENV": "demo"}, messages.append) == free
    assert messages[0].startswith(f"Warning: {busy} is in use")


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has names that a process holds while it lives"
)
def test_a_port_that_another_process_has_chosen_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is free until that one binds it."""
    theirs, free = 11_998, 11_999
    monkeypatch.setattr(addresses, "PORTS", (*[theirs] * 9, free))
    claim = addresses._claimed(theirs)
    try:
        assert free_port() == free
    finally:
        os.close(claim)


def test_each_of_the_callers_own_addresses_must_be_free(busy: str) -> None:
    free = f"127.0.0.1:{free_port()}"
    assert addresses.choose_bind({"BIND": free}, pytest.fail) == free
    with pytest.raises(LauncherError, match=r"\(from BIND\) is in use"):
        addresses.choose_bind({"BIND": f"{free}, {busy}"}, pytest.fail)


@pytest.mark.parametrize("address", ["5000", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000"])
def test_what_is_no_address_is_named(address: str) -> None:
    with pytest.raises(LauncherError, match="is not an address"):
        addresses.choose_bind({"BIND": address}, pytest.fail)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(LauncherError, match=r"cannot listen on 192\.0\.2\.1:5000"):
        addresses.choose_bind({"BIND": "192.0.2.1:5000"}, pytest.fail)
