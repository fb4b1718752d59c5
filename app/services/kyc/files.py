"""Identity documents on disk: encrypted under VAR_DIR/kyc, readable by this account only, never served.

A file is written and fsynced before the row that names it commits, so a row never lacks its file. A file without a row
(the process died between the two) cannot be reached, and `sweep` removes it.
"""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import current_app

from app.crypto import sealer
from app.errors import InvalidRequest

PURPOSE: Final = "kyc.document"

TAIL_BYTES: Final = 1024
"""How far from the end a PDF's `%%EOF` may be: readers look there (ISO 32000-1, annex H)."""


@dataclass(frozen=True, slots=True)
class _Format:
    """A file is of `media_type` when it begins with `head` and `end` is found in its last `tail_bytes` (0: anywhere)."""

    media_type: str
    head: bytes
    end: bytes
    tail_bytes: int

    def matches(self, content: bytes) -> bool:
        body = content[len(self.head) :]
        return content.startswith(self.head) and self.end in body[-self.tail_bytes :]


# Cameras append data of their own after a JPEG's end, so its marker may be anywhere.
FORMATS: Final = (
    _Format("image/jpeg", b"\xff\xd8\xff", b"\xff\xd9", 0),
    _Format("image/png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", b"IEND\xae\x42\x60\x82", 0),
    _Format("application/pdf", b"%PDF-", b"%%EOF", TAIL_BYTES),
)


def media_type_of(content: bytes) -> str:
    """What `content` is, whatever its name and header say. Raises InvalidRequest unless JPG, PNG or PDF, complete."""
    if not content:
        raise InvalidRequest("The document is empty.", field="document")
    for known in FORMATS:
        if known.matches(content):
            return known.media_type
    raise InvalidRequest("The document must be a complete JPG, PNG or PDF file.", field="document")


def write(content: bytes, *, document_id: uuid.UUID) -> str:
    """Store `content` encrypted for this document; returns the file's name, which is random."""
    name = f"{secrets.token_hex(16)}.sealed"
    folder = _folder()
    sealed = sealer().seal(content, purpose=PURPOSE, row_id=document_id)
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(sealed)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(folder)
    return name


def read(name: str, *, document_id: uuid.UUID) -> bytes:
    """For an operator's review. Raises CannotOpen when the file is not this document's, OSError when it is gone."""
    return sealer().open((_folder() / name).read_bytes(), purpose=PURPOSE, row_id=document_id)


def remove(name: str) -> None:
    """Harmless when it is gone."""
    (_folder() / name).unlink(missing_ok=True)


def sweep(known: Collection[str], *, older_than: float) -> int:
    """Remove files that no row names and that were written before `older_than` (Unix time); returns how many."""
    orphans = [
        file
        for file in _folder().glob("*.sealed")
        if file.name not in known and file.stat().st_mtime < older_than
    ]
    for orphan in orphans:
        orphan.unlink(missing_ok=True)
    return len(orphans)


def _folder() -> Path:
    folder = Path(current_app.config["VAR_DIR"]) / "kyc"
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)  # mkdir's mode passes through the umask
    return folder


def _sync_folder(folder: Path) -> None:
    # The new name itself must survive a power cut.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
