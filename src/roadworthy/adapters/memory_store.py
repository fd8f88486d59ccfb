"""The store as dicts: the twin of the SQLite store for tests and the simulator.

It keeps the contract (a work happens wholly or not at all) by noting what each change
replaced; records are frozen, so what it hands out can't change what it holds. It knows no
loop and no thread, and lives as long as its object.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from roadworthy.adapters.memory_members import Journal, MemoryCampaigns
from roadworthy.adapters.store_records import AccountRecord, EntryRecord
from roadworthy.base.errors import ConflictError, StoreError
from roadworthy.base.ids import HardwareId, Sha256, VehicleKey, Vin
from roadworthy.fleet.inventory import Vehicle
from roadworthy.fleet.ports import Census, Running, SlotSize
from roadworthy.updates.release import Delta, Release

__all__ = ["MemoryStore", "MemoryTables"]

Answer = TypeVar("Answer")
Entry = TypeVar("Entry", bound=EntryRecord)
Account = TypeVar("Account", bound=AccountRecord)


class MemoryVehicles:
    """Implements `fleet.ports.VehicleTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._vehicles: dict[VehicleKey, Vehicle] = {}
        self._keys: dict[Vin, VehicleKey] = {}

    def get(self, key: VehicleKey) -> Vehicle | None:
        """Return one vehicle, or None."""
        return self._vehicles.get(key)

    def by_vin(self, vin: Vin) -> Vehicle | None:
        """Return the vehicle with this VIN, or None."""
        key = self._keys.get(vin)
        return self._vehicles[key] if key else None

    def put(self, vehicle: Vehicle) -> None:
        """Insert or replace a vehicle.

        Raises:
            ConflictError: another vehicle has this VIN.
        """
        if self._keys.get(vehicle.vin, vehicle.key) != vehicle.key:
            raise ConflictError("is there already", value="vin")
        before = self._vehicles.get(vehicle.key)
        if before is None or before.vin != vehicle.vin:
            if before is not None:
                self._journal.drop(self._keys, before.vin)
            self._journal.set(self._keys, vehicle.vin, vehicle.key)
        self._journal.set(self._vehicles, vehicle.key, vehicle)

    def page(self, *, text: str = "", offset: int = 0, limit: int = 50) -> list[Vehicle]:
        """Return vehicles in the order of their VIN; `text` is part of VIN, key or type."""
        found = sorted(self._matching(text), key=lambda one: one.vin)
        return found[offset : offset + limit]

    def count(self, *, text: str = "") -> int:
        """Return how many vehicles `page` would give without a limit."""
        return len(self._matching(text))

    def select(
        self, vehicle_types: tuple[str, ...], *, after: str = "", limit: int | None = None
    ) -> list[tuple[VehicleKey, str]]:
        """Return key and type of each vehicle that is not revoked, by key."""
        found = sorted(
            (one.key, one.type)
            for one in self._in_use()
            if one.key > after and (not vehicle_types or one.type in vehicle_types)
        )
        return found[:limit]

    def versions(self) -> list[tuple[str, str, int]]:
        """Return (hardware id, version, number of ECUs), for each hardware id the most first.

        ECUs of revoked vehicles are left out.
        """
        found: dict[tuple[str, str], int] = {}
        for vehicle in self._in_use():
            for ecu in vehicle.ecus:
                place = (ecu.hardware_id, ecu.version)
                found[place] = found.get(place, 0) + 1
        return sorted(
            ((*place, ecus) for place, ecus in found.items()),
            key=lambda one: (one[0], -one[2], one[1]),
        )

    def running(self, hardware_ids: Sequence[HardwareId], *, limit: int = 1000) -> list[Running]:
        """Return what runs on ECUs of these kinds, what most vehicles run first."""
        found: dict[tuple[HardwareId, str, int, Sha256], list[VehicleKey]] = {}
        for vehicle in self._in_use():
            for ecu in vehicle.ecus:
                if ecu.hardware_id in hardware_ids:
                    place = (ecu.hardware_id, ecu.version, ecu.release_counter, ecu.sha256)
                    found.setdefault(place, []).append(vehicle.key)
        rows = [Running(*place, len(set(keys)), len(keys)) for place, keys in found.items()]
        return sorted(rows, key=lambda one: (-one.vehicles, one))[:limit]

    def slot_sizes(self, hardware_ids: Sequence[HardwareId]) -> list[SlotSize]:
        """Return the slot size of each of these kinds of ECUs that most vehicles tell."""
        told = Counter(
            place
            for vehicle in self._in_use()
            for place in {(ecu.hardware_id, ecu.slot_size_bytes) for ecu in vehicle.ecus}
            if place[1] and place[0] in hardware_ids
        )
        rows = [SlotSize(*place, vehicles) for place, vehicles in told.items()]
        best = {row.hardware_id: row for row in sorted(rows, key=lambda one: (one[2], one[1]))}
        return [best[kind] for kind in sorted(best)]

    def census(self, seen_since: float) -> Census:
        """Return the fleet in numbers; online is who was seen since then (Unix seconds)."""
        in_use = self._in_use()
        return Census(
            vehicles=len(in_use),
            online=sum(one.last_seen_at >= seen_since for one in in_use),
            revoked=len(self._vehicles) - len(in_use),
            ecus=sum(len(one.ecus) for one in in_use),
        )

    def vin_in_lower_case(self, key: VehicleKey) -> str:
        """Return a vehicle's VIN to search in; empty for a vehicle that is not registered."""
        vehicle = self._vehicles.get(key)
        return vehicle.vin.lower() if vehicle else ""

    def _in_use(self) -> list[Vehicle]:
        return [one for one in self._vehicles.values() if one.revoked_at <= 0]

    def _matching(self, text: str) -> list[Vehicle]:
        part = text.casefold()
        return [
            one
            for one in self._vehicles.values()
            if part in f"{one.key}\n{one.vin}\n{one.type}".casefold()
        ]


class MemoryReleases:
    """Implements `updates.ports.ReleaseTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._releases: dict[str, Release] = {}
        self._deltas: dict[tuple[Sha256, Sha256], Delta] = {}
        self._images: dict[Sha256, int] = {}

    def get(self, release_id: str) -> Release | None:
        """Return one release, or None."""
        return self._releases.get(release_id)

    def put(self, release: Release) -> None:
        """Insert or replace a release."""
        self._journal.set(self._releases, release.id, release)

    def page(self, *, offset: int = 0, limit: int = 50) -> list[Release]:
        """Return releases, newest first."""
        newest = sorted(
            self._releases.values(), key=lambda one: (one.created_at, one.id), reverse=True
        )
        return newest[offset : offset + limit]

    def put_image(self, sha256: Sha256, length_bytes: int) -> None:
        """Note that the artifact store holds an image; the same again is fine."""
        self._journal.set(self._images, sha256, length_bytes)

    def images(self, hashes: Sequence[Sha256]) -> dict[Sha256, int]:
        """Return the length in bytes of those of these images that the artifact store holds."""
        return {sha256: self._images[sha256] for sha256 in hashes if sha256 in self._images}

    def put_delta(self, delta: Delta) -> None:
        """Insert or replace the delta between two images."""
        self._journal.set(self._deltas, (delta.base_sha256, delta.target_sha256), delta)

    def deltas(self, targets: Sequence[Sha256]) -> dict[tuple[Sha256, Sha256], Delta]:
        """Return deltas to these images, by base hash and target hash."""
        wanted = set(targets)
        return {place: delta for place, delta in self._deltas.items() if place[1] in wanted}


