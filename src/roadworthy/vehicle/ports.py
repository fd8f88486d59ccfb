"""What the agent needs from the world around it. It awaits these ports and nothing else.

So the same agent runs on an event loop with real connections and in the simulator's virtual time.
A cancelled call may have had its effect or not; the agent's journal covers both.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from roadworthy.base.ids import Sha256
from roadworthy.updates.install_plan import Conditions

__all__ = ["ArtifactStream", "Cloud", "Codec", "EcuBus", "Messages", "Storage", "VehicleConditions"]


class ArtifactStream(Protocol):
    """Pieces of an artifact as they arrive; async generators are such streams."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the iterator over the pieces."""
        ...

    async def aclose(self) -> None:
        """End the download."""
        ...


class Cloud(Protocol):
    """Metadata and artifacts, fetched as this vehicle."""

    async def metadata(self, repository: str, name: str) -> bytes | None:
        """Return a metadata file of `director` or `images`; None when there is no such file.

        Raises:
            LinkError: no connection, or the server can't answer now.
        """
        ...

    def artifact(self, sha256: Sha256, offset: int) -> ArtifactStream:
        """Yield the artifact's bytes from `offset` to its end.

        Raises:
            LinkError: the connection was lost; go on from the new offset.
            InputError: the server does not give this artifact to this vehicle.
        """
        ...


class Messages(Protocol):
    """Reports up, notices and acknowledgements down."""

    async def send(self, payload: bytes) -> None:
        """Hand a report to the broker.

        Raises:
            LinkError: it may have arrived or not.
        """
        ...

    async def receive(self, timeout_s: float) -> bytes | None:
        """Return the next message, or None when none came in time.

        Raises:
            LinkError: there is no connection.
        """
        ...


class EcuBus(Protocol):
    """Diagnostic requests to the vehicle's ECUs."""

    async def request(
        self, address: int, payload: bytes, *, p2_s: float, p2_star_s: float
    ) -> bytes:
        """Return the final UDS answer of the ECU at the logical address.

        Raises:
            LinkError: it did not answer in time.
        """
        ...


class Storage(Protocol):
    """Named files that survive a power cut."""

    async def read(self, name: str) -> bytes | None:
        """Return the content; None when there is no such file."""
        ...

    async def write(self, name: str, data: bytes) -> None:
        """Replace the whole file, atomically and durably."""
        ...

    async def append(self, name: str, data: bytes) -> None:
        """Add to the end, durably; a power cut may leave only a first part of `data`."""
        ...

    async def delete(self, name: str) -> None:
        """Remove the file if it is there."""
        ...

    async def size(self, name: str) -> int:
        """Return the length in bytes; 0 when there is no such file."""
        ...


class VehicleConditions(Protocol):
    """The vehicle's situation, as its body computer tells it."""

    async def read(self) -> Conditions:
        """Return the situation now."""
        ...


class Codec(Protocol):
    """Applies deltas; may take seconds, in which the agent goes on with nothing else."""

    async def apply(self, base: bytes, patch: bytes) -> bytes:
        """Return the image that the patch makes of the base.

        Raises:
            InputError, TrustError: malformed, or not made for this base.
        """
        ...
