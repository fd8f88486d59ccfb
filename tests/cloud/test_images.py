"""Uploads: an image is kept whole under its own hash, or not at all."""

from collections.abc import AsyncIterator

import pytest
from tests.cloud.conftest import NEW, OLD, Bench, problem, sha

from roadworthy.adapters.files import MemoryArtifacts


async def has(bench: Bench, image: bytes) -> bool:
    return (await bench.operator.get(f"/api/v1/images/{sha(image)}")).status_code == 200


async def test_an_uploaded_image_is_there_under_its_hash(bench: Bench) -> None:
    answer = await bench.upload(NEW)
    assert answer.json() == {"sha256": sha(NEW), "length_bytes": len(NEW)}
    assert (await bench.upload(NEW)).status_code == 200, "again is fine"
    assert await has(bench, NEW)


async def test_of_an_upload_with_another_hash_nothing_is_kept(bench: Bench) -> None:
    answer = await bench.operator.put(f"/api/v1/images/{sha(OLD)}", content=NEW)
    assert sha(NEW) in problem(answer, 422, "upload-hash")["detail"]
    assert not await has(bench, OLD)
    assert not await has(bench, NEW), "neither under the name that it was not sent as"


async def test_of_an_upload_that_breaks_off_nothing_is_kept(bench: Bench) -> None:
    sent: list[dict[str, object]] = [
        {"type": "http.request", "body": NEW[:50], "more_body": True},
        {"type": "http.disconnect"},
    ]
    status, _ = await bench.raw("PUT", f"/api/v1/images/{sha(NEW)}", sent)
    assert status == 400, "the sender's fault, not the server's"
    assert not await has(bench, NEW)
    assert not await has(bench, NEW[:50])


async def test_an_upload_comes_in_pieces(bench: Bench) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(NEW), 7):
            yield NEW[start : start + 7]

    answer = await bench.operator.put(f"/api/v1/images/{sha(NEW)}", content=pieces())
    assert answer.json()["length_bytes"] == len(NEW)


async def test_an_image_that_is_announced_as_too_large_is_refused_unread(bench: Bench) -> None:
    answer = await bench.operator.put(
        f"/api/v1/images/{sha(NEW)}", content=NEW, headers={"content-length": str(1 << 40)}
    )
    problem(answer, 413, "http")
    assert not await has(bench, NEW)


async def test_an_image_that_the_store_finds_too_large_is_refused(bench: Bench) -> None:
    bench.slots["artifacts"].part = MemoryArtifacts(size_bytes_max=100)
    problem(await bench.upload(NEW), 400, "invalid-input")


@pytest.mark.parametrize("name", ["short", "A" * 64, "%2e%2e"])
async def test_an_address_that_is_no_hash_is_refused(bench: Bench, name: str) -> None:
    answer = await bench.operator.put(f"/api/v1/images/{name}", content=NEW)
    problem(answer, 400, "invalid-input")


async def test_a_refused_upload_stands_in_the_ledger(bench: Bench) -> None:
    wanted = sha(b"what was meant")
    answer = await bench.operator.put(f"/api/v1/images/{wanted}", content=b"what came")
    assert answer.status_code == 422
    (entry,) = (await bench.operator.get("/api/v1/ledger", params={"limit": 1})).json()["items"]
    assert (entry["type"], entry["subject"]) == ("upload-refused", f"image/{wanted}")
