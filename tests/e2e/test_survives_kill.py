"""The server is killed in the middle of a rollout, again and again, and nothing is lost."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.processes import is_running, until
from tests.e2e.world import (
    Fleet,
    Server,
    copy_template,
    finish,
    members,
    run_async,
    wait_for_inventories,
)

from roadworthy.base.clock import SeededChance, SystemClock
from roadworthy.base.errors import RoadworthyError
from roadworthy.cloud.client import OperatorClient
from roadworthy.compliance.ledger import (
    Entry,
    Frontier,
    MemoryNodes,
    SignedTreeHead,
    consistency_proof,
    leaf_hash,
    parse_head,
    verify_bundle,
    verify_head,
)
from roadworthy.sim.demo import problems
from roadworthy.sim.demo_job import CAMPAIGN, NEW_RELEASE, CampaignJob
from roadworthy.trust.keys import key_from_json

SEED = 20261
VEHICLES = 5
WRITES_MAX = 12
IN_HAND = ("offered", "downloading", "verified", "staged", "activated")
Counts = Mapping[str, int]


def has_started(counts: Counts) -> bool:
    return sum(counts.values()) == VEHICLES


def downloads(counts: Counts) -> bool:
    return any(counts.get(stage) for stage in ("downloading", "verified"))


def has_results(counts: Counts) -> bool:
    return counts.get("confirmed", 0) >= 2 and any(counts.get(stage) for stage in IN_HAND)


MOMENTS = (has_started, downloads, has_results)


class Writer:
    """Somebody who drafts campaigns without a pause and remembers what was acknowledged."""

    def __init__(self, server: Server, name: str) -> None:
        self.acknowledged: list[str] = []
        self._thread = threading.Thread(target=self._write, args=(server, name))

    @contextlib.contextmanager
    def writing(self) -> Iterator["Writer"]:
        self._thread.start()
        yield self
        self._thread.join()

    def wait_for(self, more: int) -> None:
        wanted = len(self.acknowledged) + more
        until(lambda: len(self.acknowledged) >= wanted, f"{wanted} writes", pause_s=0.001)

    def _write(self, server: Server, name: str) -> None:
        wave = {"name": "All", "share": 1.0}
        with contextlib.closing(server.client()) as client, contextlib.suppress(RoadworthyError):
            while True:
                draft = f"{name}-{len(self.acknowledged)}"
                body = {"id": draft, "name": draft, "release_id": NEW_RELEASE, "waves": [wave]}
                client.post("/campaigns", body)
                self.acknowledged.append(draft)


class Book:
    """What an auditor keeps: signed heads from before each kill."""

    def __init__(self, key: bytes) -> None:
        self._key = key_from_json(key)
        self.heads: list[SignedTreeHead] = []

    def save(self, client: OperatorClient) -> None:
        self.heads.append(parse_head(client.get_bytes("/ledger/head"), self._key))

    def check(self, client: OperatorClient) -> list[Entry]:
        """Verify every entry offline and that each saved head is the beginning of the last."""
        self.save(client)
        last = self.heads[-1]
        tree, nodes = Frontier(), MemoryNodes()
        found: list[Entry] = []
        for index in range(last.size):
            entry = verify_bundle(client.get_bytes(f"/ledger/{index}/proof"), self._key)
            assert entry.index == index
            tree, completed = tree.append(leaf_hash(entry.leaf()))
            nodes.add(completed)
            found.append(entry)
        assert tree.root() == last.root
        sizes = [head.size for head in self.heads]
        assert sizes == sorted(set(sizes))
        for head in self.heads[:-1]:
            verify_head(head, last, consistency_proof(head.size, last.size, nodes))
        return found


@pytest.fixture
def server(template: Path, tmp_path: Path) -> Iterator[Server]:
    with copy_template(template, tmp_path / "site").running() as server:
        yield server


def counts_of(server: Server) -> Counts:
    with contextlib.closing(server.client()) as client:
        counts: Counts = client.get(f"/campaigns/{CAMPAIGN}")["counts"]
        return counts


def begin(server: Server, fleet: Fleet) -> Book:
    with contextlib.closing(server.client()) as client:
        wait_for_inventories(client, fleet.vehicles)
        job = CampaignJob(client, SystemClock())
        run_async(lambda: job.start(fleet.vehicles[:1]))
        return Book(client.get_bytes("/ledger/key"))


def kill_at(
    server: Server, fleet: Fleet, moment: Callable[[Counts], bool], writes: int, book: Book
) -> list[str]:
    """Kill the server so many acknowledged writes after the moment, and start it again.

    The fleet stands still while somebody looks, so that no moment passes unseen.
    """

    def has_come() -> bool:
        with fleet.halted():
            counts = counts_of(server)
            assert counts.get("confirmed", 0) < VEHICLES, f"{moment.__name__} was never seen"
            return moment(counts)

    with Writer(server, moment.__name__.replace("_", "-")).writing() as writer:
        until(has_come, moment.__name__)
        with contextlib.closing(server.client()) as client:
            book.save(client)
        family = server.child.family()
        writer.wait_for(writes)
        server.kill()
    assert not any(map(is_running, family))
    server.start()
    return writer.acknowledged


def test_a_rollout_converges_although_the_server_is_killed_again_and_again(
    server: Server, tmp_path: Path
) -> None:
    random = SeededChance(SEED).random
    with Fleet(server, tmp_path / "fleet", seed=SEED, broken_share=0.2).running() as fleet:
        book, acknowledged = begin(server, fleet), []
        for moment in MOMENTS:
            acknowledged += kill_at(server, fleet, moment, random.randrange(1, WRITES_MAX), book)
        with contextlib.closing(server.client()) as client:
            campaign = finish(client, CAMPAIGN)
            check_vehicles(client, campaign, fleet)
            check_ledger(book.check(client), fleet.vehicles, acknowledged)
            kept = {one["id"] for one in client.pages("/campaigns")}
            assert set(acknowledged) <= kept


def check_vehicles(client: OperatorClient, campaign: Mapping[str, Any], fleet: Fleet) -> None:
    found = members(client, CAMPAIGN)
    until(lambda: not problems(campaign, found, fleet.seen), "all images by hash")
    assert campaign["state"] == "finished", f"seed {SEED}"
    assert campaign["counts"] == {"confirmed": VEHICLES}
    assert sorted(one["vehicle"] for one in found) == sorted(fleet.vehicles)


def check_ledger(entries: list[Entry], vehicles: list[str], drafts: list[str]) -> None:
    """Check that each decision stands in the ledger, and stands there once."""
    found = Counter((entry.type, entry.subject) for entry in entries)
    for vehicle in vehicles:
        for kind in ("vehicle-enrolled", "offer", "result"):
            assert found[kind, f"vehicle/{vehicle}"] == 1, (kind, vehicle, f"seed {SEED}")
    assert all(found["campaign-created", f"campaign/{draft}"] == 1 for draft in drafts)
    kinds = Counter(entry.type for entry in entries if entry.subject == f"campaign/{CAMPAIGN}")
    assert kinds["wave-started"] == kinds["wave-ended"] or kinds["wave-ended"] == 3
    assert kinds["campaign-finished"] == 1
