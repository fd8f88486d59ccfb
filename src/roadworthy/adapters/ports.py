"""Free ports that stay ours until a program of ours listens on them.

A port that was only looked up may be given to somebody else before our program begins to
listen, or while it is started again. So we keep a socket bound to it that does not listen:
Linux then gives the port to nobody who asks for any port, neither to listen nor to connect,
but lets a program listen on it that asks for exactly this one with SO_REUSEADDR, as servers
do.
"""

import contextlib
import socket
from collections.abc import Iterator

from roadworthy.base.errors import ConflictError

__all__ = ["reserve_port", "reserved_port"]


def reserve_port(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Return a socket that keeps a port for a program of ours; close it to give the port back.

    Args:
        host: the address that the program will listen on.
        port: which one; 0 picks a free one.

    Raises:
        ConflictError: somebody listens on the port, or the host is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, port))
    except OSError as error:
        held.close()
        raise ConflictError(
            f"can't be used ({error.strerror})",
            value=f"{host}:{port}",
            todo="stop what uses it or choose another port",
        ) from error
    return held


@contextlib.contextmanager
def reserved_port(host: str = "127.0.0.1") -> Iterator[int]:
    """Yield a free port that stays ours for as long as the block does."""
    with reserve_port(host) as held:
        port: int = held.getsockname()[1]
        yield port
