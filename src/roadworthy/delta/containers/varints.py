"""Whole numbers in as few bytes as they need: seven bits a byte, lowest first (LEB128)."""

from roadworthy.delta.errors import PatchError

__all__ = ["VarintReader", "put_varint"]

_SEVEN = 7
_MORE = 0x80
_BYTES_MAX = 6


def put_varint(out: bytearray, value: int) -> None:
    """Append a number that is not negative."""
    while value >= _MORE:
        out.append(value & 0x7F | _MORE)
        value >>= _SEVEN
    out.append(value)


class VarintReader:
    """Numbers and bytes out of a recipe, from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def number(self, most: int) -> int:
        """Read a number.

        Raises:
            PatchError: it is above `most`, or the recipe ends.
        """
        value = 0
        for index in range(_BYTES_MAX):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << _SEVEN * index
            if byte < _MORE:
                break
        else:
            value = most + 1
        if value > most:
            raise PatchError(
                "its recipe holds a number that is too large", value="patch", todo="fetch it again"
            )
        return value

    def numbers(self, count: int, most: int) -> list[int]:
        """Read so many numbers, each at most `most`.

        Raises:
            PatchError: one is larger, or the recipe ends.
        """
        return [self.number(most) for _ in range(count)]

    def take(self, length: int) -> bytes:
        """Read bytes.

        Raises:
            PatchError: the recipe ends before.
        """
        taken = self._data[self._at : self._at + length]
        self._at += length
        if len(taken) != length:
            raise PatchError("its recipe is cut short", value="patch", todo="fetch it again")
        return taken
