"""Signed reports: one JSON body, one Ed25519 signature by the vehicle's own key.

The form is that of TUF metadata: `{"signatures":[{"keyid":..,"sig":..}],"signed":{..}}`, so a
reader of one reads the other.
"""

from collections.abc import Mapping
from typing import Any

from securesystemslib.exceptions import UnverifiedSignatureError

from roadworthy.trust._encoding import canonical_fast, parse_strict, to_wire
from roadworthy.trust.errors import MalformedError, OversizeError, SignatureError
from roadworthy.trust.tuf import CryptoSigner, Key, Signature

__all__ = ["ENVELOPE_BYTES_MAX", "seal", "unseal"]

ENVELOPE_BYTES_MAX = 1024 * 1024


def seal(body: Mapping[str, object], signer: CryptoSigner) -> bytes:
    """Sign a body of strings, integers, booleans, None, lists and mappings.

    Raises:
        InputError: the body holds a float or another type without a canonical form.
    """
    signed = dict(body)
    signature = signer.sign(canonical_fast(signed))
    return to_wire({"signatures": [signature.to_dict()], "signed": signed})


def unseal(data: bytes, key: Key) -> dict[str, Any]:
    """Return the body of an envelope that `key` signed.

    Raises:
        OversizeError: more than ENVELOPE_BYTES_MAX bytes.
        MalformedError: not an envelope with exactly one signature.
        SignatureError: signed by another key, or changed since.
    """
    if len(data) > ENVELOPE_BYTES_MAX:
        raise OversizeError(f"has {len(data)} bytes", value="envelope", todo="send less at once")
    raw = parse_strict(data, name="envelope")
    body, signature = _parts(raw)
    if signature.keyid != key.keyid:
        raise SignatureError("is signed by an unknown key", value="envelope")
    try:
        key.verify_signature(signature, canonical_fast(body))
    except UnverifiedSignatureError as error:
        raise SignatureError("has a signature that does not fit", value="envelope") from error
    return body


def _parts(raw: dict[str, Any]) -> tuple[dict[str, Any], Signature]:
    match raw:
        case {
            "signed": dict() as body,
            "signatures": [{"keyid": str() as keyid, "sig": str() as sig, **other}],
            **rest,
        } if not rest and not other:
            return body, Signature(keyid, sig)
    raise MalformedError("must hold `signed` and one signature", value="envelope")
