"""Security access (ISO 14229-1 clause 10.4): an ECU unlocks for who knows its secret.

The ECU draws a seed, the tester answers with HMAC-SHA256(secret, seed), cut to 16 bytes. The
secret is per ECU, so a key that leaks from one vehicle opens no other. After three wrong keys
the ECU refuses further seeds for ten seconds; a reset does not shorten that.
"""

import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from roadworthy.diagnostics.errors import NegativeResponseError
from roadworthy.diagnostics.nrc import Nrc
from roadworthy.diagnostics.uds import SecurityAccess, Service

__all__ = ["ATTEMPTS_MAX", "DELAY", "KEY_LENGTH", "LEVEL", "SEED_LENGTH", "Lock", "derive_key"]

LEVEL = 0x01
SEED_LENGTH = 16
KEY_LENGTH = 16
ATTEMPTS_MAX = 3
DELAY = timedelta(seconds=10)


def derive_key(secret: bytes, seed: bytes) -> bytes:
    """Return the key that answers a seed."""
    return hmac.digest(secret, seed, sha256)[:KEY_LENGTH]


class Lock:
    """The ECU's lock.

    Args:
        secret: this ECU's secret, at least 16 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._seed = b""
        self._failures = 0
        self._closed_until: datetime | None = None
        self.is_open = False

    def close(self) -> None:
        """Lock; wrong keys so far stay counted."""
        self.is_open = False
        self._seed = b""

    def answer(self, request: SecurityAccess, fresh_seed: bytes, now: datetime) -> bytes:
        """Take a request and return the body of the positive answer, without the level.

        Args:
            request: seed request or key.
            fresh_seed: `SEED_LENGTH` unpredictable bytes, used if a seed is asked for.
            now: current time.

        Raises:
            NegativeResponseError: unknown level, wrong key, wrong order, too many attempts.
        """
        if request.level == LEVEL:
            return self._give_seed(request, fresh_seed, now)
        if request.level == LEVEL + 1:
            self._take_key(request.data, now)
            return b""
        raise _refusal(Nrc.SUB_FUNCTION_NOT_SUPPORTED)

    def _give_seed(self, request: SecurityAccess, fresh_seed: bytes, now: datetime) -> bytes:
        if request.data:
            raise _refusal(Nrc.INCORRECT_LENGTH_OR_FORMAT)
        if self._closed_until is not None and now < self._closed_until:
            raise _refusal(Nrc.REQUIRED_TIME_DELAY_NOT_EXPIRED)
        self._closed_until = None
        if self.is_open:
            return bytes(SEED_LENGTH)
        self._seed = fresh_seed
        return fresh_seed

    def _take_key(self, key: bytes, now: datetime) -> None:
        if len(key) != KEY_LENGTH:
            raise _refusal(Nrc.INCORRECT_LENGTH_OR_FORMAT)
        if self.is_open:
            return
        if not self._seed:
            raise _refusal(Nrc.REQUEST_SEQUENCE_ERROR)
        seed, self._seed = self._seed, b""
        if hmac.compare_digest(key, derive_key(self._secret, seed)):
            self.is_open = True
            self._failures = 0
            return
        self._failures += 1
        if self._failures < ATTEMPTS_MAX:
            raise _refusal(Nrc.INVALID_KEY)
        self._failures = 0
        self._closed_until = now + DELAY
        raise _refusal(Nrc.EXCEEDED_NUMBER_OF_ATTEMPTS)


def _refusal(nrc: Nrc) -> NegativeResponseError:
    return NegativeResponseError(Service.SECURITY_ACCESS, nrc)
