from collections.abc import Callable

HEADER_SIZE: int

class CodecError(Exception): ...

class Decoder:
    def __init__(
        self,
        read_base: bytes | Callable[[int, int], bytes],
        size: int,
        journal: bytes | None = ...,
    ) -> None: ...
    def run(self, chunk: bytes | memoryview, room: int) -> tuple[bytes, int, int]: ...
    def journal(self) -> bytes: ...
    def header(self) -> bytes: ...
    def progress(self) -> tuple[int, int, int, int]: ...

def encode(
    base: bytes,
    target: bytes,
    ram_class: int,
    arch: int,
    step_bits: int,
    progress: Callable[[int], None] | None,
) -> bytes: ...
def header(
    data: bytes,
) -> tuple[int, int, int, int, int, int, int, int, int, int, bytes, bytes]: ...
