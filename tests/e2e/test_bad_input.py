"""Bad input over real connections: a typed error, a line on the page, an entry in the ledger."""

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from tests.e2e.conftest import World
from tests.e2e.handheld import HandVehicle, Link, enrol, new_key, write_tls
from tests.e2e.processes import LIMIT_S, until
from tests.e2e.world import add_release, entries, finish, members, open_campaign, run_async

from roadworthy.adapters.https_client import HttpsCloud
from roadworthy.base.clock import SystemClock
from roadworthy.base.errors import AccessError, ConflictError, LinkError, NotFoundError, TrustError
from roadworthy.base.ids import HardwareId, VehicleKey
from roadworthy.cloud.enrolment import CERTIFICATE_LIFE, CLOCK_SKEW
from roadworthy.sim.demo_job import NEW_RELEASE
from roadworthy.sim.vehicle_types import Image, factory_release, new_release
from roadworthy.trust import certificates
from roadworthy.trust.envelope import seal
from roadworthy.trust.keys import signer_from_seed
from roadworthy.updates.reports import Progress, Stage, report_body

OPENSBI = HardwareId("boot-opensbi-rv64")
NO_REASON = ("not connected yet", "connection lost", "can't connect")
MALFORMED = {
    "no JSON": b"\x00\xffnot a report",
    "another shape": b'{"signed":[],"signatures":"none"}',
    "nested without end": b"[" * 100_000,
}


@pytest.fixture
def hand_vehicle(world: World, tmp_path: Path, request: pytest.FixtureRequest) -> HandVehicle:
    number = int(hashlib.sha256(request.node.name.encode()).hexdigest()[:4], 16) % 800
    return enrol(world.client, tmp_path / "hand", number, "hand-held")


@contextmanager
def tampered(world: World, *names: str) -> Iterator[None]:
    """Flip a bit in the middle of artifacts on the server's disk, for as long as the block."""
    folder = world.server.folder / "artifacts"
    paths = [folder / name[:2] / name for name in names]
    genuine = {path: path.read_bytes() for path in paths}
    try:
        for path, data in genuine.items():
            middle = len(data) // 2
            changed = bytes([data[middle] ^ 1])
            path.write_bytes(data[:middle] + changed + data[middle + 1 :])
        yield
    finally:
        for path, data in genuine.items():
            path.write_bytes(data)


def deltas(world: World) -> list[str]:
    """Return the names of the stored files that are no images: the deltas."""
    releases = factory_release(), new_release()
    images = {image.sha256 for release in releases for image in release.images.values()}
    names = {path.name for path in (world.server.folder / "artifacts").glob("??/*")}
    return sorted(names - images)


def check_line(world: World, path: str, *words: str) -> None:
    html = world.html(path)
    for word in words:
        assert word in html, path


def check_entry(world: World, subject: str, kind: str) -> dict[str, Any]:
    """Return the latest entry of a kind, and check that the ledger's page has its line."""
    found = next(entry for entry in entries(world.client, subject) if entry["type"] == kind)
    check_line(world, "/ledger", f'id="entry-{found["index"]}"', kind)
    return found


async def answer_of(link: Link, payload: bytes) -> dict[str, Any]:
    await link.send(payload)
    async with asyncio.timeout(LIMIT_S):
        while not (answer := await link.receive(1.0)):
            pass
    found: dict[str, Any] = msgspec.json.decode(answer)
    return found


def refused(world: World, vehicle: HandVehicle, payload: bytes) -> dict[str, Any]:
    """Send a report that the server must refuse; check answer, page and ledger."""
    answers: list[dict[str, Any]] = []

    async def work(link: Link) -> None:
        answers.append(await answer_of(link, payload))

    run_async(lambda: vehicle.on_mqtt(world.server, work))
    entry = check_entry(world, f"vehicle/{vehicle.key}", "report-refused")
    assert answers[0]["type"] == "refused"
    assert entry["data"]["code"] == answers[0]["code"]
    assert entry["data"]["payload_sha256"] == hashlib.sha256(payload).hexdigest()
    check_line(world, f"/vehicles/{vehicle.key}", "Report refused", answers[0]["code"])
    return answers[0]


def test_a_tampered_image_is_never_installed(world: World) -> None:
    image = new_release().images[OPENSBI]
    with tampered(world, image.sha256, *deltas(world)):
        open_campaign(world.client, "tampered", NEW_RELEASE, ["car-b"])
        finish(world.client, "tampered", "paused")
    found = members(world.client, "tampered")
    assert len(found) == 2
    for member in found:
        assert (member["stage"], member["code"]) == ("failed", "download-hash")
        assert not world.fleet.seen.runs.get(member["vehicle"])
        entry = check_entry(world, f"vehicle/{member['vehicle']}", "result")
        assert entry["data"]["code"] == "download-hash"
        check_line(world, f"/vehicles/{member['vehicle']}", "download-hash")
    check_line(world, "/campaigns/tampered", "download-hash", "Why vehicles failed")
    world.client.post("/campaigns/tampered/abort", {"reason": "tampered"})


