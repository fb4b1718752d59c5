"""Codes, tokens and secrets of OAuth 2: how they are made, recognised and stored."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

CODE: Final = "authcode_"
ACCESS_TOKEN: Final = "tok_"  # noqa: S105 how one begins
REFRESH_TOKEN: Final = "rtok_"  # noqa: S105 how one begins
CLIENT: Final = "client_"
SECRET: Final = "secret_"  # noqa: S105 how one begins

CODE_LIFE_S: Final = 600
ACCESS_TOKEN_LIFE_S: Final = 3600
REFRESH_TOKEN_LIFE_S: Final = 30 * 86_400
"""Since it was issued: an application that refreshes nothing for so long asks for consent again."""

GRANT_LIFE_S: Final = 365 * 86_400
"""Since the consent, however often it is refreshed."""

_ACCESS_TOKEN: Final = re.compile(r"tok_[A-Za-z0-9_-]{43}")


def new(prefix: str) -> str:
    """`prefix` and 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def new_client_id() -> str:
    """`client_` and 24 hexadecimal digits. No secret."""
    return CLIENT + secrets.token_hex(12)


def is_access_token(text: str) -> bool:
    """Whether this is an access token by its form, good or not."""
    return bool(_ACCESS_TOKEN.fullmatch(text))


def digest(secret: str) -> bytes:
    """As it is stored: no password hash, since secrets have 256 random bits. Half a surrogate pair is no error."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
