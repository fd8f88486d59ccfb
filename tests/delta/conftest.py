"""Images that the tests of the codec share: shipped firmware pairs and made-up ones."""

from pathlib import Path

import pytest

import roadworthy

FIRMWARE = Path(roadworthy.__file__).parent / "sim" / "firmware"
LENGTH_MAX = 120_000
PAIRS = sorted(path.name for path in FIRMWARE.iterdir() if (path / "old.bin").exists())


@pytest.fixture(scope="session", params=PAIRS)
def pair(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    """Base and target of a shipped firmware pair, the large ones cut to keep tests fast."""
    folder = FIRMWARE / str(request.param)
    old, new = (folder / "old.bin").read_bytes(), (folder / "new.bin").read_bytes()
    return old[:LENGTH_MAX], new[:LENGTH_MAX]