class MemoryLedger(Generic[Entry]):
    """Implements `cloud.ports.LedgerTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._entries: dict[int, Entry] = {}
        self._subjects: dict[str, dict[int, Entry]] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    def size(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    def put_entry(self, entry: Entry, subjects: Sequence[str]) -> None:
        """Append an entry; subjects are the ids of what it is about.

        Raises:
            ConflictError: its index is not the next one.
        """
        if entry.index != len(self._entries):
            raise ConflictError(
                f"is {entry.index}, the next is {len(self._entries)}", value="entry.index"
            )
        self._journal.set(self._entries, entry.index, entry)
        for subject in subjects:
            self._journal.set(self._subjects.setdefault(subject, {}), entry.index, entry)

    def entry(self, index: int) -> Entry | None:
        """Return the entry at an index, or None."""
        return self._entries.get(index)

    def entries(
        self, *, subject: str = "", before: int | None = None, limit: int = 50
    ) -> list[Entry]:
        """Return entries, newest first, of one subject or of all, with an index below `before`."""
        found = self._subjects.get(subject, {}) if subject else self._entries
        limit_index = len(self._entries) if before is None else before
        newest = sorted((index for index in found if index < limit_index), reverse=True)
        return [found[index] for index in newest[:limit]]

    def put_nodes(self, nodes: Mapping[tuple[int, int], bytes]) -> None:
        """Insert or replace hashes of complete subtrees by (level, index)."""
        for place, digest in nodes.items():
            self._journal.set(self._nodes, place, digest)

    def node(self, level: int, index: int) -> bytes | None:
        """Return the hash of a complete subtree, or None."""
        return self._nodes.get((level, index))


class MemoryMetadata:
    """Implements `cloud.ports.MetadataTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._files: dict[tuple[str, str, str], bytes] = {}

    def put(self, repository: str, vehicle: str, name: str, data: bytes) -> None:
        """Insert or replace a file; `vehicle` is empty for what all vehicles share."""
        self._journal.set(self._files, (repository, vehicle, name), data)

    def get(self, repository: str, vehicle: str, name: str) -> bytes | None:
        """Return a file, or None."""
        return self._files.get((repository, vehicle, name))


class MemoryAccounts(Generic[Account]):
    """Implements `cloud.ports.AccountTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._accounts: dict[str, Account] = {}

    def get(self, token_sha256: str) -> Account | None:
        """Return the account of a token, or None."""
        return self._accounts.get(token_sha256)

    def put(self, account: Account) -> None:
        """Insert or replace an account."""
        self._journal.set(self._accounts, account.token_sha256, account)

    def delete(self, token_sha256: str) -> None:
        """Remove an account; removing none is fine."""
        self._journal.drop(self._accounts, token_sha256)

    def page(self, kind: str) -> list[Account]:
        """Return the accounts of a kind, by name."""
        found = [one for one in self._accounts.values() if one.kind == kind]
        return sorted(found, key=lambda one: (one.name, one.token_sha256))


