"""From images to a signed release: offline keys decide, and nothing gets signed away."""

import json

import msgspec
import pytest
from tests.cloud.conftest import ENGINE, NEW, OLD, Bench, TestVehicle, ecu, problem, sha

from roadworthy.cloud.repositories import image_targets
from roadworthy.trust.keys import signer_from_pem, signer_from_seed
from roadworthy.trust.tuf import CryptoSigner
from roadworthy.updates.reports import Inventory

BRAKE = b"brake image" * 9


def artifact(image: bytes = NEW, /, **fields: object) -> dict[str, object]:
    return {
        "name": "engine-2.bin",
        "hardware_id": ENGINE,
        "version": "2.0",
        "release_counter": 2,
        "sha256": sha(image),
    } | fields


def body(release_id: str = "new", *artifacts: dict[str, object]) -> dict[str, object]:
    content = artifacts or (artifact(),)
    return {"id": release_id, "name": "New", "version": "1", "artifacts": list(content)}


async def drafted(bench: Bench, release_id: str = "new", *artifacts: dict[str, object]) -> None:
    for image in (OLD, NEW, BRAKE):
        await bench.upload(image)
    answer = await bench.operator.post("/api/v1/releases", json=body(release_id, *artifacts))
    assert answer.status_code == 201, answer.text


async def state_of(bench: Bench, release_id: str = "new") -> str:
    return str((await bench.operator.get(f"/api/v1/releases/{release_id}")).json()["state"])


async def images_in_force(bench: Bench) -> set[str]:
    data = image_targets(bench.desk.tables().metadata)
    return set(json.loads(data or b"{}").get("signed", {}).get("targets", {}))


async def signed_by(
    bench: Bench, signer: CryptoSigner, release_id: str, payload_of: str = ""
) -> dict[str, str]:
    path = f"/api/v1/releases/{payload_of or release_id}/payload"
    signature = signer.sign((await bench.operator.get(path)).content)
    return {"keyid": signature.keyid, "sig": signature.signature}


def offline(bench: Bench, name: str) -> CryptoSigner:
    return signer_from_pem(bench.ceremony.offline[name])


async def test_the_same_draft_again_is_the_same_release(bench: Bench) -> None:
    await drafted(bench)
    again = await bench.operator.post("/api/v1/releases", json=body())
    assert again.status_code == 201
    assert len(bench.entries("release-drafted")) == 1


async def test_an_id_belongs_to_one_content(bench: Bench) -> None:
    await drafted(bench)
    other = body("new", artifact(OLD, name="engine-1.bin"))
    problem(await bench.operator.post("/api/v1/releases", json=other), 409, "conflict")


async def test_an_image_must_be_uploaded_before_it_is_released(bench: Bench) -> None:
    answer = await bench.operator.post("/api/v1/releases", json=body())
    assert sha(NEW) in problem(answer, 404, "not-found")["detail"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../evil.bin"},
        {"hardware_id": "no spaces"},
        {"version": ""},
        {"version": "1 0"},
        {"release_counter": -1},
        {"release_counter": 2**32},
        {"release_counter": 10**30},
        {"release_counter": True},
        {"order": -1},
        {"order": 2**64},
        {"sha256": "short"},
        {"surprise": 1},
        {"name": None},
    ],
    ids=str,
)
async def test_an_artifact_that_makes_no_sense_is_refused(
    bench: Bench, wrong: dict[str, object]
) -> None:
    await bench.upload(NEW)
    content = body("new", artifact(NEW, **wrong))
    problem(await bench.operator.post("/api/v1/releases", json=content), 400, "invalid-input")
    assert bench.entries("release-drafted") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "Not An Id"},
        {"name": ""},
        {"name": "x" * 200},
        {"version": ""},
        {"version": "x" * 200},
        {"notes": "x" * 200_000},
        {"artifacts": []},
        {"artifacts": [artifact(), artifact()]},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_a_release_that_makes_no_sense_is_refused(
    bench: Bench, wrong: dict[str, object]
) -> None:
    await bench.upload(NEW)
    answer = await bench.operator.post("/api/v1/releases", json=body() | wrong)
    problem(answer, 400, "invalid-input")


async def test_a_release_is_in_force_only_with_every_signature_it_needs(bench: Bench) -> None:
    await drafted(bench)
    first = (await bench.sign("new", "targets-1")).json()
    assert (first["state"], len(first["signed_by"])) == ("draft", 1)
    assert await images_in_force(bench) == set()
    second = (await bench.sign("new", "targets-2")).json()
    assert (second["state"], len(second["signed_by"])) == ("signed", 2)
    assert await images_in_force(bench) == {"engine-2.bin"}
    assert len(bench.entries("release-signed")) == 1


