"""Vehicles come into the registry and go; what they prove and what they can not claim."""

import pytest
from tests.cloud.conftest import OLD, Bench, certificate_from, csr_pem, ecu, problem

from roadworthy.cloud.enrolment import authorise
from roadworthy.trust import certificates
from roadworthy.trust.keys import key_of, key_to_json, signer_from_seed
from roadworthy.updates.reports import Inventory

VIN = "RWT00000000000001"


def body(name: str = "any", /, **fields: object) -> dict[str, object]:
    key = certificates.connection_key((1).to_bytes(48))
    report_key = key_to_json(key_of(signer_from_seed(b"r" * 32))).decode()
    csr = csr_pem(certificates.build_csr(key, name))
    return {"vin": VIN, "type": "car", "csr": csr, "report_key": report_key} | fields


async def test_a_vehicle_gets_a_pseudonym_a_certificate_and_what_it_must_trust(
    bench: Bench,
) -> None:
    answer = await bench.operator.post("/api/v1/vehicles", json=body())
    assert answer.status_code == 201
    given = answer.json()
    certificate = certificates.to_der(certificate_from(given["certificate"].encode()))
    assert certificates.vehicle_key_of(certificate) == given["vehicle"]
    assert authorise(bench.desk.tables(), certificate) == given["vehicle"]
    assert given["images_root"].encode() == bench.desk.authority.images_root
    (entry,) = bench.entries("vehicle-enrolled")
    assert VIN not in str(entry), "the ledger can't forget, so it must not know"


async def test_a_request_with_another_vehicles_name_gets_its_own_name(bench: Bench) -> None:
    victim = await bench.enrol(7)
    answer = await bench.operator.post("/api/v1/vehicles", json=body(victim.key))
    pem = answer.json()["certificate"].encode()
    named = certificates.vehicle_key_of(certificates.to_der(certificate_from(pem)))
    assert named == answer.json()["vehicle"] != victim.key


async def test_a_vin_is_registered_once(bench: Bench) -> None:
    await bench.operator.post("/api/v1/vehicles", json=body())
    again = await bench.operator.post("/api/v1/vehicles", json=body())
    assert "revoke" in problem(again, 409, "conflict")["todo"]
    assert len(bench.entries("vehicle-enrolled")) == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"vin": "short"}, "invalid-input"),
        ({"vin": "RWT0000000000000I"}, "invalid-input"),
        ({"type": ""}, "invalid-input"),
        ({"type": "x" * 41}, "invalid-input"),
        ({"csr": ""}, "malformed-metadata"),
        ({"csr": "-----BEGIN CERTIFICATE REQUEST-----"}, "malformed-metadata"),
        ({"csr": "x" * 100_000}, "malformed-metadata"),
        ({"report_key": ""}, "malformed-metadata"),
        ({"report_key": "{}"}, "malformed-metadata"),
        ({"report_key": '{"keyid":"é"}'}, "malformed-metadata"),
        ({"admin": True}, "invalid-input"),
    ],
    ids=lambda wrong: str(wrong)[:30],
)
async def test_a_request_that_proves_nothing_is_refused(
    bench: Bench, wrong: dict[str, object], code: str
) -> None:
    answer = await bench.operator.post("/api/v1/vehicles", json=body() | wrong)
    problem(answer, 400, code)
    assert bench.desk.tables().vehicles.page() == []


async def test_a_revoked_vehicle_is_enrolled_again_and_its_old_certificate_stays_out(
    bench: Bench,
) -> None:
    old = await bench.enrol()
    await bench.report(old, Inventory, ecus=(ecu(OLD, 1),))
    await bench.operator.post(f"/api/v1/vehicles/{old.key}/revoke", json={"reason": "theft"})
    await bench.clock.sleep(60)
    new = await bench.enrol()
    assert new.key == old.key, "its ECUs remember the versions of its own director"
    async with bench.vehicle_client(old.certificate) as client:
        answer = await client.get("/vehicle/v1/director/timestamp.json")
        assert "replaced" in problem(answer, 403, "access-denied")["happened"]
    async with bench.vehicle_client(new.certificate) as client:
        assert (await client.get("/vehicle/v1/director/timestamp.json")).status_code == 200
    taken = await bench.report(new, Inventory, ecus=(ecu(OLD, 1),))
    assert taken == {"type": "ack", "sequence": 1}
    known = bench.desk.tables().vehicles.get(new.key)
    assert known is not None
    assert known.ecus, "the new unit's numbers begin anew"
    assert len(bench.entries("vehicle-enrolled")) == 2


async def test_revoking_again_changes_nothing(bench: Bench) -> None:
    vehicle = await bench.enrol()
    for _ in range(2):
        answer = await bench.operator.post(f"/api/v1/vehicles/{vehicle.key}/revoke", json={})
        assert answer.status_code == 200
    assert len(bench.entries("vehicle-revoked")) == 1


async def test_why_a_vehicle_was_revoked_is_on_record_and_bounded(bench: Bench) -> None:
    vehicle = await bench.enrol()
    path = f"/api/v1/vehicles/{vehicle.key}/revoke"
    problem(await bench.operator.post(path, json={"reason": "x" * 501}), 400, "invalid-input")
    await bench.operator.post(path, json={"reason": "stolen"})
    assert bench.entries("vehicle-revoked")[0].data["why"] == "stolen"


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [("v" + "0" * 16, 404, "not-found"), ("V1", 400, "invalid-input")],
)
async def test_a_vehicle_that_is_not_there_is_not_found(
    bench: Bench, key: str, status: int, code: str
) -> None:
    problem(await bench.operator.get(f"/api/v1/vehicles/{key}"), status, code)
    problem(await bench.operator.post(f"/api/v1/vehicles/{key}/revoke", json={}), status, code)


async def test_vehicles_are_found_by_a_part_of_their_vin(bench: Bench) -> None:
    await bench.fleet(3)
    found = (await bench.operator.get("/api/v1/vehicles?text=0002")).json()["items"]
    assert [item["vin"] for item in found] == ["RWT00000000000002"]
