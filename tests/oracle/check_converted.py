"""Reads NIfTI files that voxload made of other formats.

usage: check_converted.py LIST

Each line of LIST: the file, the type in which its values are to be compared (`f4`, `f8`, or `stored`), and the shape, the
hash of the values and the affine that nibabel has of the source (see formats.py); then the kinds of the axes of the source,
a letter each, by which they are ordered in NIfTI. The affine is that in float32, as NIfTI keeps it. Prints how many were compared; ends with 1 when any differs.
"""

import sys
import warnings

import nibabel as nib
import numpy as np

from check_conversions import order
from random_files.common import digest

warnings.simplefilter("ignore")
np.seterr(all="ignore")


def in_the_order_of_the_source(values, kinds):
    places = order(kinds) if "s" in kinds else list(range(len(kinds)))
    if values.ndim != len(places):
        return values
    missing = tuple(place for place, axis in enumerate(places) if axis is None)
    return np.squeeze(values, missing).transpose(np.argsort([axis for axis in places if axis is not None]))


def difference(line):
    path, kind, shape, expected, bits, axes = line.split("|")
    image = nib.load(path)
    if kind == "stored":
        values = np.asarray(image.dataobj)
    else:
        values = np.asanyarray(image.dataobj, dtype=kind)
    values = in_the_order_of_the_source(values, axes)
    if " ".join(map(str, values.shape)) != shape:
        return f"shape {values.shape}, not {shape}"
    if digest(values) != expected:
        return f"other values of {image.get_data_dtype()}"
    if bits != "-":
        affine = np.array([int(b, 16) for b in bits.split()], "<u8").view("<f8").reshape(4, 4)
        # The last row is not stored; SPM's .mat may have another one.
        if not np.array_equal(affine.astype("f4")[:3], image.affine.astype("f4")[:3], equal_nan=True):
            return f"affine {image.affine}, not {affine}"
    return None


lines = open(sys.argv[1]).read().splitlines()
found = [(line.split("|")[0], difference(line)) for line in lines]
wrong = [(path, what) for path, what in found if what]
for path, what in wrong[:12]:
    print(path, what)
print(f"compared {len(found)}, {len(wrong)} differ")
sys.exit(bool(wrong))
