"""The members of campaigns in SQLite.

A campaign may have a million members, so nothing that the engine asks for reads them all:
how many stand where is counted along with each change, and each list it asks for has an
index of its own, partial where only few members can be in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from roadworthy.adapters.sqlite_link import Link, Row, decode, encode, json_list
from roadworthy.base.errors import ConflictError, NotFoundError
from roadworthy.base.ids import VehicleKey
from roadworthy.updates.campaign import Member
from roadworthy.updates.gate import FAILED, IN_PROGRESS, MemberStage
from roadworthy.updates.ports import BurnUpPoint, Traffic

__all__ = ["SqliteMembers"]

_INSERT = """
INSERT INTO member (campaign, vehicle, wave, stage, open, attention, offer, code, search,
    offered_at, heard_at, ended_at, body)
VALUES (:campaign, :vehicle, :wave, :stage, :open, :attention, :offer, :code, :search,
    :offered_at, :heard_at, :ended_at, :body)
"""
_UPDATE = """
UPDATE member SET wave = :wave, stage = :stage, open = :open, attention = :attention,
    offer = :offer, code = :code, search = :search, offered_at = :offered_at,
    heard_at = :heard_at, ended_at = :ended_at, body = :body
WHERE campaign = :campaign AND vehicle = :vehicle
"""
_WAITING = """
SELECT body FROM member
WHERE campaign = :campaign AND wave = :wave AND stage = 'waiting' AND NOT EXISTS (
    SELECT 1 FROM member AS other WHERE other.vehicle = member.vehicle AND other.open = 1)
ORDER BY vehicle LIMIT :limit
"""
_MATCHES = """
campaign = :campaign
AND (:stages = '[]' OR stage IN (SELECT value FROM json_each(:stages)))
AND (:text = '' OR instr(search, :text) > 0 OR EXISTS (
    SELECT 1 FROM vehicle WHERE key = member.vehicle AND instr(lower(vin), :text) > 0))
"""
_LISTED = (
    f"SELECT body FROM member WHERE {_MATCHES} "  # noqa: S608 - two constants, no input
    "ORDER BY attention, wave, vehicle LIMIT :limit OFFSET :offset"
)
_COUNTED = f"SELECT count(*) FROM member WHERE {_MATCHES}"  # noqa: S608 - two constants, no input
_SPAN = """
SELECT min(offered_at), max(max(heard_at, ended_at)) FROM member
WHERE campaign = :campaign AND offered_at > 0
"""
# The step that an event is part of is ceil((moment - start) / step_s), at most `steps`.
_OFFERED_BY_STEP = """
WITH event AS (SELECT (offered_at - :start) / :step_s AS place FROM member
    WHERE campaign = :campaign AND offered_at > 0)
SELECT min(CAST(place AS INTEGER) + (place > CAST(place AS INTEGER)), :steps), count(*)
FROM event GROUP BY 1
"""
_ENDED_BY_STEP = """
WITH event AS (SELECT (ended_at - :start) / :step_s AS place FROM member
    WHERE campaign = :campaign AND offered_at > 0 AND ended_at > 0
    AND stage IN (SELECT value FROM json_each(:stages)))
SELECT min(CAST(place AS INTEGER) + (place > CAST(place AS INTEGER)), :steps), count(*)
FROM event GROUP BY 1
"""
_TALLY = """
INSERT INTO tally (campaign, wave, stage, members, received_bytes, offered_bytes, full_bytes)
VALUES (:campaign, :wave, :stage, :members, :received, :offered, :full)
ON CONFLICT (campaign, wave, stage) DO UPDATE SET members = members + excluded.members,
    received_bytes = received_bytes + excluded.received_bytes,
    offered_bytes = offered_bytes + excluded.offered_bytes,
    full_bytes = full_bytes + excluded.full_bytes
