"""The examples are what the command line takes, and they fit together."""

from pathlib import Path

from roadworthy.cli.campaign import Plan
from roadworthy.cli.files import load_toml
from roadworthy.cli.release import Manifest

EXAMPLES = Path("examples")


def test_the_example_release_names_images_that_are_there() -> None:
    manifest = load_toml(EXAMPLES / "release.toml", Manifest)
    assert len(manifest.artifact) == 3
    for artifact in manifest.artifact:
        assert (EXAMPLES / artifact.file).is_file()


def test_the_example_campaign_brings_the_example_release() -> None:
    plan = load_toml(EXAMPLES / "plan.toml", Plan)
    assert plan.release == load_toml(EXAMPLES / "release.toml", Manifest).id
    assert [wave.name for wave in plan.wave] == ["Canary", "Early fleet", "Whole fleet"]
