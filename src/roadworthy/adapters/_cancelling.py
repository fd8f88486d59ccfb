"""Heeds a cancellation that a library has dropped.

`asyncio.wait_for` of Python 3.11 returns its result instead of ending when the task is
cancelled in the same turn of the event loop. The NATS and MQTT libraries wait with it: a loop
around them would go on, and who waits for its end would wait for ever.
"""

import asyncio

__all__ = ["heed_cancellation"]


def heed_cancellation() -> None:
    """Call it after waiting in such a library, where only a cancellation ends the waiting.

    Raises:
        asyncio.CancelledError: the current task was asked to end, and did not hear of it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
