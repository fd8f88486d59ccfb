"""Streams that no encoder of zlib's family writes, broken ones, and corrections that don't fit."""

import subprocess
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from tests.delta.c_programs import DEFLATE, compiled
from tests.delta.containers.bits import (
    END,
    ORDER_LENGTHS,
    Bits,
    Token,
    sent_lengths,
)
from tests.delta.containers.test_deflate import LAST, TEXT, packed, rebuilt, zlib_rule

from roadworthy.base.clock import SeededChance
from roadworthy.delta import _deflate

RULE = zlib_rule(6)
TOKENS_MAX = 1 << 20
BALANCED = [8] * 226 + [9] * 60, [4] * 2 + [5] * 28
"""Complete codes that zlib would not choose, for all literals and distances."""


def sparse(symbols: dict[int, int]) -> list[int]:
    return [symbols.get(symbol, 0) for symbol in range(max(symbols) + 1)]


SPARSE = sparse({97: 2, 98: 2, END: 2, 257: 3, 285: 3}), sparse({0: 1, 9: 1})


def with_head(lengths: tuple[list[int], list[int]], tokens: Iterable[Token]) -> bytes:
    """Return a stream of one dynamic block whose head says these lengths."""
    literals, distances = lengths
    bits = Bits().put(1, 1).put(2, 2)
    bits.head((len(literals), len(distances)), sent_lengths(literals + distances))
    return bits.tokens(literals, distances, tokens).stream()


