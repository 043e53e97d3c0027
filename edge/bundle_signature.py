"""Ed25519 signatures of bundles: who may replace a bundle cannot replace the key that its robot trusts.

The file `signature.json` signs the bytes of the manifest, which states the sha256 of every other file. Signing and
checking use the package `cryptography` (extra [signing]); reading an unsigned bundle needs nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import BundleError, RuntimeUnavailable

SIGNATURE = "signature.json"
#: Environment variable with the path of a public key (PEM) that every bundle must be signed with.
REQUIRED = "FIGOP_REQUIRE_SIGNATURE"


@dataclass(frozen=True, slots=True)
class Signature:
    """key: the signer's public key, hexadecimal (32 bytes). value: the signature (64 bytes)."""

    key: str
    value: bytes

    @classmethod
    def read(cls, data: bytes, path: Path) -> Signature:
        """From `signature.json`. Raises BundleError."""
        try:
            raw = json.loads(data)
            key, value = bytes.fromhex(raw["key"]), bytes.fromhex(raw["signature"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BundleError(f"The signature of the bundle {path} cannot be read: {error!r}.") from error
        if raw.get("algorithm") != "ed25519" or len(key) != 32 or len(value) != 64:
            raise BundleError(f"The signature of the bundle {path} is no Ed25519 signature.")
        return cls(key.hex(), value)

    def check(self, manifest: bytes, key: bytes, path: Path) -> None:
        """Raise BundleError unless this key signed these bytes."""
        crypto = _library()
        if bytes.fromhex(self.key) != key:
            raise BundleError(
                f"The bundle {path} is signed by {self.key[:16]}..., not by the required key {key.hex()[:16]}...."
            )
        try:
            crypto.Ed25519PublicKey.from_public_bytes(key).verify(self.value, manifest)
        except Exception as error:  # InvalidSignature, or a key that is no point of the curve
            raise BundleError(f"The signature of the bundle {path} is not of its manifest: it was altered.") from error


def sign(manifest: bytes, private_pem: bytes) -> bytes:
    """`signature.json` for a manifest. Raises BundleError for a key that is no Ed25519 private key."""
    crypto = _library()
    from cryptography.hazmat.primitives import serialization as s

    try:
        private = s.load_pem_private_key(private_pem, password=None)
    except (ValueError, TypeError) as error:
        raise BundleError(f"The private key cannot be read: {error}.") from error
    if not isinstance(private, crypto.Ed25519PrivateKey):
        raise BundleError("The private key is not an Ed25519 key: make one with `figop bundle keygen`.")
    key = private.public_key().public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
    row = {"algorithm": "ed25519", "key": key.hex(), "signature": private.sign(manifest).hex()}
    return (json.dumps(row, indent=1, sort_keys=True) + "\n").encode()


def new_keys() -> tuple[bytes, bytes]:
    """(private PEM, public PEM)."""
    crypto = _library()
    from cryptography.hazmat.primitives import serialization as s

    private = crypto.Ed25519PrivateKey.generate()
    secret = private.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    return secret, private.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)


def public_key(path: Path) -> bytes:
    """The 32 bytes of a public key file (PEM). Raises BundleError."""
    crypto = _library()
    from cryptography.hazmat.primitives import serialization as s

    try:
        key = s.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"The public key {path} cannot be read: {error}.") from error
    if not isinstance(key, crypto.Ed25519PublicKey):
        raise BundleError(f"The public key {path} is not an Ed25519 key.")
    raw: bytes = key.public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
    return raw


def required_key() -> bytes | None:
    """The key that the environment asks for, None = none. Raises BundleError when it cannot be read."""
    named = os.environ.get(REQUIRED, "")
    return public_key(Path(named).expanduser()) if named else None


def _library() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise RuntimeUnavailable(
            f"Signatures need the package cryptography ({error}): run `pip install 'figop[signing]'`."
        ) from error
    return ed25519
