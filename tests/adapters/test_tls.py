"""TLS failures in plain words, whatever error hides them."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from tests.adapters.conftest import ONE, TWO, Authority

from roadworthy.adapters.tls import (
    TlsClient,
    TlsServer,
    ask_tls_reason,
    client_context,
    server_context,
    tls_reason,
)
from roadworthy.base.errors import StoreError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required", "got none"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "does not know the authority"),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_REVOKED] alert certificate revoked", "is revoked"),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] alert certificate expired", "has expired"),
        ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] alert bad certificate", "refused our certificate"),
        ("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] alert protocol version", "1.3 is needed"),
        ("[SSL: SOMETHING_NEW] never seen", "TLS failed"),
    ],
)
def test_an_alert_is_told_in_words_however_deep_it_hides(text: str, words: str) -> None:
    hidden = OSError("lost")
    hidden.__cause__ = RuntimeError("wrapped")
    hidden.__cause__.__context__ = ssl.SSLError(1, text)
    assert words in str(tls_reason(hidden))


def test_an_error_without_tls_cause_has_no_reason() -> None:
    error = OSError("lost")
    error.__cause__ = error
    assert tls_reason(error) is None


def test_contexts_speak_tls_1_3_only_and_check_the_other_side(authority: Authority) -> None:
    server, client = server_context(authority.server()), client_context(authority.vehicle(ONE))
    for context in (server, client):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
        assert context.verify_mode == ssl.CERT_REQUIRED
    assert client.check_hostname
    assert len(client.get_ca_certs()) == 1


def test_unusable_files_are_named(authority: Authority, tmp_path: Path) -> None:
    good, other = authority.vehicle(ONE), authority.vehicle(TWO)
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    assert good.certificate is not None
    assert other.certificate is not None
    assert other.private_key is not None
    with pytest.raises(StoreError, match=r"broken\.pem"):
        client_context(TlsClient(broken))
    with pytest.raises(StoreError, match=good.certificate.name):
        client_context(TlsClient(authority.ca, good.certificate, other.private_key))
    with pytest.raises(StoreError, match=r"none\.pem"):
        server_context(TlsServer(other.certificate, other.private_key, tmp_path / "none.pem"))


async def test_a_server_that_falls_silent_after_tls_does_not_hold_us_up(
    authority: Authority,
) -> None:
    def make_tls_and_fall_silent(listener: socket.socket) -> ssl.SSLSocket:
        plain, _ = listener.accept()
        return server_context(authority.server()).wrap_socket(plain, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = asyncio.create_task(asyncio.to_thread(make_tls_and_fall_silent, listener))
        async with asyncio.timeout(15):
            asked = ask_tls_reason(
                "127.0.0.1", listener.getsockname()[1], client_context(authority.vehicle(ONE))
            )
            assert await asked is None
        with await silent:
            pass
