"""What compose puts around the application: nginx says what the application says, Postgres starts with no example's password."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from app.config.settings import SETTINGS
from app.http.headers import ALWAYS, API_POLICY, HSTS

ROOT = Path(__file__).parents[2]
NGINX = (ROOT / "deploy/nginx/nginx.conf").read_text()
PASSWORDS = ("POSTGRES_PASSWORD", "MALIPO_OWNER_PASSWORD", "MALIPO_APP_PASSWORD")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def _map(source: str, target: str) -> str:
    found = re.search(rf"map {re.escape(source)} {re.escape(target)} \{{(.*?)\}}", NGINX, re.S)
    assert found is not None, f"no map to {target}"
    return found[1]


@pytest.mark.parametrize(("name", "value"), [*ALWAYS, ("Content-Security-Policy", API_POLICY)])
def test_nginx_s_own_answers_have_the_application_s_headers(name: str, value: str) -> None:
    """And only those: an answer of app has its own."""
    (variable,) = re.findall(rf"add_header {name} (\$\w+) always;", NGINX)
    values = _map(f"$upstream_http_{name.lower().replace('-', '_')}", variable)
    assert re.search(rf"'' \"?{re.escape(value)}\"?;", values) and "default '';" in values


def test_nginx_sends_hsts_over_tls_alone() -> None:
    name, value = HSTS
    (variable,) = re.findall(rf"add_header {name} (\$\w+) always;", NGINX)
    lines = [
        line.strip()
        for line in _map('"$client_scheme $upstream_status"', variable).splitlines()
        if line.strip()
    ]
    assert lines[-1] == "default '';"
    assert (
        all(line.startswith('"https ') and line.endswith(f'"{value}";') for line in lines[:-1]) and lines[:-1]
    )


def test_every_header_is_inherited() -> None:
    """A location that adds one of its own would drop all the others."""
    server = NGINX[NGINX.index("server {\n        listen") :]
    assert "add_header" not in server[server.index("location /") :]
    assert NGINX.count("add_header") == len(ALWAYS) + 2


def test_compose_says_whose_word_about_the_client_counts() -> None:
    """By default no proxy's: a client that connects to nginx itself could otherwise choose its address."""
    (mounted,) = [volume for volume in COMPOSE["services"]["nginx"]["volumes"] if "proxies" in volume]
    source, target, _ = mounted.rsplit(":", 2)
    assert source == "./deploy/nginx/proxies-in-front-${PROXIES_IN_FRONT:-0}.conf"
    assert Path(target).match(re.search(r"include (\S+);", NGINX)[1])  # type: ignore[index]
    files = {
        number: (ROOT / f"deploy/nginx/proxies-in-front-{number}.conf").read_text().splitlines()
        for number in (0, 1)
    }
    directives = {
        number: [line for line in lines if not line.startswith("#")] for number, lines in files.items()
    }
    assert directives[0] == []
    assert "real_ip_header X-Forwarded-For;" in directives[1] and "real_ip_recursive off;" in directives[1]
    assert COMPOSE["services"]["app"]["environment"]["TRUSTED_PROXIES"] == "1"


def test_one_address_cannot_use_up_nginx_s_connections() -> None:
    """Each location counts them, by client; what all clients of one address may hold is far below what there is."""
    zones = dict(re.findall(r"limit_conn (\w+) (\d+);", NGINX))
    assert (
        set(re.findall(r"limit_conn_zone \$client_network zone=(\w+):", NGINX))
        == {"sockets", "requests"}
        == zones.keys()
    )
    (available,) = re.findall(r"worker_connections (\d+);", NGINX)
    assert 2 * sum(map(int, zones.values())) * 20 <= int(available)
    assert COMPOSE["services"]["nginx"]["ulimits"]["nofile"] >= 2 * int(available)
    of_process = next(one for one in SETTINGS if one.name == "REALTIME_CLIENTS_PER_ADDRESS").read(
        {}, "production"
    )
    assert int(zones["sockets"]) >= 3 * of_process, (
        "a client that changes to WebSocket has two or three requests"
    )


@pytest.mark.parametrize("name", PASSWORDS)
def test_compose_s_postgres_starts_with_no_password_of_the_example(name: str, tmp_path: Path) -> None:
    (tmp_path / "docker-entrypoint.sh").write_text("#!/bin/sh\necho started $1\n")
    (tmp_path / "docker-entrypoint.sh").chmod(0o755)
    own = {one: f"{one.lower()}-7Yw2" for one in PASSWORDS}
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.defpath}", **own}
    start = ["sh", str(ROOT / "deploy/postgres/start.sh"), "postgres"]
    for value in ("change-me", "", "short"):
        given = environment | {name: value}
        refused = subprocess.run(start, env=given, capture_output=True, text=True, check=False)
        assert refused.returncode == 1 and refused.stdout == ""
        assert refused.stderr.startswith(f"{name} is an example or too short")
    assert subprocess.check_output(start, env=environment, text=True) == "started postgres\n"


def test_the_image_has_the_scripts_of_pages() -> None:
    """Packages come with Node's own image, of the lock file; the build without Node takes the scripts out of them."""
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.M)
    scripts, build, image = stages[1:]
    assert scripts.startswith("node:") and "npm ci --ignore-scripts" in scripts
    assert "RUN python -m assets.build node_modules" in build
    assert "COPY --from=build /build/app/web/built app/web/built" in image
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored.index("!app") < ignored.index("app/web/built") and "!assets" in ignored


def test_packages_of_scripts_are_pinned_and_no_registry_is_named() -> None:
    wanted = json.loads((ROOT / "assets/package.json").read_text())["dependencies"]
    lock = json.loads((ROOT / "assets/package-lock.json").read_text())["packages"]
    assert lock[""]["dependencies"] == wanted
    assert all(lock[f"node_modules/{name}"]["version"] == version for name, version in wanted.items())
    assert all("integrity" in package and "resolved" not in package for name, package in lock.items() if name)