async def test_one_key_can_not_sign_twice(bench: Bench) -> None:
    await drafted(bench)
    await bench.sign("new", "targets-1")
    again = await bench.sign("new", "targets-1")
    assert (again.status_code, again.json()["state"]) == (200, "draft")
    assert len(bench.entries("release-signature")) == 1, "it decided nothing new"


@pytest.mark.parametrize("name", ["root-1", "stranger"])
async def test_a_key_of_another_role_or_nobodys_key_does_not_count(bench: Bench, name: str) -> None:
    await drafted(bench)
    signer = offline(bench, name) if name in bench.ceremony.offline else signer_from_seed(b"s" * 32)
    sent = await signed_by(bench, signer, "new")
    answer = await bench.operator.post("/api/v1/releases/new/signatures", json=sent)
    problem(answer, 422, "bad-signature")
    assert bench.entries("release-signature") == []


async def test_a_signature_of_another_releases_payload_does_not_count(bench: Bench) -> None:
    await drafted(bench)
    await drafted(bench, "other", artifact(BRAKE, name="brake.bin", hardware_id="brake"))
    sent = await signed_by(bench, offline(bench, "targets-1"), "new", payload_of="other")
    answer = await bench.operator.post("/api/v1/releases/new/signatures", json=sent)
    problem(answer, 422, "bad-signature")


@pytest.mark.parametrize("sig", ["", "zz", "00" * 64, "é"])
async def test_a_malformed_signature_is_a_typed_error(bench: Bench, sig: str) -> None:
    await drafted(bench)
    sent = {"keyid": offline(bench, "targets-1").public_key.keyid, "sig": sig}
    answer = await bench.operator.post("/api/v1/releases/new/signatures", json=sent)
    problem(answer, 422, "bad-signature")


async def test_of_two_drafts_at_once_the_second_must_be_signed_again(bench: Bench) -> None:
    await drafted(bench)
    await drafted(bench, "other", artifact(BRAKE, name="brake.bin", hardware_id="brake"))
    await bench.sign("other", "targets-1")
    early = await signed_by(bench, offline(bench, "targets-2"), "other")
    for name in ("targets-1", "targets-2"):
        await bench.sign("new", name)
    late = await bench.operator.post("/api/v1/releases/other/signatures", json=early)
    problem(late, 409, "conflict")
    for name in ("targets-1", "targets-2"):
        answer = await bench.sign("other", name)
        assert answer.status_code == 200, answer.text
    assert await state_of(bench, "other") == "signed"
    assert await images_in_force(bench) == {"engine-2.bin", "brake.bin"}, "neither signed away"


async def test_a_candidate_holds_all_images_in_force(bench: Bench) -> None:
    await drafted(bench, "first", artifact(OLD, name="engine-1.bin", release_counter=1))
    for name in ("targets-1", "targets-2"):
        await bench.sign("first", name)
    await drafted(bench)
    payload = (await bench.operator.get("/api/v1/releases/new/payload")).json()
    assert set(payload["targets"]) == {"engine-1.bin", "engine-2.bin"}
    assert payload["version"] == 2


async def test_a_name_stands_for_one_image_for_ever(bench: Bench) -> None:
    await drafted(bench)
    for name in ("targets-1", "targets-2"):
        await bench.sign("new", name)
    await bench.upload(OLD)
    clash = body("clash", artifact(OLD))
    answer = await bench.operator.post("/api/v1/releases", json=clash)
    assert problem(answer, 409, "conflict")["value"] == "engine-2.bin"


async def test_one_image_may_fit_two_kinds_of_hardware(bench: Bench) -> None:
    await drafted(bench)
    for name in ("targets-1", "targets-2"):
        await bench.sign("new", name)
    await drafted(bench, "wider", artifact(hardware_id="engine-b"))
    payload = (await bench.operator.get("/api/v1/releases/wider/payload")).json()
    custom = payload["targets"]["engine-2.bin"]["custom"]
    assert custom["hardware_ids"] == ["engine-a", "engine-b"]


async def test_a_signed_release_never_changes(bench: Bench) -> None:
    await bench.signed_release("new", NEW, 2)
    problem(await bench.operator.get("/api/v1/releases/new/payload"), 409, "conflict")
    sent = {"keyid": "0" * 64, "sig": "00"}
    answer = await bench.operator.post("/api/v1/releases/new/signatures", json=sent)
    problem(answer, 409, "conflict")


