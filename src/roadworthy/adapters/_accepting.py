"""Stops a listener without losing who has just come.

asyncio (Python 3.11) forgets a connection that it has accepted but not yet handed over when
its server is closed: it stays open, and whoever is at its other end waits for ever.
"""

import asyncio

__all__ = ["stop_accepting"]


async def stop_accepting(listener: int) -> None:
    """Accept nobody any more; return when who was accepted has a transport of the server.

    Args:
        listener: the file descriptor of the listening socket.
    """
    asyncio.get_running_loop().remove_reader(listener)
    await asyncio.sleep(0)
