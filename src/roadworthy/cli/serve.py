"""`roadworthy serve`: the server, until a signal ends it."""

import asyncio
import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
from rich.text import Text

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import InputError
from roadworthy.cli.commands import Command
from roadworthy.cli.files import FILE, FOLDER, replace_file
from roadworthy.cli.output import Output
from roadworthy.cli.settings import Settings, settings_of
from roadworthy.cli.signals import log_to_stderr, stopped_by_signal
from roadworthy.cloud.access import revoke_token
from roadworthy.cloud.main import (
    RunningCloud,
    ServerSettings,
    TlsServer,
    issue_local,
    running_cloud,
)
from roadworthy.cloud.price import parse_price
from roadworthy.delta import BackEnd

__all__ = ["serve"]

_TOKEN_LIFE = timedelta(days=30)
_TOKEN_NAME = "local operator"  # noqa: S105 - a name, no secret
_PORT = click.IntRange(0, 65535)


@dataclass(frozen=True, slots=True)
class Ready:
    """What a person or program needs to reach a server that runs."""

    operator: str
    vehicle: str
    mqtt: int
    sign_in: str
    token_file: Path

    def json(self) -> dict[str, str | int]:
        """Return the line for programs."""
        return {
            "event": "ready",
            "operator": self.operator,
            "vehicle": self.vehicle,
            "mqtt": self.mqtt,
            "sign_in": self.sign_in,
            "token_file": str(self.token_file),
        }


@click.command(cls=Command)
@click.option(
    "--folder",
    required=True,
    type=FOLDER,
    help="The server's folder, made by `roadworthy keys init`.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--operator-port", default=8080, show_default=True, type=_PORT, help="0: any.")
@click.option("--vehicle-port", default=8443, show_default=True, type=_PORT, help="0: any.")
@click.option("--mqtt-port", default=8883, show_default=True, type=_PORT, help="0: any.")
@click.option("--operator-cert", type=FILE, help="Certificate (PEM) of the operators' pages.")
@click.option("--operator-key", type=FILE, help="Its private key (PEM).")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front ends TLS for operators.")
@click.option("--environment", default="", metavar="TEXT", help="A badge on every page.")
@click.option(
    "--price-per-mb",
    metavar="AMOUNT",
    help="What a MB (2^20 bytes) to a vehicle costs, such as 0.50; shows what deltas save.",
)
@click.option(
    "--deltas",
    default="small",
    show_default=True,
    type=click.Choice(["small", "fast"]),
    help="fast: a tenth to a third longer, many times as fast to apply in the vehicle.",
)
@click.option("--currency", default="EUR", show_default=True, metavar="CODE", help="Of that price.")
@click.pass_context
def serve(  # noqa: PLR0913 - one argument per option
    context: click.Context,
    *,
    folder: Path,
    host: str,
    operator_port: int,
    vehicle_port: int,
    mqtt_port: int,
    operator_cert: Path | None,
    operator_key: Path | None,
    behind_proxy: bool,
    environment: str,
    price_per_mb: str | None,
    deltas: str,
    currency: str,
) -> None:
    """Run the server.

    Serves the pages and the operator API, the vehicles' API and the MQTT broker until
    SIGINT or SIGTERM. Writes a token for the command line on this machine to
    FOLDER/operator.token.
    """
    tls = _operator_tls(operator_cert, operator_key)
    if tls is None and not behind_proxy and not _is_loopback(host):
        raise InputError(
            "would show tokens to the network, because pages have no TLS",
            value=f"--host {host}",
            todo="give --operator-cert and --operator-key, or --behind-proxy",
        )
    settings = settings_of(context)
    log_to_stderr(is_verbose=settings.verbose)
    wanted = ServerSettings(
        folder=folder,
        host=host,
        operator_port=operator_port,
        vehicle_port=vehicle_port,
        mqtt_port=mqtt_port,
        operator_tls=tls,
        environment=environment,
        delta_back_end=BackEnd.FAST if deltas == "fast" else BackEnd.MIXING,
        price=None if price_per_mb is None else parse_price(price_per_mb, currency),
    )
    asyncio.run(_serve(wanted, settings))


async def _serve(wanted: ServerSettings, settings: Settings) -> None:
    with stopped_by_signal() as stop:
        async with running_cloud(wanted) as cloud:
            _announce(await _ready(cloud, wanted.folder), settings)
            await stop.wait()
            Output(settings).message("stopping")


async def _ready(cloud: RunningCloud, folder: Path) -> Ready:
    token_file = (folder / "operator.token").absolute()
    before = await asyncio.to_thread(_read_token, token_file)
    token = await issue_local(cloud.desk, kind="token", name=_TOKEN_NAME, life=_TOKEN_LIFE)
    await asyncio.to_thread(_keep_token, token_file, token)
    if before:
        number = sha256_hex(before.encode())
        await cloud.desk.write(lambda tables: revoke_token(tables.accounts, number))
    return Ready(
        operator=cloud.operator.url,
        vehicle=cloud.vehicle.url,
        mqtt=cloud.broker.mqtt_port,
        sign_in=await cloud.sign_in_link(),
        token_file=token_file,
    )


def _announce(ready: Ready, settings: Settings) -> None:
    output = Output(settings)
    if settings.is_json:
        output.json(ready.json())
        return
    rows = {
        "Pages": ready.operator,
        "Vehicles": ready.vehicle,
        "MQTT over TLS": f"port {ready.mqtt}",
        "Sign in (once)": ready.sign_in,
        "Token": str(ready.token_file),
    }
    output.message("Roadworthy runs; Ctrl-C stops it.")
    for name, value in rows.items():
        # Never wrapped, so that a link stays one that can be clicked or copied.
        output.out.print(Text.assemble((f"{name:<16}", "dim"), value), soft_wrap=True)


def _operator_tls(certificate: Path | None, key: Path | None) -> TlsServer | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise InputError(
            "belong together", value="--operator-cert and --operator-key", todo="give both"
        )
    return TlsServer(certificate, key)


def _read_token(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _keep_token(path: Path, token: str) -> None:
    replace_file(path, f"{token}\n".encode(), is_secret=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
