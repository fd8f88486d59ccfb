"""Does one effect of an installation and says as an event what came of it."""

from roadworthy.base.errors import InputError, LinkError, RoadworthyError, VehicleError
from roadworthy.base.ids import Sha256
from roadworthy.diagnostics.errors import NegativeResponseError
from roadworthy.updates.install_events import (
    Activate,
    Activated,
    CheckConditions,
    Commit,
    Committed,
    ConditionsChecked,
    Effect,
    Event,
    Fetch,
    Fetched,
    Probe,
    Probed,
    Rebuild,
    Rebuilt,
    Record,
    Revert,
    Reverted,
    Staged,
    StageEcu,
    StepFailed,
    Work,
)
from roadworthy.updates.install_plan import Plan
from roadworthy.vehicle.artifacts import Artifacts, Progress
from roadworthy.vehicle.ecus import Ecus
from roadworthy.vehicle.settings import Ports

__all__ = ["Effects", "ImageLostError"]

_DETAIL_MAX = 400


class ImageLostError(VehicleError):
    """An image that was complete is damaged or gone."""

    code = "image-lost"
    title = "Image damaged in storage"


class Effects:
    """The hands of an installation.

    Args:
        ports: the vehicle's world.
        ecus: its ECUs.
        artifacts: its storage of images.
        progress: told the bytes of a download while it comes in.
    """

    def __init__(
        self, ports: Ports, *, ecus: Ecus, artifacts: Artifacts, progress: Progress
    ) -> None:
        self._ports = ports
        self._ecus = ecus
        self._artifacts = artifacts
        self._progress = progress

    async def do(self, effect: Effect, plan: Plan) -> Event:
        """Do the effect; what goes wrong becomes a `StepFailed` with a stable code."""
        try:
            match effect:
                case Record(event):
                    return event
                case CheckConditions(battery_percent_min):
                    found = await self._ports.conditions.read()
                    return ConditionsChecked(self._now(), found.missing(battery_percent_min))
                case Fetch() | Rebuild():
                    return await self._obtain(effect, plan)
                case _:
                    return await self._switch(effect, plan)
        except RoadworthyError as error:
            return self._failed(effect, error, plan)

    async def _obtain(self, effect: Fetch | Rebuild, plan: Plan) -> Event:
        if isinstance(effect, Rebuild):
            await self._artifacts.rebuild(effect)
            return Rebuilt(self._now(), effect.image)
        is_image = _is_image(effect.artifact, plan)
        await self._artifacts.fetch(effect, self._progress, is_image=is_image)
        return Fetched(self._now(), effect.artifact, self._artifacts.received_bytes)

    async def _switch(self, effect: Effect, plan: Plan) -> Event:
        match effect:
            case StageEcu(ecu, image):
                await self._ecus.stage(ecu, image, await self._image(image), plan.director_targets)
                return Staged(self._now(), ecu)
            case Activate(ecu, image):
                await self._ecus.activate(ecu, image)
                return Activated(self._now(), ecu)
            case Probe(ecu):
                running = await self._ecus.probe(ecu)
                return Probed(self._now(), ecu, running)
            case Commit(ecu, image):
                await self._ecus.commit(ecu, image)
                return Committed(self._now(), ecu)
        if not isinstance(effect, Revert):
            raise VehicleError("can't be done", value=type(effect).__name__)
        await self._ecus.revert(effect.ecu, effect.old)
        return Reverted(self._now(), effect.ecu)

    async def _image(self, sha256: Sha256) -> bytes:
        data = await self._artifacts.image(sha256)
        if data is None:
            raise ImageLostError("is damaged", value=f"image {sha256[:12]}")
        return data

    def _failed(self, effect: Effect, error: RoadworthyError, plan: Plan) -> StepFailed:
        work = _WORKS[type(effect)]
        names = (getattr(effect, name, "") for name in ("ecu", "artifact", "image"))
        is_final = isinstance(error, ImageLostError)
        received_bytes = 0
        if isinstance(effect, Fetch):
            received_bytes = self._artifacts.received_bytes
            is_final = isinstance(error, InputError) and not _is_image(effect.artifact, plan)
        return StepFailed(
            self._now(),
            work,
            next(name for name in names if name),
            _code_of(work, error),
            str(error)[:_DETAIL_MAX],
            is_final=is_final,
            received_bytes=received_bytes,
        )

    def _now(self) -> float:
        return self._ports.clock.now().timestamp()


def _is_image(artifact: Sha256, plan: Plan) -> bool:
    return any(ecu.image == artifact for ecu in plan.ecus)


_WORKS: dict[type[Effect], Work] = {
    Fetch: "fetch",
    Rebuild: "rebuild",
    StageEcu: "stage",
    Activate: "activate",
    Probe: "probe",
    Commit: "commit",
    Revert: "revert",
}


def _code_of(work: Work, error: RoadworthyError) -> str:
    """Return the stable code of `updates.failure_codes`."""
    if work == "fetch":
        return "artifact-missing" if isinstance(error, InputError) else error.code
    if isinstance(error, LinkError):
        return "ecu-timeout"
    return "ecu-rejected" if isinstance(error, NegativeResponseError) else error.code
