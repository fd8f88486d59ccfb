"""Samples of the fleet, release, ledger and small pages; `ALL` names every sample."""

from datetime import timedelta

from tests.cloud.web import samples
from tests.cloud.web.samples import NOW, STARTED, TYPES, key_of, vin_of

from roadworthy.cloud.web import views

NO_PAGES = views.Paging(1, 1, 0)


def overview(step: int = 78) -> views.OverviewView:
    running = samples.campaign_row(samples.campaign(step))
    paused = samples.campaign_list("paused").rows
    return views.OverviewView(
        attention=(
            views.Attention(
                "bad",
                "Telematics certificate renewal paused itself",
                "3 of 17 ended vehicles failed, above the limit of 10 %. Decide: resume or abort.",
                "/campaigns/c-7e90",
                NOW - timedelta(hours=23),
            ),
            views.Attention(
                "bad",
                f"Tampered artifact refused by {vin_of(12)}",
                "The image for gateway-01 did not have the hash of its release.",
                f"/vehicles/{key_of(12)}",
                NOW - timedelta(minutes=2),
            ),
            views.Attention(
                "warn",
                "4 vehicle certificates expire within 7 days",
                "Their agents renew by themselves when they are next online.",
                "/vehicles?state=behind",
            ),
        ),
        running=(running, *paused),
        fleet=views.FleetCounts(
            vehicles=50,
            online=48,
            current=running.confirmed,
            updating=running.in_progress,
            failed=running.failed,
            revoked=1,
            ecus=812,
        ),
        adoption=tuple(
            views.AdoptionRow(name, version, count, total, target=version == "2026.11-b")
            for name, version, count, total in (
                (TYPES[0], "2026.11-b", 9, 17),
                (TYPES[0], "2026.10-a", 8, 17),
                (TYPES[1], "2026.11-b", 10, 17),
                (TYPES[1], "2026.10-a", 7, 17),
                (TYPES[2], "2026.11-b", 8, 16),
                (TYPES[2], "2026.10-a", 8, 16),
            )
        ),
        events=samples.events(step),
    )


