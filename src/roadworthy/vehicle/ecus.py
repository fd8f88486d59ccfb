"""The vehicle's ECUs over the diagnostic bus: what they run, and the steps of an installation."""

import re
from collections.abc import Mapping
from typing import TypeVar

from roadworthy.base.clock import Clock
from roadworthy.base.errors import LinkError, VehicleError
from roadworthy.base.ids import EcuSerial, Sha256
from roadworthy.diagnostics import flash
from roadworthy.diagnostics.boot import Phase
from roadworthy.diagnostics.conversation import Conversation, Pace, converse
from roadworthy.diagnostics.errors import ActivationError
from roadworthy.diagnostics.identity import EcuReading, SlotStatus
from roadworthy.diagnostics.lock import derive_key
from roadworthy.fleet.inventory import EcuState
from roadworthy.vehicle.ports import EcuBus
from roadworthy.vehicle.settings import EcuPlace

__all__ = ["NO_IMAGE", "Ecus", "UnknownEcuError"]

NO_IMAGE = Sha256("0" * 64)
"""Reported as the running image of an ECU that has no verified one."""

_T = TypeVar("_T")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,31}")


class UnknownEcuError(VehicleError):
    """No ECU with this serial has answered since the start, or we have no secret for it."""

    code = "ecu-unknown"
    title = "ECU not found in the vehicle"


class Ecus:
    """All ECUs of one vehicle.

    Args:
        bus: the way to them.
        clock: lets time pass between questions.
        places: where they are.
        secrets: unlock secrets by serial.
        pace: how patient to be.
    """

    def __init__(
        self,
        bus: EcuBus,
        clock: Clock,
        *,
        places: tuple[EcuPlace, ...],
        secrets: Mapping[EcuSerial, bytes],
        pace: Pace,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._places = places
        self._secrets = secrets
        self._pace = pace
        self._addresses: dict[EcuSerial, int] = {}

    async def read_all(self) -> tuple[EcuState, ...]:
        """Ask every ECU what it is and what it runs; those that do not answer are left out."""
        found: dict[EcuSerial, EcuState] = {}
        for place in self._places:
            try:
                reading = await self._hold(flash.read_identity(self._pace), place.address)
            except (LinkError, VehicleError):
                continue
            state = _state_of(place, reading)
            if state.serial not in found:
                found[state.serial] = state
                self._addresses[state.serial] = place.address
        return tuple(found.values())

    async def stage(self, serial: EcuSerial, sha256: Sha256, data: bytes, metadata: bytes) -> None:
        """Write and check an image in the inactive slot.

        Raises:
            VehicleError, LinkError: the ECU refuses or does not answer.
        """
        image = flash.Image(data, sha256, metadata)
        conversation = flash.flash(image, self._unlock(serial), self._pace)
        await self._hold(conversation, await self._address(serial))

    async def activate(self, serial: EcuSerial, sha256: Sha256) -> None:
        """Start the image on trial; whether it came up is for `probe` to say.

        Raises:
            VehicleError, LinkError: the ECU refuses or does not answer.
        """
        try:
            await self._switch(serial, flash.activate(sha256, self._unlock(serial), self._pace))
        except ActivationError:
            return

    async def probe(self, serial: EcuSerial) -> Sha256:
        """Return which image runs.

        Raises:
            VehicleError, LinkError: the ECU refuses or does not answer.
        """
        status = await self._switch(serial, flash.read_status(self._pace))
        return status.running_sha256 or NO_IMAGE

    async def commit(self, serial: EcuSerial, sha256: Sha256) -> None:
        """Keep the image that runs on trial.

        Raises:
            VehicleError, LinkError: the ECU refuses, runs something else, does not answer.
        """
        await self._switch(serial, flash.commit(sha256, self._unlock(serial), self._pace))

    async def revert(self, serial: EcuSerial, sha256: Sha256) -> None:
        """Go back to the old image.

        Raises:
            VehicleError, LinkError: the ECU refuses, runs something else, does not answer.
        """
        await self._switch(serial, flash.revert(sha256, self._unlock(serial), self._pace))

    async def _switch(self, serial: EcuSerial, talk: Conversation[SlotStatus]) -> SlotStatus:
        return await self._hold(talk, await self._address(serial))

    async def _hold(self, talk: Conversation[_T], address: int) -> _T:
        return await converse(talk, self._bus, address, self._clock)

    async def _address(self, serial: EcuSerial) -> int:
        if serial not in self._addresses:
            await self.read_all()
        if serial not in self._addresses:
            raise UnknownEcuError("does not answer", value=f"ECU {serial}")
        return self._addresses[serial]

    def _unlock(self, serial: EcuSerial) -> flash.Unlock:
        secret = self._secrets.get(serial)
        if secret is None:
            raise UnknownEcuError("no unlock secret is known", value=f"ECU {serial}")
        return lambda seed: derive_key(secret, seed)


def _state_of(place: EcuPlace, reading: EcuReading) -> EcuState:
    version = reading.software_version
    return EcuState(
        serial=reading.identity.serial,
        hardware_id=reading.identity.hardware_id,
        domain=place.domain,
        address=place.address,
        version=version if _VERSION.fullmatch(version) else "unknown",
        sha256=reading.status.running_sha256 or NO_IMAGE,
        release_counter=reading.status.release_counter,
        slots=place.slots,
        running=reading.status.running.value,
        trial=reading.status.phase is Phase.TRIAL,
        slot_size_bytes=reading.slot_size_bytes,
    )
