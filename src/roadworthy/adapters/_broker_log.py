"""What only the broker's log tells: certificates that its TLS layer did not accept.

The broker asks us about certificates of our own authority only. A foreign one ends inside its
TLS layer, of which nothing is told but a line in the log. Of that line only the broker's own
words are taken; the names in it are the stranger's.
"""

import re
from pathlib import Path

__all__ = ["RefusedCertificates"]

_LINE = re.compile(
    rb"TLS handshake error: tls: failed to verify certificate: (x509: )?([a-z][a-z ]{0,80}[a-z])"
)
_BYTES_AT_ONCE = 1 << 20


class RefusedCertificates:
    """Reads on where the last look ended; what is in the log at first is old.

    Args:
        path: the log. When a new one begins, the unread end of the old one is left out.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = self._size()

    def look(self) -> list[str]:
        """Return why certificates were refused since the last look, one reason for each."""
        size = self._size()
        if size < self._offset:
            self._offset = 0
        if size == self._offset:
            return []
        with self._path.open("rb") as log:
            log.seek(self._offset)
            data = log.read(_BYTES_AT_ONCE)
        whole = data.rfind(b"\n") + 1 or (len(data) if len(data) == _BYTES_AT_ONCE else 0)
        self._offset += whole
        return [found[2].decode() for found in _LINE.finditer(data[:whole])]

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.is_file() else 0
