"""The cloud in virtual time: the real services on the in-memory store, without HTTP and MQTT.

Every call is one write, as in production: it happens whole or not at all. What a vehicle
reports is taken in by `cloud.intake`, decisions are those of `cloud.engine`.
"""

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from roadworthy.base.errors import RoadworthyError
from roadworthy.base.ids import Sha256, VehicleKey
from roadworthy.cloud import engine, intake
from roadworthy.cloud.authority import Authority
from roadworthy.cloud.ports import Store, Tables
from roadworthy.cloud.repositories import (
    IMAGES,
    director_file,
    grants,
    images_file,
    needs_renewal,
    renew,
)

__all__ = ["SimulatedCloud", "finish"]

_NOTICE = b'{"type":"notice"}'
_TIMESTAMP = "timestamp.json"
Answer = TypeVar("Answer")


def finish(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a coroutine that never has to wait, and return its answer."""
    try:
        work.send(None)
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer
    work.close()
    raise RuntimeError("the coroutine waits for something")


class SimulatedCloud:
    """The server's side of a run; implements `sim.ports.Backend`.

    Args:
        store: the tables.
        authority: the online keys.
        artifacts: images and deltas by hash.
        now: the run's time.
        send: the way down to a vehicle.
    """

    def __init__(
        self,
        store: Store,
        authority: Authority,
        artifacts: Mapping[Sha256, bytes],
        *,
        now: Callable[[], datetime],
        send: Callable[[VehicleKey, bytes], None],
    ) -> None:
        self.authority = authority
        self._store = store
        self._artifacts = artifacts
        self._now = now
        self._send = send

    def tables(self) -> Tables:
        """Return tables for reading."""
        return self._store.read()

    def write(self, work: Callable[[Tables], Answer]) -> Answer:
        """Change the tables, wholly or not at all."""
        return finish(self._store.write(work))

    def metadata(self, vehicle: VehicleKey, repository: str, name: str) -> bytes | None:
        """Return a metadata file, or None; timestamps are signed anew when they get old."""
        now = self._now()
        table = self.tables().metadata
        if name == _TIMESTAMP and needs_renewal(table, vehicle, now=now):
            self.write(lambda tables: renew(tables.metadata, self.authority, vehicle, now=now))
            table = self.tables().metadata
        if repository == IMAGES:
            return images_file(table, name)
        return director_file(table, vehicle, name)

    def artifact(self, vehicle: VehicleKey, sha256: Sha256) -> bytes | None:
        """Return an artifact of the vehicle's offer, or None."""
        if sha256 not in grants(self.tables().metadata, vehicle):
            return None
        return self._artifacts.get(sha256)

    def report(self, vehicle: VehicleKey, payload: bytes) -> None:
        """Take in a report and answer it."""
        now = self._now()
        try:
            answer = self.write(lambda tables: intake.accept(tables, vehicle, payload, now=now))
        except RoadworthyError as error:
            refused = error
            answer = self.write(
                lambda tables: intake.refuse(tables, vehicle, payload, refused, now=now)
            )
        self._send(vehicle, msgspec.json.encode(answer))

    def tick(self, campaign_id: str) -> tuple[VehicleKey, ...]:
        """Let the engine decide once; notify and return the vehicles that got an offer."""
        now = self._now()
        offered = self.write(
            lambda tables: engine.tick(tables, self.authority, campaign_id, now=now)
        )
        for vehicle in offered:
            self._send(vehicle, _NOTICE)
        return offered
