"""Where webhooks may go: spellings of hosts, addresses, and names that change their addresses."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_address

import pytest

from app.services import deadlines
from app.services.webhooks.addresses import UrlRefused, check, is_public, parse, resolve

REFUSED = [
    "http://example.com/",
    "ftp://example.com/",
    "//example.com/",
    "https:///",
    "https://user@example.com/",
    "https://user:pw@example.com/",
    "https://example.com/#f",
    "https://example.com\\@127.0.0.1/",
    "https://exa%6dple.com/",
    "https://example.com./",
    "https://example/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.1./",
    "https://0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://169.254.169.254/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://0.0.0.0/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://240.0.0.1/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:x/",
    "https://-example.com/",
    "https://exa_mple.1/",
    "https://bücher.example/",
    "https://①27.0.0.1/",
    "https://127。0。0。1/",
    "https://example.0x7f/",
]

TAKEN = [
    "https://example.com/",
    "https://Example.com:8443/a?b=c",
    "https://hooks.example.co.ke/x%20y",
    "https://xn--bcher-kva.example/",
    "https://8.8.8.8/",
    "https://[2606:4700:4700::1111]/",
    "https://[64:ff9b::808:808]/",
    "https://my_shop.example.com/",
]


def addresses_of(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """What the system's resolver answers, one after the other, and the last one again and again."""
    left = list(answers)

    def look_up(host: str, port: int, **_: object) -> list[tuple]:
        found = left.pop(0) if len(left) > 1 else left[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(deadlines.socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("url", REFUSED)
def test_urls_that_are_refused_by_their_text(url: str) -> None:
    with pytest.raises(UrlRefused):
        parse(url, is_production=True)


@pytest.mark.parametrize("url", TAKEN)
def test_urls_that_are_taken(url: str) -> None:
    assert parse(url, is_production=True).is_tls


@pytest.mark.parametrize(
    "url", ["http://localhost:9/", "http://127.0.0.1/", "http://[::1]:9/", "https://localhost/"]
)
def test_local_hosts_are_for_demo_and_tests_alone(url: str) -> None:
    assert parse(url, is_production=False).is_local
    with pytest.raises(UrlRefused):
        parse(url, is_production=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2/",
        "http://127.1/",
        "http://localhost./",
        "http://[::ffff:127.0.0.1]/",
        "http://10.0.0.1/",
    ],
)
def test_no_other_spelling_of_a_local_host_is_taken_in_a_demo(url: str) -> None:
    with pytest.raises(UrlRefused):
        parse(url, is_production=False)


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["169.254.169.254"], ["::1"], ["64:ff9b::a00:1"]]
)
def test_a_name_with_any_address_that_is_not_public_is_refused(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    addresses_of(monkeypatch, found)
    with pytest.raises(UrlRefused):
        check("https://example.com/", is_production=True)


def test_a_name_without_an_address_is_taken_and_checked_when_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    addresses_of(monkeypatch, [], ["8.8.8.8"], ["192.168.0.1"])
    check("https://example.com/", is_production=True)
    destination = parse("https://example.com/", is_production=True)
    assert resolve(destination) == ("8.8.8.8",)
    with pytest.raises(UrlRefused):  # the same name, a moment later
        resolve(destination)


def test_localhost_must_be_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses_of(monkeypatch, ["8.8.8.8"])
    with pytest.raises(UrlRefused):
        check("http://localhost:9/", is_production=False)


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(deadlines.socket, "getaddrinfo", lambda *_, **__: released.wait(5) and [])
    with pytest.raises(TimeoutError):
        resolve(parse("https://example.com/", is_production=True), within_s=0.05)
    released.set()


def test_public_addresses() -> None:
    assert all(is_public(ip_address(one)) for one in ("8.8.8.8", "2606:4700::1", "2002:808:808::1"))


@pytest.mark.parametrize(
    ("url", "port", "target", "authority"),
    [
        ("https://Example.com", 443, "/", "example.com"),
        ("https://example.com:/?a=b", 443, "/?a=b", "example.com"),
        ("https://example.com:8443/x?a=b", 8443, "/x?a=b", "example.com:8443"),
        ("https://[2606:4700:4700::1111]:8443/", 8443, "/", "[2606:4700:4700::1111]:8443"),
    ],
)
def test_what_is_connected_to_and_asked_for(url: str, port: int, target: str, authority: str) -> None:
    found = parse(url, is_production=True)
    assert (found.port, found.target, found.authority) == (port, target, authority)
