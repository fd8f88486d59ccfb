"""Merkle tree hashing and proofs, exactly as in RFC 6962, section 2.1 (and RFC 9162, 2.1).

A tree of n leaves is made of complete subtrees; a complete subtree never changes again. So an
append needs only the roots of the complete subtrees at the right edge (`Frontier`, at most one
per bit of n) and yields the nodes that it completed. A store that keeps these nodes can prove
anything with a logarithmic number of reads (`NodeReader`).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from roadworthy.base.errors import InputError, TrustError

__all__ = [
    "HASH_BYTES",
    "Frontier",
    "MemoryNodes",
    "Node",
    "NodeReader",
    "ProofError",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "root_hash",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES = 32


class ProofError(TrustError):
    """A proof that does not prove what it is for."""

    code = "bad-proof"
    title = "Proof not valid"


@dataclass(frozen=True, slots=True)
class Node:
    """The root of the complete subtree over leaves index * 2^level to (index + 1) * 2^level."""

    level: int
    index: int
    hash: bytes


class NodeReader(Protocol):
    """Reads nodes that appends have completed."""

    def node(self, level: int, index: int) -> bytes:
        """Return the 32-byte hash of a complete subtree; level 0 is a leaf hash."""
        ...


class MemoryNodes:
    """Nodes in memory: the twin of a store, and enough for a small ledger."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._hashes: dict[tuple[int, int], bytes] = {}
        self.add(nodes)

    def add(self, nodes: Iterable[Node]) -> None:
        """Keep the nodes that an append completed."""
        self._hashes.update(((node.level, node.index), node.hash) for node in nodes)

    def node(self, level: int, index: int) -> bytes:
        """Return the 32-byte hash of a complete subtree; level 0 is a leaf hash."""
        return self._hashes[level, index]


def leaf_hash(leaf: bytes) -> bytes:
    """Return SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def _parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: all that an append and the root need.

    size: number of leaves. peaks: roots of the complete subtrees, largest first, one for each
    bit that is set in `size`.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a frontier that belongs to no tree."""
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise InputError("does not fit the number of leaves", value="peaks")

    @classmethod
    def load(cls, size: int, nodes: NodeReader) -> "Frontier":
        """Return the frontier of a stored tree of `size` leaves."""
        peaks = []
        start = 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                peaks.append(nodes.node(level, start >> level))
                start += 1 << level
        return cls(size, tuple(peaks))

    def append(self, leaf: bytes) -> tuple["Frontier", tuple[Node, ...]]:
        """Add a leaf hash; return the new frontier and the completed nodes, leaf first."""
        peaks = list(self.peaks)
        node = Node(0, self.size, leaf)
        completed = [node]
        while self.size >> node.level & 1:
            node = Node(node.level + 1, node.index >> 1, _parent(peaks.pop(), node.hash))
            completed.append(node)
        return Frontier(self.size + 1, (*peaks, node.hash)), tuple(completed)

    def root(self) -> bytes:
        """Return the tree's root hash; that of the empty tree is the hash of nothing."""
        return _fold(self.peaks) if self.peaks else hashlib.sha256().digest()


def root_hash(size: int, nodes: NodeReader) -> bytes:
    """Return the root hash of the first `size` leaves of a stored tree."""
    return Frontier.load(size, nodes).root()


def inclusion_proof(index: int, size: int, nodes: NodeReader) -> tuple[bytes, ...]:
    """Return the audit path of leaf `index` in the tree of the first `size` leaves.

    Raises:
        InputError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise InputError(f"is not a leaf of a tree of {size}", value="index")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            path.append(_range_hash(start, middle, nodes))
            start = middle
    return tuple(reversed(path))


def consistency_proof(old_size: int, size: int, nodes: NodeReader) -> tuple[bytes, ...]:
    """Return the proof that the tree of `size` leaves extends the one of `old_size` leaves.

    Raises:
        InputError: the old tree is empty, which proves nothing, or larger than the new one.
    """
    if not (0 < old_size < size or old_size == size >= 0):
        raise InputError(f"is not the size of a tree before {size}", value="old_size")
    if old_size == size:
        return ()
    start, end, path = 0, size, []
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            path.append(_range_hash(start, middle, nodes))
            start = middle
    if start > 0:
        path.append(_range_hash(start, end, nodes))
    return tuple(reversed(path))


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` (a leaf hash) is leaf `index` of the tree (RFC 9162, 2.1.3.2).

    Raises:
        ProofError: it is not, or the proof has another length.
    """
    _require_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofError(f"is not a leaf of a tree of {size}", value="index")
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("is too long", value="proof")
        if node & 1 or node == last:
            found = _parent(sibling, found)
            # At the right edge, levels without a sibling are passed over.
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = _parent(found, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError("is too short", value="proof")
    if found != root:
        raise ProofError("leads to another root", value="proof")


def verify_consistency(
    old_size: int, size: int, proof: Sequence[bytes], *, old_root: bytes, root: bytes
) -> None:
    """Check that the newer tree begins with all of the older one (RFC 9162, 2.1.4.2).

    Raises:
        ProofError: it does not, or the proof has another length.
    """
    _require_hashes(old_root, root, *proof)
    if not (0 < old_size < size or old_size == size >= 0):
        raise ProofError(f"is not the size of a tree before {size}", value="old_size")
    if old_size == size:
        if proof or old_root != root:
            raise ProofError("must be empty, and the roots equal, for equal sizes", value="proof")
        if size == 0 and root != Frontier().root():
            raise ProofError("is not the root of the empty tree", value="root")
        return
    # A complete old tree is itself the first node of the proof.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        raise ProofError("is empty", value="proof")
    old_found, found = _replay(old_size, size, path)
    if old_found != old_root or found != root:
        raise ProofError("leads to another root", value="proof")


def _replay(old_size: int, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_found = found = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("is too long", value="proof")
        if node & 1 or node == last:
            old_found, found = _parent(sibling, old_found), _parent(sibling, found)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = _parent(found, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError("is too short", value="proof")
    return old_found, found


def _range_hash(start: int, end: int, nodes: NodeReader) -> bytes:
    # RFC 6962's splits make every left part a complete subtree, so this walks one edge only.
    parts = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append(nodes.node(level, start >> level))
        start += 1 << level
    return _fold(parts)


def _fold(parts: Sequence[bytes]) -> bytes:
    root = parts[-1]
    for left in reversed(parts[:-1]):
        root = _parent(left, root)
    return root


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _require_hashes(*hashes: bytes) -> None:
    if any(len(item) != HASH_BYTES for item in hashes):
        raise ProofError(f"must have {HASH_BYTES} bytes each", value="hash")
