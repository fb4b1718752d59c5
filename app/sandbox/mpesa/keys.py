"""The certificate with which merchants encrypt their operator's password, and its private key."""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from app.sandbox.core import Sandbox


class Keys:
    """A key pair of the sandbox, made at first use and stored in its folder."""

    _lock = threading.Lock()  # shared by all instances, because they share the files

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._folder: Path = sandbox.settings.folder
        self._key: rsa.RSAPrivateKey | None = None

    def certificate(self) -> bytes:
        """The X.509 certificate, PEM."""
        self._private_key()
        return (self._folder / "mpesa-certificate.pem").read_bytes()

    def is_operator(self, name: str, credential: str) -> bool:
        """Whether `credential` is the fixed one, or the operator's password encrypted with the certificate."""
        dashboard = self._sandbox.dashboard
        if name != dashboard.credential("mpesa", "initiator"):
            return False
        fixed = dashboard.credential("mpesa", "security_credential")
        if hmac.compare_digest(credential.encode(), fixed.encode()):
            return True
        password = dashboard.credential("mpesa", "initiator_password").encode()
        return hmac.compare_digest(self._decrypted(credential), password)

    def _decrypted(self, credential: str) -> bytes:
        try:
            # Daraja requires PKCS #1 v1.5.
            return self._private_key().decrypt(
                base64.b64decode(credential, validate=True), padding.PKCS1v15()
            )
        except (ValueError, binascii.Error):
            return b""

    def _private_key(self) -> rsa.RSAPrivateKey:
        with self._lock:
            if self._key is None:
                self._key = self._read() or self._make()
            return self._key

    def _read(self) -> rsa.RSAPrivateKey | None:
        path = self._folder / "mpesa-key.pem"
        if not path.exists():
            return None
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{path.name} contains no RSA key. Delete it, and a new one is made.")
        return key

    def _make(self) -> rsa.RSAPrivateKey:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Malipo M-Pesa sandbox")])
        now = self._sandbox.now()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=3650))
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        # The key is written last: when it exists, the certificate exists, too.
        (self._folder / "mpesa-certificate.pem").write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
        )
        path = self._folder / "mpesa-key.pem"
        path.touch(mode=0o600)
        path.write_bytes(private)
        return key
