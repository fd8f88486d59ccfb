"""How the operator API shows the ways from what vehicles run to a release."""

import msgspec

from roadworthy.cloud.deltas import Route

__all__ = ["RouteOut"]


class RouteOut(msgspec.Struct, frozen=True):
    """From an image that vehicles run to the one that a release has for them.

    state: `ready` (by a delta), `missing` (by one that is still to be made), or as the whole
        image: `full` (no delta is smaller), `unknown` (nobody uploaded the base), `left-out`
        (too many other bases are more common).
    sent_bytes: what one vehicle has to download; null while that is not known.
    """

    hardware_id: str
    base_version: str
    base_sha256: str
    version: str
    vehicles: int
    state: str
    sent_bytes: int | None
    full_bytes: int

    @classmethod
    def of(cls, route: Route) -> "RouteOut":
        """Return a route as the API shows it."""
        return cls(
            hardware_id=route.artifact.hardware_id,
            base_version=route.version,
            base_sha256=route.base,
            version=route.artifact.version,
            vehicles=route.vehicles,
            state=route.state.value,
            sent_bytes=route.sent_bytes,
            full_bytes=route.artifact.length_bytes,
        )
