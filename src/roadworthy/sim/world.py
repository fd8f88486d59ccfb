"""One whole run in virtual time: cloud, fleet, a campaign of three waves, and what goes wrong.

Everything is the real code but the wires: services of the cloud, agents, UDS servers. The seed
decides everything else, so a run that breaks an invariant can be replayed by its number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from roadworthy.base.clock import SeededChance
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud import engine
from roadworthy.sim.attacks import ManInTheMiddle, use_rogue_tester
from roadworthy.sim.cloud import SimulatedCloud
from roadworthy.sim.faults import ATTACKS, Fault, FaultKind, FaultPlan, draw_plan
from roadworthy.sim.foundry import NEW, Foundry, Member, foundry
from roadworthy.sim.invariants import InvariantError, Judge, entries_of
from roadworthy.sim.ports import Backend
from roadworthy.sim.scheduler import Scheduler
from roadworthy.sim.vehicle import Build, VirtualVehicle
from roadworthy.sim.vehicle_types import vehicle_type
from roadworthy.updates import campaign as campaigns
from roadworthy.updates.campaign import Campaign, CampaignState, Wave
from roadworthy.updates.gate import Gate, MemberStage
from roadworthy.vehicle.settings import AgentSettings

__all__ = ["SMALL_FLEET", "STEPS_MAX", "RunReport", "World"]

SMALL_FLEET = ("car-b", "car-b", "car-d", "car-b")
STEPS_MAX = 300
_TICK_S = 30.0
_START_S = 300.0
_LIMIT_S = 86_400.0
_SILENT_S = 2400.0
_PERSON = "operator"
_ENDED = frozenset({MemberStage.CONFIRMED, MemberStage.FAILED, MemberStage.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended.

    stages: of each vehicle. state, reason: of the campaign. elapsed_s: virtual seconds.
    steps: of each vehicle from its offer on. entries: of the ledger.
    """

    seed: int
    stages: dict[VehicleKey, MemberStage]
    codes: dict[VehicleKey, str]
    state: CampaignState
    reason: str
    elapsed_s: float
    steps: tuple[int, ...]
    power_cuts: int
    entries: int


