"""Random MGH files."""

import struct

import numpy as np

from .common import random_array, stored


def mgh(rng, folder, k, manifest):
    code, dtype = [(0, ">u1"), (1, ">i4"), (3, ">f4"), (4, ">i2"), (10, ">u2")][rng.integers(5)]
    dims = [int(n) for n in rng.integers(1, 8, size=4)]
    if rng.random() < 0.5:
        dims[3] = 1
    good = int(rng.random() < 0.8)
    header = struct.pack(">i4iiih", 1, *dims, code, int(rng.integers(9)), good)
    geometry = rng.normal(size=15)
    if rng.random() < 0.1:
        geometry[rng.integers(15)] = rng.choice([np.nan, np.inf, 0.0])
    header += geometry.astype(">f4").tobytes()
    footer = rng.normal(size=5).astype(">f4").tobytes() + b"tags" * int(rng.integers(3))
    footer = footer[: rng.choice([0, 3, 4, 19, 20, len(footer)])]
    data = random_array(rng, dims, dtype).tobytes(order="F")
    zipped = rng.random() < 0.4
    path = folder / (f"{k}.mgz" if zipped else f"{k}.mgh")
    stored(path, header.ljust(284, b"\0") + data + footer, zipped)
    manifest.add_nibabel("MGH", path)
