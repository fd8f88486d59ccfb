"""A flash conversation reaches its end through lost answers and power cuts, or fails plainly."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.diagnostics.ecu_bench import (
    OLD,
    SECRET,
    SLOT_SIZE_BYTES,
    Bench,
    PowerCutError,
    image,
    new_bench,
    sha256,
)

from roadworthy.base.errors import LinkError, RoadworthyError
from roadworthy.diagnostics.answers import negative
from roadworthy.diagnostics.boot import Phase, Slot
from roadworthy.diagnostics.conversation import Pace, Progress, Reaction, converse, reaction_to
from roadworthy.diagnostics.errors import (
    ActivationError,
    MalformedResponseError,
    NegativeResponseError,
)
from roadworthy.diagnostics.flash import (
    Image,
    activate,
    commit,
    flash,
    read_identity,
    read_status,
    revert,
)
from roadworthy.diagnostics.identity import SlotStatus
from roadworthy.diagnostics.lock import derive_key
from roadworthy.diagnostics.nrc import Nrc

NEW = image(b"new image" * 400)
NEWER = image(b"newer" * 500, counter=3)
unlock = partial(derive_key, SECRET)


def install(bench: Bench, new: Image = NEW) -> SlotStatus:
    bench.hold(flash(new, unlock))
    bench.hold(activate(new.sha256, unlock))
    return bench.hold(commit(new.sha256, unlock))


def test_an_update_runs_from_flash_to_commit(bench: Bench) -> None:
    result = bench.hold(flash(NEW, unlock))
    assert result.sent_bytes == len(NEW.data) + len(NEW.metadata)
    assert result.status.other_sha256 == NEW.sha256
    assert bench.progress[-1] == Progress(result.sent_bytes, result.sent_bytes)
    trial = bench.hold(activate(NEW.sha256, unlock))
    assert (trial.running, trial.phase) == (Slot.B, Phase.TRIAL)
    assert bench.hold(commit(NEW.sha256, unlock)).phase is Phase.COMMITTED
    reading = bench.hold(read_identity())
    assert reading.software_version == "2.0.2"
    assert reading.identity == bench.server.settings.identity
    assert reading.status == bench.server.status


@pytest.mark.parametrize(
    "answer",
    [
        negative(0x22, Nrc.REQUEST_OUT_OF_RANGE),
        negative(0x22, Nrc.INCORRECT_LENGTH_OR_FORMAT),
        b"\x62\xfd\x01\x10",
        b"\x62\xfd\x01\x00\x01\x00\x00\x00",
        b"\x62",
    ],
)
def test_an_ecu_that_tells_no_slot_size_is_read_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    told = bench.hold(read_identity())
    assert told.slot_size_bytes == SLOT_SIZE_BYTES
    real = bench.server.handle

    def handle(request: bytes, now: datetime) -> list[bytes]:
        return [answer] if b"\xfd\x01" in request else real(request, now)

    monkeypatch.setattr(bench.server, "handle", handle)
    assert bench.hold(read_identity()) == replace(told, slot_size_bytes=0)


def test_everything_may_be_asked_twice(bench: Bench) -> None:
    install(bench)
    assert bench.hold(flash(NEW, unlock)).sent_bytes == 0
    assert bench.hold(activate(NEW.sha256, unlock)).phase is Phase.COMMITTED
    assert bench.hold(commit(NEW.sha256, unlock)).running is Slot.B


def test_a_trial_can_be_ended_and_a_commit_undone(bench: Bench) -> None:
    bench.hold(flash(NEW, unlock))
    bench.hold(activate(NEW.sha256, unlock))
    back = bench.hold(revert(sha256(OLD), unlock))
    assert (back.running, back.phase) == (Slot.A, Phase.COMMITTED)
    bench.hold(activate(NEW.sha256, unlock))
    bench.hold(commit(NEW.sha256, unlock))
    for _ in range(2):
        back = bench.hold(revert(sha256(OLD), unlock))
        assert (back.running, back.phase) == (Slot.A, Phase.COMMITTED)


def test_an_armed_image_can_be_disarmed(bench: Bench) -> None:
    bench.hold(flash(NEW, unlock))
    bench.unlock(3)
    bench.final(b"\x31\x01\x02\x10" + bytes.fromhex(NEW.sha256))
    assert bench.hold(read_status()).phase is Phase.ARMED
    assert bench.hold(activate(sha256(OLD), unlock)).phase is Phase.COMMITTED
    bench.power_cycle()
    assert bench.server.running is Slot.A


def test_flashing_ends_another_images_trial_first(bench: Bench) -> None:
    bench.hold(flash(NEW, unlock))
    bench.hold(activate(NEW.sha256, unlock))
    result = bench.hold(flash(NEWER, unlock))
    assert result.status.running is Slot.A
    assert result.status.other_sha256 == NEWER.sha256


def test_a_commit_after_the_trial_has_ended_is_a_plain_error(bench: Bench) -> None:
    bench.hold(flash(NEW, unlock))
    bench.hold(activate(NEW.sha256, unlock))
    bench.power_cycle()
    with pytest.raises(ActivationError):
        bench.hold(commit(NEW.sha256, unlock))


def test_an_image_that_does_not_come_up_is_a_plain_error(bench: Bench) -> None:
    bench.hold(flash(NEW, unlock))
    bench.memory.write(Slot.B, 5, b"rotten")
    with pytest.raises(ActivationError):
        bench.hold(activate(NEW.sha256, unlock))
    assert bench.server.running is Slot.A


@pytest.mark.parametrize("bad", [image(NEW.data, counter=0), Image(NEW.data, NEW.sha256, b"1:1:x")])
def test_an_image_that_the_ecu_refuses_fails_plainly(bench: Bench, bad: Image) -> None:
    with pytest.raises(NegativeResponseError) as caught:
        bench.hold(flash(bad, unlock))
    assert caught.value.nrc == Nrc.CERTIFICATE_INVALID_CONTENT
    assert "own verification" in str(caught.value)


def test_a_wrong_secret_fails_at_the_first_key(bench: Bench) -> None:
    with pytest.raises(NegativeResponseError) as caught:
        bench.hold(flash(NEW, lambda _: bytes(16)))
    assert caught.value.nrc == Nrc.INVALID_KEY
    assert sum(payload[:2] == b"\x27\x02" for payload in bench.sent) == 1


def test_after_too_many_wrong_keys_the_conversation_waits(bench: Bench) -> None:
    bench.handle(b"\x10\x03")
    for _ in range(3):
        bench.final(b"\x27\x01")
        bench.final(b"\x27\x02" + bytes(16))
    assert bench.hold(flash(NEW, unlock)).status.other_sha256 == NEW.sha256


@settings(max_examples=60)
@given(st.sets(st.integers(0, 60), max_size=12))
def test_lost_answers_cost_time_and_nothing_else(lost: set[int]) -> None:
    bench = new_bench(boot_s=0.5)
    numbers = iter(range(10_000))
    bench.lose = lambda _: next(numbers) in lost
    patient = Pace(losses_max=13, attempts_max=14)
    bench.hold(flash(NEW, unlock, patient))
    bench.hold(activate(NEW.sha256, unlock, patient))
    status = bench.hold(commit(NEW.sha256, unlock, patient))
    assert (status.running_sha256, status.phase) == (NEW.sha256, Phase.COMMITTED)


def test_a_dead_link_is_a_link_error(bench: Bench) -> None:
    bench.lose = lambda _: True
    with pytest.raises(LinkError):
        bench.hold(flash(NEW, unlock))


def fresh() -> Bench:
    return new_bench()


def updated_once() -> Bench:
    bench = new_bench()
    install(bench)
    bench.memory.changes = 0
    return bench


@pytest.mark.parametrize(("make", "new"), [(fresh, NEW), (updated_once, NEWER)])
def test_a_power_cut_at_every_memory_change_leaves_an_ecu_that_can_be_flashed_again(
    make: Callable[[], Bench], new: Image
) -> None:
    whole = make()
    install(whole, new)
    assert whole.memory.changes > 9
    for cut_after in range(whole.memory.changes):
        bench = make()
        bench.memory.cut_after = cut_after
        with pytest.raises(PowerCutError):
            install(bench, new)
        for _ in range(2):
            bench.power_cycle()
            assert_runs_what_it_verified(bench)
        assert install(bench, new).running_sha256 == new.sha256


def assert_runs_what_it_verified(bench: Bench) -> None:
    expected = {sha256(OLD): OLD, NEW.sha256: NEW.data, NEWER.sha256: NEWER.data}
    status = bench.server.status
    assert status.running_sha256 is not None
    data = expected[status.running_sha256]
    assert bench.memory.read(status.running, 0, len(data)) == data


@pytest.mark.parametrize("reset_after", range(0, 26, 3))
def test_an_ecu_that_restarts_in_the_middle_is_flashed_in_the_same_conversation(
    bench: Bench, reset_after: int
) -> None:
    numbers = iter(range(10_000))

    def restart_once(_: bytes) -> bool:
        if next(numbers) == reset_after:
            bench.power_cycle()
        return False

    bench.lose = restart_once
    assert bench.hold(flash(NEW, unlock)).status.other_sha256 == NEW.sha256


@settings(max_examples=80)
@given(st.lists(st.binary(max_size=20), max_size=30))
def test_any_answers_end_in_a_result_or_a_typed_error(answers: list[bytes]) -> None:
    conversation = flash(NEW, unlock)
    queue = iter(answers)
    next(conversation)
    try:
        while True:
            conversation.send(next(queue, b""))
    except (RoadworthyError, StopIteration):
        pass


def test_the_reaction_table_says_what_the_policy_says() -> None:
    assert reaction_to(Nrc.WRONG_BLOCK_SEQUENCE_COUNTER) is Reaction.TRANSFER
    assert reaction_to(Nrc.SECURITY_ACCESS_DENIED) is Reaction.SESSION
    assert reaction_to(Nrc.BUSY_REPEAT_REQUEST) is Reaction.WAIT
    for fatal in (0x31, 0x35, 0x72, 0x55, 0x22, 0x88, 0xEE):
        assert reaction_to(fatal) is Reaction.FAIL


def scripted(refusals: list[bytes]) -> tuple[Bench, list[bytes]]:
    """An ECU whose first answers to 0x36 are replaced."""
    bench = new_bench()
    genuine = bench.server.handle
    left = list(refusals)

    def handle(request: bytes, *, after_s: float = 0.0) -> list[bytes]:
        del after_s
        if request[0] == 0x36 and left:
            return [left.pop(0)]
        return genuine(request, bench.now)

    bench.handle = handle  # type: ignore[method-assign]
    return bench, left


@pytest.mark.parametrize("nrc", [0x21, 0x24, 0x70, 0x71, 0x73, 0x33, 0x7E, 0x7F])
def test_a_refusal_that_can_be_mended_is_mended(nrc: int) -> None:
    bench, left = scripted([bytes([0x7F, 0x36, nrc])])
    assert bench.hold(flash(NEW, unlock)).status.other_sha256 == NEW.sha256
    assert not left


@pytest.mark.parametrize("nrc", [0x22, 0x31, 0x72, 0x88, 0x92])
def test_a_fatal_refusal_is_passed_on_at_once(nrc: int) -> None:
    bench, _ = scripted([bytes([0x7F, 0x36, nrc])])
    with pytest.raises(NegativeResponseError) as caught:
        bench.hold(flash(NEW, unlock))
    assert caught.value.nrc == nrc


def test_refusals_without_end_are_given_up() -> None:
    bench, _ = scripted([b"\x7f\x36\x73"] * 50)
    with pytest.raises(NegativeResponseError):
        bench.hold(flash(NEW, unlock))


def test_nonsense_is_a_malformed_answer() -> None:
    bench, _ = scripted([b"\x76\x63"])
    with pytest.raises(MalformedResponseError):
        bench.hold(flash(NEW, unlock))


class ScriptedBus:
    """Gives the same answer to everything, or none at all."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self.pauses = 0

    async def request(
        self, address: int, payload: bytes, *, p2_s: float, p2_star_s: float
    ) -> bytes:
        assert address == 1
        assert payload
        assert p2_s < p2_star_s
        if self._answer is None:
            raise LinkError("lost")
        return self._answer

    async def sleep(self, duration_s: float) -> None:
        assert duration_s > 0
        self.pauses += 1


async def test_the_driver_hands_every_answer_to_the_conversation_even_an_empty_one() -> None:
    bus = ScriptedBus(b"")
    with pytest.raises(MalformedResponseError):
        await converse(flash(NEW, unlock), bus, 1, bus)


async def test_the_driver_lets_the_conversation_repeat_what_the_link_lost() -> None:
    bus = ScriptedBus(None)
    with pytest.raises(LinkError):
        await converse(flash(NEW, unlock), bus, 1, bus)
    assert bus.pauses == Pace().losses_max
