"""What stores need to know of records that the cloud defines above their floor."""

from typing import Protocol

__all__ = ["AccountRecord", "EntryRecord"]


class EntryRecord(Protocol):
    """What a stored ledger entry has."""

    @property
    def index(self) -> int:
        """Its place in the tree."""
        ...

    @property
    def data(self) -> bytes:
        """Its canonical bytes."""
        ...


class AccountRecord(Protocol):
    """What an account has that is searched by; the rest is its own."""

    @property
    def token_sha256(self) -> str:
        """The hash of its token."""
        ...

    @property
    def name(self) -> str:
        """Whose it is."""
        ...

    @property
    def kind(self) -> str:
        """What kind of token it is."""
        ...
