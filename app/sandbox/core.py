"""What every simulator is handed: its memory, its books, its faults, its courier, its customers, its dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.sandbox.book import Book
from app.sandbox.control import Control
from app.sandbox.courier import Courier
from app.sandbox.customers import Customers
from app.sandbox.dashboard import Dashboard
from app.sandbox.database import Database
from app.sandbox.faults import Faults
from app.sandbox.store import Store
from app.sandbox.timers import Timers


@dataclass(frozen=True)
class SandboxSettings:
    """autopay_s: at start; control may change it. public_url: how browsers reach the sandbox. folder: its files."""

    autopay_s: float | None
    public_url: str
    webhook_base: str
    folder: Path

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> SandboxSettings:
        """From `config.load_sandbox`."""
        return cls(
            autopay_s=values["SANDBOX_AUTOPAY_S"],
            public_url=values["SANDBOX_URL"].rstrip("/"),
            webhook_base=values["SANDBOX_WEBHOOK_BASE"],
            folder=Path(values["VAR_DIR"]) / "sandbox",
        )


@dataclass(frozen=True)
class Sandbox:
    """The sandbox, as simulators see it."""

    settings: SandboxSettings
    database: Database
    control: Control
    store: Store
    book: Book
    faults: Faults
    timers: Timers
    courier: Courier
    customers: Customers
    dashboard: Dashboard

    @classmethod
    def open(cls, settings: SandboxSettings) -> Sandbox:
        """On the files of the settings' folder. The timers run when `start` is called."""
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
            book=Book(database, control.now),
            faults=faults,
            timers=timers,
            courier=Courier(database, timers, faults, control.now),
            customers=Customers(timers, control),
            dashboard=Dashboard(control, webhook_base=settings.webhook_base),
        )

    def now(self) -> datetime:
        """The sandbox's time, UTC: the clock's, moved by /sandbox/control {"advance_s": …}."""
        return self.control.now()

    def start(self) -> None:
        """Begin with what is due."""
        self.timers.start()

    def close(self) -> None:
        """Stop the timers, then close the files."""
        self.timers.stop()
        self.courier.close()
        self.database.close()

    def reset(self) -> None:
        """As on the first day: no payments, no books, no rules."""
        self.database.clear()
        self.control.restore()
