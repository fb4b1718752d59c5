"""What the simulators share: storage, records, faults, timers, callbacks, customers and merchant dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.sandbox.callback_sender import CallbackSender
from app.sandbox.control import Control
from app.sandbox.customers import Customers
from app.sandbox.dashboard import Dashboard
from app.sandbox.database import Database
from app.sandbox.faults import Faults
from app.sandbox.records import ProviderRecords
from app.sandbox.store import Store
from app.sandbox.timers import Timers


@dataclass(frozen=True)
class SandboxSettings:
    """autopay_s: the value at start, which /sandbox/control can change. public_url: how browsers reach the sandbox.

    webhook_base: webhooks go to `<webhook_base>/<provider>`. folder: of the sandbox's files. hosts: what requests may name besides this
    machine and public_url, without ports.
    """

    autopay_s: float | None
    public_url: str
    webhook_base: str
    folder: Path
    hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> SandboxSettings:
        """The settings in what `config.load_sandbox` returns."""
        return cls(
            autopay_s=values["SANDBOX_AUTOPAY_S"],
            public_url=values["SANDBOX_URL"].rstrip("/"),
            webhook_base=values["SANDBOX_WEBHOOK_BASE"],
            folder=Path(values["VAR_DIR"]) / "sandbox",
            hosts=values["DEMO_HOSTS"],
        )


@dataclass(frozen=True)
class Sandbox:
    """The parts of the sandbox that simulators use."""

    settings: SandboxSettings
    database: Database
    control: Control
    store: Store
    records: ProviderRecords
    faults: Faults
    timers: Timers
    callbacks: CallbackSender
    customers: Customers
    dashboard: Dashboard

    @classmethod
    def open(cls, settings: SandboxSettings) -> Sandbox:
        """Open the files in the settings' folder. The timers run once `start` is called."""
        database = Database(settings.folder / "sandbox.db")
        control = Control(database, autopay_s=settings.autopay_s)
        timers = Timers(database, control.now)
        control.watch(timers.wake)
        faults = Faults(database, control)
        return cls(
            settings=settings,
            database=database,
            control=control,
            store=Store(database),
            records=ProviderRecords(database, control.now),
            faults=faults,
            timers=timers,
            callbacks=CallbackSender(database, timers, faults, control.now),
            customers=Customers(timers, control),
            dashboard=Dashboard(control, webhook_base=settings.webhook_base),
        )

    def now(self) -> datetime:
        """The sandbox's time in UTC: the clock's, advanced by /sandbox/control {"advance_s": …}."""
        return self.control.now()

    def start(self) -> None:
        """Start the timers."""
        self.timers.start()

    def close(self) -> None:
        """Stop the timers, then close the files."""
        self.timers.stop()
        self.callbacks.close()
        self.database.close()

    def reset(self) -> None:
        """Return to the initial state: no payments, records or rules."""
        self.database.clear()
        self.control.restore()
