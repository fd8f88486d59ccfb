from datetime import timedelta
from typing import TypeVar

import pytest

from roadworthy.base.clock import SeededChance
from roadworthy.base.encoding import sha256_hex
from roadworthy.base.ids import HardwareId, Sha256
from roadworthy.diagnostics.boot import Phase
from roadworthy.diagnostics.conversation import Conversation, Pause, Request
from roadworthy.diagnostics.errors import (
    ActivationError,
    NegativeResponseError,
    NoResponseError,
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
from roadworthy.diagnostics.lock import derive_key
from roadworthy.diagnostics.slots import Approval
from roadworthy.sim import vehicle_types
from roadworthy.sim.ecu import VirtualEcu, ecu_secret
from roadworthy.sim.scheduler import EPOCH
from roadworthy.sim.vehicle_types import factory_release, new_release, vehicle_key, vehicle_type
from roadworthy.trust.keys import key_of, signer_from_seed
from roadworthy.trust.repository import RoleKeys, make_director_targets, make_root, sign, to_bytes
from roadworthy.trust.targets import EcuTarget, ImageTarget

_KEY = vehicle_key("ecu", 0)
_SIGNER = signer_from_seed(bytes(range(32)))
_LATER = EPOCH + timedelta(days=30)
_T = TypeVar("_T")
_MCU = HardwareId("mcu-greatfet-cm4")


def _root() -> bytes:
    keys = RoleKeys(1, (key_of(_SIGNER),))
    names = ("root", "targets", "snapshot", "timestamp")
    root = make_root(dict.fromkeys(names, keys), version=1, expires=_LATER)
    sign(root, _SIGNER)
    return to_bytes(root)


def _ecu() -> VirtualEcu:
    place = next(ecu for ecu in vehicle_type("car-b").ecus if ecu.hardware_id == _MCU)
    return VirtualEcu(
        _KEY,
        place,
        factory_release(tiny=True).images[_MCU],
        director_root=_root(),
        chance=SeededChance(1),
    )


def _image(ecu: VirtualEcu, found: vehicle_types.Image) -> Image:
    target = ImageTarget(
        name=found.name,
        length_bytes=len(found.data),
        sha256=found.sha256,
        hardware_id=found.hardware_id,
        version=found.version,
        release_counter=found.release_counter,
    )
    ecus = [EcuTarget(ecu.identity.serial, target, None, 0)]
    targets = make_director_targets(_KEY, "offer", ecus, version=2, expires=_LATER)
    sign(targets, _SIGNER)
    return Image(found.data, found.sha256, to_bytes(targets))


class Workshop:
    """Holds conversations with an ECU in a time of its own; power may fail at a request."""

    def __init__(self, ecu: VirtualEcu, power_fails_at: int = 0) -> None:
        self.ecu = ecu
        self.now = EPOCH
        self.power_fails_at = power_fails_at
        self.requests = 0

    def unlock(self, seed: bytes) -> bytes:
        return derive_key(ecu_secret(_KEY, self.ecu.identity.serial), seed)

    def hold(self, conversation: Conversation[_T]) -> _T:
        answer, lost = b"", False
        while True:
            try:
                if lost:
                    action = conversation.throw(NoResponseError("silent"))
                else:
                    action = conversation.send(answer or None)  # type: ignore[arg-type]
            except StopIteration as stop:
                result: _T = stop.value
                return result
            answer, lost = b"", False
            if isinstance(action, Request):
                answer = self._ask(action.payload)
                lost = not answer
            elif isinstance(action, Pause):
                self.now += timedelta(seconds=action.duration_s)

    def _ask(self, payload: bytes) -> bytes:
        self.requests += 1
        answers = self.ecu.serve(payload, self.now)
        if self.requests == self.power_fails_at:
            self.ecu.lose_power(SeededChance(self.requests))
            raise PowerFailedError
        self.now += timedelta(seconds=answers.duration_s)
        self.ecu.settle()
        return answers.responses[-1] if answers.responses else b""


class PowerFailedError(Exception):
    pass


def test_an_ecu_says_who_it_is_and_what_it_runs() -> None:
    ecu = _ecu()
    reading = Workshop(ecu).hold(read_identity())
    old = factory_release(tiny=True).images[_MCU]
    assert reading.identity == ecu.identity
    assert reading.software_version == old.version
    assert reading.status.running_sha256 == old.sha256 == ecu.running_sha256()
    assert ecu.ran == {old.sha256}


def test_an_image_is_flashed_tried_committed_and_can_be_taken_back() -> None:
    ecu = _ecu()
    tester = Workshop(ecu)
    old, new = factory_release(tiny=True).images[_MCU], new_release(tiny=True).images[_MCU]
    tester.hold(flash(_image(ecu, new), tester.unlock))
    assert ecu.running_sha256() == old.sha256
    assert tester.hold(activate(new.sha256, tester.unlock)).phase is Phase.TRIAL
    assert tester.hold(commit(new.sha256, tester.unlock)).phase is Phase.COMMITTED
    ecu.power_on()
    assert ecu.running_sha256() == new.sha256
    assert ecu.ran == {old.sha256, new.sha256}
    tester.hold(revert(old.sha256, tester.unlock))
    assert ecu.running_sha256() == old.sha256


def test_an_image_that_the_director_did_not_sign_never_runs() -> None:
    ecu = _ecu()
    tester = Workshop(ecu)
    new = new_release(tiny=True).images[_MCU]
    evil = b"evil" * 300
    signed = _image(ecu, new).metadata
    forged = Image(evil, Sha256(sha256_hex(evil)), signed)
    with pytest.raises(NegativeResponseError):
        tester.hold(flash(forged, tester.unlock))
    with pytest.raises(NegativeResponseError):
        tester.hold(activate(forged.sha256, tester.unlock))
    assert ecu.ran == {factory_release(tiny=True).images[_MCU].sha256}


def test_without_its_verification_an_ecu_would_run_it() -> None:
    ecu = _ecu()
    ecu.verify = lambda candidate, now: Approval("666", 9, 1)  # noqa: ARG005 - the port's names
    ecu.power_on()
    tester = Workshop(ecu)
    evil = b"evil" * 300
    tester.hold(flash(Image(evil, Sha256(sha256_hex(evil)), b"{}"), tester.unlock))
    tester.hold(activate(Sha256(sha256_hex(evil)), tester.unlock))
    assert sha256_hex(evil) in ecu.ran


def test_an_ill_image_falls_back_by_itself() -> None:
    ecu = _ecu()
    ecu.faults.ill = True
    tester = Workshop(ecu)
    old, new = factory_release(tiny=True).images[_MCU], new_release(tiny=True).images[_MCU]
    tester.hold(flash(_image(ecu, new), tester.unlock))
    with pytest.raises(ActivationError):
        tester.hold(activate(new.sha256, tester.unlock))
    assert ecu.running_sha256() == old.sha256


def test_an_ecu_may_refuse_to_be_programmed() -> None:
    ecu = _ecu()
    ecu.faults.rejects = True
    tester = Workshop(ecu)
    with pytest.raises(NegativeResponseError, match="state does not allow"):
        tester.hold(flash(_image(ecu, new_release(tiny=True).images[_MCU]), tester.unlock))


def test_a_hung_ecu_is_silent_until_its_next_power_cycle() -> None:
    ecu = _ecu()
    ecu.faults.hangs = True
    tester = Workshop(ecu)
    with pytest.raises(NoResponseError):
        tester.hold(flash(_image(ecu, new_release(tiny=True).images[_MCU]), tester.unlock))
    with pytest.raises(NoResponseError):
        tester.hold(read_status())
    ecu.power_on()
    tester.hold(read_status())


def test_power_loss_at_any_request_leaves_a_whole_image_and_flashing_again_succeeds() -> None:
    old, new = factory_release(tiny=True).images[_MCU], new_release(tiny=True).images[_MCU]
    last = Workshop(_ecu())
    last.hold(flash(_image(last.ecu, new), last.unlock))
    last.hold(activate(new.sha256, last.unlock))
    for cut in range(1, last.requests + 1):
        ecu = _ecu()
        tester = Workshop(ecu, power_fails_at=cut)
        with pytest.raises(PowerFailedError):
            _install(tester, ecu, new)
        ecu.power_on()
        assert ecu.running_sha256() in {old.sha256, new.sha256}
        again = Workshop(ecu)
        _install(again, ecu, new)
        assert ecu.running_sha256() == new.sha256
        assert ecu.ran == {old.sha256, new.sha256}


def _install(tester: Workshop, ecu: VirtualEcu, new: vehicle_types.Image) -> None:
    tester.hold(flash(_image(ecu, new), tester.unlock))
    tester.hold(activate(new.sha256, tester.unlock))
    tester.hold(commit(new.sha256, tester.unlock))


def test_a_slow_ecu_takes_its_time_in_proportion() -> None:
    quick, slow = _ecu(), _ecu()
    slow.faults.slowness = 50.0
    request = b"\x3e\x00"
    once = quick.serve(request, EPOCH).duration_s
    assert slow.serve(request, EPOCH).duration_s == pytest.approx(50 * once)