"""
_Place = tuple[str, int, MemberStage]


class SqliteMembers:
    """The part of `updates.ports.CampaignTable` that is about members."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def add_members(self, members: Sequence[Member]) -> None:
        """Insert members of one campaign, all or none.

        Raises:
            ConflictError: a vehicle is in the campaign already, or an offer is taken.
        """
        self._link.command("SAVEPOINT add_members")
        try:
            self._link.change_many(_INSERT, map(_values, members))
            self._tally(come=members)
        except ConflictError:
            self._link.command("ROLLBACK TO add_members")
            raise
        finally:
            if self._link.in_transaction:
                self._link.command("RELEASE add_members")

    def remove_members(self, campaign_id: str, *, limit: int) -> int:
        """Remove up to `limit` members of a campaign; return how many were removed."""
        removed = _members(
            self._link.rows(
                "SELECT body FROM member WHERE campaign = :campaign ORDER BY vehicle LIMIT :limit",
                {"campaign": campaign_id, "limit": max(0, limit)},
            )
        )
        self._link.change_many(
            "DELETE FROM member WHERE campaign = :campaign AND vehicle = :vehicle",
            [{"campaign": one.campaign_id, "vehicle": one.vehicle} for one in removed],
        )
        self._tally(gone=removed)
        return len(removed)

    def put_member(self, member: Member) -> None:
        """Replace a member.

        Raises:
            NotFoundError: the vehicle is not in the campaign.
            ConflictError: another member holds this offer.
        """
        before = self.member(member.campaign_id, member.vehicle)
        if before is None:
            raise NotFoundError("is not in the campaign", value=member.vehicle)
        self._link.change(_UPDATE, _values(member))
        self._tally(gone=(before,), come=(member,))

    def member(self, campaign_id: str, vehicle: VehicleKey) -> Member | None:
        """Return one member, or None."""
        return _first(
            self._link.rows(
                "SELECT body FROM member WHERE campaign = :campaign AND vehicle = :vehicle",
                {"campaign": campaign_id, "vehicle": vehicle},
            )
        )

    def member_of_offer(self, offer: str) -> Member | None:
        """Return the member that holds this offer, or None."""
        return _first(
            self._link.rows(
                "SELECT body FROM member WHERE offer = :offer AND offer != ''", {"offer": offer}
            )
        )

    def open_member(self, vehicle: VehicleKey) -> Member | None:
        """Return the vehicle's member with an offer in progress in any campaign, or None."""
        return _first(
            self._link.rows(
                "SELECT body FROM member WHERE vehicle = :vehicle AND open = 1 "
                "ORDER BY offered_at DESC, campaign DESC LIMIT 1",
                {"vehicle": vehicle},
            )
        )

    def memberships(self, vehicle: VehicleKey) -> list[Member]:
        """Return all members of a vehicle, latest offer first."""
        rows = self._link.rows(
            "SELECT body FROM member WHERE vehicle = :vehicle "
            "ORDER BY offered_at DESC, campaign DESC",
            {"vehicle": vehicle},
        )
        return _members(rows)

    def counts(self, campaign_id: str) -> Mapping[int, Mapping[MemberStage, int]]:
        """Return the number of members by wave and stage."""
        found: dict[int, dict[MemberStage, int]] = defaultdict(dict)
        for wave, stage, members in self._link.rows(
            "SELECT wave, stage, members FROM tally WHERE campaign = :campaign AND members > 0 "
            "ORDER BY wave, stage",
            {"campaign": campaign_id},
        ):
            found[wave][MemberStage(stage)] = members
        return dict(found)

    def traffic(self, campaign_id: str) -> Traffic:
        """Return what the campaign's offers cost so far."""
        rows = self._link.rows(
            "SELECT received_bytes, offered_bytes, full_bytes, stage FROM tally "
            "WHERE campaign = :campaign",
            {"campaign": campaign_id},
        )
        confirmed = [row for row in rows if row[3] == MemberStage.CONFIRMED]
        return Traffic(
            received_bytes=sum(int(row[0]) for row in rows),
            offered_bytes=sum(int(row[1]) for row in rows),
            full_bytes=sum(int(row[2]) for row in rows),
            confirmed_received_bytes=sum(int(row[0]) for row in confirmed),
            confirmed_full_bytes=sum(int(row[2]) for row in confirmed),
        )

    def last_ended_at(self, campaign_id: str, wave: int) -> float:
        """Return when the wave's last member ended, Unix seconds; 0 for none."""
        row = self._link.row(
            "SELECT max(ended_at) FROM member WHERE campaign = :campaign AND wave = :wave",
            {"campaign": campaign_id, "wave": wave},
        )
        return 0.0 if row is None or row[0] is None else float(row[0])

    def waiting(self, campaign_id: str, wave: int, limit: int) -> list[Member]:
        """Return waiting members of a wave without an offer open elsewhere, by vehicle."""
        values = {"campaign": campaign_id, "wave": wave, "limit": max(0, limit)}
        return _members(self._link.rows(_WAITING, values))

    def silent(self, campaign_id: str, since: float) -> list[Member]:
        """Return members in progress with neither offer nor report since then, longest first."""
        rows = self._link.rows(
            "SELECT body FROM member WHERE campaign = :campaign AND open = 1 "
            "AND heard_at < :since ORDER BY heard_at, vehicle",
            {"campaign": campaign_id, "since": since},
        )
        return _members(rows)

    def in_progress(self, campaign_id: str) -> list[Member]:
        """Return members with an open offer, by wave and vehicle."""
        rows = self._link.rows(
            "SELECT body FROM member WHERE campaign = :campaign AND attention = 1 "
            "ORDER BY wave, vehicle",
            {"campaign": campaign_id},
        )
        return _members(rows)

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
        values = _filter(campaign_id, stages, text)
        return _members(self._link.rows(_LISTED, {**values, "limit": limit, "offset": offset}))

    def count_members(
        self, campaign_id: str, *, stages: Sequence[MemberStage] = (), text: str = ""
    ) -> int:
        """Return how many members `members` would give without a limit."""
        if not text:
            counts = self.counts(campaign_id).values()
            return sum(
                number
                for by_stage in counts
                for stage, number in by_stage.items()
                if not stages or stage in stages
            )
        row = self._link.row(_COUNTED, _filter(campaign_id, stages, text))
        return int(row[0]) if row else 0

    def failures(self, campaign_id: str) -> list[tuple[str, int, VehicleKey]]:
        """Return (code, number of vehicles, the first of them), most frequent first."""
        rows = self._link.rows(
            "SELECT code, count(*), min(vehicle) FROM member WHERE campaign = :campaign "
            "AND attention = 0 GROUP BY code ORDER BY 2 DESC, code",
            {"campaign": campaign_id},
        )
        return [(code, number, VehicleKey(vehicle)) for code, number, vehicle in rows]

    def burn_up(self, campaign_id: str, points: int) -> list[BurnUpPoint]:
        """Return the course since the first offer in at most `points` + 1 steps of equal time."""
        span = self._link.row(_SPAN, {"campaign": campaign_id})
        if span is None or span[0] is None:
            return []
        start, end = float(span[0]), float(span[1])
        steps = max(1, points) if end > start else 0
        step_s = (end - start) / steps if steps else 1.0
        shared = {"campaign": campaign_id, "start": start, "step_s": step_s, "steps": steps}
        confirmed = {**shared, "stages": json_list((MemberStage.CONFIRMED,))}
        failed = {**shared, "stages": json_list(FAILED)}
        courses = [
            _course(self._link.rows(sql, values), steps)
            for sql, values in (
                (_ENDED_BY_STEP, confirmed),
                (_ENDED_BY_STEP, failed),
                (_OFFERED_BY_STEP, shared),
            )
        ]
        return [
            BurnUpPoint(start + place * step_s, *numbers)
            for place, numbers in enumerate(zip(*courses, strict=True))
        ]

    def _tally(self, *, gone: Iterable[Member] = (), come: Iterable[Member] = ()) -> None:
        more: dict[_Place, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for sign, members in ((-1, gone), (1, come)):
            for one in members:
                numbers = more[one.campaign_id, one.wave, one.stage]
                numbers[0] += sign
                if one.offer:
                    numbers[1] += sign * one.received_bytes
                    numbers[2] += sign * one.delta_bytes
                    numbers[3] += sign * one.full_bytes
        names = ("campaign", "wave", "stage", "members", "received", "offered", "full")
        changes = [
            dict(zip(names, (*place, *numbers), strict=True))
            for place, numbers in more.items()
            if any(numbers)
        ]
        self._link.change_many(_TALLY, changes)


def _values(member: Member) -> dict[str, object]:
    attention = 0 if member.stage in FAILED else 1 if member.stage in IN_PROGRESS else 2
    return {
        "campaign": member.campaign_id,
        "vehicle": member.vehicle,
        "wave": member.wave,
        "stage": member.stage,
        "open": int(attention == 1),
        "attention": attention,
        "offer": member.offer,
        "code": member.code,
        "search": f"{member.vehicle}\n{member.code}".casefold(),
        "offered_at": member.offered_at,
        "heard_at": max(member.offered_at, member.reported_at),
        "ended_at": member.ended_at,
        "body": encode(member),
    }


def _filter(campaign_id: str, stages: Sequence[MemberStage], text: str) -> dict[str, object]:
    return {"campaign": campaign_id, "stages": json_list(stages), "text": text.casefold()}


def _members(rows: list[Row]) -> list[Member]:
    return [decode(row[0], Member) for row in rows]


def _first(rows: list[Row]) -> Member | None:
    return decode(rows[0][0], Member) if rows else None


def _course(rows: list[Row], steps: int) -> list[int]:
    ended = dict.fromkeys(range(steps + 1), 0)
    for place, number in rows:
        ended[max(0, place)] += number
    return list(accumulate(ended.values()))
