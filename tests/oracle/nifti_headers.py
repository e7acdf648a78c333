"""Random NIfTI headers and affines, and what nibabel makes of them.

    nifti_headers.py OUTDIR [COUNT]

writes to OUTDIR:
  nifti_headers.bin   headers, one after the other
  nifti_headers.txt   one line for each: `VERSION CONTAINER LENGTH`, then `error`, or
                      `ok|shape|zooms|affine|offset|slope inter|dtype|order|repaired fields|extensions`
  orientations.txt    one line for each affine: `affine|codes|inv_ornt_aff for shape (5, 6, 7)`
Floats are in hexadecimal. `*` stands for extensions that nibabel fails on and voxload notes.
"""

import logging
import math
import sys
import warnings
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.batteryrunners import BatteryRunner
from nibabel.fileholders import FileHolder
from nibabel.orientations import aff2axcodes, inv_ornt_aff, io_orientation
from nibabel.spatialimages import HeaderDataError

from random_files.common import rotation, ten_to

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")

CLASSES = {
    ("1", "single"): nib.Nifti1Image,
    ("1", "pair"): nib.Nifti1Pair,
    ("2", "single"): nib.Nifti2Image,
    ("2", "pair"): nib.Nifti2Pair,
}
# The fields of nibabel's checks, in their order.
CHECKS = "sizeof_hdr datatype bitpix pixdim pixdim magic vox_offset qform_code sform_code eol_check".split()
DATATYPES = [2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1792, 2304]


def hexed(values):
    return " ".join("nan" if np.isnan(v) else float(v).hex() for v in np.ravel(values))


def chance(rng, p):
    return rng.random() < p


def quaternion(rng):
    """b, c, d of a random rotation; often one about an axis, or a half turn."""
    q = rng.normal(size=4)
    if chance(rng, 0.2):
        q[0] = 0
    if chance(rng, 0.3):
        q[rng.integers(1, 4)] = 0
    if chance(rng, 0.1):
        q[1:] = 0
        q[rng.integers(1, 4)] = 1
        q[0] *= rng.integers(0, 2)
    # Not by numpy.linalg: see `rotation`.
    q /= math.sqrt(sum(x * x for x in q.tolist())) or 1
    if chance(rng, 0.1):
        q[1:] *= 1 + rng.normal() * ten_to(rng.integers(-17, -3))
    if chance(rng, 0.02):
        q[rng.integers(1, 4)] = rng.choice([np.nan, np.inf, 1e30, -1e-30, 2])
    return q[1:]


def at_threshold(vector, threshold):
    """Whether rounding decides if the square of a quaternion's scalar part counts as 0."""
    if not all(map(math.isfinite, vector)):
        return False
    left = 1 - sum(Fraction(part) ** 2 for part in vector)
    return abs(abs(left) - Fraction(float(threshold))) < threshold / 1000


def random_header(rng, version, container):
    header = CLASSES[version, container].header_class()
    fields = header.structarr
    for name in ("intent_p1", "cal_max", "cal_min", "toffset", "slice_duration"):
        fields[name] = rng.normal()
    ndim = rng.integers(1, 8)
    fields["dim"] = 1
    fields["dim"][0] = ndim
    fields["dim"][1 : ndim + 1] = rng.integers(1, 20, ndim)
    fields["datatype"] = rng.choice(DATATYPES)
    fields["bitpix"] = 8 * header.get_data_dtype().itemsize
    scale = ten_to(rng.integers(-3, 4))
    fields["pixdim"] = rng.random(8) * scale + 1e-3
    fields["pixdim"][0] = rng.choice([-1, 1])
    fields["scl_slope"], fields["scl_inter"] = rng.normal(size=2)
    fields["qform_code"], fields["sform_code"] = rng.integers(0, 6), rng.integers(0, 6) * chance(rng, 0.3)
    names = ["quatern_b", "quatern_c", "quatern_d"]
    for name, value in zip(names, quaternion(rng)):
        fields[name] = value
    while at_threshold([float(fields[name]) for name in names], 3 * np.finfo(fields["quatern_b"].dtype).eps):
        for name, value in zip(names, quaternion(rng)):
            fields[name] = value
    for axis in "xyz":
        fields["qoffset_" + axis] = rng.normal() * 100
        fields["srow_" + axis] = rng.normal(size=4) * scale
    smallest = header.single_vox_offset
    fields["vox_offset"] = smallest if container == "single" else 0
    if chance(rng, 0.3):
        fields["vox_offset"] = smallest + rng.integers(0, 100)
    if version == "1" and chance(rng, 0.1):
        fields["vox_offset"] += 0.7
    return header


