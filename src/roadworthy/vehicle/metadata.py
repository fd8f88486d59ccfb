"""Brings both repositories up to date and keeps what was verified (Uptane 2.1, 5.4.4.2).

Each file counts as soon as it passed its checks and is stored at the end of the cycle, also of
one that failed later on: that is what makes a rollback visible after a power cut.
"""

import msgspec

from roadworthy.base.clock import Clock
from roadworthy.base.errors import RoadworthyError
from roadworthy.base.ids import VehicleKey
from roadworthy.trust.errors import IncompleteError
from roadworthy.trust.targets import read_director
from roadworthy.trust.trusted import TrustedRepository
from roadworthy.trust.verification import KnownEcu, VerifiedOffer, verify_offer
from roadworthy.vehicle.ports import Cloud, Storage

__all__ = ["TrustedMetadata"]

_ROOTS_MAX = 100
_SAVED = msgspec.msgpack.Decoder(dict[str, bytes])


class TrustedMetadata:
    """What the vehicle trusts of the director and of the image repository.

    Args:
        cloud: where newer files come from.
        storage: where trusted files are kept.
        clock: the time for expiry dates.
        vehicle: who we are.
        roots: the root files from the factory, by repository.
    """

    def __init__(
        self,
        cloud: Cloud,
        storage: Storage,
        clock: Clock,
        *,
        vehicle: VehicleKey,
        roots: dict[str, bytes],
    ) -> None:
        self._cloud = cloud
        self._storage = storage
        self._clock = clock
        self._vehicle = vehicle
        self._roots = roots
        self._trusted: dict[str, TrustedRepository] = {}
        self._saved: dict[str, dict[str, bytes]] = {}

    async def recover(self) -> None:
        """Load what was trusted before; a damaged file means to start from the factory's root."""
        for name, root in self._roots.items():
            stored = await self._storage.read(_file(name))
            try:
                saved = _SAVED.decode(stored) if stored else {"root": root}
                self._trusted[name] = TrustedRepository.restore(name, saved)
                self._saved[name] = saved if stored else {}
            except (msgspec.DecodeError, RoadworthyError):
                self._trusted[name] = TrustedRepository(name, root)
                self._saved[name] = {}

    async def offered(self) -> str:
        """Bring the director up to date and return the id of its offer; empty for none.

        Raises:
            InputError, TrustError: the metadata is refused.
            LinkError: no connection.
        """
        director = await self._update("director")
        if not director.is_current:
            return ""
        contents = read_director(director.current_targets().signed)
        return contents.offer if contents.ecus else ""

    async def verified(self, ecus: tuple[KnownEcu, ...]) -> VerifiedOffer:
        """Bring the image repository up to date too and check the offer; call `offered` first.

        Raises:
            InputError, TrustError: the metadata or the offer is refused.
            LinkError: no connection.
        """
        images = await self._update("images")
        return verify_offer(self._trusted["director"], images, vehicle=self._vehicle, ecus=ecus)

    async def _update(self, name: str) -> TrustedRepository:
        trusted = self._trusted[name]
        try:
            await self._cycle(trusted)
        except RoadworthyError:
            await self._save(trusted)
            raise
        await self._save(trusted)
        return trusted

    async def _save(self, trusted: TrustedRepository) -> None:
        saved = trusted.saved()
        if saved != self._saved[trusted.name]:
            await self._storage.write(_file(trusted.name), msgspec.msgpack.encode(saved))
            self._saved[trusted.name] = saved

    async def _cycle(self, trusted: TrustedRepository) -> None:
        now = self._clock.now()
        for _ in range(_ROOTS_MAX):
            next_root = f"{trusted.root_version + 1}.root.json"
            root = await self._cloud.metadata(trusted.name, next_root)
            if root is None:
                break
            trusted.update_root(root, now)
        timestamp = await self._cloud.metadata(trusted.name, "timestamp.json")
        if timestamp is None:
            if trusted.timestamp_version:
                raise IncompleteError("is gone", value=f"{trusted.name} timestamp")
            return
        trusted.update_timestamp(timestamp, now)
        if (version := trusted.wanted_snapshot) is not None:
            trusted.update_snapshot(await self._file(trusted, f"{version}.snapshot.json"), now)
        if (version := trusted.wanted_targets) is not None:
            trusted.update_targets(await self._file(trusted, f"{version}.targets.json"), now)

    async def _file(self, trusted: TrustedRepository, name: str) -> bytes:
        data = await self._cloud.metadata(trusted.name, name)
        if data is None:
            raise IncompleteError("is not there", value=f"{trusted.name} {name}")
        return data


def _file(name: str) -> str:
    return f"trusted-{name}"
