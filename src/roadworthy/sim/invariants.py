"""What must be true in every run, at every moment, whatever goes wrong.

1. No ECU ever runs an image that is not in a signed release for its hardware.
2. A vehicle at rest runs a software set that some release defines: all old or all new.
3. A result tells the truth: confirmed means that all ECUs run the new images, failed or
   rolled back means that all run the old ones.
4. Counts add up: every vehicle stands in exactly one stage, and every decision is in the ledger
   exactly once.
5. A campaign ends: finished, or paused by its gate for the reason that it gives; no vehicle
   gets an offer before the waves before its own have ended within the gate's limit.
6. In the end each vehicle stands where its faults must have brought it.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from roadworthy.base.ids import HardwareId, Sha256, VehicleKey
from roadworthy.cloud.ports import LedgerTable, Tables
from roadworthy.sim.faults import EXPECTED, Fault, FaultKind
from roadworthy.sim.vehicle import VirtualVehicle
from roadworthy.sim.vehicle_types import UPDATABLE, SoftwareSet
from roadworthy.updates.campaign import Campaign, CampaignState, Member
from roadworthy.updates.gate import ENDED, FAILED, MemberStage

__all__ = ["InvariantError", "Judge", "entries_of"]

_FROM_RESULT = frozenset({MemberStage.CONFIRMED, MemberStage.FAILED, MemberStage.ROLLED_BACK})
_OLD_AGAIN = frozenset({MemberStage.FAILED, MemberStage.ROLLED_BACK})

_CODES: dict[FaultKind, frozenset[str]] = {
    FaultKind.ECU_REJECTS: frozenset({"ecu-rejected"}),
    FaultKind.ECU_HANGS: frozenset({"ecu-timeout", "ecu-unknown"}),
    FaultKind.ECU_BOOTS_ILL: frozenset({"probe-mismatch"}),
    FaultKind.TAMPERED: frozenset({"download-hash"}),
    FaultKind.GONE: frozenset({"silent"}),
    FaultKind.FROZEN: frozenset({"silent"}),
    FaultKind.FORGED: frozenset({"silent"}),
    FaultKind.WRONG_HARDWARE: frozenset({"silent"}),
}
_REFUSALS: dict[FaultKind, str] = {
    FaultKind.FORGED: "bad-signature",
    FaultKind.WRONG_HARDWARE: "wrong-hardware",
    FaultKind.TAMPERED: "download-hash",
    FaultKind.ROLLED_BACK: "rollback",
}


class InvariantError(AssertionError):
    """Something happened that must never happen."""


def entries_of(ledger: LedgerTable, subject: str = "") -> list[dict[str, Any]]:
    """Return the entries about a subject, or all, as their bytes say."""
    stored = ledger.entries(subject=subject, limit=ledger.size())
    return [msgspec.json.decode(entry.data) for entry in stored]


class Judge:
    """Checks a run.

    Args:
        old: what the vehicles left the factory with.
        new: the release that the campaign brings.
    """

    def __init__(self, old: SoftwareSet, new: SoftwareSet) -> None:
        self._old = old
        self._new = new
        self._seen: dict[VehicleKey, int] = {}

    def watch(self, vehicle: VirtualVehicle) -> None:
        """Check rules 1 and 2 when an ECU of a vehicle at rest has booted since last time."""
        if vehicle.boots != self._seen.get(vehicle.key) and vehicle.is_at_rest:
            self._seen[vehicle.key] = vehicle.boots
            self.check_vehicle(vehicle)

    def check_vehicle(self, vehicle: VirtualVehicle) -> None:
        """Check rules 1 and 2 for one vehicle, now."""
        for ecu in vehicle.ecus.values():
            kind = ecu.place.hardware_id
            allowed = {
                pack.images[kind].sha256 for pack in (self._old, self._new) if kind in pack.images
            }
            if foreign := ecu.ran - allowed:
                self._fail(vehicle.key, f"{ecu.identity.serial} ran {sorted(foreign)}")
        if vehicle.is_at_rest and not (self.is_all(vehicle, self._old) or self.runs_new(vehicle)):
            self._fail(vehicle.key, f"is at rest with a mixed software set {vehicle.running()}")

    def runs_new(self, vehicle: VirtualVehicle) -> bool:
        """Say whether every updatable ECU of the vehicle runs the new release."""
        return self.is_all(vehicle, self._new)

    def is_all(self, vehicle: VirtualVehicle, pack: SoftwareSet) -> bool:
        """Say whether every ECU runs what a software set says; others, what the factory says."""
        return all(
            ecu.running_sha256() == self._image(pack, ecu.place.hardware_id)
            for ecu in vehicle.ecus.values()
        )

    def check_result(self, vehicle: VirtualVehicle, stage: MemberStage) -> None:
        """Check rule 3 when the campaign has taken in a result."""
        if stage is MemberStage.CONFIRMED and not self.runs_new(vehicle):
            self._fail(vehicle.key, "counts as confirmed but does not run the release")
        if stage in _OLD_AGAIN and not self.is_all(vehicle, self._old):
            self._fail(vehicle.key, f"counts as {stage} but does not run what it ran before")

    def check_total(self, tables: Tables, campaign: Campaign, vehicles: int) -> None:
        """Check the first half of rule 4."""
        counts = tables.campaigns.counts(campaign.id)
        total = sum(sum(stages.values()) for stages in counts.values())
        if total != vehicles:
            self._fail(campaign.id, f"counts {total} of {vehicles} vehicles")

    def check_counts(self, tables: Tables, campaign: Campaign, vehicles: int) -> None:
        """Check rule 4."""
        self.check_total(tables, campaign, vehicles)
        members = tables.campaigns.members(campaign.id, limit=vehicles)
        entries = entries_of(tables.ledger)
        kinds = Counter(entry["type"] for entry in entries)
        wanted = {
            "offer": sum(1 for member in members if member.offer),
            "campaign-started": 1,
            "wave-ended": sum(1 for wave in campaign.waves if wave.ended_at),
            "campaign-finished": int(campaign.state is CampaignState.FINISHED),
        }
        for kind, number in wanted.items():
            if kinds[kind] != number:
                self._fail(campaign.id, f"has {kinds[kind]} entries {kind} for {number} decisions")
        if campaign.state is CampaignState.FINISHED:
            open_ones = [member.vehicle for member in members if member.stage not in ENDED]
            if open_ones:
                self._fail(campaign.id, f"is finished, but {open_ones} have not ended")
        self._check_results(members, entries)

    def _check_results(self, members: Iterable[Member], entries: Iterable[dict[str, Any]]) -> None:
        told = {entry["subject"]: entry["data"] for entry in entries if entry["type"] == "result"}
        for member in members:
            data = told.pop(f"vehicle/{member.vehicle}", None)
            if (member.stage in _FROM_RESULT) != (data is not None):
                self._fail(member.vehicle, f"is {member.stage}, the ledger says {data}")
            if data is not None and data["outcome"] != member.stage:
                self._fail(member.vehicle, f"is {member.stage}, the ledger says {data['outcome']}")
        if told:
            self._fail("ledger", f"has results of strangers {sorted(told)}")

    def check_pause(self, campaign: Campaign, members: Iterable[Member]) -> None:
        """Check rule 5 at the moment at which the gate paused the campaign."""
        wave = [member for member in members if member.wave == campaign.wave]
        failed = sum(1 for member in wave if member.stage in FAILED)
        reached = failed + sum(1 for member in wave if member.stage is MemberStage.CONFIRMED)
        counted = failed - campaign.waves[campaign.wave].forgiven
        if not campaign.reason.startswith(f"{counted} of {reached} vehicles failed"):
            self._fail(campaign.id, f"says {campaign.reason!r} with {counted} of {reached} failed")
        if counted / max(1, reached) <= campaign.gate.failure_share_max:
            self._fail(campaign.id, f"paused below its limit: {campaign.reason}")

    def check_waves(self, campaign: Campaign, members: Iterable[Member]) -> None:
        """Check rule 5 at the moment at which vehicles of the current wave got offers."""
        earlier = [member for member in members if member.wave < campaign.wave]
        if going := [member.vehicle for member in earlier if member.stage not in ENDED]:
            self._fail(campaign.id, f"goes on while {going} have not ended")
        for index, wave in enumerate(campaign.waves[: campaign.wave]):
            stages = Counter(member.stage for member in earlier if member.wave == index)
            failed = sum(stages[stage] for stage in FAILED)
            share = (failed - wave.forgiven) / max(1, failed + stages[MemberStage.CONFIRMED])
            if share > campaign.gate.failure_share_max:
                self._fail(campaign.id, f"goes on after {failed} failures in wave {wave.name}")

    def check_end(self, member: Member, fault: Fault | None, refusals: Iterable[str]) -> None:
        """Check rule 6 for one vehicle that had an offer.

        Args:
            member: where the campaign says the vehicle stands.
            fault: what the vehicle suffered, None for nothing.
            refusals: codes of the refusals that the ledger has of this vehicle.
        """
        expected = EXPECTED[fault.kind] if fault else {MemberStage.CONFIRMED}
        if member.stage not in expected:
            self._fail(
                member.vehicle,
                f"is {member.stage} ({member.code}: {member.detail}) after {fault}",
            )
        if (
            fault
            and member.stage in FAILED
            and member.code not in _CODES.get(fault.kind, {member.code})
        ):
            self._fail(member.vehicle, f"gives the reason {member.code} for {fault}")
        wanted = _REFUSALS.get(fault.kind) if fault else None
        if wanted and member.stage in FAILED and wanted not in refusals:
            self._fail(member.vehicle, f"never refused with {wanted} but {list(refusals)}")

    def _image(self, pack: SoftwareSet, kind: HardwareId) -> Sha256:
        found = pack if kind in UPDATABLE else self._old
        return found.images[kind].sha256

    def _fail(self, subject: VehicleKey | str, words: str) -> None:
        raise InvariantError(f"{subject} {words}")
