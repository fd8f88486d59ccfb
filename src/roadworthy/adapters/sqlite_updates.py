"""Releases, deltas and campaigns in SQLite; the members of campaigns are in sqlite_members."""

from collections.abc import Sequence

from roadworthy.adapters.sqlite_link import Link, decode, encode, json_list
from roadworthy.adapters.sqlite_members import SqliteMembers
from roadworthy.base.ids import Sha256
from roadworthy.updates.campaign import LIVE, Campaign
from roadworthy.updates.release import Delta, Release

__all__ = ["SqliteCampaigns", "SqliteReleases"]


class SqliteReleases:
    """Implements `updates.ports.ReleaseTable`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def get(self, release_id: str) -> Release | None:
        """Return one release, or None."""
        row = self._link.row("SELECT body FROM release WHERE id = :id", {"id": release_id})
        return decode(row[0], Release) if row else None

    def put(self, release: Release) -> None:
        """Insert or replace a release."""
        self._link.change(
            "INSERT INTO release (id, created_at, body) VALUES (:id, :created_at, :body) "
            "ON CONFLICT (id) DO UPDATE SET created_at = :created_at, body = :body",
            {"id": release.id, "created_at": release.created_at, "body": encode(release)},
        )

    def page(self, *, offset: int = 0, limit: int = 50) -> list[Release]:
        """Return releases, newest first."""
        rows = self._link.rows(
            "SELECT body FROM release ORDER BY created_at DESC, id DESC "
            "LIMIT :limit OFFSET :offset",
            {"limit": limit, "offset": offset},
        )
        return [decode(row[0], Release) for row in rows]

    def put_image(self, sha256: Sha256, length_bytes: int) -> None:
        """Note that the artifact store holds an image; the same again is fine."""
        self._link.change(
            "INSERT INTO image (sha256, length_bytes) VALUES (:sha256, :length) "
            "ON CONFLICT (sha256) DO UPDATE SET length_bytes = :length",
            {"sha256": sha256, "length": length_bytes},
        )

    def images(self, hashes: Sequence[Sha256]) -> dict[Sha256, int]:
        """Return the length in bytes of those of these images that the artifact store holds."""
        rows = self._link.rows(
            "SELECT sha256, length_bytes FROM image "
            "WHERE sha256 IN (SELECT value FROM json_each(:hashes))",
            {"hashes": json_list(hashes)},
        )
        return {Sha256(sha256): length_bytes for sha256, length_bytes in rows}

    def put_delta(self, delta: Delta) -> None:
        """Insert or replace the delta between two images."""
        self._link.change(
            "INSERT INTO delta (target, base, body) VALUES (:target, :base, :body) "
            "ON CONFLICT (target, base) DO UPDATE SET body = :body",
            {"target": delta.target_sha256, "base": delta.base_sha256, "body": encode(delta)},
        )

    def deltas(self, targets: Sequence[Sha256]) -> dict[tuple[Sha256, Sha256], Delta]:
        """Return deltas to these images, by base hash and target hash."""
        rows = self._link.rows(
            "SELECT body FROM delta WHERE target IN (SELECT value FROM json_each(:targets))",
            {"targets": json_list(targets)},
        )
        deltas = (decode(row[0], Delta) for row in rows)
        return {(delta.base_sha256, delta.target_sha256): delta for delta in deltas}


class SqliteCampaigns(SqliteMembers):
    """Implements `updates.ports.CampaignTable`."""

    def get(self, campaign_id: str) -> Campaign | None:
        """Return one campaign, or None."""
        row = self._link.row("SELECT body FROM campaign WHERE id = :id", {"id": campaign_id})
        return decode(row[0], Campaign) if row else None

    def put(self, campaign: Campaign) -> None:
        """Insert or replace a campaign."""
        self._link.change(
            "INSERT INTO campaign (id, created_at, live, body) "
            "VALUES (:id, :created_at, :live, :body) ON CONFLICT (id) "
            "DO UPDATE SET created_at = :created_at, live = :live, body = :body",
            {
                "id": campaign.id,
                "created_at": campaign.created_at,
                "live": int(campaign.state in LIVE),
                "body": encode(campaign),
            },
        )

    def live(self) -> list[str]:
        """Return the ids of campaigns that are running or paused, oldest first."""
        rows = self._link.rows("SELECT id FROM campaign WHERE live = 1 ORDER BY created_at, id")
        return [row[0] for row in rows]

    def page(self, *, offset: int = 0, limit: int = 50) -> list[Campaign]:
        """Return campaigns, newest first."""
        rows = self._link.rows(
            "SELECT body FROM campaign ORDER BY created_at DESC, id DESC "
            "LIMIT :limit OFFSET :offset",
            {"limit": limit, "offset": offset},
        )
        return [decode(row[0], Campaign) for row in rows]