@pytest.mark.parametrize("path", ["", "/payload"])
async def test_a_release_that_is_not_there_is_not_found(bench: Bench, path: str) -> None:
    problem(await bench.operator.get(f"/api/v1/releases/none{path}"), 404, "not-found")


async def test_releases_are_listed_newest_first(bench: Bench) -> None:
    await drafted(bench, "first", artifact(OLD, name="engine-1.bin"))
    await bench.clock.sleep(1)
    await drafted(bench)
    await bench.fleet(1)
    listed = (await bench.operator.get("/api/v1/releases")).json()["items"]
    assert [item["id"] for item in listed] == ["new", "first"]
    assert [item["deltas_ready"] for item in listed] == [False, True]


async def report_slots(bench: Bench, size_bytes: int, number: int = 1) -> TestVehicle:
    """Let a new vehicle report that each slot of its engine ECU has so many bytes."""
    vehicle = await bench.enrol(number)
    await tell_slots(bench, vehicle, size_bytes)
    return vehicle


async def tell_slots(bench: Bench, vehicle: TestVehicle, size_bytes: int) -> None:
    told = msgspec.structs.replace(ecu(OLD, 1), slot_size_bytes=size_bytes)
    await bench.report(vehicle, Inventory, ecus=(told,))


async def test_an_image_larger_than_the_slots_is_refused_and_leaves_nothing(bench: Bench) -> None:
    await report_slots(bench, len(NEW) - 1)
    for image in (OLD, NEW):
        await bench.upload(image)
    before = len(bench.entries("release-drafted"))
    told = problem(
        await bench.operator.post("/api/v1/releases", json=body()), 409, "image-too-large"
    )
    assert told["value"] == "engine-2.bin"
    for fact in (ENGINE, str(len(NEW)), str(len(NEW) - 1), "1 vehicle reports"):
        assert fact in told["happened"]
    problem(await bench.operator.get("/api/v1/releases/new"), 404, "not-found")
    assert len(bench.entries("release-drafted")) == before
    await bench.upload(BRAKE)
    fits = body("small", artifact(BRAKE, name="engine-1.bin"))
    assert (await bench.operator.post("/api/v1/releases", json=fits)).status_code == 201


async def test_an_image_that_just_fits_is_released(bench: Bench) -> None:
    await report_slots(bench, len(NEW))
    await drafted(bench)


@pytest.mark.parametrize("size_bytes", [None, 0])
async def test_an_image_is_released_while_no_vehicle_tells_its_slots(
    bench: Bench, size_bytes: int | None
) -> None:
    if size_bytes is not None:
        await report_slots(bench, size_bytes)
    await drafted(bench)


async def test_a_draft_made_before_the_first_report_is_not_signed_when_it_does_not_fit(
    bench: Bench,
) -> None:
    await drafted(bench)
    signature = await signed_by(bench, offline(bench, "targets-1"), "new")
    await report_slots(bench, len(NEW) - 1)
    path = "/api/v1/releases/new"
    problem(await bench.operator.get(f"{path}/payload"), 409, "image-too-large")
    answer = await bench.operator.post(f"{path}/signatures", json=signature)
    problem(answer, 409, "image-too-large")
    assert (await bench.operator.get(path)).json()["signed_by"] == []


@pytest.mark.parametrize("way_out", ["others report", "it reports again", "it is revoked"])
async def test_a_wrong_report_holds_a_release_up_until_it_is_mended(
    bench: Bench, way_out: str
) -> None:
    wrong = await report_slots(bench, 1)
    for image in (OLD, NEW):
        await bench.upload(image)
    answer = await bench.operator.post("/api/v1/releases", json=body())
    todo = problem(answer, 409, "image-too-large")["todo"]
    assert "if the report is wrong" in todo
    (listed,) = (await bench.operator.get("/api/v1/vehicles")).json()["items"]
    assert (listed["key"], listed["ecus"][0]["slot_size_bytes"]) == (wrong.key, 1)
    match way_out:
        case "others report":
            await report_slots(bench, len(NEW), number=2)
        case "it reports again":
            await tell_slots(bench, wrong, len(NEW))
        case _:
            await bench.operator.post(f"/api/v1/vehicles/{wrong.key}/revoke", json={})
    assert (await bench.operator.post("/api/v1/releases", json=body())).status_code == 201
