"""Who gets a certificate, what is in it, and what a server refuses."""

from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from tests.trust.conftest import NOW, VEHICLE

from roadworthy.base.errors import InputError, RoadworthyError
from roadworthy.base.ids import VehicleKey
from roadworthy.trust.certificates import (
    Authority,
    Validity,
    authority_from_pem,
    build_csr,
    check_vehicle_certificate,
    connection_key,
    issue_server,
    issue_vehicle,
    key_pem,
    make_authority,
    make_revocation_list,
    serial_of,
    to_der,
    to_pem,
    vehicle_key_of,
)
from roadworthy.trust.errors import (
    CertificateError,
    CertificateExpiredError,
    CertificateRevokedError,
    MalformedError,
)

VALID = Validity(NOW - timedelta(days=1), NOW + timedelta(days=365))
VEHICLE_PRIVATE = connection_key(bytes([7]) * 32)


def authority_of(number: int) -> Authority:
    key = connection_key(bytes([number]) * 32)
    return make_authority("Roadworthy vehicles", key, serial=number, validity=VALID)


AUTHORITY = authority_of(1)
AUTHORITY_PEM = to_pem(AUTHORITY.certificate)


def vehicle_certificate(authority: Authority = AUTHORITY, serial: int = 42) -> x509.Certificate:
    csr = build_csr(VEHICLE_PRIVATE, "anything")
    return issue_vehicle(authority, csr, VEHICLE, serial=serial, validity=VALID)


def test_the_common_name_is_the_callers_not_the_requests() -> None:
    csr = build_csr(VEHICLE_PRIVATE, "vffffffffffffffff")
    certificate = issue_vehicle(AUTHORITY, csr, VEHICLE, serial=42, validity=VALID)
    assert vehicle_key_of(to_der(certificate)) == VEHICLE
    assert certificate.public_key() == VEHICLE_PRIVATE.public_key()
    assert serial_of(to_pem(certificate)) == 42


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert to_der(vehicle_certificate()) == to_der(vehicle_certificate())


def test_a_vehicles_certificate_passes_the_servers_check() -> None:
    revocations = make_revocation_list(AUTHORITY, [(41, NOW)], number=1, validity=VALID)
    for data in (to_der(vehicle_certificate()), to_pem(vehicle_certificate())):
        found = check_vehicle_certificate(
            data, authority=AUTHORITY_PEM, revocation_list=revocations, now=NOW
        )
        assert found == VEHICLE


def refused(certificate: x509.Certificate) -> None:
    check_vehicle_certificate(
        to_der(certificate), authority=AUTHORITY_PEM, revocation_list=None, now=NOW
    )


def test_a_foreign_authority_of_the_same_name_is_refused() -> None:
    with pytest.raises(CertificateError) as caught:
        refused(vehicle_certificate(authority_of(2)))
    assert caught.value.code == "bad-certificate"


@pytest.mark.parametrize("now", [VALID.start - timedelta(seconds=1), VALID.end + timedelta(1)])
def test_a_certificate_out_of_its_time_is_refused(now: datetime) -> None:
    with pytest.raises(CertificateExpiredError) as caught:
        check_vehicle_certificate(
            to_der(vehicle_certificate()),
            authority=AUTHORITY_PEM,
            revocation_list=None,
            now=now,
        )
    assert caught.value.code == "expired-certificate"


def test_a_revoked_certificate_is_refused() -> None:
    revocations = make_revocation_list(AUTHORITY, [(42, NOW)], number=1, validity=VALID)
    with pytest.raises(CertificateRevokedError) as caught:
        check_vehicle_certificate(
            to_der(vehicle_certificate()),
            authority=AUTHORITY_PEM,
            revocation_list=revocations,
            now=NOW,
        )
    assert caught.value.code == "revoked-certificate"


@pytest.mark.parametrize("other", [b"", b"garbage", None])
def test_a_false_revocation_list_is_refused(other: bytes | None) -> None:
    if other is None:
        other = make_revocation_list(authority_of(2), [], number=1, validity=VALID)
    with pytest.raises((CertificateError, MalformedError)):
        check_vehicle_certificate(
            to_der(vehicle_certificate()), authority=AUTHORITY_PEM, revocation_list=other, now=NOW
        )


def test_a_server_certificate_is_not_a_vehicles() -> None:
    server = issue_server(AUTHORITY, VEHICLE_PRIVATE.public_key(), serial=9, validity=VALID)
    with pytest.raises(CertificateError):
        refused(server)


def test_the_authority_itself_is_not_a_vehicle() -> None:
    with pytest.raises(CertificateError):
        refused(AUTHORITY.certificate)


