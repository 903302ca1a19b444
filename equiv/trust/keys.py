"""Who signs: ed25519 keys as files and as numbers, by the `cryptography` library (`pip install 'equiv[trust]'`)."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from equiv.errors import InputError, Place
from equiv.inputs import read_input

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_KEY_FILE = 1 << 20
PUBLIC_SIZE, SIGNATURE_SIZE = 32, 64


def require_library() -> None:
    """Raises InputError that says what to install."""
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401
    except ImportError:
        raise InputError("signatures need the library cryptography", hint="pip install 'equiv[trust]'") from None


def new_key() -> Ed25519PrivateKey:
    """A key from the system's random numbers."""
    require_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def as_pem(key: Ed25519PrivateKey) -> bytes:
    """The private key as a file holds it (PKCS #8), not encrypted."""
    from cryptography.hazmat.primitives import serialization as form

    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def read_key(path: str) -> Ed25519PrivateKey:
    """The private key in a PEM file. Raises InputError where it is none, or where others than its owner may read it."""
    require_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data, place = read_input(path, MAX_KEY_FILE), Place(path)
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        raise InputError("a private key that others may read or write", place, "chmod 600 it, or make another")
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:  # TypeError: encrypted
        raise InputError(f"not a private key: {error}", place) from error
    except Exception as error:  # of the library's own, for kinds of keys that it does not know
        raise InputError(f"not a private key: {type(error).__name__}", place) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError("a private key, but not for ed25519", place, "equiv catalogue keygen makes one")
    return key


def public_of(key: Ed25519PrivateKey) -> str:
    """The public key, 32 bytes in hex."""
    from cryptography.hazmat.primitives import serialization as form

    return key.public_key().public_bytes(form.Encoding.Raw, form.PublicFormat.Raw).hex()


def fingerprint(public: str) -> str:
    """How a key is called: SHA-256 of the public key's 32 bytes, in hex."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()


def sign(key: Ed25519PrivateKey, payload_type: str, payload: bytes) -> str:
    """The signature of a payload, in hex."""
    return key.sign(pae(payload_type, payload)).hex()


def signed_by(public: str, signature: str, payload_type: str, payload: bytes) -> bool:
    """Whether `signature` is that of the key `public` of this payload. Raises InputError without the library."""
    require_library()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(
            bytes.fromhex(signature), pae(payload_type, payload)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def pae(payload_type: str, payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding, so that a signature of one type is none of another.

    https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
