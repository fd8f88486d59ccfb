"""A virtual ECU: the real UDS server and boot rule on flash memory that can be torn.

`serve` takes request bytes and gives answers and the time that they take; the caller lets that
time pass and then calls `settle`. Losing power before that tears what was being written.
The ECU verifies images by itself (`trust.partial`), and it remembers every image that it
ever ran, so that a run can be judged by what really happened in the cells.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from roadworthy.base.clock import Chance, SeededChance
from roadworthy.base.encoding import sha256_hex
from roadworthy.base.ids import EcuSerial, Sha256, VehicleKey
from roadworthy.diagnostics.answers import negative
from roadworthy.diagnostics.boot import SlotRecord, factory_state
from roadworthy.diagnostics.identity import EcuIdentity, SlotStatus
from roadworthy.diagnostics.nrc import Nrc
from roadworthy.diagnostics.routines import Routine
from roadworthy.diagnostics.server import EcuSettings, UdsServer
from roadworthy.diagnostics.slots import Approval, Candidate, Verify
from roadworthy.diagnostics.uds import Service
from roadworthy.sim.flash import BLOCK_BYTES, FlashMemory
from roadworthy.sim.vehicle_types import EcuType, Image, ecu_serial
from roadworthy.trust.errors import ImageMismatchError, ReleaseRollbackError
from roadworthy.trust.partial import verify_partial

__all__ = ["Answers", "EcuFaults", "EcuPace", "VirtualEcu", "ecu_secret", "partial_verification"]

OnBoot: TypeAlias = Callable[[], None]
_SLOT_BYTES_MIN = 64 * 1024
_ROUTINE_HEAD = 4
_NEGATIVE = 0x7F
_ERASE_HEAD = Routine.ERASE.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class EcuPace:
    """How long an ECU takes.

    erase_s: per block of 4 KiB. write_bytes_per_s: of 0x36. check_s: of the verification.
    boot_s: silence after a reset. answer_s: of everything else.
    """

    erase_s: float = 0.02
    write_bytes_per_s: float = 200_000.0
    check_s: float = 0.2
    boot_s: float = 0.8
    answer_s: float = 0.002


@dataclass(slots=True)
class EcuFaults:
    """What is wrong with an ECU now; may change at any time.

    rejects: it refuses to be erased. hangs: erasing it makes it fall silent until its next
    power cycle. ill: images other than this one never come up. slowness: factor on all times.
    """

    rejects: bool = False
    hangs: bool = False
    ill: bool = False
    slowness: float = 1.0


@dataclass(frozen=True, slots=True)
class Answers:
    """What comes back to a tester and how long that takes; empty is silence."""

    responses: tuple[bytes, ...]
    duration_s: float


def ecu_secret(key: VehicleKey, serial: EcuSerial) -> bytes:
    """Return the unlock secret that the factory gave to an ECU and to its vehicle."""
    return bytes.fromhex(sha256_hex(f"unlock/{key}/{serial}".encode()))


def partial_verification(ecu: EcuIdentity, director_root: bytes) -> Verify:
    """Return an ECU's own verification of images (Uptane 2.1, 5.4.4.1)."""

    def verify(candidate: Candidate, now: datetime) -> Approval:
        result = verify_partial(
            candidate.metadata,
            root=director_root,
            serial=ecu.serial,
            hardware_id=ecu.hardware_id,
            version_min=candidate.metadata_version_min,
            now=now,
        )
        image = result.image
        if (image.sha256, image.length_bytes) != (candidate.sha256, len(candidate.image)):
            raise ImageMismatchError("is not the image that the director names", value=ecu.serial)
        if image.release_counter < candidate.release_counter_min:
            raise ReleaseRollbackError("is older than the running image", value=ecu.serial)
        return Approval(image.version, image.release_counter, result.director_version)

    return verify


