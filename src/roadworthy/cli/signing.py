"""Signs releases: with the server in reach, or in two steps on a machine without a network.

What is signed is shown before, taken from the very bytes that are signed.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import InputError
from roadworthy.cli.commands import Command
from roadworthy.cli.files import FILE, read_file, write_output
from roadworthy.cli.output import Output, make_table
from roadworthy.cli.session import Session, path_of, session
from roadworthy.cli.settings import settings_of
from roadworthy.trust.errors import MalformedError
from roadworthy.trust.keys import signer_from_pem
from roadworthy.trust.tuf import CryptoSigner

__all__ = ["add_signature", "payload", "sign", "sign_payload"]

_PAYLOAD_BYTES_MAX = 64 << 20
_ENCRYPTED = b"ENCRYPTED"
_SHORT = 16
_KEY_OPTION = click.option(
    "--key", "files", multiple=True, required=True, type=FILE, help="Private key (PEM)."
)
_OUTPUT_OPTION = click.option(
    "-o", "to", required=True, type=FILE, help="File to write; - for standard output."
)


class OneSignature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signature and whose it is."""

    keyid: str
    sig: str


class SignatureFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes back from the machine without a network."""

    payload_sha256: str
    signatures: list[OneSignature]


@click.command("sign", cls=Command)
@click.argument("release_id", metavar="ID")
@_KEY_OPTION
@click.pass_context
def sign(context: click.Context, *, release_id: str, files: Sequence[Path]) -> None:
    """Sign release ID with keys on this machine.

    The last signature that is needed puts the release in force.
    """
    signers = [_signer(file) for file in files]
    with session(context) as here:
        data = here.client.get_bytes(path_of("releases", release_id, "payload"))
        _show_payload(here.output, data)
        _hand_in(here, release_id, _sign(data, signers).signatures)


@click.command("payload", cls=Command)
@click.argument("release_id", metavar="ID")
@_OUTPUT_OPTION
@click.pass_context
def payload(context: click.Context, *, release_id: str, to: Path) -> None:
    """Write what is to be signed for release ID, to carry it to another machine."""
    with session(context) as here:
        data = here.client.get_bytes(path_of("releases", release_id, "payload"))
        write_output(to, data)
        here.output.message(f"{len(data)} bytes, SHA-256 {sha256_hex(data)}")


@click.command("sign-payload", cls=Command)
@click.argument("file", type=FILE)
@_KEY_OPTION
@_OUTPUT_OPTION
@click.pass_context
def sign_payload(context: click.Context, *, file: Path, files: Sequence[Path], to: Path) -> None:
    """Sign a payload FILE on a machine that needs no network."""
    output = Output(settings_of(context))
    data = read_file(file, size_bytes_max=_PAYLOAD_BYTES_MAX)
    _show_payload(output, data)
    made = _sign(data, [_signer(each) for each in files])
    write_output(to, msgspec.json.encode(made) + b"\n")
    output.message(f"Signed the payload with SHA-256 {made.payload_sha256}")


@click.command("add-signature", cls=Command)
@click.argument("release_id", metavar="ID")
@click.argument("file", type=FILE)
@click.pass_context
def add_signature(context: click.Context, *, release_id: str, file: Path) -> None:
    """Hand in the signatures for release ID that FILE holds."""
    try:
        brought = msgspec.json.decode(read_file(file), type=SignatureFile)
    except (msgspec.DecodeError, ValueError) as error:
        raise InputError(
            f"holds no signatures ({error})", value=str(file), todo="make it with sign-payload"
        ) from error
    with session(context) as here:
        _hand_in(here, release_id, brought.signatures)


def _hand_in(here: Session, release_id: str, signatures: Sequence[OneSignature]) -> None:
    answer = None
    for signature in signatures:
        body = {"keyid": signature.keyid, "sig": signature.sig}
        answer = here.client.post(path_of("releases", release_id, "signatures"), body)
    if answer is None:
        raise InputError("holds no signature", value="file", todo="make it with sign-payload")
    if here.settings.is_json:
        here.output.json(answer)
        return
    in_force = answer["state"] == "signed"
    here.output.message(
        f"{release_id} is signed and in force"
        if in_force
        else f"{release_id}: signatures so far: {len(answer['signed_by'])}, more are needed"
    )


def _sign(data: bytes, signers: Sequence[CryptoSigner]) -> SignatureFile:
    made = [signer.sign(data) for signer in signers]
    return SignatureFile(sha256_hex(data), [OneSignature(it.keyid, it.signature) for it in made])


def _signer(file: Path) -> CryptoSigner:
    pem = read_file(file)
    password = None
    if _ENCRYPTED in pem:
        text = click.prompt(f"Password of {file.name}", hide_input=True, err=True)
        password = str(text).encode()
    try:
        return signer_from_pem(pem, password)
    except MalformedError as error:
        raise InputError(error.happened, value=str(file), todo=error.todo) from error


def _show_payload(output: Output, data: bytes) -> None:
    try:
        signed = json.loads(data)
        targets = [
            (name, target["custom"]["version"], target["length"], target["hashes"]["sha256"])
            for name, target in signed["targets"].items()
        ]
        rows = [(name, str(v), f"{int(n):,}", str(h)[:_SHORT]) for name, v, n, h in targets]
        title = f"Images metadata {int(signed['version'])}, until {str(signed['expires'])[:10]}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            "is not a release's payload", value="payload", todo="fetch it with release payload"
        ) from error
    if not output.settings.quiet and not output.settings.is_json:
        output.message(title)
        output.err.print(make_table(["Image", "Version", ">Bytes", "SHA-256"], rows))
