"""Unpack a kernel for direct start, and make the small initramfs that mounts the host's file system.

python3 initrd.py --vmlinux BZIMAGE OUT                  started through its PVH entry: nothing to decompress
python3 initrd.py MODULES BUSYBOX INIT OUT MODULE...     NAME or FILE.ko; dependencies come along, files last
"""

from __future__ import annotations

import lzma
import re
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def unpack_kernel(image: bytes) -> bytes:
    """The ELF kernel inside a bzImage (boot protocol 2.08 or later). ValueError when it is none."""
    offset, length = struct.unpack_from("<II", image, 0x248)
    payload = image[((image[0x1F1] or 4) + 1) * 512 + offset :][:length]
    if payload.startswith(b"\xfd7zXZ\0"):
        kernel = lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(payload)
    elif payload.startswith(b"\x28\xb5\x2f\xfd"):
        # four octets of size follow the frame, over which zstd complains after it has written everything
        kernel = subprocess.run(["zstd", "-dcq"], input=payload, capture_output=True, check=False).stdout
    else:
        raise ValueError(f"a kernel payload of an unknown kind: {payload[:6].hex()}")
    if not kernel.startswith(b"\x7fELF"):
        raise ValueError("no ELF kernel inside")
    return kernel


class Archive:
    """A cpio archive, newc format."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self._inode = 0

    def add(self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        label = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(label), 0)
        self._padded(b"070701" + b"".join(b"%08X" % value for value in fields) + label)
        self._padded(data)

    def _padded(self, part: bytes) -> None:
        self.octets += part
        self.octets += bytes(-len(self.octets) % 4)


def in_load_order(tree: Path, wanted: Sequence[str]) -> dict[str, bytes]:
    """Kernel modules and what they depend on, uncompressed, in the order to load them. Built-in ones are left out."""
    files: dict[str, Path] = {}
    for path in tree.rglob("*.ko*"):
        if match := re.fullmatch(r"(.*)\.ko(\.xz)?", path.name):
            files[match[1].replace("-", "_")] = path
    order: dict[str, bytes] = {}

    def add(name: str) -> None:
        name = name.replace("-", "_")
        if name in order or name not in files:
            return
        data = files[name].read_bytes()
        if files[name].suffix == ".xz":
            data = lzma.decompress(data)
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        for needed in (depends[1].decode() if depends else "").split(","):
            add(needed)
        order[name] = data

    for name in wanted:
        if not name.endswith(".ko"):
            add(name)
    for name in wanted:
        if name.endswith(".ko"):
            order[Path(name).stem] = Path(name).read_bytes()
    return order


def initramfs(tree: Path, busybox: Path, init: Path, wanted: Sequence[str]) -> bytes:
    archive = Archive()
    for folder in ("bin", "dev", "proc", "sys", "mod", "n", "r", "rw"):
        archive.add(folder, 0o040755)
    archive.add("dev/console", 0o020600, device=(5, 1))
    archive.add("bin/busybox", 0o100755, busybox.read_bytes())
    archive.add("init", 0o100755, init.read_bytes())
    modules = in_load_order(tree, wanted)
    for name, data in modules.items():
        archive.add(f"mod/{name}.ko", 0o100644, data)
    archive.add("mod/order", 0o100644, "\n".join(modules).encode() + b"\n")
    archive.add("TRAILER!!!", 0)
    return bytes(archive.octets)


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--vmlinux"] and len(arguments) == 3:
        Path(arguments[2]).write_bytes(unpack_kernel(Path(arguments[1]).read_bytes()))
    elif len(arguments) > 4:
        tree, busybox, init, out = map(Path, arguments[:4])
        out.write_bytes(initramfs(tree, busybox, init, arguments[4:]))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
