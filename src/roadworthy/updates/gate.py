"""Gates decide whether a campaign's next wave may start.

Silence counts as failure: a vehicle that took the offer and has not reported by its
deadline is as bad as one that reported an error (a bricked vehicle can't report). A vehicle
counts as confirmed only when it said so after its reboot, never because it was sent something.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from roadworthy.base.errors import InputError

__all__ = ["ENDED", "FAILED", "IN_PROGRESS", "Gate", "MemberStage", "Verdict", "WaveCount", "judge"]


class MemberStage(StrEnum):
    """Where one vehicle of a campaign stands, in the order of a good run.

    CURRENT: it ran the release already when its turn came.
    WITHDRAWN: the campaign was aborted before the vehicle had switched over.
    """

    WAITING = "waiting"
    OFFERED = "offered"
    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    STAGED = "staged"
    ACTIVATED = "activated"
    CONFIRMED = "confirmed"
    CURRENT = "current"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    SILENT = "silent"
    WITHDRAWN = "withdrawn"


IN_PROGRESS = (
    MemberStage.OFFERED,
    MemberStage.DOWNLOADING,
    MemberStage.VERIFIED,
    MemberStage.STAGED,
    MemberStage.ACTIVATED,
)
FAILED = (MemberStage.FAILED, MemberStage.ROLLED_BACK, MemberStage.SILENT)
ENDED = (MemberStage.CONFIRMED, MemberStage.CURRENT, MemberStage.WITHDRAWN, *FAILED)


class Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a wave is good enough to go on.

    failure_share_max: failed or silent / reached, 0..1, above which the campaign pauses.
    reached_min: vehicles that must have ended before the share of an unfinished wave counts.
    soak_s: how long a finished wave must rest before the next one starts.
    silent_after_s: an offer without any report for so long counts as failed.
    """

    failure_share_max: float = 0.1
    reached_min: int = 3
    soak_s: float = 0.0
    silent_after_s: float = 86_400.0

    def check(self) -> None:
        """Raise InputError unless every limit makes sense."""
        if not 0 <= self.failure_share_max <= 1:
            raise InputError("must be between 0 and 1", value="gate.failure_share_max")
        if self.reached_min < 1:
            raise InputError("must be at least 1", value="gate.reached_min")
        if not (0 <= self.soak_s <= 1e8 and 0 < self.silent_after_s <= 1e8):  # noqa: PLR2004 - 3 years
            raise InputError("must be positive and below three years", value="gate")


class WaveCount(msgspec.Struct, frozen=True):
    """How many vehicles of a wave stand where.

    forgiven: failures that a person has accepted by resuming the campaign.
    """

    stages: Mapping[MemberStage, int]
    forgiven: int = 0

    @property
    def size(self) -> int:
        """All vehicles of the wave."""
        return sum(self.stages.values())

    @property
    def waiting(self) -> int:
        """Vehicles without an offer yet."""
        return self.stages.get(MemberStage.WAITING, 0)

    @property
    def in_progress(self) -> int:
        """Vehicles with an open offer."""
        return sum(self.stages.get(stage, 0) for stage in IN_PROGRESS)

    @property
    def failed(self) -> int:
        """Vehicles that failed, rolled back or fell silent."""
        return sum(self.stages.get(stage, 0) for stage in FAILED)

    @property
    def reached(self) -> int:
        """Vehicles whose installation ended, well or not."""
        return self.failed + self.stages.get(MemberStage.CONFIRMED, 0)

    @property
    def ended(self) -> bool:
        """Whether no vehicle of the wave waits or works any more."""
        return self.waiting == 0 and self.in_progress == 0


class Verdict(msgspec.Struct, frozen=True):
    """What a gate says of a wave: go on, hold on, or pause; and why, for an operator."""

    answer: str
    why: str

    @property
    def passes(self) -> bool:
        """Whether the next wave may start."""
        return self.answer == "pass"

    @property
    def pauses(self) -> bool:
        """Whether the campaign has to pause."""
        return self.answer == "pause"


def judge(gate: Gate, count: WaveCount, *, ended_for_s: float) -> Verdict:
    """Pause, hold or pass; the verdict says why in words an operator can act on.

    Args:
        gate: the limits.
        count: the wave as it stands.
        ended_for_s: seconds since the last vehicle of the wave ended; 0 while one is open.
    """
    failed = max(0, count.failed - count.forgiven)
    share = failed / count.reached if count.reached else 0.0
    accepted = f" besides {count.forgiven} that a person accepted" if count.forgiven else ""
    facts = f"{failed} of {count.reached} vehicles failed{accepted}"
    if share > gate.failure_share_max and (count.ended or count.reached >= gate.reached_min):
        return Verdict("pause", f"{facts}, the gate allows {gate.failure_share_max:.0%}")
    if not count.ended:
        return Verdict("hold", f"{count.waiting + count.in_progress} vehicles to go; {facts}")
    if ended_for_s < gate.soak_s:
        return Verdict("hold", f"soaking for another {gate.soak_s - ended_for_s:.0f} s; {facts}")
    return Verdict("pass", facts)
