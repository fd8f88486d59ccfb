"""The ECU's side: one machine that takes request bytes and gives answer bytes.

    request -> decode -> session? lock? -> service -> positive or negative answer

Rules it keeps (ISO 14229-1; tests name them):

* Any bytes get a valid answer; nothing a tester sends raises.
* Silence longer than S3 ends the session, which locks the ECU and drops the transfer.
* Erasing and checking announce 0x78 first. A repeat of the last block is acknowledged
  without being written again.
* Which slot runs is decided by `diagnostics.boot` alone, at `restart`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from roadworthy.base.clock import Chance
from roadworthy.base.errors import ConflictError, StoreError
from roadworthy.diagnostics.answers import negative, positive
from roadworthy.diagnostics.boot import BootState, Slot
from roadworthy.diagnostics.download import Download
from roadworthy.diagnostics.errors import NegativeResponseError
from roadworthy.diagnostics.identity import (
    Did,
    EcuIdentity,
    SlotStatus,
    encode_slot_size,
    encode_status,
)
from roadworthy.diagnostics.lock import SEED_LENGTH, Lock
from roadworthy.diagnostics.memory import SlotMemory
from roadworthy.diagnostics.nrc import Nrc
from roadworthy.diagnostics.routines import Routine, decode_erase, decode_image_name
from roadworthy.diagnostics.slots import Slots, Verify
from roadworthy.diagnostics.uds import (
    EcuReset,
    ReadData,
    RequestDownload,
    RoutineControl,
    SecurityAccess,
    Service,
    Session,
    SessionControl,
    TesterPresent,
    TransferData,
    TransferExit,
    UdsRequest,
    decode_request,
)

__all__ = ["Conditions", "EcuSettings", "UdsServer"]

Conditions = Callable[[], Nrc | None]
"""Asked before erasing and switching: None if the vehicle allows it, else why not."""

_START = 0x01
_RESETS = (0x01, 0x03)
_TIMING = b"\x00\x32\x01\xf4"
"""P2 = 50 ms, P2* = 5000 ms (in units of 10 ms)."""
_SLOW = (Routine.ERASE, Routine.CHECK)
_BODY_MAX = 4095


@dataclass(frozen=True, slots=True)
class EcuSettings:
    """What one ECU is.

    secret: for its lock, at least 16 bytes. block_length_max: largest 0x36 request in bytes,
    service id and counter included. s3: silence that ends a session. boot_duration: after a
    reset the ECU gives no answer for that long.
    """

    identity: EcuIdentity
    secret: bytes
    block_length_max: int = 4098
    s3: timedelta = timedelta(seconds=5)
    boot_duration: timedelta = timedelta(0)


class UdsServer:
    """One ECU with two slots.

    Args:
        settings: identity, secret and limits.
        memory: the flash memory; its boot record decides which slot runs.
        verify: the ECU's own verification of an image against its metadata.
        chance: draws the lock's seeds.
        conditions: preconditions for erasing and switching.

    Raises:
        StoreError: the boot record is damaged.
    """

    def __init__(
        self,
        settings: EcuSettings,
        memory: SlotMemory,
        *,
        verify: Verify,
        chance: Chance,
        conditions: Conditions = lambda: None,
    ) -> None:
        self.settings = settings
        self._chance = chance
        self._conditions = conditions
        self._lock = Lock(settings.secret)
        self._slots = Slots(memory, verify)
        self._download = Download(self._slots, settings.block_length_max)
        self._session = Session.DEFAULT
        self._heard: datetime | None = None
        self._silent_until: datetime | None = None
        self.restart()

    @property
    def running(self) -> Slot:
        """The slot that runs."""
        return self._slots.running

    @property
    def boot_state(self) -> BootState:
        """The boot record as stored."""
        return self._slots.state

    @property
    def status(self) -> SlotStatus:
        """What FD00 says."""
        return self._slots.status()

    @property
    def session(self) -> Session:
        """The current session."""
        return self._session

    def restart(self, now: datetime | None = None) -> None:
        """Reset the ECU: boot, lock, default session. With `now`, stay silent while booting."""
        self._slots.boot()
        self._enter(Session.DEFAULT)
        self._silent_until = now + self.settings.boot_duration if now else None

    def handle(self, request: bytes, now: datetime) -> list[bytes]:
        """Answer one request.

        Args:
            request: bytes as received.
            now: current time.

        Returns:
            Answers in order; 0x78 first where it takes longer. Empty: no answer is wanted, or
            the ECU is booting.
        """
        if self._silent_until is not None and now < self._silent_until:
            return []
        self._silent_until = None
        self._expire(now)
        pending: list[bytes] = []
        try:
            decoded = decode_request(request)
            if isinstance(decoded, RoutineControl) and decoded.routine in _SLOW:
                pending = [negative(Service.ROUTINE_CONTROL, Nrc.RESPONSE_PENDING)]
            body = self._serve(decoded, now)
        except NegativeResponseError as refusal:
            return [*pending, negative(refusal.service, refusal.nrc)]
        except StoreError:
            return [*pending, negative(request[0], Nrc.GENERAL_PROGRAMMING_FAILURE)]
        is_quiet = getattr(decoded, "suppress", False) and not pending
        return [] if is_quiet else [*pending, positive(request[0], body)]

    def _expire(self, now: datetime) -> None:
        if self._heard is not None and now - self._heard > self.settings.s3:
            self._enter(Session.DEFAULT)
        self._heard = now

    def _enter(self, session: Session) -> None:
        self._session = session
        self._lock.close()
        self._download.drop()

    def _serve(self, request: UdsRequest, now: datetime) -> bytes:
        match request:
            case SessionControl():
                body = self._control_session(request)
            case EcuReset():
                body = self._reset(request, now)
            case ReadData(dids):
                body = self._read(dids)
            case TesterPresent():
                body = b"\x00"
            case SecurityAccess():
                body = self._access(request, now)
            case RoutineControl():
                body = self._routine(request, now)
            case _:
                body = self._transfer(request)
        return body

    def _control_session(self, request: SessionControl) -> bytes:
        try:
            session = Session(request.session)
        except ValueError as error:
            raise _refuse(Service.SESSION_CONTROL, Nrc.SUB_FUNCTION_NOT_SUPPORTED) from error
        if session is Session.PROGRAMMING and self._session is Session.DEFAULT:
            raise _refuse(Service.SESSION_CONTROL, Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION)
        self._enter(session)
        return bytes([session]) + _TIMING

    def _reset(self, request: EcuReset, now: datetime) -> bytes:
        if request.kind not in _RESETS:
            raise _refuse(Service.ECU_RESET, Nrc.SUB_FUNCTION_NOT_SUPPORTED)
        self.restart(now)
        return bytes([request.kind])

    def _read(self, dids: tuple[int, ...]) -> bytes:
        values = self._values()
        known = [did for did in dids if did in values]
        if not known:
            raise _refuse(Service.READ_DATA, Nrc.REQUEST_OUT_OF_RANGE)
        body = b"".join(did.to_bytes(2, "big") + values[did] for did in known)
        if len(body) > _BODY_MAX:
            raise _refuse(Service.READ_DATA, Nrc.RESPONSE_TOO_LONG)
        return body

    def _values(self) -> dict[int, bytes]:
        identity = self.settings.identity
        return {
            Did.PART_NUMBER: identity.part_number.encode("ascii", "replace"),
            Did.SOFTWARE_VERSION: self._slots.version().encode("ascii", "replace"),
            Did.ECU_SERIAL: identity.serial.encode(),
            Did.VEHICLE: identity.vehicle.encode(),
            Did.HARDWARE_ID: identity.hardware_id.encode(),
            Did.SLOT_STATUS: encode_status(self._slots.status()),
            Did.SLOT_SIZE: encode_slot_size(self._slots.slot_size_bytes),
        }

    def _access(self, request: SecurityAccess, now: datetime) -> bytes:
        if self._session is Session.DEFAULT:
            raise _refuse(Service.SECURITY_ACCESS, Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION)
        seed = bytes.fromhex(self._chance.token(SEED_LENGTH))
        return bytes([request.level]) + self._lock.answer(request, seed, now)

    def _routine(self, request: RoutineControl, now: datetime) -> bytes:
        sid = Service.ROUTINE_CONTROL
        if self._session is Session.DEFAULT:
            raise _refuse(sid, Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION)
        if request.action != _START:
            raise _refuse(sid, Nrc.SUB_FUNCTION_NOT_SUPPORTED)
        if request.routine not in set(Routine):
            raise _refuse(sid, Nrc.REQUEST_OUT_OF_RANGE)
        if request.routine in _SLOW and self._session is not Session.PROGRAMMING:
            raise _refuse(sid, Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION)
        if not self._lock.is_open:
            raise _refuse(sid, Nrc.SECURITY_ACCESS_DENIED)
        try:
            self._run(Routine(request.routine), request.option, now)
        except ConflictError as error:
            raise _refuse(sid, Nrc.CONDITIONS_NOT_CORRECT) from error
        return bytes([_START]) + request.routine.to_bytes(2, "big")

    def _run(self, routine: Routine, option: bytes, now: datetime) -> None:
        sid = Service.ROUTINE_CONTROL
        target = decode_erase(option) if routine is Routine.ERASE else decode_image_name(option)
        if target is None:
            raise _refuse(sid, Nrc.INCORRECT_LENGTH_OR_FORMAT)
        unmet = None if routine is Routine.CHECK else self._conditions()
        if unmet is not None:
            raise _refuse(sid, unmet)
        if isinstance(target, tuple):
            self._download.erase(*target)
        elif routine is Routine.CHECK:
            self._download.check(target, now)
        else:
            self._slots.switch(routine, target)

    def _transfer(self, request: RequestDownload | TransferData | TransferExit) -> bytes:
        service = _TRANSFER[type(request)]
        if self._session is not Session.PROGRAMMING:
            raise _refuse(service, Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION)
        if not self._lock.is_open:
            raise _refuse(service, Nrc.SECURITY_ACCESS_DENIED)
        match request:
            case RequestDownload():
                return self._download.begin(request)
            case TransferData():
                return self._download.block(request)
            case TransferExit():
                return self._download.end(request)


_TRANSFER: dict[type[UdsRequest], Service] = {
    RequestDownload: Service.REQUEST_DOWNLOAD,
    TransferData: Service.TRANSFER_DATA,
    TransferExit: Service.TRANSFER_EXIT,
}


def _refuse(service: int, nrc: int) -> NegativeResponseError:
    return NegativeResponseError(service, nrc)
