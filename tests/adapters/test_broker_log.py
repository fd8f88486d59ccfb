"""What the broker's log tells of certificates that it did not accept."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.conftest import ONE, Authority, Connect, Station
from tests.adapters.test_broker import reason, until

from roadworthy.adapters._broker_log import RefusedCertificates

FOREIGN = (
    b"[7] 2026/11/26 15:15:11.2 [ERR] 127.0.0.1:40337 - mid:17 - TLS handshake error: tls: failed "
    b"to verify certificate: x509: certificate signed by unknown authority (possibly because of "
    b'"x509: ECDSA verification failure" while trying "A") (CN=v1 SHA-256: ec15)\n'
)
WHY = "certificate signed by unknown authority"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "broker.log"


async def test_the_broker_tells_of_a_foreign_certificate_once(
    station: Station, connect: Connect, authority: Authority, tmp_path: Path
) -> None:
    assert station.broker.refused_certificates() == []
    rogue = Authority(tmp_path / "rogue").vehicle(ONE)
    tls = authority.anonymous(rogue.certificate, rogue.private_key)
    link = connect(station.broker.mqtt_port, tls=tls, timeout_s=1.0)
    await reason(link)
    await link.aclose()
    told: list[str] = []

    def look() -> bool:
        told.extend(station.broker.refused_certificates())
        return bool(told)

    await until(look)
    assert set(told) == {WHY}
    assert station.broker.refused_certificates() == []


def test_only_new_and_whole_lines_are_told(log: Path) -> None:
    log.write_bytes(FOREIGN)
    refused = RefusedCertificates(log)
    assert refused.look() == []
    with log.open("ab") as more:
        more.write(b"another line\n" + FOREIGN + FOREIGN[:-20])
        more.flush()
        assert refused.look() == [WHY]
        more.write(FOREIGN[-20:])
        more.flush()
        assert refused.look() == [WHY]
    assert refused.look() == []


def test_a_new_log_is_read_from_its_beginning(log: Path) -> None:
    log.write_bytes(FOREIGN * 3)
    refused = RefusedCertificates(log)
    log.write_bytes(FOREIGN)
    assert refused.look() == [WHY]


def test_a_log_that_is_not_there_yet_is_empty(log: Path) -> None:
    refused = RefusedCertificates(log)
    assert refused.look() == []
    log.write_bytes(FOREIGN)
    assert refused.look() == [WHY]


def test_a_line_without_an_end_does_not_stop_the_reader(log: Path) -> None:
    refused = RefusedCertificates(log)
    log.write_bytes(b"x" * (1 << 20) + b"\n" + FOREIGN)
    assert [refused.look() for _ in range(3)] == [[], [WHY], []]


@given(name=st.binary(max_size=200))
def test_a_name_in_a_certificate_can_say_nothing(
    tmp_path_factory: pytest.TempPathFactory, name: bytes
) -> None:
    log = tmp_path_factory.mktemp("log") / "broker.log"
    refused = RefusedCertificates(log)
    log.write_bytes(FOREIGN.replace(b"CN=v1", b"CN=" + name.replace(b"\n", b"")))
    assert refused.look() == [WHY]