FOREIGN = {
    "a code of all symbols": with_head(BALANCED, [*TEXT[:400], END]),
    "a code of few symbols": with_head(
        SPARSE, [97] * 30 + [98, (257, 0, 9, 3), 97, (285, 0, 0, 0), 97, END]
    ),
    "a head for nothing": with_head(BALANCED, [END]),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_heads_that_zlib_would_not_choose_come_back(name: str) -> None:
    stream = FOREIGN[name]
    content = zlib.decompress(stream, -15)
    for level in (1, 9):
        out, unpacked, cost = rebuilt(stream, zlib_rule(level))
        assert (out, unpacked) == (stream, content)
        assert 0 < cost < 200


def test_empty_blocks_of_every_type_come_back() -> None:
    bits = Bits()
    for _ in range(3):
        bits.fixed([END], final=False)
        bits.put(0, 3).put(0, -bits.count % 8).put(0xFFFF0000, 32)
    stream = bits.fixed([*b"the end", END]).stream()
    assert zlib.decompress(stream, -15) == b"the end"
    assert rebuilt(stream, RULE)[:2] == (stream, b"the end")


def stored(length: int, check: int, content: bytes) -> bytes:
    head = Bits().put(1, 8).put(length, 16).put(check, 16).stream()
    return head.ljust(5, b"\0") + content


def headed(
    sent: list[tuple[int, int]],
    counts: tuple[int, int] = (257, 1),
    order: list[int] = ORDER_LENGTHS,
) -> bytes:
    """Return a dynamic block that stops after its head; zeros follow."""
    return Bits().put(1, 1).put(2, 2).head(counts, sent, order).stream() + bytes(40)


FEW = [0] * 16 + [1, 0, 0]
BROKEN = {
    "nothing": b"",
    "a type that is none": b"\x07",
    "stored, but its length is not said twice": stored(3, 3, b"abc"),
    "stored, but there is less": stored(4, 0xFFFB, b"abc"),
    "stored, cut in its length": stored(4, 0xFFFB, b"")[:2],
    "more literals than there are": headed([(8, 0)] * 320, (288, 1)),
    "more distances than there are": headed([(8, 0)] * 320, (257, 32)),
    "too many codes of code lengths": headed([], order=[1] * 19),
    "bits that are no code length": Bits().put(5, 3).put(0, 14).put(1, 3).put(0, 54).stream()
    + b"\xff" * 40,
    "a repeat of nothing": headed([(16, 0)], order=FEW),
    "a run longer than all lengths": headed([(18, 127), (18, 127)]),
    "too many literal codes": headed([(1, 0)] * 257 + [(1, 0)]),
    "too many distance codes": headed(sent_lengths([8] * 256 + [0, 8, 1, 1, 1]), (258, 3)),
    "no code for the end": headed(sent_lengths([8] * 256 + [0, 1])),
    "a literal that is none": Bits().fixed([286]).stream(),
    "a distance that is none": Bits().fixed([97, (257, 0, 30, 0), END]).stream(),
    "bits that are no distance": with_head((SPARSE[0], [2, 2]), [97, 97])[:-1] + b"\xff" * 9,
    "a match from before the start": Bits().fixed([97, (257, 0, 1, 0), END]).stream(),
    "a match of 258 bytes said as 227 and 31": Bits().fixed([97, (284, 31, 0, 0), END]).stream(),
}
UNLIKE_ZLIB = {"a match of 258 bytes said as 227 and 31", "bits that are no distance"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_is_refused(name: str) -> None:
    if name not in UNLIKE_ZLIB:
        with pytest.raises(zlib.error):
            zlib.decompress(BROKEN[name], -15)
    with pytest.raises(_deflate.DeflateError, match="no deflate stream of ours"):
        _deflate.unpack(BROKEN[name], 0, b"", 1 << 20, 1 << 20)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_stream_that_is_cut_anywhere_is_refused(name: str) -> None:
    for length in range(len(FOREIGN[name])):
        with pytest.raises(_deflate.DeflateError, match="no deflate stream of ours"):
            _deflate.unpack(FOREIGN[name][:length], 0, b"", 1 << 20, 1 << 20)


@pytest.mark.parametrize(
    "stream",
    [
        stored(100, 0xFF9B, bytes(100)),
        Bits().fixed([*bytes(100), END]).stream(),
        Bits().fixed([0, (285, 0, 0, 0), END]).stream(),
    ],
)
def test_no_more_than_allowed_is_unpacked(stream: bytes) -> None:
    whole, _, _ = _deflate.unpack(stream, 0, b"", 1000, 1000)
    assert whole == zlib.decompress(stream, -15)
    assert _deflate.unpack(stream, 0, b"", 1000, len(whole))[0] == whole
    with pytest.raises(_deflate.DeflateError, match="more bytes than allowed"):
        _deflate.unpack(stream, 0, b"", 1000, len(whole) - 1)


def test_a_block_of_too_many_tokens_is_unpacked_but_not_described() -> None:
    zero = b"\x0c"
    for count, fits in ((TOKENS_MAX, True), (TOKENS_MAX + 1, False)):
        bits = 3 | int.from_bytes(zero * count, "little") << 3
        stream = bits.to_bytes(count + 2, "little")
        content, end, final = _deflate.unpack(stream, 0, b"", 1 << 24, 1 << 24)
        assert (len(content), final) == (count, True)
        rule = (*RULE[:8], TOKENS_MAX)
        if fits:
            made = _deflate.describe(stream, 0, end, b"", content, rule, LAST)
            assert _deflate.rebuild(content, b"", rule, made, LAST, 0, 0)[0] == stream
        else:
            with pytest.raises(_deflate.DeflateError, match="more bytes than allowed"):
                _deflate.describe(stream, 0, end, b"", content, rule, LAST)


def test_what_is_described_must_end_where_it_is_said_to() -> None:
    stream = packed(TEXT[:5000], 6)
    content, end, _ = _deflate.unpack(stream, 0, b"", 1 << 20, 1 << 20)
    assert content == TEXT[:5000]
    for wrong_end, wrong in ((end - 1, content), (end, content[:-1]), (end, content[::-1])):
        with pytest.raises(_deflate.DeflateError):
            _deflate.describe(stream, 0, wrong_end, b"", wrong, RULE, LAST)


def test_blocks_of_nothing_that_take_more_than_the_content_allows_are_refused() -> None:
    for count, fits in ((800, True), (900, False)):
        bits = Bits()
        for _ in range(count):
            bits.fixed([END], final=False)
        stream = bits.fixed([END]).stream()
        made = _deflate.describe(stream, 0, bits.count, b"", b"", RULE, LAST)
        if fits:
            assert _deflate.rebuild(b"", b"", RULE, made, LAST, 0, 0)[0] == stream
        else:
            with pytest.raises(_deflate.DeflateError, match="more bytes than allowed"):
                _deflate.rebuild(b"", b"", RULE, made, LAST, 0, 0)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: len(content) // 3],
    "reversed": lambda content: content[::-1],
    "longer": lambda content: content + content[:999],
    "other": lambda content: bytes(byte ^ 0x55 for byte in content),
    "empty": lambda _: b"",
}


OTHERS = {
    "patient": packed(TEXT[:20_000], 9),
    "codes only": packed(TEXT[:20_000], 9, zlib.Z_HUFFMAN_ONLY),
    "runs": packed(TEXT[:20_000], 9, zlib.Z_RLE),
    "stored": packed(TEXT[:20_000], 0),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", OTHERS)
def test_corrections_of_other_content_never_make_its_stream(name: str, change: str) -> None:
    stream = OTHERS[name]
    content, end, _ = _deflate.unpack(stream, 0, b"", 1 << 20, 1 << 20)
    for rule in (zlib_rule(1), zlib_rule(4), (*RULE[:8], 500)):
        made = _deflate.describe(stream, 0, end, b"", content, rule, LAST)
        other = CHANGES[change](content)
        try:
            out, _, held = _deflate.rebuild(other, b"", rule, made, LAST, 0, 0)
        except _deflate.DeflateError:
            continue
        assert held == 0
        assert len(out) <= 2 * len(other) + 1024
        assert out != stream


def test_corrections_of_noise_are_refused_or_bounded() -> None:
    chance = SeededChance("corrections").random
    content, refused, rebuilt_from = TEXT[:300], 0, 0
    for _ in range(1500):
        noise = chance.randbytes(chance.randrange(1, 90))
        try:
            out, hold, held = _deflate.rebuild(content, b"", RULE, noise, not LAST, 0, 0)
        except _deflate.DeflateError:
            refused += 1
            continue
        rebuilt_from += 1
        assert len(out) <= 2 * len(content) + 1024
        assert hold >> held == 0
    assert refused > 100
    assert rebuilt_from > 10


def test_blocks_behind_the_final_one_come_back() -> None:
    bits = Bits().fixed([*b"final", END]).fixed([*b", and not", END], final=False)
    content = b"final, and not"
    for last in (True, False):
        made = _deflate.describe(bits.stream(), 0, bits.count, b"", content, RULE, last)
        out, hold, held = _deflate.rebuild(content, b"", RULE, made, last, 0, 0)
        assert out + (bytes([hold]) if held else b"") == bits.stream()


def test_the_recompressor_keeps_its_rules_in_every_case(tmp_path: Path) -> None:
    wrap = "-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc"
    program = compiled(tmp_path, "deflate_cases.c", sources=DEFLATE, flags=(wrap,))
    result = subprocess.run([program], check=False, capture_output=True, text=True)  # noqa: S603
    assert result.returncode == 0, result.stdout + result.stderr
