"""A virtual vehicle: ECUs, power, network, storage, and the agent that lives on them.

Power loss ends the agent at its current await, tears what it and the ECUs were writing, and
after a while everything boots again: the ECUs from their cells, the agent from its storage.
"""

from dataclasses import dataclass

from roadworthy.adapters.delta_thread import DirectCodec
from roadworthy.base.clock import SeededChance
from roadworthy.base.ids import Sha256, VehicleKey
from roadworthy.sim.ecu import EcuPace, VirtualEcu, ecu_secret
from roadworthy.sim.faults import Fault, FaultKind, LinkQuality
from roadworthy.sim.ports import (
    Backend,
    Link,
    SimCloud,
    SimConditions,
    SimEcuBus,
    SimMessages,
    SimStorage,
)
from roadworthy.sim.power import Supply, SupplyClock
from roadworthy.sim.scheduler import Scheduler, Task
from roadworthy.sim.vehicle_types import UPDATABLE, SoftwareSet, VehicleType, ecu_serial
from roadworthy.trust.tuf import CryptoSigner
from roadworthy.vehicle.agent import Agent
from roadworthy.vehicle.artifacts import image_name
from roadworthy.vehicle.settings import AgentSettings, EcuPlace, Identity, Ports

__all__ = ["Build", "VirtualVehicle", "build_ecus", "factory_storage", "identity_of"]

_SLOWNESS = 40.0


@dataclass(frozen=True, slots=True)
class Build:
    """What the factory needs to build a vehicle.

    signer: its report key. software: what its ECUs run at first.
    """

    key: VehicleKey
    type: VehicleType
    software: SoftwareSet
    signer: CryptoSigner
    director_root: bytes
    images_root: bytes


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


def identity_of(build: Build) -> Identity:
    """Return what the factory wrote into the vehicle's telematics unit."""
    serials = [ecu_serial(build.key, place) for place in build.type.ecus]
    return Identity(
        vehicle=build.key,
        signer=build.signer,
        ecus=tuple(EcuPlace(place.address, place.domain) for place in build.type.ecus),
        secrets={serial: ecu_secret(build.key, serial) for serial in serials},
        director_root=build.director_root,
        images_root=build.images_root,
    )


def factory_storage(build: Build) -> dict[str, bytes]:
    """Return the files that the factory left: images that deltas start from."""
    kinds = {place.hardware_id for place in build.type.ecus} & UPDATABLE
    images = [build.software.images[kind] for kind in sorted(kinds)]
    return {image_name(image.sha256): image.data for image in images}


class VirtualVehicle:
    """One vehicle in virtual time.

    Args:
        build: what it is.
        scheduler: the run's time.
        backend: the cloud.
        quality: of its network.
        chance: draws what the network loses and how power loss tears.
        settings: of its agent.
    """

    def __init__(
        self,
        build: Build,
        scheduler: Scheduler,
        backend: Backend,
        *,
        quality: LinkQuality,
        chance: SeededChance,
        settings: AgentSettings,
    ) -> None:
        self.key = build.key
        self.ecus = build_ecus(build, chance)
        self.supply = Supply(scheduler, self.lose_power)
        self.link = Link(scheduler, self.supply, quality, chance)
        self.messages = SimMessages(self.key, backend, self.link, scheduler)
        self.bus = SimEcuBus(self.ecus, self.supply, scheduler)
        self.storage = SimStorage(self.supply, factory_storage(build))
        self.power_cuts = 0
        self.boots = 0
        self.agent: Agent | None = None
        self._scheduler = scheduler
        self._chance = chance
        self._identity = identity_of(build)
        self._settings = settings
        self._ports = Ports(
            cloud=SimCloud(self.key, backend, self.link),
            messages=self.messages,
            bus=self.bus,
            storage=self.storage,
            clock=SupplyClock(self.supply, scheduler),
            conditions=SimConditions(self.supply, chance),
            codec=DirectCodec(),
        )
        self._task: Task | None = None
        for ecu in self.ecus.values():
            ecu.came_up = self._count_boot

    @property
    def is_at_rest(self) -> bool:
        """Whether the vehicle may be driven: it has booted, and its agent allows it."""
        return self.agent is not None and self.agent.drivable

    def power_on(self) -> None:
        """Boot; the first time, or after power came back."""
        for ecu in self.ecus.values():
            ecu.power_on()
        self.messages.power_on()
        self._task = self._scheduler.spawn(self._live(), self.key)

    def lose_power(self, off_s: float) -> None:
        """Lose all power now; it comes back after `off_s` seconds."""
        if self._task is None:
            return
        self._task.cancel()
        self._task = None
        self.agent = None
        self.power_cuts += 1
        self.storage.lose_power(self._chance)
        self.messages.lose_power()
        for ecu in self.ecus.values():
            ecu.lose_power(self._chance)
        self._scheduler.call_later(off_s, self.power_on)

    def _count_boot(self) -> None:
        self.boots += 1

    async def _live(self) -> None:
        agent = Agent(self._ports, self._identity, self._settings)
        await agent.start()
        self.agent = agent
        while True:
            await agent.turn()

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
