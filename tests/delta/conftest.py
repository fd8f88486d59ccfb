"""Images that the tests of the codec share: shipped firmware pairs and made-up ones."""

from pathlib import Path

import pytest

import roadworthy

FIRMWARE = Path(roadworthy.__file__).parent / "sim" / "firmware"
LENGTH_MAX = 120_000
PAIRS = sorted(path.name for path in FIRMWARE.iterdir() if (path / "old.bin").exists())


@pytest.fixture(scope="session", params=PAIRS)
def whole_pair(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    """Base and target of a shipped firmware pair."""
    folder = FIRMWARE / str(request.param)
    return (folder / "old.bin").read_bytes(), (folder / "new.bin").read_bytes()


@pytest.fixture(scope="session")
def pair(whole_pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """The same, the large ones cut to keep tests fast."""
    old, new = whole_pair
    return old[:LENGTH_MAX], new[:LENGTH_MAX]
