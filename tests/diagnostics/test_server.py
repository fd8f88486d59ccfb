"""The ECU answers any bytes, keeps lock and order, and never runs what it did not verify."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.diagnostics.ecu_bench import (
    OLD,
    SECRET,
    SLOT_SIZE_BYTES,
    START,
    Bench,
    PowerCutError,
    image,
    new_bench,
    new_server,
    sha256,
    verify,
)

from roadworthy.base.errors import ConflictError, StoreError
from roadworthy.diagnostics.boot import Phase, Slot
from roadworthy.diagnostics.flash import Image
from roadworthy.diagnostics.lock import derive_key
from roadworthy.diagnostics.memory import RamSlotMemory
from roadworthy.diagnostics.nrc import Nrc
from roadworthy.diagnostics.routines import METADATA_ADDRESS, Routine, erase, on_image
from roadworthy.diagnostics.slots import Slots
from roadworthy.diagnostics.uds import RequestDownload, Session, TransferData, encode_request

NEW = image(b"new image" * 400)
KNOWN_SERVICES = (0x10, 0x11, 0x22, 0x27, 0x31, 0x34, 0x36, 0x37, 0x3E)


def download(bench: Bench, address: int, data: bytes) -> bytes:
    assert bench.final(encode_request(RequestDownload(address, len(data))))[0] == 0x74
    for index, offset in enumerate(range(0, len(data), 512), start=1):
        block = encode_request(TransferData(index % 256, data[offset : offset + 512]))
        assert bench.final(block) == bytes([0x76, index % 256])
    return bench.final(b"\x37")


def put(bench: Bench, new: Image = NEW) -> bytes:
    """Erase, transfer and check an image; return the answer to the check."""
    bench.unlock(3, 2)
    assert bench.final(encode_request(erase(len(new.data))))[0] == 0x71
    assert download(bench, 0, new.data) == b"\x77"
    assert download(bench, METADATA_ADDRESS, new.metadata) == b"\x77"
    return bench.final(encode_request(on_image(Routine.CHECK, new.sha256)))


def refusal(service: int, nrc: int) -> bytes:
    return bytes([0x7F, service, nrc])


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=12),
            st.builds(
                lambda sid, rest: bytes([sid]) + rest,
                st.sampled_from(KNOWN_SERVICES),
                st.binary(max_size=40),
            ),
        ),
        max_size=20,
    ),
    st.booleans(),
)
def test_any_bytes_get_a_valid_answer_and_leave_the_running_image(
    requests: list[bytes],
    is_unlocked: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    bench = new_bench()
    if is_unlocked:
        bench.unlock(3, 2)
    for request in requests:
        for answer in bench.handle(request):
            service = request[0] if request else 0
            assert answer[0] == 0x7F or answer[0] == service + 0x40
            assert answer[0] != 0x7F or (len(answer) == 3 and answer[1] == service)
    assert bench.memory.read(Slot.A, 0, len(OLD)) == OLD
    assert bench.server.status.running_sha256 == sha256(OLD)


def test_a_whole_update_ends_with_the_new_image_on_trial_and_then_committed(bench: Bench) -> None:
    assert put(bench) == b"\x71\x01\xff\x01"
    assert bench.final(encode_request(on_image(Routine.ACTIVATE, NEW.sha256)))[0] == 0x71
    assert bench.final(b"\x11\x01") == b"\x51\x01"
    assert bench.server.status.phase is Phase.TRIAL
    assert bench.server.status.running_sha256 == NEW.sha256
    bench.unlock(3)
    assert bench.final(encode_request(on_image(Routine.COMMIT, NEW.sha256)))[0] == 0x71
    bench.power_cycle()
    assert bench.server.running is Slot.B
    assert bench.memory.read(Slot.B, 0, len(NEW.data)) == NEW.data
    assert bench.server.status.release_counter == 2


def test_a_trial_that_is_not_committed_falls_back_at_the_next_reset(bench: Bench) -> None:
    put(bench)
    bench.final(encode_request(on_image(Routine.ACTIVATE, NEW.sha256)))
    ran = []
    for _ in range(3):
        bench.power_cycle()
        ran.append(bench.server.running)
    assert ran == [Slot.B, Slot.A, Slot.A]


def test_during_a_trial_the_way_back_can_not_be_erased(bench: Bench) -> None:
    put(bench)
    bench.final(encode_request(on_image(Routine.ACTIVATE, NEW.sha256)))
    bench.final(b"\x11\x01")
    bench.unlock(3, 2)
    answer = bench.final(encode_request(erase(10)))
    assert answer == refusal(0x31, Nrc.CONDITIONS_NOT_CORRECT)
    assert bench.memory.read(Slot.A, 0, len(OLD)) == OLD


def test_after_a_revert_nothing_is_erased_until_the_reset(bench: Bench) -> None:
    put(bench)
    bench.final(name_of(Routine.ACTIVATE))
    bench.final(b"\x11\x01")
    bench.unlock(3, 2)
    bench.final(encode_request(on_image(Routine.REVERT, sha256(OLD))))
    assert bench.final(encode_request(erase(10))) == refusal(0x31, Nrc.CONDITIONS_NOT_CORRECT)
    assert bench.final(name_of(Routine.COMMIT)) == refusal(0x31, Nrc.CONDITIONS_NOT_CORRECT)
    bench.power_cycle()
    assert bench.memory.read(bench.server.running, 0, len(OLD)) == OLD


def test_a_verified_slot_takes_no_byte_before_it_is_erased(bench: Bench) -> None:
    put(bench)
    slots = Slots(bench.memory, verify)
    with pytest.raises(ConflictError):
        slots.write(0, b"evil")
    slots.erase()
    slots.write(0, b"good")
    assert not slots.is_waiting(NEW.sha256)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(Image(NEW.data, NEW.sha256, b"2:7:" + b"0" * 64), id="foreign metadata"),
        pytest.param(image(NEW.data, counter=0), id="lower release counter"),
        pytest.param(image(NEW.data, counter=2**32), id="release counter out of range"),
        pytest.param(image(NEW.data, version=-1), id="older metadata"),
        pytest.param(Image(NEW.data, sha256(b"other"), image(b"other").metadata), id="other bytes"),
    ],
)
def test_what_the_ecu_does_not_trust_can_not_be_activated(bench: Bench, bad: Image) -> None:
    assert put(bench, bad) == refusal(0x31, Nrc.CERTIFICATE_INVALID_CONTENT)
    answer = bench.final(encode_request(on_image(Routine.ACTIVATE, bad.sha256)))
    assert answer == refusal(0x31, Nrc.CONDITIONS_NOT_CORRECT)
    bench.power_cycle()
    assert bench.server.running is Slot.A


def test_one_more_byte_in_the_slot_takes_the_verification_away(bench: Bench) -> None:
    put(bench)
    bench.final(encode_request(erase(len(NEW.data))))
    bench.final(encode_request(RequestDownload(0, len(NEW.data))))
    bench.final(encode_request(TransferData(1, NEW.data[:512])))
    assert bench.server.status.other_sha256 is None
    answer = bench.final(encode_request(on_image(Routine.ACTIVATE, NEW.sha256)))
    assert answer == refusal(0x31, Nrc.CONDITIONS_NOT_CORRECT)


def test_slow_routines_announce_themselves_first(bench: Bench) -> None:
    bench.unlock(3, 2)
    answers = bench.handle(encode_request(erase(100)))
    assert answers == [refusal(0x31, Nrc.RESPONSE_PENDING), b"\x71\x01\xff\x00"]


def test_the_lock_opens_only_for_the_right_key_and_closes_after_three_wrong_ones(
    bench: Bench,
) -> None:
    bench.handle(b"\x10\x03")
    for nrc in (Nrc.INVALID_KEY, Nrc.INVALID_KEY, Nrc.EXCEEDED_NUMBER_OF_ATTEMPTS):
        assert bench.final(b"\x27\x01")[:2] == b"\x67\x01"
        assert bench.final(b"\x27\x02" + bytes(16)) == refusal(0x27, nrc)
    wait = refusal(0x27, Nrc.REQUIRED_TIME_DELAY_NOT_EXPIRED)
    assert bench.final(b"\x27\x01") == wait
    bench.final(b"\x11\x01")
    bench.final(b"\x10\x03")
    assert bench.final(b"\x27\x01") == wait
    bench.now += timedelta(seconds=10)
    bench.unlock(3)
    assert bench.final(b"\x27\x01") == b"\x67\x01" + bytes(16)


def test_a_seed_serves_for_one_key_only(bench: Bench) -> None:
    bench.handle(b"\x10\x03")
    seed = bench.final(b"\x27\x01")[2:]
    assert bench.final(b"\x27\x02" + bytes(16)) == refusal(0x27, Nrc.INVALID_KEY)
    late = bench.final(b"\x27\x02" + derive_key(SECRET, seed))
    assert late == refusal(0x27, Nrc.REQUEST_SEQUENCE_ERROR)


def test_silence_ends_the_session_and_tester_present_keeps_it(bench: Bench) -> None:
    bench.unlock(3, 2)
    for _ in range(3):
        assert bench.handle(b"\x3e\x80", after_s=4.9) == []
    assert bench.final(encode_request(erase(100)))[0] == 0x71
    assert bench.handle(b"\x34", after_s=5.1)[-1][0] == 0x7F
    assert bench.final(encode_request(erase(100)))[2] == Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION


@pytest.mark.parametrize(
    ("request_", "nrc"),
    [
        ("10 02", Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION),
        ("10 07", Nrc.SUB_FUNCTION_NOT_SUPPORTED),
        ("11 07", Nrc.SUB_FUNCTION_NOT_SUPPORTED),
        ("22 12 34", Nrc.REQUEST_OUT_OF_RANGE),
        ("27 01", Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION),
        ("31 01 FF 00", Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION),
        ("34 00 44 00 00 00 00 00 00 00 10", Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION),
        ("36 01 00", Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION),
        ("37", Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION),
    ],
)
def test_the_default_session_refuses_what_changes_the_ecu(
    bench: Bench, request_: str, nrc: Nrc
) -> None:
    data = bytes.fromhex(request_)
    assert bench.final(data) == refusal(data[0], nrc)


def test_a_locked_ecu_refuses_what_needs_the_key(bench: Bench) -> None:
    bench.handle(b"\x10\x03")
    bench.handle(b"\x10\x02")
    for request in (encode_request(erase(10)), encode_request(RequestDownload(0, 10)), b"\x37"):
        assert bench.final(request) == refusal(request[0], Nrc.SECURITY_ACCESS_DENIED)


@pytest.mark.parametrize(
    ("request_", "nrc"),
    [
        (erase(SLOT_SIZE_BYTES + 1), Nrc.REQUEST_OUT_OF_RANGE),
        (erase(0), Nrc.REQUEST_OUT_OF_RANGE),
        (RequestDownload(0, 10), Nrc.CONDITIONS_NOT_CORRECT),
        (RequestDownload(0x77, 10), Nrc.REQUEST_OUT_OF_RANGE),
        (RequestDownload(0, SLOT_SIZE_BYTES + 1), Nrc.REQUEST_OUT_OF_RANGE),
        (RequestDownload(0, 10, data_format=0x11), Nrc.REQUEST_OUT_OF_RANGE),
        (TransferData(1, b"x"), Nrc.REQUEST_SEQUENCE_ERROR),
        (on_image(Routine.CHECK, NEW.sha256), Nrc.REQUEST_SEQUENCE_ERROR),
        (on_image(Routine.ACTIVATE, NEW.sha256), Nrc.CONDITIONS_NOT_CORRECT),
        (on_image(Routine.COMMIT, NEW.sha256), Nrc.CONDITIONS_NOT_CORRECT),
        (on_image(Routine.REVERT, NEW.sha256), Nrc.CONDITIONS_NOT_CORRECT),
    ],
)
def test_an_open_ecu_still_checks_order_and_range(
    bench: Bench, request_: RequestDownload, nrc: Nrc
) -> None:
    bench.unlock(3, 2)
    data = encode_request(request_)
    assert bench.final(data) == refusal(data[0], nrc)


def begin_image(bench: Bench, size_bytes: int) -> None:
    bench.unlock(3, 2)
    bench.final(encode_request(erase(size_bytes)))
    bench.final(encode_request(RequestDownload(0, size_bytes)))


def test_the_last_block_again_is_acknowledged_but_not_written(bench: Bench) -> None:
    begin_image(bench, 1024)
    block = encode_request(TransferData(1, b"a" * 512))
    assert bench.final(block) == b"\x76\x01"
    changes = bench.memory.changes
    assert bench.final(block) == b"\x76\x01"
    assert bench.memory.changes == changes
    assert bench.final(b"\x37") == refusal(0x37, Nrc.REQUEST_SEQUENCE_ERROR)
    other = encode_request(TransferData(1, b"b" * 512))
    assert bench.final(other) == refusal(0x36, Nrc.WRONG_BLOCK_SEQUENCE_COUNTER)


def test_the_block_counter_wraps_to_zero(bench: Bench) -> None:
    begin_image(bench, 300)
    for index in range(1, 301):
        answer = bench.final(encode_request(TransferData(index % 256, b"x")))
        assert answer == bytes([0x76, index % 256])
    assert bench.final(b"\x37") == b"\x77"


def test_blocks_out_of_order_or_too_long_are_refused(bench: Bench) -> None:
    begin_image(bench, 700)
    wrong = bench.final(encode_request(TransferData(2, b"x")))
    assert wrong == refusal(0x36, Nrc.WRONG_BLOCK_SEQUENCE_COUNTER)
    long = bench.final(encode_request(TransferData(1, bytes(513))))
    assert long == refusal(0x36, Nrc.INCORRECT_LENGTH_OR_FORMAT)
    bench.final(encode_request(TransferData(1, bytes(512))))
    beyond = bench.final(encode_request(TransferData(2, bytes(189))))
    assert beyond == refusal(0x36, Nrc.TRANSFER_DATA_SUSPENDED)


def test_an_ecu_is_silent_while_it_boots() -> None:
    bench = new_bench(boot_s=2)
    assert bench.final(b"\x11\x01") == b"\x51\x01"
    assert bench.handle(b"\x3e\x00", after_s=1.9) == []
    assert bench.handle(b"\x3e\x00", after_s=0.2) == [b"\x7e\x00"]


def test_unmet_conditions_are_named(bench: Bench) -> None:
    bench.server = new_server(bench.memory)
    bench.server._conditions = lambda: Nrc.VEHICLE_SPEED_TOO_HIGH
    bench.unlock(3, 2)
    answer = bench.final(encode_request(erase(10)))
    assert answer == refusal(0x31, Nrc.VEHICLE_SPEED_TOO_HIGH)


def test_a_broken_memory_is_a_negative_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("cell is worn out", value="flash")

    begin_image(bench, 100)
    monkeypatch.setattr(bench.memory, "write", fail)
    answer = bench.final(encode_request(TransferData(1, bytes(100))))
    assert answer == refusal(0x36, Nrc.GENERAL_PROGRAMMING_FAILURE)
    monkeypatch.setattr(bench.memory, "store", fail)
    monkeypatch.setattr(bench.memory, "erase", fail)
    answer = bench.final(encode_request(erase(10)))
    assert answer == refusal(0x31, Nrc.GENERAL_PROGRAMMING_FAILURE)


def test_ram_memory_keeps_to_its_slot() -> None:
    memory = RamSlotMemory(16, new_bench().server.boot_state, OLD[:16])
    memory.write(Slot.B, 4, b"abcd")
    assert memory.read(Slot.B, 0, 10) == b"\xff" * 4 + b"abcd" + b"\xff" * 2
    assert memory.read(Slot.A, 0, 16) == OLD[:16]
    with pytest.raises(StoreError):
        memory.write(Slot.B, 10, bytes(7))


def name_of(routine: Routine) -> bytes:
    return encode_request(on_image(routine, NEW.sha256))


STEPS: dict[str, list[bytes]] = {
    "erase": [encode_request(erase(len(NEW.data)))],
    "begin": [encode_request(RequestDownload(0, len(NEW.data)))],
    "image": [
        encode_request(TransferData(i + 1, NEW.data[o : o + 512]))
        for i, o in enumerate(range(0, len(NEW.data), 512))
    ],
    "wrong block": [encode_request(TransferData(1, b"evil" * 128))],
    "exit": [b"\x37"],
    "metadata": [
        encode_request(RequestDownload(METADATA_ADDRESS, len(NEW.metadata))),
        encode_request(TransferData(1, NEW.metadata)),
        b"\x37",
    ],
    "check": [name_of(Routine.CHECK)],
    "activate": [name_of(Routine.ACTIVATE)],
    "commit": [name_of(Routine.COMMIT)],
    "revert": [encode_request(on_image(Routine.REVERT, sha256(OLD)))],
    "reset": [b"\x11\x01"],
}
USUAL = ["erase", "begin", "image", "exit", "metadata", "check", "activate", "reset"]


@settings(max_examples=80)
@given(st.data())
def test_no_order_of_requests_and_power_cuts_runs_an_unverified_image(data: st.DataObject) -> None:
    bench = new_bench()
    extra = st.sampled_from([*STEPS, "power cycle"])
    plan = [step for usual in USUAL for step in (*data.draw(st.lists(extra, max_size=2)), usual)]
    for step in plan:
        bench.memory.cut_after = bench.memory.changes + data.draw(st.integers(0, 40))
        try:
            happen(bench, step)
        except PowerCutError:
            bench.power_cycle()
        status = bench.server.status
        held = bench.memory.read(status.running, 0, len(NEW.data))
        assert held.startswith(OLD) or held == NEW.data
        assert status.running_sha256 in (sha256(OLD), NEW.sha256)
        bench.memory.cut_after = None


def happen(bench: Bench, step: str) -> None:
    if step == "power cycle":
        bench.power_cycle()
        return
    if bench.server.session is not Session.PROGRAMMING:
        bench.unlock(3, 2)
    for request in STEPS[step]:
        bench.handle(request)


def test_time_is_only_what_the_caller_says(bench: Bench) -> None:
    assert bench.server.handle(b"\x3e\x00", START) == [b"\x7e\x00"]
    assert bench.server.handle(b"\x3e\x00", START) == [b"\x7e\x00"]
