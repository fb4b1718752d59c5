"""Makes a new Postgres cluster: initdb (or a copy of an earlier one), passwords, roles, access rules."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from launcher.children import plain_environment
from launcher.errors import LauncherError
from launcher.paths import PROJECT, Binaries
from launcher.service_user import ServiceUser

SUPERUSER, OWNER, APPLICATION = "postgres", "malipo_owner", "malipo_app"
ROLES = (SUPERUSER, OWNER, APPLICATION)
# Code-point order everywhere, whatever the machine's locale; upper() and lower() know Unicode.
INITDB = (
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth=trust",  # replaced by ACCESS_RULES before the first start
    "--no-sync",
    "--no-instructions",
)
ACCESS_RULES = "local all all scram-sha-256\n"
CACHE = PROJECT / "var" / "cache"


def passwords(file: Path) -> dict[str, str]:
    """The passwords of the three roles: read from the file, or generated into it (0600)."""
    with suppress(FileNotFoundError):
        kept: dict[str, str] = json.loads(file.read_text())
        return kept
    made = {role: secrets.token_urlsafe(24) for role in ROLES}
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as output:
        json.dump(made, output)
    return made


def make_cluster(
    data: Path, binaries: Binaries, *, user: ServiceUser | None, keys: dict[str, str], durable: bool
) -> None:
    """Fill the empty folder data with a cluster that only the three roles can enter, by password."""
    template = CACHE / f"cluster-{hashlib.sha256(f'{binaries.version()} {INITDB}'.encode()).hexdigest()[:12]}"
    if (template / "PG_VERSION").exists():
        shutil.copytree(template, data, dirs_exist_ok=True)
        if user is not None:
            user.own(data)
    else:
        _run([binaries.path("initdb"), "-D", str(data), "-U", SUPERUSER, *INITDB], data, user=user)
        _keep_template(data, template)
    _set_roles(data, binaries, user=user, keys=keys)
    (data / "pg_hba.conf").write_text(ACCESS_RULES)
    if durable:
        _run([binaries.path("initdb"), "--sync-only", "-D", str(data)], data, user=user)


def _keep_template(data: Path, template: Path) -> None:
    """Keep a copy for the next cluster: copying is much faster. A full disk is no obstacle."""
    try:
        template.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=template.parent))
    except OSError:
        return
    with suppress(OSError, shutil.Error):
        shutil.copytree(data, part, dirs_exist_ok=True)
        part.rename(template)
    shutil.rmtree(part, ignore_errors=True)


def _set_roles(data: Path, binaries: Binaries, *, user: ServiceUser | None, keys: dict[str, str]) -> None:
    # Single-user mode takes no connection, so there is no moment in which the cluster is open.
    statements = [
        "SET password_encryption = 'scram-sha-256'",
        f"ALTER ROLE {SUPERUSER} PASSWORD '{keys[SUPERUSER]}'",
        *(
            f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEROLE PASSWORD '{keys[role]}'"
            for role in (OWNER, APPLICATION)
        ),
    ]
    single = [binaries.path("postgres"), "--single", "-D", str(data), "-c", "fsync=off", "postgres"]
    _run(single, data, user=user, stdin="".join(f"{line};\n" for line in statements))


def _run(argv: list[str], cwd: Path, *, user: ServiceUser | None, stdin: str = "") -> None:
    done = subprocess.run(
        argv,
        input=stdin,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=plain_environment(),
        check=False,
        **(user.popen_arguments() if user else {}),
    )
    program = Path(argv[0]).name
    if done.returncode != 0 or "ERROR:" in done.stderr:
        # The statements hold passwords; Postgres repeats a statement only after this marker.
        reason = done.stderr.split("STATEMENT:")[0].strip()
        raise LauncherError(f"{program} could not set up {cwd}: {reason}")
