"""Runs one installation: does what `updates.install.decide` asks for and journals what came of it.

The journal is one file; each event is durable before the next effect starts. Its last event is
the end; then the result is queued (once, by the offer's id), storage is tidied, and the file goes.
"""

from collections.abc import Awaitable, Callable

from roadworthy.base.errors import ConflictError, InputError
from roadworthy.base.ids import Sha256
from roadworthy.fleet.inventory import EcuState
from roadworthy.updates.install import Installation, decide, fold, replay
from roadworthy.updates.install_events import (
    Begun,
    ConditionsChecked,
    Effect,
    Event,
    Restarted,
    StepFailed,
    Wait,
    Withdrawn,
    decode_event,
    encode_event,
)
from roadworthy.updates.install_plan import Plan, Step
from roadworthy.updates.journal import encode_record, read_records
from roadworthy.updates.reports import Outcome, Progress, Result, Stage
from roadworthy.vehicle.artifacts import Artifacts
from roadworthy.vehicle.ecus import Ecus
from roadworthy.vehicle.effects import Effects
from roadworthy.vehicle.link import Link
from roadworthy.vehicle.settings import AgentSettings, Identity, Ports

__all__ = ["Installer"]

_FILE = "installation"
_DETAIL_MAX = 400
_SLICE_S = 3600.0