class VirtualEcu:
    """One ECU.

    Args:
        vehicle: the vehicle it is built into.
        place: what it is in its vehicle type.
        image: what the factory flashed.
        director_root: what its verification trusts.
        chance: draws lock seeds.
        pace: how long it takes.

    `came_up` is called after each boot.
    """

    def __init__(
        self,
        vehicle: VehicleKey,
        place: EcuType,
        image: Image,
        *,
        director_root: bytes,
        chance: Chance,
        pace: EcuPace | None = None,
    ) -> None:
        self.place = place
        self.pace = pace or EcuPace()
        self.faults = EcuFaults()
        self.ran: set[Sha256] = set()
        self.came_up: OnBoot = lambda: None
        self.identity = EcuIdentity(
            serial=ecu_serial(vehicle, place),
            hardware_id=place.hardware_id,
            part_number=f"RW-{place.hardware_id[:29]}",
            vehicle=vehicle,
        )
        self.verify: Verify = partial_verification(self.identity, director_root)
        record = SlotRecord(image.sha256, len(image.data), image.version, image.release_counter)
        slot_size_bytes = max(_SLOT_BYTES_MIN, 2 * len(image.data))
        self._factory_sha256 = image.sha256
        self._memory = FlashMemory(slot_size_bytes, factory_state(record), image.data)
        self._chance = chance
        self._is_dark = False
        self._start()

    @property
    def status(self) -> SlotStatus:
        """What runs and what waits."""
        return self._server.status

    def running_sha256(self) -> Sha256:
        """Return the hash of the bytes that really run, computed from the cells."""
        record = self._server.boot_state.record(self._server.running)
        length = record.length_bytes if record else 0
        return Sha256(sha256_hex(self._memory.read(self._server.running, 0, length)))

    def serve(self, request: bytes, now: datetime) -> Answers:
        """Answer one request; what it wrote is torn by power loss until `settle`."""
        if self._is_dark:
            return Answers((), 0.0)
        is_erase = bool(request) and _is_erase(request)
        if is_erase and self.faults.hangs:
            self._is_dark = True
            return Answers((), 0.0)
        if is_erase and self.faults.rejects:
            return Answers((negative(request[0], Nrc.CONDITIONS_NOT_CORRECT),), 0.0)
        responses = tuple(self._server.handle(request, now))
        if responses and request[0] == Service.ECU_RESET and responses[-1][0] != _NEGATIVE:
            self._came_up(now)
        return Answers(responses, self.duration_s(request))

    def settle(self) -> None:
        """What was written so far is in the cells now."""
        self._memory.settle()

    def lose_power(self, chance: SeededChance) -> None:
        """Tear what was being written; the ECU is dark until `power_on`."""
        self._is_dark = True
        self._memory.tear(chance)

    def power_on(self) -> None:
        """Boot from the cells, with nothing in RAM."""
        self._is_dark = False
        self._start()

    def _start(self) -> None:
        settings = EcuSettings(
            self.identity,
            ecu_secret(self.identity.vehicle, self.identity.serial),
            boot_duration=timedelta(seconds=self.pace.boot_s),
        )
        self._server = UdsServer(
            settings,
            self._memory,
            verify=self.verify,
            chance=self._chance,
        )
        self._came_up(None)
        self._memory.settle()

    def _came_up(self, now: datetime | None) -> None:
        """Note what runs; the watchdog resets an ECU whose new image does not come up."""
        self.came_up()
        self.ran.add(self.running_sha256())
        if self.faults.ill and self.running_sha256() != self._factory_sha256:
            self._server.restart(now)
            self.ran.add(self.running_sha256())

    def duration_s(self, request: bytes) -> float:
        """Return how long the ECU takes for a request, in seconds."""
        return self.faults.slowness * self._well_s(request)

    def _well_s(self, request: bytes) -> float:
        routine = int.from_bytes(request[2:_ROUTINE_HEAD], "big")
        match request[0] if request else 0:
            case Service.ROUTINE_CONTROL if routine == Routine.ERASE:
                size_bytes = int.from_bytes(request[-4:], "big")
                return self.pace.erase_s * -(-size_bytes // BLOCK_BYTES)
            case Service.ROUTINE_CONTROL if routine == Routine.CHECK:
                return self.pace.check_s
            case Service.TRANSFER_DATA:
                return len(request) / self.pace.write_bytes_per_s
            case _:
                return self.pace.answer_s


def _is_erase(request: bytes) -> bool:
    return request[0] == Service.ROUTINE_CONTROL and request[2:_ROUTINE_HEAD] == _ERASE_HEAD
