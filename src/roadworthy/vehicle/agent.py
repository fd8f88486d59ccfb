"""The agent on the telematics unit: Uptane Primary and orchestrator of installations.

    start → read ECUs → inventory → wait for a notice or the next poll → metadata → verify
    → install → result → wait ...

It awaits its ports and nothing else, does one thing at a time, and may be stopped at any await
as by a power cut: what it needs after a restart is in storage, and the ECUs are asked again.
"""

import msgspec

from roadworthy.base.errors import InputError, LinkError, TrustError
from roadworthy.fleet.inventory import EcuState
from roadworthy.trust.verification import KnownEcu
from roadworthy.updates.install import Installation
from roadworthy.updates.install_plan import PlanError, make_plan
from roadworthy.updates.reports import Inventory, Outcome, Result
from roadworthy.vehicle.artifacts import Artifacts
from roadworthy.vehicle.ecus import Ecus
from roadworthy.vehicle.installer import Installer
from roadworthy.vehicle.link import Link
from roadworthy.vehicle.metadata import TrustedMetadata
from roadworthy.vehicle.outbox import Outbox
from roadworthy.vehicle.settings import AgentSettings, Identity, Ports

__all__ = ["Agent"]

_KNOWN_FILE = "ecus"
_READS_MAX = 2
_ROUNDING_S = 1.0


