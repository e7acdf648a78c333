"""Random CIFTI-2 files."""

import struct
from pathlib import Path

import nibabel as nib
import numpy as np

from .common import random_array, stored

NIB = Path(nib.__file__).parent


def cifti(rng, folder, k, manifest):
    source = nib.Nifti2Image.from_filename(next(p for p in [NIB / "tests/data/row_major.dconn.nii", NIB / "cifti2/tests/data/row_major.dconn.nii"] if p.exists()))
    order = rng.choice(["<", ">"])
    code = rng.choice(["u1", "i2", "i4", "f4", "f8", "i8", "u2"])
    shape = tuple(int(n) for n in rng.integers(1, 12, size=2))
    header = nib.Nifti2Header(endianness=order)
    header.set_data_dtype(order + code)
    header.set_data_shape((1, 1, 1, 1) + shape)
    header["intent_code"] = 3001
    header["intent_name"] = b"ConnDense"
    if rng.random() < 0.6:
        header["scl_slope"], header["scl_inter"] = rng.normal(size=2)
    content = source.header.extensions[0].get_content()
    content = content.to_xml() if hasattr(content, "to_xml") else content
    size = (len(content) + 8 + 15) // 16 * 16
    extension = struct.pack(order + "ii", size, 32) + content.ljust(size - 8, b"\0")
    header["vox_offset"] = 544 + size
    data = random_array(rng, shape, order + code).tobytes(order="F")
    zipped = rng.random() < 0.2
    path = folder / (f"{k}.dconn.nii" + (".gz" if zipped else ""))
    stored(path, header.binaryblock + b"\1\0\0\0" + extension + data, zipped)
    manifest.add_nibabel("NIfTI-2" if zipped else "CIFTI-2", path)