def test_a_server_answers_on_localhost_and_the_names_given() -> None:
    names = ["fleet.example", "192.0.2.1", "localhost"]
    key = VEHICLE_PRIVATE.public_key()
    server = issue_server(AUTHORITY, key, names=names, serial=9, validity=VALID)
    listed = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert listed.get_values_for_type(x509.DNSName) == ["localhost", "fleet.example"]
    addresses = [ip_address("127.0.0.1"), ip_address("192.0.2.1")]
    assert listed.get_values_for_type(x509.IPAddress) == addresses
    with pytest.raises(InputError):
        issue_server(AUTHORITY, key, names=["flöte.example"], serial=9, validity=VALID)


def test_an_authority_survives_its_pem_and_keys_do_not_mix() -> None:
    again = authority_from_pem(AUTHORITY_PEM, key_pem(AUTHORITY.key))
    assert again.certificate == AUTHORITY.certificate
    with pytest.raises(MalformedError):
        authority_from_pem(AUTHORITY_PEM, key_pem(VEHICLE_PRIVATE))


def test_a_request_must_prove_possession() -> None:
    csr = bytearray(build_csr(VEHICLE_PRIVATE, "a"))
    csr[-1] ^= 1
    with pytest.raises((CertificateError, MalformedError)):
        issue_vehicle(AUTHORITY, bytes(csr), VEHICLE, serial=1, validity=VALID)


def test_a_request_with_another_kind_of_key_is_refused() -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    edwards = request.sign(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)), None)
    large = request.sign(ec.derive_private_key(5, ec.SECP384R1()), hashes.SHA256())
    for csr in (edwards, large):
        with pytest.raises(MalformedError):
            issue_vehicle(
                AUTHORITY, csr.public_bytes(Encoding.DER), VEHICLE, serial=1, validity=VALID
            )


def test_a_certificate_names_a_vehicle_key_or_nobody() -> None:
    with pytest.raises(InputError):
        issue_vehicle(
            AUTHORITY,
            build_csr(VEHICLE_PRIVATE, "a"),
            VehicleKey("WRW123"),
            serial=1,
            validity=VALID,
        )
    with pytest.raises(CertificateError):
        vehicle_key_of(AUTHORITY_PEM)


@pytest.mark.parametrize("serial", [0, -1, 1 << 160])
def test_a_serial_that_x509_can_not_hold_is_refused(serial: int) -> None:
    with pytest.raises(InputError):
        vehicle_certificate(serial=serial)


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_request_has_a_name_of_1_to_64_characters(name: str) -> None:
    with pytest.raises(InputError):
        build_csr(VEHICLE_PRIVATE, name)


@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_typed_errors(data: bytes) -> None:
    for certificate in (data, b"-----BEGIN CERTIFICATE-----\n" + data):
        with pytest.raises(RoadworthyError):
            vehicle_key_of(certificate)
    with pytest.raises(RoadworthyError):
        issue_vehicle(AUTHORITY, data, VEHICLE, serial=1, validity=VALID)


@given(position=st.integers(0), bit=st.integers(0, 7), which=st.integers(0, 1))
def test_a_changed_certificate_or_list_never_names_another_vehicle(
    position: int, bit: int, which: int
) -> None:
    revocations = make_revocation_list(AUTHORITY, [(1, NOW)], number=1, validity=VALID)
    files = [bytearray(to_der(vehicle_certificate())), bytearray(revocations)]
    files[which][position % len(files[which])] ^= 1 << bit
    certificate, listed = map(bytes, files)
    try:
        found = check_vehicle_certificate(
            certificate, authority=AUTHORITY_PEM, revocation_list=listed, now=NOW
        )
    except RoadworthyError:
        return
    # A padding bit of the signature means nothing.
    assert found == VEHICLE
    with pytest.raises(RoadworthyError):
        check_vehicle_certificate(
            to_der(vehicle_certificate(serial=1)),
            authority=AUTHORITY_PEM,
            revocation_list=listed,
            now=NOW,
        )


@given(position=st.integers(0), bit=st.integers(0, 7))
def test_a_changed_request_never_certifies_another_key(position: int, bit: int) -> None:
    csr = bytearray(build_csr(VEHICLE_PRIVATE, "a"))
    csr[position % len(csr)] ^= 1 << bit
    try:
        certificate = issue_vehicle(AUTHORITY, bytes(csr), VEHICLE, serial=1, validity=VALID)
    except RoadworthyError:
        return
    # A padding bit of the signature means nothing.
    assert certificate.public_key() == VEHICLE_PRIVATE.public_key()
    assert vehicle_key_of(to_der(certificate)) == VEHICLE
