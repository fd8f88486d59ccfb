"""The tester's side of an update, as conversations (see `diagnostics.conversation`).

`flash` puts an image into the inactive slot and has the ECU verify it; `activate` starts it on
trial; `commit` keeps it; `revert` returns to a named image. Each first reads what the ECU runs
and does nothing if its work is done already, so each may be run again at any time: after a
lost answer, a power cut of either side, or in any session, lock state and half-written slot.
What is done about a refusal stands in `REACTIONS`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from roadworthy.base.errors import LinkError
from roadworthy.base.ids import Sha256
from roadworthy.diagnostics.answers import block_length_max, split_records
from roadworthy.diagnostics.boot import Phase
from roadworthy.diagnostics.conversation import (
    Conversation,
    Pace,
    Pause,
    Progress,
    Reaction,
    ask,
    reaction_to,
)
from roadworthy.diagnostics.errors import (
    ActivationError,
    MalformedResponseError,
    NegativeResponseError,
)
from roadworthy.diagnostics.identity import (
    IDENTITY_DIDS,
    Did,
    EcuReading,
    SlotStatus,
    decode_reading,
    decode_slot_size,
    decode_status,
)
from roadworthy.diagnostics.lock import LEVEL
from roadworthy.diagnostics.nrc import Nrc
from roadworthy.diagnostics.routines import (
    IMAGE_ADDRESS,
    METADATA_ADDRESS,
    Routine,
    erase,
    on_image,
)
from roadworthy.diagnostics.uds import (
    EcuReset,
    ReadData,
    RequestDownload,
    SecurityAccess,
    Session,
    SessionControl,
    TransferData,
    TransferExit,
)

__all__ = [
    "FlashResult",
    "Image",
    "Unlock",
    "activate",
    "commit",
    "flash",
    "read_identity",
    "read_status",
    "revert",
]

Unlock = Callable[[bytes], bytes]
"""Gives the key for a seed: `lambda seed: lock.derive_key(secret, seed)`."""

_HARD_RESET = 0x01
_BLOCK_HEAD_LENGTH = 2
_COUNTERS = 0x100
_STANDARD = Pace()


@dataclass(frozen=True, slots=True)
class Image:
    """What is to be flashed: the bytes, their hash, and the director metadata that names them."""

    data: bytes
    sha256: Sha256
    metadata: bytes


@dataclass(frozen=True, slots=True)
class FlashResult:
    """sent_bytes: image and metadata bytes in the last run; 0 if the ECU had the image already."""

    sent_bytes: int
    status: SlotStatus


@dataclass(slots=True)
class _Meter:
    total_bytes: int
    done_bytes: int = 0

    def advance(self, count: int) -> Progress:
        self.done_bytes += count
        return Progress(self.done_bytes, self.total_bytes)


def read_identity(pace: Pace = _STANDARD) -> Conversation[EcuReading]:
    """Read all identifiers; an ECU need not tell the size of its slots, or not in our form.

    Raises:
        VehicleError, LinkError: the ECU refuses, answers nonsense or nothing.
    """
    body = yield from ask(ReadData(IDENTITY_DIDS), pace)
    reading = decode_reading(body)
    try:
        body = yield from ask(ReadData((Did.SLOT_SIZE,)), pace)
        return replace(reading, slot_size_bytes=decode_slot_size(body))
    except (NegativeResponseError, MalformedResponseError):
        return reading


def read_status(pace: Pace = _STANDARD) -> Conversation[SlotStatus]:
    """Read which image runs; errors as `read_identity`."""
    body = yield from ask(ReadData((Did.SLOT_STATUS,)), pace)
    return decode_status(split_records([Did.SLOT_STATUS], body)[Did.SLOT_STATUS])


def flash(image: Image, unlock: Unlock, pace: Pace = _STANDARD) -> Conversation[FlashResult]:
    """Write an image into the inactive slot and have the ECU verify it.

    An image that runs or waits verified already is not sent again. Another image on trial is
    ended by a reset first: its trial was not committed, so the ECU falls back.

    Raises:
        NegativeResponseError: the ECU refuses for good; the words say why.
        MalformedResponseError: the ECU's answers make no sense.
        LinkError: the ECU stays silent.
    """
    status = yield from read_status(pace)
    if image.sha256 in (status.running_sha256, status.other_sha256):
        return FlashResult(0, status)
    if status.phase is Phase.TRIAL:
        yield from _reset(pace)
    meter = _Meter(len(image.data) + len(image.metadata))
    yield from _with_reactions(partial(_flash_once, image, unlock, meter, pace), pace)
    status = yield from read_status(pace)
    return FlashResult(meter.done_bytes, status)


def activate(sha256: Sha256, unlock: Unlock, pace: Pace = _STANDARD) -> Conversation[SlotStatus]:
    """Start the image that waits in the inactive slot, on trial.

    Raises:
        ActivationError: after the reset the ECU runs another image.
        VehicleError, LinkError: as `flash`.
    """
    return _switch(Routine.ACTIVATE, sha256, unlock, pace)


def revert(sha256: Sha256, unlock: Unlock, pace: Pace = _STANDARD) -> Conversation[SlotStatus]:
    """Return to the image `sha256`: ends its successor's trial, or undoes the last commit.

    Raises:
        ActivationError: after the reset the ECU runs another image.
        VehicleError, LinkError: as `flash`.
    """
    return _switch(Routine.REVERT, sha256, unlock, pace)


def commit(sha256: Sha256, unlock: Unlock, pace: Pace = _STANDARD) -> Conversation[SlotStatus]:
    """Keep the image `sha256`, which runs on trial.

    Raises:
        ActivationError: the ECU runs another image, so its trial has ended.
        VehicleError, LinkError: as `flash`.
    """
    status = yield from read_status(pace)
    if status.running_sha256 != sha256:
        raise _fell_back(sha256, status)
    if status.phase is Phase.TRIAL:
        yield from _with_reactions(partial(_start, Routine.COMMIT, sha256, unlock, pace), pace)
        status = yield from read_status(pace)
    return status


def _switch(
    routine: Routine, sha256: Sha256, unlock: Unlock, pace: Pace
) -> Conversation[SlotStatus]:
    status = yield from read_status(pace)
    for _ in range(pace.attempts_max):
        if _is_done(routine, sha256, status):
            return status
        step = Routine.REVERT if status.running_sha256 == sha256 else routine
        yield from _with_reactions(partial(_start, step, sha256, unlock, pace), pace)
        yield from _reset(pace)
        status = yield from read_status(pace)
        if status.running_sha256 != sha256 and status.phase is not Phase.ARMED:
            break
    if _is_done(routine, sha256, status):
        return status
    raise _fell_back(sha256, status)


def _is_done(routine: Routine, sha256: Sha256, status: SlotStatus) -> bool:
    if routine is Routine.ACTIVATE:
        return status.running_sha256 == sha256 and status.phase is not Phase.ARMED
    return status.running_sha256 == sha256 and status.phase is Phase.COMMITTED


def _fell_back(sha256: Sha256, status: SlotStatus) -> ActivationError:
    running = (status.running_sha256 or "no verified image")[:12]
    return ActivationError(
        f"the ECU runs {running} instead of {sha256[:12]}",
        value="image",
        todo="read its identity, then flash again",
    )


def _with_reactions(part: Callable[[], Conversation[None]], pace: Pace) -> Conversation[None]:
    """Run a part of a conversation, and again from its start where the table says so."""
    for attempts_left in reversed(range(pace.attempts_max)):
        try:
            yield from part()
        except NegativeResponseError as error:
            if attempts_left == 0 or reaction_to(error.nrc) not in (
                Reaction.SESSION,
                Reaction.TRANSFER,
            ):
                raise
            if error.nrc == Nrc.EXCEEDED_NUMBER_OF_ATTEMPTS:
                yield Pause(pace.lock_pause_s)
        else:
            return


def _flash_once(image: Image, unlock: Unlock, meter: _Meter, pace: Pace) -> Conversation[None]:
    meter.done_bytes = 0
    yield from ask(SessionControl(Session.EXTENDED), pace)
    yield from ask(SessionControl(Session.PROGRAMMING), pace)
    yield from _unlock(unlock, pace)
    yield from ask(erase(len(image.data)), pace)
    yield from _download(IMAGE_ADDRESS, image.data, meter, pace)
    yield from _download(METADATA_ADDRESS, image.metadata, meter, pace)
    yield from ask(on_image(Routine.CHECK, image.sha256), pace)


def _start(routine: Routine, sha256: Sha256, unlock: Unlock, pace: Pace) -> Conversation[None]:
    yield from ask(SessionControl(Session.EXTENDED), pace)
    yield from _unlock(unlock, pace)
    yield from ask(on_image(routine, sha256), pace)


def _unlock(unlock: Unlock, pace: Pace) -> Conversation[None]:
    seed = yield from ask(SecurityAccess(LEVEL), pace)
    if not seed:
        raise MalformedResponseError("the seed is empty", value="seed")
    if any(seed):
        yield from ask(SecurityAccess(LEVEL + 1, unlock(seed)), pace)


def _download(address: int, data: bytes, meter: _Meter, pace: Pace) -> Conversation[None]:
    body = yield from ask(RequestDownload(address, len(data)), pace)
    step = block_length_max(body) - _BLOCK_HEAD_LENGTH
    for index, offset in enumerate(range(0, len(data), step), start=1):
        block = data[offset : offset + step]
        yield from ask(TransferData(index % _COUNTERS, block), pace)
        yield meter.advance(len(block))
    yield from ask(TransferExit(), pace)


def _reset(pace: Pace) -> Conversation[None]:
    """Restart the ECU; a lost answer is not repeated, as a second reset would end a trial."""
    try:
        yield from ask(EcuReset(_HARD_RESET), pace, losses_max=0)
    except LinkError:
        yield Pause(pace.loss_pause_s)
    yield Pause(pace.boot_pause_s)
