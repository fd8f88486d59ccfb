"""Every error that Roadworthy raises on purpose, split by who can mend it.

RoadworthyError
├── InputError            the sender: malformed or impossible input
│   ├── NotFoundError     names something that is not here
│   ├── ConflictError     right in form, but the state of the thing does not allow it
│   └── AccessError       no proof of identity, or not enough rights
├── TrustError            a signature, hash, version or expiry is not what it must be
├── VehicleError          the vehicle or one of its ECUs can't do it now
├── StoreError            our store or disk failed
└── LinkError             the network failed or was too slow

Each error says what happened, which value it was and what to do. The command line's exit
status and the HTTP problem (RFC 9457) follow from the class, here and nowhere else.
Packages add subclasses for their own cases; they inherit the status of their branch.
"""

from typing import ClassVar

from typing_extensions import override

__all__ = [
    "AccessError",
    "ConflictError",
    "InputError",
    "LinkError",
    "NotFoundError",
    "RoadworthyError",
    "StoreError",
    "TrustError",
    "VehicleError",
]


class RoadworthyError(Exception):
    """Root of the tree.

    Args:
        happened: what went wrong, in words its reader knows, without a full stop at the end.
        value: the name of the value that caused it, as the sender would find it.
        todo: what the reader can do about it.
    """

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    exit_status: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, happened: str, *, value: str = "", todo: str = "") -> None:
        super().__init__(happened)
        self.happened = happened
        self.value = value
        self.todo = todo

    @override
    def __str__(self) -> str:
        """Return one sentence for a log or a terminal."""
        named = f"{self.value}: {self.happened}" if self.value else self.happened
        return f"{named}; {self.todo}" if self.todo else named


class InputError(RoadworthyError):
    """The sender gave something malformed or impossible."""

    code = "invalid-input"
    title = "Invalid input"
    exit_status = 2
    http_status = 400


class NotFoundError(InputError):
    """The sender named something that is not here."""

    code = "not-found"
    title = "Not found"
    exit_status = 4
    http_status = 404


class ConflictError(InputError):
    """The request is well formed, but the state of the thing does not allow it."""

    code = "conflict"
    title = "Conflict"
    exit_status = 5
    http_status = 409


class AccessError(InputError):
    """The sender did not prove who it is, or may not do this."""

    code = "access-denied"
    title = "Access denied"
    exit_status = 3
    http_status = 403


class TrustError(RoadworthyError):
    """A signature, hash, version or expiry date is not what it must be."""

    code = "not-trusted"
    title = "Verification failed"
    exit_status = 7
    http_status = 422


class VehicleError(RoadworthyError):
    """The vehicle or one of its ECUs can't do what was asked."""

    code = "vehicle"
    title = "Vehicle can't do this"
    exit_status = 1
    http_status = 409


class StoreError(RoadworthyError):
    """Our own store or disk failed."""

    code = "store"
    title = "Storage failed"
    exit_status = 1
    http_status = 503


class LinkError(RoadworthyError):
    """The network failed or was too slow."""

    code = "link"
    title = "Connection failed"
    exit_status = 6
    http_status = 503
