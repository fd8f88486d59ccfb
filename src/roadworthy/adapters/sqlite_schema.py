"""The tables of the SQLite store and how an older file becomes a newer one.

What is searched or sorted by is a column; the record itself is one JSON body beside it, so
that a new field needs no migration. Each migration is one transaction and is never changed
once it was released; `PRAGMA user_version` counts those that a file has been through.
"""

from roadworthy.adapters.sqlite_link import Link
from roadworthy.base.errors import StoreError

__all__ = ["MIGRATIONS", "migrate"]

_APPLICATION_ID = 0x52445754

_FIRST = (
    """CREATE TABLE vehicle (
        key TEXT PRIMARY KEY, vin TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
        revoked INTEGER NOT NULL, seen_at REAL NOT NULL, search TEXT NOT NULL,
        body BLOB NOT NULL)""",
    "CREATE INDEX vehicle_selection ON vehicle (revoked, key, type)",
    "CREATE INDEX vehicle_seen ON vehicle (revoked, seen_at)",
    """CREATE TABLE installed (
        hardware_id TEXT NOT NULL, version TEXT NOT NULL, ecus INTEGER NOT NULL,
        PRIMARY KEY (hardware_id, version)) WITHOUT ROWID""",
    "CREATE TABLE release (id TEXT PRIMARY KEY, created_at REAL NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX release_newest ON release (created_at, id)",
    """CREATE TABLE delta (
        target TEXT NOT NULL, base TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (target, base)) WITHOUT ROWID""",
    "CREATE TABLE campaign (id TEXT PRIMARY KEY, created_at REAL NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX campaign_newest ON campaign (created_at, id)",
    """CREATE TABLE member (
        campaign TEXT NOT NULL, vehicle TEXT NOT NULL, wave INTEGER NOT NULL,
        stage TEXT NOT NULL, open INTEGER NOT NULL, attention INTEGER NOT NULL,
        offer TEXT NOT NULL, code TEXT NOT NULL, search TEXT NOT NULL,
        offered_at REAL NOT NULL, heard_at REAL NOT NULL, ended_at REAL NOT NULL,
        body BLOB NOT NULL, UNIQUE (campaign, vehicle))""",
    "CREATE INDEX member_listed ON member (campaign, attention, wave, vehicle)",
    "CREATE INDEX member_waiting ON member (campaign, wave, vehicle) WHERE stage = 'waiting'",
    "CREATE INDEX member_of_vehicle ON member (vehicle, open, offered_at, campaign)",
    "CREATE INDEX member_heard ON member (campaign, heard_at) WHERE open = 1",
    "CREATE UNIQUE INDEX member_offer ON member (offer) WHERE offer != ''",
    "CREATE INDEX member_ended ON member (campaign, wave, ended_at)",
    "CREATE INDEX member_failed ON member (campaign, code, vehicle) WHERE attention = 0",
    """CREATE INDEX member_course ON member (campaign, offered_at, heard_at, ended_at, stage)
        WHERE offered_at > 0""",
    """CREATE TABLE tally (
        campaign TEXT NOT NULL, wave INTEGER NOT NULL, stage TEXT NOT NULL,
        members INTEGER NOT NULL, PRIMARY KEY (campaign, wave, stage)) WITHOUT ROWID""",
    "CREATE TABLE entry (place INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    """CREATE TABLE entry_subject (
        subject TEXT NOT NULL, place INTEGER NOT NULL,
        PRIMARY KEY (subject, place)) WITHOUT ROWID""",
    """CREATE TABLE node (
        level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL,
        PRIMARY KEY (level, place)) WITHOUT ROWID""",
    """CREATE TABLE metadata (
        repository TEXT NOT NULL, vehicle TEXT NOT NULL, name TEXT NOT NULL,
        data BLOB NOT NULL, PRIMARY KEY (repository, vehicle, name))""",
    """CREATE TABLE account (
        token_sha256 TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
        body BLOB NOT NULL)""",
    "CREATE INDEX account_named ON account (kind, name, token_sha256)",
)

# A body is a BLOB, of which the JSON functions want the text.
_LIVE_AND_TRAFFIC = (
    "ALTER TABLE campaign ADD COLUMN live INTEGER NOT NULL DEFAULT 0",
    """UPDATE campaign SET live = 1
        WHERE json_extract(CAST(body AS TEXT), '$.state') IN ('running', 'paused')""",
    "CREATE INDEX campaign_live ON campaign (created_at, id) WHERE live = 1",
    "ALTER TABLE tally ADD COLUMN received_bytes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE tally ADD COLUMN offered_bytes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE tally ADD COLUMN full_bytes INTEGER NOT NULL DEFAULT 0",
    """INSERT INTO tally (
            campaign, wave, stage, members, received_bytes, offered_bytes, full_bytes)
        SELECT campaign, wave, stage, 0,
            total(json_extract(CAST(body AS TEXT), '$.received_bytes')),
            total(json_extract(CAST(body AS TEXT), '$.delta_bytes')),
            total(json_extract(CAST(body AS TEXT), '$.full_bytes'))
        FROM member WHERE offer != '' GROUP BY campaign, wave, stage
        ON CONFLICT (campaign, wave, stage) DO UPDATE SET
            received_bytes = excluded.received_bytes, offered_bytes = excluded.offered_bytes,
            full_bytes = excluded.full_bytes""",
)

# What runs in the fleet by image instead of by version alone, and which images there are.
_RUNNING_AND_IMAGES = (
    """CREATE TABLE running (
        hardware_id TEXT NOT NULL, version TEXT NOT NULL, release_counter INTEGER NOT NULL,
        sha256 TEXT NOT NULL, vehicles INTEGER NOT NULL, ecus INTEGER NOT NULL,
        PRIMARY KEY (hardware_id, version, release_counter, sha256)) WITHOUT ROWID""",
    """INSERT INTO running
        SELECT json_extract(ecu.value, '$.hardware_id'), json_extract(ecu.value, '$.version'),
            json_extract(ecu.value, '$.release_counter'), json_extract(ecu.value, '$.sha256'),
            count(DISTINCT vehicle.key), count(*)
        FROM vehicle, json_each(CAST(vehicle.body AS TEXT), '$.ecus') AS ecu
        WHERE vehicle.revoked = 0 GROUP BY 1, 2, 3, 4""",
    "DROP TABLE installed",
    """CREATE TABLE image (
        sha256 TEXT PRIMARY KEY, length_bytes INTEGER NOT NULL) WITHOUT ROWID""",
    """INSERT OR IGNORE INTO image
        SELECT json_extract(artifact.value, '$.sha256'),
            json_extract(artifact.value, '$.length_bytes')
        FROM release, json_each(CAST(release.body AS TEXT), '$.artifacts') AS artifact""",
)

# Which slot sizes vehicles tell; none did before.
_SLOT_SIZES = (
    """CREATE TABLE slot_size (
        hardware_id TEXT NOT NULL, size_bytes INTEGER NOT NULL, vehicles INTEGER NOT NULL,
        PRIMARY KEY (hardware_id, size_bytes)) WITHOUT ROWID""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _FIRST,
    _LIVE_AND_TRAFFIC,
    _RUNNING_AND_IMAGES,
    _SLOT_SIZES,
)