def test_a_tampered_delta_costs_bytes_and_nothing_else(world: World) -> None:
    with tampered(world, *deltas(world)):
        open_campaign(world.client, "fallback", NEW_RELEASE, ["car-b"])
        assert finish(world.client, "fallback")["state"] == "finished"
    for member in members(world.client, "fallback"):
        assert member["stage"] == "confirmed"
        assert member["received_bytes"] > member["full_bytes"] > member["delta_bytes"]
        check_line(world, f"/vehicles/{member['vehicle']}", "Confirmed")


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_is_refused_in_words(
    world: World, hand_vehicle: HandVehicle, name: str
) -> None:
    refused(world, hand_vehicle, MALFORMED[name])


def test_a_report_signed_with_another_key_is_refused(
    world: World, hand_vehicle: HandVehicle
) -> None:
    report = Progress(vehicle=hand_vehicle.key, sequence=7, time=1, offer="x", stage=Stage.STAGED)
    answer = refused(world, hand_vehicle, seal(report_body(report), signer_from_seed(b"k" * 32)))
    assert (answer["code"], answer["sequence"]) == ("bad-signature", 7)


def test_a_report_about_another_vehicle_is_refused(world: World, hand_vehicle: HandVehicle) -> None:
    other = VehicleKey(world.fleet.vehicles[0])
    report = Progress(vehicle=other, sequence=1, time=1, offer="x", stage=Stage.STAGED)
    answer = refused(world, hand_vehicle, seal(report_body(report), hand_vehicle.signer))
    assert answer["code"] == "foreign-offer"


def test_a_revocation_ends_what_is_connected_already(
    world: World, hand_vehicle: HandVehicle
) -> None:
    async def on_https(cloud: HttpsCloud) -> None:
        assert await cloud.metadata("director", "timestamp.json")

        async def on_mqtt(link: Link) -> None:
            await answer_of(link, b"still let in")
            why = {"reason": "stolen"}
            await asyncio.to_thread(world.client.post, f"/vehicles/{hand_vehicle.key}/revoke", why)
            assert "does not let this vehicle in" in await reason(link)

        await hand_vehicle.on_mqtt(world.server, on_mqtt)
        with pytest.raises(AccessError, match="revoked certificate"):
            await cloud.metadata("director", "timestamp.json")

    run_async(lambda: hand_vehicle.on_https(world.server, on_https))
    entry = check_entry(world, f"vehicle/{hand_vehicle.key}", "vehicle-revoked")
    assert entry["data"]["why"] == "stolen"
    check_line(world, f"/vehicles/{hand_vehicle.key}", "Revoked", "stolen")