def damage(rng, fields, version):
    """Faults of one field each."""
    nasty = rng.choice([np.nan, np.inf, -np.inf, 0, -0.0, -1.5, 1, 1e-45, 3e38])
    kind = rng.integers(0, 16)
    if kind == 0:
        fields["sizeof_hdr"] = rng.integers(0, 1000)
    elif kind == 1:
        fields["datatype"] = rng.choice([0, 1, 3, 255, 1536, 2048, -2, 2305])
    elif kind == 2:
        fields["bitpix"] = rng.integers(-5, 100)
    elif kind == 3:
        fields["pixdim"][rng.integers(0, 8)] = nasty
    elif kind == 4:
        fields["pixdim"][1:4] *= rng.choice([-1, 0, 1], 3)
    elif kind == 5:
        fields["magic"] = rng.choice([b"n+1", b"ni1", b"n+2", b"ni2", b"", b"N+1", b"n+1x"])
    elif kind == 6:
        fields["vox_offset"] = rng.choice([0, 1, 100, 351, 353, 400, 543, 544, 545, -16, -1])
    elif kind == 7 and version == "1":
        fields["vox_offset"] = rng.choice([np.nan, np.inf, -np.inf, 351.99, 352.7, -0.0, 0.5, 1e30])
    elif kind == 8:
        fields[rng.choice(["qform_code", "sform_code"])] = rng.integers(-3, 9)
    elif kind == 9:
        fields["scl_slope"] = nasty
    elif kind == 10:
        fields["scl_inter"] = nasty
    elif kind == 11:
        fields["dim"][rng.integers(1, 8)] = rng.choice([0, -1, -7, 32767])
    elif kind == 12:
        fields["dim"][0] = rng.choice([0, 0, 8, -1, 9])
    elif kind == 13 and version == "1":
        fields["dim"][:5] = [4, -1, 1, 1, 2]
        fields["glmin"] = rng.choice([0, 70000, -3])
    elif kind == 14:
        fields["dim"][:4] = [rng.integers(3, 6), 27307, 1, 6]
    elif kind == 15 and version == "2":
        fields["eol_check"] = rng.choice([0, 13], 4) if chance(rng, 0.5) else 0


def extensions(rng, order):
    """The bytes of a few extensions, now and then with a wrong size."""
    out = b""
    for _ in range(rng.integers(1, 4)):
        size = int(16 * rng.integers(1, 5))
        stated = rng.choice([size - 1, 0, -16, 7, 8, 9, 1 << 30]) if chance(rng, 0.1) else size
        text = bytes(rng.integers(1, 255, rng.integers(0, size - 7), dtype=np.uint8))
        out += np.array([stated, rng.integers(0, 50)], order + "i4").tobytes() + text.ljust(size - 8, b"\0")
    return out


def load(version, container, data):
    klass = CLASSES[version, container]
    if container == "single":
        return klass.from_file_map({"image": FileHolder(fileobj=BytesIO(data))})
    holders = {"header": FileHolder(fileobj=BytesIO(data)), "image": FileHolder(fileobj=BytesIO())}
    return klass.from_file_map(holders)


def repaired(version, container, data):
    """The fields that nibabel's checks complain of."""
    klass = CLASSES[version, container].header_class
    header = klass(data[: klass.sizeof_hdr], check=False)
    _, reports = BatteryRunner(klass._get_checks()).check_fix(header)
    return {field for field, report in zip(CHECKS, reports) if report.problem_level > 0}


def expectation(version, container, data):
    """nibabel's view, but for what voxload does otherwise: offsets that nibabel finds out only when it reads."""
    length = 348 if version == "1" else 540
    order = CLASSES[version, container].header_class(data[:length], check=False).endianness
    try:
        img = load(version, container, data)
        found = [(e.get_code(), len(e.content)) for e in img.header.extensions]
        listed = " ".join(f"{code}:{size}" for code, size in found)
        if 0 < len(data) - length - 4 and img.dataobj.offset < length + 4 and container == "single":
            listed = "*"
    except (HeaderDataError, ValueError, OverflowError):
        if len(data) <= length:
            return "error"
        # Is it the extensions?
        bare = expectation(version, container, data[:length])
        return bare if bare == "error" else bare[: bare.rindex("|")] + "|*"
    shape, offset = img.shape, img.dataobj.offset
    notes = repaired(version, container, data)
    ndim = int(np.frombuffer(data[40:42] if version == "1" else data[16:24], order + ("i2" if version == "1" else "i8"))[0])
    # Found out by nibabel when it reads, or never.
    if min(shape, default=0) < 0 or not 0 <= ndim <= 7 or not 0 <= offset < 2**63:
        return "error"
    if container == "single" and offset < length + 4:
        # `n+1` in single files is checked by nibabel; `ni1` is not.
        raw = CLASSES[version, container].header_class(data[:length], check=False)["vox_offset"]
        if raw != 0:
            return "error"
        offset = length + 4
        notes.add("vox_offset")
    dtype = img.dataobj.dtype
    name = dtype.name if dtype.names is None else "".join(dtype.names)
    return "|".join([
        "ok",
        " ".join(map(str, shape)),
        hexed(img.header.get_zooms()),
        hexed(img.affine),
        str(offset),
        # An inter of -0 is not added either.
        hexed([img.dataobj.slope, img.dataobj.inter + 0.0]),
        name,
        "little" if order == "<" else "big",
        " ".join(sorted(notes)),
        listed,
    ])


