"""The simulators' documents, changed atomically."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from app.sandbox.database import Database

T = TypeVar("T")

Document = dict[str, Any]


class Store:
    """JSON objects by provider, kind and id. Amounts are stored as text, because JSON has no decimals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, provider: str, kind: str, id: str, document: Document) -> bool:
        """Store a new document. False, and nothing is stored, when the id exists already."""
        body = json.dumps(document)
        with self._database.transaction() as connection:
            done = connection.execute(
                "INSERT INTO documents (provider, kind, id, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (provider, kind, id, body),
            )
            return done.rowcount == 1

    def put(self, provider: str, kind: str, id: str, document: Document) -> None:
        """Store a document, or change the members of the one that exists."""
        with self._database.transaction():
            if not self.insert(provider, kind, id, document):
                self.update(provider, kind, id, lambda existing: existing.update(document))

    def get(self, provider: str, kind: str, id: str) -> Document | None:
        """A copy of the document, or None."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT body FROM documents WHERE provider = ? AND kind = ? AND id = ?", (provider, kind, id)
            ).fetchone()
        return None if row is None else _parsed(row["body"])

    def find(self, provider: str, kind: str, **equal: Any) -> list[Document]:
        """Copies of the documents with these top-level members, oldest first."""
        conditions, values = "", [provider, kind]
        for name, value in equal.items():
            conditions += " AND json_extract(body, ?) IS ?"
            values += [f'$."{name}"', value]
        with self._database.transaction() as connection:
            rows = connection.execute(
                f"SELECT body FROM documents WHERE provider = ? AND kind = ?{conditions} ORDER BY seq",  # noqa: S608
                values,
            ).fetchall()
        return [_parsed(row["body"]) for row in rows]

    def update(self, provider: str, kind: str, id: str, change: Callable[[Document], T]) -> T:
        """Let `change` change a document in place, and return what it returns.

        No other thread changes anything meanwhile. What `change` stores or records besides is saved in the same database
        transaction, or not at all when it raises. It must not use the network. KeyError when there is no such document.
        """
        with self._database.transaction() as connection:
            document = self.get(provider, kind, id)
            if document is None:
                raise KeyError(f"{provider} has no {kind} {id}.")
            answer = change(document)
            connection.execute(
                "UPDATE documents SET body = ? WHERE provider = ? AND kind = ? AND id = ?",
                (json.dumps(document), provider, kind, id),
            )
            return answer

    def latest(self, provider: str, *, limit: int) -> list[Document]:
        """The newest documents of a provider, of every kind, newest first, each with `_kind` and `_id`."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT kind, id, body FROM documents WHERE provider = ? ORDER BY seq DESC LIMIT ?",
                (provider, limit),
            ).fetchall()
        return [_parsed(row["body"]) | {"_kind": row["kind"], "_id": row["id"]} for row in rows]


def _parsed(body: str) -> Document:
    document: Document = json.loads(body)
    return document
