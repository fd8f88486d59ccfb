"""Applies deltas in a thread, so that an event loop goes on meanwhile; the twin does it at once."""

import asyncio

from roadworthy.delta import decode

__all__ = ["DirectCodec", "ThreadCodec"]


class ThreadCodec:
    """Implements `vehicle.ports.Codec` for an event loop."""

    async def decode(self, base: bytes, patch: bytes) -> bytes:
        """Return the image that the patch makes of the base."""
        return await asyncio.to_thread(decode, base, patch)


class DirectCodec:
    """The twin: takes no time of its own, needs no event loop."""

    async def decode(self, base: bytes, patch: bytes) -> bytes:
        """Return the image that the patch makes of the base."""
        return decode(base, patch)
