"""The keys: a ceremony makes them all, the server gets only those that must be online.

Offline keys (root 2 of 2, image targets 2 of 2) stay with people; whoever takes over the
server can neither sign an image nor change who may. The online keys are the director's,
which signs one offer per vehicle, the image repository's snapshot and timestamp, which only
say what is current, and the ledger's (Uptane 2.1, 5.2 and 6).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from roadworthy.trust.keys import key_of, private_pem, signer_from_pem, signer_from_seed
from roadworthy.trust.repository import RoleKeys, make_root, sign, to_bytes
from roadworthy.trust.tuf import CryptoSigner

__all__ = ["OFFLINE", "ONLINE", "Authority", "Ceremony", "hold_ceremony"]

OFFLINE = ("root-1", "root-2", "targets-1", "targets-2")
ONLINE = ("director", "images", "ledger")

_SEED_BYTES = 32
_ROOT_LIFE = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Authority:
    """The online signers and the public roots that a server works with."""

    director: CryptoSigner
    images: CryptoSigner
    ledger: CryptoSigner
    director_root: bytes
    images_root: bytes

    @classmethod
    def load(cls, pems: Mapping[str, bytes], roots: Mapping[str, bytes]) -> "Authority":
        """Build it from private keys by name (`ONLINE`) and roots by repository."""
        signers = {name: signer_from_pem(pems[name]) for name in ONLINE}
        return cls(
            director=signers["director"],
            images=signers["images"],
            ledger=signers["ledger"],
            director_root=roots["director"],
            images_root=roots["images"],
        )

    def root(self, repository: str) -> bytes:
        """Return the root metadata of `director` or `images`."""
        return self.director_root if repository == "director" else self.images_root


@dataclass(frozen=True, slots=True)
class Ceremony:
    """All keys of a new installation, as PEM by name, and both signed roots.

    Its text names no key, so that none gets into a log.
    """

    offline: Mapping[str, bytes] = field(repr=False)
    online: Mapping[str, bytes] = field(repr=False)
    roots: Mapping[str, bytes]

    def authority(self) -> Authority:
        """Return what the server needs of it."""
        return Authority.load(self.online, self.roots)


def hold_ceremony(draw: Callable[[int], bytes], now: datetime) -> Ceremony:
    """Make every key and sign both roots.

    Args:
        draw: returns so many random bytes.
        now: the roots expire ten years later.
    """
    signers = {name: signer_from_seed(draw(_SEED_BYTES)) for name in (*OFFLINE, *ONLINE)}
    expires = now + _ROOT_LIFE
    return Ceremony(
        offline={name: private_pem(signers[name]) for name in OFFLINE},
        online={name: private_pem(signers[name]) for name in ONLINE},
        roots={
            "images": _root(signers, ("targets-1", "targets-2"), "images", expires),
            "director": _root(signers, ("director",), "director", expires),
        },
    )


def _root(
    signers: Mapping[str, CryptoSigner], targets: tuple[str, ...], online: str, expires: datetime
) -> bytes:
    roots = ("root-1", "root-2")
    keys = {
        "root": roots,
        "targets": targets,
        "snapshot": (online,),
        "timestamp": (online,),
    }
    roles = {
        role: RoleKeys(len(names), tuple(key_of(signers[name]) for name in names))
        for role, names in keys.items()
    }
    root = make_root(roles, version=1, expires=expires)
    for name in roots:
        sign(root, signers[name])
    return to_bytes(root)
