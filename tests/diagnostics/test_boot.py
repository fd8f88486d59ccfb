"""The boot rule: whatever happens in whatever order, only verified images run."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.diagnostics.ecu_bench import sha256

from roadworthy.base.errors import ConflictError, StoreError
from roadworthy.diagnostics.boot import (
    BootState,
    Phase,
    Slot,
    SlotRecord,
    arm,
    boot,
    commit,
    decode_boot_state,
    encode_boot_state,
    factory_state,
    invalidate,
    revert,
    verified,
)

if TYPE_CHECKING:
    from collections.abc import Callable

OLD = SlotRecord(sha256(b"old"), 3, "1", 1)
NEW = SlotRecord(sha256(b"new"), 3, "2", 2)
READY = verified(factory_state(OLD), NEW, 5)


def whole(_slot: Slot, _record: SlotRecord) -> bool:
    return True


def test_a_new_image_boots_once_and_falls_back_unless_committed() -> None:
    trial = boot(arm(READY, NEW.sha256), whole)
    assert (trial.running, trial.phase) == (Slot.B, Phase.TRIAL)
    assert boot(trial, whole).running is Slot.A
    kept = boot(commit(trial, NEW.sha256), whole)
    assert (kept.running, kept.phase) == (Slot.B, Phase.COMMITTED)


def test_an_armed_image_that_is_not_intact_any_more_is_not_booted() -> None:
    assert boot(arm(READY, NEW.sha256), lambda *_: False).running is Slot.A


def test_repeating_a_switch_changes_nothing() -> None:
    armed = arm(READY, NEW.sha256)
    assert arm(armed, NEW.sha256) == armed
    kept = commit(boot(armed, whole), NEW.sha256)
    assert commit(kept, NEW.sha256) == kept
    undone = revert(kept, OLD.sha256)
    assert undone.running is Slot.A
    assert revert(undone, OLD.sha256) == undone


def test_what_the_rule_does_not_allow_is_a_conflict() -> None:
    trial = boot(arm(READY, NEW.sha256), whole)
    changes: list[Callable[[], BootState]] = [
        lambda: arm(factory_state(OLD), NEW.sha256),
        lambda: commit(arm(READY, NEW.sha256), OLD.sha256),
        lambda: commit(READY, NEW.sha256),
        lambda: invalidate(trial),
        lambda: revert(READY, sha256(b"other")),
    ]
    for change in changes:
        with pytest.raises(ConflictError):
            change()


def test_metadata_versions_only_grow() -> None:
    assert verified(READY, NEW, 3).metadata_version == 5


@given(st.binary(max_size=60))
def test_a_damaged_boot_record_is_a_typed_error(data: bytes) -> None:
    try:
        state = decode_boot_state(data)
    except StoreError:
        return
    assert decode_boot_state(encode_boot_state(state)) == state


@given(
    st.lists(st.sampled_from(["arm", "boot", "torn boot", "commit", "revert", "erase", "flash"]))
)
def test_no_order_of_events_runs_an_unverified_slot(events: list[str]) -> None:
    state = factory_state(OLD)
    for event in events:
        try:
            state = happen(event, state)
        except ConflictError:
            continue
        assert state.record(state.running) is not None
        assert state.record(state.committed) is not None
        assert decode_boot_state(encode_boot_state(state)) == state


def happen(event: str, state: BootState) -> BootState:
    waiting = state.record(state.committed.other)
    match event:
        case "boot":
            return boot(state, whole)
        case "torn boot":
            return boot(state, lambda *_: False)
        case "erase":
            return invalidate(state)
        case "flash":
            return verified(invalidate(state), NEW, 1)
        case _:
            change = {"arm": arm, "commit": commit, "revert": revert}[event]
            return change(state, (waiting or NEW).sha256)