class MemoryTables(msgspec.Struct, Generic[Entry, Account], frozen=True):
    """All tables; implements `cloud.ports.Tables`."""

    vehicles: MemoryVehicles
    releases: MemoryReleases
    campaigns: MemoryCampaigns
    ledger: MemoryLedger[Entry]
    metadata: MemoryMetadata
    accounts: MemoryAccounts[Account]


class MemoryStore(Generic[Entry, Account]):
    """Implements `cloud.ports.Store` in memory."""

    def __init__(self) -> None:
        self._journal = Journal()
        self._closed = False
        vehicles = MemoryVehicles(self._journal)
        self._tables: MemoryTables[Entry, Account] = MemoryTables(
            vehicles=vehicles,
            releases=MemoryReleases(self._journal),
            campaigns=MemoryCampaigns(self._journal, vehicles.vin_in_lower_case),
            ledger=MemoryLedger(self._journal),
            metadata=MemoryMetadata(self._journal),
            accounts=MemoryAccounts(self._journal),
        )

    async def write(self, work: Callable[[MemoryTables[Entry, Account]], Answer]) -> Answer:
        """Run `work` on the tables; when it raises, nothing of it happened."""
        return self.write_now(work)

    def write_now(self, work: Callable[[MemoryTables[Entry, Account]], Answer]) -> Answer:
        """Run `work` on the tables; when it raises, nothing of it happened."""
        self._check_usable()
        self._journal.writing = True
        undo = True
        try:
            answer = work(self._tables)
            undo = False
        finally:
            self._journal.end(undo=undo)
        return answer

    def read(self) -> MemoryTables[Entry, Account]:
        """Return tables for reading."""
        self._check_usable()
        return self._tables

    def close(self) -> None:
        """Refuse all further use."""
        self._closed = True

    def _check_usable(self) -> None:
        if self._closed:
            raise StoreError("the store is closed", value="memory")
        if self._journal.writing:
            raise StoreError("a work may use only the tables that it was given", value="memory")
