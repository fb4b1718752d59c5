"""Chapa's bulk transfers: up to a hundred in a call, one call every five seconds."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Final

from app.sandbox.calls import ApiRequest
from app.sandbox.chapa.errors import REFERENCE_USED, ApiError, rate_limited
from app.sandbox.chapa.replies import success, timestamp
from app.sandbox.chapa.transfers import Transfers
from app.sandbox.core import Sandbox
from app.sandbox.faults import NO_FAULT
from app.sandbox.rate import MinimumInterval

MAX_IN_BULK: Final = 100
INTERVAL: Final = timedelta(seconds=5)


class BulkTransfers:
    """Each transfer of a batch is then a transfer like any other."""

    def __init__(self, sandbox: Sandbox, transfers: Transfers) -> None:
        self._sandbox = sandbox
        self._transfers = transfers
        self._interval = MinimumInterval(sandbox.now, INTERVAL)

    def create(self, request: ApiRequest) -> dict[str, Any]:
        """`POST /v1/bulk-transfers`: queue all transfers of the batch, or none."""
        entries = self._checked_entries(request.body)
        if not self._interval.is_allowed():
            raise rate_limited()
        batch_id = str(uuid.uuid4())
        created_at = timestamp(self._sandbox.now())
        for entry in entries:
            self._transfers.queue(entry, NO_FAULT, batch_id=batch_id)
        return success("Bulk transfer queued successfully", {"id": batch_id, "created_at": created_at})

    def _checked_entries(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        entries = body.get("bulk_data")
        if not isinstance(entries, list) or not entries:
            raise ApiError(400, {"bulk_data": ["validation.required"]})
        if not all(isinstance(entry, dict) for entry in entries):
            raise ApiError(400, {"bulk_data": ["validation.required"]})
        if len(entries) > MAX_IN_BULK:
            raise ApiError(400, {"bulk_data": ["validation.max.array"]})
        if body.get("currency", "ETB") != "ETB":
            raise ApiError(400, "Invalid currency. Transfers are in ETB.")
        references = [str(entry["reference"]) for entry in entries if entry.get("reference")]
        is_used = any(self._sandbox.store.get("chapa", "transfer", reference) for reference in references)
        if is_used or len(set(references)) < len(references):
            raise ApiError(400, REFERENCE_USED)
        for entry in entries:
            self._transfers.check(entry)
        return entries
