from collections.abc import Callable

from typing_extensions import Buffer

FORMAT_VERSION: int
HEADER_MAX: int

class CodecError(Exception): ...

class Decoder:
    def __init__(
        self,
        read_base: Buffer | Callable[[int, int], bytes],
        size: int,
        journal: bytes | None = ...,
    ) -> None: ...
    def run(self, chunk: Buffer, room: int) -> tuple[bytes, int, int]: ...
    def journal(self) -> bytes: ...
    def header(self) -> bytes: ...
    def progress(self) -> tuple[int, int, int, int]: ...

def encode(
    base: Buffer,
    target: Buffer,
    settings: tuple[int, int, int, int, int, int],
    progress: Callable[[int], None] | None,
) -> bytes: ...
def header(
    data: Buffer,
) -> tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, bytes, bytes]: ...
def header_size(data: Buffer) -> int: ...