class Agent:
    """The agent of one vehicle.

    Args:
        ports: the vehicle's world.
        identity: who it is and whom it trusts.
        settings: how often and how long.
    """

    def __init__(
        self, ports: Ports, identity: Identity, settings: AgentSettings | None = None
    ) -> None:
        self._settings = settings or AgentSettings()
        self._clock = ports.clock
        self._storage = ports.storage
        self._vehicle = identity.vehicle
        self._outbox = Outbox(
            ports.storage, ports.clock, identity.signer, resend_s=self._settings.resend_s
        )
        self._link = Link(ports.messages, self._outbox, ports.clock, identity.vehicle)
        self._metadata = TrustedMetadata(
            ports.cloud,
            ports.storage,
            ports.clock,
            vehicle=identity.vehicle,
            roots={"director": identity.director_root, "images": identity.images_root},
        )
        self._ecus = Ecus(
            ports.bus,
            ports.clock,
            places=identity.ecus,
            secrets=identity.secrets,
            pace=self._settings.pace,
        )
        self._installer = Installer(
            ports,
            identity,
            self._settings,
            ecus=self._ecus,
            link=self._link,
            artifacts=Artifacts(ports, append_bytes=self._settings.append_bytes),
        )
        self._known: dict[str, EcuState] = {}
        self._told: tuple[EcuState, ...] | None = None
        self._poll_at = 0.0
        self._read_at = 0.0

    @property
    def installation(self) -> Installation | None:
        """The installation that goes on, None when there is none."""
        return self._installer.state

    @property
    def drivable(self) -> bool:
        """False while ECUs are being switched over: the vehicle must not be driven."""
        return self._installer.state is None or self._installer.state.drivable

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being installed and every report is acknowledged."""
        return self._installer.state is None and self._outbox.is_empty

    async def run(self) -> None:
        """Work until the coroutine is cancelled or closed.

        Raises:
            StoreError: the storage failed; start again when it works.
        """
        await self.start()
        while True:
            await self.turn()

    async def start(self) -> None:
        """Recover what a power cut interrupted and report the inventory."""
        await self._outbox.recover()
        await self._metadata.recover()
        await self._installer.recover()
        stored = await self._storage.read(_KNOWN_FILE)
        if stored:
            known = msgspec.json.decode(stored, type=tuple[EcuState, ...])
            self._known = {ecu.serial: ecu for ecu in known}
        await self._report_inventory(await self._read_ecus())

    async def turn(self) -> None:
        """Do what is due, then wait for a notice or for what is due next."""
        if self._installer.state is not None:
            await self._install()
        if self._link.is_noticed or not self._left_s(self._poll_at, self._settings.poll_s):
            await self._poll()
        if not self._left_s(self._read_at, self._settings.inventory_s):
            await self._report_inventory(await self._read_ecus())
        if self._installer.state is None:
            poll_s = self._left_s(self._poll_at, self._settings.poll_s)
            read_s = self._left_s(self._read_at, self._settings.inventory_s)
            await self._link.wait(min(poll_s, read_s))

    def _left_s(self, moment: float, longest_s: float) -> float:
        """Return the seconds to a moment; 0 when it is past or the clock jumped back from it."""
        left_s = moment - self._now()
        longest_s = max(longest_s, self._settings.poll_retry_s) + _ROUNDING_S
        return left_s if 0.0 < left_s <= longest_s else 0.0

    def _now(self) -> float:
        return self._clock.now().timestamp()

    async def _read_ecus(self) -> tuple[EcuState, ...]:
        ecus = await self._ecus.read_all()
        pause_s = self._settings.inventory_s if ecus else self._settings.poll_retry_s
        self._read_at = self._now() + pause_s
        known = self._known | {ecu.serial: ecu for ecu in ecus}
        if known != self._known:
            await self._storage.write(_KNOWN_FILE, msgspec.json.encode(tuple(known.values())))
            self._known = known
        return ecus

    async def _report_inventory(self, ecus: tuple[EcuState, ...]) -> None:
        if not ecus or ecus == self._told:
            return
        await self._link.report(
            lambda sequence, time: Inventory(
                vehicle=self._vehicle, sequence=sequence, time=time, ecus=ecus
            )
        )
        self._told = ecus

    async def _poll(self) -> None:
        self._link.is_noticed = False
        self._poll_at = self._now() + self._settings.poll_s
        offer = ""
        try:
            offer = await self._metadata.offered()
            if offer and not self._outbox.has_ended(offer):
                await self._accept(offer)
        except LinkError:
            self._poll_at = self._now() + self._settings.poll_retry_s
        except (InputError, TrustError) as error:
            await self._link.refuse(error.code, str(error), offer)
        else:
            self._link.forget_refusal()

    async def _accept(self, offer: str) -> None:
        ecus = await self._read_ecus()
        await self._report_inventory(ecus)
        known = tuple(
            KnownEcu(ecu.serial, ecu.hardware_id, ecu.release_counter)
            for ecu in self._known.values()
        )
        verified = await self._metadata.verified(known)
        try:
            plan = make_plan(offer, verified.ecus, ecus, verified.director_targets)
        except PlanError as error:
            await self._decline(offer, error, ecus)
            return
        await self._installer.begin(plan)

    async def _decline(self, offer: str, error: PlanError, ecus: tuple[EcuState, ...]) -> None:
        await self._link.report(
            lambda sequence, time: Result(
                vehicle=self._vehicle,
                sequence=sequence,
                time=time,
                offer=offer,
                outcome=Outcome.FAILED,
                ecus=ecus,
                code=error.code,
                detail=str(error),
            ),
            ended=offer,
        )

    async def _install(self) -> None:
        await self._installer.run(self._is_still_offered)
        state = self._installer.state
        if state is None:
            return
        ecus = await self._read_ecus()
        planned = {ecu.serial for ecu in state.plan.ecus}
        for _ in range(_READS_MAX):
            if planned <= {ecu.serial for ecu in ecus}:
                break
            ecus = await self._read_ecus()
        kept = frozenset(ecu.sha256 for ecu in self._known.values())
        is_reported = self._outbox.has_ended(state.plan.offer)
        await self._installer.conclude(ecus, kept=kept, is_reported=is_reported)
        if is_reported:
            await self._report_inventory(ecus)
        self._told = ecus

    async def _is_still_offered(self) -> bool:
        """Say whether the director still offers what is being installed; unreachable means yes."""
        state = self._installer.state
        try:
            offer = await self._metadata.offered()
        except LinkError:
            return True
        except (InputError, TrustError) as error:
            await self._link.refuse(error.code, str(error))
            return True
        if state is not None and offer == state.plan.offer:
            return True
        self._poll_at = 0.0
        return False