class World:
    """A run.

    Args:
        seed: decides all that is drawn.
        types: the vehicle type of each vehicle of the fleet.
        plan: what goes wrong; drawn from the seed by default.
    """

    def __init__(
        self, seed: int, types: Sequence[str] = SMALL_FLEET, plan: FaultPlan | None = None
    ) -> None:
        self.seed = seed
        self.plan = plan or draw_plan(seed, len(types), steps_max=STEPS_MAX)
        self.scheduler = Scheduler()
        self.foundry: Foundry = foundry(tuple(types))
        self.judge = Judge(self.foundry.factory, self.foundry.new)
        self.cloud = SimulatedCloud(
            self.foundry.store(),
            self.foundry.authority,
            self.foundry.artifacts,
            now=self.scheduler.now,
            send=self._send,
        )
        self.vehicles: dict[VehicleKey, VirtualVehicle] = {}
        self.campaign_id = f"campaign-{seed}"
        self._men: dict[VehicleKey, ManInTheMiddle] = {}
        self._steps_at_offer: dict[VehicleKey, int] = {}
        self._judged: dict[VehicleKey, MemberStage] = {}
        self._resumes_left = self.plan.resumes
        for number, member in enumerate(self.foundry.fleet):
            self._build(number, member)

    def run(self) -> RunReport:
        """Run to the end of the campaign and judge it.

        Raises:
            InvariantError: something happened that must never happen.
        """
        self._start()
        while not self._is_over():
            if self.scheduler.elapsed_s > _LIMIT_S:
                raise InvariantError(f"the campaign does not end: {self._campaign().reason}")
            self.scheduler.run_until(self.scheduler.elapsed_s + _TICK_S)
            self._tick()
        self.scheduler.run_until(self.scheduler.elapsed_s + _START_S)
        self._judge_end()
        return self._report()

    def fault_of(self, key: VehicleKey) -> Fault | None:
        """Return what a vehicle suffers, None for nothing."""
        keys = [member.key for member in self.foundry.fleet]
        faults = self.plan.of(keys.index(key))
        return faults[0] if faults else None

    def refusals(self, key: VehicleKey) -> list[str]:
        """Return the codes of the refusals that the ledger has of a vehicle, newest first."""
        entries = entries_of(self.cloud.tables().ledger, f"vehicle/{key}")
        return [str(entry["data"]["code"]) for entry in entries if entry["type"] == "refusal"]

    def _build(self, number: int, member: Member) -> None:
        chance = SeededChance(f"vehicle/{self.seed}/{number}")
        build = Build(
            key=member.key,
            type=vehicle_type(member.type),
            software=self.foundry.factory,
            signer=member.signer,
            director_root=self.foundry.authority.director_root,
            images_root=self.foundry.authority.images_root,
        )
        vehicle = VirtualVehicle(
            build,
            self.scheduler,
            self._backend(member.key),
            quality=self.plan.link,
            chance=chance,
            settings=AgentSettings(progress_percent=34),
        )
        vehicle.supply.watch = lambda: self.judge.watch(vehicle)
        self.vehicles[member.key] = vehicle
        self.scheduler.call_later(chance.uniform(0.0, 10.0), vehicle.power_on)

    def _backend(self, key: VehicleKey) -> Backend:
        fault = self.fault_of(key)
        if fault is None or fault.kind not in ATTACKS:
            return self.cloud
        man = ManInTheMiddle(
            self.cloud,
            key,
            fault.kind,
            authority=self.foundry.authority,
            release=self.foundry.new,
        )
        self._men[key] = man
        return man

    def _send(self, key: VehicleKey, payload: bytes) -> None:
        self.vehicles[key].messages.deliver(payload)

    def _start(self) -> None:
        """Let every vehicle report its inventory, then start the campaign."""
        self.scheduler.run_until(_START_S)
        now = self.scheduler.now()
        draft = Campaign(
            id=self.campaign_id,
            name="Winter",
            release_id=NEW,
            vehicle_types=(),
            waves=(Wave("canary", size=2), Wave("third", share=0.34), Wave("rest")),
            gate=Gate(
                failure_share_max=self.plan.failure_share_max,
                reached_min=2,
                soak_s=60.0,
                silent_after_s=_SILENT_S,
            ),
            created_at=now.timestamp(),
            created_by=_PERSON,
        )
        self.cloud.write(lambda tables: engine.create_campaign(tables, draft, now=now))
        self.cloud.write(
            lambda tables: engine.start_campaign(tables, draft.id, actor=_PERSON, now=now)
        )

    def _campaign(self) -> Campaign:
        return engine.campaign_or_error(self.cloud.tables(), self.campaign_id)

    def _tick(self) -> None:
        was_running = self._campaign().state is CampaignState.RUNNING
        offered = self.cloud.tick(self.campaign_id)
        for key in offered:
            self._arm(key)
        campaign = self._campaign()
        members = self._members()
        if offered:
            self.judge.check_waves(campaign, members)
        for member in members:
            if member.stage in _ENDED and self._judged.get(member.vehicle) != member.stage:
                self._judged[member.vehicle] = member.stage
                self.judge.check_result(self.vehicles[member.vehicle], member.stage)
        if was_running and campaign.state is CampaignState.PAUSED:
            self.judge.check_pause(campaign, members)
        self.judge.check_total(self.cloud.tables(), campaign, len(self.vehicles))
        if campaign.state is CampaignState.PAUSED and self._resumes_left:
            self._resume()

    def _arm(self, key: VehicleKey) -> None:
        """Let a vehicle's fault begin: it has just got its offer."""
        vehicle = self.vehicles[key]
        self._steps_at_offer[key] = vehicle.supply.steps
        if key in self._men:
            self._men[key].is_active = True
        fault = self.fault_of(key)
        if fault is None:
            return
        vehicle.suffer(fault)
        if fault.kind is FaultKind.ROGUE_TESTER:
            ecu = vehicle.updatable(fault.ecu)
            vehicle.supply.call_after(
                fault.step,
                lambda: use_rogue_tester(vehicle.ecus, ecu, self.scheduler),
            )

    def _resume(self) -> None:
        self._resumes_left -= 1
        now = self.scheduler.now()
        self.cloud.write(
            lambda tables: engine.resume_campaign(
                tables, self.campaign_id, actor=_PERSON, why="looked into it", now=now
            )
        )

    def _is_over(self) -> bool:
        campaign = self._campaign()
        if campaign.state is CampaignState.PAUSED:
            return not self._resumes_left and not self.cloud.tables().campaigns.in_progress(
                campaign.id
            )
        return campaign.state is CampaignState.FINISHED

    def _members(self) -> list[campaigns.Member]:
        return self.cloud.tables().campaigns.members(self.campaign_id, limit=len(self.vehicles))

    def _judge_end(self) -> None:
        tables = self.cloud.tables()
        self.judge.check_counts(tables, self._campaign(), len(self.vehicles))
        for vehicle in self.vehicles.values():
            self.judge.check_vehicle(vehicle)
        for member in self._members():
            if member.offer:
                refusals = self.refusals(member.vehicle)
                self.judge.check_end(member, self.fault_of(member.vehicle), refusals)

    def _report(self) -> RunReport:
        campaign, members = self._campaign(), self._members()
        return RunReport(
            seed=self.seed,
            stages={member.vehicle: member.stage for member in members},
            codes={member.vehicle: member.code for member in members if member.code},
            state=campaign.state,
            reason=campaign.reason,
            elapsed_s=self.scheduler.elapsed_s,
            steps=tuple(
                self.vehicles[key].supply.steps - steps
                for key, steps in self._steps_at_offer.items()
            ),
            power_cuts=sum(vehicle.power_cuts for vehicle in self.vehicles.values()),
            entries=self.cloud.tables().ledger.size(),
        )
