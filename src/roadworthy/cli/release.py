"""`roadworthy release`: from files to a signed release."""

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.text import Text

from roadworthy.cli.commands import Command
from roadworthy.cli.files import FILE, load_toml, read_file
from roadworthy.cli.output import Output, local_time, state_text
from roadworthy.cli.savings import ROUTE_COLUMNS, route_rows, saved_text
from roadworthy.cli.session import path_of, session
from roadworthy.cli.signing import add_signature, payload, sign, sign_payload

__all__ = ["release"]

_IMAGE_BYTES_MAX = 4 << 30
_SHORT = 16
_CREATE_HELP = """Upload the images that MANIFEST names and draft a release of them.

An image that is larger than the slots that vehicles report for its hardware is refused.

\b
id = "spring-2026"
name = "Spring 2026"
version = "4.2"
notes = "Shorter braking distance."
[[artifact]]
file = "brake-4.2.bin"
name = "brake-4.2.bin"
hardware_id = "brake-b2"
version = "4.2"
release_counter = 42
order = 0
"""


class ArtifactPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An image of the release; file: relative to the manifest."""

    file: str
    name: str
    hardware_id: str
    version: str
    release_counter: int
    order: int = 0


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a release is made of."""

    id: str
    name: str
    version: str
    artifact: list[ArtifactPlan]
    notes: str = ""


@click.command("create", cls=Command, help=_CREATE_HELP)
@click.argument("manifest", type=FILE)
@click.pass_context
def create(context: click.Context, *, manifest: Path) -> None:
    """Upload the images of a manifest and draft a release."""
    plan = load_toml(manifest, Manifest)
    images = [
        read_file(manifest.parent / item.file, size_bytes_max=_IMAGE_BYTES_MAX)
        for item in plan.artifact
    ]
    with session(context) as here:
        artifacts = []
        for item, image in zip(plan.artifact, images, strict=True):
            here.output.message(f"{item.file}: {len(image):,} bytes")
            described: dict[str, Any] = msgspec.to_builtins(item)
            del described["file"]
            artifacts.append(described | {"sha256": here.client.upload(image)})
        body = {"id": plan.id, "name": plan.name, "version": plan.version, "notes": plan.notes}
        answer = here.client.post("/releases", body | {"artifacts": artifacts})
        _show(here.output, answer)
        if answer["state"] == "draft":
            here.output.message(f"Next: roadworthy release sign {plan.id} --key FILE --key FILE")


@click.command("list", cls=Command)
@click.pass_context
def list_all(context: click.Context) -> None:
    """List releases, newest first."""
    with session(context) as here:
        found = list(here.client.pages("/releases"))
        if here.settings.is_json:
            here.output.json(found)
            return
        rows = [
            (
                item["id"],
                item["name"],
                item["version"],
                state_text(item["state"]),
                len(item["artifacts"]),
                len(item["signed_by"]),
                local_time(item["created_at"]),
            )
            for item in found
        ]
        here.output.table(
            ["Id", "Name", "Version", "State", ">Images", ">Signatures", "Drafted"], rows
        )


@click.command("show", cls=Command)
@click.argument("release_id", metavar="ID")
@click.pass_context
def show(context: click.Context, *, release_id: str) -> None:
    """Show release ID, its images, and what vehicles need for it."""
    with session(context) as here:
        _show(here.output, here.client.get(path_of("releases", release_id)))


def _show(output: Output, item: dict[str, Any]) -> None:
    if output.settings.is_json:
        output.json(item)
        return
    output.fields(
        {
            "Release": Text(item["id"], style="bold"),
            "Name": f"{item['name']} {item['version']}",
            "State": state_text(item["state"]),
            "Signed by": ", ".join(keyid[:_SHORT] for keyid in item["signed_by"]),
            "In force since": local_time(item["signed_at"]),
            "Drafted": f"{local_time(item['created_at'])} by {item['created_by']}",
            "Notes": item["notes"],
            "Whole fleet takes": saved_text(item["saving"]),
        }
    )
    output.gap()
    output.table(
        [">Order", "Hardware", "Image", "Version", ">Counter", ">Bytes", "SHA-256"],
        [
            (
                artifact["order"],
                artifact["hardware_id"],
                artifact["name"],
                artifact["version"],
                artifact["release_counter"],
                f"{artifact['length_bytes']:,}",
                artifact["sha256"][:_SHORT],
            )
            for artifact in sorted(item["artifacts"], key=lambda one: one["order"])
        ],
    )
    if item["routes"]:
        output.gap()
        output.table(ROUTE_COLUMNS, route_rows(item["routes"]))


release = click.Group(
    "release",
    help="Draft, sign and look at releases.",
    commands=[create, sign, payload, sign_payload, add_signature, list_all, show],
)
