"""The header: any fields come back, anything else is refused."""

import hashlib
from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.delta.second_decoder.container import read_header, usual_sizes

from roadworthy import delta
from roadworthy.base.clock import SeededChance

U32 = (1 << 32) - 1
HEADER_BYTES_MIN = 13
STORED, MIXING, FAST, FAST_LINES_MIN = 0, 1, 2, 256
HASH_BYTES = (32, 8, 3)
TINY_BYTES = 3
TINY = HASH_BYTES.index(TINY_BYTES)
SLOT_BYTES = 4
NOISE = SeededChance("header").random.randbytes(9000)


def number(value: int) -> bytes:
    """Return a number as the format has it."""
    groups: list[int] = []
    while not groups or value:
        groups.append(value & 127)
        value >>= 7
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def sealed(head: bytes, hashes: tuple[bytes, bytes]) -> bytes:
    """Return the header with these hashes, of base and target, as the format has them."""
    base, target = hashes
    if len(base) == TINY_BYTES:
        mask = hashlib.sha256(head + target).digest()
        return head + target + bytes(a ^ b for a, b in zip(base, mask, strict=False))
    head += target + base
    return head + hashlib.sha256(head).digest()[:4]


@dataclass(frozen=True)
class Fields:
    """What a header says, and the bytes of it."""

    back_end: int
    architecture: int
    step_bits: int
    primed: bool
    in_place: bool
    bits: tuple[int, int, int]  # memo, window, index
    base: int
    target: int
    payload: int
    covers: int
    lines: int
    shift: int
    hashes: tuple[bytes, bytes]
    ram_class: int = 2
    usual: bool = False  # sizes are left out

    def lengths(self) -> list[int]:
        difference = (self.target - self.base) & U32
        folded = (difference << 1 ^ -(difference >> 31)) & U32
        differences = [folded] if folded else []
        return [self.base, self.covers << 1 | len(differences), *differences, self.payload]

    def start(self) -> bytes:
        kind = 5 | self.back_end << 4 | self.ram_class << 6
        hashes = HASH_BYTES.index(len(self.hashes[0]))
        flags = self.usual << 3 | self.primed << 6 | self.in_place << 7
        return b"RW" + bytes([kind, self.architecture | hashes << 4 | flags])

    def sizes(self) -> bytes:
        memo, window, index = self.bits
        fields = [self.step_bits - 12, window, index, *([memo] if self.architecture else [])]
        return b"" if self.usual else bytes(fields)

    def parts(self) -> list[bytes]:
        """The parts before the hashes; each number is one of its own."""
        lines = [] if self.usual else [number(self.lines)]
        shift = [number(self.shift)] if self.in_place else []
        return [self.start(), *map(number, self.lengths()), self.sizes(), *lines, *shift]

    def header(self) -> bytes:
        return sealed(b"".join(self.parts()), self.hashes)


LENGTHS = st.one_of(st.integers(0, 300), st.integers(0, U32), st.integers(U32 - 300, U32))
FIELDS = st.builds(
    Fields,
    back_end=st.integers(0, 2),
    architecture=st.integers(0, 5),
    step_bits=st.integers(12, 24),
    primed=st.booleans(),
    in_place=st.booleans(),
    bits=st.tuples(st.integers(0, 17), st.integers(1, 20), st.integers(0, 17)),
    base=LENGTHS,
    target=LENGTHS,
    payload=st.integers(0, U32 - 106),
    covers=st.integers(0, 20_000),
    lines=st.integers(1, 1 << 14),
    shift=LENGTHS,
    hashes=st.sampled_from(HASH_BYTES).flatmap(
        lambda size: st.tuples(*[st.binary(min_size=size, max_size=size)] * 2)
    ),
)
PLAIN = Fields(
    back_end=1,
    architecture=0,
    step_bits=16,
    primed=True,
    in_place=False,
    bits=(0, 13, 14),
    base=6380,
    target=6348,
    payload=1274,
    covers=7,
    lines=7372,
    shift=0,
    hashes=(bytes(8), b"targets!"),
)
QUICK = replace(PLAIN, back_end=FAST, primed=False, bits=(0, 13, 0))
CODE = replace(PLAIN, architecture=1, bits=(9, 13, 14), in_place=True, shift=300)
WHOLE = replace(CODE, hashes=(NOISE[:32], NOISE[32:64]))
SMALL = replace(PLAIN, payload=274, hashes=(b"old", b"new"), usual=True)
HEADERS = [each.header() for each in (PLAIN, QUICK, CODE, WHOLE, SMALL)]


