"""Random volumes of every type, and the values that nibabel gives for them.

    values.py OUTDIR

writes to OUTDIR/values the files (NIfTI-1, NIfTI-2, pairs, gzipped, both byte orders) and to OUTDIR/values.txt one
line for each file and requested type, apart by tabs: file, type, shape, SHA-256 of get_fdata(dtype=type) in
column-major order, little-endian, all NaN made alike. `raw` as type is the hash of get_unscaled() in native order.
"""

import hashlib
import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np

from random_files.common import gzipped, ten_to

warnings.simplefilter("ignore")
np.seterr(all="ignore")

REAL = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
# Large enough that each wider type and output sees a million patterns.
PATTERNS = 6000
VARIANTS = [("1", "nii"), ("2", "nii"), ("1", "nii.gz"), ("2", "nii.gz"), ("1", "pair"), ("2", "pair.gz")]

nan, inf = float("nan"), float("inf")
PAIRS = [
    (nan, nan), (nan, 5), (0, 0), (-0.0, 3), (inf, 1), (1, 0), (1, -0.0), (1, 10.5), (1, -1e-3), (1, 1e30),
    (1, 1 / 3), (2, 0), (-1, 0), (-1, 1), (0.1, 0), (-0.37, 0), (0.5, 3.25), (0.25, -1000.1), (2**-20, 1e-3),
    (2**10, -0.7), (2.0**-100, 2.0**-90), (0.0754069695, 3100.76171875), (3.883363e-8, 0), (1e-45, 0),
    (1e-45, 1e-45), (5e-40, -3e-39), (1e-38, 1e-44), (3.4e38, 0), (3.4e38, 3.4e38), (-3.4e38, 1), (1e30, -1e36),
    (65504, 0), (2**-24, 2**-25), (0.1, float(np.float32(1 / 3))), (-0.001, 0.001), (1e5, 1e-5),
]  # fmt: skip
PAIRS2 = [
    (0.1, 1 / 3), (5e-324, 0), (5e-324, 1e-310), (2.2e-308, -1e-320), (1e288, 0), (-1e280, 1e300),
    (np.pi, -np.e), (1 + 2**-52, 0),
]  # fmt: skip
COMPLEX_PAIRS = [(nan, nan), (1, 0), (1, 2.5), (2, 0), (-3, 1), (0.5, -7.25), (1e3, 1e-3), (-0.1, 0)]


def pairs(version, rng):
    chosen = PAIRS + (PAIRS2 if version == "2" else [])
    while len(chosen) < 48:
        scale = ten_to(rng.integers(-6, 7, 2))
        chosen = chosen + [tuple((rng.random(2) - 0.5) * scale)]
    return chosen


def voxels(rng, code, order):
    dtype = np.dtype(code).newbyteorder(order)
    if dtype.itemsize == 1:
        return np.arange(256, dtype="u1").view(dtype).reshape(16, 16)
    if dtype.itemsize == 2:
        return np.arange(65536, dtype="u2").astype(np.dtype("u2").newbyteorder(order)).view(dtype).reshape(256, 256)
    bits = rng.integers(0, 2**64, PATTERNS, dtype="u8")
    shift = rng.integers(0, 64, PATTERNS, dtype="u8")
    kind = rng.integers(0, 6, PATTERNS)
    bits = np.where(kind == 0, bits >> shift, np.where(kind == 1, bits << shift, bits))
    if code == "f8":
        exponent = rng.integers(1023 - 160, 1023 + 140, PATTERNS, dtype="u8") << np.uint64(52)
        bits = np.where(kind == 2, bits & ~np.uint64(0x7FF << 52) | exponent, bits)
    if code == "f4":
        exponent = rng.integers(127 - 30, 127 + 20, PATTERNS, dtype="u8") << np.uint64(23)
        bits = np.where(kind == 2, bits & ~np.uint64(0xFF << 23) | exponent, bits)
    unsigned = f"u{dtype.itemsize}"
    return bits.astype(unsigned).astype(np.dtype(unsigned).newbyteorder(order)).view(dtype).reshape(20, -1, 3)


