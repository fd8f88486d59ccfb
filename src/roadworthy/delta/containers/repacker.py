"""Packing again: content of the virtual target goes in, bytes of the target come out.

Nothing is taken in before all that can come out has come out, so memory is that of one stream.
The state can be kept at any moment and another repacker goes on from it.
"""

import struct
from dataclasses import dataclass

from roadworthy.delta import _deflate
from roadworthy.delta.containers.recipe import DeflateStyle, Kind, Recipe, TargetPart
from roadworthy.delta.containers.repacking import packed_block
from roadworthy.delta.containers.window import WINDOW_BYTES, slide
from roadworthy.delta.errors import JournalError, PatchError, error_of
from roadworthy.delta.patch_decoder import ReadBase

__all__ = ["Repacker"]

_STATE = struct.Struct("<IQQBBIII")
_TARGET_MISMATCH = -4
_BYTE_BITS = 8
_SHA256_BYTES = len(_deflate.sha256_begin())


@dataclass
class _State:
    """All that changes: part, bytes of it that are done, bytes written, bits of a byte."""

    part: int = 0
    done: int = 0
    written: int = 0
    hold: int = 0
    held: int = 0
    window: bytes = b""
    waiting: bytes = b""
    ready: bytes = b""
    sha256: bytes = b""


class Repacker:
    """Makes the target out of the virtual target.

    Args:
        recipe: whose target parts are made.
        read_base: gives bytes of the base for what is copied.
        target: length and SHA-256 of the target.
        state: what `state()` gave, or None to start.

    Raises:
        JournalError: the state is not one of this recipe.
        TargetMismatchError: it is of a target that came out wrong.
    """

    def __init__(
        self,
        recipe: Recipe,
        read_base: ReadBase,
        target: tuple[int, str],
        state: bytes | None = None,
    ) -> None:
        self._recipe = recipe
        self._read_base = read_base
        self._length, self._sha256 = target
        self._state = _State(sha256=_deflate.sha256_begin())
        self._done = False
        if state is not None:
            self._state = _open(state, recipe)
            if self._at_end:
                self._confirm()

    @property
    def written(self) -> int:
        """Target bytes that came out."""
        return self._state.written

    @property
    def done(self) -> bool:
        """Whether the target is whole; its SHA-256 was compared then."""
        return self._done

    @property
    def _at_end(self) -> bool:
        return self._state.part >= len(self._recipe.target) and not self._state.ready

    def feed(self, content: bytes) -> None:
        """Take the next bytes of the virtual target; only when `take` gives nothing more."""
        self._state.waiting += content

    def take(self, room: int) -> bytes:
        """Return the next target bytes, at most `room`; nothing when more content is needed.

        Raises:
            PatchError: a part's corrections don't fit its content, or content is left over.
            TargetMismatchError: what came out is not the target.
        """
        state = self._state
        while not state.ready and state.part < len(self._recipe.target):
            part = self._recipe.target[state.part]
            if not self._advance(part, room):
                break
        out, state.ready = state.ready[:room], state.ready[room:]
        state.written += len(out)
        if out:
            state.sha256 = _deflate.sha256_update(state.sha256, out)
        if state.written + len(state.ready) > self._length:
            raise PatchError("makes more than the target", value="patch", todo="fetch it again")
        if self._at_end:
            self._confirm()
        return out

    def _confirm(self) -> None:
        state = self._state
        self._done = False
        if state.waiting:
            raise PatchError("its recipe leaves content over", value="patch", todo="fetch it again")
        whole = state.written == self._length
        if not whole or _deflate.sha256_digest(state.sha256).hex() != self._sha256:
            raise error_of(_TARGET_MISMATCH)
        self._done = True

    def _advance(self, part: TargetPart, room: int) -> bool:
        """Make bytes ready or go to the next part; False when content is missing."""
        state = self._state
        if part.kind.is_packed:
            if len(state.waiting) < part.length:
                return False
            content, state.waiting = state.waiting[: part.length], state.waiting[part.length :]
            state.ready = self._packed(part, content)
            state.part += 1
            return True
        length = min(room, part.length - state.done)
        if part.kind is Kind.GAP:
            return self._drop(part)
        if part.kind is Kind.COPY:
            state.ready = self._read_base(part.offset + state.done, length)
        elif part.kind is Kind.LITERAL:
            state.ready = part.literal[state.done : state.done + length]
        else:
            state.ready, state.waiting = state.waiting[:length], state.waiting[length:]
        state.done += len(state.ready)
        if state.done < part.length:
            return bool(state.ready)
        state.part += 1
        state.done = 0
        return True

    def _drop(self, part: TargetPart) -> bool:
        """Take a gap's content and make nothing of it; False when some is missing."""
        state = self._state
        dropped = min(len(state.waiting), part.length - state.done)
        state.waiting = state.waiting[dropped:]
        state.done += dropped
        if state.done < part.length:
            return False
        state.part += 1
        state.done = 0
        return True

    def _packed(self, part: TargetPart, content: bytes) -> bytes:
        state = self._state
        style = self._recipe.styles[part.style]
        try:
            if part.kind is not Kind.DEFLATE or not isinstance(style, DeflateStyle):
                return packed_block(part, style, content)
            made, state.hold, state.held = _deflate.rebuild(
                content,
                state.window,
                style.rule,
                part.corrections,
                part.last,
                state.hold,
                state.held,
            )
        except _deflate.DeflateError:
            raise PatchError(
                "its corrections don't fit the content", value="patch", todo="fetch it again"
            ) from None
        state.window = b"" if part.last else slide(state.window, content)
        return made

    def state(self) -> bytes:
        """Return the whole state, from which another Repacker of this recipe goes on."""
        s = self._state
        return (
            _STATE.pack(
                s.part,
                s.done,
                s.written,
                s.hold,
                s.held,
                len(s.window),
                len(s.waiting),
                len(s.ready),
            )
            + s.sha256
            + s.window
            + s.waiting
            + s.ready
        )


def _open(state: bytes, recipe: Recipe) -> _State:
    wrong = JournalError("is not of this patch", value="journal", todo="start the patch again")
    if len(state) < _STATE.size + _SHA256_BYTES:
        raise wrong
    part, done, written, hold, held, window, waiting, ready = _STATE.unpack_from(state)
    at = _STATE.size + _SHA256_BYTES
    fits = len(state) == at + window + waiting + ready and part <= len(recipe.target)
    longest = recipe.target[part].length if fits and part < len(recipe.target) else 0
    if not fits or done > longest or window > WINDOW_BYTES or hold >> held or held >= _BYTE_BITS:
        raise wrong
    return _State(
        part,
        done,
        written,
        hold,
        held,
        state[at : at + window],
        state[at + window : at + window + waiting],
        state[at + window + waiting :],
        state[_STATE.size : at],
    )