def with_a_payload_for_the_hashes(fields: Fields) -> Fields:
    is_tiny = len(fields.hashes[0]) == TINY_BYTES
    return replace(fields, payload=fields.payload % 512) if is_tiny else fields


@given(FIELDS.map(with_a_payload_for_the_hashes))
@settings(deadline=None)
def test_any_fields_in_range_come_back(fields: Fields) -> None:
    assume(fields.shift <= U32 - fields.base or not fields.in_place)
    assume(fields.back_end != FAST or fields.lines >= FAST_LINES_MIN)
    if fields.back_end != MIXING:
        fields = replace(fields, primed=False, bits=(*fields.bits[:2], 0))
    data = fields.header()
    header, second = delta.inspect(data + b"payload"), read_header(data + b"payload")
    assert header.header_length_bytes == second.length == len(data) <= delta.HEADER_BYTES_MAX
    assert header.patch_length_bytes == len(data) + fields.payload
    assert header.base_length_bytes == second.base_length == fields.base
    assert header.target_length_bytes == second.target_length == fields.target
    assert (header.back_end, header.architecture) == (fields.back_end, fields.architecture)
    assert header.step_bytes == second.step_bytes == 1 << fields.step_bits
    assert header.cover_count == second.cover_count == fields.covers
    assert header.in_place == second.in_place == fields.in_place
    assert header.shift_bytes == second.shift == (fields.shift if fields.in_place else 0)
    assert (header.base_sha256, header.target_sha256) == tuple(h.hex() for h in fields.hashes)
    assert (second.base_hash, second.target_hash) == fields.hashes
    assert header.hash_bytes == len(fields.hashes[0])


def with_usual_sizes(fields: Fields) -> Fields:
    """Return the fields with the sizes that need not be named, yet named."""
    sizes = usual_sizes(
        fields.back_end,
        fields.ram_class,
        fields.base,
        fields.target,
        code=fields.architecture > 0,
        in_place=fields.in_place,
    )
    bits = (sizes.memo_bits, sizes.window_bits, sizes.index_bits)
    lines = sizes.slot_count // 16
    return replace(fields, step_bits=sizes.step_bits, bits=bits, lines=lines, usual=False)


@given(fields=FIELDS.map(with_a_payload_for_the_hashes), ram_class=st.integers(0, 2))
@settings(deadline=None)
def test_usual_sizes_are_left_out(fields: Fields, ram_class: int) -> None:
    assume(fields.shift <= U32 - fields.base or not fields.in_place)
    fields = replace(fields, ram_class=ram_class, covers=fields.covers % 200)
    if fields.back_end != MIXING:
        fields = replace(fields, primed=False)
    named = with_usual_sizes(fields)
    data = replace(fields, usual=True).header()
    header, second = delta.inspect(data + b"payload"), read_header(data + b"payload")
    assert header.header_length_bytes == second.length == len(data)
    assert header.step_bytes == second.step_bytes == 1 << named.step_bits
    assert header.workspace_bytes <= header.ram_class.size_bytes
    with pytest.raises(delta.PatchError, match="damaged"):
        delta.inspect(named.header())
    more = delta.inspect(replace(named, lines=named.lines + 1, covers=0).header())
    few = delta.inspect(replace(fields, usual=True, covers=0).header())
    more_bytes = 0 if fields.back_end == STORED else 16 * SLOT_BYTES
    assert more.workspace_bytes - few.workspace_bytes == more_bytes


