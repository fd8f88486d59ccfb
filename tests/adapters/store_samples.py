"""Records to put into stores."""

from collections.abc import Sequence

import msgspec

from roadworthy.base.ids import EcuSerial, HardwareId, Sha256, VehicleKey, Vin
from roadworthy.fleet.inventory import Domain, EcuState, Vehicle
from roadworthy.updates.campaign import Campaign, Member, Wave
from roadworthy.updates.gate import Gate, MemberStage
from roadworthy.updates.release import Artifact, Release, ReleaseState


def key(number: int) -> VehicleKey:
    return VehicleKey(f"v{number:016x}")


def ecu(serial: str, hardware_id: str = "hw-a", version: str = "1.0") -> EcuState:
    return EcuState(
        serial=EcuSerial(serial),
        hardware_id=HardwareId(hardware_id),
        domain=Domain.BODY,
        address=int(serial) + 1,
        version=version,
        sha256=Sha256("a" * 64),
        release_counter=1,
    )


def vehicle(number: int, kind: str = "car", **fields: object) -> Vehicle:
    made = Vehicle(
        key=key(number),
        vin=Vin(f"WRW{99 - number:014d}"),
        type=kind,
        report_key="k",
        certificate_serial=number,
        enrolled_at=1.5,
    )
    return msgspec.structs.replace(made, **fields)


def release(number: int, created_at: float) -> Release:
    artifact = Artifact(
        name="app.bin",
        hardware_id=HardwareId("hw-a"),
        version="2",
        release_counter=2,
        sha256=Sha256("b" * 64),
        length_bytes=9,
    )
    return Release(
        id=f"r{number}",
        name="n",
        version="2",
        notes="",
        artifacts=(artifact,),
        state=ReleaseState.DRAFT,
        created_at=created_at,
        created_by="ann",
        candidate=b"\x00\xff\x80",
    )


def campaign(name: str, created_at: float) -> Campaign:
    return Campaign(
        id=name,
        name=name,
        release_id="r1",
        vehicle_types=(),
        waves=(Wave("canary", size=1, vehicles=(key(1),)), Wave("rest")),
        gate=Gate(),
        created_at=created_at,
        created_by="ann",
    )


def member(
    number: int,
    stage: MemberStage = MemberStage.WAITING,
    *,
    of: str = "c",
    wave: int = 0,
    **fields: object,
) -> Member:
    return msgspec.structs.replace(Member(of, key(number), wave, stage), **fields)


def numbers(members: Sequence[Member]) -> list[int]:
    return [int(one.vehicle[1:], 16) for one in members]
