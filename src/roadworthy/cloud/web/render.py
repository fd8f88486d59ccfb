"""Draws views as pages, and the parts of pages that change while somebody looks at them.

A page is whole and readable without scripts. Its live parts are elements with an id that an
event stream replaces: `live_parts` draws exactly the templates that the page itself includes,
so the first view and every update can't differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from roadworthy.cloud.web import charts, views, wording
from roadworthy.cloud.web.marks import mark
from roadworthy.cloud.web.static_files import StaticFiles

__all__ = ["CONTENT_SECURITY_POLICY", "LIVE_PARTS", "Renderer", "partials"]

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
"""The header to send with every page: own files only, nothing inline, no framing."""

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class _Page:
    """A template, the entry of the menu it belongs to, and its parts that change live."""

    template: str
    section: str
    parts: tuple[str, ...] = ()


_PAGES: Mapping[type, _Page] = MappingProxyType(
    {
        views.OverviewView: _Page(
            "overview.html",
            "overview",
            (
                "overview-attention",
                "overview-fleet",
                "overview-running",
                "overview-adoption",
                "overview-events",
            ),
        ),
        views.CampaignListView: _Page("campaigns.html", "campaigns"),
        views.CampaignView: _Page(
            "campaign.html",
            "campaigns",
            (
                "campaign-head",
                "campaign-figures",
                "campaign-funnel",
                "campaign-failures",
                "campaign-waves",
                "campaign-events",
            ),
        ),
        views.VehicleListView: _Page("vehicles.html", "vehicles"),
        views.VehicleView: _Page(
            "vehicle.html",
            "vehicles",
            (
                "vehicle-head",
                "vehicle-problems",
                "vehicle-ecus",
                "vehicle-installations",
                "vehicle-events",
            ),
        ),
        views.ReleaseListView: _Page("releases.html", "releases"),
        views.ReleaseView: _Page("release.html", "releases"),
        views.LedgerView: _Page("ledger.html", "ledger"),
        views.SignInView: _Page("sign_in.html", ""),
        views.ProblemView: _Page("problem.html", ""),
    }
)

LIVE_PARTS: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {view: page.parts for view, page in _PAGES.items() if page.parts}
)
"""The ids of the parts that change live, by the type of view; each names its template."""


class Renderer:
    """Turns views into HTML; holds compiled templates and the addresses of static files."""

    def __init__(self, files: StaticFiles | None = None) -> None:
        self.files = files or StaticFiles()
        self._environment = _environment(self.files)

    def page(self, view: views.View, frame: views.Frame) -> str:
        """Return the whole page for `view`."""
        page = _PAGES[type(view)]
        return self._draw(page.template, view, frame, page.section)

    def vehicle_table(self, view: views.VehicleTableView, frame: views.Frame) -> str:
        """Return the content of a campaign's vehicle table, for its filter, pages and refresh."""
        return self._draw("parts/vehicle-table.html", view, frame)

    def live_parts(self, view: views.View, frame: views.Frame) -> dict[str, str]:
        """Return each live part of the page for `view`: id of the element to its content."""
        return {
            part: self._draw(f"parts/{part}.html", view, frame)
            for part in LIVE_PARTS.get(type(view), ())
        }

    def campaign_live(self, view: views.CampaignView, frame: views.Frame) -> str:
        """Return all live parts of a campaign page as one message for its event stream."""
        return partials(self.live_parts(view, frame))

    def _draw(self, template: str, view: object, frame: views.Frame, section: str = "") -> str:
        return self._environment.get_template(template).render(
            view=view, frame=frame, section=section
        )


def partials(parts: Mapping[str, str]) -> str:
    """Wrap parts so that htmx morphs each into the element with its id; focus stays."""
    return "\n".join(
        f'<hx-partial hx-target="#{part}" hx-swap="innerMorph">{html}</hx-partial>'
        for part, html in parts.items()
    )


def _environment(files: StaticFiles) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        asset=files.asset,
        integrity=files.integrity,
        live=files.live,
        mark=mark,
        stages=views.STAGES,
        stack_bar=charts.stack_bar,
        sparkline=charts.sparkline,
        burn_chart=charts.burn_chart,
        burn_columns=charts.burn_columns,
    )
    environment.filters.update(
        number=wording.number,
        size=wording.size,
        percent=wording.percent,
        duration=wording.duration,
        ago=wording.ago,
        clock=wording.clock_time,
        short=wording.short_hash,
    )
    return environment