@pytest.mark.parametrize("data", HEADERS)
def test_a_header_that_is_cut_at_any_byte_is_refused_or_waited_for(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(delta.PatchError):
            delta.inspect(data[:length])
        machine = delta.Decoder(NOISE)
        assert machine.feed(data[:length]) == b""
        assert machine.patch_offset == length
        assert machine.header is None
        assert delta.Decoder(NOISE, machine.journal()).patch_offset == length


def flipped(data: bytes) -> list[bytes]:
    """Return the header with each of its bits flipped, and bytes after it."""
    whole = int.from_bytes(data + bytes(delta.HEADER_BYTES_MAX), "big")
    length = len(data) + delta.HEADER_BYTES_MAX
    bits = range(8 * delta.HEADER_BYTES_MAX, 8 * length)
    return [(whole ^ 1 << bit).to_bytes(length, "big") for bit in bits]


@pytest.mark.parametrize("data", [each for each in HEADERS if each is not HEADERS[-1]])
def test_a_header_with_any_flipped_bit_is_refused(data: bytes) -> None:
    delta.inspect(data)
    for flawed in flipped(data):
        with pytest.raises(delta.PatchError):
            delta.inspect(flawed)


def test_a_tiny_header_with_any_flipped_bit_is_refused_before_a_byte_is_written() -> None:
    base = NOISE[:6380]
    patch = delta.make(base, base[:3000] + b"new" + base[3000:])
    length = patch.header.header_length_bytes
    assert patch.header.hash_bytes == TINY_BYTES
    for flawed in flipped(patch.data[:length]):
        machine = delta.Decoder(base)
        with pytest.raises((delta.PatchError, delta.WrongBaseError)):
            machine.feed(flawed)


@pytest.mark.parametrize("at", range(TINY_BYTES))
def test_tiny_hashes_are_compared_to_their_last_byte(at: int) -> None:
    base = NOISE[:6380]
    target = base[:3000] + b"new" + base[3000:]
    patch = delta.make(base, target)
    length = patch.header.header_length_bytes
    fields, payload = patch.data[: length - 2 * TINY_BYTES], patch.data[length:]
    hashes = [hashlib.sha256(image).digest()[:TINY_BYTES] for image in (base, target)]
    assert sealed(fields, (hashes[0], hashes[1])) + payload == patch.data
    flaw = bytes(at == i for i in range(TINY_BYTES))
    flawed = [bytes(a ^ b for a, b in zip(named, flaw, strict=True)) for named in hashes]
    with pytest.raises(delta.WrongBaseError):
        list(delta.apply(base, sealed(fields, (flawed[0], hashes[1])) + payload))
    with pytest.raises(delta.TargetMismatchError):
        list(delta.apply(base, sealed(fields, (hashes[0], flawed[1])) + payload))


NUMBERS = st.sampled_from([1, 2, 3, 4, 6, 7])  # places of numbers in the parts


@given(fields=st.sampled_from([CODE, WHOLE]), at=NUMBERS, spare=st.integers(1, 6))
def test_a_number_longer_than_it_need_be_is_refused(fields: Fields, at: int, spare: int) -> None:
    parts = fields.parts()
    last = len(parts[at]) - 1
    parts[at] = parts[at][:-1] + bytes([parts[at][last] | 128, *[128] * (spare - 1), 0])
    with pytest.raises(delta.PatchError):
        delta.inspect(sealed(b"".join(parts), fields.hashes) + bytes(99))


@given(at=NUMBERS, value=st.integers(1 << 32, 1 << 40))
def test_a_number_that_takes_more_than_32_bits_is_refused(at: int, value: int) -> None:
    parts = CODE.parts()
    parts[at] = number(value)
    with pytest.raises(delta.PatchError):
        delta.inspect(sealed(b"".join(parts), CODE.hashes) + bytes(99))


def test_a_difference_of_nothing_is_not_said() -> None:
    parts = PLAIN.parts()
    parts[3] = number(0)
    with pytest.raises(delta.PatchError, match="damaged"):
        delta.inspect(sealed(b"".join(parts), PLAIN.hashes) + bytes(99))


@pytest.mark.parametrize(
    "flawed",
    [
        replace(CODE, back_end=3),
        replace(CODE, ram_class=3),
        replace(CODE, architecture=6),
        replace(CODE, step_bits=25),
        replace(CODE, bits=(21, 13, 14)),
        replace(CODE, bits=(9, 23, 14)),
        replace(CODE, bits=(9, 13, 21)),
        replace(CODE, bits=(9, 0, 14)),
        replace(CODE, covers=(1 << 20) + 1),
        replace(CODE, lines=0),
        replace(CODE, lines=(1 << 16) + 1),
        replace(CODE, lines=0x10000001),
        replace(CODE, payload=U32 - 105),
        replace(CODE, shift=U32 - 6379),
        replace(SMALL, payload=512),
        replace(CODE, bits=(20, 13, 14)),
        replace(QUICK, lines=FAST_LINES_MIN - 1),
        replace(QUICK, primed=True),
        replace(QUICK, bits=(0, 13, 14)),
        replace(PLAIN, back_end=STORED, bits=(0, 13, 0)),
        replace(PLAIN, back_end=STORED, primed=False),
    ],
)
def test_a_field_out_of_range_is_refused(flawed: Fields) -> None:
    with pytest.raises(delta.PatchError):
        delta.inspect(flawed.header())


@given(st.binary(max_size=200))
def test_any_bytes_are_no_header(data: bytes) -> None:
    data = b"RW\x55" + data + bytes(delta.HEADER_BYTES_MAX)
    if data[3] >> 4 & 3 != TINY:
        with pytest.raises(delta.PatchError):
            delta.inspect(data)
    with pytest.raises((delta.PatchError, delta.WrongBaseError)):
        delta.Decoder(NOISE).feed(data)


def test_another_version_is_told_as_such() -> None:
    later = bytearray(HEADERS[0])
    later[2] += 1
    with pytest.raises(delta.PatchError, match="version"):
        delta.inspect(bytes(later))


def test_a_fourth_length_of_hashes_is_refused() -> None:
    parts = PLAIN.parts()
    parts[0] = parts[0][:3] + bytes([parts[0][3] | 3 << 4])
    for size in HASH_BYTES:
        data = sealed(b"".join(parts), (bytes(size), bytes(size)))
        with pytest.raises(delta.PatchError, match="damaged"):
            delta.inspect(data + bytes(99))


def test_a_short_patch_names_short_hashes() -> None:
    few, some = NOISE[:5000] + b"new" + NOISE[5000:], NOISE[:5000] + NOISE[600::-1] + NOISE[5000:]
    targets = ((few, 3), (some, 8), (NOISE[::-1], 32))
    for target, size in targets:
        patch = delta.make(NOISE, target)
        header = patch.header
        assert header.hash_bytes == size
        assert header.base_sha256 == hashlib.sha256(NOISE).digest()[:size].hex()
        assert header.makes(hashlib.sha256(target).hexdigest())
        assert not header.makes(hashlib.sha256(target + b"x").hexdigest())
        assert read_header(patch.data).length == header.header_length_bytes
    assert len(delta.make(NOISE, few).data) < 52


def test_the_smallest_patch_is_little_more_than_its_header() -> None:
    patch = delta.make(b"", b"")
    assert len(patch.data) == patch.header.header_length_bytes == HEADER_BYTES_MIN
    assert b"".join(delta.apply(b"", patch.data)) == b""
