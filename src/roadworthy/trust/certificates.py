"""Certificates for connections (X.509, P-256): an authority, servers, vehicles, revocation.

A vehicle's certificate carries its vehicle key as common name and nothing else that tells who
it is. The authority takes the name from its own record, never from the request; the request
only proves possession of the private key. Serial numbers, private scalars and times are the
caller's; signatures are deterministic (RFC 6979), so equal arguments give equal bytes.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from roadworthy.base.errors import InputError
from roadworthy.base.ids import VehicleKey, parse_vehicle_key
from roadworthy.trust.connection_keys import (
    SCALAR_BYTES,
    build_csr,
    connection_key,
    key_from_pem,
    key_pem,
)
from roadworthy.trust.errors import (
    CertificateError,
    CertificateExpiredError,
    CertificateRevokedError,
    MalformedError,
)

__all__ = [
    "SCALAR_BYTES",
    "Authority",
    "Validity",
    "authority_from_pem",
    "build_csr",
    "check_vehicle_certificate",
    "connection_key",
    "issue_server",
    "issue_vehicle",
    "key_from_pem",
    "key_pem",
    "make_authority",
    "make_revocation_list",
    "serial_of",
    "to_der",
    "to_pem",
    "vehicle_key_of",
]

_REQUEST_BYTES_MAX = 16 * 1024
_FORM_ERRORS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when a certificate is good; aware, UTC, whole seconds."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: its own certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_authority(
    name: str, key: ec.EllipticCurvePrivateKey, *, serial: int, validity: Validity
) -> Authority:
    """Return a self-signed authority that may issue end certificates and revocation lists."""
    subject = _named(name)
    builder = (
        _builder(subject, subject, key.public_key(), serial, validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
    )
    return Authority(_signed(builder, key), key)


def authority_from_pem(certificate: bytes, key: bytes, password: bytes | None = None) -> Authority:
    """Return the authority whose certificate and private key were stored as PEM.

    Raises:
        MalformedError: one of the two can't be read, or they do not belong together.
    """
    authority = Authority(_load(certificate), key_from_pem(key, password))
    if authority.certificate.public_key() != authority.key.public_key():
        raise MalformedError("does not belong to the certificate", value="key")
    return authority


def issue_server(
    authority: Authority,
    key: ec.EllipticCurvePublicKey,
    *,
    names: Sequence[str] = (),
    serial: int,
    validity: Validity,
) -> x509.Certificate:
    """Issue a server certificate for localhost, 127.0.0.1 and the DNS names or addresses given.

    Raises:
        InputError: a name is neither an IP address nor ASCII text for a DNS name.
    """
    listed = [_general_name(name) for name in dict.fromkeys(("localhost", "127.0.0.1", *names))]
    issuer = authority.certificate.subject
    builder = _issued(
        _builder(_named("roadworthy server"), issuer, key, serial, validity),
        authority,
        ExtendedKeyUsageOID.SERVER_AUTH,
    ).add_extension(x509.SubjectAlternativeName(listed), critical=False)
    return _signed(builder, authority.key)


def issue_vehicle(
    authority: Authority, csr: bytes, vehicle: VehicleKey, *, serial: int, validity: Validity
) -> x509.Certificate:
    """Issue a client certificate whose common name is `vehicle`, whatever the request says.

    Args:
        authority: the issuer.
        csr: the request, DER or PEM.
        vehicle: the key under which the caller knows the vehicle.
        serial: a number that this authority has not used, 1 to 159 bits.
        validity: from when until when.

    Raises:
        MalformedError: not a request with a P-256 key.
        CertificateError: the request is not signed by its own key.
    """
    key = _requested_key(csr)
    issuer = authority.certificate.subject
    builder = _issued(
        _builder(_named(parse_vehicle_key(vehicle)), issuer, key, serial, validity),
        authority,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    )
    return _signed(builder, authority.key)


def make_revocation_list(
    authority: Authority,
    revoked: Iterable[tuple[int, datetime]],
    *,
    number: int,
    validity: Validity,
) -> bytes:
    """Return the revocation list (DER).

    Args:
        authority: the issuer.
        revoked: serial numbers with the time since when they are void.
        number: rises with each list (RFC 5280, 5.2.3).
        validity: when it was made and when the next one comes.
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(validity.start)
        .next_update(validity.end)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial, since in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
        builder = builder.add_revoked_certificate(entry.build())
    signed = builder.sign(authority.key, hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(Encoding.DER)


def check_vehicle_certificate(
    certificate: bytes, *, authority: bytes, revocation_list: bytes | None, now: datetime
) -> VehicleKey:
    """Check a vehicle's certificate as a server does and return the vehicle key.

    Args:
        certificate: DER or PEM, as the client presented it.
        authority: the certificate of our authority, DER or PEM.
        revocation_list: DER of the current list, or None if nothing was ever revoked.
        now: aware, UTC.

    Raises:
        MalformedError: bytes that are no certificate or no revocation list.
        CertificateError: another issuer, not for a client, no vehicle key.
        CertificateExpiredError, CertificateRevokedError: as the name says.
    """
    found, issuer = _load(certificate), _load(authority)
    try:
        found.verify_directly_issued_by(issuer)
    except (*_FORM_ERRORS, InvalidSignature) as error:
        raise CertificateError("is not issued by our authority", value="certificate") from error
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise CertificateExpiredError(
            f"is valid until {found.not_valid_after_utc.isoformat()}",
            value="certificate",
            todo="renew it",
        )
    _require_client_use(found)
    if revocation_list is not None:
        _require_not_revoked(found, issuer, revocation_list)
    return vehicle_key_of(certificate)


def vehicle_key_of(certificate: bytes) -> VehicleKey:
    """Return the vehicle key in a certificate that the connection has already verified.

    Raises:
        MalformedError: not a certificate.
        CertificateError: its common name is not exactly one vehicle key.
    """
    try:
        # The name is parsed when it is first asked for.
        names = _load(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except _FORM_ERRORS as error:
        raise MalformedError("has no readable name", value="certificate") from error
    if len(names) != 1:
        raise CertificateError("does not have exactly one common name", value="certificate")
    try:
        return parse_vehicle_key(str(names[0].value))
    except InputError as error:
        raise CertificateError("does not name a vehicle key", value="certificate") from error


def serial_of(certificate: bytes) -> int:
    """Return the serial number of a certificate, DER or PEM.

    Raises:
        MalformedError: not a certificate.
    """
    return _load(certificate).serial_number


def to_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM)


def to_der(certificate: x509.Certificate) -> bytes:
    """Return a certificate as DER."""
    return certificate.public_bytes(Encoding.DER)


def _load(data: bytes) -> x509.Certificate:
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except _FORM_ERRORS as error:
        raise MalformedError("is not a certificate", value="certificate") from error


def _requested_key(csr: bytes) -> ec.EllipticCurvePublicKey:
    if len(csr) > _REQUEST_BYTES_MAX:
        raise MalformedError(f"has {len(csr)} bytes", value="csr")
    try:
        pem = csr.lstrip().startswith(b"-----BEGIN")
        request = x509.load_pem_x509_csr(csr) if pem else x509.load_der_x509_csr(csr)
        key, proven = request.public_key(), request.is_signature_valid
    except _FORM_ERRORS as error:
        raise MalformedError("is not a certificate request", value="csr") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise MalformedError("does not hold a P-256 key", value="csr")
    if not proven:
        raise CertificateError("is not signed by its own key", value="csr")
    return key


def _require_client_use(certificate: x509.Certificate) -> None:
    try:
        use = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (*_FORM_ERRORS, x509.ExtensionNotFound) as error:
        raise CertificateError("does not say what it is for", value="certificate") from error
    if list(use) != [ExtendedKeyUsageOID.CLIENT_AUTH]:
        raise CertificateError("is not for a client", value="certificate")


def _require_not_revoked(
    certificate: x509.Certificate, issuer: x509.Certificate, revocation_list: bytes
) -> None:
    try:
        listed = x509.load_der_x509_crl(revocation_list)
        key = issuer.public_key()
        ours = isinstance(key, ec.EllipticCurvePublicKey) and listed.is_signature_valid(key)
    except _FORM_ERRORS as error:
        raise MalformedError("is not a revocation list", value="revocation_list") from error
    if not ours:
        raise CertificateError("is not by our authority", value="revocation_list")
    entry = listed.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is not None:
        since = entry.revocation_date_utc.isoformat()
        raise CertificateRevokedError(f"is revoked since {since}", value="certificate")


def _named(name: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    except ValueError as error:
        raise InputError("must have 1 to 64 characters", value="name") from error


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise InputError("is not a DNS name", value="names", todo="use ASCII (xn--)") from error


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    serial: int,
    validity: Validity,
) -> x509.CertificateBuilder:
    try:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(serial)
            .not_valid_before(validity.start)
            .not_valid_after(validity.end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
    except ValueError as error:
        raise InputError(f"can't be certified ({error})", value="certificate") from error


def _issued(
    builder: x509.CertificateBuilder, authority: Authority, use: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .add_extension(issuer, critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
