"""What a wheel must do where nothing but numpy is installed: read an image, scaled and in part. Run by wheel.sh."""

from __future__ import annotations

import gzip
import struct
import tempfile
from pathlib import Path

import numpy as np

import voxload

stored = np.arange(4 * 3 * 2 * 5, dtype="<i2").reshape((4, 3, 2, 5), order="F")
header = bytearray(352)
struct.pack_into("<i", header, 0, 348)
struct.pack_into("<8h", header, 40, 4, *stored.shape, 1, 1, 1)
struct.pack_into("<2h", header, 70, 4, 16)
struct.pack_into("<8f", header, 76, 1, 2, 2, 2, 1, 1, 1, 1)
# where the voxels begin, slope, intercept
struct.pack_into("<3f", header, 108, 352, 0.5, -3)
header[344:348] = b"n+1\0"

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "image.nii.gz"
    file.write_bytes(gzip.compress(bytes(header) + stored.tobytes(order="F")))
    image = voxload.load(file)
    wanted = stored * 0.5 - 3
    assert image.shape == stored.shape
    assert np.array_equal(image.dataobj[..., 3], wanted[..., 3])
    assert np.array_equal(image.get_fdata(), wanted)
    # Windows deletes no file that is open or mapped.
    del image

print(f"voxload {voxload.__version__}, numpy {np.__version__}: {len(voxload.format_names())} formats")
