"""One conversation with the server: finds the token, opens the client, closes it."""

import contextlib
from collections.abc import Iterator
from urllib.parse import quote

import click

from roadworthy.base.errors import AccessError, InputError
from roadworthy.cli.files import read_file
from roadworthy.cli.output import Output
from roadworthy.cli.settings import Settings, settings_of
from roadworthy.cloud.client import OperatorClient

__all__ = ["Session", "path_of", "session"]

_TOKEN_BYTES_MAX = 4096


class Session:
    """What a command that talks to the server works with."""

    def __init__(self, settings: Settings, client: OperatorClient) -> None:
        self.settings = settings
        self.client = client
        self.output = Output(settings)


@contextlib.contextmanager
def session(context: click.Context) -> Iterator[Session]:
    """Open a session for a command.

    Raises:
        AccessError: no token was given.
        InputError: the token, its file or the authority's file is unusable.
    """
    settings = settings_of(context)
    with OperatorClient(settings.server, _token(settings), ca=settings.ca) as client:
        yield Session(settings, client)


def path_of(*parts: str | int) -> str:
    """Return the path below `/api/v1` for names that a person typed.

    Raises:
        InputError: a name is empty, or would change the path.
    """
    texts = [str(part) for part in parts]
    for text in texts:
        if text in {"", ".", ".."}:
            raise InputError("is not a name", value=repr(text))
    return "".join(f"/{quote(text, safe='')}" for text in texts)


def _token(settings: Settings) -> str:
    token = settings.token.strip()
    if not token and settings.token_file is not None:
        data = read_file(settings.token_file, size_bytes_max=_TOKEN_BYTES_MAX)
        token = data.decode("ascii", errors="replace").strip()
    if not token:
        raise AccessError(
            "is missing",
            value="token",
            todo="give --token-file FOLDER/operator.token, or set ROADWORTHY_TOKEN",
        )
    if not (token.isascii() and token.isprintable()):
        raise InputError("has characters that no token has", value="token")
    return token
