"""Reading one metadata file: size, form, then the signatures of its role.

A file is parsed once; what was signed is the canonical form of the `signed` object as it was
received, so that no field can be lost between the signature check and its use.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from securesystemslib.exceptions import UnverifiedSignatureError

from roadworthy.trust._encoding import canonical_fast, parse_strict
from roadworthy.trust.errors import MalformedError, OversizeError, SignatureError
from roadworthy.trust.tuf import Root, Signature, Signed, Snapshot, SSlibKey, Targets, Timestamp

__all__ = ["ROLE_CLASSES", "SignedFile", "read", "require_threshold", "valid_keyids"]

T = TypeVar("T", bound=Signed)

ROLE_CLASSES: dict[str, type[Signed]] = {
    "root": Root,
    "timestamp": Timestamp,
    "snapshot": Snapshot,
    "targets": Targets,
}

# What python-tuf's constructors let through when a field has the wrong type or is missing.
_FORM_ERRORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class SignedFile(Generic[T]):
    """A parsed metadata file whose signatures are not checked yet.

    data: the bytes as received. payload: the bytes that the signatures cover.
    """

    data: bytes
    payload: bytes
    signed: T
    signatures: dict[str, Signature]


def read(data: bytes, role: type[T], *, size_bytes_max: int) -> SignedFile[T]:
    """Parse a metadata file of the class `role`.

    Raises:
        OversizeError: more than `size_bytes_max` bytes.
        MalformedError: not a metadata file of this role.
    """
    name = f"{role.type}.json"
    if len(data) > size_bytes_max:
        raise OversizeError(
            f"has {len(data)} bytes, at most {size_bytes_max} are allowed", value=name
        )
    raw = parse_strict(data, name=name)
    try:
        payload = canonical_fast(raw["signed"])
        signatures = _signatures(raw["signatures"])
        signed = cast("T", role.from_dict(raw["signed"]))
        _check_form(signed)
    except _FORM_ERRORS as error:
        raise MalformedError(
            f"is not {role.type} metadata ({type(error).__name__}: {error})", value=name
        ) from error
    return SignedFile(data, payload, signed, signatures)


def valid_keyids(file: SignedFile[Any], root: Root, role: str) -> frozenset[str]:
    """Return the ids of those keys of `role` in `root` which validly signed the file."""
    valid = set()
    for keyid in root.roles[role].keyids:
        signature = file.signatures.get(keyid)
        key = root.keys.get(keyid)
        if signature is None or key is None:
            continue
        try:
            key.verify_signature(signature, file.payload)
        except UnverifiedSignatureError:
            continue
        valid.add(keyid)
    return frozenset(valid)


def require_threshold(file: SignedFile[Any], root: Root, role: str) -> None:
    """Refuse a file that too few keys of `role` signed.

    Raises:
        SignatureError: fewer valid signatures than the threshold in `root`.
    """
    count = len(valid_keyids(file, root, role))
    threshold = root.roles[role].threshold
    if count < threshold:
        raise SignatureError(
            f"has {count} valid signatures by keys of the role {role}, {threshold} are needed",
            value=f"{file.signed.type}.json",
        )


def _signatures(raw: object) -> dict[str, Signature]:
    if not isinstance(raw, list):
        msg = "signatures must be a list"
        raise TypeError(msg)
    found: dict[str, Signature] = {}
    for item in raw:
        signature = Signature.from_dict(item)
        if signature.keyid in found:
            msg = "a key signs twice"
            raise ValueError(msg)
        _require(str, signature.keyid, signature.signature)
        found[signature.keyid] = signature
    return found


def _check_form(signed: Signed) -> None:
    _require(int, signed.version)
    if isinstance(signed, Root):
        _check_root(signed)
    elif isinstance(signed, Timestamp):
        _require(int, signed.snapshot_meta.version)
    elif isinstance(signed, Snapshot):
        _require(int, signed.meta["targets.json"].version)
        _require(int, *(meta.version for meta in signed.meta.values()))
    elif isinstance(signed, Targets):
        _require(int, *(target.length for target in signed.targets.values()))


def _check_root(root: Root) -> None:
    for role in root.roles.values():
        _require(int, role.threshold)
        _require(str, *role.keyids)
        keys = [root.keys[keyid] for keyid in role.keyids]
        if not all(isinstance(key, SSlibKey) for key in keys):
            msg = "a key is of an unknown kind"
            raise ValueError(msg)
        if len({key.keyval["public"] for key in keys}) != len(keys):
            msg = "one key has two ids in the same role, so it could sign twice"
            raise ValueError(msg)


def _require(kind: type, *values: object) -> None:
    # Exactly: a bool is an int to isinstance.
    if any(type(value) is not kind for value in values):
        msg = f"a field must be of type {kind.__name__}"
        raise TypeError(msg)
