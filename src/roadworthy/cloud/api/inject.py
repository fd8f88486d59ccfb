"""What routes are given beside the request: the desk and the renderer, wired by `main`."""

from litestar.di import NamedDependency

from roadworthy.cloud.desk import Desk
from roadworthy.cloud.web.render import Renderer

__all__ = ["GivenDesk", "GivenRenderer"]

GivenDesk = NamedDependency[Desk]
GivenRenderer = NamedDependency[Renderer]
