"""The push password and the SecurityCredential."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from app.providers.base import Account
from app.providers.errors import RequestRejected
from app.providers.mpesa.values import stamp


def push_password(shortcode: str, passkey: str, moment: datetime) -> tuple[str, str]:
    """(`Password`, `Timestamp`) of STK push and query: base64 of shortcode, passkey and the same timestamp."""
    timestamp = stamp(moment)
    return base64.b64encode(f"{shortcode}{passkey}{timestamp}".encode()).decode(), timestamp


def security_credential(account: Account) -> str:
    """The ready one of the settings, or the initiator's password under the certificate's key.

    Raises RequestRejected when the account has neither, or the certificate cannot be used.
    """
    if ready := account["security_credential"]:
        return ready
    if not account["initiator_password"] or not account["certificate"]:
        raise RequestRejected(
            "This M-Pesa account has no security credential: set one, or the initiator's password and the certificate.",
            code="not_configured",
        )
    return encrypted(account["initiator_password"], public_key(account["certificate"]))


def encrypted(password: str, key: RSAPublicKey) -> str:
    """base64 of RSA PKCS#1 v1.5 over the raw password: different each time."""
    return base64.b64encode(key.encrypt(password.encode(), PKCS1v15())).decode()


def public_key(certificate: str) -> RSAPublicKey:
    """The key of a certificate given as PEM text or as a path (PEM or DER). Raises RequestRejected.

    Validity dates are not checked: Safaricom's published certificates have been expired for years and serve still.
    """
    from cryptography import x509  # late: it takes a twentieth of a process's start, and few accounts need it

    try:
        content = certificate.encode() if "BEGIN " in certificate else Path(certificate).read_bytes()
        is_pem = b"BEGIN " in content
        loaded = (
            x509.load_pem_x509_certificate(content) if is_pem else x509.load_der_x509_certificate(content)
        )
        key = loaded.public_key()
    except (OSError, ValueError) as error:
        raise RequestRejected(
            "The M-Pesa certificate cannot be read: give a path or PEM text.", code="certificate"
        ) from error
    if not isinstance(key, RSAPublicKey):
        raise RequestRejected("The M-Pesa certificate has no RSA key.", code="certificate")
    return key
