"""What an agent is given when it starts: who it is, how patient it is, what it is connected to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from roadworthy.base.clock import Clock
from roadworthy.base.ids import EcuSerial, VehicleKey
from roadworthy.diagnostics.conversation import Pace
from roadworthy.fleet.inventory import Domain, Slots
from roadworthy.trust.tuf import CryptoSigner
from roadworthy.updates.install_plan import Policy
from roadworthy.vehicle.ports import Cloud, Codec, EcuBus, Messages, Storage, VehicleConditions

__all__ = ["AgentSettings", "EcuPlace", "Identity", "Ports"]


@dataclass(frozen=True, slots=True)
class EcuPlace:
    """Where an ECU is to be found and what it can't say of itself.

    address: DoIP logical address.
    """

    address: int
    domain: Domain
    slots: Slots = Slots.AB


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this vehicle is and whom it trusts.

    signer: its report key. secrets: unlock secret of each ECU that may be flashed.
    director_root, images_root: root files put in at the factory.
    """

    vehicle: VehicleKey
    signer: CryptoSigner
    ecus: tuple[EcuPlace, ...]
    secrets: Mapping[EcuSerial, bytes]
    director_root: bytes
    images_root: bytes


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """How often and how long; times in seconds.

    poll_s: between looks at the metadata when no notice comes. poll_retry_s: after a look that
        failed for want of a connection. inventory_s: between readings of all ECUs.
    resend_s: until a report without acknowledgement is sent again.
    glance_s, glance_every_s: how long and how often to look for messages while installing.
    progress_percent: smallest step worth a progress report.
    append_bytes: of a download, gathered before they are stored; that much a power cut may cost.
    """

    poll_s: float = 1800.0
    poll_retry_s: float = 30.0
    inventory_s: float = 3600.0
    resend_s: float = 30.0
    glance_s: float = 0.01
    glance_every_s: float = 1.0
    progress_percent: int = 10
    append_bytes: int = 64 * 1024
    policy: Policy = field(default_factory=Policy)
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Ports:
    """The world of one agent."""

    cloud: Cloud
    messages: Messages
    bus: EcuBus
    storage: Storage
    clock: Clock
    conditions: VehicleConditions
    codec: Codec
