"""Why something is not trusted: one class, and one code for reports, per check.

MalformedError (InputError)      bytes that are not what they claim to be
TrustError
├── SignatureError               too few valid signatures by keys of the role
├── ExpiredError                 metadata older than its expiry date: a freeze attack
├── RollbackError                an older version than one already trusted
│   └── ReleaseRollbackError     an older image than the installed one
├── MixAndMatchError             files that do not belong to the same snapshot
├── OversizeError                more bytes than the role may have: an endless data attack
├── IncompleteError              a step of the update cycle is missing
├── DelegationError              a delegation where none may be
├── ForeignOfferError            an offer for another vehicle
├── UnknownEcuError              an offer for an ECU that this vehicle does not have
├── DuplicateEcuError            two images for one ECU
├── HardwareMismatchError        an image for other hardware
├── UnknownImageError            an image that the image repository does not list
├── ImageMismatchError           director and image repository differ about an image
└── CertificateError             a certificate that proves nothing here
    ├── CertificateExpiredError
    └── CertificateRevokedError
"""

from roadworthy.base.errors import InputError, TrustError

__all__ = [
    "CertificateError",
    "CertificateExpiredError",
    "CertificateRevokedError",
    "DelegationError",
    "DuplicateEcuError",
    "ExpiredError",
    "ForeignOfferError",
    "HardwareMismatchError",
    "ImageMismatchError",
    "IncompleteError",
    "MalformedError",
    "MixAndMatchError",
    "OversizeError",
    "ReleaseRollbackError",
    "RollbackError",
    "SignatureError",
    "UnknownEcuError",
    "UnknownImageError",
]


class MalformedError(InputError):
    """Bytes that are not metadata, a key, a certificate or an envelope."""

    code = "malformed-metadata"
    title = "Malformed metadata"


class SignatureError(TrustError):
    """Fewer valid signatures by keys of the role than its threshold."""

    code = "bad-signature"
    title = "Signature not valid"


class ExpiredError(TrustError):
    """Metadata whose expiry date has passed."""

    code = "expired-metadata"
    title = "Metadata expired"


class RollbackError(TrustError):
    """An older version than one that was trusted before."""

    code = "rollback"
    title = "Metadata rolled back"


class ReleaseRollbackError(RollbackError):
    """An image with a lower release counter than the installed one."""

    code = "release-rollback"
    title = "Image older than the installed one"


class MixAndMatchError(TrustError):
    """Files that do not belong to the same snapshot of the repository."""

    code = "mix-and-match"
    title = "Metadata files do not belong together"


class OversizeError(TrustError):
    """More bytes than a file of this role may have."""

    code = "oversize"
    title = "Metadata too large"


class IncompleteError(TrustError):
    """A step of the update cycle is missing, so nothing can be said yet."""

    code = "incomplete-metadata"
    title = "Metadata incomplete"


class DelegationError(TrustError):
    """The director's targets delegate, which Uptane forbids."""

    code = "unexpected-delegation"
    title = "Delegation not allowed"


class ForeignOfferError(TrustError):
    """An offer that names another vehicle."""

    code = "foreign-offer"
    title = "Offer for another vehicle"


class UnknownEcuError(TrustError):
    """An offer for an ECU that this vehicle does not have."""

    code = "unknown-ecu"
    title = "Offer for an unknown ECU"


class DuplicateEcuError(TrustError):
    """An offer with two images for the same ECU."""

    code = "duplicate-ecu"
    title = "Two images for one ECU"


class HardwareMismatchError(TrustError):
    """An image that is not made for the ECU's hardware."""

    code = "wrong-hardware"
    title = "Image for other hardware"


class UnknownImageError(TrustError):
    """An image that the image repository does not list."""

    code = "unknown-image"
    title = "Image not in the image repository"


class ImageMismatchError(TrustError):
    """Director and image repository describe the image differently."""

    code = "image-mismatch"
    title = "Repositories differ about an image"


class CertificateError(TrustError):
    """A certificate that is not issued by our authority or not for this use."""

    code = "bad-certificate"
    title = "Certificate not valid"


class CertificateExpiredError(CertificateError):
    """A certificate before or after its time."""

    code = "expired-certificate"
    title = "Certificate out of its time"


class CertificateRevokedError(CertificateError):
    """A certificate on the authority's revocation list."""

    code = "revoked-certificate"
    title = "Certificate revoked"
