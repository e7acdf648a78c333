"""Files that nibabel saves: what voxload must store when it saves the same source in the same type.

usage: saved.py OUTDIR [COUNT]

Writes sources and `saved.txt`, a line each: source, type to save as, slope and inter (hex floats), sha256 of the
stored voxels in native order; or the word "error" in place of the last three.
"""

import hashlib
import os
import random
import sys
import warnings

import nibabel as nib
import numpy as np

from random_files.common import ten_to

warnings.simplefilter("ignore")

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def values(rng, dtype, count):
    kind = rng.integers(0, 7)
    if dtype.kind == "f":
        data = rng.normal(size=count) * ten_to(rng.integers(-6, 9))
        if kind == 0:
            data[:] = 0
        elif kind == 1:
            data[:] = data[0]
        elif kind == 2:
            data[rng.integers(0, count)] = np.nan
        elif kind == 3:
            data[rng.integers(0, count)] = np.inf
        elif kind == 4:
            data = np.abs(data)
            data[rng.integers(0, count)] = np.nan
        elif kind == 5:
            data[:] = np.nan
        return data.astype(dtype)
    info = np.iinfo(dtype)
    if kind < 2:
        low, high = max(info.min, -100), min(info.max, 100)
    elif kind < 4:
        low, high = max(info.min, -40000), min(info.max, 70000)
    else:
        low, high = info.min, info.max
    native = dtype.newbyteorder("=")
    return rng.integers(low, high, size=count, dtype=native, endpoint=True).astype(dtype)


def source(rng, path):
    dtype = np.dtype(random.choice("<>") + random.choice(TYPES))
    cls = random.choice([nib.Nifti1Image, nib.Nifti2Image])
    shape = tuple(rng.integers(1, 8, size=rng.integers(1, 5)))
    header = cls.header_class(endianness=">" if dtype.byteorder == ">" else "<")
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header["magic"] = b"n+1" if cls is nib.Nifti1Image else b"n+2"
    header["vox_offset"] = header.sizeof_hdr + 4
    slope, inter = [(1, 0), (np.float32(0.37), np.float32(-3.25)), (1, 7.5), (np.float32(1e-3), 0)][rng.integers(0, 4)]
    header["scl_slope"], header["scl_inter"] = slope, inter
    data = values(rng, dtype, int(np.prod(shape)))
    with open(path, "wb") as file:
        file.write(header.binaryblock + b"\0\0\0\0" + data.tobytes())


def main(folder, count):
    rng = np.random.default_rng(54)
    random.seed(54)
    os.makedirs(os.path.join(folder, "saved"), exist_ok=True)
    lines = []
    for number in range(count):
        name = f"saved/{number}.nii"
        path = os.path.join(folder, name)
        source(rng, path)
        image = nib.load(path)
        target = np.dtype(random.choice(TYPES))
        image.set_data_dtype(target)
        written = os.path.join(folder, "saved/written.nii")
        try:
            nib.save(image, written)
            again = nib.load(written)
            stored = again.dataobj.get_unscaled()
            stored = np.asarray(stored).astype(stored.dtype.newbyteorder("="))
            digest = hashlib.sha256(stored.tobytes("F")).hexdigest()
            outcome = f"{float(again.dataobj.slope).hex()}\t{float(again.dataobj.inter).hex()}\t{digest}"
            os.remove(written)
        except Exception:  # noqa: BLE001: whatever nibabel refuses, it is a refusal
            outcome = "error"
        lines.append(f"{name}\t{target.name}\t{outcome}\n")
    with open(os.path.join(folder, "saved.txt"), "w") as file:
        file.writelines(lines)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1500)
