"""Images, deltas and unfinished downloads in the vehicle's storage.

A file named by a hash either has that hash or is deleted when it is looked at. Nothing of an
artifact is used before its length and hash are those of the signed metadata.
"""

from collections.abc import Awaitable, Callable, Iterable

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import InputError, LinkError, RoadworthyError, TrustError
from roadworthy.base.ids import Sha256
from roadworthy.delta import inspect
from roadworthy.updates.install_events import Fetch, Rebuild
from roadworthy.vehicle.settings import Ports

__all__ = ["Artifacts", "BadArtifactError", "BadDeltaError", "Progress", "image_name"]

Progress = Callable[[int], Awaitable[None]]
"""Told the number of bytes that are there; may stop the download by an exception."""


class BadArtifactError(TrustError):
    """What came over the network has another hash than the signed metadata says."""

    code = "download-hash"
    title = "Downloaded bytes are not the artifact"


class BadDeltaError(TrustError):
    """The delta is genuine, but the stored base and it do not make the image."""

    code = "bad-delta"
    title = "Delta can't be used"


def image_name(sha256: Sha256) -> str:
    """Return the name under which storage holds an image, such as a delta's base."""
    return f"image-{sha256}"


def _check_length(patch: bytes, length_bytes: int) -> None:
    """Refuse a patch that would fill the memory before its result can be compared."""
    told = inspect(patch).target_length_bytes
    if told != length_bytes:
        raise InputError(f"would make {told} bytes instead of {length_bytes}", value="patch")


def _part_name(sha256: Sha256) -> str:
    return f"part-{sha256}"


class Artifacts:
    """The artifacts of one vehicle.

    Args:
        ports: the cloud they come from, the storage they are kept in, the codec of deltas.
        append_bytes: how much of a download is gathered before it is stored.
    """

    def __init__(self, ports: Ports, *, append_bytes: int) -> None:
        self._codec = ports.codec
        self._cloud = ports.cloud
        self._storage = ports.storage
        self._append_bytes = append_bytes
        self._held: tuple[Sha256, bytes] | None = None
        self.received_bytes = 0

    async def stored(self, images: Iterable[Sha256]) -> frozenset[Sha256]:
        """Return which of these images are here."""
        return frozenset([sha for sha in images if await self._storage.size(image_name(sha))])

    async def image(self, sha256: Sha256) -> bytes | None:
        """Return an image; None if it is not here or (then deleted) damaged."""
        if self._held and self._held[0] == sha256:
            return self._held[1]
        data = await self._storage.read(image_name(sha256))
        if data is not None and sha256_hex(data) != sha256:
            await self._storage.delete(image_name(sha256))
            data = None
        self._held = (sha256, data) if data is not None else None
        return data

    async def fetch(self, wanted: Fetch, progress: Progress, *, is_image: bool) -> None:
        """Get an artifact from where the last try left off; adds to `received_bytes`.

        Raises:
            LinkError: the connection was lost; what came is kept.
            BadArtifactError: wrong length or hash; what came is deleted.
            InputError: the cloud does not give it to this vehicle.
        """
        self.received_bytes = 0
        name = _part_name(wanted.artifact)
        if await self._storage.size(name) < wanted.length_bytes:
            await self._download(wanted, progress)
        data = await self._storage.read(name) or b""
        if len(data) < wanted.length_bytes:
            raise LinkError("ended too early", value=f"artifact {wanted.artifact[:12]}")
        if len(data) > wanted.length_bytes or sha256_hex(data) != wanted.artifact:
            await self._storage.delete(name)
            raise BadArtifactError(
                f"{len(data)} bytes came that do not have this hash",
                value=f"artifact {wanted.artifact[:12]}",
                todo="check what lies between the artifact store and the vehicle",
            )
        if is_image:
            await self._storage.write(image_name(wanted.artifact), data)
            await self._storage.delete(name)

    async def rebuild(self, wanted: Rebuild) -> None:
        """Make an image from the stored base and the fetched delta.

        Raises:
            BadDeltaError: base or delta is not here, or they do not make the image.
        """
        base = await self.image(wanted.delta.base_sha256)
        patch = await self._storage.read(_part_name(wanted.delta.sha256))
        if base is None or patch is None:
            raise BadDeltaError("base or delta is not in storage", value=wanted.image[:12])
        try:
            _check_length(patch, wanted.length_bytes)
            image = await self._codec.apply(base, patch)
        except (InputError, TrustError) as error:
            raise BadDeltaError(str(error), value=f"image {wanted.image[:12]}") from error
        if len(image) != wanted.length_bytes or sha256_hex(image) != wanted.image:
            raise BadDeltaError("makes another image", value=f"image {wanted.image[:12]}")
        await self._storage.write(image_name(wanted.image), image)
        await self._storage.delete(_part_name(wanted.delta.sha256))

    async def tidy(self, kept: frozenset[Sha256], known: Iterable[Sha256]) -> None:
        """Delete unfinished downloads, and images that nothing runs any more."""
        self._held = None
        for sha256 in known:
            await self._storage.delete(_part_name(sha256))
            if sha256 not in kept:
                await self._storage.delete(image_name(sha256))

    async def _download(self, wanted: Fetch, progress: Progress) -> None:
        name = _part_name(wanted.artifact)
        offset = await self._storage.size(name)
        gathered = bytearray()
        failure: RoadworthyError | None = None
        stream = self._cloud.artifact(wanted.artifact, offset)
        try:
            async for piece in stream:
                gathered += piece
                self.received_bytes += len(piece)
                total = offset + self.received_bytes
                if len(gathered) >= self._append_bytes:
                    await self._storage.append(name, bytes(gathered))
                    gathered.clear()
                await progress(total)
                if total > wanted.length_bytes:
                    break
        except RoadworthyError as error:
            failure = error
        # Not in a `finally`: when the power goes there is no time for it.
        await stream.aclose()
        if gathered:
            await self._storage.append(name, bytes(gathered))
        if failure is not None:
            raise failure