def migrate(link: Link, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Bring the file to the newest schema; a file that is there already stays as it is.

    Raises:
        StoreError: the file belongs to another program or to a newer version of this one.
    """
    version = _pragma(link, "PRAGMA user_version")
    if not _is_ours(link):
        raise StoreError(
            "the file belongs to another program",
            value=str(link.path),
            todo="give the path of another file",
        )
    if version > len(migrations):
        raise StoreError(
            f"the file has schema {version}, this version knows {len(migrations)}",
            value=str(link.path),
            todo="use the newer version that wrote it",
        )
    for number, statements in enumerate(migrations[version:], start=version + 1):
        _apply(link, number, statements)


def _apply(link: Link, number: int, statements: tuple[str, ...]) -> None:
    link.command("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            link.command(statement)
        link.command(f"PRAGMA application_id = {_APPLICATION_ID}")
        link.command(f"PRAGMA user_version = {number}")
        link.command("COMMIT")
    except StoreError:
        if link.in_transaction:
            link.command("ROLLBACK")
        raise


def _is_ours(link: Link) -> bool:
    if _pragma(link, "PRAGMA application_id") == _APPLICATION_ID:
        return True
    return _pragma(link, "SELECT count(*) FROM sqlite_schema") == 0


def _pragma(link: Link, sql: str) -> int:
    link.in_work = True
    try:
        found = link.row(sql)
    finally:
        link.in_work = False
    return int(found[0]) if found else 0