def complex_voxels(rng, code, order):
    part = np.dtype("f4" if code == "c8" else "f8")
    values = (rng.random(2 * PATTERNS) - 0.5) * ten_to(rng.integers(-3, 4, 2 * PATTERNS))
    special = rng.choice([0.0, -0.0, inf, -inf, nan, 1.0], 2 * PATTERNS)
    values = np.where(rng.integers(0, 6, 2 * PATTERNS) == 0, special, values).astype(part)
    return values.view(code).reshape(20, -1, 3).astype(np.dtype(code).newbyteorder(order))


def write(folder, stem, version, kind, order, data, pair):
    """A file as nibabel's writer would not make it: slope and inter are what the header says."""
    header = (nib.Nifti1Header if version == "1" else nib.Nifti2Header)(endianness=order)
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape)
    single = not kind.startswith("pair")
    header["scl_slope"], header["scl_inter"] = pair
    header["magic"] = f"{'n+' if single else 'ni'}{version}".encode()
    offset = 352 if version == "1" else 544
    header["vox_offset"] = offset if single else 0
    head = header.binaryblock + b"\0\0\0\0"
    body = data.tobytes(order="F")
    squeeze = gzipped if kind.endswith(".gz") else (lambda b: b)
    suffix = ".gz" if kind.endswith(".gz") else ""
    if single:
        assert len(head) == offset
        name = f"{stem}.nii{suffix}"
        (folder / name).write_bytes(squeeze(head + body))
    else:
        name = f"{stem}.img{suffix}"
        (folder / f"{stem}.hdr{suffix}").write_bytes(squeeze(head))
        (folder / name).write_bytes(squeeze(body))
    return name


def hashed(array):
    array = np.asarray(array)
    array = array.astype(array.dtype.newbyteorder("<"))
    parts = array.ravel(order="F")
    if parts.dtype.kind == "c":
        parts = parts.view(parts.real.dtype)
    if parts.dtype.kind == "f":
        parts = np.where(np.isnan(parts), np.array(nan, parts.dtype), parts)
    return hashlib.sha256(parts.tobytes()).hexdigest()


def case(folder, lines, stem, version, kind, order, data, pair, requests):
    name = write(folder, stem, version, kind, order, data, pair)
    image = nib.load(folder / name)
    shape = ",".join(map(str, image.shape))
    for request in requests:
        values = image.dataobj.get_unscaled() if request == "raw" else image.get_fdata("unchanged", dtype=request)
        if request == "raw":
            native = np.asarray(values).astype(values.dtype.newbyteorder("<"))
            digest = hashlib.sha256(native.tobytes(order="F")).hexdigest()
        else:
            digest = hashed(values)
        lines.append(f"{name}\t{request}\t{shape}\t{digest}")


def main(out):
    folder = out / "values"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    lines = []
    for version, kind in VARIANTS:
        if kind not in ("nii", "nii.gz", "pair", "pair.gz"):
            raise ValueError(kind)
        # All pairs in plain files, every sixth in the other kinds.
        chosen = pairs(version, rng) if kind == "nii" else pairs(version, rng)[:: 6]
        for number, pair in enumerate(chosen):
            for order in "<>":
                name = f"{version}{kind.replace('.', '')}{number}{'l' if order == '<' else 'b'}"
                for code in REAL:
                    data = voxels(rng, code, order)
                    case(folder, lines, f"{name}_{code}", version, kind, order, data, pair, ["f2", "f4", "f8", "raw"])
    for number, pair in enumerate(COMPLEX_PAIRS):
        for order in "<>":
            for code in ["c8", "c16"]:
                data = complex_voxels(rng, code, order)
                stem = f"complex{number}{'l' if order == '<' else 'b'}_{code}"
                case(folder, lines, stem, "2", "nii", order, data, pair, ["f2", "f4", "f8", "c8", "c16", "raw"])
            for code in ["i2", "f4", "f8"]:
                stem = f"promoted{number}{'l' if order == '<' else 'b'}_{code}"
                data = complex_voxels(rng, "c16", order).real.copy()
                data = np.nan_to_num(data, posinf=9, neginf=-9).astype(np.dtype(code).newbyteorder(order))
                case(folder, lines, stem, "1", "nii", order, data, pair, ["c8", "c16"])
    (out / "values.txt").write_text("\n".join(lines) + "\n")
    print(f"values: {len(lines)} results")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
