"""Errors of the codec, and how a status of the C codec becomes one.

PatchError           the patch is malformed, cut short, too long or of a version we don't know
JournalError         the journal is not one of this decoder, or is damaged
WrongBaseError       the base is not the image that the patch was made for
TargetMismatchError  what came out is not the target that the patch names
"""

from roadworthy.base.errors import InputError, RoadworthyError, StoreError, TrustError

__all__ = [
    "JournalError",
    "PatchError",
    "TargetMismatchError",
    "WrongBaseError",
    "error_of",
]

_UNSUPPORTED = -2
_WRONG_BASE = -3
_MISMATCH = -4
_CALLBACK = -5
_NO_MEMORY = -6
_BAD_JOURNAL = -7


class PatchError(InputError):
    """The patch is malformed, cut short, too long or of a version we don't know."""

    code = "malformed-patch"
    title = "Malformed patch"


class JournalError(InputError):
    """The journal is not one of this decoder, or is damaged."""

    code = "malformed-journal"
    title = "Malformed journal"


class WrongBaseError(TrustError):
    """The base is not the image that the patch was made for."""

    code = "wrong-base"
    title = "Wrong base image"


class TargetMismatchError(TrustError):
    """What came out is not the target that the patch names."""

    code = "target-mismatch"
    title = "Rebuilt image is wrong"


def error_of(status: int) -> RoadworthyError:
    """Return the error for a status below 0 of the C codec (`enum rw_status`)."""
    known: dict[int, RoadworthyError] = {
        _UNSUPPORTED: PatchError(
            "needs a format version, back end or size that this decoder does not know",
            value="patch",
            todo="make the patch with the version of the receiving side",
        ),
        _WRONG_BASE: WrongBaseError(
            "the base image has another hash than the patch names",
            value="base",
            todo="make a patch from the image that is installed, or send the whole image; if it is "
            "that image, the patch is damaged: fetch it again",
        ),
        _MISMATCH: TargetMismatchError(
            "the bytes that came out have another hash than the patch names",
            value="patch",
            todo="fetch the patch again; nothing that came out may be started",
        ),
        _CALLBACK: StoreError(
            "the base image could not be read",
            value="base",
            todo="check the storage and resume; if it is whole, fetch the patch again",
        ),
        _NO_MEMORY: StoreError(
            "there is not enough memory", value="patch", todo="choose a smaller RAM class"
        ),
        _BAD_JOURNAL: JournalError(
            "is not a journal of this decoder", value="journal", todo="start the patch again"
        ),
    }
    return known.get(
        status, PatchError("is not a patch, or is damaged", value="patch", todo="fetch it again")
    )