def vehicle_list(*, state: str = "", text: str = "") -> views.VehicleListView:
    words = ("current", "updating", "behind", "failed", "unknown")
    made = [
        views.VehicleRow(
            key=key_of(n),
            vin=vin_of(n),
            type_name=TYPES[n % 3],
            state=(word := words[min(4, (n * 7 % 23) // 5)]),
            version="" if word == "unknown" else "2026.11-b" if word == "current" else "2026.10-a",
            ecu_count=(30, 12, 6)[n % 3],
            certificate="revoked" if n == 12 else "expiring" if n % 13 == 5 else "valid",
            online=word != "unknown" and n % 11 != 3,
            last_seen=None
            if word == "unknown"
            else NOW - timedelta(seconds=3 + (n % 11 == 3) * 5000),
            problem="brake-esp-01 rejected the transfer" if word == "failed" else "",
        )
        for n in range(50)
    ]
    shown = [r for r in made if (not state or r.state == state) and text.upper() in r.vin]
    return views.VehicleListView(
        rows=tuple(shown[:20]),
        counts=tuple((word, sum(row.state == word for row in made)) for word in words),
        paging=views.Paging(1, max(1, -(-len(shown) // 20)), len(shown)),
        state=state,
        text=text,
    )


def vehicle() -> views.VehicleView:
    units = (
        ("gateway-01", "GW-S32G-B", "connectivity", 0x1010, "A", "failed", 8 << 20),
        ("tcu-01", "TCU-9160", "connectivity", 0x1020, "B", "current", 64 << 20),
        ("brake-esp-01", "ESP-TC39-C", "safety", 0x1101, "A", "installing", 2_000_000),
        ("steer-eps-01", "EPS-TC37-A", "safety", 0x1102, "B", "current", 2_000_000),
        ("body-bcm-01", "BCM-RH850", "body", 0x1201, "A", "behind", 768 << 10),
        ("hmi-head-01", "HU-8155", "infotainment", 0x1301, "A", "downloading", (1 << 32) - 1),
        ("door-fl-01", "DCU-S12", "body", 0x1211, "", "current", None),
    )
    ecus = tuple(
        views.EcuRow(
            serial=serial,
            hardware_id=hardware,
            domain=domain,
            address=address,
            slot=slot,
            version="4.2.1" if state == "current" else "4.1.9",
            target_version="4.2.1",
            state=state,
            sha256=samples._hex(serial),
            percent={"installing": 62, "downloading": 18}.get(state, 0),
            reason="image refused: hash does not match" if state == "failed" else "",
            slot_size_bytes=slot_size_bytes,
        )
        for serial, hardware, domain, address, slot, state, slot_size_bytes in units
    )
    return views.VehicleView(
        vin=vin_of(12),
        key=key_of(12),
        type_name=TYPES[0],
        state="updating",
        version="2026.10-a",
        online=True,
        last_seen=NOW - timedelta(seconds=2),
        certificate="valid",
        certificate_expires=NOW + timedelta(days=83),
        ecus=ecus,
        installations=(
            views.InstallationRow(
                "c-7f21",
                "Winter brake and gateway update",
                "r-2026-11-b",
                "2026.11-b",
                2,
                "verified",
                STARTED + timedelta(seconds=130),
                47,
                1_204_000,
            ),
            views.InstallationRow(
                "c-7f21",
                "Winter brake and gateway update",
                "r-2026-11-b",
                "2026.11-b",
                1,
                "failed",
                STARTED + timedelta(seconds=95),
                21,
                1_204_000,
                "artifact-tampered",
                "The image did not have the hash of its release",
            ),
            views.InstallationRow(
                "c-7a11",
                "Baseline autumn",
                "r-2026-10-a",
                "2026.10-a",
                1,
                "confirmed",
                NOW - timedelta(days=19),
                83,
                2_904_000,
            ),
        ),
        problems=(
            views.TrustProblem(
                NOW - timedelta(minutes=2),
                "artifact-tampered",
                "Tampered artifact refused: the hash is not the one in the release",
                "gateway-01",
                66,
            ),
        ),
        events=samples.events(40),
    )


def release() -> views.ReleaseView:
    images = (
        ("greatfet-usb.bin", "GW-S32G-B", "4.2.1", 131_072, "BSD-3-Clause"),
        ("tf-a-bl31.bin", "HU-8155", "2.12.0", 412_860, "BSD-3-Clause"),
        ("opensbi-fw.bin", "TCU-9160", "1.5.1", 268_288, "BSD-2-Clause"),
        ("calibration.bin", "ESP-TC39-C", "7", 16_384, ""),
    )
    deployed = overview().adoption
    return views.ReleaseView(
        id="r-2026-11-b",
        name="2026.11-b",
        state="deployed",
        notes="Shorter braking on ice; the gateway keeps time without a network.",
        created=NOW - timedelta(hours=3),
        created_by="jonas.weber",
        threshold=2,
        artifacts=tuple(
            views.ArtifactRow(
                name=name,
                hardware_id=hardware,
                version=version,
                sha256=samples._hex(name),
                full_bytes=full,
                licence=licence,
            )
            for name, hardware, version, full, licence in images
        ),
        signatures=tuple(
            views.SignatureRow(
                role,
                samples._hex(signer),
                signer,
                valid,
                NOW - timedelta(hours=2),
                NOW + timedelta(days=90),
            )
            for role, signer, valid in (
                ("targets", "release key Gothenburg", True),
                ("targets", "release key Munich", True),
                ("targets", "retired key 2024", False),
            )
        ),
        campaigns=(samples.campaign_row(samples.campaign()),),
        deployed=tuple(row for row in deployed if row.target),
        routes=tuple(
            views.RouteRow(
                hardware_id="GWAY-IMX8-B",
                base_version=version,
                base_sha256=samples._hex(version),
                version="4.3.0",
                vehicles=vehicles,
                full_bytes=273_472,
                sent_bytes=sent_bytes,
                state=state,
            )
            for version, vehicles, sent_bytes, state in (
                ("4.2.1", 12_045, 54_003, "ready"),
                ("4.2.0", 311, None, "missing"),
                ("4.0.7", 25, 273_472, "full"),
                ("4.2.1-ws", 3, 273_472, "base-unknown"),
                ("3.9.0", 1, 273_472, "left-out"),
            )
        ),
        routes_more=7,
        saving=samples.saving(650_466_135, 3_302_000_000),
    )


def release_list() -> views.ReleaseListView:
    made = (
        ("r-2026-12-a", "2026.12-a", "draft", 3, 1, 0, None),
        ("r-2026-11-b", "2026.11-b", "deployed", 4, 2, 27, 71_000),
        ("r-2026-11-a", "2026.11-a", "deployed", 1, 2, 14, 12_400),
        ("r-2026-10-c", "2026.10-c", "withdrawn", 2, 2, 0, 201_000),
    )
    return views.ReleaseListView(
        rows=tuple(
            views.ReleaseRow(
                id=release_id,
                name=name,
                state=state,
                artifacts=artifacts,
                types=TYPES[:artifacts],
                full_bytes=828_604,
                delta_bytes=delta,
                signed=signed,
                threshold=2,
                deployed=deployed,
                created=NOW - timedelta(days=n * 9, hours=3),
            )
            for n, (release_id, name, state, artifacts, signed, deployed, delta) in enumerate(made)
        ),
        paging=views.Paging(1, 1, len(made)),
    )


def ledger() -> views.LedgerView:
    kinds = (
        ("result", "vehicle agent", "Installation failed: artifact-tampered on gateway-01"),
        ("offer", "director", "Release 2026.11-b offered, 4 artifacts"),
        ("wave", "campaign engine", "Wave 2 passed its gate: 1 of 10 failed"),
        ("campaign", "mira.lindqvist", "Campaign started: 50 vehicles in 3 waves"),
        ("release", "jonas.weber", "Release 2026.11-b signed by 2 of 2 keys"),
    )
    return views.LedgerView(
        size=67,
        root_hash=samples._hex("root"),
        head_at=NOW - timedelta(seconds=4),
        rows=tuple(
            views.LedgerRow(
                index=66 - n,
                at=NOW - timedelta(seconds=7 * n),
                kind=kinds[n % 5][0],
                actor=kinds[n % 5][1],
                subject=key_of(n) if n % 5 < 2 else "c-7f21",
                text=kinds[n % 5][2],
                leaf_hash=samples._hex(f"leaf {n}"),
                proof=n > 0,
            )
            for n in range(20)
        ),
        paging=views.Paging(1, 4, 67),
    )


EMPTY_OVERVIEW = views.OverviewView((), (), views.FleetCounts(0, 0, 0, 0, 0, 0, 0), (), ())
EMPTY_VEHICLE = views.VehicleView(
    vin=vin_of(1),
    key=key_of(1),
    type_name=TYPES[1],
    state="unknown",
    version="",
    online=False,
    last_seen=None,
    certificate="valid",
    certificate_expires=None,
    ecus=(),
    installations=(),
    problems=(),
)
EMPTY_RELEASE = views.ReleaseView(
    "r-1", "empty", "draft", "", None, "jonas.weber", 2, (), (), (), ()
)
PROBLEM = views.ProblemView(
    404,
    "Not found",
    "there is no campaign with this id",
    "campaign",
    "choose one from the list",
    "not-found",
    "req-19af",
)

ALL: dict[str, views.View] = {
    "overview": overview(),
    "campaigns": samples.campaign_list(),
    "campaign": samples.campaign(),
    "campaign-paused": samples.campaign(state="paused"),
    "campaign-finished": samples.campaign(samples.STEPS, state="finished"),
    "campaign-draft": samples.campaign(0, state="draft"),
    "vehicles": vehicle_list(),
    "vehicle": vehicle(),
    "releases": release_list(),
    "release": release(),
    "ledger": ledger(),
    "sign-in": views.SignInView(token=samples.FORM_VALUE, return_to="/campaigns"),
    "problem": PROBLEM,
}
EMPTY: dict[str, views.View] = {
    "overview": EMPTY_OVERVIEW,
    "campaigns": views.CampaignListView((), (), NO_PAGES),
    "campaigns-filtered": views.CampaignListView((), (("paused", 0),), NO_PAGES, "paused"),
    "campaign": samples.EMPTY_CAMPAIGN,
    "vehicles": views.VehicleListView((), (), NO_PAGES),
    "vehicles-filtered": views.VehicleListView((), (), NO_PAGES, "failed", "ZZ"),
    "vehicle": EMPTY_VEHICLE,
    "releases": views.ReleaseListView((), NO_PAGES),
    "release": EMPTY_RELEASE,
    "ledger": views.LedgerView(0, "", (), NO_PAGES),
    "sign-in": views.SignInView(problem="This token was used before or has expired."),
    "problem": views.ProblemView(500, "Internal error", "something broke"),
}
