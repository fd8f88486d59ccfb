"""Applies deltas in a thread, so that an event loop goes on meanwhile; the twin does it at once."""

import asyncio

from roadworthy import delta

__all__ = ["DirectCodec", "ThreadCodec"]


class ThreadCodec:
    """Implements `vehicle.ports.Codec` for an event loop."""

    async def apply(self, base: bytes, patch: bytes) -> bytes:
        """Return the image that the patch makes of the base."""
        return await asyncio.to_thread(_whole, base, patch)


class DirectCodec:
    """The twin: takes no time of its own, needs no event loop."""

    async def apply(self, base: bytes, patch: bytes) -> bytes:
        """Return the image that the patch makes of the base."""
        return _whole(base, patch)


def _whole(base: bytes, patch: bytes) -> bytes:
    return b"".join(delta.apply(base, patch))
