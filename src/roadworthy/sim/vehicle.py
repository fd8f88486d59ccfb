"""A virtual vehicle: ECUs, power, network, storage, and the agent that lives on them.

Power loss ends the agent at its current await, tears what it and the ECUs were writing, and
after a while everything boots again: the ECUs from their cells, the agent from its storage.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from roadworthy.base.clock import SeededChance
from roadworthy.base.ids import Sha256, VehicleKey
from roadworthy.sim.ecu import EcuPace, VirtualEcu
from roadworthy.sim.faults import Fault, FaultKind, LinkQuality
from roadworthy.sim.ports import Backend, Link, SimCloud, SimEcuBus, SimMessages, SimStorage
from roadworthy.sim.power import Supply
from roadworthy.sim.scheduler import Scheduler, Task
from roadworthy.sim.vehicle_types import UPDATABLE, SoftwareSet, VehicleType

__all__ = ["Build", "VirtualVehicle", "build_ecus"]

_SLOWNESS = 40.0


@dataclass(frozen=True, slots=True)
class Build:
    """What the factory needs to build a vehicle."""

    key: VehicleKey
    type: VehicleType
    software: SoftwareSet
    director_root: bytes


def build_ecus(
    build: Build, chance: SeededChance, pace: EcuPace | None = None
) -> dict[int, VirtualEcu]:
    """Return a vehicle's ECUs by their DoIP address."""
    return {
        place.address: VirtualEcu(
            build.key,
            place,
            build.software.images[place.hardware_id],
            director_root=build.director_root,
            chance=chance,
            pace=pace,
        )
        for place in build.type.ecus
    }


class VirtualVehicle:
    """One vehicle in virtual time.

    Args:
        build: what it is.
        scheduler: the run's time.
        backend: the cloud.
        quality: of its network.
        chance: draws what the network loses and how power loss tears.
        start_agent: makes the agent's coroutine; called at each boot.
    """

    def __init__(
        self,
        build: Build,
        scheduler: Scheduler,
        backend: Backend,
        *,
        quality: LinkQuality,
        chance: SeededChance,
        start_agent: Callable[["VirtualVehicle"], Coroutine[Any, Any, None]],
    ) -> None:
        self.key = build.key
        self.type = build.type
        self.ecus = build_ecus(build, chance)
        self.supply = Supply(scheduler, self.lose_power)
        self.link = Link(scheduler, self.supply, quality, chance)
        self.cloud = SimCloud(self.key, backend, self.link)
        self.messages = SimMessages(self.key, backend, self.link, scheduler)
        self.bus = SimEcuBus(self.ecus, self.supply, scheduler)
        self.storage = SimStorage(self.supply)
        self.power_cuts = 0
        self.scheduler = scheduler
        self._chance = chance
        self._start_agent = start_agent
        self._task: Task | None = None

    @property
    def is_on(self) -> bool:
        """Whether the vehicle has power."""
        return self._task is not None

    def power_on(self) -> None:
        """Boot; the first time, or after power came back."""
        for ecu in self.ecus.values():
            ecu.power_on()
        self.messages.power_on()
        self._task = self.scheduler.spawn(self._start_agent(self), self.key)

    def lose_power(self, off_s: float) -> None:
        """Lose all power now; it comes back after `off_s` seconds."""
        if self._task is None:
            return
        self._task.cancel()
        self._task = None
        self.power_cuts += 1
        self.storage.lose_power(self._chance)
        self.messages.lose_power()
        for ecu in self.ecus.values():
            ecu.lose_power(self._chance)
        self.scheduler.call_later(off_s, self.power_on)

    def running(self) -> dict[int, Sha256]:
        """Return the image that each ECU really runs, by address."""
        return {address: ecu.running_sha256() for address, ecu in self.ecus.items()}

    def updatable(self, number: int) -> VirtualEcu:
        """Return one of the ECUs that a release names, counted around."""
        found = [ecu for ecu in self.ecus.values() if ecu.place.hardware_id in UPDATABLE]
        return found[number % len(found)]

    def suffer(self, fault: Fault) -> None:
        """Let a fault of the vehicle's own begin, or come about after its steps."""
        ecu = self.updatable(fault.ecu)
        match fault.kind:
            case FaultKind.POWER_CUT:
                self.supply.fail_after(fault.step, fault.duration_s)
            case FaultKind.LINK_DOWN:
                self.supply.call_after(fault.step, lambda: self.link.go_down(fault.duration_s))
            case FaultKind.GONE:
                self.link.go_down(None)
            case FaultKind.ECU_REJECTS:
                ecu.faults.rejects = True
            case FaultKind.ECU_SLOW:
                ecu.faults.slowness = _SLOWNESS
            case FaultKind.ECU_HANGS:
                ecu.faults.hangs = True
            case FaultKind.ECU_BOOTS_ILL:
                ecu.faults.ill = True
            case _:
                pass
