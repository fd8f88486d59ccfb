"""Container images that the tests make themselves: squashfs 4.0, gzip, tar and cpio."""

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

BLOCK = 4096
NONE = 0xFFFFFFFF
NO_TABLE = 0xFFFFFFFFFFFFFFFF
Pack = Callable[[bytes], bytes]


def zlib_9(content: bytes) -> bytes:
    return zlib.compress(content, 9)


@dataclass
class Writer:
    """Writes a squashfs 4.0 image of regular files in one directory."""

    pack: Pack = zlib_9
    compression: int = 1

    def image(self, files: dict[str, bytes]) -> bytes:
        data = bytearray(96)
        inodes, tails, tail = b"", [], b""
        for number, content in enumerate(files.values(), start=2):
            whole = len(content) // BLOCK * BLOCK
            start = len(data)
            blocks = (content[at : at + BLOCK] for at in range(0, whole, BLOCK))
            sizes = [self._block(data, block) for block in blocks]
            fragment, offset = NONE, 0
            if content[whole:]:
                if len(tail) + len(content) - whole > BLOCK:
                    tails.append(tail)
                    tail = b""
                fragment, offset = len(tails), len(tail)
                tail += content[whole:]
            inodes += struct.pack("<HHHHII", 2, 0o644, 0, 0, 0, number)
            inodes += struct.pack("<IIII", start, fragment, offset, len(content))
            inodes += struct.pack(f"<{len(sizes)}I", *sizes)
        inodes += struct.pack("<HHHHIIIIHHI", 1, 0o755, 0, 0, 0, 1, 0, 2, 0, 0, 9)
        tails += [tail] if tail else []
        fragments = b""
        for each in tails:
            start = len(data)
            fragments += struct.pack("<QII", start, self._block(data, each), 0)
        return self._with_tables(data, inodes, fragments, len(files) + 1)

    def _block(self, data: bytearray, content: bytes) -> int:
        packed = self.pack(content)
        if len(packed) >= len(content):
            data += content
            return len(content) | 1 << 24
        data += packed
        return len(packed)

    def _metadata(self, data: bytearray, content: bytes) -> list[int]:
        places = []
        for at in range(0, len(content), 8192):
            piece = content[at : at + 8192]
            packed = self.pack(piece)
            places.append(len(data))
            if len(packed) >= len(piece):
                data += struct.pack("<H", len(piece) | 1 << 15) + piece
            else:
                data += struct.pack("<H", len(packed)) + packed
        return places

    def _with_tables(
        self, data: bytearray, inodes: bytes, fragments: bytes, inode_count: int
    ) -> bytes:
        inode_table = len(data)
        self._metadata(data, inodes)
        directory_table = len(data)
        self._metadata(data, b"directory entries " * 40)
        tables = []
        for content in (fragments, bytes(8 * inode_count), bytes(4)):
            places = self._metadata(data, content)
            tables.append(len(data))
            data += struct.pack(f"<{len(places)}Q", *places)
        fragment_table, export_table, id_table = tables
        counts = (inode_count, 0, BLOCK, len(fragments) // 16, self.compression, 12, 0, 1, 4, 0)
        starts = (0, len(data), id_table, NO_TABLE, inode_table, directory_table)
        data[:96] = struct.pack(
            "<4sIIIIHHHHHHQQQQQQQQ", b"hsqs", *counts, *starts, fragment_table, export_table
        )
        return bytes(data) + bytes(-len(data) % 4096)


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def cpio(files: dict[str, bytes]) -> bytes:
    """Write a "newc" archive, as an initramfs is."""
    out = b""
    for number, (name, content) in enumerate({**files, "TRAILER!!!": b""}.items()):
        path = name.encode() + b"\0"
        numbers = (number, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        head = b"070701" + b"".join(b"%08X" % each for each in numbers) + path
        out += head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
    return out


def gzipped(content: bytes, level: int = 9) -> bytes:
    return gzip.compress(content, level, mtime=0)
