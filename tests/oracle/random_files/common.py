"""What the generators of random files share: the manifest, hashes, random arrays, indexes and rotations."""

import gzip
import hashlib
import os
from collections import Counter

import nibabel as nib
import numpy as np


# numpy raises arrays to powers by instructions that not every processor has, and its last bits follow; these do not.
TENS = np.array([float(f"1e{k}") for k in range(-20, 21)])


def ten_to(exponent):
    """Powers of ten from 1e-20 to 1e20, the nearest doubles."""
    return TENS[np.asarray(exponent) + 20]


def rotation(rng):
    """A random rotation, or one with all axes turned round.

    From a quaternion, by single multiplications and additions: numpy.linalg and products of matrices come from
    OpenBLAS, whose kernels for different processors round differently.
    """
    a, b, c, d = rng.normal(size=4)
    s = 2 / (a * a + b * b + c * c + d * d)
    matrix = [
        [1 - s * (c * c + d * d), s * (b * c - a * d), s * (b * d + a * c)],
        [s * (b * c + a * d), 1 - s * (b * b + d * d), s * (c * d - a * b)],
        [s * (b * d - a * c), s * (c * d + a * b), 1 - s * (b * b + c * c)],
    ]
    return np.array(matrix) * rng.choice([-1, 1])


def gzipped(data):
    """gzip without the time, so that files made twice are the same."""
    return gzip.compress(data, 1, mtime=0)


def digest(array):
    array = np.array(array, order="F")
    if array.dtype.names is None:
        array = array.astype(array.dtype.newbyteorder("<"))
        if array.dtype.kind in "fc":
            parts = array.reshape(-1, order="F").view(array.dtype.type(0).real.dtype.newbyteorder("<"))
            parts[np.isnan(parts)] = np.nan
            return hashlib.sha256(parts.tobytes()).hexdigest()
    return hashlib.sha256(array.tobytes(order="F")).hexdigest()


def name_of(dtype):
    return {3: "RGB", 4: "RGBA"}[dtype.itemsize] if dtype.names else dtype.newbyteorder("=").name


def random_index(rng, array):
    """An index in numpy's notation, that seldom takes nothing."""
    for _ in range(6):
        index = any_index(rng, array.shape)
        if eval(f"array{index}").size:
            break
    return index


def any_index(rng, shape):
    items = []
    for n in shape:
        kind = rng.integers(5)
        if kind == 0 and n:
            items.append(str(rng.integers(-n, n)))
        elif kind == 1:
            items.append(":")
        else:
            bound = lambda: "" if rng.random() < 0.3 else str(rng.integers(-n - 2, n + 3))
            step = rng.choice([1, 1, 2, 3, -1, -2])
            items.append(f"{bound()}:{bound()}:{step}")
    if rng.random() < 0.3 and len(items) > 1:
        cut = rng.integers(len(items))
        items[cut:] = ["..."] if rng.random() < 0.5 else []
        items = items or ["..."]
    return "[" + ", ".join(items) + "]"


def hexadecimal(values):
    return " ".join(f"{b:016x}" for b in np.asarray(values, "<f8").reshape(-1).view("<u8"))


def own_zooms(image):
    """The zooms of the file: nibabel replaces those of some formats by the lengths of the affine's columns."""
    header = image.header
    if isinstance(header, nib.ecat.EcatHeader):
        return None
    if isinstance(header, nib.brikhead.AFNIHeader):
        return header.copy().get_zooms()
    if isinstance(header, nib.parrec.PARRECHeader):
        return header.copy().get_zooms()
    if isinstance(image, nib.Minc1Image):  # MINC2 too
        return image.dataobj.minc_file.get_zooms()
    return header.get_zooms()


class Manifest:
    def __init__(self, out, rng):
        self.out, self.rng = out, rng
        self.lines = []
        # Files of a format with values that a GPU has a kernel for.
        self.real_numbers = Counter()

    def add(self, format, path, options, native, floats, affine, zooms=None):
        """`native` is np.asarray(dataobj); `floats` gives get_fdata of a dtype."""
        native = np.asarray(native)
        arrays = [None if native.dtype.names else np.asarray(floats(dtype)) for dtype in ("f2", "f4", "f8")]
        hashed = lambda array: "-" if array is None else digest(array)
        slices = []
        for _ in range(6):
            index = random_index(self.rng, native)
            taken = eval(f"native{index}")
            narrow = None if arrays[1] is None else eval(f"arrays[1]{index}")
            slices.append(f"{index}={digest(taken)}:{hashed(narrow)}")
        bits = "-" if affine is None else hexadecimal(affine)
        sizes = "-" if zooms is None else hexadecimal(zooms)
        self.lines.append("|".join([
            format, os.path.relpath(path, self.out), options, " ".join(map(str, native.shape)),
            name_of(native.dtype), bits, sizes, *map(hashed, arrays), digest(native), ";".join(slices)]))
        self.real_numbers[format] += native.dtype.kind in "iuf"

    def add_nibabel(self, format, path, options="", load=nib.load):
        image = load(path)
        floats = lambda dtype: np.asanyarray(image.dataobj, dtype=dtype)
        zooms = own_zooms(image) if hasattr(image.header, "get_zooms") else None
        self.add(format, path, options, np.asarray(image.dataobj), floats, getattr(image, "affine", None), zooms)

    def write(self):
        (self.out / "manifest.txt").write_text("\n".join(self.lines) + "\n")


def random_array(rng, shape, dtype):
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    if dtype.names:
        return np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).reshape(shape, order="F")
    if dtype.kind in "fc" and rng.random() < 0.7:
        parts = rng.normal(size=count * (2 if dtype.kind == "c" else 1)) * ten_to(rng.integers(-3, 4))
        parts[rng.random(parts.size) < 0.05] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0])
        part = dtype.type(0).real.dtype if dtype.kind == "c" else dtype
        return parts.astype(part).view(dtype.newbyteorder("=")).astype(dtype).reshape(shape, order="F")
    return np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).reshape(shape, order="F")


def shape_of(rng, low, high):
    return tuple(int(n) for n in rng.integers(1, 8, size=rng.integers(low, high + 1)))


def stored(path, data, zipped):
    path.write_bytes(gzipped(data) if zipped else data)
