"""TLS 1.3 for both sides, and its failures in plain words.

One private authority signs the server's and the vehicles' certificates. TLS 1.2 is refused,
system trust stores are not consulted. In TLS 1.3 a server judges the client's certificate
after the client has finished its handshake, so a refusal arrives as an alert on the first
read (RFC 8446 section 4.4.2.4). `tls_reason` finds it in whatever error a library raised;
often it is lost there, because the server closes while our request is on its way, and then
`ask_tls_reason` connects once more and only listens.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from roadworthy.base.errors import StoreError

__all__ = [
    "Refused",
    "TlsClient",
    "TlsServer",
    "ask_tls_reason",
    "client_context",
    "server_context",
    "tls_reason",
]

Refused = Callable[[str], None]
"""Told, for each client certificate that TLS does not accept, why, in OpenSSL's words."""

_ALERT_TIMEOUT_S = 1.0
_CLOSED = (
    "the other side closes the connection during TLS; it may not accept our certificate "
    "(none given, expired, or of another authority)"
)
_WORDS = {
    "CERTIFICATE_REQUIRED": "the other side asks for a certificate and got none",
    "UNKNOWN_CA": "the other side does not know the authority that signed our certificate",
    "CERTIFICATE_REVOKED": "our certificate is revoked",
    "CERTIFICATE_EXPIRED": "our certificate has expired",
    "BAD_CERTIFICATE": "the other side refused our certificate",
    "UNSUPPORTED_CERTIFICATE": "our certificate is not meant for this use",
    "CERTIFICATE_UNKNOWN": "the other side refused our certificate",
    "PROTOCOL_VERSION": "the two sides share no TLS version; 1.3 is needed",
    "UNSUPPORTED_PROTOCOL": "the two sides share no TLS version; 1.3 is needed",
    "HANDSHAKE_FAILURE": "the other side refused the handshake",
    "DECRYPT_ERROR": "the other side could not verify our signature",
    "WRONG_VERSION_NUMBER": "the other side does not speak TLS on this port",
    "UNEXPECTED_EOF_WHILE_READING": "the other side closed the connection during TLS",
}


@dataclass(frozen=True, slots=True)
class TlsServer:
    """What a listener needs; all files are PEM.

    certificate, private_key: the server's own.
    client_ca: authority of the clients; with it a client certificate is required, without
        it none is asked for.
    """

    certificate: Path
    private_key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class TlsClient:
    """What a vehicle needs; all files are PEM.

    ca: the only authority whose server certificates are accepted.
    certificate, private_key: the vehicle's own, or both None for a client without one.
    """

    ca: Path
    certificate: Path | None = None
    private_key: Path | None = None


def server_context(tls: TlsServer, refused: Refused | None = None) -> ssl.SSLContext:
    """Return a TLS 1.3 context for a listener.

    Args:
        tls: its files.
        refused: told of each certificate that is not accepted; it can't change that.

    Raises:
        StoreError: a file is missing, is no PEM, or key and certificate do not match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _load(context, tls.certificate, tls.private_key)
    if tls.client_ca is not None:
        _trust(context, tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    if refused is not None:
        context.sslobject_class = _telling(refused)
    return context


def client_context(tls: TlsClient) -> ssl.SSLContext:
    """Return a TLS 1.3 context that checks the server's name and shows our certificate.

    Raises:
        StoreError: a file is missing, is no PEM, or key and certificate do not match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _trust(context, tls.ca)
    if tls.certificate is not None:
        _load(context, tls.certificate, tls.private_key)
    return context


def tls_reason(error: BaseException) -> str | None:
    """Return why TLS failed, in plain words, or None if the error has no TLS cause."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the server's certificate is not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            text = str(cause).upper().replace(" ", "_")
            found = (words for name, words in _WORDS.items() if name in text)
            return next(found, f"TLS failed ({cause})")
    return None


async def ask_tls_reason(host: str, port: int, context: ssl.SSLContext) -> str | None:
    """Connect, send nothing, and return why TLS refuses us; None if it does not.

    Some servers (asyncio's TLS among them) close the connection without the alert that would
    tell the reason; then all that can be said is that it was closed.
    """
    try:
        async with asyncio.timeout(_ALERT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            try:
                await reader.read(1)
            finally:
                writer.transport.abort()  # a mute server would not let it close in order
    except ssl.SSLError as error:
        return tls_reason(error)
    except ConnectionRefusedError:
        return None
    except ConnectionError:
        return _CLOSED
    except (OSError, TimeoutError):
        return None
    return _CLOSED


def _telling(refused: Refused) -> type[ssl.SSLObject]:
    """Return a TLS connection that tells of a refusal, which asyncio would keep to itself."""

    class Telling(ssl.SSLObject):
        """As its base, and says why it does not accept a certificate."""

        @override
        def do_handshake(self) -> None:
            """Go on with the handshake."""
            try:
                super().do_handshake()
            except ssl.SSLCertVerificationError as error:
                refused(error.verify_message)
                raise

    return Telling


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _load(context: ssl.SSLContext, certificate: Path, private_key: Path | None) -> None:
    try:
        context.load_cert_chain(certificate, private_key)
    except OSError as error:
        raise StoreError(
            f"can't load certificate and key ({error.strerror or error})",
            value=certificate.name,
            todo="check that both files are there, are PEM and belong together",
        ) from error


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except OSError as error:
        raise StoreError(
            f"can't load the certificate authority ({error.strerror or error})",
            value=ca.name,
            todo="check that the file is there and is PEM",
        ) from error
