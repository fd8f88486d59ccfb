"""The files that pages load: their addresses (with a content hash) and integrity values.

Own files are part of the package. The few foreign ones (htmx, its SSE extension, uPlot) are
copied into `static/vendor` by `python -m roadworthy.cloud.web.assets`; without them pages are
plain HTML that work by links and forms, and say so.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

__all__ = ["OWN_FILES", "STATIC", "VENDOR_FILES", "StaticFile", "StaticFiles"]

STATIC = Path(__file__).parent / "static"
"""The folder to serve under /static."""

OWN_FILES: Mapping[str, str] = MappingProxyType(
    {
        "app.css": "app.css",
        "app.js": "app.js",
        "theme.js": "theme.js",
        "icons": "icons.svg",
        "logo": "logo.svg",
        "favicon": "favicon.svg",
    }
)
VENDOR_FILES: Mapping[str, str] = MappingProxyType(
    {
        "htmx": "vendor/htmx.min.js",
        "hx-sse": "vendor/hx-sse.min.js",
        "uplot": "vendor/uPlot.iife.min.js",
        "uplot.css": "vendor/uPlot.min.css",
    }
)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as pages refer to it."""

    url: str
    integrity: str


class StaticFiles:
    """Knows the address of each static file; reads each file once, when it is made.

    Args:
        folder: the folder that is served under /static.
    """

    def __init__(self, folder: Path = STATIC) -> None:
        self._files = {
            name: _read(folder, path)
            for name, path in {**OWN_FILES, **VENDOR_FILES}.items()
            if path in OWN_FILES.values() or (folder / path).is_file()
        }
        self.live = all(name in self._files for name in VENDOR_FILES)

    def asset(self, name: str) -> str:
        """Return the address of a file by its short name; it changes with the content."""
        return self._files[name].url

    def integrity(self, name: str) -> str:
        """Return the subresource integrity value of a file."""
        return self._files[name].integrity


def _read(folder: Path, path: str) -> StaticFile:
    digest = hashlib.sha384((folder / path).read_bytes()).digest()
    return StaticFile(
        url=f"/static/{path}?v={digest.hex()[:12]}",
        integrity=f"sha384-{base64.b64encode(digest).decode()}",
    )
