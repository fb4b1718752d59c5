"""Rows that are read as of one moment, decided by, and written by one statement (store.py).

They are instances of the models that belong to no session: rules read and change them like any other object, and
nothing is sent to the database until the write set is.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final, Self, TypeVar

from sqlalchemy import DateTime, Uuid

from app.extensions import Base
from app.models.types import EnumText

M = TypeVar("M", bound=Base)


@dataclass(slots=True)
class Aggregate(ABC):
    """A row, the root, with all the rows that belong to it. The root is the version of them all: every write set updates it.

    versions, before: of the rows that are stored, by id: the version that is compared, and the values as read. entries: (ref, kind) of
    what the ledger has of it.
    """

    part_of_root: ClassVar[str]
    """The write set's name for the root."""
    mutable: ClassVar[Mapping[type[Base], tuple[str, ...]]]
    """The columns that may be updated, of each model."""

    versions: dict[uuid.UUID, str] = field(default_factory=dict, kw_only=True)
    before: dict[uuid.UUID, tuple[Any, ...]] = field(default_factory=dict, kw_only=True)
    entries: set[tuple[uuid.UUID, str]] = field(default_factory=set, kw_only=True)

    @property
    @abstractmethod
    def root(self) -> Any:
        """It has `id`, `tenant_id` and `last_write`."""

    @abstractmethod
    def members(self) -> Mapping[str, Sequence[Any]]:
        """The other rows, by the write set's names for them."""

    @abstractmethod
    def read_again(self) -> Self:
        """The same as it is now."""

    def all(self) -> list[Any]:
        return [self.root, *(row for rows in self.members().values() for row in rows)]

    def remember(self, versions: Mapping[uuid.UUID, str]) -> None:
        """The rows are stored as they are, under these versions."""
        self.versions = dict(versions)
        self.before = {row.id: self._values(row) for row in self.all()}

    def is_stored(self, row: Any) -> None:
        """This one is stored as it is, and will not change."""
        self.before[row.id] = self._values(row)

    def keep(self, version: str) -> None:
        """The rows as they are now are stored under this version; the root was written with any of them."""
        for row in {self.root, *self.changed()}:
            self.versions[row.id], self.before[row.id] = version, self._values(row)

    def changed(self) -> list[Any]:
        """The rows that are new, or have changed since they were read or written."""
        return [row for row in self.all() if self.before.get(row.id) != self._values(row)]

    def part(self, row: Any) -> dict[str, Any]:
        """A row for the statement: whole when it is new, else its version, its id and what may change."""
        version = self.versions.get(row.id)
        if version is None:
            values = vars(row)
            return {"row": {column: values.get(name) for name, column, _ in _columns(type(row))}}
        return {
            "version": version,
            "row": {name: vars(row).get(name) for name in ("id", *self.mutable[type(row)])},
        }

    def _values(self, row: Any) -> tuple[Any, ...]:
        # Not by attribute: SQLAlchemy's own would cost a fifth of a payment's time in Python.
        values = vars(row)
        return tuple([values.get(name) for name in self.mutable[type(row)]])


def row_of(model: type[M], data: Mapping[str, Any]) -> M:
    """The model's instance, of no session, of a row as JSON."""
    return _instance(
        model,
        {
            name: data[column] if convert is None or data[column] is None else convert(data[column])
            for name, column, convert in _columns(model)
        },
    )


def new_row(model: type[M], **values: Any) -> M:
    """A new instance, of no session; columns that are not given are None."""
    return _instance(model, {name: values.get(name) for name, _, _ in _columns(model)})


def _instance(model: type[M], values: dict[str, Any]) -> M:
    # Without SQLAlchemy's events for each attribute: nothing is ever flushed, and they cost more than all rules together.
    row: M = model.__mapper__.class_manager.new_instance()
    vars(row).update(values)
    for name in _lists(model):
        vars(row)[name] = []
    return row


_Converter = Callable[[Any], Any] | None


def _converter(type_: Any) -> _Converter:
    """From JSON to the attribute's type."""
    if isinstance(type_, Uuid):
        return uuid.UUID
    if isinstance(type_, DateTime):
        return datetime.fromisoformat
    if isinstance(type_, EnumText):
        return type_.members
    return None


def _columns(model: type[Any]) -> tuple[tuple[str, str, _Converter], ...]:
    """(attribute, column, converter) of each."""
    found = _known_columns.get(model)
    if found is None:
        found = _known_columns[model] = tuple(
            (attribute.key, str(attribute.columns[0].name), _converter(attribute.columns[0].type))
            for attribute in model.__mapper__.column_attrs
        )
    return found


_known_columns: Final[dict[type[Any], tuple[tuple[str, str, _Converter], ...]]] = {}


def _lists(model: type[Any]) -> tuple[str, ...]:
    """The relationships that are lists: empty ones, since nothing is loaded."""
    found = _known_lists.get(model)
    if found is None:
        found = _known_lists[model] = tuple(one.key for one in model.__mapper__.relationships if one.uselist)
    return found


_known_lists: Final[dict[type[Any], tuple[str, ...]]] = {}