async def reason(link: Link) -> str:
    """Return why there is no link, as soon as the link knows more than that it has none."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                await link.receive(0.2)
            except LinkError as error:
                if not any(words in str(error) for words in NO_REASON):
                    return str(error)


def test_a_certificate_of_a_foreign_authority_opens_nothing(
    world: World, hand_vehicle: HandVehicle, tmp_path: Path
) -> None:
    now, key = SystemClock().now().replace(microsecond=0), new_key()
    validity = certificates.Validity(now - CLOCK_SKEW, now + CERTIFICATE_LIFE)
    authority = certificates.make_authority(
        "roadworthy vehicles", new_key(), serial=5, validity=validity
    )
    forged = certificates.issue_vehicle(
        authority,
        certificates.build_csr(key, "vehicle"),
        hand_vehicle.key,
        serial=7,
        validity=validity,
    )
    genuine = hand_vehicle.tls.ca.read_bytes()
    tls = write_tls(tmp_path / "foreign", genuine, certificates.to_pem(forged), key)
    foreign = HandVehicle(hand_vehicle.key, hand_vehicle.signer, tls)
    reasons: list[str] = []

    async def on_https(cloud: HttpsCloud) -> None:
        with pytest.raises(LinkError, match=r"authority|certificate") as caught:
            await cloud.metadata("director", "timestamp.json")
        reasons.append(str(caught.value))

    async def on_mqtt(link: Link) -> None:
        reasons.append(await reason(link))

    run_async(lambda: foreign.on_https(world.server, on_https))
    run_async(lambda: foreign.on_mqtt(world.server, on_mqtt, timeout_s=5.0))
    assert all("certificate" in why or "authority" in why for why in reasons), reasons
    for door in ("vehicles-https", "vehicles-mqtt"):
        until(lambda door=door: entries(world.client, f"door/{door}"), f"an entry of {door}")  # type: ignore[misc]
        entry = check_entry(world, f"door/{door}", "access-refused")
        assert entry["data"]["code"] == "bad-certificate"
        check_line(world, "/", f"Certificates refused at {door}", entry["data"]["detail"])
    about_vehicle = entries(world.client, f"vehicle/{hand_vehicle.key}")
    assert [entry["type"] for entry in about_vehicle] == ["vehicle-enrolled"], "it proves nothing"


def test_a_certificate_that_was_never_registered_opens_nothing(
    world: World, hand_vehicle: HandVehicle, tmp_path: Path
) -> None:
    folder, now, key = world.server.folder / "tls", SystemClock().now(), new_key()
    authority = certificates.authority_from_pem(
        (folder / "ca.pem").read_bytes(), (folder / "ca.key").read_bytes()
    )
    start = now.replace(microsecond=0) - CLOCK_SKEW
    stranger = certificates.issue_vehicle(
        authority,
        certificates.build_csr(key, "vehicle"),
        VehicleKey("v" + "0" * 16),
        serial=9,
        validity=certificates.Validity(start, start + CERTIFICATE_LIFE),
    )
    genuine = hand_vehicle.tls.ca.read_bytes()
    tls = write_tls(tmp_path / "stranger", genuine, certificates.to_pem(stranger), key)

    async def on_https(cloud: HttpsCloud) -> None:
        with pytest.raises(AccessError, match="not a registered vehicle"):
            await cloud.metadata("director", "timestamp.json")

    unknown = HandVehicle(VehicleKey("v" + "0" * 16), hand_vehicle.signer, tls)
    run_async(lambda: unknown.on_https(world.server, on_https))


def test_a_broken_upload_leaves_nothing(world: World) -> None:
    image = b"half of an image" * 4096
    sha256 = hashlib.sha256(image).hexdigest()
    place = urlsplit(world.server.url)
    head = f"PUT /api/v1/images/{sha256} HTTP/1.1\r\nhost: {place.netloc}\r\n"
    head += f"authorization: {world.authorization}\r\ncontent-length: {len(image)}\r\n\r\n"
    incoming = world.server.folder / "artifacts/incoming"
    with socket.create_connection((str(place.hostname), place.port or 0), timeout=30) as connection:
        connection.sendall(head.encode() + image[:40_000])
        until(lambda: list(incoming.iterdir()), "the beginning of the upload")
    until(lambda: not list(incoming.iterdir()), "the end of the broken upload")
    with pytest.raises(NotFoundError):
        world.client.get(f"/images/{sha256}")
    assert world.client.upload(image) == sha256


def test_an_upload_with_another_hash_is_refused_and_not_kept(world: World) -> None:
    image, named = b"another image", hashlib.sha256(b"the named image").hexdigest()
    with pytest.raises(TrustError, match="has the hash"):
        world.client._send("PUT", f"/images/{named}", content=image)
    for sha256 in (named, hashlib.sha256(image).hexdigest()):
        with pytest.raises(NotFoundError):
            world.client.get(f"/images/{sha256}")


def test_a_release_for_other_hardware_is_never_offered(world: World) -> None:
    image = Image("hw-of-a-boat", "9.0", 9, b"for a boat" * 100)
    add_release(world.client, world.server.offline, "boat-1", image)
    open_campaign(world.client, "boat", "boat-1", ["car-b"])
    finish(world.client, "boat", "paused")
    found = members(world.client, "boat")
    assert [(one["stage"], one["code"], one["offered_at"]) for one in found] == [
        ("failed", "no-match", None)
    ] * 2
    for member in found:
        entry = check_entry(world, f"vehicle/{member['vehicle']}", "not-offered")
        assert entry["data"]["code"] == "no-match"
        check_line(world, f"/vehicles/{member['vehicle']}", "Not offered")
    assert not any(entry["type"] == "offer" for entry in entries(world.client, "campaign/boat"))
    check_line(world, "/campaigns/boat", "no-match", "No ECU of the vehicle is of a kind")
    world.client.post("/campaigns/boat/abort", {"reason": "wrong hardware"})


def test_the_server_wrote_no_traceback_about_all_this(world: World) -> None:
    log = (world.server.folder.parent / "server.log").read_text()
    assert "Traceback" not in log, log[-4000:]


def test_an_image_larger_than_the_slots_that_vehicles_report_makes_no_release(
    world: World,
) -> None:
    told = world.client.get(f"/vehicles/{world.fleet.vehicles[0]}")["ecus"][0]
    kind, size_bytes = told["hardware_id"], told["slot_size_bytes"]
    image = Image(kind, "9.0", 9, bytes(size_bytes + 1))
    with pytest.raises(ConflictError, match=f"{size_bytes + 1} bytes, a slot of {kind} has "):
        add_release(world.client, world.server.offline, "too-large", image)
    with pytest.raises(NotFoundError):
        world.client.get("/releases/too-large")
    assert entries(world.client, "release/too-large") == []
