"""The wired agent: its configuration file, real DoIP, a real folder, a cloud that is not there."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.adapters.conftest import Authority
from tests.vehicle.world import REPORT_SIGNER, SECRET, SLOT_SIZE_BYTES, VEHICLE, World

from roadworthy.adapters.doip import DoipTcpServer
from roadworthy.base.clock import SystemClock
from roadworthy.base.encoding import parse_json_object
from roadworthy.base.errors import InputError
from roadworthy.diagnostics.doip_server import DoipServer
from roadworthy.fleet.inventory import Domain
from roadworthy.trust.envelope import unseal
from roadworthy.trust.keys import key_of, private_pem
from roadworthy.updates.install_plan import Conditions
from roadworthy.updates.journal import read_records
from roadworthy.updates.reports import Inventory, parse_report
from roadworthy.vehicle.config import load_config, load_identity
from roadworthy.vehicle.main import FileConditions, run

CONFIG = """
vehicle = "{vehicle}"
storage = "storage"
[server]
host = "localhost"
https_port = 9
mqtt_port = 9
[keys]
ca = "ca.crt"
certificate = "{vehicle}.crt"
private_key = "{vehicle}.key"
report_key = "report.key"
ecu_secrets = "secrets.json"
director_root = "director.json"
images_root = "images.json"
[doip]
port = {port}
[[ecus]]
address = 0x10
domain = "safety"
[[ecus]]
address = 0x11
domain = "body"
"""


@pytest.fixture
async def doip() -> AsyncIterator[int]:
    world = World()
    ecus = {address: ecu.server.handle for address, ecu in world.ecus.items()}
    server = DoipTcpServer(DoipServer(0x1000, ecus), SystemClock())
    yield await server.start()
    await server.close()
    world.close()


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    """A folder as it leaves the factory."""
    Authority(tmp_path).vehicle(VEHICLE)
    world = World()
    (tmp_path / "report.key").write_bytes(private_pem(REPORT_SIGNER))
    secrets = {serial: secret.hex() for serial, secret in world.identity.secrets.items()}
    (tmp_path / "secrets.json").write_text(json.dumps(secrets))
    (tmp_path / "director.json").write_bytes(world.identity.director_root)
    (tmp_path / "images.json").write_bytes(world.identity.images_root)
    world.close()
    return tmp_path


def written(folder: Path, text: str, name: str = "vehicle.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


async def test_a_wired_agent_reads_its_ecus_over_doip_and_keeps_its_report_for_later(
    factory: Path, doip: int
) -> None:
    config = load_config(written(factory, CONFIG.format(vehicle=VEHICLE, port=doip)))
    stop = asyncio.Event()
    work = asyncio.create_task(run(config, stop))
    outbox = factory / "storage" / "outbox"
    while not outbox.exists():  # noqa: ASYNC110 - nothing tells when a file appears
        await asyncio.sleep(0.01)
    stop.set()
    await work
    record = parse_json_object(
        read_records(outbox.read_bytes()).texts[0], name="record", size_bytes_max=100_000
    )
    report = parse_report(unseal(base64.b64decode(record["payload"]), key_of(REPORT_SIGNER)))
    assert isinstance(report, Inventory)
    assert [(ecu.serial, ecu.domain, ecu.slot_size_bytes) for ecu in report.ecus] == [
        ("brake", Domain.SAFETY, SLOT_SIZE_BYTES),
        ("cluster", Domain.BODY, SLOT_SIZE_BYTES),
    ]


def test_paths_are_relative_to_the_file_and_json_works_too(factory: Path) -> None:
    config = load_config(written(factory, CONFIG.format(vehicle=VEHICLE, port=13400)))
    assert config.storage == factory / "storage"
    identity = load_identity(config)
    assert identity.secrets == {"brake": SECRET, "cluster": SECRET}
    keys = {name: f"{name}.pem" for name in config.keys.__struct_fields__}
    raw = {
        "vehicle": VEHICLE,
        "storage": "files",
        "server": {"host": "localhost", "https_port": 1, "mqtt_port": 2},
        "keys": keys,
        "ecus": [{"address": 16, "domain": "body"}],
    }
    again = load_config(written(factory, json.dumps(raw), "vehicle.json"))
    assert again.storage == factory / "files"
    assert again.conditions_file is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("https_port = 9", "https_port = 0"),
        ("address = 0x10", "address = 0"),
        ('domain = "body"', 'domain = "kitchen"'),
        ('vehicle = "v', 'vehicle = "x'),
        ("[doip]", "[dope]"),
        ('storage = "storage"', "storage = 7"),
        ("[server]", "[server"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(factory: Path, old: str, new: str) -> None:
    text = CONFIG.format(vehicle=VEHICLE, port=13400).replace(old, new)
    with pytest.raises(InputError):
        load_config(written(factory, text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.binary(max_size=200), name=st.sampled_from(["a.toml", "a.json"]))
def test_any_bytes_are_a_configuration_or_an_input_error(
    tmp_path: Path, text: bytes, name: str
) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(InputError):
        load_config(tmp_path / name)


@pytest.mark.parametrize("text", ["[]", '{"brake":"xx"}', '{"brake":"00"}', '{"a b":"00"}', ""])
def test_bad_ecu_secrets_are_refused_without_being_quoted(factory: Path, text: str) -> None:
    (factory / "secrets.json").write_text(text)
    config = load_config(written(factory, CONFIG.format(vehicle=VEHICLE, port=13400)))
    with pytest.raises(InputError) as refused:
        load_identity(config)
    assert refused.value.__cause__ is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        load_config(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    ("text", "is_ready"),
    [
        ('{"parked":true,"battery_percent":80,"window_open":true,"consent":true}', True),
        ('{"parked":false,"battery_percent":80,"window_open":true,"consent":true}', False),
        ('{"parked":true}', False),
        ('{"parked":7,"battery_percent":80,"window_open":true,"consent":true}', False),
        ("", False),
        ("\xff", False),
        (None, False),
    ],
)
async def test_conditions_come_from_a_file_and_doubt_means_not_now(
    tmp_path: Path, text: str | None, *, is_ready: bool
) -> None:
    path = tmp_path / "conditions.json"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    conditions = await FileConditions(path).read()
    assert (conditions.missing(30) == ()) is is_ready
    assert (conditions == Conditions(battery_percent=80)) is is_ready