def shipped():
    """The headers of nibabel's own test files, with their extensions."""
    folder = Path(nib.__file__).parent / "tests" / "data"
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".gz")
        if not name.endswith((".nii", ".hdr")) or name == "analyze.hdr":
            continue
        with nib.openers.ImageOpener(path) as file:
            data = file.read()
        version = "2" if 540 in np.frombuffer(data[:4], "<i4").tolist() + np.frombuffer(data[:4], ">i4").tolist() else "1"
        container = "single" if name.endswith(".nii") else "pair"
        length = load(version, container, data).dataobj.offset if container == "single" else len(data)
        yield version, container, data[: length + 16]


def headers(out, rng, count):
    with open(out / "nifti_headers.bin", "wb") as binary, open(out / "nifti_headers.txt", "w") as text:
        for version, container, data in shipped():
            binary.write(data)
            text.write(f"{version} {container} {len(data)}|{expectation(version, container, data)}\n")
        for _ in range(count):
            version, container = list(CLASSES)[rng.integers(0, 4)]
            header = random_header(rng, version, container)
            if chance(rng, 0.4):
                damage(rng, header.structarr, version)
            order = "<>"[rng.integers(0, 2)]
            data = header.structarr.astype(header.structarr.dtype.newbyteorder(order)).tobytes()
            if chance(rng, 0.3):
                data += bytes([rng.choice([0, 1, 1, 2]), 0, 0, 0]) + extensions(rng, order)
                if container == "single" and chance(rng, 0.8) and header["vox_offset"] >= len(data) - 500:
                    header.structarr["vox_offset"] = len(data)
                    head = header.structarr.astype(header.structarr.dtype.newbyteorder(order)).tobytes()
                    data = head + data[len(head) :]
                # The voxels, which nibabel may take for extensions.
                data += b"\0" * 64 if container == "single" else b""
            binary.write(data)
            text.write(f"{version} {container} {len(data)}|{expectation(version, container, data)}\n")


def is_settled(rng, affine):
    """Whether rounding has no say in the orientation: numbers a millionth larger or smaller give the same one.

    It has where an axis lies between two directions: nibabel takes the larger entry of a matrix that comes from an SVD,
    that is from OpenBLAS, whose kernels for different processors round differently. For columns (s, s, 0) twice, with
    s = sqrt(1/2), nibabel says ARS on some processors and RAS on others.
    """
    found = io_orientation(affine)
    moved = (affine * (1 + 1e-6 * rng.uniform(-1, 1, size=(4, 4))) for _ in range(8))
    return all(np.array_equal(io_orientation(other), found, equal_nan=True) for other in moved)


def product(left, right):
    """The product of two matrices as chains of fused multiply-adds, each rounded once from an exact result.

    So does OpenBLAS where the processor can, and its other kernels come close.
    """
    result = np.zeros((4, 4))
    for row in range(4):
        for column in range(4):
            total = 0.0
            for k in range(4):
                total = float(Fraction(float(left[row, k])) * Fraction(float(right[k, column])) + Fraction(total))
            result[row, column] = total
    assert np.allclose(result, left @ right, rtol=1e-12, atol=1e-12 * np.abs(left).max())
    return result


def near_ties(degrees):
    """Rotations about an axis, a little less or more than the 45 degrees at which rounding would decide."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    for order in ([0, 1, 2], [0, 2, 1], [2, 0, 1]):
        for x, y in [(1, 1), (1, -1), (-1, 1), (-1, -1)]:
            turned = np.eye(4)
            turned[:2, :2] = [[c, -s * x], [s * y, c * x * y]]
            turned[:3] = turned[order]
            yield turned
            yield turned * [2, 3, 4, 1]


def random_affine(rng):
    affine = np.eye(4)
    kind = rng.integers(0, 4)
    affine[:3] = rng.normal(size=(3, 4)) * ten_to(rng.integers(-3, 4))
    if kind == 0:
        affine[:3, :3] = rotation(rng) * rng.random(3)
    elif kind == 1:
        affine[:3, :3] = np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3) + rng.normal(size=(3, 3)) * 0.1
    elif kind == 2:
        affine[:3, rng.integers(0, 3)] = 0
    return affine


def orientations(out, rng, count):
    affines = [np.eye(4) * 0, np.diag([1, 0, 1, 1]), np.diag([-2, 3, -4, 1]), np.eye(4)[[2, 0, 1, 3]]]
    affines += [*near_ties(44.999), *near_ties(45.001)]
    affines = [affine.astype(float) for affine in affines]
    assert all(is_settled(rng, affine) for affine in affines)
    wanted = len(affines) + count
    while len(affines) < wanted:
        affine = random_affine(rng)
        if is_settled(rng, affine):
            affines.append(affine)
    with open(out / "orientations.txt", "w") as text:
        for affine in affines:
            codes = "".join(code or "-" for code in aff2axcodes(affine))
            inverse = moved = ""
            if "-" not in codes:
                back = inv_ornt_aff(io_orientation(affine), (5, 6, 7))
                inverse, moved = hexed(back), hexed(product(affine, back))
            text.write(f"{hexed(affine)}|{codes}|{inverse}|{moved}\n")


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    headers(out, np.random.default_rng(1), count)
    orientations(out, np.random.default_rng(2), 2000)
