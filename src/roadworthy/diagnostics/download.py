"""The transfer of one image and its metadata into an ECU (ISO 14229-1 clause 15).

    erase -> 34 image -> 36... -> 37 -> 34 metadata -> 36... -> 37 -> check

The image goes straight into the inactive slot, the metadata into a small buffer. Losing the
session or power loses the transfer; the slot stays unverified until a whole new one succeeds.
"""

from dataclasses import dataclass
from datetime import datetime

from roadworthy.base.errors import ConflictError, InputError, StoreError, TrustError
from roadworthy.base.ids import Sha256
from roadworthy.diagnostics.errors import NegativeResponseError
from roadworthy.diagnostics.nrc import Nrc
from roadworthy.diagnostics.routines import (
    IMAGE_ADDRESS,
    METADATA_ADDRESS,
    METADATA_SIZE_BYTES_MAX,
)
from roadworthy.diagnostics.slots import Slots
from roadworthy.diagnostics.uds import RequestDownload, Service, TransferData, TransferExit

__all__ = ["Download"]

_COUNTERS = 0x100
_HEAD_LENGTH = 2
_LENGTH_FORMAT = 0x40
"""First byte of the 0x34 answer: the block length follows in 4 bytes."""


@dataclass(slots=True)
class _Transfer:
    """One 34/36/37 run; `counter` and `last` are those of the last block written."""

    address: int
    size_bytes: int
    received_bytes: int = 0
    counter: int = 0
    last: bytes = b""


class Download:
    """The transfer state of one ECU.

    Args:
        slots: where the image goes.
        block_length_max: largest 0x36 request in bytes, service id and counter included.
    """

    def __init__(self, slots: Slots, block_length_max: int) -> None:
        self._slots = slots
        self._block_length_max = block_length_max
        self._transfer: _Transfer | None = None
        self._metadata = bytearray()
        self._is_erased = False
        self._image_size_bytes: int | None = None
        self._is_metadata_here = False

    def drop(self) -> None:
        """Forget all progress."""
        self._transfer = None
        self._is_erased = False
        self._image_size_bytes = None
        self._is_metadata_here = False
        self._metadata = bytearray()

    def erase(self, address: int, size_bytes: int) -> None:
        """Erase the inactive slot.

        Raises:
            NegativeResponseError: 0x31, not the image's address or too large.
            ConflictError: the slot is needed as the way back.
        """
        if address != IMAGE_ADDRESS or not 0 < size_bytes <= self._slots.slot_size_bytes:
            raise NegativeResponseError(Service.ROUTINE_CONTROL, Nrc.REQUEST_OUT_OF_RANGE)
        self.drop()
        self._slots.erase()
        self._is_erased = True

    def begin(self, request: RequestDownload) -> bytes:
        """Start a transfer; return the body with the block length.

        Raises:
            NegativeResponseError: wrong address, size or format, or the slot is not erased.
        """
        limits = {
            IMAGE_ADDRESS: self._slots.slot_size_bytes,
            METADATA_ADDRESS: METADATA_SIZE_BYTES_MAX,
        }
        size_max = limits.get(request.address, 0)
        if request.data_format != 0 or not 0 < request.size_bytes <= size_max:
            raise _refuse(Service.REQUEST_DOWNLOAD, Nrc.REQUEST_OUT_OF_RANGE)
        if request.address == IMAGE_ADDRESS and not self._is_erased:
            raise _refuse(Service.REQUEST_DOWNLOAD, Nrc.CONDITIONS_NOT_CORRECT)
        if request.address == METADATA_ADDRESS:
            self._metadata = bytearray()
            self._is_metadata_here = False
        self._transfer = _Transfer(request.address, request.size_bytes)
        return bytes([_LENGTH_FORMAT]) + self._block_length_max.to_bytes(4, "big")

    def block(self, request: TransferData) -> bytes:
        """Take one block; return its counter.

        Raises:
            NegativeResponseError: no transfer, wrong counter, too much data, writing failed.
        """
        transfer = self._transfer
        if transfer is None:
            raise _refuse(Service.TRANSFER_DATA, Nrc.REQUEST_SEQUENCE_ERROR)
        is_repeat = transfer.received_bytes and request.counter == transfer.counter
        if is_repeat and request.data == transfer.last:
            return bytes([request.counter])
        if request.counter != (transfer.counter + 1) % _COUNTERS:
            raise _refuse(Service.TRANSFER_DATA, Nrc.WRONG_BLOCK_SEQUENCE_COUNTER)
        if not 0 < len(request.data) <= self._block_length_max - _HEAD_LENGTH:
            raise _refuse(Service.TRANSFER_DATA, Nrc.INCORRECT_LENGTH_OR_FORMAT)
        if transfer.received_bytes + len(request.data) > transfer.size_bytes:
            raise _refuse(Service.TRANSFER_DATA, Nrc.TRANSFER_DATA_SUSPENDED)
        self._write(transfer, request.data)
        transfer.received_bytes += len(request.data)
        transfer.counter = request.counter
        transfer.last = request.data
        return bytes([request.counter])

    def end(self, request: TransferExit) -> bytes:
        """Finish a transfer.

        Raises:
            NegativeResponseError: no transfer, or bytes are missing.
        """
        transfer = self._transfer
        if request.data:
            raise _refuse(Service.TRANSFER_EXIT, Nrc.INCORRECT_LENGTH_OR_FORMAT)
        if transfer is None or transfer.received_bytes != transfer.size_bytes:
            raise _refuse(Service.TRANSFER_EXIT, Nrc.REQUEST_SEQUENCE_ERROR)
        self._transfer = None
        if transfer.address == IMAGE_ADDRESS:
            self._image_size_bytes = transfer.size_bytes
        else:
            self._is_metadata_here = True
        return b""

    def check(self, sha256: Sha256, now: datetime) -> None:
        """Let the ECU verify the image; nothing to do if it has passed already.

        Raises:
            NegativeResponseError: image or metadata is missing (0x24), or refused (0x55).
            ConflictError: the slot is needed as the way back.
        """
        if self._slots.is_waiting(sha256):
            return
        if self._image_size_bytes is None or not self._is_metadata_here:
            raise _refuse(Service.ROUTINE_CONTROL, Nrc.REQUEST_SEQUENCE_ERROR)
        try:
            self._slots.accept(self._image_size_bytes, sha256, bytes(self._metadata), now)
        except ConflictError:
            raise
        except (TrustError, InputError) as error:
            refused = Nrc.CERTIFICATE_INVALID_CONTENT
            raise _refuse(Service.ROUTINE_CONTROL, refused) from error
        self.drop()

    def _write(self, transfer: _Transfer, data: bytes) -> None:
        if transfer.address == METADATA_ADDRESS:
            self._metadata += data
            return
        self._is_erased = False
        self._image_size_bytes = None
        try:
            self._slots.write(transfer.received_bytes, data)
        except (StoreError, ConflictError) as error:
            self.drop()
            raise _refuse(Service.TRANSFER_DATA, Nrc.GENERAL_PROGRAMMING_FAILURE) from error


def _refuse(service: int, nrc: int) -> NegativeResponseError:
    return NegativeResponseError(service, nrc)
