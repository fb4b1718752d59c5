"""Uploaded files stay in memory: werkzeug would spool larger ones, identity documents among them, to disk in the clear.

MAX_CONTENT_LENGTH bounds a request, so a request costs at most that much memory.
"""

from __future__ import annotations

from io import BytesIO
from typing import IO

import flask


class Request(flask.Request):
    """Flask's, without temporary files."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return BytesIO()
