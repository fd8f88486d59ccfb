"""A small server with the real pages and a scripted campaign: `python -m … PORT`.

Nothing moves by itself: `POST /reset?step=N` puts the running campaign to a step, and open
pages hear of it as they do in production. So a test decides when its moment comes, however
slow the machine is. `/full/sample/NAME` and `/empty/sample/NAME` show every sample.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import uvicorn
from litestar import Litestar, Request, get, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.params import Body, Parameter
from litestar.response import Redirect, Response, Stream
from litestar.static_files import create_static_files_router
from tests.cloud.web import fleet_samples, samples

from roadworthy.cloud.web import views
from roadworthy.cloud.web.live import LiveStream
from roadworthy.cloud.web.render import CONTENT_SECURITY_POLICY, Renderer
from roadworthy.cloud.web.static_files import STATIC

STREAM_EVERY_S = 0.3
START = 40
HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
Chosen = Annotated[str, Parameter(query="state")]
ViewNow = Callable[[], views.View]


@dataclass
class Script:
    """Where the scripted campaign is."""

    step: int = START
    state: str = "running"


script = Script()
renderer = Renderer()


def html(text: str, status: int = 200) -> Response[str]:
    return Response(text, media_type="text/html", status_code=status, headers=HEADERS)


def page(view: views.View, status: int = 200) -> Response[str]:
    return html(renderer.page(view, samples.FRAME), status)


def table(request: Request[Any, Any, Any]) -> views.VehicleTableView:
    query = request.query_params
    return samples.table(
        script.step,
        stage=query.get("stage", ""),
        text=query.get("text", ""),
        page=int(query.get("page", "1")),
    )


def campaign(vehicles: views.VehicleTableView | None = None) -> views.CampaignView:
    return samples.campaign(script.step, state=script.state, vehicles=vehicles)


async def stream(view_now: ViewNow) -> AsyncIterator[bytes]:
    live = LiveStream(renderer)
    while True:
        yield live.update(view_now(), samples.FRAME)
        await asyncio.sleep(STREAM_EVERY_S)


def events(view_now: ViewNow) -> Stream:
    return Stream(stream(view_now), media_type="text/event-stream")


@get("/")
async def overview() -> Response[str]:
    return page(fleet_samples.overview(script.step))


@get("/events")
async def overview_events() -> Stream:
    return events(lambda: fleet_samples.overview(script.step))


@get("/campaigns")
async def campaigns(chosen: Chosen = "") -> Response[str]:
    return page(samples.campaign_list(chosen))


@get("/campaigns/{name:str}")
async def campaign_page(request: Request[Any, Any, Any], name: str) -> Response[str]:
    if name != "c-7f21":
        return page(fleet_samples.PROBLEM, 404)
    return page(campaign(table(request)))


@get("/campaigns/{name:str}/events")
async def campaign_events(name: str) -> Stream:
    assert name
    return events(campaign)


@get("/campaigns/{name:str}/vehicles")
async def campaign_vehicles(request: Request[Any, Any, Any], name: str) -> Response[str]:
    assert name
    return html(renderer.vehicle_table(table(request), samples.FRAME))


@post("/campaigns/{name:str}/{action:str}", status_code=303)
async def act(name: str, action: str, data: Form) -> Response[Any]:
    if data.get("csrf_token") != samples.FORM_VALUE:
        return page(views.ProblemView(403, "Access denied", "the form is too old"), 403)
    if action not in campaign().actions:
        problem = views.ProblemView(409, "Conflict", f"a {script.state} campaign can't {action}")
        return page(problem, 409)
    script.state = {"pause": "paused", "resume": "running", "abort": "aborted"}[action]
    return Redirect(f"/campaigns/{name}", status_code=303)


@get("/vehicles")
async def vehicles(chosen: Chosen = "", text: str = "") -> Response[str]:
    return page(fleet_samples.vehicle_list(state=chosen, text=text))


@get("/vehicles/{key:str}")
async def vehicle(key: str) -> Response[str]:
    assert key
    return page(fleet_samples.vehicle())


@get("/vehicles/{key:str}/events")
async def vehicle_events(key: str) -> Stream:
    assert key
    return events(fleet_samples.vehicle)


@get("/releases")
async def releases() -> Response[str]:
    return page(fleet_samples.release_list())


@get("/releases/{name:str}")
async def release(name: str) -> Response[str]:
    assert name
    return page(fleet_samples.release())


@get("/ledger")
async def ledger() -> Response[str]:
    return page(fleet_samples.ledger())


@get("/{kind:str}/sample/{name:str}")
async def sample(kind: str, name: str) -> Response[str]:
    found = {"full": fleet_samples.ALL, "empty": fleet_samples.EMPTY}[kind].get(name)
    if found is None:
        raise HTTPException(status_code=404)
    inside = not isinstance(found, views.SignInView)
    frame = samples.FRAME if inside else views.Frame(now=samples.NOW, csrf_token=samples.FORM_VALUE)
    still = renderer.page(found, frame).replace("hx-sse:connect", "data-still")
    return html(still)


@post("/reset", status_code=204)
async def reset(step: int = START) -> None:
    script.step, script.state = step, "running"


app = Litestar(
    route_handlers=[
        overview,
        overview_events,
        campaigns,
        campaign_page,
        campaign_events,
        campaign_vehicles,
        act,
        vehicles,
        vehicle,
        vehicle_events,
        releases,
        release,
        ledger,
        sample,
        reset,
        create_static_files_router("/static", [STATIC]),
    ],
    openapi_config=None,
)

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
