"""One realistic, seeded sample of every view, and the empty ones; used by tests and screenshots.

`campaign(step)` is a rollout at a moment: 0 before the first report, `STEPS` at its end. The
same step always gives the same view.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from roadworthy.base.clock import SeededChance
from roadworthy.cloud.web import views

NOW = datetime(2026, 11, 23, 14, 6, 40, tzinfo=UTC)
STARTED = NOW - timedelta(minutes=4, seconds=10)
STEPS = 120
PAGE_SIZE = 15
FORM_VALUE = "c0ffee"
FRAME = views.Frame(
    now=NOW, operator="mira.lindqvist", environment="Demo", csrf_token=FORM_VALUE, attention=3
)
TYPES = ("Heavy truck HT-6", "Car C-4", "Small car S-2")
REASONS = {
    "uds-7f-36-72": (
        "The ECU rejected the transfer: general programming failure",
        "brake-esp-01",
    ),
    "link-lost": ("The connection was lost and did not come back in time", ""),
    "power-cut": ("The vehicle lost power while flashing; it runs the old slot", "tcu-01"),
}
FAILURES = {7: "uds-7f-36-72", 23: "link-lost", 31: "power-cut", 38: "uds-7f-36-72"}
SILENT = (44,)
ENDED = ("confirmed", "failed", "silent", "withdrawn")


def _hex(seed: object, size_bytes: int = 32) -> str:
    return SeededChance(f"sample {seed}").token(size_bytes)


def key_of(number: int) -> str:
    return "v" + _hex(f"key {number}", 8)


def vin_of(number: int) -> str:
    digits = SeededChance(f"vin {number}").random
    tail = "".join(digits.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") for _ in range(5))
    return f"{('WRTHT6', 'WRTC4C', 'WRTS2S')[number % 3]}{tail}{number:06d}"


def _row(number: int, step: int, total: int) -> views.VehicleTableRow:
    wave = 1 if number < 2 else 2 if number < 12 else 3
    chance = SeededChance(f"vehicle {number}").random
    begin = (0, 14, 44)[wave - 1] + (number * 53 % total) * 0.8 * (wave - 1) / 2
    need = 14 + chance.random() * 16
    share = min(1.0, max(0.0, (step - begin) / need))
    reached = max(int(share * (len(views.STAGES) - 1)), int(share > 0))
    stage = views.STAGES[reached]
    code, ecu = "", ""
    if number in FAILURES and share >= 0.7:
        stage, code = "failed", FAILURES[number]
        share, ecu = 0.7, REASONS[code][1]
    elif number in SILENT and share >= 0.5:
        stage, share = "silent", 0.5
        code = "no-report"
    elif 0 < share < 1:
        ecu = chance.choice(("gateway-01", "brake-esp-01", "tcu-01", "hmi-head-01"))
    reason = REASONS[code][0] if code in REASONS else "No report before the deadline"
    full = (48_311_240, 12_044_800, 6_104_332)[number % 3]
    return views.VehicleTableRow(
        key=key_of(number),
        vin=vin_of(number),
        type_name=TYPES[number % 3],
        wave=wave,
        stage=stage,
        percent=round(share * 100),
        ecu=ecu,
        attempts=0 if not share else 2 if number % 9 == 5 else 1,
        delta_bytes=round(full * (0.021 + 0.03 * chance.random())) if share else None,
        full_bytes=full if share else None,
        code=code,
        reason=reason if code else "",
        duration_s=None if not share else need * 2.1 if stage in ENDED else (step - begin) * 2.1,
    )


def rows(step: int, total: int = 50) -> list[views.VehicleTableRow]:
    order = {stage: n for n, stage in enumerate(("failed", "silent"))}
    made = [_row(number, step, total) for number in range(total)]
    return sorted(made, key=lambda row: (order.get(row.stage, 2), row.wave, row.vin))


def table(
    step: int, *, stage: str = "", text: str = "", page: int = 1, campaign_id: str = "c-7f21"
) -> views.VehicleTableView:
    everything = rows(step)
    wanted = text.lower()
    found = [
        row
        for row in everything
        if (not stage or row.stage == stage)
        and wanted in f"{row.vin} {row.ecu} {row.code} {row.key}".lower()
    ]
    page_count = max(1, -(-len(found) // PAGE_SIZE))
    page = min(max(page, 1), page_count)
    return views.VehicleTableView(
        campaign_id=campaign_id,
        rows=tuple(found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]),
        paging=views.Paging(page=page, page_count=page_count, total=len(found)),
        counts=tuple(
            (name, sum(row.stage == name for row in everything))
            for name in (*views.STAGES, "failed", "silent")
        ),
        stage=stage,
        text=text,
    )


def _funnel(found: list[views.VehicleTableRow]) -> tuple[views.FunnelStage, ...]:
    depth = {name: n for n, name in enumerate(views.STAGES)} | {"failed": 3, "silent": 1}
    return tuple(
        views.FunnelStage(name, sum(depth[row.stage] >= n for row in found))
        for n, name in enumerate(views.STAGES)
    )


def _count(found: list[views.VehicleTableRow], *stages: str) -> int:
    return sum(row.stage in stages for row in found)


def _waves(found: list[views.VehicleTableRow]) -> tuple[views.WaveRow, ...]:
    made: list[views.WaveRow] = []
    for number, name in ((1, "Canary"), (2, "Early 20 %"), (3, "Everyone else")):
        part = [row for row in found if row.wave == number]
        done, bad = _count(part, "confirmed"), _count(part, "failed", "silent")
        begun = any(row.percent for row in part)
        passed = done + bad == len(part)
        state = "passed" if passed else "running" if begun else "waiting"
        verdict = {
            "passed": f"Good enough: {bad} of {len(part)} failed, limit is 15 %",
            "running": f"Waiting for {len(part) - done - bad} more vehicles to end",
            "waiting": "Starts when the gate before it passes",
        }[state]
        made.append(
            views.WaveRow(
                number=number,
                name=name,
                size=len(part),
                state=state,
                gate="at most 15 % failed or silent, after at least 2 ended, soak 10 s",
                verdict=verdict,
                confirmed=done,
                failed=_count(part, "failed"),
                silent=_count(part, "silent"),
                in_progress=sum(0 < row.percent < 100 and not row.code for row in part),
                started=STARTED + timedelta(seconds=(0, 29, 92)[number - 1]) if begun else None,
                ended=STARTED + timedelta(seconds=(31, 90, 250)[number - 1]) if passed else None,
            )
        )
    return tuple(made)


def _failures(found: list[views.VehicleTableRow]) -> tuple[views.FailureReason, ...]:
    codes = sorted({row.code for row in found if row.code})
    made = [
        views.FailureReason(
            code=code,
            text=next(row.reason for row in found if row.code == code),
            count=sum(row.code == code for row in found),
            examples=tuple(views.VehicleRef(r.key, r.vin) for r in found if r.code == code)[:3],
        )
        for code in codes
    ]
    return tuple(sorted(made, key=lambda reason: (-reason.count, reason.code)))


def _burn(step: int) -> tuple[views.BurnSample, ...]:
    samples = []
    for moment in range(0, step + 1, 2):
        found = rows(moment)
        ended = _count(found, "confirmed"), _count(found, "failed", "silent")
        moving = sum(0 < row.percent < 100 and not row.code for row in found)
        samples.append(views.BurnSample(moment * 2.1, *ended, moving))
    return tuple(samples)


def events(step: int) -> tuple[views.EventRow, ...]:
    told = (
        (0, "mira.lindqvist", "Started the campaign", "busy", 41),
        (1, "campaign engine", "Wave 1 Canary: offered to 2 vehicles", "neutral", 42),
        (18, "campaign engine", "Wave 1 passed its gate: 0 of 2 failed", "ok", 45),
        (19, "campaign engine", "Wave 2 Early 20 %: offered to 10 vehicles", "neutral", 46),
        (37, vin_of(7), "brake-esp-01 rejected the transfer (uds-7f-36-72)", "bad", 53),
        (50, "campaign engine", "Wave 2 passed its gate: 1 of 10 failed", "ok", 58),
        (51, "campaign engine", "Wave 3 Everyone else: offered to 38 vehicles", "neutral", 59),
        (74, vin_of(31), "lost power while flashing tcu-01; runs slot A", "bad", 71),
    )
    made = [
        views.EventRow(STARTED + timedelta(seconds=at * 2.1), actor, text, tone, entry)
        for at, actor, text, tone, entry in told
        if at <= step
    ]
    return tuple(reversed(made))


def campaign(
    step: int = 78, *, state: str = "running", vehicles: views.VehicleTableView | None = None
) -> views.CampaignView:
    found = rows(step)
    states: dict[str, tuple[str, tuple[str, ...]]] = {
        "draft": ("Waiting for its start", ("start", "abort")),
        "running": ("Wave 3 is out; its gate waits for the vehicles", ("pause", "abort")),
        "paused": ("Paused by hand: looking at the ESP rejections", ("resume", "abort")),
        "finished": ("Every vehicle has ended", ()),
        "aborted": ("Aborted: the ESP image is faulty", ()),
    }
    reason, actions = states[state]
    sent = [row for row in found if row.delta_bytes and row.full_bytes]
    return views.CampaignView(
        id="c-7f21",
        name="Winter brake and gateway update",
        release_id="r-2026-11-b",
        release_name="2026.11-b",
        state=state,
        reason=reason,
        changed_by="mira.lindqvist",
        changed=STARTED,
        created_by="jonas.weber",
        started=None if state == "draft" else STARTED,
        ended=NOW if state in ("finished", "aborted") else None,
        total=len(found),
        funnel=_funnel(found),
        failed=_count(found, "failed"),
        silent=_count(found, "silent"),
        withdrawn=0,
        failure_share_max=0.15,
        burn=_burn(step),
        waves=_waves(found),
        failures=_failures(found),
        vehicles=vehicles or table(step),
        events=events(step),
        actions=actions,
        sent_bytes=sum(row.delta_bytes or 0 for row in sent) or None,
        saving=saving(sum(row.delta_bytes or 0 for row in sent), 47_000_000) if sent else None,
    )


def saving(sent_bytes: int, full_bytes: int) -> views.SavingFigure:
    return views.SavingFigure(sent_bytes, full_bytes, "1204.50 EUR", "0.50 EUR per MB")


def campaign_row(view: views.CampaignView, wave: int = 3) -> views.CampaignRow:
    return views.CampaignRow(
        id=view.id,
        name=view.name,
        release_id=view.release_id,
        release_name=view.release_name,
        state=view.state,
        reason=view.reason,
        wave=wave,
        wave_count=3,
        total=view.total,
        confirmed=view.confirmed,
        failed=view.failed,
        silent=view.silent,
        in_progress=view.in_progress,
        failure_share_max=view.failure_share_max,
        created_by=view.created_by,
        started=view.started,
        ended=view.ended,
        trend=tuple(sample.confirmed for sample in view.burn),
    )


def _other_campaigns() -> tuple[views.CampaignRow, ...]:
    base = campaign_row(campaign())
    day = timedelta(days=1)
    made = (
        ("c-7e90", "Telematics certificate renewal", "2026.11-a", "paused", 14, 3, 0),
        ("c-7d02", "Head unit map engine", "2026.10-c", "finished", 17, 0, 0),
        ("c-7c55", "Gateway time base fix", "2026.10-b", "aborted", 3, 2, 1),
        ("c-7a11", "Baseline autumn", "2026.10-a", "finished", 49, 1, 0),
    )
    reasons = {
        "paused": "3 of 17 ended vehicles failed, limit is 10 %",
        "finished": "",
        "aborted": "Aborted: wrong hardware id in the release",
    }
    return tuple(
        views.CampaignRow(
            id=name_id,
            name=name,
            release_id="r-" + release.replace(".", "-"),
            release_name=release,
            state=state,
            reason=reasons[state],
            wave=2 if state != "finished" else 3,
            wave_count=3,
            total=max(20, confirmed + failed + silent),
            confirmed=confirmed,
            failed=failed,
            silent=silent,
            in_progress=2 if state == "paused" else 0,
            failure_share_max=0.1,
            created_by=base.created_by,
            started=NOW - day * (n * 6 + 1),
            ended=None if state == "paused" else NOW - day * (n * 6 + 1) + timedelta(minutes=18),
            trend=tuple(min(confirmed, step) for step in range(20)),
        )
        for n, (name_id, name, release, state, confirmed, failed, silent) in enumerate(made)
    )


def campaign_list(state: str = "") -> views.CampaignListView:
    found = (campaign_row(campaign()), *_other_campaigns())
    shown = tuple(row for row in found if not state or row.state == state)
    states = ("running", "paused", "finished", "aborted")
    return views.CampaignListView(
        rows=shown,
        counts=tuple((name, sum(row.state == name for row in found)) for name in states),
        paging=views.Paging(1, 1, len(shown)),
        state=state,
    )


EMPTY_CAMPAIGN = views.CampaignView(
    id="c-0001",
    name="First campaign",
    release_id="r-1",
    release_name="2026.11-b",
    state="draft",
    reason="",
    changed_by="",
    changed=None,
    created_by="jonas.weber",
    started=None,
    ended=None,
    total=0,
    funnel=(),
    failed=0,
    silent=0,
    withdrawn=0,
    failure_share_max=0.15,
    burn=(),
    waves=(),
    failures=(),
    vehicles=views.VehicleTableView("c-0001", (), views.Paging(1, 1, 0), ()),
    events=(),
    actions=("start",),
)
Sample = Callable[[], views.View]
