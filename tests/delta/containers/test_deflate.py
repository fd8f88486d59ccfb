"""Any deflate stream is rebuilt bit by bit, and one of a known encoder needs no corrections."""

import hashlib
import shutil
import subprocess
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.base.clock import SeededChance
from roadworthy.delta import _deflate

CHANCE = SeededChance(3).random
WORDS = [CHANCE.randbytes(CHANCE.randint(2, 9)) for _ in range(300)]
TEXT = b"".join(CHANCE.choice(WORDS) for _ in range(60_000)) + bytes(3000)
LEVELS = {
    1: (4, 4, 8, 4),
    2: (4, 5, 16, 8),
    3: (4, 6, 32, 32),
    4: (4, 4, 16, 16),
    5: (8, 16, 32, 32),
    6: (8, 16, 128, 128),
    7: (8, 32, 128, 256),
    8: (32, 128, 258, 1024),
    9: (32, 258, 258, 4096),
}
LAST = True
Rule = tuple[int, int, int, int, int, int, int, int, int]


def zlib_rule(level: int, memory: int = 8) -> Rule:
    return (level < 4, 0, memory + 7, 15, *LEVELS[level], (64 << memory) - 1)


def packed(content: bytes, level: int, strategy: int = 0, memory: int = 8) -> bytes:
    machine = zlib.compressobj(level, zlib.DEFLATED, -15, memory, strategy)
    return machine.compress(content) + machine.flush()


def rebuilt(stream: bytes, rule: Rule, stop: int = 1 << 18) -> tuple[bytes, bytes, int]:
    """Take a stream apart in segments and rebuild it: stream, content, bytes of corrections."""
    bit, hold, held, final = 0, 0, 0, False
    window = content = out = b""
    cost = 0
    while not final:
        piece, end, final = _deflate.unpack(stream, bit, window, stop, 1 << 24)
        corrections = _deflate.describe(stream, bit, end, window, piece, rule, final)
        made, hold, held = _deflate.rebuild(piece, window, rule, corrections, final, hold, held)
        out += made
        content += piece
        cost += len(corrections)
        window, bit = (window + piece)[-32768:], end
    return out, content, cost


@pytest.mark.parametrize("level", LEVELS)
def test_a_stream_of_zlib_needs_no_corrections(level: int) -> None:
    stream = packed(TEXT, level)
    assert rebuilt(stream, zlib_rule(level), stop=1 << 23) == (stream, TEXT, 0)


def test_a_stream_of_zlib_with_more_memory_needs_no_corrections() -> None:
    stream = packed(TEXT, 9, memory=9)
    assert rebuilt(stream, zlib_rule(9, memory=9), stop=1 << 23) == (stream, TEXT, 0)


def test_a_stream_in_segments_needs_few_corrections() -> None:
    stream = packed(TEXT, 6)
    out, content, cost = rebuilt(stream, zlib_rule(6), stop=1 << 15)
    assert (out, content) == (stream, TEXT)
    assert cost < 100


@pytest.mark.parametrize("level", [1, 4, 6, 9])
def test_a_stream_of_gzip_needs_no_corrections(level: int) -> None:
    program = shutil.which("gzip")
    assert program, "gzip is on every system that this project supports"
    file = subprocess.run(  # noqa: S603 - a program of the system on our own bytes
        [program, f"-{level}n"], input=TEXT, capture_output=True, check=True
    ).stdout
    rule = (level < 4, level > 2, 15, 15, *LEVELS[level], 32767)
    out, content, cost = rebuilt(file[10:-8], rule, stop=1 << 23)
    assert (out, content) == (file[10:-8], TEXT)
    assert cost == 0


@pytest.mark.parametrize("strategy", [zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, 4])
def test_a_stream_of_another_strategy_comes_back(strategy: int) -> None:
    stream = packed(TEXT[:100_000], 6, strategy)
    out, content, cost = rebuilt(stream, zlib_rule(6))
    assert (out, content) == (stream, TEXT[:100_000])
    assert 0 < cost < len(stream)


def test_flushed_and_stored_blocks_come_back() -> None:
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = b""
    for start in range(0, 90_000, 7001):
        stream += machine.compress(TEXT[start : start + 7001])
        stream += machine.flush(zlib.Z_SYNC_FLUSH if start % 2 else zlib.Z_FULL_FLUSH)
    stream += machine.flush()
    out, content, _ = rebuilt(stream, zlib_rule(9), stop=20_000)
    assert out == stream
    assert content == TEXT[: len(content)]
    noise = CHANCE.randbytes(70_000)
    for level in (0, 6):
        stream = packed(noise, level)
        assert rebuilt(stream, zlib_rule(6))[:2] == (stream, noise)


contents = st.lists(
    st.one_of(st.binary(max_size=40), st.sampled_from([TEXT[:300], b"\0" * 700, b"ab" * 300])),
    max_size=12,
).map(b"".join)


@given(content=contents, level=st.integers(0, 9), by=st.integers(1, 9), stop=st.integers(0, 900))
@settings(max_examples=200, deadline=None)
def test_any_content_comes_back_by_any_rule(content: bytes, level: int, by: int, stop: int) -> None:
    stream = packed(content, level)
    assert rebuilt(stream, zlib_rule(by), stop)[:2] == (stream, content)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_stream_or_refused(data: bytes) -> None:
    try:
        content, _, _ = _deflate.unpack(data, 0, b"", 1 << 16, 1 << 16)
    except _deflate.DeflateError:
        return
    assert len(content) <= 1 << 16


@given(corrections=st.binary(max_size=60), content=contents, last=st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_corrections_give_a_stream_of_the_content_or_are_refused(
    corrections: bytes, content: bytes, *, last: bool
) -> None:
    try:
        made, hold, held = _deflate.rebuild(content, b"", zlib_rule(6), corrections, last, 0, 0)
    except _deflate.DeflateError:
        return
    assert len(made) <= 2 * len(content) + 1024
    assert held < 8
    assert hold < 1 << held


def test_what_is_out_of_range_is_refused() -> None:
    good = zlib_rule(6)
    for at, value in {2: 7, 3: 16, 6: 2, 7: 0, 8: 0}.items():
        rule = list(good)
        rule[at] = value
        with pytest.raises(_deflate.DeflateError):
            _deflate.rebuild(b"x", b"", tuple(rule), b"", LAST, 0, 0)  # type: ignore[arg-type]
    with pytest.raises(_deflate.DeflateError):
        _deflate.rebuild(b"x", b"", good, b"", LAST, 2, 1)
    with pytest.raises(_deflate.DeflateError):
        _deflate.rebuild(b"x", bytes(32769), good, b"", LAST, 0, 0)
    with pytest.raises(_deflate.DeflateError):
        _deflate.unpack(packed(TEXT, 6), 0, b"", 1 << 20, 1000)


def test_a_hash_goes_on_from_its_state() -> None:
    state = _deflate.sha256_begin()
    for start in range(0, 1000, 77):
        state = _deflate.sha256_update(state, TEXT[start : min(start + 77, 1000)])
    assert _deflate.sha256_digest(state) == hashlib.sha256(TEXT[:1000]).digest()
    with pytest.raises(_deflate.DeflateError):
        _deflate.sha256_digest(b"short")
