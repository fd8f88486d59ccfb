"""What goes wrong in one run, drawn from its seed.

Every run has a poor network. Beside that, some vehicles get a fault of their own. A fault is
passing when the vehicle has to get over it (power comes back, the link comes back) and
lasting when the vehicle can't be updated while it is there. `EXPECTED` says what a campaign
must in the end say of a vehicle with each fault; everything else would not be the truth. After
two kinds it depends on the moment: who shows old metadata too early keeps the vehicle from
its update, and who erases an ECU's other slot can make an installation fail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from roadworthy.base.clock import SeededChance
from roadworthy.updates.gate import FAILED, MemberStage

__all__ = ["ATTACKS", "EXPECTED", "Fault", "FaultKind", "FaultPlan", "LinkQuality", "draw_plan"]


class FaultKind(StrEnum):
    """What one vehicle suffers.

    POWER_CUT: all power fails at a given step and comes back. LINK_DOWN: no network for a
    while. GONE: no network ever again. ECU_REJECTS: an ECU refuses to be programmed.
    ECU_SLOW: an ECU takes long and asks for time. ECU_HANGS: an ECU falls silent when it is
    erased, until its next power cycle. ECU_BOOTS_ILL: the new image never comes up on one ECU.
    TAMPERED: a man in the middle changes artifacts. FROZEN: he shows the metadata of the
    first day for ever. ROLLED_BACK: he shows old metadata after new. FORGED: he signs an offer
    with keys of his own. WRONG_HARDWARE: he has stolen the director's key and offers an image
    for other hardware. ROGUE_TESTER: somebody with the ECU's unlock secret flashes an image
    of his own over the diagnostic plug.
    """

    POWER_CUT = "power-cut"
    LINK_DOWN = "link-down"
    GONE = "gone"
    ECU_REJECTS = "ecu-rejects"
    ECU_SLOW = "ecu-slow"
    ECU_HANGS = "ecu-hangs"
    ECU_BOOTS_ILL = "ecu-boots-ill"
    TAMPERED = "tampered"
    FROZEN = "frozen"
    ROLLED_BACK = "rolled-back"
    FORGED = "forged"
    WRONG_HARDWARE = "wrong-hardware"
    ROGUE_TESTER = "rogue-tester"


ATTACKS = frozenset(
    {
        FaultKind.TAMPERED,
        FaultKind.FROZEN,
        FaultKind.ROLLED_BACK,
        FaultKind.FORGED,
        FaultKind.WRONG_HARDWARE,
    }
)

_WELL = frozenset({MemberStage.CONFIRMED})
_SILENT = frozenset({MemberStage.SILENT})
_FAILED = frozenset({MemberStage.FAILED})

EXPECTED: Mapping[FaultKind, frozenset[MemberStage]] = {
    FaultKind.POWER_CUT: _WELL,
    FaultKind.LINK_DOWN: _WELL,
    FaultKind.GONE: _SILENT,
    FaultKind.ECU_REJECTS: _FAILED,
    FaultKind.ECU_SLOW: _WELL,
    FaultKind.ECU_HANGS: _FAILED,
    FaultKind.ECU_BOOTS_ILL: frozenset({MemberStage.ROLLED_BACK}),
    FaultKind.TAMPERED: _FAILED,
    FaultKind.FROZEN: _SILENT,
    FaultKind.ROLLED_BACK: _WELL | _SILENT,
    FaultKind.FORGED: _SILENT,
    FaultKind.WRONG_HARDWARE: _SILENT,
    FaultKind.ROGUE_TESTER: frozenset(FAILED) | _WELL,
}

# How often each kind is drawn, in relation to the others.
_WEIGHTS: Mapping[FaultKind, int] = {
    FaultKind.POWER_CUT: 10,
    FaultKind.LINK_DOWN: 4,
    FaultKind.GONE: 1,
    FaultKind.ECU_REJECTS: 2,
    FaultKind.ECU_SLOW: 2,
    FaultKind.ECU_HANGS: 1,
    FaultKind.ECU_BOOTS_ILL: 3,
    FaultKind.TAMPERED: 2,
    FaultKind.FROZEN: 1,
    FaultKind.ROLLED_BACK: 1,
    FaultKind.FORGED: 1,
    FaultKind.WRONG_HARDWARE: 1,
    FaultKind.ROGUE_TESTER: 2,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one vehicle.

    vehicle: its number in the fleet. step: after how many steps of the vehicle since its offer
    it strikes, see `sim.power`. duration_s: how long it lasts, if it passes.
    ecu: which of the vehicle's updatable ECUs, counted from 0 and around.
    """

    kind: FaultKind
    vehicle: int
    step: int
    duration_s: float
    ecu: int


@dataclass(frozen=True, slots=True)
class LinkQuality:
    """The network of a run.

    loss_share: part of requests and messages that get lost, 0..1. duplicate_share: part of
    messages that come twice. latency_s: from and to, of one way.
    """

    loss_share: float = 0.0
    duplicate_share: float = 0.0
    latency_s: tuple[float, float] = (0.02, 0.2)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """All that goes wrong in a run.

    resumes: how often a person resumes the campaign after its gate paused it.
    """

    link: LinkQuality
    faults: tuple[Fault, ...] = ()
    resumes: int = 0
    failure_share_max: float = 0.3

    def of(self, vehicle: int) -> tuple[Fault, ...]:
        """Return the faults of one vehicle."""
        return tuple(fault for fault in self.faults if fault.vehicle == vehicle)


def draw_plan(seed: int, vehicles: int, *, steps_max: int, fault_share: float = 0.4) -> FaultPlan:
    """Draw a plan; the same seed gives the same plan.

    Args:
        seed: of the run.
        vehicles: size of the fleet.
        steps_max: about how many steps a vehicle makes from its offer to its end.
        fault_share: part of the vehicles that get a fault of their own, 0..1.
    """
    random = SeededChance(f"faults/{seed}").random
    kinds, weights = list(_WEIGHTS), list(_WEIGHTS.values())
    faults = tuple(
        Fault(
            kind=random.choices(kinds, weights)[0],
            vehicle=vehicle,
            step=random.randint(1, steps_max),
            duration_s=random.choice((1.0, 30.0, 600.0)) * random.uniform(0.5, 1.5),
            ecu=random.randrange(100),
        )
        for vehicle in range(vehicles)
        if random.random() < fault_share
    )
    link = LinkQuality(
        loss_share=random.choice((0.0, 0.01, 0.05, 0.1)),
        duplicate_share=random.choice((0.0, 0.05, 0.2)),
        latency_s=(0.02, random.choice((0.05, 0.5, 2.0))),
    )
    return FaultPlan(
        link, faults, resumes=random.choice((0, 1, 5)), failure_share_max=random.choice((0.1, 0.5))
    )
