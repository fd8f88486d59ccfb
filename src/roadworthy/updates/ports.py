"""What releases and campaigns need of a store."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from roadworthy.base.ids import Sha256, VehicleKey
from roadworthy.updates.campaign import Campaign, Member
from roadworthy.updates.gate import MemberStage
from roadworthy.updates.release import Delta, Release

__all__ = ["BurnUpPoint", "CampaignTable", "ReleaseTable", "Traffic"]


class BurnUpPoint(msgspec.Struct, frozen=True):
    """How many members had ended by a moment (Unix seconds)."""

    at: float
    confirmed: int
    failed: int
    offered: int


class Traffic(NamedTuple):
    """What the offers of a campaign cost so far, summed over the members that hold one.

    received_bytes: what came over the network, as the vehicles' results say.
    offered_bytes: what the offers have to download. full_bytes: the same without deltas.
    confirmed_received_bytes, confirmed_full_bytes: of the members that confirmed alone; only
        they have taken all that they were offered, so only there the two may be compared.
    """

    received_bytes: int
    offered_bytes: int
    full_bytes: int
    confirmed_received_bytes: int
    confirmed_full_bytes: int


class ReleaseTable(Protocol):
    """Releases and the deltas between their images."""

    def get(self, release_id: str) -> Release | None:
        """Return one release, or None."""
        ...

    def put(self, release: Release) -> None:
        """Insert or replace a release."""
        ...

    def page(self, *, offset: int = 0, limit: int = 50) -> list[Release]:
        """Return releases, newest first."""
        ...

    def put_image(self, sha256: Sha256, length_bytes: int) -> None:
        """Note that the artifact store holds an image; the same again is fine."""
        ...

    def images(self, hashes: Sequence[Sha256]) -> dict[Sha256, int]:
        """Return the length in bytes of those of these images that the artifact store holds."""
        ...

    def put_delta(self, delta: Delta) -> None:
        """Insert or replace the delta between two images."""
        ...

    def deltas(self, targets: Sequence[Sha256]) -> dict[tuple[Sha256, Sha256], Delta]:
        """Return deltas to these images, by base hash and target hash."""
        ...


class CampaignTable(Protocol):
    """Campaigns and their members."""

    def get(self, campaign_id: str) -> Campaign | None:
        """Return one campaign, or None."""
        ...

    def put(self, campaign: Campaign) -> None:
        """Insert or replace a campaign."""
        ...

    def page(self, *, offset: int = 0, limit: int = 50) -> list[Campaign]:
        """Return campaigns, newest first."""
        ...

    def live(self) -> list[str]:
        """Return the ids of campaigns that are running or paused, oldest first."""
        ...

    def add_members(self, members: Sequence[Member]) -> None:
        """Insert members of one campaign."""
        ...

    def remove_members(self, campaign_id: str, *, limit: int) -> int:
        """Remove up to `limit` members of a campaign; return how many were removed."""
        ...

    def put_member(self, member: Member) -> None:
        """Replace a member."""
        ...

    def member(self, campaign_id: str, vehicle: VehicleKey) -> Member | None:
        """Return one member, or None."""
        ...

    def member_of_offer(self, offer: str) -> Member | None:
        """Return the member that holds this offer, or None."""
        ...

    def open_member(self, vehicle: VehicleKey) -> Member | None:
        """Return the vehicle's member with an offer in progress in any campaign, or None."""
        ...

    def memberships(self, vehicle: VehicleKey) -> list[Member]:
        """Return all members of a vehicle, latest offer first."""
        ...

    def counts(self, campaign_id: str) -> Mapping[int, Mapping[MemberStage, int]]:
        """Return the number of members by wave and stage."""
        ...

    def traffic(self, campaign_id: str) -> Traffic:
        """Return what the campaign's offers cost so far."""
        ...

    def last_ended_at(self, campaign_id: str, wave: int) -> float:
        """Return when the wave's last member ended, Unix seconds; 0 for none."""
        ...

    def waiting(self, campaign_id: str, wave: int, limit: int) -> list[Member]:
        """Return waiting members of a wave that have no offer open in another campaign."""
        ...

    def silent(self, campaign_id: str, since: float) -> list[Member]:
        """Return members in progress with neither offer nor report since then."""
        ...

    def in_progress(self, campaign_id: str) -> list[Member]:
        """Return members with an open offer."""
        ...

    def members(
        self,
        campaign_id: str,
        *,
        stages: Sequence[MemberStage] = (),
        text: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> list[Member]:
        """Return members, those that need attention first, then by wave and vehicle.

        The order is: failed kinds, then in progress, then the rest.

        Args:
            campaign_id: the campaign.
            stages: only these; empty for all.
            text: part of vehicle key, VIN or failure code.
            offset: rows to leave out.
            limit: rows to return.
        """
        ...

    def count_members(
        self, campaign_id: str, *, stages: Sequence[MemberStage] = (), text: str = ""
    ) -> int:
        """Return how many members `members` would give without a limit."""
        ...

    def failures(self, campaign_id: str) -> list[tuple[str, int, VehicleKey]]:
        """Return (code, number of vehicles, an example), most frequent first."""
        ...

    def burn_up(self, campaign_id: str, points: int) -> list[BurnUpPoint]:
        """Return the course since the first offer in at most `points` + 1 steps of equal time."""
        ...
