"""Settings of the simulators' process, which reads no other: it has none of the application's secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from app.config.setting import ConfigError, Setting, mode_of
from app.parsing import bind_address, host_names, one_of, seconds, web_address


def _folder(text: str) -> str:
    try:
        is_usable = Path(text).is_dir() or not Path(text).exists()
    except OSError:  # a name that is too long, a folder that may not be entered
        is_usable = False
    if not is_usable:
        raise ValueError("expected a folder that this user may enter, or a path where one can be made")
    return text


VAR_DIR: Final = Setting("VAR_DIR", "KYC documents and the audit anchor", "var", parse=_folder)
LOG_LEVEL: Final = Setting(
    "LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR", "INFO", parse=one_of("DEBUG", "INFO", "WARNING", "ERROR")
)

DEMO_HOSTS: Final = Setting(
    "DEMO_HOSTS",
    "hosts that a demo and its simulators answer to besides localhost, without ports, comma separated",
    parse=host_names,
)

SANDBOX_SETTINGS: Final = (
    Setting(
        "SANDBOX_BIND", "address of the simulators (demo and test)", "127.0.0.1:4010", parse=bind_address
    ),
    Setting(
        "SANDBOX_URL", "where the gateway finds the simulators", "http://127.0.0.1:4010", parse=web_address
    ),
    Setting(
        "SANDBOX_WEBHOOK_BASE",
        "where the simulators send callbacks",
        "http://127.0.0.1:5000/api/v1/webhooks",
        parse=web_address,
    ),
    Setting(
        "SANDBOX_AUTOPAY_S",
        "seconds until the simulated customer pays; off: you click",
        "1",
        parse=seconds(86_400),
    ),
)
"""In production the simulators do not start, whatever these say."""


def load_sandbox(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the simulators' process needs, without the application's secrets. Raises ConfigError, in production too."""
    environ = os.environ if environ is None else environ
    mode = mode_of(environ)
    if mode == "production":
        raise ConfigError("The provider simulators run in demo and test mode only (GATEWAY_ENV).")
    return {
        setting.name: setting.read(environ, mode)
        for setting in (*SANDBOX_SETTINGS, DEMO_HOSTS, VAR_DIR, LOG_LEVEL)
    }
