"""P-256 keys for connections: made from drawn bytes, stored as PEM, requested for.

They are apart from the Ed25519 keys that sign metadata and reports, because TLS clients of
ECUs, brokers and proxies all know P-256.
"""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from roadworthy.base.errors import InputError
from roadworthy.trust.errors import MalformedError

__all__ = ["SCALAR_BYTES", "build_csr", "connection_key", "key_from_pem", "key_pem"]

SCALAR_BYTES = 32
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def connection_key(drawn: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 private key for at least 32 random bytes (FIPS 186-5, A.2.1).

    40 bytes or more leave no measurable bias; with 32 it is below 2^-32.

    Raises:
        InputError: fewer than 32 bytes.
    """
    if len(drawn) < SCALAR_BYTES:
        raise InputError(f"has {len(drawn)} bytes", value="drawn", todo="draw 40 random bytes")
    return ec.derive_private_key(int.from_bytes(drawn) % (_P256_ORDER - 1) + 1, ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    """Return the private key as PKCS #8 PEM, encrypted if there is a password."""
    encryption: KeySerializationEncryption = NoEncryption()
    if password is not None:
        encryption = BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def key_from_pem(pem: bytes, password: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """Return the private key that `key_pem` wrote.

    Raises:
        MalformedError: not a P-256 private key in PEM, or the password is wrong or missing.
    """
    try:
        key = load_pem_private_key(pem, password=password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedError(
            "is not a readable private key", value="key", todo="check the file and its password"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise MalformedError("is not a P-256 key", value="key", todo="give a P-256 key")
    return key


def build_csr(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    """Return a certificate request (DER) that proves possession of `key`.

    Raises:
        InputError: the name is empty or longer than 64 characters.
    """
    try:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    except ValueError as error:
        raise InputError("must have 1 to 64 characters", value="name") from error
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = request.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(Encoding.DER)
