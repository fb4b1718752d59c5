"""The sandbox over real HTTP: callbacks, control, pages and restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.config.sandbox import load_sandbox
from app.config.setting import ConfigError
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from tests.support.daraja import Merchant
from tests.support.sandbox import CallbackReceiver, RunningSandbox, running_sandbox
from tests.support.sandbox_parts import opened
from tests.support.waiting import wait_until


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Sandbox]:
    """The parts in this process, not started."""
    sandbox = opened(tmp_path)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path_factory.mktemp("core")) as sandbox:
        yield sandbox


@pytest.fixture
def served(running: RunningSandbox) -> RunningSandbox:
    """A running sandbox in its initial state."""
    running.reset()
    return running


# --- callbacks over real HTTP


@pytest.fixture
def started(inside: Sandbox) -> Sandbox:
    inside.start()
    return inside


def test_a_callback_is_sent_unchanged(started: Sandbox) -> None:
    with CallbackReceiver() as receiver:
        started.callbacks.send("stripe", f"{receiver.url}/x?a=1", body=b'{"a": 1}', headers={"X-Sig": "s"})
        got = receiver.wait_for()[0]
        wait_until(lambda: started.callbacks.listed()[0]["status"] == "delivered", "it is recorded")
    assert (got.method, got.path, got.body, got.headers["x-sig"]) == ("POST", "/x?a=1", b'{"a": 1}', "s")
    assert "cookie" not in got.headers


def test_copies_loss_and_delay(started: Sandbox) -> None:
    with CallbackReceiver() as receiver:
        started.callbacks.send("stripe", f"{receiver.url}/three", plan=Plan(callback_copies=3))
        started.callbacks.send("stripe", f"{receiver.url}/lost", plan=Plan(callback_copies=0))
        started.callbacks.send("stripe", f"{receiver.url}/late", plan=Plan(callback_delay_s=100))
        receiver.wait_for(3)
        assert {one.path for one in receiver.received} == {"/three"}
        started.control.set("advance_s", 101.0)
        receiver.wait_for(1, path="/late")
        lost = next(one for one in started.callbacks.listed() if one["url"].endswith("/lost"))
        assert (lost["status"], lost["attempts"]) == ("lost", 0)
        assert started.callbacks.repeat(lost["id"]) and not started.callbacks.repeat(999)
        receiver.wait_for(1, path="/lost")


def test_a_refused_callback_is_repeated_until_it_is_accepted(started: Sandbox) -> None:
    with CallbackReceiver(statuses=[500, 302], body=b'{"status": 200}') as receiver:
        started.callbacks.send("stripe", receiver.url, retries=(0.05, 0.05, 0.05), expects={"status": "200"})
        receiver.wait_for(3)
        shown = wait_until(
            lambda: [one for one in started.callbacks.listed() if one["status"] == "delivered"],
            "it is accepted",
        )
        assert shown[0]["attempts"] == 3
        receiver.body = b'{"status": 500}'
        started.callbacks.send("stripe", receiver.url, retries=(0.05,), expects={"status": "200"})
        wait_until(lambda: started.callbacks.listed()[-1]["status"] == "failed", "all retries are used")
        assert len(receiver.received) == 5


def test_a_failed_connection_is_recorded(started: Sandbox) -> None:
    started.callbacks.send("stripe", "http://127.0.0.1:9/x")
    shown = wait_until(
        lambda: [one for one in started.callbacks.listed() if one["status"] == "failed"], "fails"
    )
    assert shown[0]["answer"] == "ConnectionError" and shown[0]["answer_status"] is None


def test_an_early_callback_is_delivered_before_send_returns(started: Sandbox) -> None:
    with CallbackReceiver() as receiver:
        started.callbacks.send("stripe", receiver.url, plan=Plan(callback_copies=2), is_early=True)
        assert len(receiver.received) == 2


def test_a_rule_for_callbacks_loses_them(started: Sandbox) -> None:
    started.control.set("rules", [{"fault": "callback_lost", "operation": "callback", "provider": "stripe"}])
    with CallbackReceiver() as receiver:
        started.callbacks.send("stripe", receiver.url)
        started.callbacks.send("chapa", f"{receiver.url}/chapa")
        receiver.wait_for(1, path="/chapa")
        assert [one["status"] for one in started.callbacks.listed("stripe")] == ["lost"]


# --- control over HTTP


def test_control_shows_and_changes(served: RunningSandbox) -> None:
    assert served.control()["autopay_s"] == 0.2
    rule = {"fault": "drop", "provider": "mpesa", "operation": "stkpush", "times": 1}
    changed = served.control(
        {"autopay_s": "off", "rules": [rule], "webhooks": {"stripe": "http://127.0.0.1:1/s"}}
    )
    assert changed["autopay_s"] == "off" and changed["rules"] == [rule]
    assert changed["webhooks"]["stripe"] == "http://127.0.0.1:1/s"
    assert changed["webhooks"]["chapa"].endswith("/api/v1/webhooks/chapa")
    served.forget_rules()
    assert served.control()["rules"] == [] and served.control()["autopay_s"] == "off"
    served.reset()
    assert served.control()["autopay_s"] == 0.2


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        {"autopay": 1},
        {"autopay_s": -1},
        {"autopay_s": True},
        {"rules": {}},
        {"rules": [{"fault": "fire"}]},
        {"webhooks": {"stripe": "ftp://x"}},
        {"credentials": {"stripe": "x"}},
        {"autopay_s": 9, "rules": [1]},
    ],
)
def test_invalid_control_values_are_refused_and_change_nothing(
    served: RunningSandbox, wanted: object
) -> None:
    answer = requests.post(f"{served.url}/sandbox/control", json=wanted, timeout=30)
    assert answer.status_code == 422 and answer.json()["error"].endswith(".")
    assert served.control()["autopay_s"] == 0.2


def test_other_sites_cannot_control(served: RunningSandbox) -> None:
    url = f"{served.url}/sandbox/control"
    form = requests.post(url, data='{"autopay_s": 9}', headers={"Content-Type": "text/plain"}, timeout=30)
    foreign = requests.post(url, json={"autopay_s": 9}, headers={"Origin": "http://evil.example"}, timeout=30)
    rebound = requests.post(url, json={"autopay_s": 9}, headers={"Host": "evil.example:4010"}, timeout=30)
    read = requests.get(url, headers={"Host": "evil.example"}, timeout=30)
    deleted = requests.delete(url, headers={"Origin": "null"}, timeout=30)
    repeated = requests.post(f"{served.url}/sandbox/callbacks/1/repeat", data={}, timeout=30)
    answers = (form, foreign, rebound, read, deleted, repeated)
    assert [answer.status_code for answer in answers] == [415, 403, 403, 403, 403, 415]
    assert served.control()["autopay_s"] == 0.2


@pytest.mark.parametrize("path", ["/sandbox/", "/sandbox/book", "/stripe/v1/charges", "/nope"])
def test_another_site_cannot_read_under_a_name_of_its_own(served: RunningSandbox, path: str) -> None:
    """DNS rebinding: its name becomes 127.0.0.1, and for the browser the simulators' pages are its own."""
    port = served.url.rpartition(":")[2]
    for host in (
        "evil.example",
        f"evil.example:{port}",
        f"localhost.evil.example:{port}",
        "localhost:1",
        "x@localhost",
    ):
        refused = requests.get(served.url + path, headers={"Host": host}, timeout=30)
        assert refused.status_code == 403, host
        assert refused.json() == {"error": "This is not the sandbox's address."}
    for host in ("localhost", f"LOCALHOST:{port}", f"[::1]:{port}", f"127.0.0.1:{port}"):
        answer = requests.get(served.url + path, headers={"Host": host}, timeout=30)
        assert answer.status_code != 403, host
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_the_index_repeats_a_callback(served: RunningSandbox) -> None:
    with CallbackReceiver(status=500) as receiver:
        served.control({"autopay_s": 0, "credentials": {"mpesa": {"passkey": "p"}}})
        merchant = Merchant(served, receiver, passkey="p")
        merchant.push(100)
        wait_until(lambda: [one["status"] for one in served.callbacks()] == ["failed"], "it is refused")
        assert "Send again" in requests.get(f"{served.url}/sandbox/", timeout=30).text
        id = served.callbacks()[0]["id"]
        form = {"data": {}, "headers": {"Origin": served.url}, "timeout": 30}
        assert requests.post(f"{served.url}/sandbox/callbacks/{id}/repeat", **form).status_code == 200
        assert len(receiver.wait_for(2)) == 2


def test_pages_allow_no_script_and_no_framing(served: RunningSandbox) -> None:
    page = requests.get(f"{served.url}/sandbox/", timeout=30)
    assert page.status_code == 200 and "no real money" in page.text
    # Anything stricter makes browsers hide the origin that `repeat` checks.
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert requests.get(f"{served.url}/sandbox/static/sandbox.css", timeout=30).status_code == 200
    missing = requests.get(f"{served.url}/nowhere", timeout=30)
    assert missing.status_code == 404 and missing.json()["error"]


def test_control_values_survive_a_kill(served: RunningSandbox) -> None:
    served.control({"autopay_s": 5, "advance_s": 10, "rules": [{"fault": "drop"}]})
    before = served.control()
    served.kill()
    served.start()
    assert served.control() == before


def test_production_has_no_sandbox() -> None:
    with pytest.raises(ConfigError):
        load_sandbox({"GATEWAY_ENV": "production"})
