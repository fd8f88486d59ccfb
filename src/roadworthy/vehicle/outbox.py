"""Reports on their way to the cloud: numbered, durable, sent again until acknowledged.

The file is a journal (`updates.journal`) of reports, acknowledgements and marks. The number of a
report is on record before it is first sent, so it only grows, whatever power cuts come. The
record of a result names the offer that ended with it, so a result is queued once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from roadworthy.base.clock import Clock
from roadworthy.base.errors import LinkError
from roadworthy.trust.envelope import seal
from roadworthy.trust.tuf import CryptoSigner
from roadworthy.updates.journal import encode_record, read_records
from roadworthy.updates.reports import Progress, Refusal, Report, report_body
from roadworthy.vehicle.ports import Messages, Storage

__all__ = ["Outbox"]

_FILE = "outbox"
_ENDED_MAX = 100
_PENDING_MAX: dict[type, int] = {Progress: 50, Refusal: 100}
_RECORDS_MAX = 200
_ROUNDING_S = 1.0


class _Queued(msgspec.Struct, frozen=True, tag="queued"):
    sequence: int
    payload: bytes
    ended: str = ""


class _Done(msgspec.Struct, frozen=True, tag="done"):
    sequence: int


class _Mark(msgspec.Struct, frozen=True, tag="mark"):
    """What is left of records that were thrown away."""

    sequence: int
    ended: tuple[str, ...]


_Record = _Queued | _Done | _Mark
_DECODER = msgspec.json.Decoder(_Record)


@dataclass(slots=True)
class _Pending:
    payload: bytes
    due_at: float = 0.0


class Outbox:
    """The reports of one vehicle that the cloud has not acknowledged yet.

    Args:
        storage: where they are kept.
        clock: tells when to send again.
        signer: the vehicle's report key.
        resend_s: how long to wait for an acknowledgement, and after a failure to send.
    """

    def __init__(
        self, storage: Storage, clock: Clock, signer: CryptoSigner, *, resend_s: float
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._signer = signer
        self._resend_s = resend_s
        self._pending: dict[int, _Pending] = {}
        self._ended: list[str] = []
        self._sequence = 0
        self._records = 0
        self._retry_at = 0.0

    async def recover(self) -> None:
        """Read what was queued before the start; drop a torn last record."""
        data = await self._storage.read(_FILE) or b""
        records = read_records(data)
        for text in records.texts:
            self._fold(_DECODER.decode(text))
        if records.whole_bytes < len(data):
            await self._compact()

    @property
    def is_empty(self) -> bool:
        """Whether everything is acknowledged."""
        return not self._pending

    def has_ended(self, offer: str) -> bool:
        """Say whether the result of this offer was queued before."""
        return offer in self._ended

    async def add(self, make: Callable[[int, int], Report], *, ended: str = "") -> None:
        """Number, sign and keep a report; leave out progress and refusals while too many wait.

        A broker can make a vehicle refuse something again and again; its storage must not fill.

        Args:
            make: gives the report for its number and the time in Unix seconds.
            ended: the offer whose result it is.
        """
        report = make(self._sequence + 1, int(self._clock.now().timestamp()))
        if len(self._pending) >= _PENDING_MAX.get(type(report), len(self._pending) + 1):
            return
        payload = seal(report_body(report), self._signer)
        await self._append(_Queued(report.sequence, payload, ended))

    async def acknowledge(self, sequence: int) -> None:
        """Forget a report that the cloud has taken in or refused."""
        if sequence not in self._pending:
            return
        await self._append(_Done(sequence))
        if self._records > _RECORDS_MAX + 2 * len(self._pending):
            await self._compact()

    async def flush(self, messages: Messages) -> None:
        """Send what is due, oldest first; after a failure not again for `resend_s`."""
        now = self._clock.now().timestamp()
        if self._is_ahead(self._retry_at, now):
            return
        for pending in list(self._pending.values()):
            if self._is_ahead(pending.due_at, now):
                continue
            try:
                await messages.send(pending.payload)
            except LinkError:
                self._retry_at = self._clock.now().timestamp() + self._resend_s
                return
            pending.due_at = now + self._resend_s

    def connected(self) -> None:
        """Something came in, so sending is worth another try."""
        self._retry_at = 0.0

    def next_due_s(self) -> float | None:
        """Return the seconds until something has to be sent; None when all is acknowledged."""
        if not self._pending:
            return None
        now = self._clock.now().timestamp()
        first = max(min(pending.due_at for pending in self._pending.values()), self._retry_at)
        return first - now if self._is_ahead(first, now) else 0.0

    def _is_ahead(self, moment: float, now: float) -> bool:
        """Say whether a moment is to come; when it is too far ahead, the clock has jumped."""
        return 0.0 < moment - now <= self._resend_s + _ROUNDING_S

    async def _append(self, record: _Record) -> None:
        await self._storage.append(_FILE, encode_record(msgspec.json.encode(record)))
        self._fold(record)

    async def _compact(self) -> None:
        records: list[_Record] = [_Mark(self._sequence, tuple(self._ended))]
        records += [_Queued(number, item.payload) for number, item in self._pending.items()]
        texts = (msgspec.json.encode(record) for record in records)
        await self._storage.write(_FILE, b"".join(encode_record(text) for text in texts))
        self._records = len(records)

    def _fold(self, record: _Record) -> None:
        self._records += 1
        match record:
            case _Queued(sequence, payload, ended):
                self._pending[sequence] = _Pending(payload)
                # After a compaction older reports stand behind the mark of the last number.
                self._sequence = max(self._sequence, sequence)
                self._ended += [ended] if ended else []
                del self._ended[:-_ENDED_MAX]
            case _Done(sequence):
                self._pending.pop(sequence, None)
            case _Mark(sequence, past):
                self._sequence = sequence
                self._ended = list(past)
