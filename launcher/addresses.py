"""The addresses the application is to listen on, checked before anything is started."""

from __future__ import annotations

import errno
import os
import random
import socket
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from launcher.environment import DEMO_BIND, SANDBOX_BIND
from launcher.errors import LauncherError
from launcher.service_user import Say

PORTS = range(12_000, 30_000)
"""Below the ports that Linux assigns to outgoing connections: none is taken between its choice and its use."""

_given: deque[tuple[int, int]] = deque(maxlen=100)
"""Ports chosen lately by this process, which may not have bound them yet, each with the open file that says so to others."""


def choose_bind(environment: Mapping[str, str], say: Say) -> str:
    """The value of BIND: the caller's, every address of which must be free, or the demo's.

    The demo's second address is a convenience: when it is busy, a warning says so and it is left out.
    """
    chosen = environment.get("BIND", "").replace(" ", "")
    if chosen:
        for address in chosen.split(","):
            if is_busy(address):
                raise LauncherError(f"{address} (from BIND) is in use: stop what uses it, or change BIND.")
        return chosen
    first, second = DEMO_BIND
    if is_busy(first):
        raise LauncherError(
            f"{first} is in use: stop what uses it, or choose another address, as in "
            "`BIND=127.0.0.1:5050 make run`."
        )
    if environment.get("GATEWAY_ENV") != "demo":
        return first
    if is_busy(second):
        say(f"Warning: {second} is in use, so the documents' commands for port 8000 will not reach Malipo.")
        return first
    return f"{first},{second}"


def choose_sandbox_address(environment: dict[str, str], say: Say) -> None:
    """Add the simulators' address to the environment, and the URLs at which they and the gateway reach each other.

    The simulators' usual port is a convenience: when it is busy, another one is taken.
    """
    bind = environment.get("SANDBOX_BIND") or SANDBOX_BIND
    if is_busy(bind):
        if environment.get("SANDBOX_BIND"):
            raise LauncherError(
                f"{bind} (from SANDBOX_BIND) is in use: stop what uses it, or change SANDBOX_BIND."
            )
        bind = f"127.0.0.1:{free_port()}"
        say(f"{SANDBOX_BIND} is in use, so the provider simulators are on {bind}.")
    gateway = f"http://{environment['BIND'].split(',', maxsplit=1)[0]}"
    environment["SANDBOX_BIND"] = bind
    environment["SANDBOX_URL"] = f"http://{bind}"
    environment.setdefault("PUBLIC_URL", gateway)
    environment.setdefault("SANDBOX_WEBHOOK_BASE", f"{gateway}/api/v1/webhooks")


def is_busy(address: str) -> bool:
    """Whether host:port is in use; LauncherError for an address that is not this machine's."""
    host, port = split_address(address)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise LauncherError(f"Malipo cannot listen on {address}: {error.strerror or error}.") from error
    return False


def split_address(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise LauncherError(f"{address!r} is not an address: write it as 127.0.0.1:5000.")
    return host.strip("[]"), int(port)


def base_url(bind: str) -> str:
    """Where a client on this machine finds the first address."""
    host, port = split_address(bind.split(",", maxsplit=1)[0])
    return f"http://{'localhost' if host == '127.0.0.1' else host}:{port}"


def free_port() -> int:
    """A port of 127.0.0.1 that is free at this moment, and was not chosen lately: by this process, or by another that lives."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in [given for given, _ in _given]:
                claim = _claimed(port)
                if len(_given) == _given.maxlen:
                    os.close(_given.popleft()[1])
                _given.append((port, claim))
                return port


def _claimed(port: int) -> int:
    """The descriptor of a file that keeps the port from other processes that choose one, until it is closed or this process ends.
    Raises OSError: another has it. Only Linux has such names; elsewhere two processes may choose the same port in the same second."""
    with socket.socket(socket.AF_UNIX) as claim:
        if sys.platform == "linux":
            claim.bind(f"\0malipo-port-{port}")
        return claim.detach()


def local_addresses(*, gateway: str = "") -> dict[str, str]:
    """Settings that give each process a free port of 127.0.0.1, and the URLs at which the processes reach each other.

    gateway: the web process's address, when it is already chosen.
    """
    gateway = gateway or f"127.0.0.1:{free_port()}"
    realtime, sandbox = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    return {
        "BIND": gateway,
        "PUBLIC_URL": f"http://{gateway}",
        "REALTIME_BIND": realtime,
        "SANDBOX_BIND": sandbox,
        "SANDBOX_URL": f"http://{sandbox}",
        "SANDBOX_WEBHOOK_BASE": f"http://{gateway}/api/v1/webhooks",
    }
