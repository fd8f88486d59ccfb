"""A user's day: keys, server, release, campaign, vehicle, tokens, ledger; then lights out."""

import asyncio
import json
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli, Server, children, program, read_line, start_server

from roadworthy.base.clock import SystemClock
from roadworthy.base.encoding import sha256_hex
from roadworthy.vehicle.config import load_config, load_identity

_TRIES = 300
MANIFEST = """
id = "{id}"
name = "Spring 2026"
version = "4.2"
[[artifact]]
file = "brake.bin"
name = "brake-{id}.bin"
hardware_id = "brake-b2"
version = "4.2"
release_counter = 42
"""
PLAN = """
id = "{id}"
name = "Spring 2026"
release = "{release}"
vehicle_types = ["{kind}"]
[gate]
failure_share_max = {share}
soak_s = {soak_s}
[[wave]]
name = "canary"
size = 1
[[wave]]
name = "rest"
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def drafted(user: Cli, folder: Path, release_id: str) -> dict[str, Any]:
    (folder / "brake.bin").write_bytes(release_id.encode() * 100)
    manifest = written(folder / "release.toml", MANIFEST.format(id=release_id))
    made: dict[str, Any] = user.ok("release", "create", manifest)
    return made


def signed(user: Cli, server: Server, folder: Path, release_id: str) -> dict[str, Any]:
    drafted(user, folder, release_id)
    pems = [server.offline / f"targets-{number}.pem" for number in (1, 2)]
    made: dict[str, Any] = user.ok(
        "release", "sign", release_id, "--key", pems[0], "--key", pems[1]
    )
    return made


def enrolled(user: Cli, folder: Path, number: int, kind: str = "car") -> dict[str, Any]:
    vin = f"RWT{int(sha256_hex(kind.encode()), 16) % 10**10:010d}{number:04d}"
    made: dict[str, Any] = user.ok(
        *("vehicle", "enroll", folder, "--vin", vin, "--type", kind),
        *("--ecu", "0x0010:safety", "--ecu", "0x0011:body:single", "--host", "localhost"),
    )
    return made


def test_the_token_of_this_machine_is_its_owners_alone(server: Server) -> None:
    path = Path(server.ready["token_file"])
    assert path == server.folder / "operator.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert server.ready["sign_in"].startswith(server.ready["operator"] + "/sign-in?token=rw_")


def test_a_release_is_drafted_signed_and_listed(user: Cli, server: Server, tmp_path: Path) -> None:
    assert drafted(user, tmp_path, "direct")["state"] == "draft"
    first = server.offline / "targets-1.pem"
    assert user.ok("release", "sign", "direct", "--key", first)["state"] == "draft"
    second = user("release", "sign", "direct", "--key", server.offline / "targets-2.pem")
    assert second.exit_code == 0
    assert "brake-direct.bin" in second.stderr
    assert "in force" in second.stderr
    assert user.ok("release", "show", "direct")["state"] == "signed"
    assert "direct" in [item["id"] for item in user.ok("release", "list")]
    assert "brake-b2" in user("release", "show", "direct").stdout
    again = user("release", "sign", "direct", "--key", first)
    assert again.exit_code == 5


def test_a_release_is_signed_on_a_machine_without_a_network(
    cli: Cli, user: Cli, server: Server, tmp_path: Path
) -> None:
    drafted(user, tmp_path, "apart")
    payload, signature = tmp_path / "payload", tmp_path / "signature.json"
    assert user("release", "payload", "apart", "-o", payload).exit_code == 0
    pems = [server.offline / f"targets-{number}.pem" for number in (1, 2)]
    command = ("release", "sign-payload", payload, "--key", pems[0], "--key", pems[1])
    offline = cli(*command, "-o", signature)
    assert offline.exit_code == 0
    assert "brake-apart.bin" in offline.stderr
    assert user.ok("release", "add-signature", "apart", signature)["state"] == "signed"


def test_a_wrong_signature_is_status_7(user: Cli, server: Server, tmp_path: Path) -> None:
    drafted(user, tmp_path, "forged")
    foreign = user("release", "sign", "forged", "--key", server.offline / "root-1.pem")
    assert foreign.exit_code == 7
    broken = {"payload_sha256": "", "signatures": [{"keyid": "00", "sig": "00"}]}
    file = written(tmp_path / "signature.json", json.dumps(broken))
    assert user("release", "add-signature", "forged", file).exit_code == 7
    assert user("release", "add-signature", "forged", tmp_path / "release.toml").exit_code == 2
    assert user.ok("release", "show", "forged")["signed_by"] == []


def running(
    user: Cli, server: Server, folder: Path, name: str, *, share: float, soak_s: int
) -> dict[str, Any]:
    """Start a campaign to two vehicles that fail at once, because they have reported nothing."""
    signed(user, server, folder, name)
    for number in (1, 2):
        enrolled(user, folder / f"vehicle{number}", number, name)
    text = PLAN.format(id=name, release=name, kind=name, share=share, soak_s=soak_s)
    assert user.ok("campaign", "create", written(folder / "plan.toml", text))["state"] == "draft"
    result = user("campaign", "start", name, "--output", "json")
    for _ in range(_TRIES):
        if "deltas still being made" not in result.stderr:
            break
        asyncio.run(SystemClock().sleep(0.2))
        result = user("campaign", "start", name, "--output", "json")
    assert result.exit_code == 0, result.output
    started: dict[str, Any] = json.loads(result.stdout)
    return started


def test_a_campaign_is_started_paused_resumed_and_aborted(
    user: Cli, server: Server, tmp_path: Path
) -> None:
    started = running(user, server, tmp_path, "steered", share=1, soak_s=3600)
    assert started["state"] == "running"
    assert [wave["size"] for wave in started["waves"]] == [1, 1]
    assert user("campaign", "start", "steered").exit_code == 5
    paused = user.ok("campaign", "pause", "steered", "--reason", "lunch")
    assert (paused["state"], paused["reason"]) == ("paused", "lunch")
    assert user.ok("campaign", "resume", "steered")["state"] == "running"
    assert len(user.ok("campaign", "vehicles", "steered")) == 2
    assert "canary" in user("campaign", "show", "steered").stdout
    assert "steered" in user("campaign", "list").stdout
    assert user("campaign", "abort", "steered", "--reason", "enough").exit_code == 0
    watched = user("campaign", "watch", "steered")
    last = json.loads(watched.stdout.splitlines()[-1])
    assert (last["state"], last["reason"]) == ("aborted", "enough")
    assert watched.exit_code == 1


def test_watching_ends_with_8_when_a_gate_pauses(user: Cli, server: Server, tmp_path: Path) -> None:
    running(user, server, tmp_path, "held", share=0.1, soak_s=0)
    watched = user("campaign", "watch", "held")
    assert watched.exit_code == 8
    last = json.loads(watched.stdout.splitlines()[-1])
    assert (last["state"], last["changed_by"]) == ("paused", "gate")
    table = user("campaign", "vehicles", "held", "--stage", "failed").stdout
    assert "no-inventory" in table


def test_watching_ends_with_0_when_the_campaign_finished(
    user: Cli, server: Server, tmp_path: Path
) -> None:
    running(user, server, tmp_path, "through", share=1, soak_s=0)
    watched = user("campaign", "watch", "through", "--until-ended")
    assert watched.exit_code == 0
    assert json.loads(watched.stdout.splitlines()[-1])["state"] == "finished"


def test_ctrl_c_ends_watching_with_130(user: Cli, server: Server, tmp_path: Path) -> None:
    running(user, server, tmp_path, "long", share=1, soak_s=3600)
    with program(*server.options, "campaign", "watch", "long") as process:
        assert '"state":"running"' in read_line(process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors


def test_an_enrolled_vehicle_has_all_that_its_agent_needs(user: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "car"
    made = enrolled(user, folder, 77)
    config = load_config(Path(made["config"]))
    assert load_identity(config).vehicle == made["vehicle"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert user.ok("vehicle", "show", made["vehicle"])["vin"].endswith("0077")
    again = ("vehicle", "enroll", folder, "--vin", "RWT00000000000078", "--type", "car")
    assert user(*again).exit_code == 5
    assert made["vehicle"] in [item["key"] for item in user.ok("vehicle", "list")]
    found = user.ok("vehicle", "list", "--text", made["vehicle"])
    assert [item["key"] for item in found] == [made["vehicle"]]
    assert made["vehicle"] in user("vehicle", "list").stdout


def test_a_refused_enrolment_can_be_tried_again_with_the_same_keys(
    cli: Cli, user: Cli, server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "car"
    command = ("vehicle", "enroll", folder, "--vin", "RWT00000000000088", "--type", "car")
    refused = cli("--server", server.ready["operator"], "--token", "rw_00", *command)
    assert refused.exit_code == 3
    before = (folder / "vehicle.key").read_bytes()
    assert user(*command).exit_code == 0
    assert (folder / "vehicle.key").read_bytes() == before


def test_a_revoked_vehicle_says_so(user: Cli, tmp_path: Path) -> None:
    made = enrolled(user, tmp_path / "car", 99)
    revoked = user.ok("vehicle", "revoke", made["vehicle"], "--reason", "stolen")
    assert revoked["revoked_at"]
    assert "revoked" in user("vehicle", "show", made["vehicle"]).stdout


def test_a_token_does_what_its_scopes_say_until_it_is_revoked(
    cli: Cli, user: Cli, server: Server, tmp_path: Path
) -> None:
    made = user.ok("token", "create", "reader", "--scope", "read", "--days", "1")
    asks = ("--server", server.ready["operator"], "--token", made["token"])
    assert cli(*asks, "release", "list").exit_code == 0
    manifest = written(tmp_path / "release.toml", MANIFEST.format(id="denied"))
    (tmp_path / "brake.bin").write_bytes(b"denied")
    assert cli(*asks, "release", "create", manifest).exit_code == 3
    (found,) = [item for item in user.ok("token", "list") if item["name"] == "reader"]
    assert "reader" in user("token", "list").stdout
    assert user("token", "revoke", found["id"][:12]).exit_code == 0
    assert cli(*asks, "release", "list").exit_code == 3
    assert user("token", "revoke", found["id"]).exit_code == 4


def test_a_token_is_revoked_by_itself_too(user: Cli) -> None:
    text = user("token", "create", "leaked").stdout.strip()
    assert user("token", "revoke", text).exit_code == 0
    assert "leaked" not in [item["name"] for item in user.ok("token", "list")]


def test_a_decision_is_proved_with_the_ceremonys_key(
    cli: Cli, user: Cli, server: Server, tmp_path: Path
) -> None:
    drafted(user, tmp_path, "proven")
    (entry,) = user.ok("ledger", "list", "--subject", "release/proven")
    proof = tmp_path / "proof.json"
    assert user("ledger", "proof", str(entry["index"]), "-o", proof).exit_code == 0
    key = server.folder / "keys" / "ledger.pub.json"
    told = cli.ok("ledger", "verify", proof, "--key", key)
    assert told["entry"]["type"] == "release-drafted"
    proof.write_bytes(proof.read_bytes().replace(b"proven", b"broken"))
    assert cli("ledger", "verify", proof, "--key", key).exit_code == 7
    assert user("ledger", "key", "-o", "-").stdout_bytes == key.read_bytes()
    assert len(user.ok("ledger", "list", "--limit", "1")) == 1
    assert user("ledger", "list").exit_code == 0


def test_a_sign_in_link_leads_to_the_server(user: Cli, server: Server) -> None:
    link = user("keys", "sign-in").stdout.strip()
    assert link.startswith(server.ready["operator"] + "/sign-in?token=rw_")


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (4, ("release", "show", "none")),
        (4, ("campaign", "show", "none")),
        (4, ("campaign", "watch", "none")),
        (4, ("campaign", "vehicles", "none")),
        (4, ("vehicle", "show", "v0123456789abcdef")),
        (4, ("ledger", "proof", "999999", "-o", "-")),
        (4, ("release", "show", "a/../b")),
        (2, ("release", "show", "")),
        (2, ("release", "show", "..")),
        (2, ("vehicle", "show", "x")),
    ],
)
def test_unknown_and_impossible_names_have_their_status(
    user: Cli, status: int, arguments: tuple[str, ...]
) -> None:
    result = user(*arguments)
    assert result.exit_code == status, result.output
    assert result.stdout == ""


@pytest.mark.parametrize(
    "text", ["", "id = 1", MANIFEST.replace("file", "fail"), "id = [", MANIFEST + "x = 1"]
)
def test_a_manifest_that_is_not_right_is_status_2(user: Cli, tmp_path: Path, text: str) -> None:
    result = user("release", "create", written(tmp_path / "release.toml", text))
    assert result.exit_code == 2


def test_an_image_that_is_not_there_is_status_2(user: Cli, tmp_path: Path) -> None:
    manifest = written(tmp_path / "release.toml", MANIFEST.format(id="gone"))
    result = user("release", "create", manifest)
    assert result.exit_code == 2
    assert "brake.bin" in result.stderr


def test_a_wrong_token_is_status_3(cli: Cli, server: Server) -> None:
    asks = ("--server", server.ready["operator"], "--token", "rw_" + "0" * 64)
    assert cli(*asks, "campaign", "list").exit_code == 3


def test_a_server_ends_with_status_0_and_takes_its_broker_along(cli: Cli, tmp_path: Path) -> None:
    folder, offline = tmp_path / "server", tmp_path / "offline"
    cli.ok("keys", "init", folder, "--offline", offline)
    first = start_server(folder, offline, tmp_path / "first.log")
    token = Path(first.ready["token_file"]).read_text().strip()
    brokers = children(first.process.pid)
    assert len(brokers) == 1
    assert first.stop() == 0
    assert not any(Path(f"/proc/{number}").exists() for number in brokers)
    assert first.said == ""
    gone = cli(*first.options, "campaign", "list")
    assert gone.exit_code == 6
    second = start_server(folder, offline, tmp_path / "second.log")
    asks = ("--server", second.ready["operator"])
    assert cli(*second.options, "campaign", "list").exit_code == 0
    assert cli(*asks, "--token", token, "campaign", "list").exit_code == 3
    assert second.stop() == 0
