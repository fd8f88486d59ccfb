"""The tree is that of RFC 6962, and no wrong proof passes."""

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.errors import InputError
from roadworthy.compliance.merkle import (
    Frontier,
    MemoryNodes,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).parent / "vectors"
SIZE_MAX = 70
LEAVES = [leaf_hash(number.to_bytes(2)) for number in range(SIZE_MAX)]


def reference_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    both = reference_root(leaves[:split]) + reference_root(leaves[split:])
    return hashlib.sha256(b"\x01" + both).digest()


def grown(size: int) -> tuple[Frontier, MemoryNodes]:
    frontier, nodes = Frontier(), MemoryNodes()
    for leaf in LEAVES[:size]:
        frontier, completed = frontier.append(leaf)
        nodes.add(completed)
    return frontier, nodes


NODES = grown(SIZE_MAX)[1]
ROOTS = [grown(size)[0].root() for size in range(SIZE_MAX + 1)]


def vectors(name: str) -> list[Any]:
    cases = json.loads(gzip.decompress((VECTORS / f"{name}.json.gz").read_bytes()))
    return [pytest.param(case, id=path) for path, case in cases.items()]


def decoded(case: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(case[name] or "")


def root_of(case: dict[str, Any], name: str) -> bytes:
    """Return a root; the vectors write texts such as "don't care" where it does not matter."""
    root = decoded(case, name)
    return root if len(root) == 32 else hashlib.sha256(root).digest()


def path_of(case: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(item) for item in case["proof"] or []]


@pytest.mark.parametrize("case", vectors("inclusion"))
def test_published_inclusion_vectors(case: dict[str, Any]) -> None:
    arguments = (
        decoded(case, "leafHash"),
        case["leafIdx"],
        case["treeSize"],
        path_of(case),
        decoded(case, "root"),
    )
    if case["wantErr"]:
        with pytest.raises(ProofError):
            verify_inclusion(*arguments)
    else:
        verify_inclusion(*arguments)


@pytest.mark.parametrize("case", vectors("consistency"))
def test_published_consistency_vectors(case: dict[str, Any]) -> None:
    sizes, roots = (case["size1"], case["size2"]), (root_of(case, "root1"), root_of(case, "root2"))
    if case["wantErr"]:
        with pytest.raises(ProofError):
            verify_consistency(*sizes, path_of(case), old_root=roots[0], root=roots[1])
    else:
        verify_consistency(*sizes, path_of(case), old_root=roots[0], root=roots[1])


def test_the_empty_tree_and_the_empty_leaf_have_their_published_hashes() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Frontier().root().hex() == empty
    leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"").hex() == leaf


def test_every_root_is_the_recursive_one() -> None:
    for size in range(SIZE_MAX + 1):
        assert ROOTS[size] == reference_root(LEAVES[:size]) == root_hash(size, NODES)


def test_a_stored_tree_grows_on_where_it_stopped() -> None:
    for size in range(SIZE_MAX + 1):
        assert Frontier.load(size, NODES) == grown(size)[0]


def test_every_leaf_is_proven_in_every_tree() -> None:
    for size in range(1, SIZE_MAX + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, NODES)
            verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])


def test_every_tree_extends_every_older_one() -> None:
    for size in range(SIZE_MAX + 1):
        for old in range(min(1, size), size + 1):
            proof = consistency_proof(old, size, NODES)
            verify_consistency(old, size, proof, old_root=ROOTS[old], root=ROOTS[size])


SIZES = st.integers(1, SIZE_MAX).flatmap(
    lambda size: st.tuples(st.integers(0, size - 1), st.just(size))
)


@given(where=SIZES, byte=st.integers(0), bit=st.integers(0, 7))
def test_any_changed_bit_breaks_an_inclusion_proof(
    where: tuple[int, int], byte: int, bit: int
) -> None:
    index, size = where
    parts = [LEAVES[index], ROOTS[size], *inclusion_proof(index, size, NODES)]
    changed = bytearray(b"".join(parts))
    changed[byte % len(changed)] ^= 1 << bit
    leaf, root, *proof = [bytes(changed[at : at + 32]) for at in range(0, len(changed), 32)]
    with pytest.raises(ProofError):
        verify_inclusion(leaf, index, size, proof, root)


@given(where=SIZES.filter(lambda pair: pair[0] > 0), byte=st.integers(0), bit=st.integers(0, 7))
def test_any_changed_bit_breaks_a_consistency_proof(
    where: tuple[int, int], byte: int, bit: int
) -> None:
    old, size = where
    parts = [ROOTS[old], ROOTS[size], *consistency_proof(old, size, NODES)]
    changed = bytearray(b"".join(parts))
    changed[byte % len(changed)] ^= 1 << bit
    old_root, root, *proof = [bytes(changed[at : at + 32]) for at in range(0, len(changed), 32)]
    with pytest.raises(ProofError):
        verify_consistency(old, size, proof, old_root=old_root, root=root)


@given(where=SIZES, other=st.integers(-1, SIZE_MAX))
def test_a_proof_holds_for_its_own_place_only(where: tuple[int, int], other: int) -> None:
    index, size = where
    if other == index:
        return
    proof = inclusion_proof(index, size, NODES)
    with pytest.raises(ProofError):
        verify_inclusion(LEAVES[index], other, size, proof, ROOTS[size])


@given(
    proof=st.lists(st.binary(min_size=31, max_size=33), max_size=9),
    sizes=st.tuples(st.integers(-2, 2**70), st.integers(-2, 2**70)),
)
def test_arbitrary_proofs_raise_only_typed_errors(
    proof: list[bytes], sizes: tuple[int, int]
) -> None:
    with pytest.raises(ProofError):
        verify_inclusion(LEAVES[0], *sizes, proof, ROOTS[9])
    with pytest.raises(ProofError):
        verify_consistency(*sizes, proof, old_root=ROOTS[5], root=ROOTS[9])


def test_a_place_outside_the_tree_has_no_proof() -> None:
    for index in (-1, 5):
        with pytest.raises(InputError):
            inclusion_proof(index, 5, NODES)
    for old in (-1, 0, 6):
        with pytest.raises(InputError):
            consistency_proof(old, 5, NODES)
    with pytest.raises(InputError):
        Frontier(3, (LEAVES[0],))


def test_an_append_to_a_large_tree_completes_few_nodes() -> None:
    size = 2**20 - 1
    frontier, completed = Frontier(size, (LEAVES[0],) * 20).append(LEAVES[1])
    assert len(completed) == 21
    assert (frontier.size, len(frontier.peaks)) == (2**20, 1)
