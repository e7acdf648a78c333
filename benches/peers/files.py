"""The files that are compared on: NIfTI-1 series made on the spot, smooth with noise."""

import gzip
import os
import struct
import subprocess
import sys

import numpy as np

OFFSET = 352
SHAPE = (96, 96, 60)
SLOPE, INTER = 0.07540697, 3100.7617
CODES = {"u1": 2, "i2": 4, "f4": 16, "f8": 64, "i8": 1024}


def header(dtype, shape, scaled):
    """The bytes before the voxels, in the dtype's byte order."""
    dtype = np.dtype(dtype)
    order = ">" if dtype.str[0] == ">" else "<"
    dims = [len(shape), *shape] + [1] * (7 - len(shape))
    slope, inter = (SLOPE, INTER) if scaled else (1, 0)
    made = bytearray(OFFSET)
    struct.pack_into(order + "i", made, 0, 348)
    struct.pack_into(order + "8h", made, 40, *dims)
    struct.pack_into(order + "2h", made, 70, CODES[dtype.str[1:]], 8 * dtype.itemsize)
    struct.pack_into(order + "8f", made, 76, 1, 2, 2, 2, 1.5, 0, 0, 0)
    struct.pack_into(order + "3f", made, 108, OFFSET, slope, inter)
    made[344:348] = b"n+1\0"
    return bytes(made)


def series(path, dtype, stored_bytes, scaled=True, amplitude=30):
    """A 4-D series of about this many bytes; gives its number of frames. An amplitude of 1 deflates about 2 to 1."""
    dtype = np.dtype(dtype)
    frame_bytes = int(np.prod(SHAPE)) * dtype.itemsize
    frames = max(2, stored_bytes // frame_bytes)
    random = np.random.default_rng(1)
    axes = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in SHAPE)]
    x, y, z = axes
    smooth = amplitude * (100 * np.exp(-2 * (x * x + y * y + z * z)) + 25 * np.sin(6 * x) * np.cos(5 * y))
    with open(path, "wb") as file:
        file.write(header(dtype, (*SHAPE, frames), scaled))
        for _ in range(frames):
            noise = random.integers(0, 22, SHAPE, np.int8)
            # Stored with the first axis fastest; u8 keeps the low bits.
            values = (smooth + noise).astype(np.int64).astype(dtype)
            file.write(values.tobytes("F"))
    read_through(path)
    return frames


def head(path, shape, seed):
    """An int16 volume: a noisy ball in black air, gzipped by nibabel's default level if the name ends in .gz."""
    random = np.random.default_rng(seed)
    x, y, z = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    ball = x * x + y * y + z * z < 0.95
    smooth = 900 + 300 * np.sin(6 * x) * np.cos(5 * y) + 0 * z
    values = np.where(ball, smooth + random.normal(0, 30, shape), 0).astype("<i2")
    content = header("<i2", shape, True) + values.tobytes("F")
    with open(path, "wb") as file:
        file.write(gzip.compress(content, 1, mtime=0) if path.endswith(".gz") else content)
    read_through(path)


def sparse(path, stored_bytes):
    """An int16 series of zeros that takes no room on the disk; gives its number of voxels."""
    frames = stored_bytes // (2 * int(np.prod(SHAPE)))
    with open(path, "wb") as file:
        file.write(header("<i2", (*SHAPE, frames), True))
        file.truncate(OFFSET + 2 * int(np.prod(SHAPE)) * frames)
    read_through(path)
    return frames * int(np.prod(SHAPE))


def compress(path):
    """`path` with .gz, one member, level 6."""
    packed = path + ".gz"
    with open(packed, "wb") as out:
        subprocess.run(["gzip", "-6", "-n", "-c", path], check=True, stdout=out)
    read_through(packed)
    return packed


def places(path, count):
    """Random voxels, one a line."""
    random = np.random.default_rng(2)
    with open(path, "w", encoding="ascii") as file:
        for _ in range(count):
            file.write(", ".join(str(random.integers(n)) for n in SHAPE) + "\n")


def read_through(path):
    """Brings a file into the page cache as reading it from the disk does, which is not how writing it leaves it there."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.read(1 << 24):
            pass


if __name__ == "__main__":
    sys.exit(f"{os.path.basename(__file__)} is used by compare.py")