class Installer:
    """The installation of one vehicle, if there is one.

    Args:
        ports: the vehicle's world.
        identity: who it is.
        settings: how patient it is.
        ecus: its ECUs.
        link: its way to report.
        artifacts: its storage of images.
    """

    def __init__(
        self,
        ports: Ports,
        identity: Identity,
        settings: AgentSettings,
        *,
        ecus: Ecus,
        link: Link,
        artifacts: Artifacts,
    ) -> None:
        self._ports = ports
        self._vehicle = identity.vehicle
        self._settings = settings
        self._link = link
        self._artifacts = artifacts
        self._effects = Effects(ports, ecus=ecus, artifacts=artifacts, progress=self._on_bytes)
        self._reported: tuple[str, int] = ("", -1)
        self._part_bytes = 0
        self.state: Installation | None = None

    async def recover(self) -> None:
        """Read the journal of an installation that a power cut interrupted, if there is one.

        What is torn, or was written by an agent whose events we don't know, is cut off: what was
        done since is done again, and the ECUs are asked what they run.
        """
        data = await self._ports.storage.read(_FILE) or b""
        whole_bytes = 0
        for text in read_records(data).texts:
            try:
                event = decode_event(text)
                self.state = fold(self.state, event) if self.state else replay([event])
            except InputError:
                break
            whole_bytes += len(encode_record(text))
        if whole_bytes < len(data):
            await self._ports.storage.write(_FILE, data[:whole_bytes])
        if self.state is not None:
            await self._note(Restarted(self._now()))

    async def begin(self, plan: Plan) -> None:
        """Take an offer."""
        images = {ecu.image for ecu in plan.ecus}
        bases = {ecu.delta.base_sha256 for ecu in plan.ecus if ecu.delta}
        stored = await self._artifacts.stored(sorted(images | bases))
        event = Begun(self._now(), plan, self._settings.policy, stored)
        await self._ports.storage.write(_FILE, encode_record(encode_event(event)))
        self.state = replay([event])
        await self._report_progress()

    async def run(self, still_offered: Callable[[], Awaitable[bool]]) -> None:
        """Go on until the end is journalled.

        Args:
            still_offered: asked when a notice came before anything was switched over.
        """
        while self.state is not None:
            await self._link.glance(self._settings.glance_s, self._settings.glance_every_s)
            effect = decide(self.state, self._now())
            if effect is None:
                return
            if self._is_stoppable and self._link.is_noticed:
                await self._ask_again(still_offered)
            elif isinstance(effect, Wait):
                await self._pause(effect.until)
            else:
                event = await self._do(effect)
                if isinstance(event, ConditionsChecked) and not event.missing:
                    # The last moment to stop; asking may take a while, so look once more.
                    await self._ask_again(still_offered)
                    event = await self._do(effect)
                await self._note(event)
                await self._look_at(event)
                await self._report_progress(getattr(effect, "ecu", ""))

    async def conclude(
        self, ecus: tuple[EcuState, ...], *, kept: frozenset[Sha256], is_reported: bool
    ) -> None:
        """Queue the result, tidy up and forget the installation.

        Args:
            ecus: what the ECUs run now.
            kept: images that stay in storage, as bases of later deltas.
            is_reported: the result of this offer was queued before a power cut.
        """
        state = self.state
        if state is None or state.outcome is None:
            return
        if not is_reported:
            await self._report_result(state, state.outcome, ecus)
        plan = state.plan
        known = [sha for ecu in plan.ecus for sha in (ecu.old, ecu.image)]
        known += [ecu.delta.sha256 for ecu in plan.ecus if ecu.delta]
        await self._artifacts.tidy(kept, dict.fromkeys(known))
        await self._ports.storage.delete(_FILE)
        self.state = None

    async def _ask_again(self, still_offered: Callable[[], Awaitable[bool]]) -> None:
        self._link.is_noticed = False
        if not await still_offered():
            await self._note(Withdrawn(self._now()))

    async def _do(self, effect: Effect) -> Event:
        if self.state is None:
            raise ConflictError("is not going on", value="installation")
        return await self._effects.do(effect, self.state.plan)

    def _now(self) -> float:
        return self._ports.clock.now().timestamp()

    async def _note(self, event: Event) -> None:
        if self.state is not None:
            await self._ports.storage.append(_FILE, encode_record(encode_event(event)))
            self.state = fold(self.state, event)

    async def _pause(self, until: float) -> None:
        left_s = min(until - self._now(), _SLICE_S)
        if self._link.is_noticed:
            await self._ports.clock.sleep(left_s)
        else:
            await self._link.wait(left_s)

    @property
    def _is_stoppable(self) -> bool:
        state = self.state
        return state is not None and not state.is_switched and state.failure is None

    async def _look_at(self, event: Event) -> None:
        """Report an artifact that was tampered with; ask again for an offer without artifacts."""
        self._part_bytes = 0
        if not isinstance(event, StepFailed) or self.state is None:
            return
        if event.code == "download-hash":
            await self._link.refuse(event.code, event.detail, self.state.plan.offer)
        elif event.code == "artifact-missing":
            self._link.is_noticed = True

    async def _on_bytes(self, count: int) -> None:
        self._part_bytes = count
        await self._report_progress()
        await self._link.glance(self._settings.glance_s, self._settings.glance_every_s)

    async def _report_progress(self, ecu: str = "") -> None:
        state = self.state
        if state is None or state.outcome is not None or state.failure is not None:
            return
        stage, percent = state.stage, _percent(state, self._part_bytes)
        told_stage, told_percent = self._reported
        step = self._settings.progress_percent
        if stage == told_stage and percent < told_percent + step:
            return
        self._reported = (stage, percent)
        await self._link.report(
            lambda sequence, time: Progress(
                vehicle=self._vehicle,
                sequence=sequence,
                time=time,
                offer=state.plan.offer,
                stage=stage,
                percent=percent,
                ecu=ecu,
            )
        )

    async def _report_result(
        self, state: Installation, outcome: Outcome, ecus: tuple[EcuState, ...]
    ) -> None:
        failure = state.failure
        notes = "; ".join(dict.fromkeys(state.notes))
        await self._link.report(
            lambda sequence, time: Result(
                vehicle=self._vehicle,
                sequence=sequence,
                time=time,
                offer=state.plan.offer,
                outcome=outcome,
                ecus=ecus,
                code=failure.code if failure else "",
                detail=(failure.detail if failure else notes)[:_DETAIL_MAX],
                ecu=failure.ecu if failure else "",
                received_bytes=state.received_bytes,
            ),
            ended=state.plan.offer,
        )


def _percent(state: Installation, part_bytes: int) -> int:
    """Return how much of the present stage is done, by bytes."""
    images = {ecu.image: ecu.length_bytes for ecu in state.plan.ecus}
    if state.stage is Stage.DOWNLOADING:
        done = sum(length for image, length in images.items() if image in state.ready)
        missing = next(length for image, length in images.items() if image not in state.ready)
        return 100 * (done + min(part_bytes, missing)) // max(1, sum(images.values()))
    wanted = {Stage.VERIFIED: Step.STAGED, Stage.STAGED: Step.ACTIVATING}
    least = wanted.get(state.stage, Step.PROBED)
    done = sum(ecu.length_bytes for ecu in state.plan.ecus if state.steps[ecu.serial] >= least)
    return 100 * done // max(1, sum(ecu.length_bytes for ecu in state.plan.ecus))
