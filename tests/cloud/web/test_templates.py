"""House rules of the templates: a few htmx attributes only, no code, nothing inline."""

import dataclasses
import re
from pathlib import Path

import pytest

from roadworthy.cloud.web import marks, render, views
from roadworthy.cloud.web.static_files import STATIC

TEMPLATES = sorted((Path(render.__file__).parent / "templates").rglob("*.html"))
ALLOWED = {
    "hx-get",
    "hx-post",
    "hx-target",
    "hx-select",
    "hx-swap",
    "hx-trigger",
    "hx-include",
    "hx-sync",
    "hx-sse:connect",
    "hx-status:4xx",
    "hx-status:5xx",
}
ICONS = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons.svg").read_text()))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_uses_only_the_htmx_attributes_that_need_no_eval(path: Path) -> None:
    text = path.read_text()
    assert set(re.findall(r'[\s"](hx-[\w:-]+)=', text)) <= ALLOWED
    assert "js:" not in text
    for trigger in re.findall(r'hx-trigger="([^"]*)"', text):
        assert "[" not in trigger, "a trigger filter is evaluated as code"
        assert not re.search(r"from:[^#]", trigger), "htmx ignores a selector with a space"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_has_nothing_inline_and_nothing_unescaped(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle=", text)
    assert not re.search(r"\son\w+=", text)
    assert not re.search(r"<style|<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"\|\s*safe\b|autoescape", text)
    assert "http:" not in text
    assert "https:" not in text


def test_every_icon_that_is_used_is_drawn() -> None:
    used = {look.icon for look in marks.MARKS.values()} | {marks.mark("new-word").icon}
    for path in TEMPLATES:
        used |= set(re.findall(r"icon\('([\w-]+)'", path.read_text()))
        used |= set(re.findall(r"icon\('[\w-]+' if [^}]*? else '([\w-]+)'\)", path.read_text()))
    assert used <= ICONS


def test_every_word_has_a_label_and_a_tone_of_the_style_sheet() -> None:
    style = (STATIC / "app.css").read_text()
    for word in (*marks.MARKS, *views.STAGES):
        look = marks.mark(word)
        assert look.label
        assert f".fill-{look.tone}" in style
    assert marks.mark("half-done") == marks.Mark("dot", "neutral", "Half done")


def test_the_one_page_script_stays_small_and_safe() -> None:
    text = (STATIC / "app.js").read_text()
    assert len(text.splitlines()) < 300
    for unsafe in ("innerHTML", "eval(", "new Function", "document.write", "insertAdjacentHTML"):
        assert unsafe not in text


def test_every_fact_of_a_view_is_shown_somewhere() -> None:
    package = Path(render.__file__).parent
    readers = [*TEMPLATES, package / "charts.py", package / "live.py"]
    text = "\n".join(path.read_text() for path in readers)
    shown = set(re.findall(r"\.(\w+)", text)) | set(re.findall(r"attribute='(\w+)'", text))
    for name in views.__all__:
        if dataclasses.is_dataclass(part := getattr(views, name)):
            for field in dataclasses.fields(part):
                assert field.name in shown, f"{name}.{field.name}"
