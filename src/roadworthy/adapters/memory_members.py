"""Campaigns and their members in dicts: the part of the in-memory store that is large."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from roadworthy.base.errors import ConflictError, NotFoundError, StoreError
from roadworthy.base.ids import VehicleKey
from roadworthy.updates.campaign import LIVE, Campaign, Member
from roadworthy.updates.gate import FAILED, IN_PROGRESS, MemberStage
from roadworthy.updates.ports import BurnUpPoint, Traffic

__all__ = ["Journal", "MemoryCampaigns"]

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_MISSING = object()
_OPEN = frozenset(IN_PROGRESS)
_ILL = frozenset(FAILED)


class Journal:
    """What dicts held before a work changed them, so that it can be undone."""

    def __init__(self) -> None:
        self.writing = False
        self._before: list[tuple[dict[Any, Any], Hashable, object]] = []

    def set(self, mapping: dict[Key, Value], key: Key, value: Value) -> None:
        """Put a value into a dict.

        Raises:
            StoreError: outside of a write.
        """
        if not self.writing:
            raise StoreError("is open for reading only", todo="make changes within a write")
        self._before.append((mapping, key, mapping.get(key, _MISSING)))
        mapping[key] = value

    def drop(self, mapping: dict[Key, Value], key: Key) -> None:
        """Remove a key from a dict; removing none is fine."""
        if not self.writing:
            raise StoreError("is open for reading only", todo="make changes within a write")
        if key in mapping:
            self._before.append((mapping, key, mapping.pop(key)))

    def end(self, *, undo: bool) -> None:
        """End the write, keeping its changes or undoing them."""
        if undo:
            for mapping, key, value in reversed(self._before):
                if value is _MISSING:
                    del mapping[key]
                else:
                    mapping[key] = value
        self._before.clear()
        self.writing = False


class MemoryCampaigns:
    """Implements `updates.ports.CampaignTable`.

    Args:
        journal: notes each change.
        vin_of: says the VIN of a vehicle, in lower case, or an empty text.
    """

    def __init__(self, journal: Journal, vin_of: Callable[[VehicleKey], str]) -> None:
        self._journal = journal
        self._vin_of = vin_of
        self._campaigns: dict[str, Campaign] = {}
        self._members: dict[str, dict[VehicleKey, Member]] = {}
        self._of_vehicle: dict[VehicleKey, dict[str, Member]] = {}
        self._of_offer: dict[str, Member] = {}
        self._open: dict[VehicleKey, dict[str, Member]] = {}
        self._in_progress: dict[str, dict[VehicleKey, Member]] = {}
        self._waiting: dict[tuple[str, int], dict[VehicleKey, Member]] = {}
        self._tally: dict[str, dict[tuple[int, MemberStage], int]] = {}

    def get(self, campaign_id: str) -> Campaign | None:
        """Return one campaign, or None."""
        return self._campaigns.get(campaign_id)

    def put(self, campaign: Campaign) -> None:
        """Insert or replace a campaign."""
        self._journal.set(self._campaigns, campaign.id, campaign)

    def page(self, *, offset: int = 0, limit: int = 50) -> list[Campaign]:
        """Return campaigns, newest first."""
        newest = sorted(
            self._campaigns.values(), key=lambda one: (one.created_at, one.id), reverse=True
        )
        return newest[offset : offset + limit]

    def live(self) -> list[str]:
        """Return the ids of campaigns that are running or paused, oldest first."""
        found = [one for one in self._campaigns.values() if one.state in LIVE]
        return [one.id for one in sorted(found, key=lambda one: (one.created_at, one.id))]

    def add_members(self, members: Sequence[Member]) -> None:
        """Insert members of one campaign, all or none.

        Raises:
            ConflictError: a vehicle is in the campaign already, or an offer is taken.
        """
        new = {(member.campaign_id, member.vehicle) for member in members}
        offers = [member.offer for member in members if member.offer]
        if (
            len(new) != len(members)
            or any(vehicle in self._members.get(campaign, ()) for campaign, vehicle in new)
            or len(set(offers)) != len(offers)
            or any(offer in self._of_offer for offer in offers)
        ):
            raise ConflictError("is there already", value="member")
        for member in members:
            self._insert(member)

    def remove_members(self, campaign_id: str, *, limit: int) -> int:
        """Remove up to `limit` members of a campaign; return how many were removed."""
        removed = list(self._members.get(campaign_id, {}).values())[: max(0, limit)]
        for member in removed:
            self._remove(member)
        return len(removed)

    def put_member(self, member: Member) -> None:
        """Replace a member.

        Raises:
            NotFoundError: the vehicle is not in the campaign.
            ConflictError: another member holds this offer.
        """
        before = self._members.get(member.campaign_id, {}).get(member.vehicle)
        if before is None:
            raise NotFoundError("is not in the campaign", value=member.vehicle)
        holder = self._of_offer.get(member.offer)
        if holder is not None and holder is not before:
            raise ConflictError("is there already", value="offer")
        self._remove(before)
        self._insert(member)

    def member(self, campaign_id: str, vehicle: VehicleKey) -> Member | None:
        """Return one member, or None."""
        return self._members.get(campaign_id, {}).get(vehicle)

    def member_of_offer(self, offer: str) -> Member | None:
        """Return the member that holds this offer, or None."""
        return self._of_offer.get(offer)

    def open_member(self, vehicle: VehicleKey) -> Member | None:
        """Return the vehicle's member with an offer in progress in any campaign, or None."""
        found = self._open.get(vehicle, {}).values()
        return max(found, key=lambda one: (one.offered_at, one.campaign_id), default=None)

    def memberships(self, vehicle: VehicleKey) -> list[Member]:
        """Return all members of a vehicle, latest offer first."""
        found = self._of_vehicle.get(vehicle, {}).values()
        return sorted(found, key=lambda one: (one.offered_at, one.campaign_id), reverse=True)

    def counts(self, campaign_id: str) -> Mapping[int, Mapping[MemberStage, int]]:
        """Return the number of members by wave and stage."""
        found: dict[int, dict[MemberStage, int]] = {}
        for (wave, stage), number in self._tally.get(campaign_id, {}).items():
            if number:
                found.setdefault(wave, {})[stage] = number
        return found

    def traffic(self, campaign_id: str) -> Traffic:
        """Return what the campaign's offers cost so far."""
        offered = [one for one in self._members.get(campaign_id, {}).values() if one.offer]
        confirmed = [one for one in offered if one.stage is MemberStage.CONFIRMED]
        return Traffic(
            received_bytes=sum(one.received_bytes for one in offered),
            offered_bytes=sum(one.delta_bytes for one in offered),
            full_bytes=sum(one.full_bytes for one in offered),
            confirmed_received_bytes=sum(one.received_bytes for one in confirmed),
            confirmed_full_bytes=sum(one.full_bytes for one in confirmed),
        )

    def last_ended_at(self, campaign_id: str, wave: int) -> float:
        """Return when the wave's last member ended, Unix seconds; 0 for none."""
        members = self._members.get(campaign_id, {}).values()
        return max((one.ended_at for one in members if one.wave == wave), default=0.0)

    def waiting(self, campaign_id: str, wave: int, limit: int) -> list[Member]:
        """Return waiting members of a wave without an offer open elsewhere, by vehicle."""
        waiting = self._waiting.get((campaign_id, wave), {})
        free = sorted(vehicle for vehicle in waiting if not self._open.get(vehicle))
        return [waiting[vehicle] for vehicle in free[: max(0, limit)]]

    def silent(self, campaign_id: str, since: float) -> list[Member]:
        """Return members in progress with neither offer nor report since then, longest first."""
        found = [
            member
            for member in self._in_progress.get(campaign_id, {}).values()
            if _heard_at(member) < since
        ]
        return sorted(found, key=lambda one: (_heard_at(one), one.vehicle))

    def in_progress(self, campaign_id: str) -> list[Member]:
        """Return members with an open offer, by wave and vehicle."""
        found = self._in_progress.get(campaign_id, {}).values()
        return sorted(found, key=lambda one: (one.wave, one.vehicle))

    def members(
        self,
        campaign_id: str,
        *,
        stages: Sequence[MemberStage] = (),
        text: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> list[Member]:
        """Return members: failed kinds, then in progress, then the rest; by wave and vehicle.

        Args:
            campaign_id: the campaign.
            stages: only these; empty for all.
            text: part of vehicle key, VIN or failure code, in either case.
            offset: rows to leave out.
            limit: rows to return.
        """
        found = self._matching(campaign_id, stages, text.casefold())
        found.sort(key=lambda one: (_attention(one), one.wave, one.vehicle))
        return found[offset : offset + limit]

    def count_members(
        self, campaign_id: str, *, stages: Sequence[MemberStage] = (), text: str = ""
    ) -> int:
        """Return how many members `members` would give without a limit."""
        return len(self._matching(campaign_id, stages, text.casefold()))

    def failures(self, campaign_id: str) -> list[tuple[str, int, VehicleKey]]:
        """Return (code, number of vehicles, the first of them), most frequent first."""
        by_code: dict[str, list[VehicleKey]] = {}
        for member in self._members.get(campaign_id, {}).values():
            if member.stage in _ILL:
                by_code.setdefault(member.code, []).append(member.vehicle)
        found = [(code, len(vehicles), min(vehicles)) for code, vehicles in by_code.items()]
        return sorted(found, key=lambda one: (-one[1], one[0]))

    def burn_up(self, campaign_id: str, points: int) -> list[BurnUpPoint]:
        """Return the course since the first offer in at most `points` + 1 steps of equal time."""
        offered = [one for one in self._members.get(campaign_id, {}).values() if one.offered_at > 0]
        if not offered:
            return []
        start = min(one.offered_at for one in offered)
        end = max(max(_heard_at(one), one.ended_at) for one in offered)
        steps = max(1, points) if end > start else 0
        step_s = (end - start) / steps if steps else 1.0

        def reached(place: int, moments: list[float]) -> int:
            return sum(min(steps, math.ceil((at - start) / step_s)) <= place for at in moments)

        confirmed = [
            one.ended_at for one in offered if one.ended_at and one.stage is MemberStage.CONFIRMED
        ]
        failed = [one.ended_at for one in offered if one.ended_at and one.stage in _ILL]
        offers = [one.offered_at for one in offered]
        return [
            BurnUpPoint(
                start + place * step_s,
                confirmed=reached(place, confirmed),
                failed=reached(place, failed),
                offered=reached(place, offers),
            )
            for place in range(steps + 1)
        ]

    def _matching(self, campaign_id: str, stages: Sequence[MemberStage], text: str) -> list[Member]:
        return [
            member
            for member in self._members.get(campaign_id, {}).values()
            if (not stages or member.stage in stages)
            and (
                text in f"{member.vehicle}\n{member.code}".casefold()
                or text in self._vin_of(member.vehicle)
            )
        ]

    def _places(self, member: Member) -> list[tuple[dict[Any, Any], Hashable, Hashable]]:
        campaign, vehicle = member.campaign_id, member.vehicle
        places: list[tuple[dict[Any, Any], Hashable, Hashable]] = [
            (self._members, campaign, vehicle),
            (self._of_vehicle, vehicle, campaign),
        ]
        if member.stage in _OPEN:
            places.append((self._open, vehicle, campaign))
            places.append((self._in_progress, campaign, vehicle))
        if member.stage is MemberStage.WAITING:
            places.append((self._waiting, (campaign, member.wave), vehicle))
        return places

    def _insert(self, member: Member) -> None:
        for index, outer, inner in self._places(member):
            self._journal.set(index.setdefault(outer, {}), inner, member)
        if member.offer:
            self._journal.set(self._of_offer, member.offer, member)
        self._count(member, 1)

    def _remove(self, member: Member) -> None:
        for index, outer, inner in self._places(member):
            self._journal.drop(index[outer], inner)
        self._journal.drop(self._of_offer, member.offer)
        self._count(member, -1)

    def _count(self, member: Member, more: int) -> None:
        tally = self._tally.setdefault(member.campaign_id, {})
        place = (member.wave, member.stage)
        self._journal.set(tally, place, tally.get(place, 0) + more)


def _heard_at(member: Member) -> float:
    return max(member.offered_at, member.reported_at)


def _attention(member: Member) -> int:
    if member.stage in _ILL:
        return 0
    return 1 if member.stage in _OPEN else 2
