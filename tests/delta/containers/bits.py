"""Deflate streams written by hand, so that they hold what no encoder writes."""

from collections.abc import Iterable

ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
ORDER_LENGTHS = [4] * 13 + [5] * 6
"""A complete code for the nineteen symbols of a head."""
FIXED_LITERALS = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
FIXED_DISTANCES = [5] * 32
END = 256

Token = int | tuple[int, int, int, int]
"""A symbol, or a match: length symbol, its extra bits, distance symbol, its extra bits."""


def codes(lengths: list[int]) -> list[int]:
    """Return the canonical code of each symbol."""
    found, code = [0] * len(lengths), 0
    for length in range(1, 16):
        for symbol, each in enumerate(lengths):
            if each == length:
                found[symbol] = code
                code += 1
        code <<= 1
    return found


def extra_of_length(symbol: int) -> int:
    return 0 if symbol < 265 or symbol == 285 else (symbol - 261) // 4


class Bits:
    """Bits, lowest first."""

    def __init__(self) -> None:
        self._value = 0
        self.count = 0

    def put(self, value: int, bits: int) -> "Bits":
        self._value |= value << self.count
        self.count += bits
        return self

    def put_code(self, code: int, length: int) -> None:
        for bit in reversed(range(length)):
            self.put(code >> bit & 1, 1)

    def head(
        self,
        counts: tuple[int, int],
        sent: Iterable[tuple[int, int]],
        order: list[int] = ORDER_LENGTHS,
    ) -> "Bits":
        """Write a dynamic block's head: counts of lengths, then symbols with their extra bits."""
        self.put(counts[0] - 257, 5).put(counts[1] - 1, 5).put(15, 4)
        for symbol in ORDER:
            self.put(order[symbol], 3)
        known = codes(order)
        for symbol, extra in sent:
            self.put_code(known[symbol], order[symbol])
            if symbol > 15:
                self.put(extra, (2, 3, 7)[symbol - 16])
        return self

    def tokens(self, literals: list[int], distances: list[int], tokens: Iterable[Token]) -> "Bits":
        """Write tokens in the code of these lengths, the end of the block among them."""
        literal_codes, distance_codes = codes(literals), codes(distances)
        for token in tokens:
            symbol = token if isinstance(token, int) else token[0]
            self.put_code(literal_codes[symbol], literals[symbol])
            if not isinstance(token, int):
                _, extra, distance, more = token
                self.put(extra, extra_of_length(symbol))
                self.put_code(distance_codes[distance], distances[distance])
                self.put(more, max(distance - 2, 0) // 2)
        return self

    def fixed(self, tokens: Iterable[Token], *, final: bool = True) -> "Bits":
        """Write a whole block with fixed codes."""
        self.put(final, 1).put(1, 2)
        return self.tokens(FIXED_LITERALS, FIXED_DISTANCES, tokens)

    def stream(self) -> bytes:
        """Return the bytes, the last one filled with zeros."""
        return self._value.to_bytes(-(-self.count // 8), "little")


def sent_lengths(lengths: list[int]) -> list[tuple[int, int]]:
    """Return the symbols of a head for these lengths, with repeats as long as they can be."""
    sent: list[tuple[int, int]] = []
    at = 0
    while at < len(lengths):
        run = 1
        while at + run < len(lengths) and lengths[at + run] == lengths[at] and run < 138:
            run += 1
        if lengths[at] == 0 and run >= 11:
            sent.append((18, run - 11))
        elif lengths[at] == 0 and run >= 3:
            sent.append((17, run - 3))
        elif at and lengths[at] == lengths[at - 1] and run >= 3:
            run = min(run, 6)
            sent.append((16, run - 3))
        else:
            run = 1
            sent.append((lengths[at], 0))
        at += run
    return sent
