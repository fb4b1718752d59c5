"""The event log as evidence: is it whole, and what happened to whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.events import chain
from app.unit_of_work import reading

PAGE: Final = 5000


def verify(key: str, *, anchors: Path | None) -> tuple[int, chain.Break | None]:
    """Rows looked at and the first break, walking the log from its beginning; with the anchors kept in a folder."""
    with reading() as session:
        counted = _Counted(_rows(session))
        found = chain.verify(key.encode(), counted, anchors=chain.read_anchors(anchors) if anchors else ())
    return counted.count, found


class _Counted:
    def __init__(self, rows: Iterator[tuple[chain.Link, bytes]]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[tuple[chain.Link, bytes]]:
        for row in self._rows:
            self.count += 1
            yield row


def _rows(session: Session) -> Iterator[tuple[chain.Link, bytes]]:
    """Pages, each a statement of its own, so that no snapshot is held for long."""
    last = -1
    while True:
        page = session.execute(
            text(
                "SELECT seq, tenant_id::text, type, object_id, actor, address, is_public, data::text, at, hmac "
                "FROM events WHERE seq > :last ORDER BY seq LIMIT :page"
            ),
            {"last": last, "page": PAGE},
        ).all()
        session.rollback()
        for *columns, sealed in page:
            link = chain.Link(*columns)
            last = link.seq
            yield link, bytes(sealed)
        if len(page) < PAGE:
            return
