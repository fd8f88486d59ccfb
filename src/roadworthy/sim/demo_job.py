"""The main job of the demo, done as its users do it: through the operator API.

Import images, draft two releases, sign each with two offline keys, wait for the deltas,
create a campaign of three waves and start it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from roadworthy.base.clock import Clock
from roadworthy.cloud.client import OperatorClient
from roadworthy.sim.vehicle_types import UPDATABLE, SoftwareSet, factory_release, new_release
from roadworthy.trust.keys import signer_from_pem

__all__ = ["CAMPAIGN", "NEW_RELEASE", "CampaignJob", "publish"]

CAMPAIGN = "winter-rollout"
FACTORY_RELEASE = "factory-2025-4"
NEW_RELEASE = "winter-2026-1"
_POLL_S = 0.25
_SIGNERS = ("targets-1", "targets-2")


def publish(client: OperatorClient, offline: Path) -> None:
    """Upload the images, draft both releases and sign them with two offline keys each."""
    for release_id, content in ((FACTORY_RELEASE, factory_release()), (NEW_RELEASE, new_release())):
        client.post("/releases", _manifest(client, release_id, content))
        payload = client.get_bytes(f"/releases/{release_id}/payload")
        for name in _SIGNERS:
            signature = signer_from_pem((offline / f"{name}.pem").read_bytes()).sign(payload)
            body = {"keyid": signature.keyid, "sig": signature.signature}
            client.post(f"/releases/{release_id}/signatures", body)


class CampaignJob:
    """The campaign, from creation to its end.

    Args:
        client: with the scope `campaigns`.
        clock: for pauses.
    """

    def __init__(self, client: OperatorClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def wait_for_inventories(self, vehicles: int) -> None:
        """Return when every vehicle has reported its ECUs."""
        while sum(1 for one in self._client.pages("/vehicles") if one["ecus"]) < vehicles:
            await self._clock.sleep(_POLL_S)

    async def start(self, canary: Sequence[str]) -> None:
        """Create the campaign and start it once its deltas are made."""
        self._client.post(
            "/campaigns",
            {
                "id": CAMPAIGN,
                "name": "Winter rollout",
                "release_id": NEW_RELEASE,
                "waves": [
                    {"name": "Canary", "size": len(canary), "vehicles": list(canary)},
                    {"name": "Early fleet", "share": 0.2},
                    {"name": "Whole fleet", "share": 1.0},
                ],
                "gate": {"failure_share_max": 0.1, "reached_min": 10, "soak_s": 2.0}
                | {"silent_after_s": 600.0},
                "offers_open_max": 12,
            },
        )
        while not self._deltas_made():
            await self._clock.sleep(_POLL_S)
        self._client.post(f"/campaigns/{CAMPAIGN}/start", {"reason": "demo"})

    def state(self) -> Mapping[str, Any]:
        """Return the campaign as it stands."""
        found: Mapping[str, Any] = self._client.get(f"/campaigns/{CAMPAIGN}")
        return found

    def resume(self) -> None:
        """Do what an operator does after a look at a known fault."""
        reason = {"reason": "one ECU refuses to be programmed; known, accepted"}
        self._client.post(f"/campaigns/{CAMPAIGN}/resume", reason)

    def members(self) -> list[dict[str, Any]]:
        """Return every vehicle of the campaign."""
        return list(self._client.pages(f"/campaigns/{CAMPAIGN}/vehicles"))

    def _deltas_made(self) -> bool:
        release = self._client.get(f"/releases/{NEW_RELEASE}")
        return bool(release["deltas_ready"])


def _manifest(client: OperatorClient, release_id: str, content: SoftwareSet) -> dict[str, Any]:
    images = [content.images[hardware_id] for hardware_id in sorted(UPDATABLE)]
    return {
        "id": release_id,
        "name": content.name,
        "version": content.version,
        "notes": "Real firmware: GreatFET, OpenSBI and Trusted Firmware-A.",
        "artifacts": [
            {
                "name": image.name,
                "hardware_id": image.hardware_id,
                "version": image.version,
                "release_counter": image.release_counter,
                "order": image.order,
                "sha256": client.upload(image.data),
            }
            for image in images
        ],
    }
