"""Ed25519 signing keys: made from bytes that the caller drew, stored as PEM, told as JSON."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from roadworthy.base.errors import InputError
from roadworthy.trust._encoding import parse_strict, to_wire
from roadworthy.trust.errors import MalformedError
from roadworthy.trust.tuf import CryptoSigner, Key, SSlibKey

__all__ = [
    "SEED_BYTES",
    "key_from_json",
    "key_of",
    "key_to_json",
    "private_pem",
    "signer_from_pem",
    "signer_from_seed",
]

SEED_BYTES = 32
_KEY_JSON_BYTES_MAX = 4096


def signer_from_seed(seed: bytes) -> CryptoSigner:
    """Return the Ed25519 signer whose private key is `seed` (RFC 8032, section 5.1.5).

    Raises:
        InputError: not 32 bytes.
    """
    if len(seed) != SEED_BYTES:
        raise InputError(f"has {len(seed)} bytes", value="seed", todo="draw 32 random bytes")
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(seed))


def key_of(signer: CryptoSigner) -> Key:
    """Return the public key of a signer."""
    return signer.public_key


def private_pem(signer: CryptoSigner, password: bytes | None = None) -> bytes:
    """Return the private key as PKCS #8 PEM, encrypted if there is a password.

    With a password the bytes differ from call to call (salt); the key is the same.
    """
    if password is None:
        return signer.private_bytes
    key = load_pem_private_key(signer.private_bytes, password=None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))


def signer_from_pem(pem: bytes, password: bytes | None = None) -> CryptoSigner:
    """Return the signer that `private_pem` wrote.

    Raises:
        MalformedError: not an Ed25519 private key in PEM, or the password is wrong or missing.
    """
    try:
        key = load_pem_private_key(pem, password=password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedError(
            "is not a readable private key", value="key", todo="check the file and its password"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise MalformedError("is not an Ed25519 key", value="key", todo="give an Ed25519 key")
    plain = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return signer_from_seed(plain)


def key_to_json(key: Key) -> bytes:
    """Return a public key as JSON: keyid, keytype, scheme, keyval."""
    return to_wire({"keyid": key.keyid, **key.to_dict()})


def key_from_json(data: bytes) -> Key:
    """Return the public key that `key_to_json` wrote.

    Raises:
        MalformedError: not such a JSON object, not Ed25519, or the keyid is not the key's own.
    """
    if len(data) > _KEY_JSON_BYTES_MAX:
        raise MalformedError(f"has {len(data)} bytes", value="key", todo="give one public key")
    raw = parse_strict(data, name="key")
    try:
        public = raw["keyval"]["public"]
        keyid = raw["keyid"]
        plain = bytes.fromhex(public)
    except (LookupError, TypeError, ValueError) as error:
        raise MalformedError("is not a public key", value="key") from error
    # Built anew, so that nothing but the 32 bytes decides about keyid, type and scheme.
    key = _ed25519_key(plain)
    if key_to_json(key) != to_wire(raw) or keyid != key.keyid:
        raise MalformedError(
            "is not an Ed25519 key with its own keyid", value="key", todo="export the key again"
        )
    return key


def _ed25519_key(plain: bytes) -> Key:
    try:
        return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(plain))
    except ValueError as error:
        raise MalformedError("is not an Ed25519 public key", value="key") from error
