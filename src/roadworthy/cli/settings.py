"""What holds for every command: which server, who asks, how to answer.

An option wins over its environment variable, which wins over the profile in
`~/.config/roadworthy/config.toml`. The same options stand before and after the command.

    profile = "works"

    [profiles.works]
    server = "https://cloud.example:8080"
    token-file = "~/works.token"
    ca = "~/works-ca.pem"
    output = "table"
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from roadworthy.base.errors import InputError, NotFoundError

__all__ = ["DEFAULT_SERVER", "Settings", "global_options", "inherited_options", "settings_of"]

DEFAULT_SERVER = "http://127.0.0.1:8080"
_FOLDER = "roadworthy"
_KEYS = frozenset({"server", "token_file", "ca", "output"})


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options.

    server: address of the operators' listener.
    token, token_file: who asks; the token wins.
    ca: authority that the server's certificate must come from; None for the system's.
    output: `table` or `json`.
    """

    server: str = DEFAULT_SERVER
    token: str = ""
    token_file: Path | None = None
    ca: Path | None = None
    output: str = "table"
    no_color: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def is_json(self) -> bool:
        """Whether a program reads the output."""
        return self.output == "json"


def settings_of(context: click.Context) -> Settings:
    """Return the settings of this run, from whichever place they were given at."""
    found = context.find_root().obj
    return found if isinstance(found, Settings) else Settings()


def global_options() -> list[click.Parameter]:
    """Return the options of the program itself, with their environment variables."""
    profile = click.Option(
        ["--profile"],
        envvar="ROADWORTHY_PROFILE",
        metavar="NAME",
        is_eager=True,
        expose_value=False,
        callback=_load_profile,
        help="Take settings from this profile of the configuration file.",
    )
    return [profile, *_options(is_root=True)]


def inherited_options() -> list[click.Parameter]:
    """Return the same options for use after a command; hidden there, to keep its help short."""
    return _options(is_root=False)


def _options(*, is_root: bool) -> list[click.Parameter]:
    file = click.Path(path_type=Path, dir_okay=False)

    def option(name: str, envvar: str | None = None, **more: Any) -> click.Parameter:  # noqa: ANN401
        return click.Option(
            [name],
            envvar=envvar if is_root else None,
            show_envvar=envvar is not None,
            hidden=not is_root,
            expose_value=False,
            callback=_store,
            **more,
        )

    output = click.Choice(["table", "json"])
    return [
        option(
            "--server",
            "ROADWORTHY_SERVER",
            metavar="URL",
            help=f"Address of the server; {DEFAULT_SERVER} if nothing is given.",
        ),
        option("--token", "ROADWORTHY_TOKEN", metavar="TEXT", help="Token that says who asks."),
        option("--token-file", "ROADWORTHY_TOKEN_FILE", type=file, help="File with the token."),
        option("--ca", "ROADWORTHY_CA", type=file, help="PEM file of the server's authority."),
        option("--output", "ROADWORTHY_OUTPUT", type=output, help="For people or for programs."),
        option("--no-color", is_flag=True, help="Print without colours; NO_COLOR does the same."),
        option("--quiet", is_flag=True, help="Print data and errors only."),
        option("--verbose", is_flag=True, help="Tell on stderr what is done."),
    ]


def _store(context: click.Context, option: click.Parameter, value: object) -> object:
    name = option.name or ""
    is_default = context.get_parameter_source(name) is click.core.ParameterSource.DEFAULT
    if not is_default and value is not None:
        given: dict[str, Any] = {name: value.expanduser() if isinstance(value, Path) else value}
        context.find_root().obj = replace(settings_of(context), **given)
    return value


def _load_profile(context: click.Context, _: click.Parameter, value: str | None) -> str | None:
    if context.resilient_parsing:
        return value
    path = Path(click.get_app_dir(_FOLDER)) / "config.toml"
    try:
        raw = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raw = {}
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read ({error})", value=str(path)) from error
    if context.default_map is not None:
        context.default_map.update(_profile(raw, value, path))
    return value


def _profile(raw: Mapping[str, Any], asked: str | None, path: Path) -> dict[str, Any]:
    name, profiles = asked or raw.get("profile", ""), raw.get("profiles", {})
    if not name:
        return {}
    found = profiles.get(name) if isinstance(profiles, dict) else None
    if not isinstance(found, dict):
        raise NotFoundError(
            "no such profile", value=str(name), todo=f"add [profiles.{name}] to {path}"
        )
    settings = {str(key).replace("-", "_"): value for key, value in found.items()}
    unknown = sorted(settings.keys() - _KEYS)
    if unknown or not all(isinstance(value, str) for value in settings.values()):
        raise InputError(
            f"has something else than texts for {', '.join(sorted(_KEYS))}",
            value=f"{path}: profiles.{name}",
        )
    return settings
